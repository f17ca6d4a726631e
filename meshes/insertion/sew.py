"""Putting a piece that was meshed anew in the place of what a mesh had there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.carving.indicators import Indicators
from rheobase.meshes.insertion.bodies import Body
from rheobase.meshes.insertion.piece import Piece, State
from rheobase.meshes.insertion.zone import Zone


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Places:
    """Places of rows in an array after some were taken out and others put in.

    Parameters
    ----------
    kept
        Where each old row is now, -1 where it was taken out, shape (n_old,), int32.
    fresh
        Where each new row is, shape (n_new,), int32.
    n
        Number of rows now.
    """

    kept: NDArray[np.int32]
    fresh: NDArray[np.int32]
    n: int

    def fill(self, old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
        """Return the array with the new rows in place."""
        out = np.empty((self.n, *old.shape[1:]), old.dtype)
        stay = self.kept >= 0
        out[self.kept[stay]] = old[stay]
        out[self.fresh] = new
        return out


def places(stays: NDArray[np.bool_], n_new: int) -> Places:
    """Give new rows the places of those taken out, and move rows from the end into gaps.

    Parameters
    ----------
    stays
        Which old rows stay, shape (n_old,).
    n_new
        Number of new rows.

    Examples
    --------
    >>> p = places(np.array([True, False, True, True]), 2)
    >>> p.kept.tolist(), p.fresh.tolist(), p.n
    ([0, -1, 2, 3], [1, 4], 5)
    >>> p = places(np.array([False, False, True, True]), 1)
    >>> p.kept.tolist(), p.fresh.tolist(), p.n
    ([-1, -1, 2, 1], [0], 3)
    """
    n_old = len(stays)
    n = int(np.count_nonzero(stays)) + n_new
    gaps = np.flatnonzero(~stays)
    fresh = np.concatenate([gaps, np.arange(n_old, max(n, n_old))])[:n_new]
    kept = np.where(stays, np.arange(n_old), -1)
    last = np.flatnonzero(stays & (np.arange(n_old) >= n))
    kept[last] = gaps[n_new : n_new + len(last)]
    return Places(kept=kept.astype(np.int32), fresh=fresh.astype(np.int32), n=n)


def followed(kept: NDArray[np.int32], then: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return where rows are after two steps, -1 where they are gone."""
    return np.where(kept >= 0, then[kept], -1).astype(np.int32)


