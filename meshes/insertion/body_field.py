"""Bodies as further materials among the indicator functions of a mesh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._threads import in_parts
from rheobase.meshes.carving.indicators import Indicators
from rheobase.meshes.insertion.bodies import Body, ScalpLayer
from rheobase.meshes.insertion.ground import Feet

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
            values, _ = self._field(points[rows], some)
            values = np.take_along_axis(values, np.maximum(some, 0).astype(np.int64), axis=1)
            out[rows] = np.where(some >= 0, values, 0.0)
        return out

    def gradients(
        self, points: NDArray[np.float64], which: NDArray[np.int32], step: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return some indicators and their gradients (`Indicators.gradients`)."""
        bodily = (which >= len(self.base.labels)).any(axis=1)
        values, out = np.empty(which.shape), np.empty((*which.shape, 3))
        values[~bodily], out[~bodily] = self.base.gradients(points[~bodily], which[~bodily], step)
        if bodily.any():
            some = which[bodily]
            column = np.maximum(some, 0).astype(np.int64)
            every, slopes = self._field(points[bodily], some, step)
            values[bodily] = np.where(some >= 0, np.take_along_axis(every, column, axis=1), 0.0)
            slopes = np.take_along_axis(slopes, column[..., None], axis=1)
            out[bodily] = np.where((some >= 0)[..., None], slopes, 0.0)
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
        rows = np.flatnonzero(near)

        def inside(some: slice) -> None:
            found[rows[some]] = self._field(points[rows[some]])[0].argmax(axis=1)

        in_parts(inside, len(rows))
        return found

    def depth(self, n: int, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how deep points lie in body ``n`` or in what it may take (m), shape (n,)."""
        depth = self._depth(n, points)
        if self.bodies[n].only_in is not None:
            near = np.flatnonzero(depth > -self.margin)
            lead, _ = self._lead(n, *self._field(points[near]))
            depth[near] = np.minimum(depth[near], lead / self.slope)
        return depth

    def _field(
        self,
        points: NDArray[np.float64],
        asked: NDArray[np.int32] | None = None,
        step: float | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return all indicators, and their gradients if there is a ``step`` (m) for differences.

        Bodies further than the margin get a value that cannot be the largest, unless they are
        ``asked`` for (materials, shape (n, k)).

        Returns
        -------
        values : ndarray, shape (n, n_materials)
        slopes : ndarray, shape (n, n_materials, 3)
            Without a step the last axis is empty.
        """
        first, n_points = len(self.base.labels), len(points)
        values = np.empty((n_points, first + len(self.bodies)))
        slopes = np.zeros((*values.shape, 0 if step is None else 3))
        every = np.broadcast_to(np.arange(first, dtype=np.int32), (n_points, first))
        every = np.ascontiguousarray(every)
        if step is None:
            values[:, :first] = self.base.chosen(points, every)
        else:
            values[:, :first], slopes[:, :first] = self.base.gradients(points, every, step)
        best = values[:, :first].argmax(axis=1)
        top = values[np.arange(n_points), best]
        values[:, first:] = (top - self.slope * self.margin)[:, None]
        for n, (rows, outside, away) in enumerate(self._near(points, asked, step)):
            into, steep = self.slope * (self.shifts[n] - outside), -self.slope * away
            if self.bodies[n].only_in is not None:
                lead, less_steep = self._lead(n, values[rows], slopes[rows])
                less = lead < into
                into[less], steep[less] = lead[less], less_steep[less]
            values[rows, first + n] = top[rows] + into
            slopes[rows, first + n] = slopes[rows, best[rows]] + steep
            won = rows[into > 0]
            top[won], best[won] = values[won, first + n], first + n
        return values, slopes

    def _near(
        self, points: NDArray[np.float64], asked: NDArray[np.int32] | None, step: float | None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
        """Yield for each body the points near it, their distance (m) from it and its gradient."""
        near = np.empty((len(self.bodies), len(points)), np.bool_)
        for n, body in enumerate(self.bodies):
            low, high = body.shape.bounds()
            near[n] = (points > low - self.margin).all(axis=1)
            near[n] &= (points < high + self.margin).all(axis=1)
            if asked is not None:
                near[n] |= (asked == len(self.base.labels) + n).any(axis=1)
        under: dict[int, tuple[NDArray[np.int64], Feet]] = {}
        for n, body in enumerate(self.bodies):
            if isinstance(body.shape, ScalpLayer) and body.shape.ground is not None:
                ground = body.shape.ground  # what is under a point is the same for all its layers
                if id(ground) not in under:
                    layers = [getattr(b.shape, "ground", None) is ground for b in self.bodies]
                    rows = np.flatnonzero(near[layers].any(axis=0))
                    under[id(ground)] = rows, ground.feet(points[rows])
                rows, feet = under[id(ground)]
                none = np.empty((len(rows), 0))
                yield (
                    rows,
                    body.shape.above(feet),
                    none if step is None else body.shape.slopes(feet),
                )
            else:
                rows = np.flatnonzero(near[n])
                some = points[rows]
                away = np.empty((len(rows), 0 if step is None else 3))
                if step is not None:
                    for d, e in enumerate(step * np.eye(3)):
                        ahead = body.shape.outside(some + e) - body.shape.outside(some - e)
                        away[:, d] = ahead / (2.0 * step)
                yield rows, body.shape.outside(some), away

    def _depth(self, n: int, points: NDArray[np.float64]) -> NDArray[np.float64]:
        shape = self.bodies[n].shape
        low, high = shape.bounds()
        gap = np.maximum(np.maximum(low - points, points - high), 0.0)
        depth: NDArray[np.float64] = -np.linalg.norm(gap, axis=1)
        near = np.flatnonzero(depth >= -self.margin)
        depth[near] = -shape.outside(points[near])
        return depth + self.shifts[n]

    def _lead(
        self, n: int, values: NDArray[np.float64], slopes: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lead of the labels that body ``n`` may take over the others before it.

        And its gradients, from those of all indicators.
        """
        before = self.labels[: len(self.base.labels) + n]
        allowed = np.array([label in (self.bodies[n].only_in or ()) for label in before])
        rows = np.arange(len(values))
        if not allowed.any() or allowed.all():
            size = np.inf if allowed.all() else -np.inf
            return np.full(len(values), size), np.zeros(slopes[:, 0].shape)
        mine, other = np.flatnonzero(allowed), np.flatnonzero(~allowed)
        mine = mine[values[:, mine].argmax(axis=1)]
        other = other[values[:, other].argmax(axis=1)]
        return values[rows, mine] - values[rows, other], slopes[rows, mine] - slopes[rows, other]


def true_volumes(indicators: BodyIndicators, spacing: float) -> NDArray[np.float64]:
    """Return the volume that each body has to itself (m³), counted at random points.

    There is one in each of the boxes that come of halving those that reach into the body.

    Parameters
    ----------
    indicators
        The bodies; shifts are left out.
    spacing
        Largest edge of the boxes (m), larger where they would be more than ``MOST_POINTS``.
    """
    plain = replace(indicators, shifts=(0.0,) * len(indicators.bodies))
    first = len(indicators.base.labels)
    volumes = np.empty(len(indicators.bodies))
    rng = np.random.default_rng(0)
    corner = 0.25 * np.stack(np.meshgrid(*[[-1, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    for n, body in enumerate(indicators.bodies):
        low, high = body.shape.bounds()
        cell = high - low
        centre = (0.5 * (low + high))[None]
        while cell.max() > spacing and 8 * len(centre) <= MOST_POINTS:
            centre = (centre[:, None] + corner * cell).reshape(-1, 3)
            cell = 0.5 * cell
            centre = centre[plain._depth(n, centre) > -0.5 * np.linalg.norm(cell)]
        # flat layers would beat with a grid
        points = centre + rng.uniform(-0.5, 0.5, centre.shape) * cell
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
