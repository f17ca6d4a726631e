"""Libraries in C that are built with the package and loaded with ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from pathlib import Path


def library(folders: Iterable[str], name: str) -> ctypes.CDLL:
    """Load a library from the folders of a package.

    Parameters
    ----------
    folders
        The package's ``__path__``.
    name
        File name.

    Raises
    ------
    RuntimeError
        If it is in none of them: the package was not built.
    """
    places = [Path(folder) / name for folder in folders]
    for place in places:
        if place.exists():
            return ctypes.CDLL(str(place))
    raise RuntimeError(
        f"{name} is missing from {', '.join(str(p.parent) for p in places)}: install the package "
        "again ('./run python -V' in a checkout)"
    )
