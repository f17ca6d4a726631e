"""A stimulus cut into steps for double-cable fibres.

Within a smooth stretch the steps are equal and of second order (BDF2 with variable steps). At a
jump a new stretch begins with a short step of backward Euler, so that none looks across the jump,
and steps that grow from there: the axon follows a jump within microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.neurons.morphology import Floats

Scheme = Literal["bdf2", "euler"]
_EDGE = 20e-9  # s: what changes within it jumps
_JUMP = 5e-3  # of the peak: a smaller change is none
_WEAK = 0.2  # of the peak: a stretch below it, a slow recharge, is stepped like what comes after
_LONGEST = 1.0  # s: a stimulus is no session
REST_STEP = 5e-3  # s
_FIRST, _GROWTH = 0.02, 1.15  # first step after a jump over the full one, and what follows it


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Courses:
    """Time courses of several sources, linear between samples and zero outside.

    Parameters
    ----------
    t
        Times (s), ascending, shape (n,).
    w
        Value of each source (1), shape (r, n).
    """

    t: Floats
    w: Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plan:
    """Steps of a stimulus and after it.

    Parameters
    ----------
    dt, ratio
        Length (s) of the kinds of step that occur, and over that of the step before it (0 for
        backward Euler), shape (kinds,); the first kind brings the fibres to rest.
    kind
        Kind of each step, (more than steps,): the last ones begin what comes after the stimulus,
        and the very last goes on.
    wave
        Value of each source at the end of each step (1), shape (steps, r).
    """

    dt: Floats
    ratio: Floats
    kind: NDArray[np.int64]
    wave: Floats

    def times(self, steps: int) -> Floats:
        """Return the time at the end of each of the first ``steps`` steps (s)."""
        kind = np.concatenate([self.kind, np.full(max(steps - len(self.kind), 0), self.kind[-1])])
        out: Floats = np.cumsum(self.dt[kind[:steps]])
        return out


def plan_of(
    stimulus: Any, dt: float, after: float, scheme: Scheme = "bdf2", growth: float = _GROWTH
) -> Plan:
    """Cut ``stimulus`` into steps of at most ``dt`` (s), followed by steps of ``after`` (s).

    Parameters
    ----------
    scheme
        "bdf2" as above, or "euler": backward Euler in equal steps, as NEURON does.
    growth
        Ratio of the steps that grow after a jump; BDF2 is stable below 2.41.
    stimulus
        Width (s) of a rectangular pulse of height 1, or an object with times ``t`` (s) and values
        ``w`` (1), shape (n,) or (r, n), linear between them (`Waveform`, `Courses`).

    Raises
    ------
    InputError
        If it is neither, never differs from 0, or is longer than 1 s.
    """
    check_option("scheme", scheme, get_args(Scheme))
    check_positive("step", dt)
    check_positive("step after the stimulus", after)
    kinds: dict[tuple[float, float], int] = {(REST_STEP, 0.0): 0}
    kind: list[int] = []
    wave: list[Floats] = []

    rungs = np.ceil(np.log(after / (_FIRST * dt)) / np.log(growth)) if scheme == "bdf2" else 0
    ladder = _FIRST * dt * growth ** np.arange(rungs)

    def take(lengths: Floats) -> Floats:
        """Take steps of these lengths, from a jump on; return their ends."""
        ratio = np.zeros(len(lengths))
        if scheme == "bdf2":
            ratio[1:] = lengths[1:] / lengths[:-1]
        # lengths that differ by rounding are one kind
        pairs = [(float(f"{h:.9e}"), round(r, 9)) for h, r in zip(lengths, ratio, strict=True)]
        kind.extend(kinds.setdefault(pair, len(kinds)) for pair in pairs)
        return np.cumsum(lengths)

    stretches = _stretches(stimulus)
    lasts = stretches[-1][0][-1] - stretches[0][0][0]
    if lasts > _LONGEST:
        raise InputError(
            f"expected a pulse of at most {_LONGEST:g} s as the stimulus, got one of {lasts:g} s"
        )
    strongest = max(np.abs(w).max() for _, w in stretches)
    for t, w in stretches:
        span = float(t[-1] - t[0])
        weak = scheme == "bdf2" and np.abs(w).max() < _WEAK * strongest
        size = after if weak else dt
        grown = ladder[(ladder < size) & (np.cumsum(ladder) < span)]
        left = span - grown.sum()
        if len(grown) and left < grown[-1]:  # too short to reach the full step
            lengths = grown * (span / grown.sum())
        else:
            count = max(1, int(np.ceil(left / size - 1e-6)))
            lengths = np.concatenate([grown, np.full(count, left / count)])
        at = t[0] + take(lengths)
        wave.append(np.stack([np.interp(at, t, row) for row in w], axis=1))
    take(np.concatenate([ladder, [after, after]]))
    h, ratio = np.array(list(kinds)).T
    return Plan(dt=h, ratio=ratio, kind=np.array(kind), wave=np.concatenate(wave))


def _stretches(stimulus: Any) -> list[tuple[Floats, Floats]]:
    """Return times (n,) and values (r, n) of each stretch without a jump, in turn."""
    t, w = stimulus_samples(stimulus)
    peak = np.abs(w).max()
    if not 0 < peak < np.inf:
        raise InputError("a stimulus must be finite and not 0 throughout")
    jump = (np.diff(t) <= _EDGE) & (np.abs(np.diff(w, axis=1)).max(axis=0) > _JUMP * peak)
    cuts = np.flatnonzero(jump) + 1
    pieces = zip(np.split(t, cuts), np.split(w, cuts, axis=1), strict=True)
    return [(a, b) for a, b in pieces if len(a) > 1 and a[-1] - a[0] > _EDGE]


def pulse_width(stimulus: Any) -> float | None:
    """Return the width (s) of a rectangular pulse given as a number, None of a waveform.

    Raises
    ------
    InputError
        If it is neither a number > 0 nor has times ``t`` and values ``w``.
    """
    if isinstance(stimulus, Real) and not isinstance(stimulus, bool):
        width = float(stimulus)
        check_positive("pulse width", width)
        return width
    if hasattr(stimulus, "t") and hasattr(stimulus, "w"):
        return None
    raise InputError(
        "expected a pulse width in s or a waveform with times t and values w as the stimulus, "
        f"got {type(stimulus).__name__}"
    )


def stimulus_samples(stimulus: Any) -> tuple[Floats, Floats]:
    """Return times (n,) and values (r, n) of a pulse width or a waveform, after a check of both.

    Raises
    ------
    InputError
        If it is neither.
    """
    width = pulse_width(stimulus)
    if width is not None:
        return np.array([0.0, width]), np.ones((1, 2))
    t = np.asarray(stimulus.t, dtype=np.float64)
    w = np.atleast_2d(np.asarray(stimulus.w, dtype=np.float64))
    if t.ndim != 1 or len(t) < 2 or w.shape[1:] != t.shape or (np.diff(t) <= 0).any():
        raise InputError(
            f"a stimulus needs rising times and as many values, got {t.shape} and {w.shape}"
        )
    return t, w


def separate(t: ArrayLike, potential: ArrayLike, tolerance: float = 1e-6) -> tuple[Courses, Floats]:
    """Write potentials that do not keep their shape over time as few sources with time courses.

    Parameters
    ----------
    t
        Times (s), shape (n,).
    potential
        Potential at each point at each time (V per unit amplitude), shape (n, p), as from
        dispersive tissue.
    tolerance
        What is left out, relative to the largest singular value.

    Returns
    -------
    courses
        Time courses of r sources.
    patterns
        Their potentials (V per unit amplitude), shape (r, p).

    Raises
    ------
    InputError
        If shapes do not fit.
    """
    V = np.asarray(potential, dtype=np.float64)
    time = np.asarray(t, dtype=np.float64)
    if V.ndim != 2 or V.shape[:1] != time.shape or not np.isfinite(V).all():
        raise InputError(
            f"expected finite potentials at {time.size} times, got the shape {V.shape}"
        )
    u, s, v = np.linalg.svd(V, full_matrices=False)
    keep = s > tolerance * s[0]
    size = np.abs(u[:, keep]).max(axis=0)
    courses = Courses(t=time, w=(u[:, keep] / size).T)
    return courses, v[keep] * (s[keep] * size)[:, None]
