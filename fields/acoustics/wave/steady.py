"""Steady state of a continuous wave, by marching until a period repeats itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import asin, ceil, cos, pi, sin
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage, track
from rheobase.fields.acoustics.transducers.source import Source
from rheobase.fields.acoustics.wave.field import PressureField
from rheobase.fields.acoustics.wave.kernel import WaveKernel, check_memory
from rheobase.fields.acoustics.wave.sources import source_load
from rheobase.fields.acoustics.wave.tables import aligned
from rheobase.fields.acoustics.wave.window import AcousticWindow

RAMP = 8
"""Periods over which the source rises."""

#: Periods over which the decay of the change is measured, and the least ratio that is believed: of
#: slow waves along the rim four times the change of a period is still to come.
DECAY, SLOWEST = 6, 0.75
FINEST = 1e-5
"""Least tolerance: single precision leaves changes of about 5e-7 a period for ever."""


@dataclass(frozen=True, kw_only=True)
class MarchReport:
    """What a steady state took and how steady it is.

    Parameters
    ----------
    nodes, steps_per_period, periods
        Size of the grid, time steps of a period, periods marched.
    change, remaining
        Change of the phasor over the last period, and the estimate of all that is still to come,
        of its norm in the inner box.
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
    remaining: float
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
    least = max(12, 4 * ceil(pi / asin(min(ratio, 1.0)) / 4.0))
    if asked is None:
        return least
    if asked % 4 or asked < least:
        raise InputError(
            f"expected a multiple of 4 and at least {least} steps a period for a stable march (CFL "
            f"condition), got {asked}: set steps to {least} or more, or leave it out"
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
        March until what is still to change is less than this part of the phasor's norm in the
        inner box, judged by how fast the changes of the last periods decay.
    most_periods
        Periods after which marching stops with an error.

    Returns
    -------
    PressureField
        Complex pressure (peak, Pa) at all nodes.

    Raises
    ------
    InputError
        If the source is outside of the window or silent, ``steps`` is unstable, ``tolerance`` is
        below what single precision holds, or the run does not fit in memory.
    RuntimeError
        If the pressure is not steady after ``most_periods``, or grows without end.
    KeyboardInterrupt
        After Ctrl-C, at the end of the quarter of a period; it says what was reached.
    """
    if not FINEST <= tolerance < 1.0:
        raise InputError(
            f"expected a tolerance of {FINEST:g} to 1, got {tolerance:g}: pressures are kept in "
            "single precision"
        )
    load = source_load(window, source)
    memory = check_memory(window)
    with stage(f"wave, {window.grid.size / 1e6:.1f} M nodes, {memory / 2**30:.2f} GiB: set-up"):
        kernel = WaveKernel(window)
        n = steps_per_period(kernel.highest(), window.omega, steps)
        kernel.set_step(2.0 * sin(pi / n) / window.omega, 1.0 / cos(pi / n))
        kernel.set_source(load.nodes, load.values)
    fronts = fronts_of(window, load.nodes, 2.0 * pi / window.omega)
    march = _March(kernel, n, fronts)
    start = perf_counter()
    text = f"wave, {n} steps a period"
    for _ in track(range(most_periods), text, total=int(1.25 * len(fronts)) + RAMP):
        march.period()
        if march.remaining < tolerance:
            break
    else:
        raise RuntimeError(
            f"the pressure still changes by {march.change:.1e} a period after {most_periods} "
            "periods: the window may hold a cavity that sound does not leave"
        )
    phasor = march.phasor()
    seconds = perf_counter() - start
    report = MarchReport(
        nodes=window.grid.size, steps_per_period=n, periods=march.periods, change=march.change,
        remaining=march.remaining, points_per_wavelength=window.points_per_wavelength,
        seconds=seconds, updates_per_second=march.updates / seconds, memory=memory,
        outside=load.outside,
    )  # fmt: skip
    return PressureField(window=window, phasor=phasor, report=report.as_dict())


class _March:
    """A wave on its way to the steady state, watched at a part of the nodes of the inner box."""

    def __init__(self, kernel: WaveKernel, n: int, fronts: list[tuple[int, int]]) -> None:
        self.kernel, self.n, self.fronts = kernel, n, fronts
        self.periods, self.updates = 0, 0
        self.change, self.remaining = np.inf, np.inf
        self._changes: list[float] = []
        self._places = _watched(kernel)
        self._last = np.zeros(len(self._places), np.complex64)

    def _quarters(self) -> Any:
        """March a period, and yield after each quarter of it."""
        n, count = self.n, self.periods
        active = self.fronts[min(count, len(self.fronts) - 1)]
        step = count * n + np.arange(n)
        rise = np.sin(0.5 * pi * np.minimum(step / (RAMP * n), 1.0)) ** 2
        cosine, sine = rise * np.cos(2 * pi * step / n), -rise * np.sin(2 * pi * step / n)
        for quarter in np.split(np.arange(n), 4):
            try:
                self.kernel.steps(cosine[quarter], sine[quarter], active)
            except KeyboardInterrupt as stop:
                raise KeyboardInterrupt(
                    f"the wave was stopped after {count} periods, its pressure changed by "
                    f"{self.change:.1e} a period; nothing was written"
                ) from stop
            yield self.kernel.packed
        self.periods += 1
        grid = self.kernel.window.grid
        planes = int(grid.first[active[1]] - grid.first[active[0]])
        self.updates += n * planes * grid.shape[1] * grid.shape[2]

    def period(self) -> None:
        """March a period and see how steady the phasor is."""
        a, b, c, d = (pressure.ravel()[self._places] for pressure in self._quarters())
        new = 0.5 * (d - b) + 0.5j * (c - a)
        if self.periods < len(self.fronts) + RAMP:
            self._last = new
            return
        size = float(np.linalg.norm(new))
        self.change = float(np.linalg.norm(new - self._last)) / size if size > 0.0 else np.inf
        self._last = new
        if not np.isfinite(self.change) or self.change > 1e3:
            raise RuntimeError(f"the march with {self.n} steps a period became unstable")
        self._changes.append(self.change)
        self.remaining = remaining(self._changes)

    def phasor(self) -> NDArray[np.complex64]:
        """March a period more and return the complex amplitude, shape (nz, ny, nx)."""
        kernel, shape = self.kernel, self.kernel.packing.shape
        parts = aligned(shape), aligned(shape)  # imaginary, real
        for quarter, pressure in enumerate(self._quarters()):
            part = parts[quarter % 2]
            if quarter < 2:
                np.multiply(pressure, -0.5, out=part)
            else:
                for mine, now in zip(part, pressure, strict=True):
                    mine += 0.5 * now
        out = np.empty(kernel.packing.nodes, np.complex64)
        column = kernel.packing.column
        for plane, imaginary, real in zip(out, *parts, strict=True):
            plane.real, plane.imag = real[:, column], imaginary[:, column]
        return out


def remaining(changes: list[float]) -> float:
    """Return an estimate of what is still to change, from how the last changes decay.

    With a ratio r of successive changes their sum is the last one times r / (1 - r).

    Examples
    --------
    >>> round(remaining([0.1 * 0.8**i for i in range(20)]) / (0.1 * 0.8**19), 3)
    4.0
    """
    if len(changes) <= DECAY // 2:
        return float(np.inf)
    span = min(DECAY, len(changes) - 1)
    ratio = max((changes[-1] / changes[-1 - span]) ** (1 / span), SLOWEST)
    return changes[-1] * ratio / (1.0 - ratio) if ratio < 1.0 else float(np.inf)


def _watched(kernel: WaveKernel) -> NDArray[np.int64]:
    """Return places of the nodes of one line of each element of the inner box, along x."""
    window, grid = kernel.window, kernel.window.grid
    planes, rows, columns = window.inner
    z = grid.first[:-1] + grid.orders // 2
    z = z[(z >= planes.start) & (z < planes.stop)]
    y = np.arange(rows.start + grid.order // 2, rows.stop, grid.order)
    x = np.arange(columns.start, columns.stop)
    nodes = (z[:, None, None].astype(np.intp) * grid.shape[1] + y[:, None]) * grid.shape[2] + x
    return kernel.packing.places(nodes.ravel())


def fronts_of(
    window: AcousticWindow, nodes: NDArray[np.intp], period: float
) -> list[tuple[int, int]]:
    """Return the layers that sound may have reached after each period (s), until it is all of them.

    The sound starts at ``nodes`` (flat numbers).
    """
    grid = window.grid
    planes = np.unique(nodes // (grid.shape[1] * grid.shape[2]))
    layers = len(grid.orders)
    bottom = int(np.searchsorted(grid.first, planes[0], "right")) - 1
    top = int(np.searchsorted(grid.first, planes[-1], "left"))
    # a layer that slopes is crossed at a right angle to its faces
    x, y = grid.lateral_nodes
    steps = np.diff(grid.faces) / np.diff(x), np.diff(grid.faces, axis=1) / np.diff(y)[:, None]
    rise = np.hypot(*(np.abs(m).max(axis=(1, 2)) for m in steps))
    steepest = np.maximum(rise[:-1], rise[1:])
    thinnest = np.diff(grid.faces, axis=0).min(axis=(1, 2)) / np.hypot(1.0, steepest)
    fastest = window.materials.sound_speed.max(axis=(1, 2))
    if window.materials.nodal.size:
        fastest = np.maximum(fastest, window.materials.nodal[0].max())
    travel = np.concatenate([[0.0], np.cumsum(thinnest / fastest)])
    out: list[tuple[int, int]] = []
    while not out or out[-1] != (0, layers):
        reach = (len(out) + 1) * period
        low = int(np.searchsorted(travel, travel[bottom] - reach, "right")) - 1
        high = int(np.searchsorted(travel, travel[top] + reach, "left"))
        out.append((max(low - 1, 0), min(high + 1, layers)))
    return out
