"""The field along cells: extracellular quasi-potential from the electric field.

Along the axis of a branch the outside potential falls by ``E · dl``. An induced field has no
potential, so the cable is driven by the rises ``V_e(child) - V_e(parent) = -∫ E · dl`` from centre
to centre (trapezoidal rule, second order), which also define a quasi-potential ``V_e`` with
``V_e = 0`` at the soma (Wang, Grill & Peterchev 2018, doi:10.1152/jn.00141.2018). A field that has
a potential is asked for it, and the rises are its differences: near an electrode the field changes
within a compartment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.neurons.morphology import Floats, Morphology


class Field(Protocol):
    """What the cells ask of a field without ``potential(points)`` (V per unit source), (k, n)."""

    def at(self, points: Floats) -> tuple[Floats, NDArray[Any]]:
        """Return E (V/m per unit source), (k, n, 3), and the element of each point (-1 outside)."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UniformField:
    """The same field everywhere; unit amplitude means ``E``.

    Parameters
    ----------
    E
        Field (V/m per unit amplitude), shape (3,).

    Examples
    --------
    >>> UniformField(E=[0, 0, 1.0]).at(np.zeros((2, 3)))[0].shape
    (1, 2, 3)
    """

    E: ArrayLike

    def at(self, points: Floats) -> tuple[Floats, NDArray[Any]]:
        """Return the field at ``points``, shape (1, n, 3), and element 0 for each."""
        E = np.broadcast_to(np.asarray(self.E, dtype=np.float64), (1, len(points), 3)).copy()
        return E, np.zeros(len(points), dtype=np.int32)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PointSource:
    """A point electrode in an unbounded medium, 1 A out of it per unit amplitude.

    Parameters
    ----------
    position
        Place of the electrode (m), shape (3,).
    conductivity
        Of the medium (S/m).
    """

    position: ArrayLike
    conductivity: float

    def __post_init__(self) -> None:
        """Reject a medium that does not conduct."""
        if not self.conductivity > 0:
            raise InputError(f"conductivity must be > 0 S/m, got {self.conductivity!r}")

    def potential(self, points: Floats) -> Floats:
        """Return the potential (V per A), shape (n,)."""
        r = np.linalg.norm(points - np.asarray(self.position, dtype=np.float64), axis=1)
        out: Floats = 1.0 / (4 * np.pi * self.conductivity * r)
        return out

    def at(self, points: Floats) -> tuple[Floats, NDArray[Any]]:
        """Return the field (V/m per A), shape (1, n, 3), and element 0 for each."""
        away = points - np.asarray(self.position, dtype=np.float64)
        r = np.linalg.norm(away, axis=1)[:, None]
        E = away / (4 * np.pi * self.conductivity * r**3)
        return E[None], np.zeros(len(points), dtype=np.int32)


def has_potential(field: Any) -> bool:
    """Return whether a field can be asked for its potential."""
    return callable(getattr(field, "potential", None))


def potential_of(field: Any, points: Floats, name: str = "cells") -> Floats:
    """Return the potential of every source at points, shape (sources, n); NaN outside.

    Raises
    ------
    InputError
        If the field gives something else than a value a point.
    """
    V = np.atleast_2d(np.asarray(field.potential(points), dtype=np.float64))
    if V.ndim != 2 or V.shape[1] != len(points):
        raise InputError(
            f"expected potentials of shape (sources, {len(points)}), got {V.shape}: {name}"
        )
    return V


def count_sources(field: Any) -> int:
    """Return the number of sources of a field with ``potential`` or ``at``."""
    point = np.full((1, 3), 1e-3)
    return len(potential_of(field, point) if has_potential(field) else field.at(point)[0])


def checked_weights(weights: ArrayLike | None, sources: int) -> Floats:
    """Return finite weights of all sources, shape (sources,); those of one may be left out.

    Raises
    ------
    InputError
        If they are missing, of another number, or not finite.
    """
    if weights is None:
        if sources != 1:
            raise InputError(f"weights must be given for a field of {sources} sources, got none")
        weights = np.ones(1)
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (sources,):
        raise InputError(f"weights must have shape ({sources},), got {w.shape}")
    if not np.isfinite(w).all():
        raise InputError(f"weights must be finite, got {w.tolist()}")
    return w


