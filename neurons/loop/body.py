"""Signals of the body: breathing and heart, made or read, and the gate that they open.

**Heart.** RR intervals with the spectrum of McSharry, Clifford, Tarassenko & Smith 2003, IEEE Trans
Biomed Eng 50:289 (doi:10.1109/TBME.2003.808805): two Gaussians, at 0.1 Hz (Mayer waves) and
0.25 Hz (breathing), 0.01 Hz wide, with a ratio of their powers of 0.5. Given breaths take the place
of the second one: intervals are longest where a breath begins.

The body does not answer the stimulus here.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.neurons.loop.plant import Floats

LOW, HIGH, WIDTH = 0.1, 0.25, 0.01  # Hz, of the two Gaussians
RATIO = 0.5  # of their powers, low over high
GRID = 0.25  # s between points of the interval's course
Half = Literal["inhalation", "exhalation"]


@dataclass(frozen=True, slots=True, eq=False)
class Breaths:
    """Breathing as times.

    Parameters
    ----------
    inhale, exhale
        Begins of inhalation and of the exhalation that follows (s), in turn, shape (n,) each.

    Raises
    ------
    InputError
        If they do not follow each other in turn.
    """

    inhale: Floats
    exhale: Floats

    def __post_init__(self) -> None:
        """Check the order."""
        if self.inhale.shape != self.exhale.shape or self.inhale.ndim != 1 or len(self.inhale) < 2:
            raise InputError(
                "expected at least two breaths, a begin of inhalation and of exhalation each"
            )
        turns = np.stack([self.inhale, self.exhale], axis=1).ravel()
        if not (np.diff(turns) > 0).all():
            raise InputError("inhalation and exhalation must begin in turn, at rising times")

    def phase(self, times: Floats) -> Floats:
        """Return the phase of the breath at times (s): 0 … 0.5 inhaling, 0.5 … 1 exhaling."""
        turns = np.stack([self.inhale, self.exhale], axis=1).ravel()
        halves: Floats = np.interp(
            times, turns, np.arange(len(turns)) / 2, left=np.nan, right=np.nan
        )
        return halves % 1.0

    def open(self, half: Half, times: Floats) -> NDArray[np.bool_]:
        """Return whether ``half`` of the breath goes on at times (s)."""
        phase = self.phase(times)
        return (phase < 0.5) if half == "inhalation" else (phase >= 0.5)


def breathe(
    duration: float,
    *,
    period: float = 4.0,
    inhaling: float = 0.4,
    variation: float = 0.1,
    seed: int = 0,
) -> Breaths:
    """Return breaths that cover 0 … ``duration`` (s).

    Parameters
    ----------
    duration
        Time to cover (s).
    period
        Mean length of a breath (s).
    inhaling
        Share of it that is inhalation (0 … 1).
    variation
        Relative standard deviation of the length, normal within three deviations.
    seed
        Of the draws.

    Raises
    ------
    InputError
        If a value is out of range.
    """
    for name, value in (("duration", duration), ("period of breathing", period)):
        check_positive(name, value)
    if not 0 < inhaling < 1:
        raise InputError(f"inhaling must be a share between 0 and 1, got {inhaling!r}: breathing")
    if not 0 <= variation <= 0.3:
        raise InputError(f"variation must be in 0..0.3, got {variation!r}: breathing")
    rng = np.random.default_rng([seed, 72])
    n = int(np.ceil(duration / (period * (1 - 3 * variation)))) + 3
    length = period * (1 + variation * np.clip(rng.standard_normal(n), -3, 3))
    inhale = np.concatenate([[0.0], np.cumsum(length)]) - length[0] * rng.random()
    return Breaths(inhale[:-1], inhale[:-1] + inhaling * length)


def beats(
    duration: float,
    *,
    mean: float = 0.926,
    deviation: float = 0.05,
    breaths: Breaths | None = None,
    seed: int = 0,
) -> Floats:
    """Return times of heart beats (s) over 0 … ``duration``.

    Parameters
    ----------
    duration
        Time to cover (s).
    mean, deviation
        Of the RR interval (s). Without: 926 and 50 ms, as remembered of healthy adults at rest
        (Nunan, Sandercock & Brodie 2010, doi:10.1111/j.1540-8159.2010.02841.x).
    breaths
        What the variation at the frequency of breathing follows, if it shall.
    seed
        Of the draws.

    Raises
    ------
    InputError
        If a value is not > 0, or the interval varies by more than a quarter of its mean.
    """
    for name, value in (("duration", duration), ("mean of RR", mean)):
        check_positive(name, value)
    if not 0 <= deviation <= mean / 4:
        raise InputError(f"deviation of RR must be in 0..{mean / 4:g} s, got {deviation!r} s")
    rng = np.random.default_rng([seed, 73])
    n = int(np.ceil((duration + 4 * mean) / GRID)) + 2
    # a stretch of at least 200 s holds the Gaussians in some points of the spectrum
    course = _course(max(n, round(200 / GRID)), breaths is None, rng)[:n]
    t: Floats = GRID * np.arange(n, dtype=np.float64)
    if breaths is not None:
        follow = np.sqrt(2) * np.cos(2 * np.pi * np.nan_to_num(breaths.phase(t)))
        course = course * np.sqrt(RATIO / (1 + RATIO)) + follow * np.sqrt(1 / (1 + RATIO))
    interval = mean + deviation * course
    at = [float(-mean * rng.random())]
    while at[-1] < duration + mean:
        at.append(at[-1] + float(np.interp(at[-1], t, interval)))
    return np.array(at)


def _course(n: int, both: bool, rng: np.random.Generator) -> Floats:
    """Return a course of unit variance with the spectrum, or with its lower Gaussian alone."""
    f = np.fft.rfftfreq(n, GRID)
    power = RATIO * np.exp(-(((f - LOW) / WIDTH) ** 2) / 2)
    if both:
        power = power + np.exp(-(((f - HIGH) / WIDTH) ** 2) / 2)
    power[0] = 0.0
    out = np.fft.irfft(np.sqrt(power) * np.exp(2j * np.pi * rng.random(len(f))), n)
    return np.asarray(out / out.std())


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Body:
    """What of the body is listened to.

    Parameters
    ----------
    breaths, beats
        Breathing, and times of heart beats (s).
    """

    breaths: Breaths | None = None
    beats: Floats | None = None

    @property
    def units(self) -> dict[str, str]:
        """Names of the signals that there are, and their units."""
        heart = {} if self.beats is None else {"heart rate": "1/s"}
        return heart | ({} if self.breaths is None else {"breath": "1"})

    def check(self, until: float) -> None:
        """Raise `InputError` unless breaths and beats cover 0 … ``until`` (s)."""
        ends = {}
        if self.breaths is not None:
            ends["breaths"] = (self.breaths.inhale[0], self.breaths.exhale[-1])
        if self.beats is not None:
            ends["beats"] = (self.beats[0], self.beats[-1])
        for name, (first, last) in ends.items():
            if not first <= 0 < until <= last:
                raise InputError(
                    f"expected {name} over 0..{until:g} s, got {first:g}..{last:g} s: body"
                )

    def sample(self, times: Floats) -> dict[str, Floats]:
        """Return the signals at times (s).

        "heart rate" is one over the last interval that has ended (1/s), "breath" is how far the
        lungs are filled: 0 where inhalation begins, 1 where exhalation does.
        """
        found: dict[str, Floats] = {}
        if self.beats is not None:
            last = np.searchsorted(self.beats, times, side="right") - 1
            interval = np.diff(self.beats)
            found["heart rate"] = 1 / interval[np.clip(last - 1, 0, len(interval) - 1)]
        if self.breaths is not None:
            found["breath"] = (1 - np.cos(2 * np.pi * self.breaths.phase(times))) / 2
        return found


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Gate:
    """Lets pulses pass in one half of the breath only.

    Parameters
    ----------
    breaths
        The breathing.
    half
        "inhalation" or "exhalation".
    longest
        Time (s) from the begin of the half after which it shuts; the whole half without.

    Raises
    ------
    InputError
        If the half is unknown or ``longest`` is not > 0.
    """

    breaths: Breaths
    half: Half
    longest: float | None = None

    def __post_init__(self) -> None:
        """Check half and time."""
        check_option("half of the breath", self.half, ("inhalation", "exhalation"), where="gate")
        if self.longest is not None:
            check_positive("longest of the gate", self.longest)

    def passes(self, times: Floats) -> NDArray[np.bool_]:
        """Return which pulses at times (s) pass, shape (n,)."""
        passing = self.breaths.open(self.half, times)
        if self.longest is None:
            return passing
        b = self.breaths
        begins = b.inhale if self.half == "inhalation" else b.exhale
        last = np.searchsorted(begins, times, side="right") - 1
        return passing & (times - begins[last] < self.longest)


def read_breaths(path: Path) -> Breaths:
    """Read breaths: a CSV with columns ``inhale_s`` and ``exhale_s``.

    Raises
    ------
    InputError
        If the file is missing or damaged, or the times do not follow each other in turn.
    """
    inhale, exhale = _columns(path, ("inhale_s", "exhale_s"))
    return Breaths(inhale, exhale)


def read_beats(path: Path) -> Floats:
    """Read heart beats: a CSV with a column ``rr_s`` of intervals; the first begins at 0.

    Raises
    ------
    InputError
        If the file is missing or damaged, or an interval is not > 0.
    """
    (interval,) = _columns(path, ("rr_s",))
    if not (interval > 0).all() or len(interval) < 2:
        raise InputError(f"expected at least two RR intervals > 0 s: {path.name}")
    return np.concatenate([[0.0], np.cumsum(interval)])


def _columns(path: Path, names: tuple[str, ...]) -> list[Floats]:
    """Return columns of numbers of a CSV."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [np.array([float(row[name]) for row in rows]) for name in names]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        wanted = " and ".join(names)
        raise InputError(f"expected numbers in {wanted}, {error}: {path.name}") from error
