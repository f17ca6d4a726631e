"""Thresholds of myelinated fibres from the bends of the potential at their nodes.

The depolarisation of node j is taken as a weighted sum over its neighbours,
``sum_k w_|k| (V_{j+k-1} - 2 V_{j+k} + V_{j+k+1})``, and a fibre fires where it exceeds 1 (like the
"modified driving function" of Peterson, Izad & Tyler 2011, J Neural Eng 8:046030, cited from
memory, with one set of weights for all distances). The weights are fitted to thresholds of the
double-cable axon in the fields of random monopoles and bipoles: for rectangular pulses they are
shipped (``data/mrg_weights.csv``), for any other stimulus they are fitted when asked for. Where the
stimulus has phases of both signs, bends of the other sign have weights of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.neurons.constants import rows
from rheobase.neurons.fibres.bends import REACH, node_bends, weighted
from rheobase.neurons.fibres.mrg import PERIOD, MRGAxon
from rheobase.neurons.fibres.mrg_stimulus import Courses, pulse_width, stimulus_samples
from rheobase.neurons.fibres.mrg_thresholds import mrg_thresholds
from rheobase.neurons.morphology import Floats

NEIGHBOURS = 8  # weights: the node itself and seven to either side
_FIBRES, _SEED = 192, 5  # drawn for a fit; half of them tell its error
_LENGTH = 36e-3  # m, least length of those fibres
_SIGMA = 0.2  # S/m: drops out of the weights


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NodeWeights:
    """Weights of the bends for one axon and stimulus.

    Parameters
    ----------
    weights
        w_0 … w_7 (1/V), shape (1, 8); for a stimulus with a negative phase also those that bends of
        the other sign are weighted with, shape (2, 8).
    median, p95
        Relative error of the thresholds (1), on fibres that the fit has not seen.
    source
        Where they are from.
    """

    weights: Floats
    median: float
    p95: float
    source: str


def node_weights(axon: MRGAxon, stimulus: Any) -> NodeWeights:
    """Return the weights for an axon and a stimulus.

    Parameters
    ----------
    axon
        The axon.
    stimulus
        Pulse width (s) or a waveform of one source, as in `mrg_thresholds`. For widths within the
        shipped table and published axons the table is read, linear in the logarithm of the width;
        else the weights are fitted, in a few CPU seconds.

    Raises
    ------
    InputError
        If the stimulus is none.
    """
    width = pulse_width(stimulus)
    if width is not None and axon.sizes == "published":
        table = _table().get(round(axon.diameter * 1e6, 6))
        if table is not None and table[0, 0] <= width * 1e6 <= table[-1, 0]:
            x = np.log(table[:, 0])
            at = [np.interp(np.log(width * 1e6), x, column) for column in table.T]
            return NodeWeights(
                weights=np.array([at[1 : NEIGHBOURS + 1]]),
                median=at[-2],
                p95=at[-1],
                source="data/mrg_weights.csv",
            )
    t, w = stimulus_samples(stimulus)
    if len(w) != 1:
        raise InputError(f"the linear rule is for one time course, got {len(w)}")
    return _fitted(axon, tuple(t), tuple(w[0]))


@cache
def _fitted(axon: MRGAxon, t: tuple[float, ...], w: tuple[float, ...]) -> NodeWeights:
    """Fit once in a session; `node_weights`."""
    with stage(f"calibrate {axon.diameter * 1e6:g} um axons"):
        return fit_weights(axon, Courses(t=np.array(t), w=np.array([w])))


@cache
def _table() -> dict[float, Floats]:
    """Return width (us), weights and errors by diameter (um), shape (widths, 11) each."""
    out: dict[float, list[list[float]]] = {}
    for row in rows("mrg_weights.csv"):
        values = [row["width_us"], *(row[f"w{k}"] for k in range(NEIGHBOURS))]
        values += [row["median"], row["p95"]]
        out.setdefault(float(row["diameter_um"]), []).append([float(v) for v in values])
    return {d: np.array(sorted(values)) for d, values in out.items()}


def fit_weights(axon: MRGAxon, stimulus: Any, *, count: int = _FIBRES) -> NodeWeights:
    """Fit the weights to the double-cable axon and tell their error.

    Half of ``count`` fibres make the fit (least squares of the logarithm, robust against outliers),
    the others the error.
    """
    from scipy.optimize import least_squares

    V = random_potentials(axon, count)
    found = mrg_thresholds(axon, V, stimulus, tolerance=2e-3).amplitude
    known = np.isfinite(found)
    if np.count_nonzero(known) < count // 2:
        raise InputError("the stimulus fires too few fibres for weights to be fitted")
    bends = node_bends(V[:, ::PERIOD])
    fitted = known & (np.arange(count) % 8 < 4)
    told = known & ~fitted

    sides = 2 if stimulus_samples(stimulus)[1].min() < 0 else 1

    def ratio(weights: Floats, some: NDArray[np.bool_]) -> Floats:
        each = zip((bends, -bends), weights.reshape(sides, -1), strict=False)
        driven = np.stack([weighted(D[some], w).max(axis=1) for D, w in each])
        out: Floats = np.maximum(driven.max(axis=0), 1e-9) * found[some]
        return out

    start = np.outer([1.0, 0.7][:sides], np.exp(-np.arange(NEIGHBOURS) / REACH)).ravel()
    start /= np.median(ratio(start, fitted))
    best = least_squares(  # type: ignore[call-overload]
        lambda w: np.log(ratio(w, fitted)),
        start,
        bounds=(0.0, np.inf),
        loss="soft_l1",
        f_scale=0.05,
        x_scale=start,
        max_nfev=60,
    )
    error = np.abs(ratio(best.x, told) - 1)
    median, p95 = np.quantile(error, [0.5, 0.95])
    weights = best.x.reshape(sides, -1)
    return NodeWeights(weights=weights, median=float(median), p95=float(p95), source="fitted")


def random_potentials(axon: MRGAxon, count: int) -> Floats:
    """Return potentials along straight fibres for a fit (V/A), shape (count, c).

    In turn a cathode, an anode, a bipole and a cathode over a node, 0.4 to 4 mm from the fibre.
    """
    rng = np.random.default_rng(_SEED)
    nodes = max(31, int(np.ceil(_LENGTH / axon.internode)))
    x = axon.compartments(nodes)
    x -= x[PERIOD * (nodes // 2)]
    where = rng.uniform(-2e-3, 2e-3, count)
    away = np.exp(rng.uniform(np.log(0.4e-3), np.log(4e-3), count))
    kind = np.arange(count) % 4
    where[kind == 3] = 0.0
    sign = np.where(kind == 1, 1.0, -1.0)
    other = where + rng.choice([-1, 1], count) * rng.uniform(0.5e-3, 4e-3, count)
    part = np.where(kind == 2, 1.0, 0.0)

    def pole(at: Floats, distance: Floats) -> Floats:
        out: Floats = 1 / (4 * np.pi * _SIGMA * np.hypot(x - at[:, None], distance[:, None]))
        return out

    second = pole(other, away * rng.uniform(0.8, 1.25, count))
    out: Floats = sign[:, None] * pole(where, away) + part[:, None] * second
    return out
