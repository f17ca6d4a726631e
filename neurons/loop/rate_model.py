"""Firing rates of the subthalamic nucleus (S) and the external pallidum (G), with delays.

Nevado-Holgado, Terry & Bogacz 2010, J Neurosci 30:12340 (doi:10.1523/JNEUROSCI.0817-10.2010):

    tau_S dS/dt = F_S(w_CS Ctx - w_GS G(t - d_GS)) - S
    tau_G dG/dt = F_G(w_SG S(t - d_SG) - w_GG G(t - d_GG) - w_XG Str) - G
    F(x) = M / (1 + (M - B)/B exp(-4 x/M))

The healthy weights rest at a fixed point, the parkinsonian ones cycle at about 20 Hz.

**Stimulation.** What a pulse does to the share f of the subthalamic fibres that it fires is either

- *silence*: for ``mask`` the pallidum hears 1 - f times S, because collision and the refractory
  time wipe out the fibres' own spikes: the informational lesion of Grill, Snyder & Miocinovic 2004
  (NeuroReport 15:1137), without the regular spikes that take their place; or
- *fire*: one spike each is added to S, outside of F as in equation 5 of the model's authors, so
  that S jumps by f/tau_S.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rheobase._errors import InputError, check_option, check_positive
from rheobase.neurons.loop.plant import Floats, Pulses

if TYPE_CHECKING:
    from rheobase.neurons.loop._rate_numba import Rates

Effect = Literal["silence", "fire"]


@dataclass(frozen=True, kw_only=True, slots=True)
class STNGPe:
    """Constants of the model.

    Parameters
    ----------
    tau_S, tau_G
        Time constants (s).
    d_SG, d_GS, d_GG
        Delays (s): S to G, G to S, G to itself.
    M_S, M_G
        Largest rates (1/s).
    B_S, B_G
        Rates without input (1/s), below the largest.
    Ctx, Str
        Rates of cortex and striatum (1/s).
    w_SG, w_GS, w_GG, w_CS, w_XG
        Weights (>= 0): S to G, G to S, G to itself, cortex to S, striatum to G.

    Raises
    ------
    InputError
        If a time or a rate is not > 0, a weight is negative, or B is not below M.
    """

    tau_S: float
    tau_G: float
    d_SG: float
    d_GS: float
    d_GG: float
    M_S: float
    B_S: float
    M_G: float
    B_G: float
    Ctx: float
    Str: float
    w_SG: float
    w_GS: float
    w_GG: float
    w_CS: float
    w_XG: float

    def __post_init__(self) -> None:
        """Check signs."""
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name.startswith("w_"):
                if not 0 <= value < np.inf:
                    raise InputError(f"{f.name} must be >= 0, got {value!r}: STN-GPe")
            else:
                check_positive(f"{f.name} of STN-GPe", value)
        for M, B in ((self.M_S, self.B_S), (self.M_G, self.B_G)):
            if not B < M:
                raise InputError(f"B must be below M = {M:g} 1/s, got {B:g} 1/s: STN-GPe")


@cache
def stn_gpe_facts() -> dict[str, Any]:
    """Return the shipped table of the model, in the units its keys name."""
    text = files("rheobase.neurons").joinpath("data/stn_gpe.toml")
    return tomllib.loads(text.read_text(encoding="utf-8"))


def stn_gpe(state: str) -> STNGPe:
    """Return the published model in state "healthy" or "parkinson".

    Raises
    ------
    InputError
        If there is no such state.
    """
    facts = stn_gpe_facts()
    weights = facts["weights"][check_option("state", state, facts["weights"], where="STN-GPe")]
    m = facts["model"]
    return STNGPe(
        **{k: m[f"{k}_ms"] * 1e-3 for k in ("tau_S", "tau_G", "d_SG", "d_GS", "d_GG")},
        **{k: m[f"{k}_spk_per_s"] for k in ("M_S", "B_S", "M_G", "B_G", "Ctx", "Str")},
        **{k: weights[k] for k in ("w_SG", "w_GS", "w_GG", "w_CS", "w_XG")},
    )


def response(x: float, M: float, B: float) -> float:
    """Return the rate (1/s) that a drive ``x`` (1/s) makes: B at 0, M at most, slope 1 at M/2.

    Examples
    --------
    >>> round(response(0.0, 300.0, 17.0), 6)
    17.0
    """
    return float(M / (1 + (M - B) / B * np.exp(-4 * x / M)))


def fixed_point(model: STNGPe) -> tuple[float, float]:
    """Return the rates (S, G) (1/s) at rest, stable or not, by root finding.

    S falls with G, and G rises with S and falls with itself: there is exactly one.
    """
    from scipy.optimize import brentq

    m = model

    def S_of(G: float) -> float:
        return response(m.w_CS * m.Ctx - m.w_GS * G, m.M_S, m.B_S)

    def excess(G: float) -> float:
        x = m.w_SG * S_of(G) - m.w_GG * G - m.w_XG * m.Str
        return response(x, m.M_G, m.B_G) - G

    G = float(brentq(excess, 0.0, m.M_G, xtol=1e-12, rtol=1e-14))
    return S_of(G), G


@dataclass(frozen=True, kw_only=True, slots=True)
class Cortex:
    """How the cortical input varies about its mean.

    Beta comes in bursts: the input is whole for ``short`` or, as likely, for a time between the two
    of ``long``, then lower by ``depth`` for ``pause``.

    Parameters
    ----------
    depth
        Relative fall between bursts (0 … 1); 0: no bursts.
    short, long, pause
        Times (s); those of the burst files of Fleming et al. 2020 (ModelDB 262046).
    noise
        Relative standard deviation of Gaussian noise on top.
    noise_time
        Its correlation time (s).

    Raises
    ------
    InputError
        If a value is out of range.
    """

    depth: float = 0.0
    short: float = 0.1
    long: tuple[float, float] = (0.6, 1.0)
    pause: float = 0.3
    noise: float = 0.0
    noise_time: float = 0.01

    def __post_init__(self) -> None:
        """Check ranges."""
        if not 0 <= self.depth <= 1:
            raise InputError(f"depth must be in 0..1, got {self.depth!r}: cortical input")
        if not 0 <= self.noise < np.inf:
            raise InputError(f"noise must be >= 0, got {self.noise!r}: cortical input")
        for name, value in (("short", self.short), ("pause", self.pause)):
            check_positive(f"{name} of the cortical input", value)
        check_positive("noise_time of the cortical input", self.noise_time)
        if not 0 < self.long[0] <= self.long[1] < np.inf:
            raise InputError(f"long must be two rising times > 0, got {self.long}: cortical input")


class _Input:
    """The cortical input, drawn step by step, whatever the stretches."""

    def __init__(self, cortex: Cortex, mean: float, dt: float, seed: int) -> None:
        self._cortex, self._mean, self._dt = cortex, mean, dt
        self._bursts, self._normal = (np.random.default_rng([seed, 71, k]) for k in range(2))
        self._steps = 0
        self._whole = True
        self._until = self._length()
        self._state = np.zeros(1)

    def _length(self) -> float:
        c = self._cortex
        if not self._whole:
            return c.pause
        return c.short if self._bursts.random() < 0.5 else float(self._bursts.uniform(*c.long))

    def draw(self, n: int) -> Floats:
        """Return the next ``n`` steps (1/s), shape (n,)."""
        c, first = self._cortex, self._steps
        self._steps += n
        level = np.ones(n)
        if c.depth:
            at = first
            while at < self._steps:
                end = min(self._steps, round(self._until / self._dt))
                level[at - first : end - first] = 1.0 if self._whole else 1 - c.depth
                at = end
                if at == round(self._until / self._dt):
                    self._whole = not self._whole
                    self._until += self._length()
        if c.noise:
            from scipy.signal import lfilter

            keep = np.exp(-self._dt / c.noise_time)
            shock = np.sqrt(1 - keep**2) * self._normal.standard_normal(n)
            noise, self._state = lfilter([1.0], [1.0, -keep], shock, zi=self._state)
            level += c.noise * noise
        out: Floats = self._mean * np.maximum(level, 0.0)
        return out


class RatePlant:
    """The model as a plant with signals S and G (1/s).

    Integrated with classical Runge-Kutta steps and a cubic history: order 4 where the input is
    smooth within each step.

    Parameters
    ----------
    model
        Its constants; delays must be whole steps.
    dt
        Step (s).
    start
        Rates (S, G) at and before time 0 (1/s); the fixed point without.
    effect
        What a pulse does, "silence" or "fire".
    mask
        How long a pulse silences a fibre (s); 1/130 s without, so that at the clinical rate a fibre
        is always silent (own choice).
    cortex, seed
        How the cortical input varies, and the seed of its draws.

    Raises
    ------
    InputError
        If the step is too long for the time constants or no whole part of the delays, the effect is
        unknown, or ``mask`` is not > 0.
    """

    signals = ("S", "G")
    units = ("1/s", "1/s")

    def __init__(
        self,
        model: STNGPe,
        *,
        dt: float = 1e-4,
        start: tuple[float, float] | None = None,
        effect: Effect = "fire",
        mask: float | None = None,
        cortex: Cortex | None = None,
        seed: int = 0,
    ) -> None:
        from rheobase.neurons.loop._rate_numba import History

        check_option("effect", effect, ("silence", "fire"), where="rate model")
        self.mask = stn_gpe_facts()["stimulation"]["mask_s"] if mask is None else mask
        check_positive("mask", self.mask)
        self._fires = effect == "fire"
        self._constants = constants(model, dt)
        self.dt = dt
        self._input = _Input(cortex or Cortex(), model.Ctx, dt, seed)
        size = max(self._constants.d_SG, self._constants.d_GS, self._constants.d_GG) + 2
        held = np.tile(np.array(start or fixed_point(model)), (size, 1))
        self._past = History(held, held.copy(), np.ones(size))
        self._steps = 0
        self._silent = (-np.inf, 0.0)  # end of the last pulse's mask (s), its share

    def advance(self, n: int, pulses: Pulses) -> Floats:
        """Advance by ``n`` steps; return S and G (1/s) at their ends, shape (n, 2)."""
        from rheobase.neurons.loop._rate_numba import integrate

        spoken, fired = np.ones(n), np.zeros(n)
        if self._fires:
            step = np.clip((pulses.times / self.dt + 1e-6).astype(int) - self._steps, 0, n - 1)
            np.add.at(fired, step, pulses.fraction / self.dt)
        else:
            spoken -= self._silenced(n, pulses)
        out = integrate(
            self._constants,
            self.dt,
            self._steps,
            self._past,
            self._input.draw(n),
            spoken,
            fired,
        )
        self._steps += n
        return np.asarray(out)

    def _silenced(self, n: int, pulses: Pulses) -> Floats:
        """Return the share of fibres that is silent in each step, shape (n,).

        A pulse's share counts from its begin for ``mask``, or until the next pulse; a step that is
        covered in part counts in part.
        """
        edges = (self._steps + np.arange(n + 1)) * self.dt
        begin = np.concatenate([[edges[0]], np.maximum(pulses.times, edges[0])])
        share = np.concatenate([[self._silent[1]], pulses.fraction])
        stop = np.concatenate([[self._silent[0]], pulses.times + self.mask])
        self._silent = (float(stop[-1]), float(share[-1]))
        stop = np.clip(stop, begin, np.concatenate([begin[1:], [np.inf]]))
        knots = np.stack([begin, stop], axis=1).ravel()
        silent = np.stack([np.zeros(len(begin)), share * (stop - begin)], axis=1).ravel().cumsum()
        out: Floats = np.diff(np.interp(edges, knots, silent)) / self.dt
        return out


def constants(model: STNGPe, dt: float) -> Rates:
    """Return the constants for a step ``dt`` (s), delays counted in steps.

    Raises
    ------
    InputError
        If the step is longer than half the shorter time constant, or no whole part of a delay.
    """
    from rheobase.neurons.loop._rate_numba import Rates

    most = min(model.tau_S, model.tau_G) / 2
    if not 0 < dt <= most:
        raise InputError(f"dt must be > 0 and <= {most:g} s, half the time constant, got {dt!r} s")
    steps = {}
    for name in ("d_SG", "d_GS", "d_GG"):
        delay = getattr(model, name)
        steps[name] = round(delay / dt)
        if steps[name] < 1 or abs(steps[name] * dt - delay) > 1e-9 * delay:
            raise InputError(f"dt must be a whole part of {name} = {delay:g} s, got {dt:g} s")
    names = [name for name in Rates._fields if name not in steps]
    return Rates(**{name: getattr(model, name) for name in names}, **steps)
