"""Concentric spheres: the head with analytic solutions."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.cortex.sheet import CorticalSheet, sheet_from_pairs
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import check_spheres, mesh_spheres
from rheobase.meshes.placing.positions import ten_ten
from rheobase.meshes.tissues import Tissue, tissue

EDGE_MM = 4.0


@cache
def simple_heads() -> dict[str, Any]:
    """Return ``data/simple_heads.toml``."""
    text = files("rheobase.meshes").joinpath("data/simple_heads.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def unit_sphere(n: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return an icosahedron whose edges are halved ``n`` times, blown up to the unit sphere."""
    import pyvista as pv

    ball = pv.Icosphere(radius=1.0, nsub=n)
    points = np.asarray(ball.points, dtype=np.float64)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points, np.asarray(ball.regular_faces, dtype=np.int32)


def checked(
    edge_length_mm: float = EDGE_MM,
    radii_mm: Sequence[float] | None = None,
    layers: Sequence[str] | None = None,
    sigma_S_per_m: Sequence[float] | None = None,
) -> tuple[NDArray[np.float64], dict[int, Tissue]]:
    """Return the radii (mm) and the tissue of each layer by its label.

    Raises
    ------
    InputError
        As `build`.
    """
    default = simple_heads()["sphere"]
    radii = np.asarray(default["radii_mm"] if radii_mm is None else radii_mm, float)
    names = list(default["tissues"] if layers is None else layers)
    sigma = list(default["sigma_S_per_m"] if sigma_S_per_m is None else sigma_S_per_m)
    if not len(radii) == len(names) == len(sigma):
        raise InputError(
            f"expected one tissue and one conductivity per radius, got {len(radii)} radii, "
            f"{len(names)} tissues, {len(sigma)} conductivities: head 'sphere'"
        )
    if len(set(names)) != len(names):
        raise InputError(f"expected a different tissue for each layer, got {names}: head 'sphere'")
    made = {}
    for name, s in zip(names, sigma, strict=True):
        if not s > 0:
            raise InputError(f"expected conductivities > 0 S/m, got {s!r}: head 'sphere'")
        made[tissue(name).label] = tissue(name).with_value(
            "conductivity", s, source="chosen for this sphere"
        )
    radii = check_spheres(radii.tolist(), list(made))
    thinnest = np.diff(radii).min(initial=np.inf)
    if not edge_length_mm < thinnest:
        raise InputError(
            f"edge_length_mm must be < {thinnest:g} mm, the thinnest layer, or that layer gets "
            f"holes, got {edge_length_mm:g}: head 'sphere'"
        )
    return radii, made


def build(
    *,
    edge_length_mm: float = EDGE_MM,
    radii_mm: Sequence[float] | None = None,
    layers: Sequence[str] | None = None,
    sigma_S_per_m: Sequence[float] | None = None,
) -> Head:
    """Build concentric spheres around the origin.

    Parameters
    ----------
    edge_length_mm
        Mean edge of the tetrahedra (mm).
    radii_mm
        Outer radii (mm), innermost first; 85, 90, 95 by default.
    layers
        Tissue of each layer; grey matter (the whole brain), skull, scalp by default.
    sigma_S_per_m
        Conductivities (S/m); 0.33, 0.01, 0.33 by default.

    Returns
    -------
    Head
        In the space "sphere": x to the right, y to the front, z up. The cortical sheet is a
        spherical shell of 3 mm just inside the innermost radius; the 10-10 positions divide the
        outer sphere with nasion, ears and inion on its equator.

    Raises
    ------
    InputError
        If the three lists differ in length or a value makes no sense.
    """
    radii, made = checked(edge_length_mm, radii_mm, layers, sigma_S_per_m)
    mesh = mesh_spheres((radii * 1e-3).tolist(), list(made), edge_length_mm * 1e-3)
    outer = radii[-1] * 1e-3
    fiducials = {
        name: outer * np.array(direction, float)
        for name, direction in (
            ("nasion", (0, 1, 0)),
            ("inion", (0, -1, 0)),
            ("lpa", (-1, 0, 0)),
            ("rpa", (1, 0, 0)),
        )
    }
    points, triangles = unit_sphere(4)
    positions = ten_ten(outer * points, triangles, fiducials)
    return Head(
        name="sphere",
        species="human",
        space="sphere",
        mesh=mesh,
        tissues=made,
        fiducials=fiducials,
        positions={k: outer * p / np.linalg.norm(p) for k, p in positions.items()},
        cortex=shell_sheet(radii[0] * 1e-3, simple_heads()["sphere"]["cortex_thickness_mm"] * 1e-3),
        provenance={
            "made by": "rheobase.meshes.heads.sphere",
            "radii (mm)": radii.tolist(),
            "notes": ["the innermost layer stands for the whole brain"],
        },
    )


def shell_sheet(radius: float, thickness: float) -> CorticalSheet:
    """Return columns pointing outwards, from ``radius - thickness`` to ``radius`` (m)."""
    points, triangles = unit_sphere(5)
    return sheet_from_pairs(radius * points, (radius - thickness) * points, triangles)
