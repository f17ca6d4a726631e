"""Files that are either whole or absent, and the cache that is addressed by content."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rheobase._errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; it takes the name only when the block succeeds.

    An error, an interrupt or a full disk leaves the old file, or none, never a half-written one.

    Raises
    ------
    InputError
        If the folder cannot be written to or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def cache_dir() -> Path:
    """Return the cache folder: ``RHEOBASE_CACHE``, else ``rheobase`` in the user's cache folder."""
    chosen = os.environ.get("RHEOBASE_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "rheobase"


def content_key(*parts: Any) -> str:
    """Return a 16-digit key of JSON-able ``parts`` (bytes and files are hashed by content).

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
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
