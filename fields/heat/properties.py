"""Thermal properties of the tissues of a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.tissues import Tissue, tissue

_NEEDED = ("density", "specific_heat", "thermal_conductivity", "perfusion")


@dataclass(frozen=True, kw_only=True, slots=True)
class Thermal:
    """What Pennes' equation needs of a tissue.

    Parameters
    ----------
    heat_capacity
        Of a volume, rho C (J/(m³ K)), > 0.
    conductivity
        k (W/(m K)), > 0.
    cooling
        By blood, w rho_b c_b (W/(m³ K)), >= 0; w is the volume of blood per time and volume.

    Raises
    ------
    InputError
        If a value is not finite or out of range.
    """

    heat_capacity: float
    conductivity: float
    cooling: float

    def __post_init__(self) -> None:
        """Reject impossible values."""
        for name in ("heat_capacity", "conductivity", "cooling"):
            value = getattr(self, name)
            if not (isfinite(value) and (value > 0 or (value == 0 and name == "cooling"))):
                least = ">= 0" if name == "cooling" else "> 0"
                raise InputError(f"{name} must be {least}, got {value!r}")

    @classmethod
    def of(cls, of: Tissue, blood: Tissue | None = None) -> Self:
        """Return the properties of a tissue perfused by ``blood`` (the shipped one if None)."""
        blood = blood or tissue("blood")
        per_blood = blood.quantity("density").value * blood.quantity("specific_heat").value
        return cls(
            heat_capacity=of.quantity("density").value * of.quantity("specific_heat").value,
            conductivity=of.quantity("thermal_conductivity").value,
            cooling=of.perfusion_rate() * per_blood,
        )


def thermal_properties(
    tissues: Mapping[int, Tissue | Thermal], labels: NDArray[np.int32]
) -> dict[int, Thermal]:
    """Return the thermal properties of each of the mesh labels in ``labels``.

    Raises
    ------
    InputError
        If a label has no tissue, or a tissue lacks a thermal property: one sentence names all.
    """
    out: dict[int, Thermal] = {}
    missing = []
    for label in np.unique(labels).tolist():
        of = tissues.get(label)
        if of is None:
            raise InputError(f"no tissue for mesh label {label}, got {sorted(tissues)}")
        if isinstance(of, Thermal):
            out[label] = of
            continue
        unknown = [name for name in _NEEDED if name not in of.properties]
        if unknown:
            missing.append(f"{of.name} ({', '.join(unknown)})")
        else:
            out[label] = Thermal.of(of)
    if missing:
        raise InputError(
            f"thermal properties are missing of {'; '.join(missing)}, give them in a tissue table"
        )
    return out
