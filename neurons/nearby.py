"""The fields of many sources where some cells are, and nowhere else.

A lead field or a basis of many sources is large and mostly far from the cells. What they can feel
is at the split nodes of the tetrahedra within their reach; combining the sources there costs
milliseconds, so that thousands of stimuli can be tried on the same cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase.fields.functionals import Functionals, gathered
from rheobase.fields.leadfield import LeadField
from rheobase.meshes.locate import Locator
from rheobase.meshes.mesh import TetMesh
from rheobase.neurons.morphology import Floats, Morphology
from rheobase.neurons.placement import Population
from rheobase.neurons.sample import Sampler, checked_weights


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NearbyField:
    """Fields of k sources at m split nodes of a mesh; takes the place of a field basis.

    Parameters
    ----------
    mesh, locator
        The whole mesh.
    split_of_tet, n_split
        Split nodes of all tetrahedra, shape (n_tets, 4), and their number.
    known
        Whether all split nodes of a tetrahedron are kept, shape (n_tets,); what lies in one that
        lacks some counts as outside the mesh.
    nodes
        Split nodes kept, ascending, shape (m,).
    E
        Fields there (V/m per unit source), shape (k, m, 3).
    names, unit
        Of the sources.
    """

    mesh: TetMesh
    locator: Locator
    split_of_tet: NDArray[np.int32]
    n_split: int
    known: NDArray[np.bool_]
    nodes: NDArray[np.int64]
    E: Floats
    names: tuple[str, ...]
    unit: str

    def sampler(self, weights: ArrayLike | None = None) -> Sampler:
        """Return the combination of sources with ``weights``, shape (k,), for `Sampler.rises`.

        Raises
        ------
        InputError
            If there is not one finite weight for each source.
        """
        w = checked_weights(weights, len(self.E))
        whole = np.zeros((self.n_split, 3))
        whole[self.nodes] = np.tensordot(w, self.E, axes=1)
        return Sampler(
            self,
            w,
            self.mesh,
            whole,
            self.split_of_tet,
            self.known,
            np.ascontiguousarray(self.locator.neighbours, dtype=np.int32),
            self.locator,
        )

    def along(self, cell: Morphology, points: Floats, gain: Floats, *, name: str) -> Functionals:
        """Return weighted sums of the rises of placements as functionals.

        Parameters
        ----------
        cell
            n compartments.
        points
            Their centres in each placement (m), shape (rows, n, 3).
        gain
            Weights of the rises, shape (rows, n).
        name
            Name.
        """
        from rheobase.neurons._objectives_numba import moments

        rows, n, _ = points.shape
        tet, part = self.locator.locate(points.reshape(-1, 3))
        tet[tet >= 0] = np.where(self.known[tet[tet >= 0]], tet[tet >= 0], -1)
        vectors = np.empty_like(points)
        moments(cell.parent, points, gain, tet.reshape(rows, n), vectors)
        return gathered(
            self.split_of_tet,
            self.n_split,
            tet=tet,
            part=part,
            vectors=vectors.reshape(-1, 3),
            first=n * np.arange(rows + 1),
            name=name,
        )

    def rows(self, functionals: Functionals) -> Floats:
        """Return what each source does to functionals at kept nodes, shape (r, k)."""
        return functionals.of(self.E[:, np.searchsorted(self.nodes, functionals.nodes)])


def nearby(population: Population, source: Any, *, locator: Locator | None = None) -> NearbyField:
    """Return the part of a field that the cells of a population can feel.

    Parameters
    ----------
    population
        The cells.
    source
        A lead field, or what else has ``mesh``, ``split``, ``kept`` and ``at`` as it has (the modes
        of coils); or anything with ``mesh``, ``E`` (k, n_split, 3) and ``split_of_tet``.
    locator
        Of the mesh, if at hand.

    Notes
    -----
    What keeps grey matter alone has nothing for an axon in white matter or a dendrite that the mesh
    holds in CSF: they are told as outside. Keep these tissues where cells matter.
    """
    from scipy.spatial import cKDTree

    if isinstance(source, NearbyField):
        return source
    stored = hasattr(source, "kept")
    of_tet = source.split.of_tet if stored else source.split_of_tet
    n_split = len(source.split.node) if stored else source.E.shape[1]
    mesh = source.mesh
    locator = locator or getattr(source, "locator", None) or Locator(mesh)
    reach = max(float(np.linalg.norm(c.morphology.centre, axis=1).max()) for c in population.cells)
    low, high = population.position.min(axis=0) - reach, population.position.max(axis=0) + reach
    corners = mesh.nodes[mesh.tets]
    near = np.flatnonzero(((corners.max(1) >= low) & (corners.min(1) <= high)).all(axis=1))
    middle = corners[near].mean(axis=1)
    extent = np.linalg.norm(corners[near] - middle[:, None], axis=2).max(axis=1)
    near = near[cKDTree(population.position).query(middle)[0] <= reach + extent]
    nodes = np.unique(of_tet[near]).astype(np.int64)
    known = np.zeros(len(of_tet), dtype=bool)
    known[near] = True
    if stored:
        kept = np.searchsorted(source.kept, nodes).clip(max=len(source.kept) - 1)
        has = source.kept[kept] == nodes
        known[near] = ~np.isin(of_tet[near], nodes[~has]).any(axis=1)
        nodes, E = nodes[has], source.at(kept[has])
    else:
        E = source.E[:, nodes]
    return NearbyField(
        mesh=mesh,
        locator=locator,
        split_of_tet=np.ascontiguousarray(of_tet, dtype=np.int32),
        n_split=n_split,
        known=known,
        nodes=nodes,
        E=np.ascontiguousarray(E, dtype=np.float64),
        names=tuple(getattr(source, "names", map(str, range(len(E))))),
        unit=str(getattr(source, "unit", "A" if isinstance(source, LeadField) else "A/s")),
    )
