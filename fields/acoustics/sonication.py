"""The timing of an ultrasound exposure: pulses in trains, trains repeated.

The words are those of the consensus on reporting (Martin et al., Brain Stimul 17:607 (2024),
doi:10.1016/j.brs.2024.04.013): pulses of one frequency start every pulse interval, a pulse train
holds them, trains start every train interval, the whole lasts for the duration. The envelope
multiplies the pressure; intensity and heat go with its square.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import floor, isfinite
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.fields.acoustics.frequency import check_frequency
from rheobase.fields.heat.phases import Phase

RAMPS = {"linear": 1 / 3, "cosine": 3 / 8}
"""Mean square of each shape of ramp: t/T, and (1 - cos(pi t/T))/2."""
_HELD = {
    "pulse_interval": "pulse_duration",
    "train_duration": "pulse_interval",
    "train_interval": "train_duration",
    "duration": "train_duration",
}  # what each time must hold
_SLACK = 1e-9  # of an interval: what rounding may take from a whole number of them


@dataclass(frozen=True, kw_only=True, slots=True)
class Sonication:
    """Pulses of ultrasound in repeated trains.

    Parameters
    ----------
    frequency
        Frequency of the sound (Hz).
    pulse_duration
        Duration of a pulse, its ramps included (s).
    pulse_interval
        From the start of a pulse to the start of the next (s), ``pulse_duration`` for sound without
        pauses; may be left out only of one pulse.
    train_duration
        Duration of a pulse train (s); ``duration`` if left out, one pulse if neither is given.
    train_interval
        From the start of a train to the start of the next (s); may be left out only of one train.
    duration
        Duration of the whole exposure (s); one train if None.
    ramp_duration
        Duration of the rise and of the fall of each pulse (s), within its duration.
    ramp
        "linear" or "cosine" (a Tukey window).

    Raises
    ------
    InputError
        If a number is not finite and > 0, the frequency is not of ultrasound, a pulse is shorter
        than a period of the sound, a part is longer than what holds it, or what is given does not
        say how pulses or trains repeat.

    Examples
    --------
    >>> s = Sonication(frequency=500e3, pulse_duration=0.02, pulse_interval=0.2, duration=80.0,
    ...                train_duration=80.0)
    >>> s.pulse_rate, round(s.duty_cycle, 6), s.pulses_in_train
    (5.0, 0.1, 400)
    """

    frequency: float
    pulse_duration: float
    pulse_interval: float | None = None
    train_duration: float | None = None
    train_interval: float | None = None
    duration: float | None = None
    ramp_duration: float = 0.0
    ramp: str = "cosine"

    def __post_init__(self) -> None:
        """Fill what was left out and reject what cannot be."""
        check_frequency(self.frequency, "sonication")
        check_positive("pulse_duration", self.pulse_duration)
        for name in _HELD:
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        self._check_order()
        self._fill()
        self._check_order()
        check_option("ramp", self.ramp, RAMPS)
        if not (isfinite(self.ramp_duration) and self.ramp_duration >= 0):
            raise InputError(f"ramp_duration must be >= 0 s, got {self.ramp_duration!r}")
        if 2 * self.ramp_duration > self.pulse_duration * (1 + _SLACK):
            raise InputError(
                f"two ramps must fit into a pulse of {self.pulse_duration:g} s, "
                f"got {self.ramp_duration:g} s each"
            )
        if self.pulse_duration * self.frequency < 1 - _SLACK:
            raise InputError(
                f"a pulse must hold at least one period of the sound ({1 / self.frequency:g} s), "
                f"got {self.pulse_duration:g} s"
            )

    def _check_order(self) -> None:
        """Check that each time that is known holds what it must."""
        for name, held in _HELD.items():
            value, least = getattr(self, name), getattr(self, held)
            if value is not None and least is not None and value < least * (1 - _SLACK):
                raise InputError(f"{name} must be >= {held} ({least:g} s), got {value:g} s")

    def _fill(self) -> None:
        """Set the times that were left out; refuse to guess how pulses or trains repeat."""
        pulse, interval, train = self.pulse_duration, self.pulse_interval, self.train_duration
        if train is None:
            if self.train_interval is not None:
                raise InputError("expected a train_duration beside train_interval, got none")
            train = self.duration
        if train is None and interval is not None:
            raise InputError(
                "expected train_duration or duration, got none: for how long do pulses repeat "
                f"every {interval:g} s"
            )
        train = pulse if train is None else train
        if interval is None and train > pulse * (1 + _SLACK):
            raise InputError(
                f"expected a pulse_interval, got none: how do pulses of {pulse:g} s follow each "
                f"other in a train of {train:g} s (pulse_interval = pulse_duration: no pauses)"
            )
        between, whole = self.train_interval, self.duration or train
        if between is None and whole > train * (1 + _SLACK):
            raise InputError(
                f"expected a train_interval, got none: how do trains of {train:g} s follow each "
                f"other within {whole:g} s (train_interval = duration: one train)"
            )
        filled = (interval or pulse, train, between or train, whole)
        for name, value in zip(_HELD, filled, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def at_rate(
        cls, frequency: float, *, pulse_rate: float, duty_cycle: float, **timing: Any
    ) -> Self:
        """Return the exposure of a pulse repetition frequency (Hz) and a duty cycle within trains.

        ``timing`` are the other parameters of `Sonication`.

        Raises
        ------
        InputError
            If the rate is not > 0 or the duty cycle not within (0, 1]; else as `Sonication`.

        Examples
        --------
        >>> Sonication.at_rate(500e3, pulse_rate=10, duty_cycle=0.3, train_duration=1).times
        (0.03, 0.1, 1.0, 1.0, 1.0)
        """
        check_positive("pulse_rate", pulse_rate)
        if not 0 < duty_cycle <= 1:
            raise InputError(f"duty_cycle must be within (0, 1], got {duty_cycle!r}")
        return cls(
            frequency=frequency,
            pulse_duration=duty_cycle / pulse_rate,
            pulse_interval=1 / pulse_rate,
            **timing,
        )

    @property
    def times(self) -> tuple[float, float, float, float, float]:
        """Pulse duration and interval, train duration and interval, and duration (s)."""
        names = ("pulse_duration", *_HELD)
        a, b, c, d, e = (float(getattr(self, name)) for name in names)
        return a, b, c, d, e

    @property
    def pulse_rate(self) -> float:
        """Pulse repetition frequency within a train (Hz)."""
        return 1.0 / self.times[1]

    @property
    def pulses_in_train(self) -> int:
        """Whole pulses that fit into a train."""
        pulse, interval, train, _, _ = self.times
        return _starts(interval, train - pulse)

    @property
    def trains(self) -> int:
        """Whole trains that fit into the duration."""
        _, _, train, interval, whole = self.times
        return _starts(interval, whole - train)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the times leave out, one line each."""
        parts = (
            ("train", "pulse", *self.times[:3], self.pulses_in_train),
            ("duration", "train", *self.times[2:], self.trains),
        )
        return tuple(
            f"{n + 1} {part}s start within a {name} of {whole:g} s, "
            f"the last does not fit and is left out"
            for name, part, length, interval, whole, n in parts
            if whole - n * interval > _SLACK * interval
        )

    @property
    def pulse_power(self) -> float:
        """Mean of the squared envelope over a pulse: 1 without ramps."""
        lost = 2 * self.ramp_duration * (1 - RAMPS[self.ramp])
        return 1.0 - lost / self.pulse_duration

    @property
    def duty_cycle(self) -> float:
        """Share of a train in which sound is on."""
        return min(1.0, self.pulses_in_train * self.pulse_duration / self.times[2])

    @property
    def train_power(self) -> float:
        """Mean of the squared envelope over a train."""
        return self.duty_cycle * self.pulse_power

    @property
    def mean_power(self) -> float:
        """Mean of the squared envelope over the whole duration."""
        return min(1.0, self.trains * self.times[2] / self.times[4]) * self.train_power

    def envelope(self, t: ArrayLike) -> NDArray[np.float64]:
        """Return the factor of the pressure amplitude at times ``t`` (s), shape of ``t``."""
        pulse, interval, _, between, _ = self.times
        t = np.asarray(t, dtype=np.float64)
        train = np.clip(np.floor(t / between + _SLACK), 0, self.trains - 1)
        s = t - train * between
        k = np.clip(np.floor(s / interval + _SLACK), 0, self.pulses_in_train - 1)
        s = s - k * interval
        on = (s >= -_SLACK * interval) & (s < pulse)
        if self.ramp_duration == 0:
            return on.astype(np.float64)
        x = np.clip(np.minimum(s, pulse - s) / self.ramp_duration, 0.0, 1.0)
        rise = x if self.ramp == "linear" else 0.5 * (1 - np.cos(np.pi * x))
        return np.where(on, rise, 0.0)

    def phases(self, fastest: float = 1.0) -> list[Phase]:
        """Return the exposure as stretches of constant heating power, one after the other.

        Pulses (and trains) that repeat faster than ``fastest`` (Hz) are taken as their mean power,
        slower ones as what they are. What this leaves out is bounded by `ripple`.

        Returns
        -------
        list of Phase
            From 0 to the end of the exposure without gaps.
        """
        check_positive("fastest", fastest)
        pulse, interval, train, between, whole = self.times
        if self.trains > 1 and between * fastest < 1:
            return [Phase(start=0.0, end=whole, power=self.mean_power)]
        inside = [Phase(start=0.0, end=train, power=self.train_power)]
        if self._pulses_resolved(fastest):
            inside = _repeated(
                [Phase(start=0.0, end=pulse, power=self.pulse_power)],
                interval,
                self.pulses_in_train,
                train,
            )
        return _repeated(inside, between, self.trains, whole)

    def ripple(self, fastest: float = 1.0) -> float:
        """Return by how much full-power time (s) the heating and that of `phases` differ at most.

        The temperature strays from that of the phases by at most Q/(rho C) times this, Q the heat
        (W/m³) while the sound is on: conduction and perfusion only lessen it.
        """
        pulse, _, train, between, _ = self.times
        within = self.ramp_duration
        if not self._pulses_resolved(fastest):
            within += pulse * (1 - self.duty_cycle)
        if self.trains > 1 and between * fastest < 1:
            return within + train * self.train_power * (1 - train / between)
        return within

    def as_dict(self) -> dict[str, Any]:
        """Return the exposure as plain values, for JSON."""
        return asdict(self)

    def _pulses_resolved(self, fastest: float) -> bool:
        _, interval, _, _, _ = self.times
        return self.pulses_in_train == 1 or interval * fastest >= 1


def _starts(interval: float, room: float) -> int:
    """Return how many starts, ``interval`` apart from 0 on, are at most ``room``."""
    return floor(max(room, 0.0) / interval + _SLACK) + 1


def _repeated(inside: list[Phase], interval: float, n: int, whole: float) -> list[Phase]:
    """Return ``n`` repetitions of ``inside``, ``interval`` apart, with pauses up to ``whole``."""
    out: list[Phase] = []
    for k in range(n):
        offset = k * interval
        out += [Phase(start=offset + p.start, end=offset + p.end, power=p.power) for p in inside]
        end = min((k + 1) * interval, whole) if k + 1 < n else whole
        if end > out[-1].end * (1 + _SLACK):
            pause = out.pop().start if out[-1].power == 0 else out[-1].end
            out.append(Phase(start=pause, end=end, power=0.0))
    return out
