"""The coil definition file of SimNIBS (``.tcd``, JSON): elements, casings, deformations, pulses.

Arrays are lists, or zlib-compressed little-endian numbers in base64. A sampled field in the second
form is a Python pickle, which could run any code when it is opened: it is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.frame import TURN, casing_points, turned
from rheobase.fields.coils.sampled import SampledPotential
from rheobase.fields.waveforms.waveform import Waveform

MOST_TEXT = 500_000_000  # bytes of a file
MOST_NUMBERS = 3_000_000  # of a packed array: a million elements
LARGEST = 1e6  # mm or m²: what lies beyond is no coil
DIPOLES, LINES, SAMPLED = 1, 2, 3
AXES = ("x", "y", "z")


def read_tcd(path: Path, deformations: Sequence[float] | None) -> Coil:
    """Read a coil definition, deformed as told (its initial state when None).

    Raises
    ------
    InputError
        If the file is damaged, or a deformation is unknown or out of range.
    """
    if path.stat().st_size > MOST_TEXT:
        raise InputError(f"expected a file of at most {MOST_TEXT:,} bytes: {path}")
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read JSON: {error}: {path}") from error
    try:
        return _coil(tree, path, deformations)
    except InputError as error:
        text = str(error)
        raise InputError(text if str(path) in text else f"{text}: {path}") from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"expected a coil definition, got {error!r}: {path}") from error


def _coil(tree: dict[str, Any], path: Path, deformations: Sequence[float] | None) -> Coil:
    elements = tree["coilElementList"]
    if not elements:
        raise InputError("expected one or more coil elements, got none")
    moves = _moves(tree, deformations)
    models = tree.get("coilModels", [])
    lists: dict[int, list[NDArray[np.float64]]] = {DIPOLES: [], LINES: []}
    sampled, outline = [], []
    if tree.get("coilCasing") is not None:
        outline.append(_casing(models, tree["coilCasing"], np.eye(4), path))
    for k, element in enumerate(elements):
        move = np.eye(4)
        for index in element.get("deformations", []):
            move = moves[_at(index, len(moves), "deformation")] @ move
        kind, where = element["type"], f"coil element {k}"
        if kind in lists:
            points, values = (
                _array(element[n], 3, f"{n} of {where}") for n in ("points", "values")
            )
            if len(points) != len(values) or not len(points):
                raise InputError(
                    f"expected as many points as values, got {len(points)} and {len(values)}: "
                    f"{where}"
                )
            scale = 1.0 if kind == DIPOLES else 1e-3
            points = 1e-3 * points @ move[:3, :3].T + move[:3, 3]
            lists[kind].append(np.stack([points, scale * values @ move[:3, :3].T], axis=1))
        elif kind == SAMPLED:
            sampled.append(_sampled(element, move, where))
        else:
            raise InputError(f"expected an element of type 1, 2 or 3, got {kind!r}: {where}")
        if element.get("elementCasing") is not None:
            outline.append(_casing(models, element["elementCasing"], move, path))
    dipoles, lines = (
        np.concatenate(lists[k] or [np.empty((0, 2, 3))]) * TURN.diagonal()[:3]
        for k in (DIPOLES, LINES)
    )
    stimulators = tree.get("stimulatorList", [])
    used = sorted({e.get("stimulator", 0) for e in elements}) if stimulators else []
    driven = [stimulators[_at(i, len(stimulators), "stimulator")] for i in used]
    if len(driven) > 1:
        raise InputError(f"expected one stimulator for all elements, got {len(driven)}")
    first = driven[0] if driven else {}
    most = first.get("maxdIdt")
    return Coil(
        name=str(tree.get("name") or path.stem),
        positions=lines[:, 0],
        segments=lines[:, 1],
        dipoles=dipoles[:, 0],
        moments=dipoles[:, 1],
        sampled=tuple(sampled),
        outline=turned(np.concatenate(outline)) if outline else np.empty((0, 3)),
        dIdt_max=None if most is None else float(most),
        stimulator=str(first.get("name") or ""),
        brand=str(tree.get("brand") or ""),
        waveforms=tuple(_waveform(w, path) for w in first.get("waveformList", [])),
    )


def _moves(tree: dict[str, Any], deformations: Sequence[float] | None) -> list[NDArray[np.float64]]:
    """Return the transform of each deformation (m), shape (4, 4)."""
    ranges = tree.get("deformRangeList", [])
    values = [float(r["initial"]) for r in ranges] if deformations is None else deformations
    if len(values) != len(ranges):
        raise InputError(f"expected {len(ranges)} deformations, got {len(values)}")
    for k, (value, r) in enumerate(zip(values, ranges, strict=True)):
        low, high = (float(v) for v in r["range"])
        if not -LARGEST <= low <= value <= high <= LARGEST:
            raise InputError(f"expected deformation {k} from {low:g} to {high:g}, got {value!r}")
    moves = []
    for entry in tree.get("deformList", []):
        value = float(values[_at(entry["deformRange"], len(ranges), "deformation range")])
        move = np.eye(4)
        if entry["type"] in AXES:
            move[AXES.index(entry["type"]), 3] = 1e-3 * value
        elif entry["type"] == "rot2p":
            ends = _array([entry[p] for p in ("point1", "point2")], 3, "axis of a rotation")
            start, end = 1e-3 * ends
            move[:3, :3] = _rotation(end - start, np.deg2rad(value))
            move[:3, 3] = start - move[:3, :3] @ start
        else:
            raise InputError(f"expected a deformation x, y, z or rot2p, got {entry['type']!r}")
        moves.append(move)
    return moves


def _rotation(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Return the rotation by ``angle`` (rad) about ``axis`` (Rodrigues), shape (3, 3)."""
    size = np.linalg.norm(axis)
    if not size > 0:
        raise InputError(f"expected an axis between two points, got {axis.tolist()}")
    x, y, z = axis / size
    K = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    R: NDArray[np.float64] = np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K
    return R


