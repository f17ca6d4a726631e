"""Rates of the columns in diffusion approximation: what holds them at rest, and is it stable.

A cell that receives many small independent inputs has a free potential of mean mu and standard
deviation sd. Its rate is that of a leaky integrate-and-fire neuron in white noise (Siegert 1951,
10.1103/PhysRev.81.617) with threshold and reset raised as synapses of finite decay do (Fourcaud &
Brunel 2002, 10.1162/089976602320264015).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rheobase.neurons.columns.circuit import Circuit, column_facts
from rheobase.neurons.network.model import LIF

ZETA_HALF = 1.4603545088095868  # |zeta(1/2)|
FAR = 25.0  # standard deviations between mean and threshold beyond which a rate is 0


def siegert_rate(mean: float, sd: float, cell: LIF) -> float:
    """Return the rate (Hz) of ``cell`` whose free potential has ``mean`` and ``sd`` (V above E_L).

    Examples
    --------
    >>> cell = LIF(C=250e-12, tau_m=10e-3, E_L=-65e-3, V_th=-50e-3, V_reset=-65e-3,
    ...            t_ref=2e-3, tau_E=0.1e-3, tau_I=0.1e-3)
    >>> round(siegert_rate(20e-3, 0.0, cell), 2), round(siegert_rate(20e-3, 1e-5, cell), 2)
    (63.04, 63.0)
    """
    from scipy.integrate import quad
    from scipy.special import erfcx

    theta, reset = cell.V_th - cell.E_L, cell.V_reset - cell.E_L
    if sd == 0:
        if mean <= theta:
            return 0.0
        return float(1 / (cell.t_ref + cell.tau_m * np.log((mean - reset) / (mean - theta))))
    sigma = np.sqrt(2) * sd
    shift = np.sqrt(cell.tau_E / cell.tau_m) * ZETA_HALF / np.sqrt(2)
    low, high = (reset - mean) / sigma + shift, (theta - mean) / sigma + shift
    if high > FAR:
        return 0.0
    edges = [low, *(x for x in (0.0, 5.0) if low < x < high), high]
    integral = sum(quad(lambda x: erfcx(-x), a, b)[0] for a, b in pairwise(edges))
    return float(1 / (cell.t_ref + cell.tau_m * np.sqrt(np.pi) * integral))


class MeanField:
    """Mean and variance of what the populations of a column give each other.

    Parameters
    ----------
    tissue
        Species.
    in_degree
        Synapses that a cell has from each population, shape (source, target), of all columns.
    """

    def __init__(self, tissue: Circuit, in_degree: NDArray[np.float64]) -> None:
        facts = column_facts()["weights"]
        cells = tissue.cells
        R = np.array([c.tau_m / c.C for c in cells])
        tau_E, tau_I, tau_m = (
            np.array([getattr(c, k) for c in cells]) for k in ("tau_E", "tau_I", "tau_m")
        )
        weight = tissue.rested_weights() * tissue.resting_factors()
        tau = np.where(weight > 0, tau_E, tau_I)
        outside = np.array([c.psc(facts["external_psp_mV"] * 1e-3) for c in cells])
        self.tissue = tissue
        self.mean = in_degree * weight * tau * R  # V per Hz, (source, target)
        square = np.exp(facts["shape"] ** 2)  # of log-normal weights
        self.variance = (
            in_degree * square * (weight * tau * R) ** 2 / (2 * (tau_m + tau))
        )  # V² per Hz
        self.external_mean = outside * tau_E * R
        self.external_variance = self.external_mean**2 / (2 * (tau_m + tau_E))

    def potential(
        self, target: int, rates: NDArray[np.float64], external: float
    ) -> tuple[float, float]:
        """Return mean and standard deviation (V) of the free potential of population ``target``."""
        mean = rates @ self.mean[:, target] + external * self.external_mean[target]
        var = rates @ self.variance[:, target] + external * self.external_variance[target]
        return float(mean), float(np.sqrt(var))

    def external_rates(self, aims: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the external rate (Hz) with which each population would fire at its aim.

        The others give what they give at their rates at rest; NaN where no rate >= 0 does.
        """
        out = np.full(len(aims), np.nan)
        for k, aim in enumerate(aims):

            def excess(x: float, k: int = k, aim: float = aim) -> float:
                return (
                    siegert_rate(*self.potential(k, self.tissue.rates, x), self.tissue.cells[k])
                    - aim
                )

            out[k] = _root(excess)
        return out

    def stability(self, external: NDArray[np.float64]) -> float:
        """Return the largest real part of the linearised rates at rest; stable below 1."""
        n = len(external)
        gain = np.zeros((n, n))
        for k, cell in enumerate(self.tissue.cells):
            mean, sd = self.potential(k, self.tissue.rates, external[k])
            by_mean = (
                siegert_rate(mean + 1e-4, sd, cell) - siegert_rate(mean - 1e-4, sd, cell)
            ) / 2e-4
            more, less = sd * np.sqrt(1.02), sd * np.sqrt(0.98)
            by_variance = (siegert_rate(mean, more, cell) - siegert_rate(mean, less, cell)) / (
                0.04 * sd**2
            )
            gain[k] = by_mean * self.mean[:, k] + by_variance * self.variance[:, k]
        return float(np.linalg.eigvals(gain).real.max())

    def relaxed(
        self, external: NDArray[np.float64], rates: NDArray[np.float64], *, steps: int = 150
    ) -> NDArray[np.float64]:
        """Return where ``rates`` (Hz) go in ``steps`` of 0.15 of their time constant."""
        for _ in range(steps):
            new = [
                siegert_rate(*self.potential(k, rates, external[k]), cell)
                for k, cell in enumerate(self.tissue.cells)
            ]
            rates = rates + 0.15 * (np.array(new) - rates)
        return rates


def _root(excess: Callable[[float], float]) -> float:
    """Return where a rising function is 0, from 0 up; NaN if it is above 0 at 0."""
    from scipy.optimize import brentq

    if excess(0.0) > 0:
        return float("nan")
    high = 1000.0
    while excess(high) < 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-3))
