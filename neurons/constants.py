"""Constants of the cells, read from ``data/*.csv`` and turned into SI."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from rheobase._errors import check_option

_TO_SI = {
    "1": 1.0,
    "um": 1e-6,
    "um-1": 1e6,
    "um-2": 1e12,
    "um-3": 1e18,
    "ohm cm": 1e-2,
    "uF/cm2": 1e-2,
    "S/cm2": 1e4,
}


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of ``data/<name>``, one dict each."""
    text = files("rheobase.neurons").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def cell_constants() -> Mapping[str, float]:
    """Return the constants of membranes and myelin (SI) by name.

    Examples
    --------
    >>> cell_constants()["membrane_capacitance"]  # F/m²
    0.01
    """
    table = {r["name"]: float(r["value"]) * _TO_SI[r["unit"]] for r in rows("cell_constants.csv")}
    return MappingProxyType(table)


@cache
def species_with_sizes() -> tuple[str, ...]:
    """Return the species that have size factors."""
    return tuple(dict.fromkeys(r["species"] for r in rows("species_scaling.csv")))


@cache
def species_scaling(species: str) -> Mapping[str, float]:
    """Return the size factors of a species over the rat base of the generator.

    Raises
    ------
    InputError
        If there is no factor for the species: nothing is borrowed from another one.
    """
    table: dict[str, dict[str, float]] = {}
    for r in rows("species_scaling.csv"):
        table.setdefault(r["species"], {})[r["name"]] = float(r["value"])
    return MappingProxyType(table[check_option("species with cells", species, table)])
