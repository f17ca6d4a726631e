"""How a response spreads: when and how strongly each region follows the stimulated one.

The response is a run with the stimulus less the same run without. Noise is drawn by (seed, step,
region), so that it is the same in both and drops out as far as the response is small; what is left
is what the stimulus did, and no averaging is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.neurons.brain.connectome import Connectome
from rheobase.neurons.brain.simulation import Activity
from rheobase.neurons.measures.propagation import Speed, radial_speed

Floats = NDArray[np.float64]

LEVEL = 10e-6  # V that counts as an answer: without noise, that something has arrived


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spread:
    """When and how strongly each region answered.

    Parameters
    ----------
    names
        Regions, shape (n,).
    origin
        The region it is looked at from.
    onset
        Time (s) after the pulse at which the response passes ``level``, linear between samples,
        shape (n,); NaN where it does not.
    peak
        Largest response (V), signed, shape (n,).
    peak_time
        When (s after the pulse), shape (n,).
    distance
        Shortest way along tracts from the origin (m), shape (n,).
    level
        Response (V) that counts.
    """

    names: tuple[str, ...]
    origin: str
    onset: Floats
    peak: Floats
    peak_time: Floats
    distance: Floats
    level: float

    @property
    def reached(self) -> Floats:
        """Share of the regions that have answered by each of the onsets, and these, (2, k)."""
        times = np.sort(self.onset[np.isfinite(self.onset)])
        return np.stack([times, np.arange(1, len(times) + 1) / len(self.names)])

    def speed(self) -> Speed:
        """Return the speed of the front: onsets against the way along tracts.

        Slower than conduction, since every region on the way takes its synapses' time to answer.

        Raises
        ------
        InputError
            If fewer than three regions answered.
        """
        away = np.array([name != self.origin for name in self.names])
        return radial_speed(self.distance[away], self.onset[away])


def response(stimulated: Activity, rest: Activity) -> Activity:
    """Return what the stimulus added.

    Raises
    ------
    InputError
        If the two runs differ in regions or times.
    """
    if stimulated.names != rest.names or not np.array_equal(stimulated.time, rest.time):
        raise InputError("expected two runs of the same regions at the same times: response")
    return Activity(
        names=rest.names, time=rest.time, potential=stimulated.potential - rest.potential
    )


def spread(
    answer: Activity,
    connectome: Connectome,
    origin: str,
    *,
    pulse: float = 0.0,
    level: float = LEVEL,
) -> Spread:
    """Return onset, peak and distance of every region's response.

    Parameters
    ----------
    answer
        Response as from `response`.
    connectome
        Connectome of the run.
    origin
        Region the way is measured from, such as the most stimulated one.
    pulse
        Time of the pulse (s).
    level
        Response that counts (V).

    Raises
    ------
    InputError
        If the regions differ, the origin is unknown, the level is not positive, or nothing was
        recorded after the pulse.
    """
    if answer.names != connectome.names:
        raise InputError("expected the regions of the connectome: spread")
    if not (np.isfinite(level) and level > 0):
        raise InputError(f"level must be finite and > 0 V, got {level}: spread")
    after = answer.time > pulse
    if np.count_nonzero(after) < 2:
        raise InputError(f"expected a response after the pulse at {pulse} s, got none: spread")
    time, value = answer.time[after] - pulse, answer.potential[:, after]
    size = np.abs(value)
    rows = np.arange(len(size))
    top = size.argmax(axis=1)
    above = size >= level
    first = above.argmax(axis=1)
    before = np.maximum(first - 1, 0)
    low, high = size[rows, before], size[rows, first]
    part = np.where(first > 0, (level - low) / np.where(high > low, high - low, 1.0), 1.0)
    onset = time[before] + part * (time[first] - time[before])
    return Spread(
        names=answer.names,
        origin=origin,
        onset=np.where(above.any(axis=1), onset, np.nan),
        peak=value[rows, top],
        peak_time=time[top],
        distance=connectome.path(origin),
        level=level,
    )
