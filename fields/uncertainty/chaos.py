"""Polynomial chaos: a polynomial in the random inputs, and what follows from it.

A quantity that was computed at n samples of the inputs is fitted by polynomials of total degree p,

    y(x) = sum_k c_k psi_k(x),   psi_k(x) = prod_i psi_(k_i)(x_i),

orthonormal in the distribution of each input (from chaospy; of a lognormal one in its logarithm),
by least squares. The degree is the one with the smallest leave-one-out error, which needs no
further samples. With g = E[psi] and G = E[psi psi^T] over the joint distribution,

    mean = g·c,   variance = c·G c - mean²,

and what the inputs in u explain of the variance is that of the projection on the polynomials in
them alone, c·G_u G_uu^-1 G_u^T c. The first-order Sobol index of input i is the share explained by
x_i alone, the total one 1 minus the share explained by all the others. Independent inputs have
g = e_0 and G = 1, and these are the sums of squared coefficients; of correlated ones G is taken
over a large quasi-random sample, and a first-order index holds what an input tells of the others
(first and total may then come in any order).

References: Xiu & Karniadakis, SIAM J Sci Comput 24:619 (2002), doi:10.1137/S1064827501387826;
Sudret, Reliab Eng Syst Saf 93:964 (2008), doi:10.1016/j.ress.2007.04.002 (indices, leave-one-out);
Kucherenko, Tarantola & Annoni, Comput Phys Commun 183:937 (2012), doi:10.1016/j.cpc.2011.12.020
(correlated inputs).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.uncertainty.distributions import polynomials
from rheobase.fields.uncertainty.inputs import Inputs

Floats = NDArray[np.float64]

MOST_DEGREE = 6
DENSE = 4096  # samples of a polynomial for its quantiles
_JOINT = 1 << 14  # samples of the joint distribution of correlated inputs
_SPARE = 0.75  # of the samples, the most that coefficients may take


class Basis:
    """Polynomials of the inputs up to a total degree.

    Parameters
    ----------
    inputs
        The inputs, d of them.
    degree
        Total degree.

    Attributes
    ----------
    powers
        Degree of each polynomial in each input, shape (P, d), the constant first.
    """

    def __init__(self, inputs: Inputs, degree: int) -> None:
        self.inputs = inputs
        self.degree = degree
        self._dense: dict[int, Floats] = {}
        self._explained: dict[tuple[int, ...], Floats] = {}
        d = len(inputs)
        self.powers = np.array(
            [
                np.bincount(chosen, minlength=d)
                for total in range(degree + 1)
                for chosen in (
                    np.array(c, dtype=np.intp)
                    for c in combinations_with_replacement(range(d), total)
                )
            ]
        )

    def __call__(self, x: Floats) -> Floats:
        """Return the polynomials at samples of the inputs, shape (n, d): (n, P)."""
        out = np.ones((len(x), len(self.powers)))
        for values, power, law in zip(x.T, self.powers.T, self.inputs.distributions, strict=True):
            out *= polynomials(law, self.degree, values)[power].T
        return out

    def dense(self, n: int) -> Floats:
        """Return the polynomials at ``n`` quasi-random samples, shape (n, P), and keep them."""
        if n not in self._dense:
            self._dense[n] = self(self.inputs.sample(n))
        return self._dense[n]

    @cached_property
    def moments(self) -> tuple[Floats, Floats]:
        """Means g (P,) and products G (P, P) of the polynomials over the joint distribution."""
        n = len(self.powers)
        if self.inputs.independent:
            return np.eye(n)[0], np.eye(n)
        psi = self.dense(_JOINT)
        return psi.mean(axis=0), psi.T @ psi / len(psi)

    def explained(self, chosen: tuple[int, ...]) -> Floats:
        """Return M with c·M c = E[E[y | x_chosen]²], shape (P, P)."""
        if chosen in self._explained:
            return self._explained[chosen]
        others = np.setdiff1d(np.arange(len(self.inputs)), chosen)
        inside = np.flatnonzero((self.powers[:, others] == 0).all(axis=1))
        G = self.moments[1]
        M: Floats = G[:, inside] @ np.linalg.pinv(G[np.ix_(inside, inside)]) @ G[inside]
        self._explained[chosen] = M
        return M


@dataclass(frozen=True, kw_only=True, eq=False)
class Chaos:
    """A fitted quantity.

    Parameters
    ----------
    basis
        The polynomials.
    coefficients
        Shape (P, ...).
    error
        Leave-one-out error: the mean square of what each sample is off when it is left out,
        relative to the variance of the samples, shape (...); 0 where they do not vary.
    """

    basis: Basis
    coefficients: Floats
    error: Floats

    def __call__(self, x: ArrayLike) -> Floats:
        """Return the quantity at inputs of shape (n, d): (n, ...)."""
        psi = self.basis(np.atleast_2d(np.asarray(x, dtype=np.float64)))
        y: Floats = np.tensordot(psi, self.coefficients, axes=1)
        return y

    @cached_property
    def mean(self) -> Floats:
        """Mean, shape (...)."""
        mean: Floats = np.tensordot(self.basis.moments[0], self.coefficients, axes=1)
        return mean

    @cached_property
    def variance(self) -> Floats:
        """Variance, shape (...)."""
        return np.maximum(self._square(self.basis.moments[1]) - self.mean**2, 0.0)

    @property
    def sd(self) -> Floats:
        """Standard deviation, shape (...)."""
        return np.sqrt(self.variance)

    def first(self) -> Floats:
        """Return the first-order Sobol index of each input, shape (d, ...)."""
        return self._indices(lambda i: (i,))

    def total(self) -> Floats:
        """Return the total Sobol index of each input, shape (d, ...)."""
        every = range(len(self.basis.inputs))
        rest = self._indices(lambda i: tuple(j for j in every if j != i))
        return np.where(self.variance > 0, 1 - rest, 0.0)

    def quantiles(self, q: Sequence[float], *, n: int = DENSE) -> Floats:
        """Return quantiles, shape (len(q), ...), of the polynomial at ``n`` quasi-random samples.

        Parameters
        ----------
        q
            Probabilities, each from 0 to 1.
        n
            Samples.
        """
        y = np.tensordot(self.basis.dense(n), self.coefficients, axes=1)
        y.sort(axis=0)
        at = np.asarray(q, dtype=np.float64) * (n - 1)
        low = np.minimum(at.astype(np.intp), max(n - 2, 0))
        part = (at - low).reshape(-1, *[1] * (y.ndim - 1))
        found: Floats = (1 - part) * y[low] + part * y[np.minimum(low + 1, n - 1)]
        return found

    def _indices(self, chosen: Callable[[int], tuple[int, ...]]) -> Floats:
        shares = []
        for i in range(len(self.basis.inputs)):
            explained = self._square(self.basis.explained(chosen(i))) - self.mean**2
            shares.append(
                np.divide(
                    explained,
                    self.variance,
                    out=np.zeros_like(self.variance),
                    where=self.variance > 0,
                )
            )
        clipped: Floats = np.clip(np.stack(shares), 0.0, 1.0)
        return clipped

    def _square(self, M: Floats) -> Floats:
        """Return c·M c, shape (...)."""
        c = self.coefficients
        square: Floats = (c * np.tensordot(M, c, axes=1)).sum(axis=0)
        return square


def check_samples(n: int, d: int, *, degree: int = 1) -> None:
    """Check that ``n`` samples of ``d`` inputs are enough for polynomials of a degree.

    Raises
    ------
    InputError
        If they are not, or the degree is none that there is.
    """
    if degree not in range(MOST_DEGREE + 1):
        raise InputError(f"expected a degree from 0 to {MOST_DEGREE}, got {degree!r}")
    needed = comb(d + degree, d)
    if needed > _SPARE * n:
        raise InputError(
            f"expected {int(np.ceil(needed / _SPARE))} samples or more for polynomials of degree "
            f"{degree} in {d} inputs, got {n}"
        )


def fit(inputs: Inputs, x: ArrayLike, y: ArrayLike, *, degree: int | None = None) -> Chaos:
    """Fit quantities that were computed at samples.

    Parameters
    ----------
    inputs
        The random inputs, d of them.
    x
        Samples, shape (n, d).
    y
        The quantities at these, shape (n, ...).
    degree
        Total degree of the polynomials; the one with the smallest leave-one-out error over all
        quantities if None.

    Raises
    ------
    InputError
        If shapes differ, a number is not finite, or there are too few samples for the degree.
    """
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n, d = len(xs), len(inputs)
    if xs.shape != (n, d) or ys.shape[:1] != (n,):
        raise InputError(
            f"expected samples of {d} inputs and as many values, got {xs.shape} and {ys.shape}"
        )
    if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
        raise InputError("expected finite samples and values of a quantity")
    check_samples(n, d, degree=1 if degree is None else degree)
    if degree is not None:
        return fitted(Basis(inputs, degree), xs, ys)[0]
    best: tuple[float, Chaos] | None = None
    for p in range(1, MOST_DEGREE + 1):
        if comb(d + p, d) > _SPARE * n:
            break
        found, loss = fitted(Basis(inputs, p), xs, ys)
        if best is None or loss < best[0]:
            best = loss, found
    assert best is not None  # degree 1 has been checked
    return best[1]


def fitted(basis: Basis, x: Floats, y: Floats) -> tuple[Chaos, float]:
    """Fit polynomials to quantities.

    Parameters
    ----------
    basis
        The polynomials, fewer than the samples.
    x, y
        Samples, shape (n, d), and the quantities at these, shape (n, ...).

    Returns
    -------
    chaos : Chaos
    loss : float
        Mean squared leave-one-out error, summed over all quantities.
    """
    n = len(x)
    flat = y.reshape(n, -1)
    Q, R = np.linalg.qr(basis(x))
    along = Q.T @ flat
    off = (flat - Q @ along) / (1 - (Q**2).sum(axis=1))[:, None]
    loss = (off**2).mean(axis=0)
    spread = flat.var(axis=0)
    error = np.divide(loss, spread, out=np.zeros_like(loss), where=spread > 0)
    coefficients = np.linalg.solve(R, along)
    chaos = Chaos(
        basis=basis,
        coefficients=coefficients.reshape(-1, *y.shape[1:]),
        error=error.reshape(y.shape[1:]),
    )
    return chaos, float(loss.sum())
