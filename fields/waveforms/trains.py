"""Pulse trains of a stimulator, with their Fourier coefficients in closed form.

A period is a list of pieces, each linear or decaying exponentially, that may jump from one to the
next: a rectangle is a rectangle, without samples and without edges. With pieces from a to b,

    c_n = 1/T sum over pieces of ∫_a^b w(t) exp(-i 2 pi n t / T) dt

is exact for every n, so nothing is aliased. What is left to the one who sums a series is to cut it
off; see `rheobase.fields.dbs.spectrum.series`, which leaves the jumps out of the sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, inf, isfinite
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.fields.waveforms.sampling import even_times
from rheobase.fields.waveforms.waveform import Waveform

Recharge = Literal["symmetric", "asymmetric", "passive", "none"]
RECHARGES = ("symmetric", "asymmetric", "passive", "none")
BALANCED = 1e-9  # of the charge of one sign: what may be left over
FADED = 10.0  # time constants after which a passive recharge ends: exp(-10) of the current


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a pulse, from ``start`` to ``stop`` (s).

    Linear from ``first`` to ``last``; or first exp(-(t-start)/tau), with a time constant (s).
    """

    start: float
    stop: float
    first: float
    last: float
    tau: float = inf

    def at(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values at times (s) within the piece."""
        s = t - self.start
        if self.tau < inf:
            return np.asarray(self.first * np.exp(-s / self.tau))
        return np.asarray(self.first + (self.last - self.first) * s / (self.stop - self.start))

    @property
    def integral(self) -> float:
        """∫ w dt (s)."""
        if self.tau < inf:
            return self.tau * (self.first - self.last)
        return 0.5 * (self.first + self.last) * (self.stop - self.start)

    def filtered(
        self, t: NDArray[np.float64], before: NDArray[np.float64], tau: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the piece through first-order low-passes, tau y' + y = w, at times (s) within it.

        Parameters
        ----------
        t
            Shape (n,).
        before
            y at the start of the piece, shape (K,).
        tau
            Time constants (s), shape (K,).

        Returns
        -------
        ndarray, shape (K, n)
        """
        s, rate = (t - self.start)[None], (1.0 / tau)[:, None]
        left = np.exp(-s * rate)
        if self.tau < inf:
            apart = np.abs(rate - 1.0 / self.tau) * s
            slow = np.exp(-s * np.minimum(rate, 1.0 / self.tau))
            mean = np.divide(-np.expm1(-apart), apart, out=np.ones_like(apart), where=apart > 0)
            new = self.first * slow * mean * s * rate
        else:
            slope = (self.last - self.first) / (self.stop - self.start)
            gone = -np.expm1(-s * rate)
            new = self.first * gone + slope * (s - gone / rate)
        return np.asarray(before[:, None] * left + new)

    def transform(self, omega: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return ∫ w exp(-i omega t) dt (s) at angular frequencies (1/s)."""
        length = self.stop - self.start
        if self.tau < inf:
            rate = 1.0 / self.tau + 1j * omega
            inner = -np.expm1(-rate * length) / rate
            return np.asarray(self.first * inner * np.exp(-1j * omega * self.start))
        half = 0.5 * omega * length
        small = np.abs(half) < 0.02
        safe = np.where(small, 1.0, half)
        even = np.sinc(half / np.pi)  # mean of exp(-i omega s) about the middle
        odd = np.where(  # mean of s' exp(-i omega s), s' from -1 to 1, is -i times this
            small,
            half / 3 - half**3 / 30 + half**5 / 840,
            (np.sin(safe) / safe - np.cos(safe)) / safe,
        )
        mean, slope = 0.5 * (self.first + self.last), 0.5 * (self.last - self.first)
        middle = 0.5 * (self.start + self.stop)
        return np.asarray(length * (mean * even - 1j * slope * odd) * np.exp(-1j * omega * middle))


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseTrain:
    """A pulse that repeats, or a single one.

    Parameters
    ----------
    name
        Name.
    pieces
        What one pulse is made of, in order, from t = 0 on; zero where there is none.
    rate
        Pulses per second (1/s), or None for a single pulse.

    Raises
    ------
    InputError
        If pieces overlap, have no length or do not fit between two pulses, or a value is not
        finite.
    """

    name: str
    pieces: tuple[Piece, ...]
    rate: float | None

    def __post_init__(self) -> None:
        """Check the pieces."""
        where = f"pulse {self.name!r}"
        if not self.pieces:
            raise InputError(f"expected one piece or more, got none: {where}")
        if self.rate is not None:
            check_positive("rate of the pulses", self.rate)
        end = 0.0
        for p in self.pieces:
            if not all(isfinite(v) for v in (p.start, p.stop, p.first, p.last)):
                raise InputError(f"expected finite times and values: {where}")
            if not (end <= p.start * (1 + 1e-12) and p.start < p.stop):
                raise InputError(
                    f"expected pieces one after the other from 0 s on, got one from {p.start:g} to "
                    f"{p.stop:g} s after {end:g} s: {where}"
                )
            end = p.stop
        if end > self.period * (1 + 1e-12):
            raise InputError(
                f"a pulse of {end:g} s does not fit into the {self.period:g} s of one period at "
                f"{self.rate:g} pulses per second: {where}"
            )
        if not any(p.first or p.last for p in self.pieces):
            raise InputError(f"expected a pulse that is not 0 throughout: {where}")

    @property
    def period(self) -> float:
        """Time from one pulse to the next (s), infinite for a single one."""
        return inf if self.rate is None else 1.0 / self.rate

    @property
    def duration(self) -> float:
        """Time from the start to the end of one pulse (s)."""
        return self.pieces[-1].stop

    @property
    def net_charge(self) -> float:
        """∫ w dt over one pulse (s): ampere-seconds for an amplitude of 1 A."""
        return float(sum(p.integral for p in self.pieces))

    @property
    def balanced(self) -> bool:
        """Whether what flows in one direction flows back (within 1e-9 of it)."""
        return abs(self.net_charge) <= BALANCED * sum(abs(p.integral) for p in self.pieces)

    def at_rate(self, rate: float | None) -> PulseTrain:
        """Return the same pulse at another rate (1/s), None for a single one."""
        return replace(self, rate=rate)

    def at(self, t: ArrayLike) -> NDArray[np.float64]:
        """Return w at times (s); at a jump, what follows it."""
        s = np.asarray(t, dtype=np.float64)
        if self.rate is not None:
            s = np.mod(s, self.period)
        w = np.zeros_like(s)
        for p in self.pieces:
            inside = (s >= p.start) & (s < p.stop)
            w[inside] = p.at(s[inside])
        return w

    def filtered(self, t: ArrayLike, tau: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the train through first-order low-passes, tau y' + y = w, in its steady state.

        Parameters
        ----------
        t
            Times (s), shape (n,).
        tau
            Time constants (s), shape (K,).

        Returns
        -------
        ndarray, shape (K, n)

        Raises
        ------
        InputError
            If it is a single pulse.
        """
        period = self._period_of_train()
        s = np.mod(np.asarray(t, dtype=np.float64), period)
        stretches: list[Piece] = []
        end = 0.0
        for piece in (*self.pieces, None):
            start = piece.start if piece else period
            if start > end:
                stretches.append(Piece(end, start, 0.0, 0.0))
            if piece:
                stretches.append(piece)
                end = piece.stop
        y = np.zeros_like(tau)
        for p in stretches:
            y = p.filtered(np.array([p.stop]), y, tau)[:, 0]
        y = y / -np.expm1(-period / tau)
        found = np.empty((len(tau), len(s)))
        for p in stretches:
            inside = (s >= p.start) & (s < p.stop)
            found[:, inside] = p.filtered(s[inside], y, tau)
            y = p.filtered(np.array([p.stop]), y, tau)[:, 0]
        found[:, s >= stretches[-1].stop] = y[:, None]  # rounding of the last moment
        return found

    def _period_of_train(self) -> float:
        if self.rate is None:
            raise InputError(f"expected a train, got a single pulse: {self.name!r}")
        return self.period

    def coefficients(self, n: NDArray[np.int64]) -> NDArray[np.complex128]:
        """Return the Fourier coefficients c_n (1) of the train: w = sum_n c_n exp(i 2 pi n t/T).

        Raises
        ------
        InputError
            If it is a single pulse, which has no period.
        """
        rate = 1.0 / self._period_of_train()
        omega = 2 * np.pi * rate * np.asarray(n, dtype=np.float64)
        total = np.zeros(omega.shape, dtype=np.complex128)
        for p in self.pieces:
            total += p.transform(omega)
        return total * rate

    def times(self, dt: float, after: float = 0.0) -> NDArray[np.float64]:
        """Return even times (s), at most ``dt`` apart, over one pulse and ``after`` it."""
        stop = min(self.duration + after, self.period)
        return even_times(0.0, stop, dt)

    def waveform(self, dt: float = 1e-6, edge: float = 1e-9) -> Waveform:
        """Return one pulse as samples, for neurons: jumps become edges of ``edge`` (s)."""
        check_positive("edge", edge)
        t, w = [0.0], [0.0]
        for p in self.pieces:
            curved = p.tau < inf
            inner = even_times(p.start, p.stop, dt) if curved else np.array([p.start, p.stop])
            values = p.at(inner)
            if t[-1] < p.start:  # rest between the pieces
                if w[-1] != 0.0:
                    t.append(t[-1] + edge)
                    w.append(0.0)
                t.append(p.start)
                w.append(0.0)
            if values[0] == w[-1]:
                inner, values = inner[1:], values[1:]
            else:
                inner[0] += edge
            t += inner.tolist()
            w += values.tolist()
        if w[-1] != 0.0:
            t.append(t[-1] + edge)
            w.append(0.0)
        return Waveform(name=self.name, t=np.array(t), w=np.array(w))

    @classmethod
    def from_waveform(cls, waveform: Waveform, rate: float | None) -> PulseTrain:
        """Return the train that repeats the samples of a waveform, linear between them.

        Its first sample comes at t = 0.
        """
        t, w = (waveform.t - waveform.t[0]).tolist(), waveform.w.tolist()
        pieces = tuple(
            Piece(t[k], t[k + 1], w[k], w[k + 1]) for k in range(len(t) - 1) if w[k] or w[k + 1]
        )
        return cls(name=waveform.name, pieces=pieces, rate=rate)


def dbs_pulse(
    width: float = 60e-6,
    rate: float | None = 130.0,
    *,
    recharge: Recharge = "symmetric",
    gap: float = 0.0,
    ratio: float = 10.0,
    tau: float = 1e-3,
) -> PulseTrain:
    """Return a pulse of a deep brain stimulator: a rectangle, then the charge back.

    The first phase has the value 1: the sign is that of the amplitude it is multiplied by.

    Parameters
    ----------
    width
        Of the first phase (s).
    rate
        Pulses per second (1/s), None for a single pulse.
    recharge
        "symmetric": the same rectangle, reversed; "asymmetric": reversed, ``ratio`` times as long
        and as weak; "passive": the contact's charge flows back through a resistor, exponentially;
        "none": the charge stays, for comparison and for models without an interface.
    gap
        Time without current between the phases (s).
    ratio
        Of the two widths, with "asymmetric".
    tau
        Time constant (s), with "passive". The recharge ends after ten of them or at the next pulse;
        its strength is what makes the charge zero.

    Raises
    ------
    InputError
        If a value is out of range or the phases do not fit between two pulses.

    Examples
    --------
    >>> pulse = dbs_pulse(60e-6, 130.0, recharge="passive")
    >>> pulse.balanced, round(abs(pulse.coefficients(np.array([0]))[0]), 15)
    (True, np.float64(0.0))
    """
    check_positive("pulse width", width)
    check_option("recharge", recharge, RECHARGES)
    if not (isfinite(gap) and gap >= 0):
        raise InputError(f"gap between the phases must be >= 0 s, got {gap!r}")
    start = width + gap
    name = f"{width * 1e6:g} us, {recharge} recharge"
    pieces = [Piece(0.0, width, 1.0, 1.0)]
    if recharge == "symmetric":
        pieces.append(Piece(start, start + width, -1.0, -1.0))
    elif recharge == "asymmetric":
        check_positive("ratio", ratio)
        pieces.append(Piece(start, start + ratio * width, -1.0 / ratio, -1.0 / ratio))
    elif recharge == "passive":
        check_positive("tau", tau)
        left = inf if rate is None else 1.0 / rate - start
        length = min(FADED * tau, left)
        if not length > 0:
            raise InputError(
                f"no time is left for the recharge: phase and gap of {start:g} s, period of "
                f"{start + left:g} s"
            )
        part = exp(-length / tau)
        first = -width / (tau * (1.0 - part))
        pieces.append(Piece(start, start + length, first, first * part, tau))
    return PulseTrain(name=name, pieces=tuple(pieces), rate=rate)
