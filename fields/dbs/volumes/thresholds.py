"""Thresholds of the field in the literature, by pulse width and fibre diameter, and radius rules.

The table (``data/dbs_field_thresholds.csv``) has the |E| at which axons of one diameter fire in a
cable model, by pulse width. Between its rows the logarithm of the threshold is bilinear in the
logarithms of pulse width and diameter; outside it nothing is said. Rows that its sources disagree
about are used only when asked for, and then the threshold says so.

A threshold of |E| is a rule of thumb itself: the one that fits a cable model changes with the
contacts in use, the pulse width and the orientation of fibres (Duffley et al., J Neural Eng
16:066024 (2019), doi:10.1088/1741-2552/ab3c95). `rheobase.neurons` has the axons.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option, check_positive

Floats = NDArray[np.float64]

SUSPECT = "peers disagree: check"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldThreshold:
    """A threshold of |E| and where it comes from.

    Parameters
    ----------
    value
        In V/m.
    name
        What it is the threshold of.
    source
        Where it comes from.
    status
        How sure that is.
    remarks
        What to know when it is used: interpolated, or of rows that sources disagree about.
    """

    value: float
    name: str
    source: str
    status: str
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "threshold_V_per_m": self.value,
            "name": self.name,
            "source": self.source,
            "status": self.status,
            "remarks": list(self.remarks),
        }


def field_threshold(
    pulse_width: float, diameter: float, *, suspect: bool = False
) -> FieldThreshold:
    """Return the threshold of axons, interpolated between the rows of the table.

    Parameters
    ----------
    pulse_width
        Width of the pulse (s).
    diameter
        Outer diameter of the axons (m).
    suspect
        Whether rows may be used that sources disagree about.

    Raises
    ------
    InputError
        If the table does not reach there, or it takes such a row and may not.

    Examples
    --------
    >>> field_threshold(60e-6, 3.5e-6).value
    185.0
    """
    check_positive("pulse width (s)", pulse_width)
    check_positive("diameter (m)", diameter)
    table = _axons()
    at = f"axons of {diameter * 1e6:g} um, pulses of {pulse_width * 1e6:g} us"
    d, part_d = _between(table.diameters, diameter, "diameter", "um", at)
    w, part_w = _between(table.widths, pulse_width, "pulse width", "us", at)
    weight = np.outer([1 - part_d, part_d], [1 - part_w, part_w])
    used = [(d + i, w + j, weight[i, j]) for i in (0, 1) for j in (0, 1) if weight[i, j] > 0]
    doubtful = [table.remarks[i, j] for i, j, _ in used if (i, j) in table.remarks]
    if doubtful and not suspect:
        raise InputError(
            f"expected rows of the table that sources agree about, got {doubtful[0]} (suspect=True "
            f"takes it all the same): {at}"
        )
    between = ("interpolated in the logarithms of pulse width and diameter",) * (len(used) > 1)
    value = float(np.exp(sum(x * np.log(table.values[i, j]) for i, j, x in used)))
    return FieldThreshold(
        value=float(f"{value:.12g}"),
        name=at,
        source=table.source,
        status=SUSPECT if doubtful else table.status,
        remarks=(*between, *doubtful),
    )


def literature_threshold(name: str) -> FieldThreshold:
    """Return a single threshold in common use: "general", "STN" or "VIM".

    Raises
    ------
    InputError
        If there is none of that name.
    """
    rows = {row["rule"]: row for row in _rows() if not row["axon_diameter_um"]}
    row = rows[check_option("threshold", name, rows)]
    return FieldThreshold(
        value=1e3 * float(row["threshold_V_per_mm"]),
        name=name,
        source=row["source"],
        status=row["status"],
        remarks=(row["remark"],) if row["remark"] else (),
    )


def table_ranges() -> tuple[Floats, Floats]:
    """Return the pulse widths (s) and diameters (m) of the table, ascending."""
    table = _axons()
    return table.widths.copy(), table.diameters.copy()


def radius_rules(voltage: float, impedance: float) -> dict[str, float]:
    """Return the radius (m) of an activated ball by rules of thumb, by name: baselines only.

    Parameters
    ----------
    voltage
        Size of the voltage of the contact (V).
    impedance
        Impedance of the contact (ohm).

    Raises
    ------
    InputError
        If a number is not > 0.
    """
    check_positive("voltage (V)", voltage)
    check_positive("impedance (ohm)", impedance)
    rules = radius_rule_data()
    kuncel, madler = rules["Kuncel 2008"], rules["Madler 2012"]
    k1, k3, k = madler["k1"], madler["k3"], madler["k4"] * impedance
    radii = {
        "Kuncel 2008": max((voltage - kuncel["offset"]) / kuncel["slope"], 0.0) ** 0.5,
        "Madler 2012": (((k + k1) ** 2 + 4 * k3 * voltage) ** 0.5 - k - k1) / (2 * k3),
    }
    return {name: 1e-3 * float(r) for name, r in radii.items()}


def point_source_radius(current: float, sigma: float, threshold: float) -> float:
    """Return the radius (m) of the ball around a point source where |E| is above a threshold.

    Parameters
    ----------
    current
        Its size (A).
    sigma
        Conductivity (S/m).
    threshold
        In V/m.

    Raises
    ------
    InputError
        If a number is not > 0.
    """
    for name, x in (("current (A)", current), ("sigma (S/m)", sigma), ("threshold", threshold)):
        check_positive(name, x)
    return float(np.sqrt(current / (4 * np.pi * sigma * threshold)))


@cache
def radius_rule_data() -> Mapping[str, Mapping[str, Any]]:
    """Return the rules in ``data/dbs_radius_rules.toml`` with their sources, by name."""
    import tomllib

    text = _data("dbs_radius_rules.toml")
    return MappingProxyType({row["name"]: row for row in tomllib.loads(text)["rule"]})


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Table:
    """Thresholds (V/m) of diameters (m) x pulse widths (s); remarks on rows that are doubtful."""

    diameters: Floats
    widths: Floats
    values: Floats
    remarks: Mapping[tuple[int, int], str]
    source: str
    status: str


@cache
def _axons() -> _Table:
    rows = [row for row in _rows() if row["axon_diameter_um"]]
    diameters = sorted({float(row["axon_diameter_um"]) for row in rows})
    widths = sorted({float(row["pulse_width_us"]) for row in rows})
    values = np.full((len(diameters), len(widths)), np.nan)
    remarks: dict[tuple[int, int], str] = {}
    for row in rows:
        place = (
            diameters.index(float(row["axon_diameter_um"])),
            widths.index(float(row["pulse_width_us"])),
        )
        values[place] = 1e3 * float(row["threshold_V_per_mm"])
        if row["status"] == SUSPECT:
            remarks[place] = (
                f"{row['axon_diameter_um']} um at {row['pulse_width_us']} us: {row['remark']}"
            )
    return _Table(
        diameters=1e-6 * np.array(diameters),
        widths=1e-6 * np.array(widths),
        values=values,
        remarks=MappingProxyType(remarks),
        source=rows[0]["source"],
        status=rows[0]["status"],
    )


def _between(known: Floats, x: float, what: str, unit: str, at: str) -> tuple[int, float]:
    """Return the place of the value below ``x`` and how far on to the next it is, from 0 to 1."""
    slack = 1e-9 * known[-1]
    if not known[0] - slack <= x <= known[-1] + slack:
        raise InputError(
            f"expected a {what} from {1e6 * known[0]:g} to {1e6 * known[-1]:g} {unit}, which the "
            f"table of thresholds has, got {1e6 * x:g}: {at}"
        )
    near = int(np.abs(known - x).argmin())
    if abs(known[near] - x) <= slack:
        return (near, 0.0) if near < len(known) - 1 else (near - 1, 1.0)
    i = int(np.searchsorted(known, x)) - 1
    return i, float(np.log(x / known[i]) / np.log(known[i + 1] / known[i]))


@cache
def _rows() -> tuple[dict[str, str], ...]:
    return tuple(csv.DictReader(_data("dbs_field_thresholds.csv").splitlines()))


def _data(name: str) -> str:
    return files("rheobase.fields").joinpath("data", name).read_text(encoding="utf-8")
