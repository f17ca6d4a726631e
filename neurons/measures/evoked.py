"""Evoked potentials: signals (LFP, EEG) around pulses, averaged, with their error and onset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.neurons.measures._checks import as_signal


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EvokedPotential:
    """Signals around the pulses, averaged over them, each less its mean before the pulse.

    Parameters
    ----------
    names
        Channels.
    time
        Time after the pulse (s), shape (n_samples,).
    mean
        Mean over the pulses, shape (n_channels, n_samples), in the signals' unit.
    error
        Standard error of the mean, same shape; NaN for a single pulse.
    n_pulses
        Pulses averaged.
    """

    names: tuple[str, ...]
    time: NDArray[np.float64]
    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    n_pulses: int

    @property
    def global_field_power(self) -> NDArray[np.float64]:
        """Standard deviation over the channels at each time, shape (n_samples,).

        Lehmann & Skrandies (1980, 10.1016/0013-4694(80)90419-8); it depends on no reference.
        """
        return self.mean.std(axis=0)

    def peak(
        self, window: tuple[float, float], *, sign: int = 0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return value and latency (s) of each channel's peak within ``window`` (s).

        Parameters
        ----------
        window
            First and last time after the pulse (s).
        sign
            1 for the largest value, -1 for the smallest, 0 for the largest in size.

        Raises
        ------
        InputError
            If no sample lies within the window, or the sign is another one.
        """
        inside = (self.time >= window[0]) & (self.time <= window[1])
        if not inside.any():
            raise InputError(
                f"window must hold a sample within {self.time[0]:g}..{self.time[-1]:g} s, got "
                f"{window[0]:g}..{window[1]:g}: peak"
            )
        if sign not in (-1, 0, 1):
            raise InputError(f"sign must be -1, 0 or 1, got {sign}: peak")
        part = self.mean[:, inside]
        k = (np.abs(part) if sign == 0 else sign * part).argmax(axis=1)
        return part[np.arange(len(part)), k], self.time[inside][k]

    def onset(self, *, deviations: float = 4.0, hold: float = 2e-3) -> NDArray[np.float64]:
        """Return the latency (s) at which each channel's response begins, NaN where it does not.

        The first sample after the pulse from which on the mean stays, to one side and for
        ``hold`` seconds, beyond ``deviations`` of its standard errors (of as rare a quantile of
        Student's distribution for few pulses) and of its standard deviations before the pulse. A
        single pulse has the latter alone: take a time before it long against the signal's memory.

        Raises
        ------
        InputError
            If there are fewer than 10 samples before the pulse.
        """
        from scipy.stats import norm
        from scipy.stats import t as student

        early = self.time <= 0
        if early.sum() < 10:
            raise InputError(f"onset needs 10 samples before the pulse, got {early.sum()}")
        late = self.mean[:, ~early]
        limit = np.broadcast_to(
            deviations * self.mean[:, early].std(axis=1, ddof=1)[:, None], late.shape
        )
        if self.n_pulses > 1:
            quantile = float(student.isf(norm.sf(deviations), self.n_pulses - 1))
            limit = np.maximum(limit, quantile * self.error[:, ~early])
        n = max(1, round(hold / (self.time[1] - self.time[0])))
        latency = np.full(len(late), np.inf)
        for beyond in (late > limit, late < -limit):
            run = np.cumsum(beyond, axis=1)
            run[:, n:] -= run[:, :-n].copy()
            whole = run == n  # the last n samples were all beyond
            start = np.maximum(whole.argmax(axis=1) - n + 1, 0)
            found = np.where(whole.any(axis=1), self.time[~early][start], np.inf)
            latency = np.minimum(latency, found)
        return np.where(np.isfinite(latency), latency, np.nan)


def evoked_potential(
    signals: ArrayLike,
    dt: float,
    pulses: ArrayLike,
    *,
    before: float = 0.05,
    after: float = 0.3,
    first: float | None = None,
    names: Sequence[str] | None = None,
) -> EvokedPotential:
    """Return ``signals`` around ``pulses``; pulses without the whole window are left out.

    Parameters
    ----------
    signals
        Signals, shape (n_channels, n_samples).
    dt
        Step (s).
    pulses
        Times of the pulses (s), shape (n_pulses,).
    before, after
        Extent (s) of the time before a pulse, whose mean is taken off, and after it.
    first
        Time of the first sample (s); ``dt`` where left out, as a run records at the end of steps.
    names
        Names of the channels; their numbers where left out.

    Raises
    ------
    InputError
        If no window lies within the signals, a window is empty, or names are not as many.
    """
    x = as_signal(signals, dt, where="evoked potential", ndim=2)
    names = tuple(str(k) for k in range(len(x))) if names is None else tuple(names)
    if len(names) != len(x):
        raise InputError(f"names must be {len(x)}, got {len(names)}: evoked potential")
    n_before, n_after = round(before / dt), round(after / dt)
    if n_before < 1 or n_after < 1:
        raise InputError(
            f"before and after must be at least {dt:g} s, got {before:g}, {after:g}: "
            "evoked potential"
        )
    begin = dt if first is None else first
    centre = np.rint((np.atleast_1d(np.asarray(pulses, dtype=float)) - begin) / dt).astype(np.int64)
    centre = centre[(centre - n_before >= 0) & (centre + n_after < x.shape[1])]
    if not centre.size:
        raise InputError(
            f"no pulse has {before:g} s before and {after:g} s after it within "
            f"{begin:g}..{begin + (x.shape[1] - 1) * dt:g} s: evoked potential"
        )
    offset = np.arange(-n_before, n_after + 1)
    epochs = x[:, centre[:, None] + offset]  # (channel, pulse, sample)
    epochs -= epochs[..., :n_before].mean(axis=-1, keepdims=True)
    k = len(centre)
    error = (
        epochs.std(axis=1, ddof=1) / np.sqrt(k) if k > 1 else np.full(epochs[:, 0].shape, np.nan)
    )
    return EvokedPotential(
        names=names, time=np.asarray(offset * dt), mean=epochs.mean(axis=1), error=error, n_pulses=k
    )
