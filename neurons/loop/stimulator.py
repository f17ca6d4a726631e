"""From a reading to pulses: trains whose amplitude or frequency is controlled, or phase-locked."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from rheobase._errors import InputError, check_option, check_positive
from rheobase.neurons.loop.controllers import Controller
from rheobase.neurons.loop.plant import Floats

Quantity = Literal["amplitude", "frequency"]
TINY = 1e-12  # s by which a pulse may miss a bound from rounding


class Stimulator(Protocol):
    """Turns a reading into the pulses of the next period.

    Attributes
    ----------
    amplitude, frequency
        Those that hold now (A, Hz).
    """

    amplitude: float
    frequency: float

    def pulses(self, reading: float, start: float, stop: float) -> Floats:
        """Return when pulses begin (s), ``start`` <= t < ``stop``, for the last reading."""
        ...


class Train:
    """Evenly spaced pulses; a controller sets their amplitude or their frequency.

    A pulse follows the last one after the period of the frequency that holds now, at once if that
    has passed. Without amplitude there is no pulse.

    Parameters
    ----------
    controller
        Gives the controlled quantity.
    varies
        "amplitude" or "frequency".
    amplitude, frequency
        The other one (A, Hz), > 0; the start of the one that varies.

    Raises
    ------
    InputError
        If ``varies`` is unknown or the constant quantity is not > 0.
    """

    def __init__(
        self,
        controller: Controller,
        *,
        varies: Quantity,
        amplitude: float = 0.0,
        frequency: float = 0.0,
    ) -> None:
        check_option("quantity", varies, ("amplitude", "frequency"), where="stimulator")
        if varies == "amplitude":
            check_positive("frequency of the stimulator", frequency)
        else:
            check_positive("amplitude of the stimulator", amplitude)
        self._controller, self._varies = controller, varies
        self.amplitude, self.frequency = amplitude, frequency
        self._last = -np.inf

    def pulses(self, reading: float, start: float, stop: float) -> Floats:
        """Return when pulses begin (s), shape (n,)."""
        output = self._controller.update(reading)
        if self._varies == "amplitude":
            self.amplitude = output
        else:
            self.frequency = output
        if self.frequency <= 0:
            return np.empty(0)
        interval = 1 / self.frequency
        first = max(self._last + interval, start)
        n = max(0, int(np.ceil((stop - first - TINY) / interval)))
        times: Floats = first + interval * np.arange(n, dtype=np.float64)
        if n:
            self._last = float(times[-1])
        return times[: n if self.amplitude > 0 else 0]


class Locked:
    """A volley of pulses in every cycle of an oscillation, at one phase of it.

    The reading is the phase at ``start`` (rad, 0 at the peak); the next pass of ``phase`` is
    foreseen with a constant frequency.

    Parameters
    ----------
    phase
        Where the volley begins (rad).
    oscillation
        Frequency of the oscillation (Hz).
    amplitude
        Of the pulses (A).
    count, rate
        Pulses of a volley and their frequency (Hz).

    Raises
    ------
    InputError
        If a value is not > 0, or a volley is longer than a cycle.
    """

    def __init__(
        self, phase: float, *, oscillation: float, amplitude: float, count: int, rate: float
    ) -> None:
        for name, value in (
            ("oscillation", oscillation),
            ("amplitude", amplitude),
            ("count", count),
            ("rate", rate),
        ):
            check_positive(f"{name} of the phase-locked stimulator", value)
        if count / rate > 1 / oscillation:
            raise InputError(
                f"{count} pulses at {rate:g} Hz are longer than a cycle of {oscillation:g} Hz"
            )
        self._phase, self._oscillation, self._count = phase, oscillation, count
        self._volley = np.arange(count) / rate
        self._last = -np.inf
        self._due = np.empty(0)
        self.amplitude, self.frequency = amplitude, rate

    def pulses(self, reading: float, start: float, stop: float) -> Floats:
        """Return when pulses begin (s), shape (n,)."""
        cycle = 1 / self._oscillation
        begin = start + (self._phase - reading) % (2 * np.pi) / (2 * np.pi) * cycle
        if begin < stop - TINY and begin - self._last > cycle / 2:
            self._last = begin
            self._due = np.concatenate([self._due, begin + self._volley])
        now = self._due < stop - TINY
        times, self._due = self._due[now], self._due[~now]
        return times
