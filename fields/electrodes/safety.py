"""What a direct current through the scalp is, beside levels of trials and of animals.

The levels and their sources are data (``data/tes_safety.toml``): Bikson et al., Brain Stimul 9:641
(2016), doi:10.1016/j.brs.2016.06.004; Jackson et al. (2017), PMC5969807. They inform; nothing is
refused for them, and what is below a level is not thereby harmless.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from rheobase._errors import InputError
from rheobase.fields.electrodes.montage import Montage

SESSION = 40 * 60.0
"""The longest session of the trials (s)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """One number of a stimulation beside its level.

    Parameters
    ----------
    quantity, where
        What it is, by its name in ``data/tes_safety.toml``, and of which electrode or tissue.
    value, level, unit
        It, its level, and the unit of both.
    remark, source
        What the level is, and where it comes from.
    """

    quantity: str
    where: str
    value: float
    level: float
    unit: str
    remark: str
    source: str

    @property
    def verdict(self) -> Literal["below", "above"]:
        """On which side of the level it is."""
        return "above" if self.value > self.level else "below"


def direct_current_exposure(montage: Montage, *, brain: Mapping[str, float]) -> list[Exposure]:
    """Return what a montage of direct current is beside published levels.

    Parameters
    ----------
    montage
        Electrodes and their currents. Densities are means over the nominal area of an electrode:
        those at its edges are larger.
    brain
        Current density (A/m²) by tissue of the brain: a high percentile of it.

    Raises
    ------
    InputError
        If a density is negative or not finite.
    """
    for tissue, density in brain.items():
        if not 0 <= density < float("inf"):
            raise InputError(f"expected a current density >= 0 A/m², got {density!r}: {tissue}")
    total = montage.amplitude
    found = [("current in all", "", total * 1e3), ("charge of 40 min", "", total * SESSION)]
    found += [
        (
            "mean current density of an electrode",
            electrode.name,
            abs(current) / electrode.shape.area,
        )
        for electrode, current in zip(montage.electrodes, montage.currents, strict=True)
    ]
    found += [("current density in the brain", tissue, J) for tissue, J in brain.items()]
    return [
        Exposure(
            quantity=quantity,
            where=where,
            value=value,
            level=level["value"],
            unit=level["unit"],
            remark=level["remark"],
            source=level["source"],
        )
        for quantity, where, value in found
        for level in (_levels()[quantity],)
    ]


@cache
def _levels() -> Mapping[str, Mapping[str, Any]]:
    text = files("rheobase.fields").joinpath("data", "tes_safety.toml").read_text(encoding="utf-8")
    return MappingProxyType({row["name"]: row for row in tomllib.loads(text)["level"]})
