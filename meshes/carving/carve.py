"""From indicators and an octree to a mesh: cut, improve, and leave uncut what turns out badly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.meshes.carving.carved import Carved, LatticeRecord, mesh_report
from rheobase.meshes.carving.closing import close_layers, keep_small
from rheobase.meshes.carving.cut import CutMesh, cut_lattice
from rheobase.meshes.carving.improve import Improved, improve, qualities
from rheobase.meshes.carving.indicators import Indicators
from rheobase.meshes.carving.lattice import Octree
from rheobase.meshes.mesh import TetMesh

#: Tetrahedra with a smaller dihedral angle (°) give up the nodes moved into thin layers near them,
#: and if that does not help, have their part of the lattice left uncut.
MIN_DIHEDRAL = 8.0
#: So has, worst first, what makes more than this share of tetrahedra smaller than this angle (°).
LOW_DIHEDRAL = 12.5
LOW_SHARE = 0.008
#: Cuts that only teach the volumes, each on a lattice labelled anew, until no offset moves by more
#: than this part of the largest one.
DRAFTS = 2
SETTLED = 0.05
#: Rebuilds that only give up moved nodes, before anything is left uncut.
PATIENCE = 3
#: Rebuilds allowed for that; each leaves more of the lattice uncut, whose angles are 45° or more.
ATTEMPTS = 20
#: Rings of tetrahedra around a change whose nodes move again.
RINGS = 3


def carve(
    octree: Octree,
    indicators: Indicators,
    edge_length: float,
    *,
    wanted: NDArray[np.float64] | None,
    volumes: Mapping[int, float],
    voxels: Mapping[int, int],
    touching: frozenset[tuple[int, int]] | None,
) -> Carved:
    """Mesh the materials on a lattice.

    Parameters
    ----------
    octree
        The lattice.
    indicators
        The functions whose ties are the interfaces.
    edge_length
        Mean edge of the finest lattice tetrahedra (m).
    wanted
        Volume that each material shall keep (m³), None for none.
    volumes, voxels, touching
        What the report compares with: volumes (m³) and voxels of the labels, pairs that touch.

    Raises
    ------
    InputError
        If no tetrahedron lies in a material other than the outside.
    """
    walls = octree.walls()
    lattice = _lattice(octree, indicators, walls, edge_length)
    for _ in range(DRAFTS if wanted is not None else 0):
        with stage("mesh: draft for the volumes"):
            none = np.zeros(len(walls), np.bool_)
            mesh = _cut(lattice, indicators, walls, none)
            learnt = indicators.offsets
            draft = improve(mesh, indicators, edge_length, wanted=wanted, draft=True)
            indicators = draft.indicators
            lattice = _lattice(octree, indicators, walls, edge_length)
        if np.abs(indicators.offsets - learnt).max() <= SETTLED * indicators.most:
            break
    frozen = np.zeros(len(walls), np.bool_)
    mesh = _cut(lattice, indicators, walls, frozen)
    if not (mesh.material > 0).any():  # all of it is thin: no node may leave its material
        lattice.kept |= lattice.material > 0
        lattice.last |= lattice.material > 0
        mesh = _cut(lattice, indicators, walls, frozen)
    if not (mesh.material > 0).any():
        raise InputError(
            f"nothing to mesh: at edge_length {edge_length:g} m no tetrahedron lies in a "
            "material other than the outside"
        )
    with stage("mesh: improve"):
        better = improve(mesh, indicators, edge_length, wanted=wanted)
    rebuilds = 0
    while (bad := _bad(better)).any():
        before = lattice.nodes.copy(), lattice.material.copy()
        _give_up(lattice, frozen, mesh.parent[mesh.material > 0][bad], rebuilds)
        same = (before[0] == lattice.nodes).all(axis=1) & (before[1] == lattice.material)
        still = same[mesh.mixed].all(axis=1)
        rebuilds += 1
        with stage("mesh: mend"):
            # cut by the same indicators as before: only what was given up changes
            known = mesh.mixed[still], mesh.ties[still]
            fresh = _cut(lattice, indicators, walls, frozen, known)
            start, fixed = carry_over(mesh, better.nodes, fresh)
            better = improve(start, better.indicators, edge_length, fixed=fixed)
        mesh = fresh
        if (
            rebuilds == ATTEMPTS
        ):  # the lattice itself, labelled by centroids: nothing better is left
            break
    final, record = _record(octree, lattice, frozen, mesh, better, edge_length)
    report = mesh_report(
        final,
        wanted=volumes,
        voxels=voxels,
        touching=touching,
        n_open=lattice.n_open,
        n_uncut=int(frozen.sum()),
        n_rebuilds=rebuilds,
    )
    return Carved(mesh=final, report=report, lattice=record)


@dataclass(kw_only=True, slots=True, eq=False)
class _Lattice:
    """A lattice with materials; what is given up on the way changes in place.

    Parameters
    ----------
    regular, own
        Node positions (m) and materials before any node moved into a layer.
    nodes, material
        The same after that.
    kept
        Nodes that keep their place and material when the lattice is cut.
    last
        Those of them without which a label would be lost.
    tets
        The tetrahedra around all tissue, shape (n, 4).
    n_open
        Edges across a layer that could not be closed.
    """

    regular: NDArray[np.float64]
    own: NDArray[np.int32]
    nodes: NDArray[np.float64]
    material: NDArray[np.int32]
    kept: NDArray[np.bool_]
    last: NDArray[np.bool_]
    tets: NDArray[np.int32]
    n_open: int


def _lattice(
    octree: Octree, indicators: Indicators, walls: NDArray[np.uint8], edge_length: float
) -> _Lattice:
    with stage("mesh: materials of the lattice"):
        regular = octree.nodes()
        own = indicators.material(regular)
        tets = _around_tissue(octree, own)
        nodes, material, kept, n_open = close_layers(regular, tets, own, indicators, walls)
        last = keep_small(nodes, regular, material, kept, indicators, walls, edge_length)
        return _Lattice(
            regular=regular,
            own=own,
            nodes=nodes,
            material=material,
            kept=kept,
            last=last,
            tets=_around_tissue(octree, material),
            n_open=n_open,
        )


def _around_tissue(octree: Octree, material: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the lattice tetrahedra with tissue, and those around them.

    The outer ones let the improvement see that the outside keeps its shape.
    """
    near = material > 0
    near[octree.tets(material)] = True
    return octree.tets(near.astype(np.int32))


