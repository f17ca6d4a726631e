"""What every HDF5 file of SONATA has, and its columns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._errors import InputError
from rheobase._files import CHUNK, whole_file
from rheobase._memory import free_memory

MAGIC, VERSION = 0x0A7A, (0, 1)
PIECE = 32 * CHUNK  # rows that are worked on at once


@contextmanager
def new_file(path: Path) -> Iterator[Any]:
    """Give an HDF5 file open for writing, whole at the end or not there."""
    import h5py

    with whole_file(path) as part, h5py.File(part, "w") as file:
        file.attrs["magic"] = np.uint32(MAGIC)
        file.attrs["version"] = np.array(VERSION, dtype=np.uint32)
        yield file


@contextmanager
def open_file(path: Path) -> Iterator[Any]:
    """Give an HDF5 file open for reading.

    Raises
    ------
    InputError
        If there is no such file or it is not HDF5.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"not an HDF5 file, or not there: {path}") from error
    with file:
        yield file


def member(group: Any, name: str, path: Path | str) -> Any:
    """Return what ``group`` has under ``name``.

    Raises
    ------
    InputError
        If it has nothing there.
    """
    if name not in group:
        raise InputError(f"{name!r} must be in {group.name!r} of a SONATA file: {path}")
    return group[name]


def check_memory(n: int, each: int, what: str, path: Path | str) -> None:
    """Check that there is memory for ``n`` things of ``each`` bytes before it is asked for.

    Raises
    ------
    InputError
        If there is not, as where a damaged file claims too many.
    """
    free = free_memory()
    if n * each > free:
        raise InputError(
            f"{n:,} {what} take {n * each / 2**30:,.1f} GiB, {free / 2**30:,.1f} are free: {path}"
        )


def column(group: Any, name: str, n: int, dtype: str) -> Any:
    """Make a column of ``n`` numbers; one that is not written to reads as 0 and takes no space.

    Nothing is compressed: the HDF5 in libsonata's wheels (0.2.2) cannot decompress.
    """
    return group.create_dataset(name, (n,), dtype=dtype)


def names_column(group: Any, name: str, labels: list[str], index: Any) -> None:
    """Write a column of names as numbers and their list (an explicit enumeration).

    Parameters
    ----------
    group
        Attributes of the nodes.
    name
        Name of the column.
    labels
        Name of each type.
    index
        Type of each node.
    """
    import h5py

    listed = sorted(set(labels))
    number = np.array([listed.index(label) for label in labels], dtype=np.uint32)
    column(group, name, len(index), "uint32")[:] = number[index]
    group.require_group("@library").create_dataset(
        name, data=np.array(listed, dtype=object), dtype=h5py.string_dtype()
    )
