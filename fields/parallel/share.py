"""One rank's share of a volume conductor, and what it does with the other ranks' shares.

Every public method is called on all ranks together (`rheobase._ranks`). Arguments
named ``whole`` and what is returned are there on rank 0 only: it hands the values out and puts
together what the ranks computed for the nodes that they own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rheobase._ranks import Team
from rheobase.fields.assembly import sigma_of_labels, stiffness, tissue_index
from rheobase.fields.contacts import Contacts
from rheobase.fields.parallel.partition import Portion, partition, portions, receive, send
from rheobase.fields.parallel.system import Rows, System
from rheobase.fields.recovery import Recovery, SplitNodes, recovery, split_nodes, unbalanced
from rheobase.fields.tensors import Tensors
from rheobase.meshes.mesh import TetMesh

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Whole:
    """What only rank 0 has: the mesh, and which nodes each rank owns and knows."""

    mesh: TetMesh
    tensors: Tensors
    split: Callable[[], SplitNodes]


class Share:
    """One rank's share of a volume conductor.

    Parameters
    ----------
    team
        The ranks.
    whole
        The mesh and its tensors, on rank 0.
    sigma
        Conductivity (S/m) by label.
    grounds
        The node held at 0 V of each connected part of the mesh.
    anisotropic
        Labels of the tissues with tensors.
    """

    def __init__(
        self,
        team: Team,
        whole: Whole | None,
        sigma: Mapping[int, float],
        grounds: NDArray[np.int64],
        anisotropic: Sequence[int],
    ) -> None:
        self.team = team
        self._whole = whole
        self._sigma = sigma
        self._anisotropic = anisotropic
        self._own_of: list[NDArray[np.int32]] = []  # nodes that each rank owns, on rank 0
        self._ids_of: list[NDArray[np.int32]] = []  # and those that it knows
        self._portion = self._shared(whole)
        team.agree(self._prepare)
        self.system = System(team, self._assemble(grounds))

    def _shared(self, whole: Whole | None) -> Portion:
        """Cut the mesh up and return this rank's portion."""
        team = self.team
        owner = partition(team, whole.mesh if whole else None)
        mine: Portion | None = None
        if whole is not None:
            assert owner is not None
            for rank, p in enumerate(portions(whole.mesh, whole.tensors, owner, team.size)):
                self._own_of.append(p.ids[p.own])
                self._ids_of.append(p.ids)
                if rank == 0:
                    mine = p
                    continue
                team.comm.send(p.n_nodes, rank)
                arrays = (p.ids, p.nodes, p.tets, p.labels, p.own, p.row)
                team.sent += send(team.comm, arrays, rank)
                team.sent += send(team.comm, (p.tensors.tets, p.tensors.values), rank)
        else:
            n_nodes = team.comm.recv(source=0)
            ids, nodes, tets, labels, own, row = receive(team.comm)
            tensors = Tensors(**dict(zip(("tets", "values"), receive(team.comm), strict=True)))
            mine = Portion(
                ids=ids,
                nodes=nodes,
                tets=tets,
                labels=labels,
                tensors=tensors,
                own=own,
                row=row,
                n_nodes=n_nodes,
            )
        assert mine is not None
        return mine

    def _prepare(self) -> None:
        """Make the mesh of this rank, and find what lies around its nodes."""
        p = self._portion
        tets = np.searchsorted(p.ids, p.tets).astype(np.int32)
        self._mesh = TetMesh(nodes=p.nodes, tets=tets, labels=p.labels)
        self._tensors = p.tensors
        self._own = np.flatnonzero(p.own)
        self._touching = p.own[tets].any(axis=1)
        beside = np.zeros(len(p.ids), np.bool_)
        beside[tets[self._touching]] = True
        beside[self._own] = True  # one without tetrahedra
        self._beside = beside
        self._row = p.row

    def _assemble(self, grounds: NDArray[np.int64]) -> Rows:
        """Return this rank's rows of K."""

        def rows() -> Rows:
            mesh, tensors = self._near
            K = stiffness(mesh, tensors).matrix(self._sigma)[self._own]
            row = self._row
            K = type(K)(
                (K.data, row[K.indices], K.indptr), shape=(len(self._own), self._portion.n_nodes)
            )
            K.sort_indices()
            return Rows(
                indptr=K.indptr.astype(np.int32),
                indices=K.indices.astype(np.int32),
                data=K.data,
                first=int(row[self._own[0]]),
                n_all=self._portion.n_nodes,
                grounds=found,
            )

        found = self._rows_of(grounds)
        return self.team.agree(rows)

    def _rows_of(self, nodes: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the row of the matrix of each of some mesh nodes."""
        p = self._portion
        out = np.zeros(len(nodes), np.int64)
        at = np.minimum(np.searchsorted(p.ids, nodes), len(p.ids) - 1)
        mine = (p.ids[at] == nodes) & p.own[at]
        out[mine] = p.row[at[mine]]
        total: NDArray[np.int64] = self.team.comm.allreduce(out)
        return total

    @cached_property
    def _near(self) -> tuple[TetMesh, Tensors]:
        """The tetrahedra that touch own nodes, and their tensors."""
        mesh, tensors = self._mesh, self._tensors
        chosen = self._touching
        new = np.cumsum(chosen) - 1
        keep = chosen[tensors.tets]
        return (
            TetMesh(nodes=mesh.nodes, tets=mesh.tets[chosen], labels=mesh.labels[chosen]),
            Tensors(tets=new[tensors.tets[keep]].astype(np.int32), values=tensors.values[keep]),
        )

    @cached_property
    def _split(self) -> SplitNodes:
        return split_nodes(self._mesh)

    @cached_property
    def _split_own(self) -> NDArray[np.bool_]:
        """Whether this rank owns the node of each split node."""
        own: NDArray[np.bool_] = self._portion.own[self._split.node]
        return own

    @cached_property
    def _recovery(self) -> Recovery:
        """The fits at the split nodes of own nodes and of those beside them."""
        rows = np.flatnonzero(self._beside[self._split.node]).astype(np.int32)
        return recovery(self._mesh, self._split, anisotropic=self._anisotropic, rows=rows)

    # what all ranks do together

    def apply(self, whole: Floats | None) -> Floats | None:
        """Return K V (A), shape (n_nodes,), of V (V), shape (1, n_nodes)."""
        V = self._scatter(whole, own=True)
        return self._gather(self.system.apply(V[0])[None])

    def solve(
        self, whole: Floats | None, k: int, contacts: Contacts | None, rtol: float
    ) -> tuple[Floats, list[int], list[float]] | None:
        """Solve (K + C) V = b; return V, iterations and true residuals.

        Parameters
        ----------
        whole
            b (A), shape (k, n_nodes).
        k
            How many.
        contacts
            C.
        rtol
            Largest true relative residual.
        """
        b = self._scatter(whole, own=True)
        shared = None
        if contacts is not None:
            shared = self.system.contacts(contacts, self._rows_of(contacts.nodes))
        solved = [self.system.solve(row, shared, rtol) for row in b]
        V = self._gather(np.array([x for x, _, _ in solved]).reshape(k, -1))
        if V is None:
            return None
        return V, [i for _, i, _ in solved], [r for _, _, r in solved]

    def induced_load(self, whole: Floats | None) -> Floats | None:
        """Return -∫ sigma dA/dt · grad(phi_i) (A), (k, n_nodes), of dA/dt (V/m), (k, n, 3)."""
        from rheobase.fields._assembly_numba import vector_load

        A = self._scatter(whole)
        mesh, tensors = self._near
        tensor = tensors.rows(len(mesh.tets))
        load = vector_load(
            mesh.nodes, mesh.tets, self._sigma_of(mesh.labels), tensor, tensors.values, A
        )
        return self._gather(load[:, self._own])

    def heat(self, whole: Floats | None) -> float | None:
        """Return the power (W) of E = -grad V - dA/dt, of V and dA/dt side by side, (1, n, 4)."""
        from rheobase.fields._assembly_numba import joule_by_tet

        both = self._scatter(whole)[0]
        mesh, tensors = self._near
        tensor = tensors.rows(len(mesh.tets))
        V, A = np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1:])
        joule = joule_by_tet(mesh.nodes, mesh.tets, tensor, tensors.values, V, A)
        mine = self._portion.own[mesh.tets[:, 0]]  # each tetrahedron is its first node's
        power = float((self._sigma_of(mesh.labels) * joule)[mine].sum())
        total: float | None = self.team.comm.reduce(power)
        return total

    def at_nodes(self, _: None, functions: Sequence[Callable[[Floats], Floats]]) -> Floats | None:
        """Return vector functions of position at the nodes, shape (k, n_nodes, 3)."""
        points = self._mesh.nodes[self._own]
        values = self.team.agree(lambda: np.stack([f(points) for f in functions]))
        return self._gather(values)

    def gradient(self, whole: Floats | None) -> Floats | None:
        """Return the recovered gradient (V/m), (k, n_split, 3), of V (V), (k, n_nodes)."""
        fits = self.team.agree(lambda: self._recovery)
        found = fits.gradient(self._scatter(whole))
        mine = found[:, self._split_own[fits.rows]]
        if self._whole is None:
            self.team.comm.Send(np.ascontiguousarray(mine), 0)
            return None
        split = self._whole.split()
        out = np.empty((len(mine), len(split.node), 3))
        rank_of = np.empty(self._portion.n_nodes, np.int32)
        for rank, own in enumerate(self._own_of):
            rank_of[own] = rank
        of_split = rank_of[split.node]
        for rank in range(self.team.size):
            places = np.flatnonzero(of_split == rank)
            out[:, places] = mine if rank == 0 else self._received((len(out), len(places), 3), rank)
        return out

    def defects(
        self, whole: Floats | None, singular: Sequence[NDArray[np.integer] | None], rings: int
    ) -> Floats | None:
        """Return K V - D(V) (A), (k, n_nodes), of V (V): see `rheobase.fields.correction`.

        Parameters
        ----------
        whole
            V, shape (k, n_nodes).
        singular
            For each, the nodes where its source is singular, if any.
        rings
            Tetrahedra within so many edges of them are left alone.
        """
        fits = self.team.agree(lambda: self._recovery)
        V = self._scatter(whole)
        mesh, tensors = self._near
        _, tissue = tissue_index(mesh.labels)
        labels = np.unique(mesh.labels)
        sigma = np.tile(sigma_of_labels(labels, self._sigma), (len(V), 1))
        spared = np.zeros(V.shape, np.bool_)
        for row, nodes in zip(spared, singular, strict=True):
            if nodes is not None:
                row[np.flatnonzero(np.isin(self._portion.ids, nodes))] = True
                for _ in range(rings - 1):
                    row[self._mesh.tets[row[self._mesh.tets].any(axis=1)]] = True
        G = np.zeros((len(V), len(self._split.node), 3))
        G[:, fits.rows] = fits.gradient(V)
        of_tet = self._split.of_tet[self._touching]
        b = unbalanced(mesh, of_tet, tissue, sigma, tensors, V, G, spared)
        return self._gather(b[:, self._own])

    # how values travel

    def _sigma_of(self, labels: NDArray[np.int32]) -> Floats:
        distinct, index = tissue_index(labels)
        return sigma_of_labels(distinct, self._sigma)[index]

    def _scatter(self, whole: Floats | None, *, own: bool = False) -> Floats:
        """Return the values (k, n_nodes, …) of rank 0 at own nodes, or at all that are known."""
        comm = self.team.comm
        if whole is None:
            return receive(comm)[0]
        places = self._own_of if own else self._ids_of
        for rank in range(1, self.team.size):
            self.team.sent += send(comm, (whole[:, places[rank]],), rank)
        return np.ascontiguousarray(whole[:, places[0]])

    def _gather(self, mine: Floats) -> Floats | None:
        """Return, on rank 0, the values (k, n_nodes, …) of what each rank has at own nodes."""
        if self._whole is None:
            self.team.comm.Send(np.ascontiguousarray(mine), 0)
            return None
        out = np.empty((len(mine), self._portion.n_nodes, *mine.shape[2:]))
        for rank, own in enumerate(self._own_of):
            shape = (len(mine), len(own), *mine.shape[2:])
            out[:, own] = mine if rank == 0 else self._received(shape, rank)
        return out

    def _received(self, shape: tuple[int, ...], rank: int) -> Floats:
        values = np.empty(shape)
        self.team.comm.Recv(values, rank)
        self.team.received += values.nbytes
        return values