def _cut(
    lattice: _Lattice,
    indicators: Indicators,
    walls: NDArray[np.uint8],
    frozen: NDArray[np.bool_],
    known: tuple[NDArray[np.int32], NDArray[np.float64]] | None = None,
) -> CutMesh:
    with stage("mesh: cut"):
        return cut_lattice(
            lattice.nodes,
            lattice.tets,
            lattice.material,
            indicators,
            walls,
            frozen,
            kept=lattice.kept,
            known=known,
        )


def _bad(better: Improved) -> NDArray[np.bool_]:
    """Return the tetrahedra inside whose angles are too small."""
    bad: NDArray[np.bool_] = better.worst < np.sin(np.radians(MIN_DIHEDRAL))
    low = np.flatnonzero(better.worst < np.sin(np.radians(LOW_DIHEDRAL)))
    many = len(low) - int(LOW_SHARE * len(bad))
    if many > 0:  # the worst of them, so that few enough are left
        bad[low[np.argsort(better.worst[low], kind="stable")[:many]]] = True
    return bad


def _give_up(
    lattice: _Lattice, frozen: NDArray[np.bool_], parents: NDArray[np.int32], rebuilds: int
) -> None:
    """Put nodes around bad tetrahedra back into the lattice; freeze what never moved."""
    around = np.unique(lattice.tets[parents])
    kept = lattice.kept[around]
    away = kept & (lattice.nodes[around] != lattice.regular[around]).any(axis=1)
    frozen[around[~kept]] |= rebuilds >= PATIENCE
    lattice.nodes[around[away]] = lattice.regular[around[away]]
    drop = around[(away if rebuilds == 0 else kept) & ~lattice.last[around]]
    lattice.kept[drop] = False
    lattice.material[drop] = lattice.own[drop]
    if rebuilds > 2 * PATIENCE:  # nor can what a label needs be kept
        lattice.kept[around] = False
        frozen[around] = True
    if rebuilds == ATTEMPTS - 1:
        lattice.kept[:] = False
        lattice.nodes[:] = lattice.regular
        frozen[:] = True


