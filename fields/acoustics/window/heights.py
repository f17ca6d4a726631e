"""Smooth surfaces of skin, skull and its tables over a beam, from the rays that met them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.acoustics.window.anatomy import Kind
from rheobase.fields.acoustics.window.rays import Rays
from rheobase.fields.acoustics.window.smoothing import smooth_heights

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SKULLS = ("auto", "whole", "labels", "tables")
#: Least share of the skull's rays that meet spongy bone for labels to tell its tables.
SPONGY_SHARE = 0.05
#: Least thickness of a layer (m), but not over this part of the skull's.
LEAST, LEAST_PART = 0.3e-3, 0.15


@dataclass(frozen=True, kw_only=True, eq=False)
class Heights:
    """Surfaces over the lattice of the rays.

    Parameters
    ----------
    kinds
        What lies before, between and behind the surfaces, K + 1 of them.
    z
        Depths (m), each at least ``least`` behind the one before, shape (K, nx, ny).
    raw
        Depths of skin, outer and inner surface of the skull before smoothing, by name.
    smooth
        The same, smoothed.
    least
        Least thickness of a layer (m).
    thickened
        Where a layer is thicker than found, to be of that thickness, shape (nx, ny).
    """

    kinds: tuple[Kind, ...]
    z: Floats
    raw: dict[str, Floats]
    smooth: dict[str, Floats]
    least: float
    thickened: Bools


@cache
def _tables() -> dict[str, Any]:
    path = files("rheobase.fields").joinpath("data/skull_tables.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def fit_heights(
    rays: Rays, *, skull: str, smoothing: float, noise: float, least: float | None
) -> Heights:
    """Return smooth, ordered surfaces through what the rays met.

    Parameters
    ----------
    rays
        The rays; some of them must go through bone.
    skull
        "whole" (cortical bone), "labels" (tables and spongy bone as the head has them), "tables"
        (shares of the thickness, ``data/skull_tables.toml``), or "auto": "labels" where the head
        has spongy bone, else "whole".
    smoothing
        Standard deviation of the smoothing (m), 0 for none.
    noise
        What depths are off by the steps and facets of the head (m).
    least
        Least thickness of a layer (m).

    Raises
    ------
    InputError
        If the option is unknown, or "labels" is asked of a head without spongy bone.
    """
    check_option("skull", skull, SKULLS)
    bone = rays.bone
    share = np.isfinite(rays.spongy_from)[bone].mean()
    if skull == "auto":
        skull = "labels" if share >= SPONGY_SHARE else "whole"
    if skull == "labels" and not share:
        raise InputError(
            "expected spongy bone in the beam for skull='labels', got none: set skull='tables' or "
            "'whole'"
        )

    def smoothed(values: Floats, where: Bools, trust: Floats | None = None) -> Floats:
        return _smoothed(rays, values, where if trust is None else where * trust, smoothing, noise)

    raw = {"skin": rays.skin, "outer": rays.outer, "inner": rays.inner}
    thickness = rays.inner - rays.outer
    typical = float(np.median(thickness[bone]))
    least = min(LEAST, LEAST_PART * typical) if least is None else least
    skin = smoothed(rays.skin, rays.hit, rays.trust_skin)
    outer = smoothed(rays.outer, bone, rays.trust_outer)
    thick = np.maximum(smoothed(rays.inner, bone, rays.trust_inner) - outer, 0.0)
    surfaces, kinds = [outer], [Kind.COMPACT]
    covered = np.nanmedian((rays.outer - rays.skin)[bone]) > least
    if covered:
        surfaces, kinds = [skin, *surfaces], [Kind.SOFT, *kinds]
    if skull != "whole":
        if skull == "labels":
            # a ray without spongy bone has it with thickness 0 in the middle of the skull
            none = bone & ~np.isfinite(rays.spongy_from)
            parts = [(z - rays.outer) / thickness for z in (rays.spongy_from, rays.spongy_to)]
            first, last = (smoothed(np.where(none, 0.5, part), bone) for part in parts)
        else:
            model = _tables()["itrusst"]
            first, last = (
                np.full_like(outer, model["outer"]),
                np.full_like(outer, 1 - model["inner"]),
            )
        surfaces += [outer + first * thick, outer + last * thick]
        kinds += [Kind.SPONGY, Kind.COMPACT]
    surfaces.append(outer + thick)
    z = np.stack(surfaces)
    ordered = z.copy()
    for k in range(1, len(z)):
        ordered[k] = np.maximum(ordered[k], ordered[k - 1] + least)
    smooth = {"skin": skin, "outer": outer, "inner": outer + thick}
    return Heights(
        kinds=(Kind.OUTSIDE, *kinds, Kind.BRAIN),
        z=ordered,
        raw=raw,
        smooth=smooth if covered else {k: v for k, v in smooth.items() if k != "skin"},
        least=least,
        thickened=(ordered > z + 0.5 * least).any(axis=0),
    )


def _smoothed(
    rays: Rays, values: Floats, weight: Floats | Bools, smoothing: float, noise: float
) -> Floats:
    """Return smooth values at all places, no farther from those with a weight than some noise."""
    where = weight > 0
    # without smoothing, only places without a value take one from around them
    if not smoothing and where.all():
        return values
    spacings = [float(np.diff(line).mean()) for line in (rays.x, rays.y)]
    lengths = [max(smoothing / spacing, 1.0) for spacing in spacings]
    smooth = smooth_heights(values, weight.astype(np.float64), (lengths[0], lengths[1]), noise)
    if not smoothing:
        smooth = np.where(where, values, smooth)
    low, high = values[where].min(), values[where].max()
    return np.clip(smooth, low - 3.0 * noise, high + 3.0 * noise)