def source_rises(
    field: Any, parent: NDArray[np.int32], points: Floats
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the rises of every source at placed cells, without a mesh.

    Parameters
    ----------
    field
        With ``potential``, whose differences are the rises, or else ``at``, integrated from centre
        to centre.
    parent
        Parent of each compartment, shape (n,).
    points
        Their centres in each placement (m), shape (m, n, 3).

    Returns
    -------
    rise
        Rise from the parent (V per unit source), shape (k, m, n).
    outside
        Number of compartments outside, shape (m,); such a one has the field, or the potential, of
        the last one inside on its way.
    """
    from rheobase.neurons._sample_numba import differences, integrals

    m, n, _ = points.shape
    places = points.reshape(-1, 3)
    if has_potential(field):
        V = potential_of(field, places).reshape(-1, m, n)
        rise = np.empty_like(V)
        inside = ~np.isnan(V).any(axis=0)
        differences(parent, V, inside, rise)
    else:
        E, element = field.at(places)
        E = np.ascontiguousarray(E, dtype=np.float64).reshape(-1, m, n, 3)
        rise = np.empty(E.shape[:3])
        inside = (np.asarray(element) >= 0).reshape(m, n)
        integrals(parent, points, E, inside, rise)
    return rise, n - np.count_nonzero(inside, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Sampler:
    """A field made ready for many cells: one combination of sources, one way through the mesh.

    Parameters
    ----------
    field
        A field with ``potential`` or ``at``; a basis on a mesh is walked instead of searched.
    weights
        Amplitude of each source in one unit of the stimulus, shape (k,); may be left out when the
        field has one source.

    Raises
    ------
    InputError
        If the field has several sources and no weights, the numbers differ, or one is not finite.
    """

    field: Any
    weights: Floats
    mesh: Any
    E_split: Floats
    split_of_tet: NDArray[np.int32]
    known: NDArray[np.bool_]
    neighbours: NDArray[np.int32]
    locator: Any

    @classmethod
    def of(cls, field: Any, weights: ArrayLike | None = None) -> Sampler:
        """Return the sampler of ``field``; see the class for parameters and errors."""
        if hasattr(field, "sampler"):  # fields kept in part, `rheobase.neurons.nearby`
            own: Sampler = field.sampler(weights)
            return own
        on_mesh = all(hasattr(field, a) for a in ("mesh", "E", "split_of_tet"))
        w = checked_weights(weights, len(field.E) if on_mesh else count_sources(field))
        if not on_mesh:
            none = np.zeros((0, 4), dtype=np.int32)
            return cls(field, w, None, np.zeros((0, 3)), none, none[:, 0] == 0, none, None)
        from rheobase.meshes.locate import Locator

        locator = getattr(field, "locator", None) or Locator(field.mesh)
        return cls(
            field,
            w,
            field.mesh,
            np.ascontiguousarray(np.tensordot(w, field.E, axes=1), dtype=np.float64),
            np.ascontiguousarray(field.split_of_tet, dtype=np.int32),
            np.ones(len(field.split_of_tet), dtype=bool),
            np.ascontiguousarray(locator.neighbours, dtype=np.int32),
            locator,
        )

    def labels(self, position: Floats) -> NDArray[np.int32]:
        """Return the tissue label at each position, -1 outside or without a mesh, shape (n,)."""
        out = np.full(len(position), -1, dtype=np.int32)
        if self.mesh is not None:
            tet = self.locator.locate(position)[0]
            out[tet >= 0] = self.mesh.labels[tet[tet >= 0]]
        return out

    def rises(
        self, morphology: Morphology, rotation: Floats, position: Floats
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the rise of the outside potential from parent to child.

        Parameters
        ----------
        morphology
            Compartments of the cell, n of them.
        rotation, position
            Placements: x = rotation @ centre + position, shapes (m, 3, 3) and (m, 3) in m.

        Returns
        -------
        rise
            Rise (V per unit amplitude), shape (blocks, n, lanes): placement i sits in block
            ``i // lanes``, lane ``i % lanes``; lanes past the last placement are 0.
        outside
            Number of compartments outside the mesh, shape (m,). Such a compartment keeps the field
            of its parent: the caller must judge the count.
        """
        from rheobase.neurons._cable_numba import LANES
        from rheobase.neurons._sample_numba import place, rises_by_walk

        n, m = len(morphology), len(position)
        rise = np.zeros((-(-m // LANES), n, LANES), dtype=np.float32)
        outside = np.zeros(m, dtype=np.int64)
        rotation = np.ascontiguousarray(rotation, dtype=np.float64)
        position = np.ascontiguousarray(position, dtype=np.float64)
        if self.mesh is not None:
            start = self.locator.locate(position)[0]
            rises_by_walk(
                self.mesh.nodes,
                self.mesh.tets,
                self.neighbours,
                self.split_of_tet,
                self.known,
                self.E_split,
                morphology.centre,
                morphology.parent,
                rotation,
                position,
                start.astype(np.int32),
                rise,
                outside,
            )
            return rise, outside
        if isinstance(self.field, UniformField):  # one product with the steps along the tree
            along = np.zeros((len(rise) * LANES, 3), dtype=np.float32)
            along[:m] = self.weights[0] * np.asarray(self.field.E, dtype=np.float64) @ rotation
            step = (morphology.centre[morphology.parent] - morphology.centre).astype(np.float32)
            step[0] = 0.0
            return np.matmul(step, along.reshape(-1, LANES, 3).transpose(0, 2, 1)), outside
        points = np.empty((m, n, 3))
        place(morphology.centre, rotation, position, points)
        each, outside = source_rises(self.field, morphology.parent, points)
        whole = np.zeros((len(rise) * LANES, n), dtype=np.float32)
        whole[:m] = np.tensordot(self.weights, each, axes=1)
        rise[:] = whole.reshape(-1, LANES, n).transpose(0, 2, 1)
        return rise, outside


def rises_along(morphology: Morphology, field: Any) -> Floats:
    """Return the rise of the outside potential from the parent in float64, cell as it stands.

    Parameters
    ----------
    morphology
        The cell in the frame of the field, n compartments.
    field
        A field of one source, with ``potential`` or ``at``.

    Returns
    -------
    ndarray, shape (n,)
        Rise (V per unit amplitude), 0 at the root.

    Raises
    ------
    InputError
        If a compartment lies outside the field.
    """
    rise, outside = source_rises(field, morphology.parent, morphology.centre[None])
    if len(rise) != 1 or outside[0]:
        raise InputError(
            f"the field must have one source and hold the cell, got {len(rise)} sources and "
            f"{outside[0]} compartments outside"
        )
    out: Floats = rise[0, 0]
    return out


def quasi_potential(morphology: Morphology, rise: ArrayLike) -> Floats:
    """Sum rises from the soma outwards (V).

    Parameters
    ----------
    morphology
        The cell.
    rise
        Rise from the parent to each compartment (V), shape (n,) or (n, m).
    """
    V = np.array(rise, dtype=np.float64)
    V[0] = 0.0
    for c in range(1, len(V)):
        V[c] += V[morphology.parent[c]]
    return V
