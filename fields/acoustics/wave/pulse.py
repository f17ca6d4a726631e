"""Waves of pulses: pressure in time at points, and its largest values everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, cos, pi, sin
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase._progress import stage, track
from rheobase.fields.acoustics.media import Floats
from rheobase.fields.acoustics.transducers.source import Source
from rheobase.fields.acoustics.wave.kernel import WaveKernel, check_memory
from rheobase.fields.acoustics.wave.sources import source_load
from rheobase.fields.acoustics.wave.steady import fronts_of, steps_per_period
from rheobase.fields.acoustics.wave.tables import Singles
from rheobase.fields.acoustics.wave.window import AcousticWindow

Envelope = Callable[[Floats], Floats]

#: Step over which the source is differentiated in time, in time steps.
DIFFERENCE = 1e-3


def tone_burst(frequency: float, cycles: float, *, ramp: float | None = None) -> Envelope:
    """Return the envelope of a burst: 1 for some cycles, rising and falling by half a cosine.

    Parameters
    ----------
    frequency
        Hz.
    cycles
        Length of the burst with its ramps.
    ramp
        Cycles over which it rises, and falls; half of the burst by default (a Hann window).

    Raises
    ------
    InputError
        If the ramps do not fit in the burst.
    """
    check_positive("frequency (Hz)", frequency)
    check_positive("cycles of a burst", cycles)
    rise = 0.5 * cycles if ramp is None else ramp
    if not 0.0 < rise <= 0.5 * cycles:
        raise InputError(
            f"expected ramps > 0 and up to half of the burst's {cycles:g} cycles, got {rise:g}"
        )

    def envelope(t: Floats) -> Floats:
        at = np.asarray(t) * frequency
        edge = np.clip(np.minimum(at, cycles - at) / rise, 0.0, 1.0)
        factor: Floats = np.sin(0.5 * pi * edge) ** 2
        return factor

    return envelope


@dataclass(frozen=True, kw_only=True, eq=False)
class PulseField:
    """Pressure of a pulse.

    Parameters
    ----------
    window
        Grid, materials and frame.
    times
        Of the traces (s), shape (nt,).
    traces
        Pressure at the points (Pa), NaN outside of the grid, shape (n, nt).
    highest, lowest
        Peak positive and peak negative pressure of each node (Pa), shape (nz, ny, nx).
    steps_per_period
        Time steps in a period of the window's frequency.
    """

    window: AcousticWindow
    times: Floats
    traces: Floats
    highest: Singles
    lowest: Singles
    steps_per_period: int


def solve_pulse(
    window: AcousticWindow,
    source: Source,
    envelope: Envelope,
    *,
    duration: float,
    points: ArrayLike = (),
    steps: int | None = None,
) -> PulseField:
    """Solve for the pressure of a pulse: a source of velocity Re(u e^{iwt}) envelope(t).

    Second-order leapfrog whose phase is right at the window's frequency; what is left of its error,
    in the speed of the envelope, is (2 pi / steps)^2 / 12 of the way. Losses are those of the
    window's frequency.

    Parameters
    ----------
    window
        Grid and materials.
    source
        Points of the radiating surface in the beam frame, inside of the window.
    envelope
        Factor of the velocity at times (s) from 0.
    duration
        How long to follow the waves (s).
    points
        Points of the beam frame at which the pressure is kept in time (m), shape (n, 3).
    steps
        Time steps a period of the window's frequency, a multiple of four; the fewest stable ones by
        default. Peaks between two steps are missed by up to 1 - cos(pi / steps).

    Returns
    -------
    PulseField
        Pressure in time at the points, and its peaks at all nodes.

    Raises
    ------
    InputError
        If the source is outside of the window or silent, ``steps`` is unstable (CFL condition), or
        the run does not fit in memory.
    """
    check_positive("duration (s)", duration)
    load = source_load(window, source)
    check_memory(window)
    with stage(f"pulse, {window.grid.size / 1e6:.1f} M nodes: set-up"):
        kernel = WaveKernel(window)
        n = steps_per_period(kernel.highest(), window.omega, steps)
        kernel.set_step(2.0 * sin(pi / n) / window.omega, 1.0 / cos(pi / n))
        kernel.set_source(load.nodes, load.values / (1j * window.omega))
    period = 2.0 * pi / window.omega
    count = ceil(duration / period * n)
    times = period / n * np.arange(count + 1.0)
    cosine, sine = _drive(window.omega, envelope, times[:-1])
    fronts = fronts_of(window, load.nodes, period)
    listen = _listener(kernel, points)
    traces = np.full((listen.shape[0], count), np.nan)
    inside = np.diff(listen.indptr) > 0
    highest, lowest = np.zeros_like(kernel.packed), np.zeros_like(kernel.packed)
    for step in track(range(count), f"pulse, {count} steps"):
        active = fronts[min(step // n, len(fronts) - 1)]
        kernel.steps(cosine[step : step + 1], sine[step : step + 1], active)
        now = kernel.packed
        np.maximum(highest, now, out=highest)
        np.minimum(lowest, now, out=lowest)
        traces[inside, step] = (listen @ now.ravel())[inside]
    if not np.isfinite(kernel.packed).all():
        raise RuntimeError(f"the march with {n} steps a period became unstable")
    return PulseField(
        window=window, times=times[1:], traces=traces,
        highest=kernel.packing.unpack(highest), lowest=kernel.packing.unpack(lowest),
        steps_per_period=n,
    )  # fmt: skip


def _drive(omega: float, envelope: Envelope, t: Floats) -> tuple[Floats, Floats]:
    """Return factors of the two parts of the velocity's slope in time (1/s)."""
    d = DIFFERENCE * (t[1] - t[0])

    def signal(t: Floats) -> NDArray[np.complex128]:
        return np.asarray(envelope(t) * np.exp(1j * omega * t), np.complex128)

    slope = (signal(t + d) - signal(t - d)) / (2.0 * d)
    return slope.real, -slope.imag


def _listener(kernel: WaveKernel, points: ArrayLike) -> Any:
    """Return the sparse matrix that takes packed pressure to points, shape (n, packed nodes)."""
    from scipy.sparse import csr_array

    at = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    point, node, weight = kernel.window.grid.locate(at).nodes()
    places = kernel.packing.places(node)
    shape = len(at), int(np.prod(kernel.packing.shape))
    return csr_array((weight, (point, places)), shape=shape)