def _at(index: Any, count: int, what: str) -> int:
    """Return ``index``, checked to be one of ``count``."""
    if not isinstance(index, int) or not 0 <= index < count:
        raise InputError(f"expected a {what} from 0 to {count - 1}, got {index!r}")
    return index


def _numbers(value: Any, dtype: str, what: str) -> NDArray[Any]:
    """Return the numbers of a list, or of compressed bytes."""
    if not isinstance(value, str):
        return np.asarray(value, dtype=dtype)
    size = MOST_NUMBERS * np.dtype(dtype).itemsize
    try:
        unpack = zlib.decompressobj()
        data = unpack.decompress(base64.b64decode(value, validate=True), size)
        if not unpack.eof:
            raise InputError(f"expected at most {MOST_NUMBERS:,} numbers, whole: {what}")
        return np.frombuffer(data, dtype=dtype)
    except (zlib.error, binascii.Error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot unpack an array: {error}: {what}") from error


def _array(value: Any, columns: int, what: str, dtype: str = "<f8") -> NDArray[Any]:
    """Return an array of shape (n, columns)."""
    numbers = _numbers(value, dtype, what)
    if isinstance(value, str) and len(numbers) % columns == 0:
        numbers = numbers.reshape(-1, columns)
    if numbers.ndim != 2 or numbers.shape[1] != columns:
        raise InputError(f"expected rows of {columns} numbers, got shape {numbers.shape}: {what}")
    if dtype == "<f8" and not (np.abs(numbers) <= LARGEST).all():
        raise InputError(f"expected finite numbers of at most {LARGEST:g}, got others: {what}")
    return numbers


def _sampled(element: dict[str, Any], move: NDArray[np.float64], where: str) -> SampledPotential:
    if isinstance(element["data"], str):
        raise InputError(
            "expected a sampled field as plain numbers, got a pickle, which could run any code: "
            f"write it in text mode or as NIfTI: {where}"
        )
    affine = _array(element["affine"], 4, f"affine of {where}").copy()
    if affine.shape != (4, 4):
        raise InputError(f"expected an affine of shape (4, 4), got {affine.shape}: {where}")
    affine[:3] *= 1e-3
    values = np.asarray(element["data"], dtype=np.float64)
    return SampledPotential(values=values, affine=affine, pose=TURN @ move)


def _casing(
    models: list[dict[str, Any]], index: Any, move: NDArray[np.float64], path: Path
) -> NDArray[np.float64]:
    """Return points (m) of a casing in the file's frame, shape (n, 3)."""
    model = models[_at(index, len(models), "coil model")]
    points = 1e-3 * _array(model["points"], 3, f"points of coil model {index}")
    faces = _array(model["faces"], 3, f"faces of coil model {index}", "<i8")
    if not len(faces) or faces.min() < 0 or faces.max() >= len(points):
        raise InputError(f"expected faces over {len(points)} points: coil model {index}")
    sampled = casing_points(points, faces, where=str(path))
    moved: NDArray[np.float64] = sampled @ move[:3, :3].T + move[:3, 3]
    return moved


def _waveform(entry: dict[str, Any], path: Path) -> Waveform:
    """Return a recorded dI/dt, 1 at its largest absolute value."""
    name = str(entry.get("name") or path.stem)
    t, w = (_numbers(entry[k], "<f8", f"{k} of waveform {name!r}") for k in ("time", "signal"))
    peak = float(np.abs(w).max(initial=0.0))
    if not 0 < peak < np.inf:
        raise InputError(f"expected finite values that are not all 0: waveform {name!r}")
    return Waveform(name=name, t=t, w=w / peak)
