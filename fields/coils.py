"""Coils: windings as line elements, magnetic dipoles, and where they stand on the head.

Vector potential per ampere of coil current,

    A(r) = mu0/4pi [ sum_j dl_j/|r - r_j| + sum_k m_k × (r - r_k)/|r - r_k|³ ].

A turn is a circle, sampled evenly: the trapezoidal rule, whose error on a circle falls as
exp(-2 pi d/h), h the spacing of the samples and d the distance to the wire. Turns fill the
winding from inner to outer diameter; the wire is thin and lies in the middle of its layer.

Frame of a coil: the winding's mid-plane is z = 0, +z points away from the head, +y is the direction
of the handle. In a figure-of-eight the wings stand side by side along x and touch (centres one
outer diameter apart), and positive current in the middle flows towards the handle. The field in the
tissue is opposed to a growing current, so a positive dI/dt drives current in the brain *away from*
the handle.

Reference: Deng, Lisanby & Peterchev, Brain Stimul 6:1 (2013), doi:10.1016/j.brs.2012.02.005.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.spheres import MU0_OVER_4PI
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp

SPACING = 0.003  # of the samples along a turn (m): error exp(-2 pi d/h) < 1e-6 from 7 mm on
NORMAL_RADIUS = 0.020  # the coil is tangential to the scalp over this distance (m)


def _none() -> NDArray[np.float64]:
    return np.empty((0, 3))


@dataclass(frozen=True, kw_only=True, eq=False)
class Coil:
    """A coil as line elements and magnetic dipoles.

    Parameters
    ----------
    name
        Name, used in reports and errors.
    positions, segments
        Middle (m) and vector (m) of each line element, shape (n, 3).
    dipoles, moments
        Position (m) and moment per ampere (m²) of each magnetic dipole, shape (n, 3).
    wings
        Centre (m) and outer radius (m) of each wing in the coil's frame, shape (n_wings, 4).
    height
        Height of the winding along the coil's z axis (m).
    pose
        From the coil's frame to that of positions, shape (4, 4).
    """

    name: str
    positions: NDArray[np.float64] = field(default_factory=_none)
    segments: NDArray[np.float64] = field(default_factory=_none)
    dipoles: NDArray[np.float64] = field(default_factory=_none)
    moments: NDArray[np.float64] = field(default_factory=_none)
    wings: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))
    height: float = 0.0
    pose: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        """Check the shapes."""
        for a, b in (("positions", "segments"), ("dipoles", "moments")):
            x, y = getattr(self, a), getattr(self, b)
            if x.shape != y.shape or x.ndim != 2 or x.shape[1] != 3:
                raise ValueError(f"{a} and {b} must both be (n, 3), got {x.shape}, {y.shape}")
        if len(self.positions) + len(self.dipoles) == 0:
            raise ValueError(f"a coil needs line elements or dipoles: coil {self.name!r}")

    def vector_potential(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return A (V s/m per ampere) at points (m), shape (n, 3)."""
        from rheobase.fields._coils_numba import vector_potential

        p = np.ascontiguousarray(np.atleast_2d(np.asarray(points, dtype=np.float64)))
        A = np.empty_like(p)
        vector_potential(p, self.positions, self.segments, self.dipoles, self.moments, A)
        A *= MU0_OVER_4PI
        return A

    def moved(self, pose: NDArray[np.float64]) -> Coil:
        """Return the coil moved by a rigid transform, shape (4, 4).

        Raises
        ------
        InputError
            If ``pose`` is not a rotation and a shift.
        """
        R, shift = pose[:3, :3], pose[:3, 3]
        if pose.shape != (4, 4) or not (
            np.allclose(R @ R.T, np.eye(3), atol=1e-9) and np.linalg.det(R) > 0
        ):
            raise InputError(f"expected a rotation and a shift: pose of coil {self.name!r}")
        return replace(
            self,
            positions=self.positions @ R.T + shift,
            segments=self.segments @ R.T,
            dipoles=self.dipoles @ R.T + shift,
            moments=self.moments @ R.T,
            pose=pose @ self.pose,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Winding:
    """Geometry of a shipped coil, as in ``data/coils.csv`` (lengths in mm, as the file has them).

    Parameters
    ----------
    name, model
        Name here and that of the maker.
    wings
        2 for a figure-of-eight, 1 for a round coil.
    outer_diameter_mm, inner_diameter_mm
        Of each wing, over the copper.
    wire_width_mm
        Radial width of the wire.
    winding_height_mm
        Height of all layers together.
    turns_per_layer, layers
        Turns of a wing.
    source, status, remark
        Where the numbers come from, how sure they are, what to know of them.
    """

    name: str
    model: str
    wings: int
    outer_diameter_mm: float
    inner_diameter_mm: float
    wire_width_mm: float
    winding_height_mm: float
    turns_per_layer: int
    layers: int
    source: str
    status: str
    remark: str


@cache
def load_windings() -> dict[str, Winding]:
    """Return the shipped coil geometries by name."""
    text = files("rheobase.fields").joinpath("data/coils.csv").read_text(encoding="utf-8")
    return {
        r["name"]: Winding(
            name=r["name"],
            model=r["model"],
            wings=int(r["wings"]),
            outer_diameter_mm=float(r["outer_diameter_mm"]),
            inner_diameter_mm=float(r["inner_diameter_mm"]),
            wire_width_mm=float(r["wire_width_mm"]),
            winding_height_mm=float(r["winding_height_mm"]),
            turns_per_layer=int(r["turns_per_layer"]),
            layers=int(r["layers"]),
            source=r["source"],
            status=r["status"],
            remark=r["remark"],
        )
        for r in csv.DictReader(text.splitlines())
    }


def coil(name: str) -> Coil:
    """Return the shipped coil ``name`` in its own frame.

    Raises
    ------
    InputError
        If there is none, with the nearest names.

    Examples
    --------
    >>> coil("magstim-70mm-figure8").wings[:, 0].round(4)
    array([-0.0435,  0.0435])
    """
    table = load_windings()
    w = table[check_option("coil", name, table)]
    outer, inner, wire = (
        0.5e-3 * w.outer_diameter_mm,
        0.5e-3 * w.inner_diameter_mm,
        1e-3 * w.wire_width_mm,
    )
    height = 1e-3 * w.winding_height_mm
    radii = np.linspace(inner + wire / 2, outer - wire / 2, w.turns_per_layer)
    levels = (np.arange(w.layers) + 0.5) * height / w.layers - height / 2
    # the left wing runs anticlockwise seen from outside, the right one clockwise
    sides = [(-outer, 1.0), (outer, -1.0)] if w.wings == 2 else [(0.0, 1.0)]
    positions, segments = [], []
    for x, sense in sides:
        for z in levels:
            for r in radii:
                n = int(np.ceil(2 * np.pi * r / SPACING))
                a = sense * 2 * np.pi * (np.arange(n) + 0.5) / n
                c, s = np.cos(a), np.sin(a)
                positions.append(np.stack([x + r * c, r * s, np.full(n, z)], axis=1))
                step = sense * 2 * np.pi * r / n
                segments.append(step * np.stack([-s, c, np.zeros(n)], axis=1))
    return Coil(
        name=name,
        positions=np.concatenate(positions),
        segments=np.concatenate(segments),
        wings=np.array([[x, 0.0, 0.0, outer] for x, _ in sides]),
        height=height,
    )


def magnetic_dipole(position: ArrayLike, moment: ArrayLike, *, name: str = "dipole") -> Coil:
    """Return a magnetic dipole in head coordinates.

    Parameters
    ----------
    position
        Position (m), shape (3,).
    moment
        Moment per ampere (m²), shape (3,).
    name
        Name of the coil.
    """
    return Coil(
        name=name,
        dipoles=np.atleast_2d(np.asarray(position, dtype=np.float64)),
        moments=np.atleast_2d(np.asarray(moment, dtype=np.float64)),
    )


def place_coil(
    coil: Coil,
    head: Head,
    *,
    position: str | NDArray[np.float64],
    handle_angle_deg: float = 45.0,
    distance_mm: float = 7.0,
) -> Coil:
    """Stand a coil on the scalp, tangential to it.

    Parameters
    ----------
    coil
        The coil in its own frame.
    head
        The head.
    position
        10-10 name, or a point on the scalp (m), under the middle of the coil.
    handle_angle_deg
        Where the handle points, in the plane of the coil: 0 backwards, 90 sideways away from the
        midline (to the right on the midline itself), 45 the usual backwards-and-outwards of motor
        cortex. Backwards and sideways are those of the vertex, carried over the head by the
        smallest turn.
    distance_mm
        Gap between scalp and the winding's near face; the mid-plane is half the winding's height
        further out. The default is 3 mm of casing (the lowest layer of the Magstim D70 in the coil
        files of Drakaki 2022) and 4 mm of hair and air.

    Returns
    -------
    Coil
        In head coordinates.

    Raises
    ------
    InputError
        If the position is not known, not on the scalp, or the coil would cut the head.
    """
    if not (np.isfinite(distance_mm) and distance_mm >= 0):
        raise InputError(f"distance_mm must be >= 0, got {distance_mm!r}: coil {coil.name!r}")
    point = head.position(position) if isinstance(position, str) else np.asarray(position, float)
    where = f"coil {coil.name!r} at {position if isinstance(position, str) else point}"
    scalp = Scalp(head.mesh)
    frame = scalp.frame(point, where=where, radius=NORMAL_RADIUS)
    outwards = -frame.right if point[0] < -1e-3 else frame.right
    angle = np.deg2rad(handle_angle_deg)
    handle = -np.cos(angle) * frame.front + np.sin(angle) * outwards
    pose = np.eye(4)
    pose[:3, 0] = np.cross(handle, frame.normal)
    pose[:3, 1] = handle
    pose[:3, 2] = frame.normal
    pose[:3, 3] = frame.origin + (1e-3 * distance_mm + coil.height / 2) * frame.normal
    placed = coil.moved(pose)
    check_clear(placed, scalp, where=where)
    return placed


def check_clear(coil: Coil, scalp: Scalp, *, where: str = "") -> None:
    """Check that a coil in head coordinates stays outside the head.

    Raises
    ------
    InputError
        If the scalp reaches into a wing, or an element lies inside the head.
    """
    from scipy.spatial import cKDTree

    where = where or f"coil {coil.name!r}"
    nodes = scalp.nodes[np.unique(scalp.triangles)]
    local = (nodes - coil.pose[:3, 3]) @ coil.pose[:3, :3]
    for x, y, _, radius in coil.wings:
        under = np.hypot(local[:, 0] - x, local[:, 1] - y) < radius
        depth = (local[under, 2] + coil.height / 2).max(initial=-np.inf)
        if depth > 0:
            raise InputError(
                f"the coil cuts the head, raise distance_mm by {depth * 1e3:.1f}: {where}"
            )
    elements = np.concatenate([coil.positions, coil.dipoles])
    _, nearest = cKDTree(scalp.centroids).query(elements)
    above = ((elements - scalp.centroids[nearest]) * scalp.normals[nearest]).sum(1)
    if (above <= 0).any():
        raise InputError(f"{int((above <= 0).sum())} coil elements lie inside the head: {where}")
