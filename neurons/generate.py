"""Statistically plausible cells by type, layer and species. Generated, not reconstructed.

A cell is a table of arbors (``data/cell_arbors.csv``): a trunk (apical dendrite, main axon), or a
tree that reaches a number of points drawn in a region (layer bounds or distances from the soma).
`rheobase.neurons.growth` joins them. Heights follow the layers of species and area, widths and
diameters the species factors of ``data/species_scaling.csv``. Region sizes and target counts were
set so that lengths, tips and extents have the order of reconstructions of the same type
(docs/cells.md); counts vary between cells by the type's ``spread`` (SD of the logarithm, widths by
half of it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from rheobase._errors import InputError, check_option
from rheobase.meshes.cortex.layers import layer_table
from rheobase.neurons.compartments import compartments
from rheobase.neurons.constants import rows, species_scaling
from rheobase.neurons.growth import PIA_MARGIN, Grower
from rheobase.neurons.morphology import Morphology, Skeleton


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cell:
    """One cell: its shape, its compartments, and what it stands for.

    Parameters
    ----------
    name
        Type ("L5_pyramidal").
    cell_class
        "PYR", "PV", "SST", "VIP" or "NGC".
    membrane
        Electrical type whose channels it bears ("cADpyr232").
    layer, species
        Layer of the soma and species.
    depth
        Depth of the soma as a fraction of the cortical thickness (0 pia … 1 white matter).
    thickness
        Cortical thickness it was made for (m).
    skeleton, morphology
        Points and compartments, soma at the origin, +z to the pia.
    origin
        "generated, seed 3", or the file.
    """

    name: str
    cell_class: str
    membrane: str
    layer: str
    species: str
    depth: float
    thickness: float
    skeleton: Skeleton
    morphology: Morphology
    origin: str


def cell_types() -> list[str]:
    """Return the types that can be generated.

    Examples
    --------
    >>> "L5_pyramidal" in cell_types()
    True
    """
    return list(_types())


def cell_classes() -> list[str]:
    """Return the classes of cells: "NGC", "PYR", "PV", "SST", "VIP"."""
    return list(dict.fromkeys(r["class"] for r in _types().values()))


@cache
def _types() -> dict[str, dict[str, str]]:
    return {r["name"]: r for r in rows("cell_types.csv")}


@cache
def _arbors(name: str) -> list[dict[str, str]]:
    return [r for r in rows("cell_arbors.csv") if r["cell"] == name]


def type_layer(name: str) -> str:
    """Return the layer of the somata of type ``name``."""
    return _types()[check_option("cell type", name, _types())]["layer"]


def type_class(name: str) -> str:
    """Return the class of type ``name``: "PYR", "PV", "SST", "VIP" or "NGC"."""
    return _types()[check_option("cell type", name, _types())]["class"]


def type_of(cell_class: str, layer: str) -> str:
    """Return the type of a class in a layer.

    Raises
    ------
    InputError
        If there is no such class, or it has no type in that layer.

    Examples
    --------
    >>> type_of("PV", "L5")
    'L5_basket'
    """
    check_option("cell class", cell_class, cell_classes())
    of_class = {r["layer"]: r["name"] for r in _types().values() if r["class"] == cell_class}
    return of_class[check_option(f"layer with {cell_class} cells", layer, of_class)]


def generate_cell(
    name: str,
    species: str,
    *,
    seed: int,
    area: str | None = None,
    thickness: float | None = None,
    depth: float | None = None,
    sizes: str | None = None,
) -> Cell:
    """Grow one cell; the same arguments give the same cell.

    Parameters
    ----------
    name
        Type, one of `cell_types`.
    species
        Whose layers, and whose size factors unless ``sizes`` says otherwise.
    seed
        Draws the shape, the node phase and, where ``depth`` is None, the depth of the soma.
    area
        Area whose layers to use; the species' default when None.
    thickness
        Cortical thickness to grow into (m); the area's own when None.
    depth
        Depth of the soma (0 pia … 1 white matter); drawn within the layer when None. The soma
        stays 15 µm below the pia.
    sizes
        Species whose size factors stand in, for a species without its own (macaque).

    Raises
    ------
    InputError
        If type, species, area or layer are unknown, or the depth lies outside the layer.
    """
    row = _types()[check_option("cell type", name, _types())]
    layers = layer_table(species, area)
    top, bottom = layers.layer(row["layer"])
    rng = np.random.default_rng([seed, *name.encode()])
    drawn = float(rng.uniform(top, bottom))
    depth = drawn if depth is None else depth
    if not top <= depth <= bottom:
        raise InputError(
            f"depth must lie in {row['layer']}, {top:.3f}..{bottom:.3f}, got {depth:.3f}: {name}"
        )
    height = layers.thickness if thickness is None else thickness
    if not 0.2e-3 <= height <= 10e-3:
        raise InputError(f"cortical thickness must be 0.2 to 10 mm, got {height * 1e3:.3g} mm")
    sizes = species if sizes is None else sizes
    soma = float(row["soma_diameter_um"]) * 1e-6 * species_scaling(sizes)["soma_diameter"]
    depth = max(depth, (0.5 * soma + PIA_MARGIN) / height)
    grower = Grower(
        layers=layers,
        depth=depth,
        height=height,
        sizes=sizes,
        spread=float(row["spread"]),
        rng=rng,
        soma=soma,
    )
    for arbor in _arbors(name):
        grower.add(arbor)
    skeleton = grower.skeleton()
    return Cell(
        name=name,
        cell_class=row["class"],
        membrane=row["membrane"],
        layer=row["layer"],
        species=species,
        depth=depth,
        thickness=height,
        skeleton=skeleton,
        morphology=compartments(skeleton, rng=rng),
        origin=f"generated, seed {seed}" + (f", sizes of {sizes}" if sizes != species else ""),
    )


def redraw_nodes(cell: Cell, seed: int) -> Cell:
    """Return the cell with its nodes of Ranvier drawn anew, for Monte Carlo over their phase.

    Parameters
    ----------
    cell
        Generated or read; its shape stays.
    seed
        Of the draw.
    """
    return replace(
        cell,
        morphology=compartments(cell.skeleton, rng=np.random.default_rng(seed)),
        origin=f"{cell.origin}, nodes {seed}",
    )
