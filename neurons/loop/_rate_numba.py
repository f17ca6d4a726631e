"""Kernel of the delayed rate model: classical Runge-Kutta with a cubic history.

The history holds values at the grid and, from the cubic through values and slopes at both ends, in
the middle of each step. Delays are whole steps, so a stage at the middle of a step needs the middle
of an earlier one and nothing else. Inputs and the share of axons that speak are constant within a
step; where they jump, slopes jump at the grid only, and the order of four stays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Rates(NamedTuple):
    """Constants of the model: times in s, rates in 1/s, delays in steps."""

    tau_S: float
    tau_G: float
    M_S: float
    B_S: float
    M_G: float
    B_G: float
    w_SG: float
    w_GS: float
    w_GG: float
    w_CS: float
    w_XG: float
    Str: float
    d_SG: int
    d_GS: int
    d_GG: int


class History(NamedTuple):
    """Rings over the last steps: rates (S, G) at the grid and in the middle, share that speaks."""

    grid: Floats
    middle: Floats
    spoken: Floats


@njit(cache=True, nogil=True)
def respond(x: float, M: float, B: float) -> float:
    """Return the rate (1/s) that a drive ``x`` (1/s) makes: B at 0, M at most, slope 1."""
    return float(M / (1 + (M - B) / B * np.exp(-4 * x / M)))


@njit(cache=True, nogil=True)
def _slopes(
    c: Rates, S: float, G: float, sent: tuple[float, float, float], ctx: float, fired: float
) -> tuple[float, float]:
    """Return dS/dt and dG/dt for rates now and those that arrive (S at G, G at S, G at G)."""
    return (
        (respond(c.w_CS * ctx - c.w_GS * sent[1], c.M_S, c.B_S) + fired - S) / c.tau_S,
        (respond(c.w_SG * sent[0] - c.w_GG * sent[2] - c.w_XG * c.Str, c.M_G, c.B_G) - G) / c.tau_G,
    )


@njit(cache=True, nogil=True)
def integrate(
    c: Rates, h: float, first: int, past: History, ctx: Floats, spoken: Floats, fired: Floats
) -> Floats:
    """Advance by ``len(ctx)`` steps of ``h`` (s) from step ``first``; return S, G after each.

    ``ctx`` is the cortical rate, ``spoken`` the share of fibres whose spikes leave S, ``fired`` the
    rate of spikes (1/s) that pulses add to S, in each step.
    """
    n = len(ctx)
    size = past.grid.shape[0]
    out = np.empty((n, 2))
    for i in range(n):
        k = first + i
        now, following = k % size, (k + 1) % size
        past.spoken[now] = spoken[i]
        sg, gs, gg = (k - c.d_SG) % size, (k - c.d_GS) % size, (k - c.d_GG) % size
        sg_end, gs_end, gg_end = (sg + 1) % size, (gs + 1) % size, (gg + 1) % size
        u, x, y = past.spoken[sg], ctx[i], fired[i]
        S, G = past.grid[now, 0], past.grid[now, 1]
        begin = (u * past.grid[sg, 0], past.grid[gs, 1], past.grid[gg, 1])
        middle = (u * past.middle[sg, 0], past.middle[gs, 1], past.middle[gg, 1])
        end = (u * past.grid[sg_end, 0], past.grid[gs_end, 1], past.grid[gg_end, 1])
        S1, G1 = _slopes(c, S, G, begin, x, y)
        S2, G2 = _slopes(c, S + h / 2 * S1, G + h / 2 * G1, middle, x, y)
        S3, G3 = _slopes(c, S + h / 2 * S2, G + h / 2 * G2, middle, x, y)
        S4, G4 = _slopes(c, S + h * S3, G + h * G3, end, x, y)
        S_end = S + h / 6 * (S1 + 2 * S2 + 2 * S3 + S4)
        G_end = G + h / 6 * (G1 + 2 * G2 + 2 * G3 + G4)
        S5, G5 = _slopes(c, S_end, G_end, end, x, y)
        past.middle[now, 0] = (S + S_end) / 2 + h / 8 * (S1 - S5)
        past.middle[now, 1] = (G + G_end) / 2 + h / 8 * (G1 - G5)
        past.grid[following, 0], past.grid[following, 1] = S_end, G_end
        out[i, 0], out[i, 1] = S_end, G_end
    return out
