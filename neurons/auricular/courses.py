"""Where the fibres of the auricular branch run: along the ear canal to the skin they end in.

Each fibre comes along the wall of the canal, between skin and cartilage, turns onto the concha (or
the tragus) and ends somewhere in its territory, always at the same depth under the skin.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from rheobase._errors import InputError, check_option, check_positive
from rheobase.meshes.heads.ear_shape import LOW, EarShape, ear_shape
from rheobase.neurons.morphology import Floats

#: What the branch supplies.
TERRITORIES = ("cymba_concha", "cavum_concha", "tragus")
_STEP = 0.2e-3  # m along a course
_HIND = np.pi - 0.2  # angle of the hind wall of the canal, a little upwards
_MARGIN = 0.5e-3  # m of the head left behind the beginning of a fibre


@cache
def auricular_data() -> Mapping[str, Any]:
    """Return ``data/auricular.toml``."""
    text = files("rheobase.neurons").joinpath("data/auricular.toml").read_text("utf-8")
    return tomllib.loads(text)


def courses(
    territory: str, count: int, *, depth: float | None = None, seed: int = 0
) -> list[Floats]:
    """Return courses of fibres from the head to where they end.

    Parameters
    ----------
    territory
        "cymba_concha", "cavum_concha" or "tragus".
    count
        Number of fibres.
    depth
        Under the skin's outside (m), less than the skin is thick; of ``data/auricular.toml`` if
        None.
    seed
        Of the endings and of the way along the canal.

    Returns
    -------
    list of ndarray, shape (n, 3)
        Points in the space of the ear (m), the ending last.

    Raises
    ------
    InputError
        If the territory is unknown, the depth is not within the skin, or there is no fibre.
    """
    check_option("territory of the auricular branch", territory, TERRITORIES)
    shape = ear_shape()
    deep = auricular_data()["course"]["depth_mm"] * 1e-3 if depth is None else depth
    check_positive("depth of the fibres", deep)
    if deep > shape.sizes["skin thickness"]:
        raise InputError(
            f"expected fibres within {shape.sizes['skin thickness'] * 1e3:g} mm of skin, got a "
            f"depth of {deep * 1e3:g} mm"
        )
    if count < 1:
        raise InputError(f"expected one fibre or more, got {count}: {territory}")
    rng = np.random.default_rng([seed, TERRITORIES.index(territory)])
    make = _to_tragus if territory == "tragus" else _to_concha
    return [_even(make(shape, territory, shape.front - deep, rng)) for _ in range(count)]


def _even(line: Floats) -> Floats:
    """Return a polyline with points `_STEP` apart."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0.0, along[-1], max(2, int(np.ceil(along[-1] / _STEP)) + 1))
    return np.stack([np.interp(at, along, line[:, d]) for d in range(3)], axis=1)


def _wall(shape: EarShape, angle: float, off: float, top: float) -> Floats:
    """Return points along the wall of the canal, ``off`` (m) inwards of its cartilage's middle."""
    x = np.arange(LOW[0] + _MARGIN, top, _STEP)
    depth = shape.front - off
    return shape.in_canal(np.full(len(x), angle), x, depth)


def _to_concha(shape: EarShape, territory: str, off: float, rng: np.random.Generator) -> Floats:
    """Return one course along the hind wall of the canal to an ending in the concha."""
    end = _ending(shape, territory, rng) - np.array(shape.canal)
    ahead = np.arctan2(end[1], end[0]) % (2 * np.pi)
    angle = _HIND + 0.3 * (ahead - _HIND) + rng.uniform(-0.25, 0.25)
    opening = 0.5 * shape.sizes["canal diameter"] + shape.front
    share = np.linspace(0.0, 1.0, 120)[:, None]
    turned, away = angle + share * (ahead - angle), opening + share * (np.hypot(*end) - opening)
    uv = np.array(shape.canal) + away * np.concatenate([np.cos(turned), np.sin(turned)], axis=1)
    over, up = shape.on_sheet(uv[:, 0], uv[:, 1])
    wall = _wall(shape, angle, off, float((over[0] @ shape.axes.T)[0]))
    inward = -np.array([0.0, np.cos(angle), np.sin(angle)]) @ shape.axes
    bend = inward + np.linspace(0.0, 1.0, 8)[:, None] * (up[0] - inward)
    bend /= np.linalg.norm(bend, axis=1, keepdims=True)
    return np.concatenate([wall, over[:1] + off * bend, over[1:] + off * up[1:]])


def _ending(shape: EarShape, territory: str, rng: np.random.Generator) -> Floats:
    """Return where a fibre ends in the concha (m): u and v."""
    u, v, a, b = shape.concha
    opening = 0.5 * shape.sizes["canal diameter"] + 2 * shape.front
    low, high = (
        (shape.crus + 1.5e-3, v + b) if territory == "cymba_concha" else (v - b, shape.crus - 1e-3)
    )
    while True:
        end = np.array([rng.uniform(u - a, u + a), rng.uniform(low, high)])
        inside = np.hypot((end[0] - u) / a, (end[1] - v) / b) < 0.95
        if inside and np.hypot(*(end - np.array(shape.canal))) > opening:
            return end


def _to_tragus(shape: EarShape, territory: str, off: float, rng: np.random.Generator) -> Floats:
    """Return one course along the front wall of the canal up the tragus."""
    along, top = rng.uniform(-0.6, 0.6), rng.uniform(0.6, 0.95)
    angle = float(np.arcsin(along * shape.sizes["tragus length"] / 2 / 5.5e-3))
    up = np.linspace(0.15, top, 40)
    plate, normal = shape.on_tragus(np.full(40, along), up)
    wall = _wall(shape, angle, off, float(plate[0, 0]) - 0.5e-3)
    return np.concatenate([wall, plate + off * normal])
