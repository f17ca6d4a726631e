"""A flat piece of cortex: CSF above, grey matter of the species' thickness, white matter below."""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.cortex.sheet import CorticalSheet, sheet_from_pairs
from rheobase.meshes.head import Head, Species
from rheobase.meshes.heads.sphere import simple_heads
from rheobase.meshes.mesher import mesh_indicators
from rheobase.meshes.tissues import tissue


def cortex_thickness(species: str, area: str | None = None) -> tuple[float, dict[str, str]]:
    """Return the thickness of the cortex (m) and its row of ``data/cortex_thickness.csv``.

    Parameters
    ----------
    species
        "rat", "mouse", "macaque" or "human".
    area
        Area in that file; the default one of the species if None.

    Raises
    ------
    InputError
        If species or area is not there.
    """
    text = files("rheobase.meshes").joinpath("data/cortex_thickness.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    check_option("species", species, dict.fromkeys(r["species"] for r in rows))
    of = {r["area"]: r for r in rows if r["species"] == species}
    if area is None:
        row = next(r for r in of.values() if r["default"] == "yes")
    else:
        row = of[check_option("area", area, of, where=f"cortex of the {species}")]
    return float(row["thickness_um"]) * 1e-6, row


def build(
    species: str,
    *,
    edge_length_mm: float | None = None,
    area: str | None = None,
    width_mm: float | None = None,
) -> Head:
    """Build the slab of a species.

    Parameters
    ----------
    species
        "rat", "mouse", "macaque" or "human".
    edge_length_mm
        Mean edge of the tetrahedra (mm); a tenth of the cortical thickness by default.
    area
        Area whose thickness is taken; ``data/cortex_thickness.csv`` has them.
    width_mm
        Edge of the square (mm); three times the thickness by default.

    Returns
    -------
    Head
        In the space "slab": pia at z = 0, cortex below it, the middle of the square at the origin.

    Raises
    ------
    InputError
        If species or area is unknown or a length makes no sense.
    """
    thickness, row = cortex_thickness(species, area)
    shape = simple_heads()["slab"]
    width = shape["width"] * thickness if width_mm is None else width_mm * 1e-3
    if not (np.isfinite(width) and width > 0):
        raise InputError(f"expected width_mm > 0, got {width_mm!r}: slab of the {species}")
    edge = 0.1 * thickness if edge_length_mm is None else edge_length_mm * 1e-3
    names = ("csf", "grey_matter", "white_matter")
    tops = np.array([shape["csf"], 0.0, -1.0]) * thickness
    bottoms = np.array([0.0, -1.0, -1.0 - shape["white"]]) * thickness

    def layers(points: NDArray[np.float64]) -> NDArray[np.float64]:
        z = points[:, 2:]
        open_top = np.where(np.arange(3) == 0, np.inf, tops - z)
        open_bottom = np.where(np.arange(3) == 2, np.inf, z - bottoms)
        inside = np.minimum(open_top, open_bottom)
        return np.concatenate([np.full((len(points), 1), -width), inside], axis=1)

    labels = [tissue(n).label for n in names]
    box = [[-width / 2, -width / 2, bottoms[-1]], [width / 2, width / 2, tops[0]]]
    mesh = mesh_indicators([0, *labels], layers, box, edge)
    top = {"top": np.array([0.0, 0.0, tops[0]])}
    return Head(
        name=f"slab-{species}",
        species=cast(Species, species),
        space="slab",
        mesh=mesh,
        tissues={tissue(n).label: tissue(n) for n in names},
        positions=top,
        cortex=flat_sheet(width, thickness, max(edge, width / 150)),
        provenance={
            "made by": "rheobase.meshes.heads.slab",
            "cortex": dict(row),
            "notes": ["a flat box of cortex: no curvature, no skull, no scalp"],
        },
    )


def flat_sheet(width: float, thickness: float, spacing: float) -> CorticalSheet:
    """Return vertical columns on a square grid of about ``spacing`` (m), pia at z = 0."""
    n = max(2, int(np.ceil(width / spacing)) + 1)
    x = np.linspace(-width / 2, width / 2, n)
    pial = np.stack([*np.meshgrid(x, x, indexing="ij"), np.zeros((n, n))], axis=-1).reshape(-1, 3)
    k = np.arange(n * n, dtype=np.int32).reshape(n, n)
    a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return sheet_from_pairs(pial, pial - [0.0, 0.0, thickness], triangles)
