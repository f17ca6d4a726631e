"""Steady state of a continuous wave, by marching until a period repeats itself."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from math import asin, ceil, cos, pi, sin
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import track
from rheobase.fields.acoustics.transducers.source import Source
from rheobase.fields.acoustics.wave.field import PressureField
from rheobase.fields.acoustics.wave.kernel import WaveKernel
from rheobase.fields.acoustics.wave.window import AcousticWindow

RAMP = 4
"""Periods over which the source rises."""


@dataclass(frozen=True, kw_only=True)
class MarchReport:
    """What a steady state took and how steady it is.

    Parameters
    ----------
    nodes, steps_per_period, periods
        Size of the grid, time steps of a period, periods marched.
    change
        Change of the phasor over the last period, of its norm.
    points_per_wavelength
        Nodes a wavelength of the slowest material.
    seconds, updates_per_second
        Wall time of marching (s), and nodes stepped in a second.
    memory
        Bytes of the arrays.
    outside
        Part of the source's volume velocity outside of the grid.
    """

    nodes: int
    steps_per_period: int
    periods: int
    change: float
    points_per_wavelength: float
    seconds: float
    updates_per_second: float
    memory: int
    outside: float

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain numbers."""
        return asdict(self)


def steps_per_period(highest: float, omega: float, asked: int | None = None) -> int:
    """Return how many time steps a period needs: a multiple of four, stable.

    Parameters
    ----------
    highest
        Largest eigenvalue of M^-1 K (1/s²).
    omega
        Angular frequency (rad/s).
    asked
        What the caller wants; checked.

    Raises
    ------
    InputError
        If ``asked`` is no multiple of four or the leapfrog scheme would be unstable with it.
    """
    # dt = 2 sin(pi / n) / omega must be below 2 / sqrt(highest)
    ratio = omega / np.sqrt(highest)
    least = 4 * ceil(pi / asin(min(ratio, 1.0)) / 4.0)
    if asked is None:
        return max(least, 12)
    if asked % 4 or asked < 12:
        raise InputError(f"expected 12, 16, 20 … steps a period, got {asked}")
    if asked < least:
        raise InputError(
            f"expected at least {least} steps a period for a stable march (CFL condition), got "
            f"{asked}: set steps to {least} or more, or leave it out"
        )
    return asked


def solve_pressure(
    window: AcousticWindow,
    source: Source,
    *,
    steps: int | None = None,
    tolerance: float = 1e-3,
    most_periods: int = 400,
) -> PressureField:
    """Solve for the steady pressure of a continuous wave.

    The leapfrog scheme's own frequency is put right: with N steps a period of
    dt = 2 sin(pi / N) / omega and damping divided by cos(pi / N), what it settles to is the
    solution of the spectral-element Helmholtz problem at omega, whatever N is.

    Parameters
    ----------
    window
        Grid and materials.
    source
        Points of the radiating surface in the beam frame, with their normal velocity (m/s) and
        area (m²); inside of the window.
    steps
        Steps a period; the fewest stable ones by default.
    tolerance
        March until the phasor changes by less than this part of its norm over a period.
    most_periods
        Periods after which marching stops with an error.

    Returns
    -------
    PressureField
        Complex pressure (peak, Pa) at all nodes.

    Raises
    ------
    InputError
        If the source is outside of the window or silent, ``steps`` is unstable, or the run does
        not fit in memory.
    RuntimeError
        If the pressure is not steady after ``most_periods``.
    """
    load, outside = source_load(window, source)
    memory = check_memory(window)
    kernel = WaveKernel(window)
    n = steps_per_period(kernel.highest(), window.omega, steps)
    dt = 2.0 * sin(pi / n) / window.omega
    kernel.set_step(dt, 1.0 / cos(pi / n))
    kernel.set_source(load)
    fronts = _fronts(window, load, dt * n)
    start = perf_counter()
    phasor = np.zeros(window.grid.shape, np.complex64)
    change, updates = np.inf, 0
    expected = int(len(fronts) + 0.25 * len(fronts)) + RAMP
    text = f"wave, {window.grid.size / 1e6:.1f} M nodes, {n} steps a period"
    bar = track(range(most_periods), text, total=expected)
    for period in bar:
        active = fronts[min(period, len(fronts) - 1)]
        snapshots = _march(kernel, period, n, active)
        updates += n * _nodes_of(window, active)
        new = 0.5 * (snapshots[3] - snapshots[1]) + 0.5j * (snapshots[2] - snapshots[0])
        if period >= len(fronts) + RAMP - 1:
            size = float(np.linalg.norm(new.ravel()))
            change = float(np.linalg.norm((new - phasor).ravel())) / size
            if not np.isfinite(change):
                raise RuntimeError(f"the march with {n} steps a period became unstable")
        phasor = new
        if change < tolerance:
            break
    else:
        raise RuntimeError(
            f"the pressure still changes by {change:.1e} a period after {most_periods} periods: "
            "the window may hold a cavity that sound does not leave"
        )
    seconds = perf_counter() - start
    report = MarchReport(
        nodes=window.grid.size, steps_per_period=n, periods=period + 1, change=change,
        points_per_wavelength=window.points_per_wavelength, seconds=seconds,
        updates_per_second=updates / seconds, memory=memory, outside=outside,
    )  # fmt: skip
    return PressureField(window=window, phasor=phasor, report=report.as_dict())


