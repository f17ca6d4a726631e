"""Constants of the cells, read from ``data/*.csv`` and turned into SI."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from rheobase._errors import InputError, check_option

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


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerTable:
    """Cortical layers of one area of a species.

    Parameters
    ----------
    species, area
        Where the layers were measured.
    thickness
        Depth of the white-matter border (m).
    bounds
        Top and bottom of each layer as fractions of the depth (0 pia … 1 white matter).
    source, status
        Where the table comes from and how sure it is.
    """

    species: str
    area: str
    thickness: float
    bounds: Mapping[str, tuple[float, float]]
    source: str
    status: str

    def layer(self, name: str) -> tuple[float, float]:
        """Return top and bottom of layer ``name``.

        Raises
        ------
        InputError
            If this area has no such layer (the motor cortex has no layer 4).
        """
        if name not in self.bounds:
            raise InputError(
                f"no layer {name!r} in {self.species} {self.area}, which has "
                f"{', '.join(self.bounds)}: data/cortex_layers.csv"
            )
        return self.bounds[name]


@cache
def layer_table(species: str, area: str | None = None) -> LayerTable:
    """Return the layers of ``species`` in ``area`` (its default area when None).

    Raises
    ------
    InputError
        If there is no table for the species or the area.

    Examples
    --------
    >>> layer_table("human").layer("L5")
    (0.509, 0.718)
    """
    table = rows("cortex_layers.csv")
    check_option("species with cortical layers", species, sorted({r["species"] for r in table}))
    table = [r for r in table if r["species"] == species]
    if area is None:
        table = [r for r in table if r["default"] == "yes"]
    else:
        areas = sorted({r["area"] for r in table})
        check_option(f"area of the {species} cortex", area, areas)
        table = [r for r in table if r["area"] == area]
    thickness = max(float(r["bottom_um"]) for r in table)
    return LayerTable(
        species=species,
        area=table[0]["area"],
        thickness=thickness * 1e-6,
        bounds=MappingProxyType(
            {
                r["layer"]: (float(r["top_um"]) / thickness, float(r["bottom_um"]) / thickness)
                for r in table
            }
        ),
        source=table[0]["source"],
        status=table[0]["status"],
    )
