"""A volume conductor that all ranks share, as rank 0 sees it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._ranks import Team
from rheobase.fields.assembly import sigma_of_labels, tissue_index
from rheobase.fields.contacts import Contacts
from rheobase.fields.grounds import grounds
from rheobase.fields.parallel.share import Share, Whole
from rheobase.fields.recovery import SplitNodes, split_nodes
from rheobase.fields.tensors import Tensors
from rheobase.meshes.mesh import TetMesh

Floats = NDArray[np.float64]
_AT_ONCE = 4  # recovered fields in memory


class Shared:
    """The engine of `rheobase.fields.solver.Conductor` on several ranks; on rank 0 only.

    Parameters
    ----------
    team
        The ranks.
    mesh, sigma, tensors
        As in the conductor.
    """

    def __init__(
        self, team: Team, mesh: TetMesh, sigma: Mapping[int, float], tensors: Tensors
    ) -> None:
        sigma_of_labels(tissue_index(mesh.labels)[0], sigma)
        tensors.rows(len(mesh.tets))
        self._team = team
        self._mesh = mesh
        self.part, self.grounds = grounds(mesh)
        anisotropic = np.unique(mesh.labels[tensors.tets]).tolist()
        # what rank 0 keeps must not keep this object
        self._splits = _Splits(mesh)
        whole = Whole(mesh=mesh, tensors=tensors, split=self._splits)
        self._number = team.create(Share, dict(sigma), self.grounds, anisotropic, whole=whole)
        weakref.finalize(self, team.drop, self._number)

    @property
    def split(self) -> SplitNodes:
        """The (node, tissue) pairs of the mesh."""
        return self._splits()

    def _call(self, method: str, *small: Any, whole: Any = None) -> Any:
        return self._team.call(self._number, method, *small, whole=whole)

    def apply(self, V: Floats) -> Floats:
        """Return K V (A), shape (n_nodes,)."""
        out: Floats = self._call("apply", whole=V[None])[0]
        return out

    def at_nodes(self, functions: Sequence[Callable[[Floats], Floats]]) -> Floats:
        """Return vector functions of position at the nodes, shape (k, n_nodes, 3)."""
        values: Floats = self._call("at_nodes", list(functions))
        return values

    def induced_load(self, A: Floats) -> Floats:
        """Return -∫ sigma dA/dt · grad(phi_i) (A), shape (k, n_nodes)."""
        load: Floats = self._call("induced_load", whole=A)
        return load

    def heat(self, V: Floats, A: Floats) -> float:
        """Return the power (W) that E = -grad V - dA/dt turns into heat."""
        return float(self._call("heat", whole=np.column_stack([V, A])[None]))

    def gradient(self, V: Floats) -> Floats:
        """Return the recovered gradient (V/m), shape (k, n_split, 3)."""
        V = np.atleast_2d(V)
        return np.concatenate(
            [self._call("gradient", whole=V[i : i + _AT_ONCE]) for i in range(0, len(V), _AT_ONCE)]
        )

    def defects(
        self, V: Floats, singular: Sequence[NDArray[np.integer] | None], rings: int
    ) -> Floats:
        """Return K V - D(V) (A), shape (k, n_nodes)."""
        out = np.empty_like(V)
        for first in range(0, len(V), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            out[some] = self._call("defects", list(singular[some]), rings, whole=V[some])
        return out

    def solve(
        self, b: Floats, contacts: Contacts | None, rtol: float
    ) -> tuple[Floats, list[int], list[float]]:
        """Solve (K + C) V = b; return V (k, n_nodes), iterations and true residuals."""
        V, iterations, residuals = self._call("solve", len(b), contacts, rtol, whole=b)
        return V, iterations, residuals


class _Splits:
    """The (node, tissue) pairs of a mesh, made when first called for."""

    def __init__(self, mesh: TetMesh) -> None:
        self._mesh = mesh

    @cached_property
    def _made(self) -> SplitNodes:
        return split_nodes(self._mesh)

    def __call__(self) -> SplitNodes:
        return self._made