def sewn(
    state: State, zone: Zone, piece: Piece, indicators: Indicators, group: list[Body]
) -> State:
    """Put a piece in the place of what the mesh had there."""
    record, mesh = state.record, piece.mesh
    inside = mesh.material > 0
    stays = ~zone.removed[record.parent]
    used = np.zeros(len(state.nodes), np.bool_)
    used[state.tets[stays]] = True
    _check_seam(state, piece, stays)
    _check_touch(piece, len(record.labels), group)

    # nodes
    needed = np.zeros(len(mesh.nodes), np.bool_)
    needed[mesh.tets[inside]] = True
    new = np.flatnonzero(needed & (piece.node < 0))
    nodes = places(used, len(new))
    number = np.full(len(mesh.nodes), -1, np.int32)
    sewn = piece.node >= 0
    number[sewn] = nodes.kept[piece.node[sewn]]
    number[new] = nodes.fresh
    # tetrahedra
    tets = places(stays, int(inside.sum()))
    material = mesh.material[inside]
    old_tets = np.where(used, nodes.kept, 0)[state.tets]
    labels = np.asarray(indicators.labels, dtype=np.int32)[material]
    # the lattice
    n_old, fresh = len(record.material), zone.old < 0
    lattice = np.where(fresh, n_old + np.cumsum(fresh) - 1, zone.old).astype(np.int32)
    n = n_old + int(fresh.sum())
    xyz = np.empty((n, 3), np.int32)
    xyz[:n_old] = zone.leaves.xyz
    xyz[lattice] = zone.keys
    lattice_tets = places(~zone.removed, len(zone.tets))

    def of_lattice(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
        out = np.empty((n, *old.shape[1:]), old.dtype)
        out[:n_old] = old
        out[lattice[~zone.seam]] = new[~zone.seam]
        return out

    m = len(zone.old)
    at_node = np.where(new < m, lattice[np.minimum(new, m - 1)], -1)
    edge, at = np.full((len(new), 2), -1, np.int32), np.full(len(new), np.nan)
    cut = new >= m
    ends = lattice[mesh.edges[new[cut] - m]]
    edge[cut], at[cut] = ends, mesh.at[new[cut] - m]
    return State(
        nodes=nodes.fill(state.nodes, piece.nodes[new]),
        tets=tets.fill(old_tets, number[mesh.tets[inside]]),
        labels=tets.fill(state.labels, labels),
        leaves=replace(zone.leaves, xyz=xyz),
        record=replace(
            record,
            labels=indicators.labels,
            indicators=indicators,
            edge_length=float(zone.leaves.edge()),
            material=of_lattice(record.material, zone.material),
            points=of_lattice(record.points, piece.points),
            kept=of_lattice(record.kept, mesh.kept),
            snapped=of_lattice(record.snapped, mesh.snapped),
            frozen=of_lattice(record.frozen, piece.frozen),
            lattice_node=nodes.fill(record.lattice_node, at_node),
            cut_edge=nodes.fill(record.cut_edge, edge),
            cut_at=nodes.fill(record.cut_at, at),
            tets=lattice_tets.fill(record.tets, lattice[zone.tets]),
            parent=tets.fill(
                lattice_tets.kept[record.parent], lattice_tets.fresh[mesh.parent[inside]]
            ),
        ),
        column=tets.fill(state.column, material),
        kept_nodes=followed(state.kept_nodes, nodes.kept),
        kept_tets=followed(state.kept_tets, tets.kept),
    )


def _check_touch(piece: Piece, first: int, group: list[Body]) -> None:
    """Check that no body floats in the outside."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    inside = piece.mesh.material > 0
    tets, material = piece.mesh.tets[inside], piece.mesh.material[inside]
    i, j = tets[:, [0, 0, 0]].ravel(), tets[:, 1:].ravel()
    n = len(piece.nodes)
    links = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(n, n))
    n_parts, part = connected_components(links, directed=False)
    holds = np.zeros(n_parts, np.bool_)
    holds[part[tets[material < first, 0]]] = True
    holds[part[piece.node >= 0]] = True
    loose = material[~holds[part[tets[:, 0]]]]
    if len(loose):
        raise InputError(
            f"expected a body that touches the head, body {group[loose[0] - first].name!r} does not"
        )


def _check_seam(state: State, piece: Piece, stays: NDArray[np.bool_]) -> None:
    """Check that the piece fits where the old tetrahedra were taken out."""
    from rheobase.meshes.insertion._insert_numba import match_rows

    on = np.zeros(len(state.nodes), np.bool_)
    on[piece.node[piece.node >= 0]] = True
    kept = _faces(state.tets[stays], on)
    gone = _faces(state.tets[~stays], on)
    open_faces = kept[match_rows(kept, gone) >= 0]
    here = piece.node >= 0
    mine = np.sort(piece.node[_faces(piece.mesh.tets, here)], axis=1)
    unmatched = int((match_rows(open_faces, mine) < 0).sum())
    if unmatched:
        raise RuntimeError(
            f"the new piece misses {unmatched} of {len(open_faces)} faces at its seam"
        )


def _faces(tets: NDArray[np.int32], on: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the faces of tetrahedra with all nodes in a set, sorted, shape (n, 3)."""
    near = tets[on[tets].sum(axis=1) >= 3]
    faces = near[:, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]].reshape(-1, 3)
    return np.sort(faces[on[faces].all(axis=1)], axis=1)
