"""What is kept by content: the cache gives it back instead of making it again, and says so.

The name of a file holds a key of everything that its content is made of: the inputs, and the code
of the parts of the package that made it. So a file never has to be checked against the inputs, and
what changes one of them has a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from rheobase._errors import InputError
from rheobase._files import cache_dir, content_key, keep, package_key, whole_file
from rheobase._progress import remark

#: A file of the cache that a run asked for: "file" (its path within the cache), "taken" (whether it
#: was there; the run made it otherwise) and "made" (when, ISO 8601, UTC; "" where this run did).
Use = dict[str, Any]

_uses: ContextVar[list[Use] | None] = ContextVar("_uses", default=None)


@contextmanager
def recorded(found: list[Use]) -> Iterator[None]:
    """Let a list grow by what the block takes from the cache or adds to it."""
    token = _uses.set(found)
    try:
        yield
    finally:
        _uses.reset(token)


def kept_path(
    kind: str, name: str, *parts: Any, code: Sequence[str], extension: str = ".npz"
) -> Path:
    """Return where the cache has, or would have, a result.

    Parameters
    ----------
    kind
        Folder of the cache (`rheobase._cache.KINDS`).
    name
        What the name of the file begins with, for people.
    *parts
        All inputs of the result, as `rheobase._files.content_key` takes them.
    code
        Packages and modules that make it.
    extension
        Of the file.
    """
    key = content_key([package_key(part) for part in code], *parts)
    return cache_dir() / kind / f"{name}-{key}{extension}"


def note_use(path: Path) -> Path:
    """Record that a run asks for a file of the cache, and return the file."""
    taken = path.is_file()
    made = ""
    if taken:
        time = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        made = time.isoformat(timespec="seconds")
    inside = path.is_relative_to(cache_dir())
    file = path.relative_to(cache_dir()).as_posix() if inside else str(path)
    uses = _uses.get()
    if uses is not None:
        uses.append({"file": file, "taken": taken, "made": made})
    if taken:
        remark(f"from the cache: {file}")
    return path


def kept[T](
    path: Path,
    make: Callable[[], T],
    *,
    load: Callable[[Path], T],
    save: Callable[[Path, T], object],
    most: int | None = None,
) -> T:
    """Return what a file of the cache holds; without it, make the result and keep it.

    Parameters
    ----------
    path
        The file (`kept_path`).
    make
        Makes the result.
    load, save
        Read it, raising `InputError` where the file is damaged; and write it, whole or not at all.
    most
        As for `rheobase._files.keep`.
    """
    if path.is_file():
        try:
            found = load(path)
        except InputError:  # damaged, or of an older format
            path.unlink(missing_ok=True)
        else:
            note_use(path)
            return found
    note_use(path)
    found = make()
    keep(path, lambda file: save(file, found), most=most)
    return found


def kept_bytes(path: Path, make: Callable[[], bytes], *, most: int | None = None) -> bytes:
    """Return the bytes of a file of the cache, or make and keep them; see `kept`."""

    def load(path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error

    def save(path: Path, found: bytes) -> None:
        with whole_file(path) as part:
            part.write_bytes(found)

    return kept(path, make, load=load, save=save, most=most)


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name, uncompressed; numbers, truth values and words alone."""
    import numpy as np

    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays that `save_arrays` wrote.

    Raises
    ------
    InputError
        If there is no such file, or a damaged one.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(f"expected arrays, got a missing or damaged file: {path}") from error