def carry_over(
    old: CutMesh, improved: NDArray[np.float64], new: CutMesh
) -> tuple[CutMesh, NDArray[np.bool_]]:
    """Start a new cut from the improved nodes of an old one where nothing has changed.

    Parameters
    ----------
    old, new
        Two cuts of one lattice.
    improved
        Improved nodes of ``old``, shape (n_old, 3).

    Returns
    -------
    start
        The new cut with nodes of the old one.
    fixed
        Nodes too far from any change to move again, shape (n_new,).
    """
    from rheobase.meshes.carving._improve_numba import near

    n = len(new.snapped)
    source = np.full(len(new.nodes), -1, np.int64)
    source[:n] = np.arange(n)
    keys = [m.edges[:, 0].astype(np.int64) * n + m.edges[:, 1] for m in (old, new)]
    at = np.minimum(np.searchsorted(keys[0], keys[1]), max(len(keys[0]) - 1, 0))
    if len(keys[0]):
        source[n:] = np.where(keys[0][at] == keys[1], n + at, -1)
    same = source >= 0
    same[same] = (old.nodes[source[same]] == new.nodes[same]).all(axis=1)
    nodes = np.where(same[:, None], improved[np.maximum(source, 0)], new.nodes)
    fixed = same.copy()
    for _ in range(RINGS):
        fixed[new.tets[near(new.tets, ~fixed)]] = False
    close = new.tets[near(new.tets, ~fixed)]
    every = np.ones(len(close), np.bool_)
    while True:  # an improved node beside one that is not may leave no room: start it anew
        flat = close[qualities(nodes, close, every) < 1e-2]
        again = np.unique(flat[(nodes[flat] != new.nodes[flat]).any(axis=2)])
        if len(again) == 0:
            break
        nodes[again] = new.nodes[again]
        fixed[again] = False
    return replace(new, nodes=nodes), fixed


def _record(
    octree: Octree,
    lattice: _Lattice,
    frozen: NDArray[np.bool_],
    mesh: CutMesh,
    better: Improved,
    edge_length: float,
) -> tuple[TetMesh, LatticeRecord]:
    """Return the mesh without the outside, and how it came out of the lattice."""
    inside = mesh.material > 0
    chosen = mesh.tets[inside]
    n, n_all = len(lattice.material), len(mesh.nodes)
    used = np.zeros(n_all, np.bool_)
    used[chosen] = True
    index = np.cumsum(used, dtype=np.int32) - np.int32(1)
    labels = better.indicators.labels
    final = TetMesh(
        nodes=better.nodes[used],
        tets=index[chosen],
        labels=np.asarray(labels, dtype=np.int32)[mesh.material[inside]],
    )
    origin = np.full(n_all, -1, np.int32)
    edge, at = np.full((n_all, 2), -1, np.int32), np.full(n_all, np.nan)
    origin[:n] = np.arange(n)
    edge[n:], at[n:] = mesh.edges, mesh.at
    record = LatticeRecord(
        octree=octree,
        labels=labels,
        indicators=better.indicators,
        edge_length=edge_length,
        points=lattice.nodes,
        material=lattice.material,
        kept=mesh.kept,
        snapped=mesh.snapped,
        frozen=frozen,
        lattice_node=origin[used],
        cut_edge=edge[used],
        cut_at=at[used],
        tets=lattice.tets,
        parent=mesh.parent[inside],
    )
    return final, record
