"""Laws that turn a biomarker into the next amplitude or frequency.

On-off, dual threshold, P and PI are those of Fleming, Dunn & Lowery 2020, Front Neurosci 14:166
(doi:10.3389/fnins.2020.00166): the error is relative to the set point, e = (y - y*)/y*; the
integral stands still while the output is at a bound. All outputs are kept within ``span``.
"""

from __future__ import annotations

from math import ceil, isfinite
from typing import Protocol

from rheobase._errors import InputError, check_positive

RAMP = 0.25  # s from one end of the span to the other
Span = tuple[float, float]


class Controller(Protocol):
    """Decides on an output at every call, one ``period`` after the other."""

    def update(self, reading: float) -> float:
        """Return the output for a reading of the biomarker."""
        ...


def check_span(span: Span) -> None:
    """Raise `InputError` unless ``span`` is two rising finite values >= 0."""
    if not (0 <= span[0] < span[1] and isfinite(span[1])):
        raise InputError(f"span must be two rising values >= 0, got {span}: controller")


class OpenLoop:
    """The same output always, whatever is read."""

    def __init__(self, output: float) -> None:
        self._output = output

    def update(self, reading: float) -> float:
        """Return the output."""
        return self._output


class DualThreshold:
    """Up above the upper threshold, down below the lower one, held in between.

    Parameters
    ----------
    lower, upper
        Thresholds of the reading, > 0; on-off control where they agree.
    span
        Range of the output.
    period
        Time between calls (s).
    ramp
        Time from one end of the span to the other (s).

    Raises
    ------
    InputError
        If a value is out of range or the thresholds do not rise.
    """

    def __init__(
        self, lower: float, upper: float, *, span: Span, period: float, ramp: float = RAMP
    ) -> None:
        for name, value in (("lower threshold", lower), ("period", period), ("ramp", ramp)):
            check_positive(f"{name} of the controller", value)
        if not lower <= upper < float("inf"):
            raise InputError(
                f"the upper threshold must be at least the lower one, {lower:g}, got {upper:g}"
            )
        check_span(span)
        self._lower, self._upper, self._span = lower, upper, span
        self._step = (span[1] - span[0]) / ceil(ramp / period - 1e-9)
        self._output = span[0]

    def update(self, reading: float) -> float:
        """Return the output for a reading."""
        if reading > self._upper:
            self._output = min(self._output + self._step, self._span[1])
        elif reading < self._lower or self._lower == self._upper:
            self._output = max(self._output - self._step, self._span[0])
        return self._output


class OnOff(DualThreshold):
    """Up above the set point, down at and below it; parameters as of `DualThreshold`."""

    def __init__(self, set_point: float, *, span: Span, period: float, ramp: float = RAMP) -> None:
        super().__init__(set_point, set_point, span=span, period=period, ramp=ramp)


class PI:
    """Kp (e + 1/Ti times the integral of e), e the relative error; P without ``Ti``.

    Parameters
    ----------
    set_point
        Reading that is wanted, > 0.
    Kp
        Gain (> 0), in the unit of the output.
    Ti
        Integral time (s).
    span
        Range of the output.
    period
        Time between calls (s).
    ramp
        Least time from one end of the span to the other (s); no limit without. As at a bound, the
        integral stands still while the ramp holds the output back.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    def __init__(
        self,
        set_point: float,
        *,
        Kp: float,
        Ti: float | None = None,
        span: Span,
        period: float,
        ramp: float | None = None,
    ) -> None:
        times = {"Ti": Ti, "ramp": ramp}
        for name, value in {"set point": set_point, "Kp": Kp, "period": period, **times}.items():
            if value is not None or name not in times:
                check_positive(f"{name} of the controller", value or 0.0)
        check_span(span)
        self._set_point, self._Kp, self._Ti = set_point, Kp, Ti
        self._span, self._period = span, period
        self._step = float("inf") if ramp is None else (span[1] - span[0]) * period / ramp
        self._integral = 0.0
        self._output = span[0]

    def update(self, reading: float) -> float:
        """Return the output for a reading."""
        error = (reading - self._set_point) / self._set_point
        integral = self._integral + error * self._period
        wanted = self._Kp * (error + (integral / self._Ti if self._Ti else 0.0))
        low = max(self._span[0], self._output - self._step)
        high = min(self._span[1], self._output + self._step)
        if low <= wanted <= high:
            self._integral = integral
        self._output = min(max(wanted, low), high)
        return self._output
