"""How much memory may be had."""

from __future__ import annotations

import os


def free_memory() -> float:
    """Return the bytes that may be had without swapping; all there are where that is not told."""
    try:
        with open("/proc/meminfo") as file:
            table = dict(line.split(":") for line in file)
        return 1024.0 * float(table["MemAvailable"].split()[0])
    except (OSError, KeyError):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
