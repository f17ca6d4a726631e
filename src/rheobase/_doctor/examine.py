"""All checks, those that start processes at the same time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from rheobase._doctor import machine, packages, probes
from rheobase._doctor.check import Check


def examine() -> list[Check]:
    """Return what is installed, what is missing and how to mend it, by group."""
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(min(cores, len(probes.PROBES))) as pool:
        attempts = [pool.submit(list[Check], probe()) for probe in probes.PROBES]
        found = [
            packages.python(),
            packages.package(),
            *packages.requirements(),
            *packages.extras(),
            *machine.machine(),
        ]
        found += [check for attempt in attempts for check in attempt.result()]
    groups = list(dict.fromkeys(check.group for check in found))
    return sorted(found, key=lambda check: groups.index(check.group))
