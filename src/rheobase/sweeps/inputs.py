"""The files that points are made from: one that has changed does not mix with what it was."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from os.path import relpath
from pathlib import Path

from rheobase._errors import InputError
from rheobase._files import content_key, stamp, whole_file
from rheobase.sweeps.design import Point
from rheobase.sweeps.settings import Base

INPUTS = "inputs.json"  # in the folder of a sweep: content of each file by its path


def files_of(base: Base, points: Iterable[Point]) -> dict[str, Path]:
    """Return the files and folders that the study names at any of the points, by their path."""
    found: dict[str, Path] = {}
    for point in points:
        with suppress(InputError):  # the point's own error, told when it is worked out
            for path in base.study(point).files().values():
                found[str(path.absolute())] = path
    return found


def hold_inputs(out: Path, files: Iterable[Path], *, start: Path) -> None:
    """Write down what is in the files that points are made from, or check that it still is.

    Folders are known by the names, sizes and times of their files. New ones are added: the axes of
    a sweep may grow.

    Parameters
    ----------
    out
        Folder of the sweep.
    files
        The files and folders.
    start
        Where their names start from: a project may move as a whole.

    Raises
    ------
    InputError
        If one was another when points in the folder were made, is not there, or the list cannot be
        written.
    """
    kept = out / INPUTS
    before = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    now = {}
    for path in files:
        if path.exists():  # what is not there is the error of its points
            now[relpath(path, start)] = content_key(path if path.is_file() else stamp(path))
    changed = [name for name in now if before.get(name, now[name]) != now[name]]
    if changed:
        raise InputError(
            f"expected another folder, {out} holds points made from another {changed[0]}"
        )
    if before != {**before, **now}:
        with whole_file(kept) as part:
            part.write_text(json.dumps({**before, **now}, indent=1), encoding="utf-8")
