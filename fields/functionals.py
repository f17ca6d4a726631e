"""Linear functionals of the field made of vectors at points, many at a time.

A functional is a sum of ``q_j · E(x_j)``: a component at a point, a rise of potential along a
path, the gradient along a fibre, the polarisation of a cell (`rheobase.neurons.objectives`). E is
linear between the nodes of a tetrahedron, so that each is a row of numbers over a few split nodes;
`rheobase.fields.optimisation.target.rows` turns it into a row over the sources of a field basis or
a lead field, and its weighting is the source of the adjoint solves of targeting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis, as_numbers
from rheobase.fields.leadfield import LeadField
from rheobase.meshes.locate import Locator

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Functionals:
    """r functionals of the field at m split nodes.

    Parameters
    ----------
    name
        Name, for tables and messages.
    nodes
        Split nodes, ascending, shape (m,).
    weights
        Weights of the field's components there, sparse, shape (r, 3 m); column 3 i + a is
        component a at node i.
    """

    name: str
    nodes: Ints
    weights: csr_array

    @property
    def weighting(self) -> Floats:
        """The weights as a dense array, shape (r, m, 3)."""
        dense: Floats = self.weights.toarray()
        return dense.reshape(len(dense), -1, 3)

    def of(self, E: Floats) -> Floats:
        """Return the functionals of fields at ``nodes``, shape (k, m, 3) to (r, k)."""
        out: Floats = self.weights @ E.reshape(len(E), -1).T
        return out


def gathered(
    split_of_tet: NDArray[np.int32],
    n_split: int,
    *,
    tet: NDArray[np.int32],
    part: Floats,
    vectors: Floats,
    first: Ints,
    name: str,
) -> Functionals:
    """Return the functionals of located points.

    Parameters
    ----------
    split_of_tet, n_split
        Split node of each corner, shape (n_tets, 4), and the number of split nodes.
    tet, part
        Tetrahedron of each point (-1: it does not count) and barycentric coordinates, shapes (n,)
        and (n, 4).
    vectors
        q_j, shape (n, 3).
    first
        Functional r has the points ``first[r]`` to ``first[r + 1]``, shape (r + 1,).
    name
        Name.
    """
    from scipy.sparse import csr_array

    from rheobase.fields._functionals_numba import gather

    indptr, node, value = gather(split_of_tet, n_split, tet, part, vectors, first)
    nodes, column = np.unique(node, return_inverse=True)
    columns = (3 * column[:, None] + np.arange(3)).ravel()
    shape = (len(first) - 1, 3 * len(nodes))
    return Functionals(
        name=name, nodes=nodes, weights=csr_array((value.ravel(), columns, 3 * indptr), shape=shape)
    )


def point_functionals(
    source: FieldBasis | LeadField,
    points: ArrayLike,
    vectors: ArrayLike,
    *,
    owner: ArrayLike | None = None,
    name: str = "points",
    locator: Locator | None = None,
) -> Functionals:
    """Return the sums of ``vectors[j] · E(points[j])`` over the points of each owner.

    Parameters
    ----------
    source
        What has the mesh.
    points, vectors
        Positions (m) within the mesh, and vectors (any unit), shape (n, 3) each.
    owner
        Functional that each point belongs to, 0, 1, …, ascending, shape (n,); one for each point
        if None.
    name
        Name.
    locator
        Of the mesh, if at hand.

    Raises
    ------
    InputError
        If shapes do not fit, a point lies outside the mesh, or owners do not ascend from 0.
    """
    x = np.ascontiguousarray(np.atleast_2d(as_numbers(points, "points")))
    q = np.ascontiguousarray(np.atleast_2d(as_numbers(vectors, "vectors")))
    if x.shape != q.shape or x.ndim != 2 or x.shape[1] != 3 or len(x) == 0:
        raise InputError(
            f"expected points and vectors of one shape (n, 3), got {x.shape} and {q.shape}: {name}"
        )
    own = np.arange(len(x)) if owner is None else np.asarray(owner)
    if own.shape != (len(x),) or own[0] != 0 or not np.isin(np.diff(own), (0, 1)).all():
        raise InputError(f"expected an owner 0, 0, 1, … for each of {len(x)} points: {name}")
    if isinstance(source, FieldBasis):
        split_of_tet, n_split = source.split_of_tet, len(source.split_node)
        locator = source.locator if locator is None else locator
    else:
        split_of_tet, n_split = source.split.of_tet, len(source.split.node)
        locator = Locator(source.mesh) if locator is None else locator
    tet, part = locator.locate(x)
    if (tet < 0).any():
        first = int(np.flatnonzero(tet < 0)[0])
        raise InputError(
            f"expected points inside the mesh, {np.count_nonzero(tet < 0)} of {len(x)} are not, "
            f"the first at {np.round(x[first], 4).tolist()} m: {name}"
        )
    starts = np.searchsorted(own, np.arange(own[-1] + 2))
    return gathered(split_of_tet, n_split, tet=tet, part=part, vectors=q, first=starts, name=name)


def fibre_gradient(
    source: FieldBasis | LeadField,
    points: ArrayLike,
    directions: ArrayLike,
    *,
    length: float,
    name: str = "gradient along fibres",
    locator: Locator | None = None,
) -> Functionals:
    """Return the gradient along fibres of the field along them, as functionals (V/m²).

    Over a stretch of a straight fibre, dE_t/dt has the mean

        [t·E(x + t L/2) - t·E(x - t L/2)] / L,

    exact for any L, jumps at tissue borders included. As E = -dV/dx, the mean times L² is, with L
    an internode, minus McNeal's second difference of the potential over three nodes: to the
    midpoint rule, which takes t·E in the middle of an internode for its mean there, and exact in a
    field that is linear along it. Where the mean is negative the membrane is depolarised.

    Parameters
    ----------
    source
        What has the mesh.
    points
        Middles of the stretches (m), shape (n, 3).
    directions
        Directions of the fibres, of any length but 0, one or one for each point.
    length
        L (m).
    name, locator
        As for `point_functionals`.

    Raises
    ------
    InputError
        If the length is not > 0 m, a direction is 0 or a stretch leaves the mesh.
    """
    x = np.atleast_2d(as_numbers(points, "points"))
    t = np.atleast_2d(as_numbers(directions, "directions"))
    if not 0 < length < np.inf:
        raise InputError(f"length must be > 0 m, got {length!r}: {name}")
    if t.shape not in {(1, 3), x.shape}:
        raise InputError(
            f"expected one direction, or one for each of {len(x)} points, got {t.shape}: {name}"
        )
    size = np.linalg.norm(t, axis=1, keepdims=True)
    if not (np.isfinite(size) & (size > 0)).all():
        raise InputError(f"expected directions that are finite and not 0: {name}")
    t = np.broadcast_to(t / size, x.shape)
    ends = np.stack([x + 0.5 * length * t, x - 0.5 * length * t], axis=1).reshape(-1, 3)
    vectors = np.stack([t / length, -t / length], axis=1).reshape(-1, 3)
    owner = np.repeat(np.arange(len(x)), 2)
    return point_functionals(source, ends, vectors, owner=owner, name=name, locator=locator)


def stacked(parts: Sequence[Functionals], *, name: str) -> Functionals:
    """Return functionals one below the other.

    Parameters
    ----------
    parts
        At least one.
    name
        Name.
    """
    from scipy.sparse import csr_array, vstack

    nodes = np.unique(np.concatenate([p.nodes for p in parts]))
    wide = []
    for p in parts:
        w, place = p.weights, np.searchsorted(nodes, p.nodes)
        columns = 3 * place[w.indices // 3] + w.indices % 3
        wide.append(csr_array((w.data, columns, w.indptr), shape=(w.shape[0], 3 * len(nodes))))
    return Functionals(name=name, nodes=nodes, weights=csr_array(vstack(wide, format="csr")))
