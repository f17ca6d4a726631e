"""Cortical layers: tables by species and area, and their borders in a folded cortex.

The layers of a table were measured in some piece of cortex and are kept here as fractions of its
volume: where the cortex folds, each layer keeps its share of the volume of a column, so that it is
thinner where the column is wider (Bok 1929, Z. Ges. Neurol. Psychiatr. 121:682). The depth d of a
border that has the fraction f of the volume above it solves

    integral_0^d A = f · integral_0^1 A,

with A(d) the area across the column. Waehnert et al. (2014, NeuroImage 93:210,
doi:10.1016/j.neuroimage.2013.03.078) let A grow linearly from the one surface to the other, which
gives their square root (`waehnert`); between two given triangles it is a quadratic, which
`equivolume` solves and which is exact for slabs, cylinders and spheres alike.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.cortex.sheet import CorticalSheet

Floats = NDArray[np.float64]

LEAST = 0.02  # of the mean area; sections that fall below are folds, not cortex


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

    @property
    def fractions(self) -> Floats:
        """Fraction of the volume above each border, from 0 to 1, shape (n_layers + 1,)."""
        return np.array([0.0, *(bottom for _, bottom in self.bounds.values())])


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
    text = files("rheobase.meshes").joinpath("data/cortex_layers.csv").read_text("utf-8")
    table = list(csv.DictReader(text.splitlines()))
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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CorticalLayers:
    """The layers of every column of a sheet.

    Parameters
    ----------
    names
        Layers from the pia down.
    borders
        Depth of their borders (0 pia … 1 white), shape (n_columns, n_layers + 1).
    folded
        Columns whose area gave no volume to divide, shape (n_columns,): their layers are divided
        by depth.
    table
        Where the fractions come from.
    """

    names: tuple[str, ...]
    borders: Floats
    folded: NDArray[np.bool_]
    table: LayerTable

    def layer_of(self, depth: ArrayLike) -> NDArray[np.str_]:
        """Return the layer of each column at ``depth`` (one, or one a column), shape (n,)."""
        d = np.broadcast_to(np.asarray(depth, dtype=np.float64), (len(self.borders),))
        below: NDArray[np.intp] = (self.borders[:, 1:-1] <= d[:, None]).sum(axis=1)
        return np.array(self.names)[below]

    def depth(self, layer: str, fraction: ArrayLike = 0.5) -> Floats:
        """Return the depth in each column that lies ``fraction`` of the way down ``layer``.

        Parameters
        ----------
        layer
            One of ``names``.
        fraction
            0 its top … 1 its bottom; one, or one for each column.

        Raises
        ------
        InputError
            If there is no such layer.
        """
        self.table.layer(layer)
        k = self.names.index(layer)
        top, bottom = self.borders[:, k], self.borders[:, k + 1]
        depth: Floats = top + np.asarray(fraction, dtype=np.float64) * (bottom - top)
        return depth


def cortical_layers(sheet: CorticalSheet, species: str, area: str | None = None) -> CorticalLayers:
    """Return the equivolume layers of each column.

    Parameters
    ----------
    sheet
        The cortex.
    species, area
        Choose the table of ``data/cortex_layers.csv``.

    Raises
    ------
    InputError
        If there is no table for the species or the area.
    """
    table = layer_table(species, area)
    across = sheet.sections()
    a, b, c = quadratic(across)
    vertex = np.clip(-b / np.where(c == 0, 1.0, 2 * c), 0.0, 1.0)
    lowest = np.minimum(np.minimum(across[:, 0], across[:, 2]), a + vertex * (b + vertex * c))
    mean = across @ np.array([1.0, 4.0, 1.0]) / 6.0
    folded = ~(lowest > LEAST * mean) | ~(mean > 0)
    across[folded] = 1.0
    return CorticalLayers(
        names=tuple(table.bounds),
        borders=equivolume(table.fractions, across),
        folded=folded,
        table=table,
    )


def borders(sheet: CorticalSheet, species: str, area: str | None = None) -> Floats:
    """Return the depths of the layers' borders, shape (n_columns, n_layers + 1).

    See `cortical_layers`, which also names the layers.
    """
    return cortical_layers(sheet, species, area).borders


def quadratic(across: Floats) -> tuple[Floats, Floats, Floats]:
    """Return a, b, c of a + b d + c d² through values at depths 0, 1/2 and 1, shape (n, 3)."""
    pial, middle, white = across.T
    return pial, 4 * middle - 3 * pial - white, 2 * (pial + white) - 4 * middle


def equivolume(fractions: ArrayLike, across: ArrayLike) -> Floats:
    """Return the depths with given fractions of a column's volume above them.

    Parameters
    ----------
    fractions
        From 0 to 1, shape (k,).
    across
        Areas > 0 across each column at depths 0, 1/2 and 1, in any unit, shape (n, 3).

    Returns
    -------
    ndarray, shape (n, k)
        Depths (0 pia … 1 white), to 1e-12.

    Examples
    --------
    A spherical shell from radius 3 to 2: half the volume lies above r³ = (27 + 8) / 2.

    >>> d = equivolume([0.5], [[9.0, 6.25, 4.0]])
    >>> round(3 - d.item(), 6), round(17.5 ** (1 / 3), 6)
    (2.596247, 2.596247)
    """
    f = np.asarray(fractions, dtype=np.float64)
    a, b, c = (q[:, None] for q in quadratic(np.atleast_2d(np.asarray(across, dtype=np.float64))))
    total = a + b / 2 + c / 3
    low, high = np.zeros((len(a), len(f))), np.ones((len(a), len(f)))
    d = np.broadcast_to(f, low.shape).copy()
    for _ in range(60):  # Newton's method, kept between bounds that close in
        left = d * (a + d * (b / 2 + d * c / 3)) - f * total
        high, low = np.where(left > 0, d, high), np.where(left > 0, low, d)
        new = d - left / (a + d * (b + d * c))
        new = np.where((new > low) & (new < high), new, 0.5 * (low + high))
        moved = np.abs(new - d).max()
        d = new
        if moved < 1e-13:
            break
    d = np.where(f <= 0, 0.0, np.where(f >= 1, 1.0, d))
    return d


def waehnert(fractions: ArrayLike, pial: ArrayLike, white: ArrayLike) -> Floats:
    """Return those depths where the area grows linearly between the two surfaces.

    In the paper's terms, from the white side: rho = (sqrt(alpha A_out² + (1 - alpha) A_in²) - A_in)
    / (A_out - A_in); written here so that equal areas are no special case.

    Parameters
    ----------
    fractions
        Of the volume above, shape (k,).
    pial, white
        Areas of each column, shape (n,) each.

    Returns
    -------
    ndarray, shape (n, k)
        Depths (0 pia … 1 white).
    """
    alpha = 1.0 - np.asarray(fractions, dtype=np.float64)
    outer = np.asarray(pial, dtype=np.float64)[:, None]
    inner = np.asarray(white, dtype=np.float64)[:, None]
    root = np.sqrt(alpha * outer**2 + (1.0 - alpha) * inner**2)
    rho = alpha * (outer + inner) / (root + inner)
    return np.asarray(1.0 - rho)
