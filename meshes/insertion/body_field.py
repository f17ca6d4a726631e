"""Bodies as further materials among the indicator functions of a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.carving.indicators import Indicators
from rheobase.meshes.insertion.bodies import Body

#: Points at which the volume of a body is counted.
MOST_POINTS = 300_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BodyIndicators:
    """Indicators (`rheobase.meshes.carving.indicators`) of tissues with bodies among them.

    The indicator of a body is the largest of all before it plus the signed distance into the body
    times ``slope``: it is the largest exactly inside the body, wherever that is, and the later of
    two bodies wins. A body kept in some labels gets, where that is smaller, the lead of those
    labels over the others instead of the distance.

    Parameters
    ----------
    base
        Indicators of what was there before.
    bodies
        The bodies, in order.
    shifts
        By how much the surface of each body is moved outwards (m): flat faces between nodes on a
        curved surface would take volume from it.
    slope
        Slope (1/m) of a body's indicator across its surface, about that of the tissues.
    margin
        Distance (m) from a body's box beyond which the distance from the box stands for the
        distance from the body.
    """

    base: Indicators
    bodies: tuple[Body, ...]
    shifts: tuple[float, ...]
    slope: float
    margin: float

    @property
    def labels(self) -> tuple[int, ...]:
        """Label of each material, those of the bodies last."""
        return (*self.base.labels, *(body.label for body in self.bodies))

    @property
    def offsets(self) -> NDArray[np.float64]:
        """Offsets of the tissues; bodies have none."""
        return np.concatenate([self.base.offsets, np.zeros(len(self.bodies))])

    @property
    def reach(self) -> float:
        """As that of the tissues."""
        return self.base.reach

    @property
    def most(self) -> float:
        """As that of the tissues."""
        return self.base.most

    def with_offsets(self, offsets: NDArray[np.float64]) -> BodyIndicators:
        """Return the same with other offsets of the tissues."""
        return replace(self, base=self.base.with_offsets(offsets[: len(self.base.labels)]))

    def chosen(self, points: NDArray[np.float64], which: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the indicators of some materials (`Indicators.chosen`)."""
        first = len(self.base.labels)
        out = self.base.chosen(points, np.where(which < first, which, -1))
        rows = np.flatnonzero((which >= first).any(axis=1))
        if len(rows):
            some = which[rows]
            values = np.take_along_axis(
                self._values(points[rows]), np.maximum(some, 0).astype(np.int64), axis=1
            )
            out[rows] = np.where(some >= 0, values, 0.0)
        return out

    def gradients(
        self, points: NDArray[np.float64], which: NDArray[np.int32], step: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return some indicators and their gradients (`Indicators.gradients`)."""
        bodily = (which >= len(self.base.labels)).any(axis=1)
        values, out = np.empty(which.shape), np.empty((*which.shape, 3))
        values[~bodily], out[~bodily] = self.base.gradients(points[~bodily], which[~bodily], step)
        some, chosen = points[bodily], which[bodily]
        values[bodily] = self.chosen(some, chosen)
        for d, e in enumerate(step * np.eye(3)):
            ahead = self.chosen(some + e, chosen) - self.chosen(some - e, chosen)
            out[bodily, :, d] = ahead / (2.0 * step)
        return values, out

    def places(self, materials: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a point (m) inside each of some materials, NaN where none is known, (n, 3)."""
        out = np.full((len(materials), 3), np.nan)
        known = materials < len(self.base.labels)
        out[known] = self.base.places(materials[known])
        return out

    def material(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the material at points (m), shape (n,)."""
        found = self.base.material(points)
        near = np.zeros(len(points), np.bool_)
        for body, shift in zip(self.bodies, self.shifts, strict=True):
            low, high = body.shape.bounds()
            grown = max(shift, 0.0)
            near |= ((points > low - grown) & (points < high + grown)).all(axis=1)
        found[near] = self._values(points[near]).argmax(axis=1)
        return found

    def depth(self, n: int, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how deep points lie in body ``n`` or in what it may take (m), shape (n,)."""
        depth = self._depth(n, points)
        if self.bodies[n].only_in is not None:
            near = np.flatnonzero(depth > -self.margin)
            lead = self._lead(n, self._values(points[near]))
            depth[near] = np.minimum(depth[near], lead / self.slope)
        return depth

    def _values(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all indicators, shape (n, n_materials)."""
        first = len(self.base.labels)
        values = np.empty((len(points), first + len(self.bodies)))
        every = np.broadcast_to(np.arange(first, dtype=np.int32), (len(points), first))
        values[:, :first] = self.base.chosen(points, np.ascontiguousarray(every))
        top = values[:, :first].max(axis=1)
        for n, body in enumerate(self.bodies):
            into = self.slope * self._depth(n, points)
            if body.only_in is not None:
                np.minimum(into, self._lead(n, values), out=into)
            values[:, first + n] = top + into
            top = np.maximum(top, values[:, first + n])
        return values

    def _depth(self, n: int, points: NDArray[np.float64]) -> NDArray[np.float64]:
        shape = self.bodies[n].shape
        low, high = shape.bounds()
        gap = np.maximum(np.maximum(low - points, points - high), 0.0)
        depth: NDArray[np.float64] = -np.linalg.norm(gap, axis=1)
        near = np.flatnonzero(depth >= -self.margin)
        depth[near] = -shape.outside(points[near])
        return depth + self.shifts[n]

    def _lead(self, n: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the lead of the labels that body ``n`` may take over the others before it."""
        before = self.labels[: len(self.base.labels) + n]
        allowed = np.isin(before, self.bodies[n].only_in or ())
        values = values[:, : len(before)]
        if not allowed.any():
            return np.full(len(values), -np.inf)
        if allowed.all():
            return np.full(len(values), np.inf)
        lead: NDArray[np.float64] = values[:, allowed].max(axis=1)
        lead -= values[:, ~allowed].max(axis=1)
        return lead


def true_volumes(indicators: BodyIndicators, spacing: float) -> NDArray[np.float64]:
    """Return the volume that each body has to itself (m³), counted at random points.

    Parameters
    ----------
    indicators
        The bodies; shifts are left out.
    spacing
        Edge of the boxes with one point each (m), larger where they would be more than
        ``MOST_POINTS``.
    """
    plain = replace(indicators, shifts=(0.0,) * len(indicators.bodies))
    first = len(indicators.base.labels)
    volumes = np.empty(len(indicators.bodies))
    rng = np.random.default_rng(0)
    for n, body in enumerate(indicators.bodies):
        low, high = body.shape.bounds()
        step = max(spacing, float(((high - low).prod() / MOST_POINTS) ** (1 / 3)))
        shape = np.ceil((high - low) / step).astype(int)
        cell = (high - low) / shape
        axes = [low[d] + (np.arange(shape[d]) + 0.5) * cell[d] for d in range(3)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        points += rng.uniform(-0.5, 0.5, points.shape) * cell  # flat layers would beat with a grid
        points = points[plain._depth(n, points) > 0]
        volumes[n] = (plain.material(points) == first + n).sum() * cell.prod()
    return volumes


def check_names(bodies: Sequence[Body]) -> None:
    """Check that no two bodies share a name.

    Raises
    ------
    InputError
        If they do.
    """
    names = [body.name for body in bodies]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two bodies are called {name!r}")
