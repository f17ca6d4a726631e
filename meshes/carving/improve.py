"""Guarded improvement: nodes move onto the interfaces, along them and inside tissues.

No move may make the worst tetrahedron around a node worse than it was or than a floor, so the mesh
stays valid at every step, outside included. Nodes on an interface are projected onto the tie of the
materials around them (Gauss-Newton, least-norm step) and never leave it for quality; the other
nodes move to the volume-weighted mean of the centroids around them. Between sweeps the indicators
are corrected for the volumes that the mesh lacks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._threads import in_parts
from rheobase.meshes.carving.cut import CutMesh
from rheobase.meshes.carving.indicators import Indicators

#: Moves for smoothness may lower the smallest dihedral angle to this (°), no further.
SMOOTH_FLOOR = 20.0
#: Moves onto an interface may lower it to this (°).
FIT_FLOOR = 13.0
#: Nodes away from interfaces move only if it stays above this (°) or rises.
FREE_FLOOR = 45.0

#: Tetrahedra whose smallest dihedral angle is below this (°) get so many extra attempts.
AIM = 17.0
ROUNDS = 24

#: Nodes farther from where they should be than this part of an edge go there at a lower floor.
OFF = 0.01
#: Sweeps of smoothing, and how many more may follow while volumes are off.
SWEEPS = 3
MORE_SWEEPS = 4
#: What part of a volume correction arrives (guards hold nodes back) is learnt within these limits,
#: and the next one asks for at most so many times more for it.
ANSWERS = (0.25, 2.5)
GROWTH = 2.0
#: An interface is asked to move by at most this part of the largest offset at once.
STEP_LIMIT = 0.2
#: Corrections end when every label is this close (relative).
VOLUME_ERROR = 0.001
#: Triangles at which the slope across interfaces is measured.
SLOPES = 20_000
#: Step of differences, in edges.
STEP = 0.05
#: A Gauss-Newton step below this part of an edge is the last one.
SHORT = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Around:
    """What is around each node of a mesh, fixed while nodes move; only tetrahedra that change."""

    tets: NDArray[np.int32]
    inside: NDArray[np.bool_]
    first: NDArray[np.int64]
    members: NDArray[np.int32]
    found: NDArray[np.int32]
    number: NDArray[np.uint8]
    walls: NDArray[np.uint8]
    triangles: NDArray[np.int32]
    pairs: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Improved:
    """An improved mesh.

    Parameters
    ----------
    nodes
        Coordinates (m), shape (n_nodes, 3).
    indicators
        The indicators that its interfaces tie, volume corrections included.
    worst
        Sine of the smallest dihedral angle of each tetrahedron inside, shape (n_inside,).
    """

    nodes: NDArray[np.float64]
    indicators: Indicators
    worst: NDArray[np.float64]


def improve(
    mesh: CutMesh,
    indicators: Indicators,
    edge_length: float,
    *,
    wanted: NDArray[np.float64] | None = None,
    fixed: NDArray[np.bool_] | None = None,
    draft: bool = False,
) -> Improved:
    """Improve the node positions of a cut lattice.

    Parameters
    ----------
    mesh
        The cut lattice.
    indicators
        The functions that define the interfaces.
    edge_length
        Mean edge of the smallest lattice tetrahedra (m); scales differences and random steps.
    wanted
        Volume that each material should have (m³), not finite where it does not matter; the
        indicators' offsets are changed towards it. No correction if None.
    fixed
        Nodes that must not move, shape (n_nodes,).
    draft
        Only one sweep, to learn the offsets.
    """
    from rheobase.meshes.carving._improve_numba import interior_targets, relax

    nodes = mesh.nodes.copy()
    held = np.zeros(len(nodes), np.bool_) if fixed is None else fixed
    around, on, free = _around(mesh, held)
    q = qualities(nodes, around.tets, around.inside)
    guard = (around.tets, around.inside, q, around.first, around.members)

    def fit(points: NDArray[np.float64], which: NDArray[np.int64]) -> NDArray[np.float64]:
        return project(points, around, which, indicators, edge_length)

    crossing = on[around.number[on] > 2]
    relax(nodes, *guard, crossing, fit(nodes[crossing], crossing), 1, _sine(FIT_FLOOR))
    boost, before = np.ones(len(indicators.labels)), None
    for sweep in range(1 if draft else SWEEPS + MORE_SWEEPS):
        if wanted is not None and sweep > 0:
            missing = _missing(mesh, nodes, wanted)
            if sweep >= SWEEPS and not missing.any():
                break
            if before is not None:
                boost = _boost(before, missing, boost)
            indicators = _corrected(nodes, around, indicators, boost * missing, edge_length)
            before = missing
        elif sweep >= SWEEPS:
            break
        target = fit(_tangential(nodes, around, on), on)
        relax(nodes, *guard, on, target, 1, _sine(SMOOTH_FLOOR))
        off = np.abs(target - nodes[on]).max(axis=1) > OFF * edge_length
        target = fit(nodes[on[off]], on[off])
        relax(nodes, *guard, on[off], target, 2, _sine(FIT_FLOOR))
        if sweep < SWEEPS and not draft:
            target = np.empty((len(free), 3))
            given = (nodes, around.tets, around.first, around.members, around.walls)
            in_parts(
                lambda some: interior_targets(*given, free[some], target[some]),  # noqa: B023
                len(free),
            )
            relax(nodes, *guard, free, target, 3, _sine(FREE_FLOOR))
    if draft and wanted is not None:
        missing = _missing(mesh, nodes, wanted)
        indicators = _corrected(nodes, around, indicators, missing, edge_length)

    rng = np.random.default_rng(0)
    for n in range(0 if draft else ROUNDS):
        bad = q < _sine(AIM)
        if not bad.any():
            break
        which = np.unique(around.tets[bad]).astype(np.int64)
        which = which[~held[which]]
        step = rng.normal(scale=edge_length * (0.2, 0.1, 0.05)[n % 3], size=(len(which), 3))
        step[(around.walls[which, None] & [1, 2, 4]) > 0] = 0.0
        target = nodes[which] + step
        tied = around.number[which] >= 2
        target[tied] = fit(target[tied], which[tied])
        relax(nodes, *guard, which, target, 1, 2.0)
    inside = mesh.tets[mesh.material > 0]
    return Improved(
        nodes=nodes,
        indicators=indicators,
        worst=qualities(nodes, inside, np.ones(len(inside), np.bool_)),
    )


def qualities(
    nodes: NDArray[np.float64], tets: NDArray[np.int32], inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the sine of the smallest dihedral angle of tetrahedra, -1 where the volume is not > 0.

    Those that are not ``inside`` (shape (n,)) have 2 where it is.
    """
    from rheobase.meshes.carving._improve_numba import write_qualities

    out = np.empty(len(tets))
    in_parts(
        lambda some: write_qualities(nodes, tets[some], inside[some], out[some]), len(tets), 1 << 17
    )
    return out


