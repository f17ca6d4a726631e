"""Transcranial electric stimulation: the currents of many electrodes for a target.

All take the rows C (1, n) or (3, n) of a target on the n electrodes of a lead field
(`rheobase.fields.optimisation.target.rows`; rows of other functionals do as well) and the
off-target energy Q (n, n) (`rheobase.fields.optimisation.energy.off_target_energy`):

- `max_intensity`: the largest field in the target, whatever happens elsewhere;
- `focal`: the least rms field off target with at least a wanted field in the target;
- `lcmv`: the same with the field vector in the target given (linearly constrained minimum
  variance);
- `pareto`: all compromises between field in the target and off it.

One row is the component along directions; with three it is the size of the mean vector, in
whatever direction is best. Each optimum comes with a proved bound: what no currents within the
limits exceed.

Dmochowski et al. (2011), doi:10.1088/1741-2560/8/4/046011; Saturnino et al. (2019),
doi:10.1016/j.neuroimage.2019.116183.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase._progress import stage, track
from rheobase.fields.basis import as_numbers
from rheobase.fields.optimisation.facing import least_in_any_direction
from rheobase.fields.optimisation.few import least_energy_of_few
from rheobase.fields.optimisation.intensity import largest, largest_norm
from rheobase.fields.optimisation.limits import Bounds, Limits, whole
from rheobase.fields.optimisation.quadratic import Least, largest_multiple, least_energy

Floats = NDArray[np.float64]

GAP = 1e-4  # relative, of rms fields, that is enough where a search proves it
FLAT = 1e-12  # of the largest energy of currents; less is none
NODES = 1000  # of a tree of electrodes
REACH = 1e-9  # relative; what is asked for may exceed the largest possible by as much, and comes
# out as much below


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Optimum:
    """Optimal currents.

    Parameters
    ----------
    names
        Electrodes.
    currents
        Into the head (A), summing to 0, shape (n,).
    field
        C x: field in the target (V/m), shape (1,) or (3,).
    rms
        Rms field off target (V/m), None without Q.
    objective
        What was optimised: "field" (as large as possible) or "rms" (as small as possible).
    bound
        Proved: no currents within the limits have a larger field, or a smaller rms (V/m).
    active
        Constraints that the optimum touches: "total", "each: Fz", "electrodes", "field".
    """

    names: tuple[str, ...]
    currents: Floats
    field: Floats
    rms: float | None
    objective: Literal["field", "rms"]
    bound: float
    active: tuple[str, ...]

    @property
    def value(self) -> float:
        """Field in the target (V/m): along its directions, or the size of the mean vector."""
        return float(self.field[0]) if len(self.field) == 1 else float(np.linalg.norm(self.field))

    @property
    def gap(self) -> float:
        """Relative difference of what was reached and the bound; 0 where the optimum is exact."""
        reached = self.value if self.objective == "field" else self.rms
        assert reached is not None
        return abs(self.bound - reached) / reached if reached else 0.0

    @property
    def total(self) -> float:
        """Current into the head (A)."""
        return float(np.abs(self.currents).sum() / 2)

    def montage(self) -> dict[str, float]:
        """Return the electrodes that carry current and their currents (A), largest first."""
        order = np.argsort(-np.abs(self.currents), kind="stable")
        return {self.names[k]: float(self.currents[k]) for k in order if self.currents[k] != 0}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Front:
    """Pareto front: no currents within the limits have more field on target and less off it.

    Parameters
    ----------
    value
        Field in the target (V/m), ascending to the largest possible, shape (p,).
    rms
        Least rms field off target (V/m) with it, shape (p,).
    optima
        The currents and what is proved of each, p of them.
    """

    value: Floats
    rms: Floats
    optima: tuple[Optimum, ...]


def max_intensity(
    C: ArrayLike, limits: Limits, *, names: Sequence[str], Q: ArrayLike | None = None
) -> Optimum:
    """Return the currents with the largest field in the target.

    Parameters
    ----------
    C
        Field in the target per current (V/m per A), shape (1, n) or (3, n).
    limits
        Of the currents.
    names
        Of the electrodes, n of them.
    Q
        Off-target energy, shape (n, n), to report the rms field of the optimum.

    Returns
    -------
    Optimum
        Exact along a direction (closed form; a mixed-integer programme to 1e-7 where the number of
        electrodes and different currents of each are limited), to 1e-7 over all directions.

    Raises
    ------
    InputError
        If shapes do not fit, or the limits leave no currents or no field.
    """
    C, Q, bounds = _checked(C, Q, limits, names)
    x, bound = _reach(C, bounds)
    if not bound > 0:
        raise InputError("expected currents that make a field in the target, these make none: C")
    return _optimum(C, Q, bounds, x, "field", bound, ())


def focal(
    C: ArrayLike,
    Q: ArrayLike,
    limits: Limits,
    *,
    value: float,
    names: Sequence[str],
    gap: float = GAP,
    nodes: int = NODES,
) -> Optimum:
    """Return the currents with the least rms field off target and enough of it in the target.

    Parameters
    ----------
    C, limits, names
        As in `max_intensity`.
    Q
        Off-target energy ((V/m)²/A²), shape (n, n).
    value
        Field in the target at least (V/m): along its directions, or |mean vector| for three rows.
    gap
        Relative difference of rms field and bound that is enough where electrodes are counted or
        directions searched.
    nodes
        Nodes of the tree of electrodes at most; what is left open shows in the optimum's gap.

    Raises
    ------
    InputError
        If shapes do not fit, or the limits do not allow the field; the sentence says which ones.
    """
    C, energy, bounds = _checked_both(C, Q, limits, names)
    _check_effort(gap, nodes)
    check_positive("focal: value", value)
    x, top = _reach(C, bounds)
    if not top > 0:
        raise InputError("expected currents that make a field in the target, these make none: C")
    if value > (1 + REACH) * top:
        conflict = _conflict(limits, lambda other: value <= _reach(C, other.bounds(names))[1])
        raise InputError(
            f"expected a field of at most {top:.6g} V/m in the target, got {value:g} V/m, in "
            f"conflict with {conflict}: focal"
        )
    value = min(value, (1 - REACH) * _size(C @ x))
    with stage("least field off target"):
        if len(C) == 1:
            found = _least(energy, C, np.array([value]), bounds, gap, nodes)
        else:
            found = least_in_any_direction(energy, C, value, bounds, x, gap=2 * gap, nodes=nodes)
    assert found is not None  # x is one
    return _least_rms(C, energy, bounds, found)


def lcmv(
    C: ArrayLike,
    Q: ArrayLike,
    limits: Limits,
    *,
    wanted: ArrayLike,
    names: Sequence[str],
    gap: float = GAP,
    nodes: int = NODES,
) -> Optimum:
    """Return the currents with the least rms field off target and a given one in the target.

    Parameters
    ----------
    C, Q, limits, names, gap, nodes
        As in `focal`.
    wanted
        C x (V/m), not all 0, shape (r,).

    Raises
    ------
    InputError
        If shapes do not fit, or the limits do not allow the field; the sentence says which ones.
    """
    C, energy, bounds = _checked_both(C, Q, limits, names)
    _check_effort(gap, nodes)
    e = np.atleast_1d(as_numbers(wanted, "wanted field"))
    if e.shape != (len(C),) or not (np.isfinite(e).all() and e.any()):
        raise InputError(f"expected {len(C)} numbers, not all 0, as wanted field, got {wanted!r}")
    with stage("least field off target"):
        found = _least(energy, C, e, bounds, gap, nodes)
    if found is None:
        most = largest_multiple(C, e, bounds)
        if most == 0:
            raise InputError(f"expected a field that some currents have, got {e.tolist()}: lcmv")

        def possible(other: Limits) -> bool:
            return _least(energy, C, e, other.bounds(names), 1.0, nodes) is not None

        raise InputError(
            f"expected a field that the limits allow, found no currents for {e.tolist()} V/m, in "
            f"conflict with {_conflict(limits, possible)}"
            + (f" ({most:.4g} of it is possible)" if most < 1 else "")
            + ": lcmv"
        )
    return _least_rms(C, energy, bounds, found)


def pareto(
    C: ArrayLike,
    Q: ArrayLike,
    limits: Limits,
    *,
    names: Sequence[str],
    points: int = 20,
    gap: float = GAP,
    nodes: int = NODES,
) -> Front:
    """Return the compromises between field in the target and rms field off target.

    Parameters
    ----------
    C, Q, limits, names, gap, nodes
        As in `focal`.
    points
        Number of compromises, evenly spaced in the field, the last one at its largest.

    Raises
    ------
    InputError
        As in `focal`, or if there is no number of points.
    """
    if whole(points) < 1:
        raise InputError(f"expected one or more points, got {points!r}: pareto")
    top = max_intensity(C, limits, names=names).value
    values = top * np.arange(1, points + 1) / points
    optima = tuple(
        focal(C, Q, limits, value=value, names=names, gap=gap, nodes=nodes)
        for value in track(values.tolist(), "Pareto front", total=points)
    )
    return Front(
        value=np.array([o.value for o in optima]),
        rms=np.array([o.rms for o in optima]),
        optima=optima,
    )


def _checked(
    C: ArrayLike, Q: ArrayLike | None, limits: Limits, names: Sequence[str]
) -> tuple[Floats, Floats | None, Bounds]:
    n = len(names)
    c = np.atleast_2d(as_numbers(C, "rows of the target"))
    if c.ndim != 2 or c.shape[1] != n or len(c) not in {1, 3} or not np.isfinite(c).all():
        raise InputError(
            f"expected one or three finite rows of {n} electrodes for the target, got {c.shape}"
        )
    if Q is None:
        return c, None, limits.bounds(names)
    q = as_numbers(Q, "off-target energy")
    if q.shape != (n, n) or not np.isfinite(q).all():
        raise InputError(f"expected a finite matrix of {n} electrodes, got {q.shape}: energy")
    if not np.allclose(q, q.T, rtol=0, atol=1e-9 * np.abs(q).max()):
        raise InputError("expected a symmetric matrix: off-target energy")
    P = np.eye(n) - 1.0 / n
    cost = np.linalg.eigvalsh(P @ q @ P)
    rank = int(np.count_nonzero(cost > FLAT * cost[-1]))
    if rank < n - 1:
        raise InputError(
            f"expected an off-target energy above 0 for all currents, {n - 1 - rank} of {n - 1} "
            "independent ones have none: take more of the tissue as off target"
        )
    return c, q, limits.bounds(names)


def _checked_both(
    C: ArrayLike, Q: ArrayLike, limits: Limits, names: Sequence[str]
) -> tuple[Floats, Floats, Bounds]:
    c, q, bounds = _checked(C, Q, limits, names)
    assert q is not None
    return c, q, bounds


def _check_effort(gap: float, nodes: int) -> None:
    if not (gap >= 0 and whole(nodes) >= 1):
        raise InputError(f"expected a gap >= 0 and one or more nodes, got {gap!r} and {nodes!r}")


def _reach(C: Floats, bounds: Bounds) -> tuple[Floats, float]:
    """Return the currents with the largest field and the bound of it."""
    return largest(C[0], bounds) if len(C) == 1 else largest_norm(C, bounds)


def _size(field: Floats) -> float:
    return float(np.linalg.norm(field))


def _least(
    Q: Floats, C: Floats, wanted: Floats, bounds: Bounds, gap: float, nodes: int
) -> Least | None:
    if bounds.counts:
        return least_energy_of_few(Q, C, wanted, bounds, gap=2 * gap, nodes=nodes)
    return least_energy(Q, C, wanted, bounds, settle=True)


def _conflict(limits: Limits, possible: Callable[[Limits], bool]) -> str:
    """Return the limits that together forbid what all but one of them would allow.

    All of them where what is asked for is out of reach of any.
    """
    given = [k for k in ("total", "each", "electrodes") if getattr(limits, k) is not None]
    kept, rest = given[:], limits
    for name in given:
        less = rest.without(name)
        if not possible(less):
            kept.remove(name)
            rest = less
    return " and ".join(f"{k}={getattr(limits, k)!r}" for k in kept or given)


def _least_rms(C: Floats, Q: Floats, bounds: Bounds, found: Least) -> Optimum:
    return _optimum(C, Q, bounds, found.currents, "rms", found.bound**0.5, ("field",))


def _optimum(
    C: Floats,
    Q: Floats | None,
    bounds: Bounds,
    x: Floats,
    objective: Literal["field", "rms"],
    bound: float,
    active: tuple[str, ...],
) -> Optimum:
    return Optimum(
        names=bounds.names,
        currents=x,
        field=C @ x,
        rms=None if Q is None else max(float(x @ Q @ x), 0.0) ** 0.5,
        objective=objective,
        bound=bound,
        active=active + bounds.active(x),
    )
