"""What size a head can have: guards against mixed-up units and species."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Limits of the heads of one species.

    Parameters
    ----------
    width
        Least and most of the largest extent (m).
    brain
        Least and most volume of grey and white matter (m³).
    edge_length_mm
        Mean edge of the tetrahedra where none is asked for (mm).
    """

    width: tuple[float, float]
    brain: tuple[float, float]
    edge_length_mm: float


@cache
def sizes() -> dict[str, Size]:
    """Return the limits by species."""
    text = files("rheobase.meshes").joinpath("data/species_sizes.toml").read_text("utf-8")
    return {
        name: Size(
            width=(row["width_mm"][0] * 1e-3, row["width_mm"][1] * 1e-3),
            brain=(row["brain_cm3"][0] * 1e-6, row["brain_cm3"][1] * 1e-6),
            edge_length_mm=row["edge_length_mm"],
        )
        for name, row in tomllib.loads(text).items()
    }


def check_size(extent: NDArray[np.float64] | Sequence[float], species: str, where: str) -> None:
    """Refuse an image or a mesh of a size that no head has, or none of this species.

    Parameters
    ----------
    extent
        Width along each axis (m), shape (3,).
    species
        "human", "macaque", "rat" or "mouse".
    where
        The file, for the sentence.

    Raises
    ------
    InputError
        If units or species look mixed up, or the species is unknown.
    """
    check_option("species", species, sizes(), where=where)
    width = np.asarray(extent, dtype=np.float64)
    largest, got = float(width.max()), (width * 1e3).round(3).tolist()
    least = min(s.width[0] for s in sizes().values())
    most = max(s.width[1] for s in sizes().values())
    if not (np.isfinite(width).all() and least <= largest <= most):
        hint = ""
        for unit, factor in (("metres", 1e3), ("micrometres", 1e-3)):
            if least <= largest * factor <= most:
                hint = f" (are its numbers {unit}?)"
        raise InputError(
            f"expected a head between {least * 1e3:g} and {most * 1e3:g} mm wide, got {got} mm"
            f"{hint}: {where}"
        )
    if largest > sizes()[species].width[1]:
        fits = [name for name, s in sizes().items() if s.width[0] <= largest <= s.width[1]]
        raise InputError(
            f"expected the head of a {species} to be at most {sizes()[species].width[1] * 1e3:g} "
            f"mm wide, got {got} mm (that of a {' or '.join(fits)}?): {where}"
        )
