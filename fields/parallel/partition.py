"""The partition of a mesh: every node has one rank, and every rank the mesh around its nodes.

Rank 0 has the mesh. The graph of its nodes goes to all ranks in equal blocks of rows, PETSc's
partitioner (PT-Scotch unless ``-rheobase_mat_partitioning_type`` says otherwise) cuts it into parts
of equal size with few edges between them, and each rank gets the tetrahedra around its nodes.

Recovering a field at a node takes the potential within three edges of it (`fields.recovery`), and a
balance of fluxes the field at the neighbours as well. So a rank gets its nodes and four rings
around them, and what it computes there needs no message.

Reference: Chevalier & Pellegrini, Parallel Comput 34:318 (2008), doi:10.1016/j.parco.2007.12.001.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._dolfinx import petsc
from rheobase._errors import InputError
from rheobase._ranks import Team
from rheobase.fields.petsc_options import PREFIX, defaults
from rheobase.fields.tensors import Tensors
from rheobase.meshes.mesh import TetMesh

RINGS = 4  # three of a fit, one of a balance
_BITS = 64
_FEWEST = 100  # nodes a rank: fewer are no work to share


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Portion:
    """What one rank has of a mesh.

    Parameters
    ----------
    ids
        Mesh nodes that it knows, ascending, shape (n,), int32.
    nodes
        Their coordinates (m), shape (n, 3).
    tets, labels
        Tetrahedra around its nodes, ascending, as mesh nodes, (m, 4), and their labels, (m,).
    tensors
        Relative conductivity tensors of some of these tetrahedra.
    own
        Whether it owns each node that it knows, shape (n,).
    row
        Row of the matrix of each node that it knows, shape (n,), int32.
    n_nodes
        Nodes of the mesh.
    """

    ids: NDArray[np.int32]
    nodes: NDArray[np.float64]
    tets: NDArray[np.int32]
    labels: NDArray[np.int32]
    tensors: Tensors
    own: NDArray[np.bool_]
    row: NDArray[np.int32]
    n_nodes: int


def partition(team: Team, mesh: TetMesh | None) -> NDArray[np.int32] | None:
    """Return the rank of each node, shape (n_nodes,), on rank 0; all ranks call it.

    Parameters
    ----------
    team
        The ranks.
    mesh
        The mesh, on rank 0.

    Raises
    ------
    InputError
        If the mesh has too few nodes for so many ranks, or PETSc does not take an option.
    """
    comm, PETSc = team.comm, petsc()
    n = comm.bcast(None if mesh is None else len(mesh.nodes))
    team.agree(lambda: _check_size(n, team.size))
    bounds = np.arange(team.size + 1, dtype=np.int64) * n // team.size
    if mesh is not None:
        blocks = _graph(mesh, bounds)
        mine = next(blocks)
        for rank, block in enumerate(blocks, 1):
            team.sent += send(comm, block, rank)
    else:
        mine = receive(comm)
    indptr, indices = mine
    size = bounds[team.rank + 1] - bounds[team.rank]
    graph = PETSc.Mat().createAIJ(
        size=((size, n), (size, n)), csr=(indptr, indices, np.ones(len(indices))), comm=comm
    )
    cut = PETSc.MatPartitioning().create(comm)
    parts = PETSc.IS().create(comm)
    adjacency = graph.convert("mpiadj", PETSc.Mat())
    graph.destroy()

    def cut_up() -> None:
        with defaults({"mat_partitioning_type": "ptscotch"}):
            cut.setOptionsPrefix(PREFIX)
            cut.setAdjacency(adjacency)
            cut.setFromOptions()
            cut.apply(parts)

    team.agree(cut_up)
    owner = np.empty(n, np.int32) if mesh is not None else None
    counts = np.diff(bounds).tolist()
    comm.Gatherv(parts.getIndices(), [owner, counts] if owner is not None else None)
    for thing in (cut, adjacency, parts):
        thing.destroy()
    fewest = comm.bcast(None if owner is None else np.bincount(owner, minlength=team.size).min())
    team.agree(lambda: _check_size(fewest, 1))
    return owner


def _check_size(n: int, ranks: int) -> None:
    if n < _FEWEST * ranks:
        raise InputError(
            f"expected at least {_FEWEST} nodes for each rank, got {n} for {ranks}: "
            "start fewer ranks, or solve on a finer mesh"
        )


def _graph(mesh: TetMesh, bounds: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int32], ...]]:
    """Yield the rows of the graph of the nodes, a block at a time."""
    from rheobase.fields._assembly_numba import tets_of_nodes
    from rheobase.fields.parallel._partition_numba import graph_rows

    n, one = len(mesh.nodes), np.zeros(len(mesh.tets), np.uint8)
    ptr, around = tets_of_nodes(n, mesh.tets, one, 1)
    for first, stop in pairwise(bounds.tolist()):
        yield graph_rows(first, stop, mesh.tets, ptr, around)


def portions(
    mesh: TetMesh, tensors: Tensors, owner: NDArray[np.int32], size: int
) -> Iterator[Portion]:
    """Yield the portion of each rank, on rank 0.

    Parameters
    ----------
    mesh, tensors
        The mesh and its relative conductivity tensors.
    owner
        Rank of each node, shape (n_nodes,).
    size
        How many ranks there are.
    """
    from rheobase.fields.parallel._partition_numba import widen

    order = np.argsort(owner, kind="stable")
    row = np.empty(len(owner), np.int32)
    row[order] = np.arange(len(owner), dtype=np.int32)
    del order
    tensor = tensors.rows(len(mesh.tets)) if len(tensors.tets) else None
    of_node = np.empty(len(owner), np.uint64)
    of_tet = np.empty(len(mesh.tets), np.uint64)
    for first in range(0, size, _BITS):
        here = owner // _BITS == first // _BITS
        of_node[:] = np.where(here, np.uint64(1) << (owner % _BITS).astype(np.uint64), np.uint64(0))
        widen(mesh.tets, of_node, of_tet, RINGS)
        for rank in range(first, min(first + _BITS, size)):
            bit = np.uint64(1) << np.uint64(rank - first)
            ids = np.flatnonzero(of_node & bit).astype(np.int32)
            tets = np.flatnonzero(of_tet & bit)
            some = Tensors(tets=np.empty(0, np.int32), values=np.empty((0, 6)))
            if tensor is not None:
                places = tensor[tets]
                have = np.flatnonzero(places >= 0)
                some = Tensors(tets=have.astype(np.int32), values=tensors.values[places[have]])
            yield Portion(
                ids=ids,
                nodes=mesh.nodes[ids],
                tets=mesh.tets[tets],
                labels=mesh.labels[tets],
                tensors=some,
                own=owner[ids] == rank,
                row=row[ids],
                n_nodes=len(owner),
            )


def send(comm: Any, arrays: tuple[NDArray[Any], ...], rank: int) -> int:
    """Send arrays to a rank; return how many bytes they have."""
    comm.send([(a.shape, a.dtype) for a in arrays], rank)
    for a in arrays:
        comm.Send(np.ascontiguousarray(a), rank)
    return sum(a.nbytes for a in arrays)


def receive(comm: Any, rank: int = 0) -> tuple[NDArray[Any], ...]:
    """Return the arrays that a rank sent."""
    arrays = tuple(np.empty(shape, dtype) for shape, dtype in comm.recv(source=rank))
    for a in arrays:
        comm.Recv(a, rank)
    return arrays
