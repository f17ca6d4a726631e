"""Cells around a lead, and the part of each where something is above a threshold.

The surfaces at one distance from a lead (a cylinder that ends in a hemisphere) are leads again, so
that its surroundings are a product of three coordinates: s along the profile from the middle of
the tip, t away from the surface, theta around the axis. With radius R the metric is

    shaft: ds dt (R + t) dtheta,    cap: (R + t)/R ds dt (R + t) sin(s/R) dtheta,

and the volume of a cell is exact. Where a quantity phi changes sign within a cell, the part of it
above 0 is that of a unit cube cut by the plane phi_m + g·x = 0, with the mean of phi over the cell
and its gradient g across it, in closed form (Scardovelli & Zaleski, J Comput Phys 164:228 (2000),
doi:10.1006/jcph.2000.6567). The mean, to second order in the size of the cell, takes away what a
plane errs on curved surfaces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from math import ceil, log
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_positive

if TYPE_CHECKING:
    from rheobase.meshes.leads.lead import Lead

Floats = NDArray[np.float64]

REACH = 10e-3  # m from the lead, and along it from its contacts
CLOSE = 6.0  # radii of the lead along it from its contacts, with cells of even length
STEP = 0.24  # radii of the lead; size of a cell
FAR = 3.0  # times that size: the first cell beyond
LEAST = 3  # cells across a layer
FLAT = 1e-3  # of the steepest slope of a cell; the least slope that counts, against rounding


@dataclass(frozen=True, kw_only=True, eq=False)
class Lattice:
    """Cells around a lead, ns x nt x ntheta of them.

    Parameters
    ----------
    lead
        The lead.
    s, t, theta
        Borders of cells (m, m, rad): ascending, s with the end of the cap if it goes beyond, t >= 0
        and theta once around; shapes (ns + 1,), (nt + 1,) and (ntheta + 1,).
    layers
        Borders among ``t`` where fields jump, by place. No difference is taken across one, nor
        across the end of the cap, where the metric jumps.
    """

    lead: Lead
    s: Floats
    t: Floats
    theta: Floats
    layers: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells in s, t and theta."""
        return len(self.s) - 1, len(self.t) - 1, len(self.theta) - 1

    @cached_property
    def middles(self) -> tuple[Floats, Floats, Floats]:
        """Coordinates s, t and theta of the middles of cells."""
        s, t, theta = (0.5 * (x[1:] + x[:-1]) for x in (self.s, self.t, self.theta))
        return s, t, theta

    @cached_property
    def points(self) -> Floats:
        """Middles of the cells in the head (m), shape (n, 3), theta fastest."""
        s, t, theta = np.meshgrid(*self.middles, indexing="ij")
        points: Floats = self.lead.to_head(self.lead.model.place(s, t, theta).reshape(-1, 3))
        return points

    @cached_property
    def volumes(self) -> Floats:
        """Volume of each cell (m³), shape (n,)."""
        R = self._radius
        end = 0.5 * np.pi * R
        cap = np.diff(-np.cos(np.minimum(self.s, end) / R))
        shaft = np.diff(np.maximum(self.s, end))
        far = R + self.t
        per_angle = np.outer(cap, np.diff(far**3) / 3) + np.outer(shaft, np.diff(far**2) / 2)
        volumes: Floats = np.multiply.outer(per_angle, np.diff(self.theta)).ravel()
        return volumes

    def pieces(self, cuts: int) -> list[Floats]:
        """Return points of the head (m) in the pieces of cells that are cut along each coordinate.

        Parameters
        ----------
        cuts
            Pieces along each of the three.

        Returns
        -------
        list
            For each piece its middle in every cell, shape (n, 3).
        """
        edges = self.s, self.t, self.theta
        places = (np.arange(cuts) + 0.5) / cuts
        found = []
        for part in product(places, repeat=3):
            at = [x[:-1] + a * np.diff(x) for x, a in zip(edges, part, strict=True)]
            local = self.lead.model.place(*np.meshgrid(*at, indexing="ij"))
            found.append(self.lead.to_head(local.reshape(-1, 3)))
        return found

    def part_above(self, phi: Floats) -> Floats:
        """Return the part of each cell where a quantity is above 0, shape (n,).

        Parameters
        ----------
        phi
            The quantity at the middles, shape (n,); NaN: no tissue, and no part.
        """
        values = phi.reshape(self.shape)
        slopes, bends = self._slopes(values), self._bends(values)
        sizes = [np.diff(x).reshape(_along(i)) for i, x in enumerate((self.s, self.t, self.theta))]
        mean = values.copy()
        for slope, bend, size, off in zip(slopes, bends, sizes, self._off_middle, strict=True):
            mean += np.nan_to_num(slope * off + bend * size**2 / 24)
        steep = np.abs([np.nan_to_num(d * h).ravel() for d, h in zip(slopes, sizes, strict=True)])
        centre = mean.ravel()
        part = (centre > 0).astype(np.float64)
        cut = np.flatnonzero(np.abs(centre) < 0.5 * steep.sum(axis=0))
        part[cut] = part_of_cube(centre[cut], steep[:, cut])
        return part

    def joined(self, some: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which of some cells hang together, face to face, with such next to the lead.

        Parameters
        ----------
        some
            Shape (n,).

        Returns
        -------
        joined
            Shape (n,).
        """
        from scipy.ndimage import label
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        piece, n = label(some.reshape(self.shape))
        first, last = piece[..., 0], piece[..., -1]  # neighbours across theta = 0
        met = (first > 0) & (last > 0)
        pairs = csr_array((np.ones(met.sum()), (first[met], last[met])), shape=(n + 1, n + 1))
        group = connected_components(pairs, directed=False)[1]
        near = np.unique(piece[:, 0])
        kept: NDArray[np.bool_] = (piece > 0) & np.isin(group[piece], group[near[near > 0]])
        return kept.ravel()

    def gradient(self, values: Floats) -> Floats:
        """Return gradients in the head (per m) of values at the middles.

        Parameters
        ----------
        values
            Shape (..., n).

        Returns
        -------
        gradient
            Shape (..., n, 3).
        """
        R = self._radius
        s, t, theta = (x.reshape(_along(i)) for i, x in enumerate(self.middles))
        on_cap = s < 0.5 * np.pi * R
        polar = np.where(on_cap, s / R, 0.5 * np.pi)
        stretch = np.where(on_cap, (R + t) / R, 1.0)
        around = (R + t) * np.sin(polar)
        ds, dt, dtheta = self._slopes(values.reshape(*values.shape[:-1], *self.shape))
        along, away, across = ds / stretch, dt, dtheta / around
        sin, cos = np.sin(polar), np.cos(polar)
        radial = along * cos + away * sin
        local = np.stack(
            [
                radial * np.cos(theta) - across * np.sin(theta),
                radial * np.sin(theta) + across * np.cos(theta),
                along * sin - away * cos,
            ],
            axis=-1,
        )
        turned: Floats = local.reshape(*values.shape, 3) @ self.lead.frame[:3, :3].T
        return turned

    @property
    def _radius(self) -> float:
        return self.lead.model.radius

    @cached_property
    def _off_middle(self) -> tuple[Floats, Floats, Floats]:
        """How far the centroid of each cell is from its middle in s, t and theta, to second order.

        It is the cell's size squared over 12 times the slope of the logarithm of the metric.
        """
        R = self._radius
        s, t = self.middles[0][:, None, None], self.middles[1][:, None]
        on_cap = s < 0.5 * np.pi * R
        thick = np.where(on_cap, 1 / np.tan(np.where(on_cap, s, R) / R) / R, 0.0)
        along = thick * np.diff(self.s)[:, None, None] ** 2 / 12
        away = np.where(on_cap, 2.0, 1.0) / (R + t) * np.diff(self.t)[:, None] ** 2 / 12
        return along, away, np.zeros((1, 1, 1))

    def _slopes(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        """Return d/ds, d/dt and d/dtheta of values of shape (..., ns, nt, ntheta)."""
        s, t, _ = self.middles
        closed, angles = self.closed(values)
        dtheta = np.gradient(closed, angles, axis=-1)[..., 1:-1]
        return (
            _slope(values, s, self._smooth[0], -3),
            _slope(values, t, self._smooth[1], -2),
            dtheta,
        )

    def _bends(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        """Return second derivatives of values of shape (ns, nt, ntheta) along s, t and theta."""
        s, t, _ = self.middles
        closed, angles = self.closed(values)
        ds, dt = (
            np.concatenate(
                [_ends_as_next(_second(_part(values, p, i), x[p], i), i) for p in self._smooth[i]],
                axis=i,
            )
            for i, x in enumerate((s, t))
        )
        return ds, dt, _second(closed, angles, 2)

    @cached_property
    def _smooth(self) -> tuple[list[slice], list[slice]]:
        """Runs of cells along s, and away from the lead, within which nothing jumps."""
        end = np.flatnonzero(np.isclose(self.s, 0.5 * np.pi * self._radius))[:1].tolist()
        inner = [k for k in end if 0 < k < len(self.s) - 1]
        along = pairwise((0, *inner, len(self.s) - 1))
        away = pairwise((0, *self.layers, len(self.t) - 1))
        return [slice(*run) for run in along], [slice(*run) for run in away]

    def closed(self, values: Floats) -> tuple[Floats, Floats]:
        """Return values and angles with the last sector once more before and the first behind."""
        theta = self.middles[2]
        turn = 2 * np.pi
        closed = np.concatenate([values[..., -1:], values, values[..., :1]], axis=-1)
        return closed, np.concatenate([[theta[-1] - turn], theta, [theta[0] + turn]])


def lead_lattice(
    lead: Lead,
    *,
    contacts: Iterable[str | int] | None = None,
    reach: float = REACH,
    step: float | None = None,
    growth: float = 0.05,
    sectors: int = 36,
    inner: float = 0.0,
    layer: float = 0.0,
) -> Lattice:
    """Return cells around the contacts of a lead.

    Parameters
    ----------
    lead
        The lead.
    contacts
        The contacts around which cells lie; all if None. A long lead with many contacts has many
        cells.
    reach
        How far the cells go from the lead, and along it beyond its contacts (m).
    step
        Size of the cells along the lead (m), and away from it next to its surface; about a quarter
        of its radius if None.
    growth
        Size of a cell away from the lead, as a part of its distance from the axis, where that is
        more than ``step``.
    sectors
        Cells around the axis.
    inner
        Distance from the lead (m) where cells begin: the thickness of an encapsulation that is not
        to count as tissue.
    layer
        Thickness of an encapsulation (m): the field jumps there, cells end there.

    Raises
    ------
    InputError
        If there is no such contact, a length is not > 0 m, ``inner`` or ``layer`` not from 0 m to
        ``reach``, or sectors are fewer than 4.
    """
    step = STEP * lead.model.radius if step is None else step
    for name, value in (("reach", reach), ("step", step), ("growth", growth)):
        check_positive(f"{name} of the cells around a lead", value)
    for name, value in (("inner", inner), ("layer", layer)):
        if not 0 <= value < reach:
            raise InputError(f"expected {name} from 0 m to {reach=}, got {value!r}: lattice")
    if sectors < 4:
        raise InputError(f"expected 4 sectors or more, got {sectors!r}: lattice")
    model, R = lead.model, lead.model.radius
    chosen = model.names if contacts is None else tuple(contacts)
    ends = [float(model.arc_of(z)) for name in chosen for z in model.contact(name).z]
    if not ends:
        raise InputError("expected one contact at least to lay cells around, got none: lattice")
    low, high = min(ends), max(ends)
    close, cap = min(CLOSE * R, reach), 0.5 * np.pi * R
    start = max(low - close, 0.0)
    breaks = sorted({start, high + close} | ({cap} if start < cap < high + close else set()))
    s = [np.array([start])]
    for a, b in pairwise(breaks):
        s.append(np.linspace(a, b, max(ceil((b - a) / step), LEAST) + 1)[1:])
    if reach > close:
        n = ceil(log(reach / close) / log(1 + FAR * step / close))
        beyond = np.geomspace(close, reach, n + 1)[1:]
        if start > 0:
            last = 0.0 if start < cap else cap  # the far side of the tip is left out
            below = low - beyond[::-1]
            kept = below[below > last + step]
            s.insert(0, kept if len(kept) == n else np.append(last, kept))
        s.append(high + beyond)
    t = _away(R, inner, reach, step, growth)
    layers: tuple[int, ...] = ()
    if layer > inner:
        within = np.linspace(inner, layer, max(ceil((layer - inner) / step), LEAST) + 1)
        t = np.concatenate([within, _away(R, layer, reach, step, growth)[1:]])
        layers = (len(within) - 1,)
    return Lattice(
        lead=lead,
        s=np.concatenate(s),
        t=t,
        theta=np.linspace(0, 2 * np.pi, sectors + 1),
        layers=layers,
    )


def part_of_cube(centre: Floats, slope: Floats) -> Floats:
    """Return the part of unit cubes where a linear function is above 0, shape (n,).

    Parameters
    ----------
    centre
        Its value in the middle, shape (n,).
    slope
        Size of its change across the cube along each edge, shape (3, n), not all 0.
    """
    m = np.maximum(slope, FLAT * slope.max(axis=0))
    a = centre + 0.5 * m.sum(axis=0)

    def cubed(x: Floats) -> Floats:
        return np.maximum(x, 0.0) ** 3

    pairs = m.sum(axis=0) - m  # of the two other slopes
    volume = cubed(a) - cubed(a - m).sum(axis=0) + cubed(a - pairs).sum(axis=0)
    volume -= cubed(a - m.sum(axis=0))
    part: Floats = np.clip(volume / (6 * m.prod(axis=0)), 0.0, 1.0)
    return part


def _away(R: float, inner: float, reach: float, step: float, growth: float) -> Floats:
    """Return borders of cells away from the lead: even ones, then such as grow with the radius."""
    turn = min(max(step / growth - R, inner), reach)
    even = np.linspace(inner, turn, max(ceil((turn - inner) / step), 1) + 1)
    if turn <= inner:
        even = np.array([inner])
    if turn >= reach:
        return even
    n = ceil(log((R + reach) / (R + turn)) / log(1 + growth))
    return np.concatenate([even, np.geomspace(R + turn, R + reach, n + 1)[1:] - R])


def _along(axis: int) -> tuple[int, int, int]:
    """Return the shape of an array along one axis of three."""
    a, b, c = (-1 if i == axis else 1 for i in range(3))
    return a, b, c


def _slope(values: Floats, x: Floats, smooth: list[slice], axis: int) -> Floats:
    """Return derivatives along an axis with coordinates ``x``, run by run."""
    runs = [
        np.gradient(_part(values, run, axis), x[run], axis=axis, edge_order=2) for run in smooth
    ]
    return np.concatenate(runs, axis=axis)


def _part(values: Floats, run: slice, axis: int) -> Floats:
    """Return a run of values along an axis."""
    return np.take(values, np.arange(run.start, run.stop), axis=axis)


def _second(values: Floats, x: Floats, axis: int) -> Floats:
    """Return second derivatives at all but the ends of an axis with coordinates ``x``."""
    h = np.diff(x)
    shape = _along(axis)
    rise = np.diff(values, axis=axis) / h.reshape(shape)
    second: Floats = np.diff(rise, axis=axis) / (0.5 * (h[1:] + h[:-1])).reshape(shape)
    return second


def _ends_as_next(values: Floats, axis: int) -> Floats:
    """Return values with the first and the last along an axis once more."""
    n = values.shape[axis]
    return np.take(values, [0, *range(n), n - 1], axis=axis)