def source_load(window: AcousticWindow, source: Source) -> tuple[NDArray[np.complex128], float]:
    """Return iw 2 u dA integrated in the basis, and the part of |u| dA outside of the grid.

    Raises
    ------
    InputError
        If nothing of the source is inside of the window, or it does not move.
    """
    found = window.grid.locate(source.points)
    volume = np.abs(source.velocity) * source.area
    if not volume.sum() > 0.0:
        raise InputError("expected a source that moves, got a normal velocity of 0 everywhere")
    outside = float(volume[~found.inside].sum() / volume.sum())
    inner = ((source.points >= window.low - 1e-9) & (source.points <= window.high + 1e-9)).all(1)
    lost = float(volume[~inner].sum() / volume.sum())
    if lost > 0.01:
        raise InputError(
            f"expected the source inside of the window, {100 * lost:.0f} % of it are outside: "
            f"z {source.points[:, 2].min() * 1e3:.1f} to {source.points[:, 2].max() * 1e3:.1f} mm, "
            f"window from {window.low[2] * 1e3:.1f} to {window.high[2] * 1e3:.1f} mm"
        )
    return found.scatter(2j * window.omega * source.velocity * source.area), outside


def memory_needed(window: AcousticWindow) -> int:
    """Return about how many bytes a solution takes at most."""
    nodes = window.grid.size
    general = nodes  # every element may need its metric
    return int(nodes * (2 * 8 + 6 * 4 + 6 * 8) + general * 1.8 * 16)


def check_memory(window: AcousticWindow) -> int:
    """Return the bytes a solution takes, or refuse it where they are not free.

    Raises
    ------
    InputError
        If less memory is free.
    """
    needed = memory_needed(window)
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > free:
        raise InputError(
            f"the window of {window.grid.size / 1e6:.1f} M nodes needs about "
            f"{needed / 2**30:.1f} GiB and {free / 2**30:.1f} are free: make it smaller, or lower "
            "per_wavelength"
        )
    return needed


def _march(
    kernel: WaveKernel, period: int, n: int, active: tuple[int, int]
) -> list[NDArray[np.float32]]:
    """March one period and return the pressure after each quarter."""
    step = period * n + np.arange(n)
    rise = np.sin(0.5 * pi * np.minimum(step / (RAMP * n), 1.0)) ** 2
    cosine, sine = rise * np.cos(2 * pi * step / n), -rise * np.sin(2 * pi * step / n)
    out = []
    for quarter in np.split(np.arange(n), 4):
        kernel.steps(cosine[quarter], sine[quarter], active)
        out.append(kernel.pressure)
    return out


def _nodes_of(window: AcousticWindow, active: tuple[int, int]) -> int:
    first = window.grid.first
    return int(first[active[1]] - first[active[0]]) * int(np.prod(window.grid.shape[1:]))


def _fronts(
    window: AcousticWindow, load: NDArray[np.complex128], period: float
) -> list[tuple[int, int]]:
    """Return the layers that sound may have reached after each period, until it is all of them."""
    grid = window.grid
    planes = np.flatnonzero(np.abs(load).max(axis=(1, 2)))
    layers = len(grid.orders)
    bottom = int(np.searchsorted(grid.first, planes[0], "right")) - 1
    top = int(np.searchsorted(grid.first, planes[-1], "left"))
    thinnest = np.diff(grid.faces, axis=0).min(axis=(1, 2))
    fastest = window.materials.sound_speed.max(axis=(1, 2))
    if window.materials.nodal.size:
        fastest = np.maximum(fastest, window.materials.nodal[0].max())
    travel = np.concatenate([[0.0], np.cumsum(thinnest / fastest)])
    out = []
    for count in range(1, 10_000):
        reach = count * period
        low = int(np.searchsorted(travel, travel[bottom] - reach, "right")) - 1
        high = int(np.searchsorted(travel, travel[top] + reach, "left"))
        active = (max(low - 1, 0), min(high + 1, layers))
        out.append(active)
        if active == (0, layers):
            break
    return out
