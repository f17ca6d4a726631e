"""What the cache holds: by kind, with sizes and ages; and how it is cleared."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import time

from rheobase._errors import InputError, check_option
from rheobase._files import cache_dir, kept_files

#: Folders of the cache, and what is in them.
KINDS = {
    "heads": "heads: mesh, cortex, positions",
    "fields": "fields of coils and montages, for unit sources",
    "errors": "estimated errors of fields",
    "lead_fields": "fields of every electrode of a head",
    "leads": "fields of leads in the brain, for unit currents",
    "coil_modes": "fields of the modes of coils",
    "cells": "thresholds of placed cells",
    "shells": "surfaces of the tissues of heads, thinned",
    "figures": "figures of reports",
    "drawings": "pictures and pages of 3-D scenes",
    "networks": "runs of the microcircuit",
    "sound": "sound of transducers through heads",
    "sonic": "tables of intramembrane cavitation",
}
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One file of the cache.

    Parameters
    ----------
    kind, path
        Its folder within the cache, and the file.
    bytes, age
        Its size, and the time since it was last read or written (s).
    """

    kind: str
    path: Path
    bytes: int
    age: float


def kept(kind: str | None = None, *, older: float = 0.0) -> list[Kept]:
    """Return the files of the cache, those that were used last first.

    Parameters
    ----------
    kind
        One of the folders of the cache; all without.
    older
        Least age (s).

    Raises
    ------
    InputError
        If there is no such kind.
    """
    root, now = cache_dir(), time()
    if kind is not None:
        check_option("kind of kept files", kind, KINDS, where="rheobase cache")
    found = []
    for used, size, path in sorted(kept_files(root), reverse=True):
        folder = path.relative_to(root).parts[0]
        age = max(0.0, now - used)
        if kind in (None, folder) and age >= older:
            found.append(Kept(kind=folder, path=path, bytes=size, age=age))
    return found


def clear(files: Sequence[Kept]) -> int:
    """Remove files of the cache; return how many bytes that freed.

    Raises
    ------
    InputError
        If one cannot be removed.
    """
    freed = 0
    for file in files:
        try:
            file.path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"cannot remove {file.path}: {error.strerror}") from error
        freed += file.bytes
    return freed


def parse_age(text: str) -> float:
    """Return an age (s) of its text.

    Raises
    ------
    InputError
        If it is no number with a unit.

    Examples
    --------
    >>> parse_age("30d"), parse_age("1.5 h")
    (2592000.0, 5400.0)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(\w+)\s*", text)
    if found is None or found.group(2) not in SECONDS:
        raise InputError(f"expected an age such as 30d or 12h ({', '.join(SECONDS)}), got {text!r}")
    return float(found.group(1)) * SECONDS[found.group(2)]


def age_text(seconds: float) -> str:
    """Return an age in its largest unit.

    Examples
    --------
    >>> age_text(200.0), age_text(7200.0), age_text(40 * 86400.0)
    ('3 min', '2 h', '40 d')
    """
    unit = next((u for u in ("d", "h", "min") if seconds >= SECONDS[u]), "s")
    return f"{seconds / SECONDS[unit]:.0f} {unit}"


def size_text(size: float) -> str:
    """Return an amount of bytes in a unit that fits.

    Examples
    --------
    >>> size_text(2.3e9), size_text(41e6), size_text(100)
    ('2.3 GB', '41 MB', '0.1 kB')
    """
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if size >= one:
            return f"{size / one:.3g} {unit}"
    return f"{size / 1e3:.1f} kB"
