"""Tissues and their electrical, thermal and acoustic properties, each value with its source.

The values are data: ``data/tissues.csv`` (names and labels), ``data/tissue_properties.csv`` (one
row a value), ``data/tissue_quantities.csv`` (units and plausible limits) and
``data/cole_cole.csv``. What nobody has measured, or we have not found, is missing there and stays
missing here: asking for it raises, nothing is silently zero.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.dispersion import ColeCole, load_dispersions

NEPER_PER_DB = np.log(10.0) / 20.0
"""Nepers in a decibel of amplitude, by definition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a property is: its unit and the limits between which a value is plausible.

    Parameters
    ----------
    unit
        Unit of every value of this property.
    least, most
        Outside of these a value is told to be unusual, not refused.
    zero_allowed
        Whether 0 is a value (a perfusion can be 0, a conductivity cannot).
    meaning
        One line of explanation.
    """

    unit: str
    least: float
    most: float
    zero_allowed: bool
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One property of one tissue.

    Parameters
    ----------
    value
        The value, in ``unit``.
    low, high
        Plausible range, None where none is known.
    distribution
        "" (only the range is known), "beta(p, q)" on the range, or "normal" with ``low`` and
        ``high`` one standard deviation away.
    unit
        Unit of the three.
    source, range_source
        Where value and range come from.
    status, remark
        How sure the value is, and what to know of it.

    Raises
    ------
    ValueError
        If a number is not finite or the value lies outside its range.
    """

    value: float
    low: float | None = None
    high: float | None = None
    distribution: str = ""
    unit: str
    source: str
    range_source: str = ""
    status: str
    remark: str = ""

    def __post_init__(self) -> None:
        """Reject a value outside its own range."""
        known = [self.value] + [x for x in (self.low, self.high) if x is not None]
        if not np.isfinite(known).all():
            raise ValueError(f"expected finite numbers, got {known}")
        if (self.low is None) != (self.high is None):
            raise ValueError("expected both ends of the range or none")
        low, high = self.low, self.high
        if low is not None and high is not None and not low <= self.value <= high:
            raise ValueError(f"value {self.value:g} {self.unit} lies outside {low:g}..{high:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissue:
    """One tissue of a head.

    Parameters
    ----------
    name
        Name ("grey_matter").
    label
        Label in meshes and images, > 0; those of SimNIBS where it has one (1 white … 5 scalp).
    properties
        What is known of it, by the names of ``data/tissue_quantities.csv``.
    dispersions
        Cole-Cole parameters by variant ("4-term" …), empty where there are none.
    remark
        What belongs to it.

    Raises
    ------
    ValueError
        If the label is not > 0, or a property is unknown or has an impossible value.
    """

    name: str
    label: int
    properties: Mapping[str, Quantity] = field(default_factory=dict)
    dispersions: Mapping[str, ColeCole] = field(default_factory=dict)
    remark: str = ""

    def __post_init__(self) -> None:
        """Reject what no tissue can have."""
        if not self.label > 0:
            raise ValueError(f"label must be > 0, got {self.label}: tissue {self.name!r}")
        for name, q in self.properties.items():
            check_option("property", name, kinds(), where=f"tissue {self.name!r}")
            kind = kinds()[name]
            if q.unit != kind.unit:
                raise ValueError(
                    f"expected {name} in {kind.unit}, got {q.unit}: tissue {self.name!r}"
                )
            for number in (q.value, q.low):
                if number is not None and not (number > 0 or (number == 0 and kind.zero_allowed)):
                    least = ">= 0" if kind.zero_allowed else "> 0"
                    raise ValueError(
                        f"{name} must be {least} {kind.unit}, got {number:g}: tissue {self.name!r}"
                    )

    def quantity(self, name: str) -> Quantity:
        """Return the property called ``name``.

        Raises
        ------
        InputError
            If there is no such property, or none is known of this tissue.

        Examples
        --------
        >>> tissue("grey_matter").quantity("sound_speed").value
        1560.0
        """
        check_option("property", name, kinds(), where=f"tissue {self.name!r}")
        if name not in self.properties:
            air = name == "conductivity" and self.name == "air"
            cure = (
                "label it 'outside': a conduction model leaves air out"
                if air
                else "give one in a tissue table"
            )
            raise InputError(f"no {name} is known of tissue {self.name!r}, {cure}")
        return self.properties[name]

    @property
    def sigma(self) -> float:
        """Quasi-static conductivity (S/m)."""
        return self.quantity("conductivity").value

    def dielectric(
        self, frequency: ArrayLike, variant: str = "4-term"
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return conductivity (S/m) and relative permittivity at ``frequency`` (Hz).

        Raises
        ------
        InputError
            If the tissue has no Cole-Cole parameters, or not that variant.

        Examples
        --------
        >>> tissue("csf").dielectric(130.0)[0].round(3).tolist()
        2.0
        """
        where = f"tissue {self.name!r}"
        if not self.dispersions:
            raise InputError(
                f"no Cole-Cole parameters are known of {where}; known of: "
                + ", ".join(load_dispersions())
            )
        check_option("Cole-Cole variant", variant, self.dispersions, where=where)
        return self.dispersions[variant].evaluate(frequency)

    def attenuation(self, frequency: ArrayLike) -> NDArray[np.float64]:
        """Return the loss of amplitude of a plane sound wave (Np/m) at ``frequency`` (Hz).

        Examples
        --------
        >>> float(tissue("grey_matter").attenuation(500e3).round(4))  # 0.3 dB/cm
        3.4539
        """
        a = self.quantity("attenuation").value
        y = self.quantity("attenuation_exponent").value
        f = np.asarray(frequency, dtype=np.float64)
        return np.asarray(a * (f * 1e-6) ** y * 100.0 * NEPER_PER_DB)

    def absorption(self, frequency: ArrayLike) -> NDArray[np.float64]:
        """Return the part of `attenuation` that turns to heat (Np/m) at ``frequency`` (Hz)."""
        share = self.quantity("absorbed_fraction").value
        return np.asarray(share * self.attenuation(frequency))

    def perfusion_rate(self) -> float:
        """Return the volume of blood per time and volume of tissue (1/s)."""
        per_mass = self.quantity("perfusion").value * 1e-6 / 60.0  # m³/(s kg)
        return per_mass * self.quantity("density").value

    def with_value(
        self,
        name: str,
        value: float,
        *,
        source: str,
        low: float | None = None,
        high: float | None = None,
        distribution: str = "",
        status: str = "given",
        remark: str = "",
    ) -> Self:
        """Return the tissue with one property set, in the unit of that property.

        Raises
        ------
        InputError
            If there is no such property or the value is impossible.
        """
        check_option("property", name, kinds(), where=f"tissue {self.name!r}")
        try:
            quantity = Quantity(
                value=float(value),
                low=low,
                high=high,
                distribution=distribution,
                unit=kinds()[name].unit,
                source=source,
                status=status,
                remark=remark,
            )
            return replace(self, properties={**self.properties, name: quantity})
        except ValueError as error:
            raise InputError(str(error)) from None

    def as_dict(self) -> dict[str, Any]:
        """Return the tissue as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Return the tissue that `as_dict` wrote.

        Raises
        ------
        TypeError, ValueError, KeyError
            If the record is damaged.
        """
        lists = ("delta_eps", "tau", "alpha")
        return cls(
            name=record["name"],
            label=int(record["label"]),
            properties={k: Quantity(**q) for k, q in record["properties"].items()},
            dispersions={
                k: ColeCole(**{**d, **{n: tuple(d[n]) for n in lists}})
                for k, d in record["dispersions"].items()
            },
            remark=record["remark"],
        )


def _rows(name: str) -> list[dict[str, str]]:
    text = files("rheobase.meshes").joinpath(f"data/{name}").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def kinds() -> dict[str, Kind]:
    """Return the properties a tissue can have, by name."""
    return {
        r["property"]: Kind(
            unit=r["unit"],
            least=float(r["least"]),
            most=float(r["most"]),
            zero_allowed=r["zero_allowed"] == "yes",
            meaning=r["meaning"],
        )
        for r in _rows("tissue_quantities.csv")
    }


@cache
def load_tissues() -> dict[str, Tissue]:
    """Return the shipped tissues by name."""

    def number(cell: str) -> float | None:
        return float(cell) if cell else None

    known: dict[str, dict[str, Quantity]] = {}
    for r in _rows("tissue_properties.csv"):
        known.setdefault(r["tissue"], {})[r["property"]] = Quantity(
            value=float(r["value"]),
            low=number(r["low"]),
            high=number(r["high"]),
            distribution=r["distribution"],
            unit=r["unit"],
            source=r["source"],
            range_source=r["range_source"],
            status=r["status"],
            remark=r["remark"],
        )
    return {
        r["name"]: Tissue(
            name=r["name"],
            label=int(r["label"]),
            properties=known.get(r["name"], {}),
            dispersions=load_dispersions().get(r["name"], {}),
            remark=r["remark"],
        )
        for r in _rows("tissues.csv")
    }


def tissue(name: str) -> Tissue:
    """Return the shipped tissue ``name``.

    Raises
    ------
    InputError
        If there is none, with the nearest names.

    Examples
    --------
    >>> tissue("grey_matter").sigma
    0.275
    """
    table = load_tissues()
    return table[check_option("tissue", name, table)]
