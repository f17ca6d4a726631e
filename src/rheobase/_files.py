"""Files that are either whole or absent, and the cache that is addressed by content."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from time import time
from typing import Any, Protocol

from rheobase._errors import InputError

#: Rows of an array in an HDF5 file that are read at once.
CHUNK = 32_768
#: How the name of a file begins while it is written.
PART = ".part-"
#: Parts of files that are older were left by a run that was killed (s).
LEFT = 86_400.0
#: Files of the cache that were used in the last minute stay: another run may read them now (s).
IN_USE = 60.0


class Door(Protocol):
    """Gives a path to write a file to, by its extension and what tells it from others of a kind.

    The file has its name when the block succeeds, as with `whole_file`.
    """

    def __call__(self, extension: str, **entities: str) -> AbstractContextManager[Path]:
        """Give the path; ``desc`` says what is in the file, ``space`` in which coordinates."""


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``path``; it takes the name only when the block succeeds.

    An error, an interrupt or a full disk leaves the old file, or none, never a half-written one.

    Raises
    ------
    InputError
        If the folder cannot be written to or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ending = "".join(path.suffixes[-2:])  # .nii.gz too
        handle, name = tempfile.mkstemp(prefix=PART, suffix=ending, dir=path.parent)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
        raise InputError(f"cannot write {path}: {why}") from error
    finally:
        part.unlink(missing_ok=True)


def room_for(path: Path, size: int) -> None:
    """Check that the disk of ``path`` has room for ``size`` bytes.

    Libraries that write by themselves may crash on a full disk instead of raising.

    Raises
    ------
    InputError
        If it has not.
    """
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise InputError(f"cannot write {path}: it takes {size:,} bytes, the disk has {free:,}")


def allocate(file: Any, name: str, shape: tuple[int, ...], dtype: str = "float64") -> None:
    """Make an array in an HDF5 file with all its space, not written to: filling it moves nothing.

    It is cut into pieces of `CHUNK` along the second axis, one for each index of the first.
    """
    import h5py

    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    how.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    chunks = (1, min(CHUNK, shape[1]), *shape[2:])
    file.create_dataset(name, shape, dtype=dtype, chunks=chunks, dcpl=how)


def keep(path: Path, save: Callable[[Path], object], *, most: int | None = None) -> None:
    """Save a result to the cache; one that cannot be kept costs time later, not the run now.

    Where the files of its folder then take more than ``most`` bytes, or the whole cache more than
    `cache_limit`, those that were not used for longest go.
    """
    try:
        save(path)
    except InputError as error:
        logging.getLogger("rheobase").warning("not kept in the cache: %s", error)
    else:
        if most is not None:
            trim(path.parent, most, newest=path)
        if path.is_relative_to(cache_dir()):
            trim(cache_dir(), cache_limit(), newest=path)


def trim(folder: Path, most: int, *, newest: Path | None = None) -> list[Path]:
    """Remove files of a folder until all take at most ``most`` bytes; return those that went.

    Those that were read or written last stay, and ``newest`` in any case. Parts of files that a
    killed run has left go first.
    """
    for part in folder.rglob(f"{PART}*"):
        with suppress(OSError):
            if part.is_file() and part.stat().st_mtime < time() - LEFT:
                part.unlink()
    left = most - (0 if newest is None else newest.stat().st_size)
    gone = []
    for used, size, file in sorted(kept_files(folder), reverse=True):
        if file == newest:
            continue
        left -= size
        if left < 0 and used < time() - IN_USE:
            with suppress(OSError):  # another run may remove the same file
                file.unlink()
                gone.append(file)
    return gone


def kept_files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Yield when it was last used (s since 1970), bytes and path of each whole file in a folder."""
    for file in folder.rglob("*"):
        with suppress(OSError):
            if file.is_file() and not file.name.startswith(PART):
                told = file.stat()
                yield max(told.st_atime, told.st_mtime), told.st_size, file


def cache_limit() -> int:
    """Return how many bytes the cache may take: ``RHEOBASE_CACHE_GB``, 20 without.

    Raises
    ------
    InputError
        If the variable is no number > 0.
    """
    given = os.environ.get("RHEOBASE_CACHE_GB") or "20"
    try:
        limit = float(given)
    except ValueError:
        limit = 0.0
    if not 0 < limit < 1e9:
        raise InputError(f"expected a number of gigabytes > 0, got {given!r}: RHEOBASE_CACHE_GB")
    return round(limit * 1e9)


@cache
def package_key(package: str) -> str:
    """Return a key of a package's own code and data: what it made is made anew when they change.

    Of a module it is the key of its file.
    """
    parts: list[Any] = []
    found = find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"no module {package!r}")
    if found.submodule_search_locations is None:
        return content_key(Path(found.origin))
    pending = [files(package)]
    while pending:
        for entry in sorted(pending.pop().iterdir(), key=lambda e: e.name):
            if entry.is_dir():
                if entry.name != "__pycache__":
                    pending.append(entry)
            elif entry.name.endswith((".py", ".csv", ".toml", ".c", ".h", ".npz")):
                parts += [entry.name, entry.read_bytes()]
    return content_key(*parts)


def cache_dir() -> Path:
    """Return the cache folder: ``RHEOBASE_CACHE``, else ``rheobase`` in the user's cache folder."""
    chosen = os.environ.get("RHEOBASE_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "rheobase"


def content_key(*parts: Any) -> str:
    """Return a 16-digit key of JSON-able ``parts``; bytes, files and arrays count by content.

    The type and shape of an array count too.

    Examples
    --------
    >>> content_key("mni152", {"edge_mm": 4.0}) == content_key("mni152", {"edge_mm": 4.0})
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, bytes):
            digest.update(part)
        elif isinstance(part, Path):
            digest.update(part.read_bytes())
        elif hasattr(part, "tobytes"):  # an array; NumPy is not imported for it
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(part.tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def stamp(path: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time (ns) of a file, or of every file in a folder.

    It changes with the content for all but the most unlucky, and costs no reading.
    """
    every = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    told = [(file, file.stat()) for file in every]
    return [(str(f.relative_to(path.parent)), s.st_size, s.st_mtime_ns) for f, s in told]


def input_keys(*paths: Path | str | None) -> dict[str, str]:
    """Return the content key of each file by its path as given, for a provenance.

    None (an optional file that was not given) is left out.
    """
    return {str(path): content_key(Path(path)) for path in paths if path is not None}