def _sine(degrees: float) -> float:
    return float(np.sin(np.radians(degrees)))


def _around(
    mesh: CutMesh, held: NDArray[np.bool_]
) -> tuple[_Around, NDArray[np.int64], NDArray[np.int64]]:
    """Return what is around the nodes, those on an interface, and those next to one."""
    from rheobase.meshes._faces_numba import interfaces
    from rheobase.meshes.carving._improve_numba import incidence, near, node_materials

    found, number = node_materials(mesh.tets, mesh.material, len(mesh.nodes))
    tied = number >= 2
    changed = near(mesh.tets, tied)
    ring = tied.copy()
    ring[mesh.tets[changed[mesh.material[changed] > 0]]] = True
    alone = ring & (number == 1)
    # nodes that only tetrahedra of the outside surround stay
    alone[alone] = found[alone, 0] > 0
    moving = (tied | alone) & ~held
    changed = near(mesh.tets, moving)
    tets = mesh.tets[changed]
    first, members = incidence(tets, len(mesh.nodes))
    triangles, pairs = interfaces(mesh.tets, mesh.material, len(mesh.nodes), tied)
    around = _Around(
        tets=tets,
        inside=mesh.material[changed] > 0,
        first=first,
        members=members,
        found=found,
        number=number,
        walls=mesh.walls,
        triangles=triangles,
        pairs=pairs,
    )
    return around, np.flatnonzero(tied & moving), np.flatnonzero(alone & moving)


