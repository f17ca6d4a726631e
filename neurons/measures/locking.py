"""Locking of spikes and signals to a rhythm: how strong, at which phase, and beyond chance or not.

The strength is the phase-locking value |mean exp(i phase)| (Lachaux et al. 1999,
10.1002/(SICI)1097-0193(1999)8:4<194::AID-HBM4>3.0.CO;2-C), which chance alone makes about
1/sqrt(n). The pairwise phase consistency is free of that bias: its mean is the square of the true
strength (Vinck et al. 2010, 10.1016/j.neuroimage.2010.01.073). Spikes of a network come in bursts
and together, so that fewer of them are independent than there are. Phases therefore go in groups,
stretches of time: pairs within a group are left out (Vinck et al. 2012, 10.1007/s10827-011-0374-4,
their PPC1), and chance is what groups of the same inner locking give when each is turned to a
random phase. Groups should last ten times as long as the network keeps a phase by itself: a level
of 5 % then is one of 7 %, at three times 13 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.neurons.measures._checks import as_signal, bandpass, check_band, stretch
from rheobase.neurons.network.simulation import Spikes

LEAST_GROUPS = 5  # below which nothing is said about chance


@dataclass(frozen=True, kw_only=True, slots=True)
class Locking:
    """Locking of phases to one rhythm.

    Parameters
    ----------
    n
        Number of phases.
    strength
        Phase-locking value, 0..1; NaN where there is no phase.
    phase
        Mean phase (rad), -pi..pi; for a cosine stimulus 0 is its crest, positive phases follow it.
    ppc
        Pairwise phase consistency between groups, an unbiased estimate of the true strength
        squared (it may be below 0); NaN with fewer than two groups.
    p_value
        Probability of at least this strength were the groups turned to random phases; NaN with
        fewer than 5 groups.
    chance
        Strength that random phases exceed in 5 of 100 cases; NaN likewise.
    """

    n: int
    strength: float
    phase: float
    ppc: float
    p_value: float
    chance: float


def locking(phases: ArrayLike, groups: ArrayLike | None = None) -> Locking:
    """Return the locking of ``phases``.

    With the groups' sums Z_g, their total Z, K = |Z|²/sum |Z_g|² and m = (sum |Z_g|²)²/sum |Z_g|⁴,
    the p-value is (1 - K/2m)^(2m - 1). For g complex normal sums K is distributed so exactly (2m =
    g); for any turned to random phases it is to first order in 1/m, since the fourth moments agree,
    and where few groups have most spikes it is on the safe side. For single phases it is
    Rayleigh's test, exp(-n strength²) to first order.

    Parameters
    ----------
    phases
        Phases (rad), shape (n,).
    groups
        Number of the group of each phase, shape (n,); each its own where left out.

    Raises
    ------
    InputError
        If shapes differ or a phase is not finite.
    """
    phi = np.asarray(phases, dtype=np.float64)
    if phi.ndim != 1 or not np.isfinite(phi).all():
        raise InputError(f"phases must be finite with shape (n,), got shape {phi.shape}: locking")
    n = len(phi)
    unit = np.exp(1j * phi)
    part, size = unit, np.ones(n)
    if groups is not None:
        number = np.asarray(groups)
        if number.shape != phi.shape:
            raise InputError(f"groups must have shape {phi.shape}, got {number.shape}: locking")
        _, member = np.unique(number, return_inverse=True)
        real, imag, size = (np.bincount(member, x) for x in (unit.real, unit.imag, size))
        part = real + 1j * imag
    if n == 0:
        nan = float("nan")
        return Locking(n=0, strength=nan, phase=nan, ppc=nan, p_value=nan, chance=nan)
    total = unit.sum()
    square = np.abs(part) ** 2
    within = float(square.sum())
    pairs = float(n) ** 2 - float((size**2).sum())
    ppc = (abs(total) ** 2 - within) / pairs if pairs > 0 else np.nan
    m = within**2 / float((square**2).sum()) if within > 0 else 0.0
    p_value = chance = np.nan
    if len(size) >= LEAST_GROUPS and m > 0:
        excess = abs(total) ** 2 / within
        p_value = max(1 - excess / (2 * m), 0.0) ** (2 * m - 1)
        rare = 2 * m * (1 - 0.05 ** (1 / (2 * m - 1)))
        chance = np.sqrt(rare * within) / n
    return Locking(
        n=n,
        strength=float(abs(total) / n),
        phase=float(np.angle(total)),
        ppc=float(ppc),
        p_value=float(p_value),
        chance=float(chance),
    )


def stimulus_phase(
    times: ArrayLike, frequency: float, *, phase: float = 0.0
) -> NDArray[np.float64]:
    """Return the phase (rad) of the stimulus cos(2 pi f t + phase) at ``times`` (s)."""
    return 2 * np.pi * frequency * np.asarray(times, dtype=np.float64) + phase


def signal_phase(signal: ArrayLike, dt: float, *, band: tuple[float, float]) -> NDArray[np.float64]:
    """Return the phase (rad) of ``signal`` in ``band`` at each sample, shape (..., n_samples).

    The band is cut out without delay, the phase is that of the analytic signal (Hilbert
    transform), 0 at crests. Three periods of the band's lower end at
    either end are less sure.

    Raises
    ------
    InputError
        If the band is outside 0..Nyquist or the signal shorter than three of its longest periods.
    """
    from scipy.signal import hilbert

    x = as_signal(signal, dt, where="signal phase")
    part = bandpass(x, dt, check_band(band, dt, where="signal phase"))
    return np.angle(hilbert(part, axis=-1))


def phase_at(
    times: ArrayLike, phase: ArrayLike, dt: float, *, first: float = 0.0
) -> NDArray[np.float64]:
    """Return the phase (rad) at ``times`` between the samples of a sampled ``phase``.

    Parameters
    ----------
    times
        Times (s), shape (n,), within the samples'.
    phase
        Phase (rad) at ``first + k dt``, shape (n_samples,), as :func:`signal_phase` gives it.
    dt, first
        Step and time of the first sample (s).

    Raises
    ------
    InputError
        If a time lies outside the samples.
    """
    phi = np.unwrap(as_signal(phase, dt, where="phase at", ndim=1))
    t = np.asarray(times, dtype=np.float64)
    last = first + (len(phi) - 1) * dt
    if t.size and not (t.min() >= first - 1e-9 and t.max() <= last + 1e-9):
        raise InputError(f"times must lie within {first:g}..{last:g} s: phase at")
    return np.interp(t, first + np.arange(len(phi)) * dt, phi)


def entrainment(
    spikes: Spikes,
    frequency: float,
    *,
    start: float | None = None,
    stop: float | None = None,
    segment: float = 0.25,
    phase: float = 0.0,
) -> dict[str, Locking]:
    """Return the locking of each population's spikes to the stimulus cos(2 pi f t + phase).

    Parameters
    ----------
    spikes
        Run.
    frequency
        Frequency f (Hz) of the stimulus, or of the beat.
    start, stop
        Interval (s), the whole run where left out; a part of a segment at its end does not
        count.
    segment
        Length (s) of a group of spikes, rounded up to whole periods: ten times as long as the
        network keeps a phase by itself, and short enough for twenty or more.
    phase
        Phase of the stimulus (rad) at t = 0.

    Raises
    ------
    InputError
        If the frequency or segment is not > 0, or the interval is outside the run or holds fewer
        than 5 segments.
    """
    check_positive("frequency", frequency)
    check_positive("segment", segment)
    begin, end = stretch(spikes, start, stop, where="entrainment")
    length = np.ceil(segment * frequency - 1e-9) / frequency
    n = int((end - begin) / length + 1e-9)
    if n < LEAST_GROUPS:
        raise InputError(
            f"interval must hold {LEAST_GROUPS} segments of {length:g} s, "
            f"got {begin:g}..{end:g} s: entrainment at {frequency:g} Hz"
        )
    kept = (spikes.times > begin) & (spikes.times <= begin + n * length)
    times, ids = spikes.times[kept], spikes.ids[kept]
    phi = stimulus_phase(times, frequency, phase=phase)
    group = np.ceil((times - begin) / length - 1e-9).astype(np.int64)
    result = {}
    for k, name in enumerate(spikes.names):
        own = (ids >= spikes.first[k]) & (ids < spikes.first[k + 1])
        result[name] = locking(phi[own], group[own])
    return result


def signal_locking(
    signal: ArrayLike,
    dt: float,
    frequency: float,
    *,
    band: tuple[float, float],
    segment: float,
    phase: float = 0.0,
) -> Locking:
    """Return the locking of an oscillation in ``signal`` to the stimulus cos(2 pi f t + phase).

    Parameters
    ----------
    signal
        Signal at t = dt, 2 dt, …, shape (n_samples,).
    dt
        Step (s).
    frequency
        Frequency f (Hz) of the stimulus.
    band
        Band (Hz) of the oscillation, wide enough for it alone and with the stimulus.
    segment
        Length (s) of a group, ten times as long as the free oscillation keeps its phase.
    phase
        Phase of the stimulus (rad) at t = 0.

    Raises
    ------
    InputError
        As :func:`signal_phase`, or if the frequency or segment is not > 0.
    """
    check_positive("frequency", frequency)
    check_positive("segment", segment)
    x = as_signal(signal, dt, where="signal locking", ndim=1)
    time = np.arange(1, len(x) + 1) * dt
    own = signal_phase(x, dt, band=band)
    difference = own - stimulus_phase(time, frequency, phase=phase)
    return locking(difference, np.ceil(time / segment - 1e-9).astype(np.int64))


def phase_locking(a: ArrayLike, b: ArrayLike, *, n: int = 1, m: int = 1) -> float:
    """Return the n:m phase-locking value |mean exp(i (n a - m b))| of two phases (rad).

    Raises
    ------
    InputError
        If shapes differ or are empty, or n or m is below 1.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.shape != y.shape or x.size == 0:
        raise InputError(f"phases must have one shape, got {x.shape} and {y.shape}: phase locking")
    if min(n, m) < 1:
        raise InputError(f"n and m must be >= 1, got {n}:{m}: phase locking")
    return float(abs(np.exp(1j * (n * x - m * y)).mean()))


def rotation(phase: ArrayLike, dt: float) -> NDArray[np.float64]:
    """Return the mean frequency (Hz) at which ``phase`` (rad, (..., n_samples)) turns, shape (...).

    Within a tongue of locking the rotation of an oscillation is that of its stimulus (or n/m of
    it) and does not move with its own frequency; outside it slips.

    Raises
    ------
    InputError
        If there are fewer than two samples.
    """
    phi = as_signal(phase, dt, where="rotation")
    if phi.shape[-1] < 2:
        raise InputError(f"phase must have 2 samples, got {phi.shape[-1]}: rotation")
    turned = np.unwrap(phi, axis=-1)
    return np.asarray((turned[..., -1] - turned[..., 0]) / (2 * np.pi * dt * (phi.shape[-1] - 1)))
