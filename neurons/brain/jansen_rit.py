"""The neural mass of Jansen & Rit (1995, 10.1007/BF00199471): constants, equilibria, stability.

A region is three populations: pyramidal cells, excitatory and inhibitory interneurons. With the
sigmoid S(v) = 2 e0 / (1 + exp(r (v0 - v))) and the post-synaptic potentials y0 (of pyramidal
cells), y1 (excitatory) and y2 (inhibitory, on pyramidal cells),

    y0'' = A a S(y1 - y2)              - 2 a y0' - a² y0
    y1'' = A a (p + C2 S(C1 y0) + I)   - 2 a y1' - a² y1
    y2'' = B b C4 S(C3 y0)             - 2 b y2' - b² y2

with C1 = C, C2 = 0.8 C, C3 = C4 = 0.25 C, input p from elsewhere and I from other regions. y1 - y2,
the potential of the pyramidal cells, is what the EEG follows. Where the bifurcations are:
Grimbert & Faugeras 2006 (10.1162/neco.2006.18.12.3052).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.neurons.brain.connectome import brain_facts

Floats = NDArray[np.float64]

POPULATIONS = ("pyramidal", "excitatory", "inhibitory")
SHARES = (1.0, 0.8, 0.25, 0.25)  # C1..C4 over C (Jansen & Rit 1995)
_STEPS = 20_000  # of the search for equilibria, along y0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class JansenRit:
    """Constants of a region, or of n regions; each one number or an array of shape (n,).

    Parameters
    ----------
    A, B
        Excitatory and inhibitory synaptic gain (V).
    a, b
        Rates of the excitatory and inhibitory synapses (1/s).
    C
        Synapses between the populations, C1; the others are shares of it.
    v0, r, e0
        Potential of half the largest rate (V), steepness there (1/V) and half the largest rate
        (1/s).
    p
        Mean input from elsewhere (pulses/s).
    sigma
        Its white noise: standard deviation of the pulses in 1 s (pulses/√s).

    Raises
    ------
    InputError
        If a constant is not finite, not positive, or (p, sigma) negative.
    """

    A: float | Floats = brain_facts()["jansen_rit"]["A_mV"] * 1e-3
    B: float | Floats = brain_facts()["jansen_rit"]["B_mV"] * 1e-3
    a: float | Floats = brain_facts()["jansen_rit"]["a"]
    b: float | Floats = brain_facts()["jansen_rit"]["b"]
    C: float | Floats = brain_facts()["jansen_rit"]["C"]
    v0: float | Floats = brain_facts()["jansen_rit"]["v0_mV"] * 1e-3
    r: float | Floats = brain_facts()["jansen_rit"]["r"] * 1e3
    e0: float | Floats = brain_facts()["jansen_rit"]["e0"]
    p: float | Floats = brain_facts()["jansen_rit"]["p"]
    sigma: float | Floats = 0.0

    def __post_init__(self) -> None:
        """Check ranges."""
        for field in fields(self):
            values = np.asarray(getattr(self, field.name), dtype=np.float64)
            least = "finite and >= 0" if field.name in ("p", "sigma") else "finite and > 0"
            fine = np.isfinite(values) & (values >= 0) & ((values > 0) | least.endswith("= 0"))
            if not fine.all():
                raise InputError(f"{field.name} must be {least}, got {values}: Jansen-Rit model")

    def table(self, n: int) -> Floats:
        """Return the constants of n regions in the order of the fields, shape (10, n).

        Raises
        ------
        InputError
            If one is an array of another length.
        """
        out = np.empty((len(fields(self)), n))
        for row, field in zip(out, fields(self), strict=True):
            values = np.asarray(getattr(self, field.name), dtype=np.float64)
            if values.shape not in ((), (n,)):
                raise InputError(
                    f"{field.name} must be one number or have shape ({n},) for {n} regions, got "
                    f"{values.shape}: Jansen-Rit model"
                )
            row[:] = values
        return out

    def rate(self, potential: ArrayLike) -> Floats:
        """Return S of a potential (V): the firing rate (1/s), same shape."""
        v = np.asarray(potential, dtype=np.float64)
        s: Floats = 2 * self.e0 / (1 + np.exp(np.clip(self.r * (self.v0 - v), -700, 700)))
        return s

    def slope(self, potential: ArrayLike) -> Floats:
        """Return dS/dv (1/(V s)), same shape."""
        s = self.rate(potential)
        return self.r * s * (1 - s / (2 * self.e0))

    def excitation(self, y0: ArrayLike) -> Floats:
        """Return the excitatory feedback C2 S(C1 y0) (pulses/s)."""
        out: Floats = SHARES[1] * self.C * self.rate(SHARES[0] * self.C * np.asarray(y0))
        return out

    def inhibition(self, y0: ArrayLike) -> Floats:
        """Return y2 at rest, B/b C4 S(C3 y0) (V)."""
        s = self.rate(SHARES[2] * self.C * np.asarray(y0))
        out: Floats = self.B / self.b * SHARES[3] * self.C * s
        return out

    def input_of(self, y0: ArrayLike) -> tuple[Floats, Floats]:
        """Return the input (pulses/s) that holds y0 (V) at rest, and the potential there (V).

        The curve of equilibria: y0 = A/a S(v) gives v, and v + y2 = y1 = A/a (p + C2 S(C1 y0)) the
        input p. Shapes as ``y0``, which must lie between 0 and 2 e0 A/a.
        """
        y = np.asarray(y0, dtype=np.float64)
        share = 2 * self.e0 / (self.a * y / self.A) - 1
        v: Floats = np.asarray(self.v0 - np.log(share) / self.r)
        p: Floats = self.a / self.A * (v + self.inhibition(y)) - self.excitation(y)
        return p, v

    def equilibria(self, p: float | None = None, *, returned: float = 0.0) -> Floats:
        """Return the potentials y1 - y2 (V) of all equilibria of one region, rising, shape (k,).

        Parameters
        ----------
        p
            Input (pulses/s); by default the model's own.
        returned
            Pulses/s that come back for each 1/s of its own rate, as from a network of its likes.
        """
        from scipy.optimize import brentq

        goal = float(np.asarray(self.p)) if p is None else p
        top = 2 * float(np.asarray(self.e0 * self.A / self.a))
        y = top * np.linspace(1e-9, 1 - 1e-9, _STEPS)
        back = returned * self.a / self.A  # S is a/A y0

        def missing(x: ArrayLike) -> Floats:
            return self.input_of(x)[0] - back * np.asarray(x) - goal

        above = missing(y) > 0
        found = [
            brentq(lambda x: float(missing(x)), y[i], y[i + 1], xtol=1e-16)
            for i in np.flatnonzero(above[1:] != above[:-1])
        ]
        return self.input_of(np.array(found))[1]

    def jacobian(self, potential: float) -> Floats:
        """Return the linearised equations at an equilibrium, (y0, y1, y2, y0', y1', y2'), (6, 6).

        Parameters
        ----------
        potential
            y1 - y2 there (V).
        """
        A, B, a, b, C = (float(np.asarray(getattr(self, k))) for k in "ABabC")
        y0 = A / a * float(self.rate(potential))
        gain = A * a * float(self.slope(potential))
        c1, c2, c3, c4 = (s * C for s in SHARES)
        J = np.zeros((6, 6))
        J[:3, 3:] = np.eye(3)
        J[3, :4] = [-(a**2), gain, -gain, -2 * a]
        J[4, [0, 1, 4]] = [A * a * c2 * c1 * float(self.slope(c1 * y0)), -(a**2), -2 * a]
        J[5, [0, 2, 5]] = [B * b * c4 * c3 * float(self.slope(c3 * y0)), -(b**2), -2 * b]
        return J


def damped() -> JansenRit:
    """Return the model that regions of a network have by default: alpha that dies out.

    Its C and p are our choice (``data/brain.toml``); all else is Jansen's and Rit's.
    """
    chosen = brain_facts()["network"]
    return JansenRit(C=chosen["C"], p=chosen["p"])