def _missing(
    mesh: CutMesh, nodes: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the volume that each material lacks (m³), all 0 if none lacks much."""
    from rheobase.meshes.carving._improve_numba import material_volumes

    missing = wanted - material_volumes(nodes, mesh.tets, mesh.material, len(wanted))
    missing[~np.isfinite(wanted)] = 0.0
    near = not (np.abs(missing) > VOLUME_ERROR * wanted).any()
    return np.zeros_like(missing) if near else missing


def _boost(
    before: NDArray[np.float64], missing: NDArray[np.float64], boost: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return by how much to ask for more than is missing, as the last answer was short of it."""
    asked = before * boost
    answer = np.divide(before - missing, asked, out=np.ones_like(asked), where=asked != 0)
    grown: NDArray[np.float64] = np.minimum(1.0 / np.clip(answer, *ANSWERS), GROWTH * boost)
    return grown


def _corrected(
    nodes: NDArray[np.float64],
    around: _Around,
    indicators: Indicators,
    missing: NDArray[np.float64],
    edge_length: float,
) -> Indicators:
    """Return the indicators with offsets that give back the volumes ``missing`` (m³).

    A change of the offsets moves the interface of two materials by ``reach`` / slope of their
    difference; the outside takes what is left.
    """
    if not missing.any() or len(around.triangles) == 0:
        return indicators
    n = len(missing)
    stride = 1 + len(around.triangles) // SLOPES
    some, pairs = around.triangles[::stride], around.pairs[::stride]
    corner = nodes[some[:, 0]]
    across = np.cross(nodes[some[:, 1]] - corner, nodes[some[:, 2]] - corner)
    area = 0.5 * np.linalg.norm(across, axis=1) * stride
    _, gradient = indicators.gradients(nodes[some].mean(axis=1), pairs, STEP * edge_length)
    slope = np.linalg.norm(gradient[:, 0] - gradient[:, 1], axis=1)
    slope = np.maximum(slope, 0.1 * np.median(slope) if len(slope) else 1.0)
    gain = np.bincount(
        pairs[:, 0] * n + pairs[:, 1],
        weights=indicators.reach * area / np.where(slope > 0, slope, np.inf),
        minlength=n * n,
    ).reshape(n, n)
    gain += gain.T
    laplacian = np.diag(gain.sum(axis=1)) - gain
    step = np.zeros(n)
    # at most so much of each label at once; the steps of nested layers add up
    bound = STEP_LIMIT * indicators.most * gain.sum(axis=1)
    missing = np.clip(missing, -bound, bound)
    inner = laplacian[1:, 1:]  # a label may have no interface yet
    inner += np.diag(1e-3 * np.diag(inner) + 1e-12 * max(float(np.diag(inner).max()), 1e-300))
    step[1:] = np.linalg.solve(inner, missing[1:])
    most = indicators.most
    return indicators.with_offsets(np.clip(indicators.offsets + step, -most, most))


def _tangential(
    nodes: NDArray[np.float64], around: _Around, which: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mean of the neighbours on the same interface, halfway from each node."""
    from rheobase.meshes.carving._improve_numba import interface_sums

    sums, n = np.zeros_like(nodes), np.zeros(len(nodes), np.int64)
    interface_sums(nodes, around.triangles, around.found, around.number, sums, n)
    here = nodes[which]
    mean = np.where(n[which, None] > 0, sums[which] / np.maximum(n[which, None], 1), here)
    # a node on a wall keeps to it
    mean = np.where((around.walls[which, None] & [1, 2, 4]) > 0, here, mean)
    target: NDArray[np.float64] = 0.5 * (here + mean)
    return target


def project(
    points: NDArray[np.float64],
    around: _Around,
    which: NDArray[np.int64],
    indicators: Indicators,
    edge_length: float,
) -> NDArray[np.float64]:
    """Return points moved onto the tie of the materials around the nodes ``which``.

    One Gauss-Newton step and at most two more with the same gradients, until one is short; steps
    are limited to half an edge. Nodes with more than four materials stay.
    """
    out = points.copy()
    in_parts(
        lambda some: _project(out[some], around, which[some], indicators, edge_length), len(out)
    )
    return out


def _project(
    out: NDArray[np.float64],
    around: _Around,
    which: NDArray[np.int64],
    indicators: Indicators,
    edge_length: float,
) -> None:
    """Do what `project` does to some points, in place."""
    from rheobase.meshes.carving._improve_numba import newton_steps

    for k in (2, 3, 4):
        rows = np.flatnonzero(around.number[which] == k)
        if len(rows) == 0:
            continue
        m = np.ascontiguousarray(around.found[which[rows], :k])
        some = out[rows]
        f, gradient = indicators.gradients(some, m, STEP * edge_length)
        walls = around.walls[which[rows]]
        for n in range(3):
            last = some.copy()
            newton_steps(some, gradient, f, walls, 0.5 * edge_length)
            out[rows] = some
            far = np.abs(some - last).max(axis=1) > SHORT * edge_length
            if n == 2 or not far.any():
                break
            rows, m, gradient, walls = rows[far], m[far], gradient[far], walls[far]
            some = some[far]
            f = indicators.chosen(some, m)
