"""Parametric animal heads: layers around an ellipsoidal brain.

No labelled head of a rat, mouse or macaque may be shipped, so these are layers of constant
thickness (grey matter inwards; CSF, skull and scalp outwards) on an ellipsoid of the brain's
length, width and height. There is no neck, face, ear, olfactory bulb or cerebellum. Sizes, their
sources and how sure they are: ``data/parametric_heads.csv`` and ``data/cortex_thickness.csv``.
"""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import check_option
from rheobase._progress import stage
from rheobase.meshes.carving.carved import Carved
from rheobase.meshes.cortex.sheet import CorticalSheet, sheet_from_pairs
from rheobase.meshes.head import Head, Species
from rheobase.meshes.heads.slab import cortex_thickness
from rheobase.meshes.heads.sphere import unit_sphere
from rheobase.meshes.mesher import carve_indicators
from rheobase.meshes.tissues import tissue

LAYERS = ("white_matter", "grey_matter", "csf", "skull", "scalp")
#: Finest edge over the thickness of the CSF; edge at an interface over that of its thinner layer.
FINEST, COARSEST = 1.0, 0.5


def sizes(species: str) -> tuple[dict[str, float], list[dict[str, str]]]:
    """Return the sizes (m) of a species and their rows of ``data/parametric_heads.csv``."""
    text = files("rheobase.meshes").joinpath("data/parametric_heads.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    check_option("species", species, dict.fromkeys(r["species"] for r in rows))
    rows = [r for r in rows if r["species"] == species]
    return {r["quantity"]: float(r["value_mm"]) * 1e-3 for r in rows}, rows


def ellipsoid_distance(
    points: NDArray[np.float64], semi_axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the signed distance to an ellipsoid around the origin, < 0 inside.

    The nearest point is s² x / (s² + t) with t the largest root of
    sum (s x / (s² + t))² = 1 (Eberly 2013, "Distance from a point to an ellipse"); Newton's method
    from the left of it is monotone.

    Parameters
    ----------
    points
        Shape (n, 3) (m).
    semi_axes
        Shape (3,) (m).
    """
    s2 = semi_axes**2
    x = np.abs(points)
    x = np.maximum(x, 1e-9 * semi_axes)  # off the planes of symmetry, where the root degenerates
    t = (semi_axes * x - s2).max(axis=1)
    for _ in range(60):
        q = semi_axes * x / (s2 + t[:, None])
        value = (q**2).sum(axis=1) - 1.0
        step = value / (2.0 * (q**2 / (s2 + t[:, None])).sum(axis=1))
        t = t + step
        if (np.abs(step) <= 1e-12 * s2.max()).all():
            break
    nearest = s2 * x / (s2 + t[:, None])
    distance: NDArray[np.float64] = np.sign(t) * np.linalg.norm(x - nearest, axis=1)
    return distance


def volume_within(semi_axes: NDArray[np.float64], distance: float) -> float:
    """Return the volume (m³) within ``distance`` (m, < 0 inwards) of an ellipsoid's surface.

    The polyhedron of a fine sphere's points moved along the normals, scaled by what the same
    polyhedron lacks of the ellipsoid itself. Inwards it holds up to the smallest radius of
    curvature.
    """
    points, triangles = unit_sphere(6)
    normal = points / semi_axes
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)

    def enclosed(vertices: NDArray[np.float64]) -> float:
        a, b, c = (vertices[triangles[:, k]] for k in range(3))
        return abs(float(np.einsum("ij,ij->", np.cross(a, b), c))) / 6.0

    exact = 4.0 / 3.0 * np.pi * float(semi_axes.prod())
    surface = semi_axes * points
    return enclosed(surface + distance * normal) * exact / enclosed(surface)


def build(species: str, *, edge_length_mm: float | None = None) -> Head:
    """Build the parametric head of a species.

    Parameters
    ----------
    species
        "rat", "mouse" or "macaque".
    edge_length_mm
        Mean edge of the finest tetrahedra (mm), around the CSF; `FINEST` of the thickness of the
        CSF by default. Away from there edges grow with the thickness of the layers.

    Returns
    -------
    Head
        In the space "parametric": the middle of the brain at the origin, x to the right, y to the
        front, z up. Positions on the scalp: vertex, front, back, left, right. Landmarks on the
        skull, where known: bregma and lambda, at equal distances before and behind the vertex.
    """
    size, rows = sizes(species)
    cortex, cortex_row = cortex_thickness(species)
    semi = 0.5 * np.array([size["brain width"], size["brain length"], size["brain height"]])
    steps = [size[f"{name} thickness"] for name in ("csf", "skull", "scalp")]
    ends = np.concatenate([[-cortex, 0.0], np.cumsum(steps)])
    edge = FINEST * steps[0] if edge_length_mm is None else edge_length_mm * 1e-3
    with stage(f"head {species}: mesh"):
        carved = _carved(semi, ends, edge)
    scalp = float(ends[-1])
    axes = {"vertex": (2, 1), "front": (1, 1), "back": (1, -1), "left": (0, -1), "right": (0, 1)}
    positions = {
        name: sign * (semi[axis] + scalp) * np.eye(3)[axis] for name, (axis, sign) in axes.items()
    }
    fiducials = {}
    if "bregma to lambda" in size:
        half = 0.5 * size["bregma to lambda"]
        for name, y in (("bregma", half), ("lambda", -half)):
            fiducials[name] = _on_top(semi, y, float(ends[-2]))
    return Head(
        name=species,
        species=cast(Species, species),
        space="parametric",
        mesh=carved.mesh,
        tissues={tissue(n).label: tissue(n) for n in LAYERS},
        fiducials=fiducials,
        positions=positions,
        cortex=_upper_sheet(semi, cortex, edge),
        lattice=carved.lattice,
        provenance={
            "made by": "rheobase.meshes.heads.parametric",
            "parametric": True,
            "edge length (mm)": edge * 1e3,
            "sizes": [*rows, cortex_row],
            "mesh": carved.report.as_dict(),
            "notes": [
                "parametric: layers of constant thickness on an ellipsoid, no individual anatomy",
                "white matter stands for everything inside the cortex",
                "cortical columns on the upper half only",
            ],
        },
    )


def _carved(semi: NDArray[np.float64], ends: NDArray[np.float64], edge: float) -> Carved:
    """Mesh the layers, their volumes kept: linear elements alone lie inside what is convex."""
    labels = [tissue(n).label for n in LAYERS]
    thickness = np.diff(ends)
    # the thinner of the two layers at each interface; white matter and the outside are thick
    thinner = np.minimum(np.append(np.inf, thickness), np.append(thickness, np.inf))
    low, high = np.append(-np.inf, ends[:-1]), ends

    def layers(points: NDArray[np.float64]) -> NDArray[np.float64]:
        d = ellipsoid_distance(points, semi)[:, None]
        return np.concatenate([d - ends[-1], np.minimum(d - low, high - d)], axis=1)

    def size(points: NDArray[np.float64]) -> NDArray[np.float64]:
        away = np.abs(ellipsoid_distance(points, semi)[:, None] - ends)
        edges: NDArray[np.float64] = (np.maximum(edge, COARSEST * thinner) + away).min(axis=1)
        return edges

    reach = semi + ends[-1] + 2.0 * edge
    within = [volume_within(semi, float(d)) for d in ends]
    volumes = dict(zip(labels, np.diff(within, prepend=0.0).tolist(), strict=True))
    return carve_indicators([0, *labels], layers, [-reach, reach], edge, size=size, volumes=volumes)


def _on_top(semi: NDArray[np.float64], y: float, distance: float) -> NDArray[np.float64]:
    """Return the midline point at ``y`` that lies ``distance`` above the ellipsoid (m)."""
    angle = np.linspace(0.0, np.pi, 2001)
    curve = np.stack([np.zeros_like(angle), semi[1] * np.cos(angle), semi[2] * np.sin(angle)], 1)
    normal = curve / semi**2
    curve = curve + distance * normal / np.linalg.norm(normal, axis=1, keepdims=True)
    z = np.interp(-y, -curve[:, 1], curve[:, 2])
    return np.array([0.0, y, z])


def _upper_sheet(semi: NDArray[np.float64], thickness: float, edge: float) -> CorticalSheet:
    """Return columns along the normals of the upper half of the ellipsoid."""
    points, triangles = unit_sphere(6 if edge < semi.min() / 10 else 5)
    normal = points / semi
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    triangles = triangles[(points[triangles, 2] >= 0).all(axis=1)]
    used, number = np.unique(triangles, return_inverse=True)
    pial = semi * points[used]
    white = pial - thickness * normal[used]
    return sheet_from_pairs(pial, white, number.reshape(-1, 3).astype(np.int32))
