"""Bone in Hounsfield units to density, sound speed and loss, by published mappings.

The mappings are data (``data/hu_mappings.toml``, with their sources and what their users disagree
on; ``data/webb_skull.csv``: one row a scanner, tube voltage in kV and reconstruction kernel, B for
bone and ST for standard). They differ by tens of percent; none is the default.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.acoustics.frequency import check_frequency
from rheobase.meshes.tissues import NEPER_PER_DB

Floats = NDArray[np.float64]

NEPER_PER_M = 100.0 * NEPER_PER_DB
"""Np/m in 1 dB/cm."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HounsfieldMapping:
    """A mapping; see `hounsfield_mapping`.

    Parameters
    ----------
    name
        Its name, with the row of a scanner where it has them.
    record
        Its entry in the data file.
    row
        Numbers of its scanner, empty where it has no table.
    """

    name: str
    record: Mapping[str, Any]
    row: Mapping[str, float]

    def bone(self, hounsfield: ArrayLike, frequency: float) -> tuple[Floats, Floats, Floats]:
        """Return sound speed (m/s), density (kg/m³) and loss (Np/m) of bone at ``frequency`` (Hz).

        Parameters
        ----------
        hounsfield
            Hounsfield units, any shape; those outside the mapping's range count as its nearest.
        frequency
            Hz.

        Raises
        ------
        InputError
            If a value is not finite or the frequency is not of ultrasound.
        """
        r = self.record
        check_frequency(frequency, f"mapping {self.name!r}")
        given = np.asarray(hounsfield, dtype=np.float64)
        if not np.isfinite(given).all():
            raise InputError(
                f"expected finite Hounsfield units, got {(~np.isfinite(given)).sum()} of "
                f"{given.size} not: mapping {self.name!r}"
            )
        hu = np.clip(given, r["hu_least"], r["hu_most"])
        porosity = 1.0 - hu / r["hu_most"]
        density = _density(r["density"], hu, porosity)
        speed = self._speed(r["sound_speed"], hu, porosity, density)
        loss, exponent, reference = self._loss(r["loss"], hu, porosity, density)
        return speed, density, loss * (frequency / reference) ** exponent

    @property
    def exponent(self) -> float:
        """Exponent y of the loss, which goes with frequency as f^y."""
        return float(self.row.get("exponent", self.record["loss"].get("exponent", 1.0)))

    def notes(self) -> tuple[str, ...]:
        """Return where it comes from and what to know of it."""
        r = self.record
        low, high = (1e-3 * f for f in r["frequency_Hz"])
        return (
            f"Hounsfield units by {self.name} ({r['status']}): {r['source']}",
            f"{self.name}: {r['remark']}; loss for {low:g} to {high:g} kHz",
        )

    def _speed(self, how: Mapping[str, Any], hu: Floats, porosity: Floats, rho: Floats) -> Floats:
        match how["kind"]:
            case "mixture":
                return _mixture(how, porosity)
            case "density":
                return np.asarray(how["slope"] * rho + how["offset"])
            case "slowness":
                return np.asarray(1.0 / np.polynomial.polynomial.polyval(rho, how["coefficients"]))
            case _:
                return np.asarray(self.row["slope"] * hu + self.row["offset"])

    def _loss(
        self, how: Mapping[str, Any], hu: Floats, porosity: Floats, rho: Floats
    ) -> tuple[Floats, float, float]:
        """Return the loss (Np/m) at a frequency, its exponent, and that frequency (Hz)."""
        reference = 1e6
        match how["kind"]:
            case "constant":
                loss = np.full(hu.shape, how["dB_per_cm"] * NEPER_PER_M)
            case "porosity":
                least, most = how["least_dB_per_cm"], how["most_dB_per_cm"]
                loss = (least + (most - least) * porosity ** how["power"]) * NEPER_PER_M
            case "density":
                loss = np.polynomial.polynomial.polyval(rho, how["coefficients"])
                reference = how["reference_Hz"]
            case _:
                loss = self.row["factor"] * np.exp(self.row["rate"] * hu)
        return np.asarray(loss), self.exponent, reference


def _mixture(how: Mapping[str, Any], porosity: Floats) -> Floats:
    return np.asarray(how["water"] * porosity + how["bone"] * (1.0 - porosity))


def _density(how: Mapping[str, Any], hu: Floats, porosity: Floats) -> Floats:
    if how["kind"] == "mixture":
        return _mixture(how, porosity)
    part = np.searchsorted(how["upper"], hu, side="right").clip(max=len(how["upper"]) - 1)
    slope, offset = np.array(how["slope"])[part], np.array(how["offset"])[part]
    return np.asarray(slope * hu + offset)


@cache
def _mappings() -> dict[str, Any]:
    path = files("rheobase.fields").joinpath("data/hu_mappings.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def _scanners(table: str) -> dict[str, dict[str, float]]:
    text = files("rheobase.fields").joinpath(f"data/{table}").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {r.pop("scanner"): {k: float(v) for k, v in r.items()} for r in rows}


def mapping_names() -> tuple[str, ...]:
    """Return the names of the mappings.

    Examples
    --------
    >>> mapping_names()
    ('aubry2003', 'mcdannold2019', 'webb2018', 'kplan')
    """
    return tuple(_mappings())


def hounsfield_mapping(name: str, *, scanner: str | None = None) -> HounsfieldMapping:
    """Return the mapping ``name``.

    Parameters
    ----------
    name
        One of `mapping_names`.
    scanner
        For "webb2018", the scanner, tube voltage (kV) and kernel, "GE 120 B" if None.

    Raises
    ------
    InputError
        If there is no such mapping or scanner, or a mapping has no scanners.

    Examples
    --------
    >>> speed, density, loss = hounsfield_mapping("aubry2003").bone([0.0, 2000.0], 1e6)
    >>> speed.tolist(), density.tolist(), loss.round(1).tolist()
    ([1500.0, 3100.0], [1000.0, 2200.0], [92.1, 2.3])
    """
    check_option("mapping of Hounsfield units", name, _mappings())
    record = _mappings()[name]
    table = record["loss"].get("table")
    if table is None:
        if scanner is not None:
            raise InputError(f"expected no scanner with mapping {name!r}, got {scanner!r}")
        return HounsfieldMapping(name=name, record=record, row={})
    rows = _scanners(table)
    chosen = check_option("scanner", scanner or record["scanner"], rows, where=f"mapping {name!r}")
    return HounsfieldMapping(name=f"{name} ({chosen})", record=record, row=rows[chosen])
