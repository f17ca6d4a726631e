"""Reduced basis over frequency: a few complex solves, then every frequency is a small system.

The solutions x(f) of an affine system vary smoothly with frequency, so a few of them span all. Real
and imaginary parts of those at chosen frequencies are real vectors; Galerkin's method on their span
turns every A_q into a small matrix once. It is best in the energy norm, keeps the impedance
symmetric, and the error of the impedance is the square of that of the solution.

Frequencies are chosen by halving the band on a logarithmic scale where the error bound says so:
with a real P = sum_q p_q A_q,

    |x - x_reduced|_P <= |b - A x_reduced|_(P^-1) / alpha,
    alpha = max over phi of min over q of Re(exp(-i phi) theta_q) / p_q

(every A_q is positive semidefinite, so Re(exp(-i phi) x* A x) >= alpha x* P x). Evaluating the
bound is the first step of solving there, from the reduced solution on: where the bound is good,
nothing more is done.

References: Rozza, Huynh & Patera, Arch Comput Methods Eng 15:229 (2008),
doi:10.1007/s11831-008-9019-9 (affine systems, min-theta bound).
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.fields.dbs.affine import Affine, Complexes, Floats, Law, weights_of
from rheobase.fields.dbs.cocg import cocg
from rheobase.fields.dbs.dielectrics import Constant
from rheobase.fields.dbs.interface import Interface
from rheobase.fields.dbs.factor import factorise

_PHASES = np.linspace(-np.pi / 2, np.pi / 2, 361)
_CLOSEST = 1.02  # ratio of neighbouring frequencies below which no more are taken
_CHUNK = 256  # frequencies solved at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Reduced:
    """The affine system on a basis of m real vectors.

    Parameters
    ----------
    matrices
        Shape (Q, m, m).
    laws
        What each is multiplied by, Q of them.
    metals
        Potential of each contact's metal in each basis vector, shape (N, m): also the right-hand
        sides.
    sums
        Sum of the rows of each A_q on the basis, shape (Q, m): the current that reaches the ground.
    contacts
        Names of the contacts.
    band
        Lowest and highest frequency (Hz) the basis was made for.
    """

    matrices: Floats
    laws: tuple[Law, ...]
    metals: Floats
    sums: Floats
    contacts: tuple[str, ...]
    band: tuple[float, float]

    @property
    def steady(self) -> bool:
        """Whether there is a response at 0 Hz, outside the band: with constants alone."""
        return all(isinstance(law, Constant) for law in self.laws)

    def weights(self, frequency: ArrayLike) -> Complexes:
        """Return the weights of the matrices at frequencies (Hz), shape (nf, Q).

        Raises
        ------
        InputError
            If one lies outside the band, or outside the range of a tissue's model.
        """
        f = np.atleast_1d(np.asarray(frequency, dtype=np.float64))
        low, high = self.band
        inside = (f >= low * (1 - 1e-12)) & (f <= high * (1 + 1e-12))
        if not (inside | ((f == 0) & self.steady)).all():
            raise InputError(
                f"expected frequencies of {low:g} .. {high:g} Hz, the band the responses were "
                f"solved for, got {f.min():g} .. {f.max():g} Hz"
            )
        return weights_of(self.laws, f)

    def solve(self, frequency: ArrayLike) -> Complexes:
        """Return the coefficients of the basis for 1 A out of each contact, shape (nf, m, N)."""
        weights = self.weights(frequency)
        parts = [
            solve_dense(self.matrices, self.metals, weights[k : k + _CHUNK])
            for k in range(0, len(weights), _CHUNK)
        ]
        return np.concatenate(parts)

    def impedance(self, frequency: ArrayLike) -> Complexes:
        """Return the impedances Z (ohm), shape (nf, N, N), rows and columns by contact."""
        return np.asarray(self.metals @ self.solve(frequency))

    def grounded(self, frequency: ArrayLike) -> Complexes:
        """Return the current (A) that reaches the ground per 1 A out of each contact, (nf, N)."""
        leak = self.weights(frequency) @ self.sums
        return np.einsum("fm,fmc->fc", leak, self.solve(frequency))


def solve_dense(matrices: Floats, metals: Floats, weights: Complexes) -> Complexes:
    """Return the coefficients of the basis at weights (nf, Q), shape (nf, m, N)."""
    A = np.tensordot(weights, matrices, axes=1)
    rhs = np.broadcast_to(metals.T.astype(np.complex128), (len(weights), *metals.T.shape))
    return np.asarray(np.linalg.solve(A, rhs))


@dataclass(kw_only=True)
class Effort:
    """What making a basis took.

    Parameters
    ----------
    frequencies
        Where the whole system was solved (Hz), in order.
    iterations
        Of COCG, at each of them.
    checked
        Where the bound was good enough (Hz), with the bound.
    size
        Basis vectors.
    unknowns
        Of the whole system.
    cpu
        CPU seconds.
    """

    frequencies: list[float] = field(default_factory=list)
    iterations: list[int] = field(default_factory=list)
    checked: dict[float, float] = field(default_factory=dict)
    size: int = 0
    unknowns: int = 0
    cpu: float = 0.0

    @property
    def bound(self) -> float:
        """Largest bound (1) on the error of a solution, of those checked and not solved for."""
        return max(self.checked.values(), default=0.0)


class Basis:
    """Basis of an affine system that grows by solutions.

    Parameters
    ----------
    affine
        The whole system.
    band
        Lowest and highest frequency (Hz).
    tolerance
        Bound on the error of the solutions (1), relative to the energy in the tissue.
    """

    def __init__(self, affine: Affine, band: tuple[float, float], tolerance: float) -> None:
        start = time.process_time()
        self.affine, self.band, self.tolerance = affine, band, tolerance
        middle = np.sqrt(band[0] * band[1])
        self.p = np.abs(weights_of(affine.laws, middle)[0])
        self.tissue = np.array([not isinstance(law, Interface) for law in affine.laws])
        self.factor = factorise(affine.combined(self.p))
        n, N = affine.size, len(affine.contacts)
        self.vectors = np.empty((n, 0))
        self.images = np.empty((n, 0))  # P times the vectors
        self.matrices = np.empty((len(self.p), 0, 0))
        self.effort = Effort(unknowns=n)
        unit = np.zeros((n, N))
        unit[-N:] = np.eye(N)
        self.extend(self.factor.solve(unit), np.ones(N))
        self.effort.cpu += time.process_time() - start

    def precondition(self, r: Complexes) -> Complexes:
        """Return P^-1 r."""
        parts = self.factor.solve(np.ascontiguousarray(r).view(np.float64))
        return np.ascontiguousarray(parts).view(np.complex128)

    @property
    def metals(self) -> Floats:
        """Potential of each metal in each basis vector, shape (N, m)."""
        return self.vectors[-len(self.affine.contacts) :]

    def extend(self, x: Floats, scale: Floats) -> None:
        """Add to the basis what is new in vectors (n, k), each of the given size (k,)."""
        x = x / scale
        for _ in range(2):
            x = x - self.vectors @ (self.images.T @ x)
        images = [m @ x for m in self.affine.matrices]
        image = np.tensordot(self.p, np.stack(images), axes=1)
        power, turn = np.linalg.eigh(x.T @ image)
        least = (0.02 * self.tolerance) ** 2
        keep = power > max(least, 1e-14 * power.max(initial=0.0))
        turn = turn[:, keep] / np.sqrt(power[keep])
        x = x @ turn
        m, k = self.vectors.shape[1], x.shape[1]
        grown = np.zeros((len(images), m + k, m + k))
        grown[:, :m, :m] = self.matrices
        for q, part in enumerate(images):
            part = part @ turn
            grown[q, :m, m:] = self.vectors.T @ part
            grown[q, m:, :m] = grown[q, :m, m:].T
            grown[q, m:, m:] = x.T @ part
        self.matrices = 0.5 * (grown + grown.transpose(0, 2, 1))
        self.vectors = np.concatenate([self.vectors, x], axis=1)
        self.images = np.concatenate([self.images, image @ turn], axis=1)

    def visit(self, frequency: float) -> bool:
        """Return whether the bound at a frequency was bad; then the solution there was added."""
        theta, N = weights_of(self.affine.laws, frequency), len(self.affine.contacts)
        y = solve_dense(self.matrices, self.metals, theta)[0]
        inner = np.tensordot(self.p * self.tissue, self.matrices, axes=1)
        scale = np.sqrt(np.einsum("mc,mn,nc->c", y.conj(), inner, y).real)
        turned = (np.exp(-1j * _PHASES)[:, None] * theta).real
        alpha = float((turned / self.p).min(axis=1).max())
        r = -self.affine.apply(theta[0], self.vectors @ y)
        r[-N:] += np.eye(N)
        goal = alpha * self.tolerance * scale
        step, first, iterations = cocg(
            lambda p: self.affine.apply(theta[0], p), self.precondition, r, goal
        )
        if not iterations:
            self.effort.checked[frequency] = float((first / (alpha * scale)).max())
            return False
        self.effort.frequencies.append(frequency)
        self.effort.iterations.append(iterations)
        self.extend(np.concatenate([step.real, step.imag], axis=1), np.tile(scale, 2))
        return True

    def fill(self) -> None:
        """Add solutions until the bound is good all over the band."""
        start = time.process_time()
        low, high = self.band
        steady = all(isinstance(law, Constant) for law in self.affine.laws)
        for f in (low, high, 0.0) if steady else (low, high):
            self.visit(f)
        intervals = deque([(low, high)])
        while intervals:
            a, b = intervals.popleft()
            middle = float(np.sqrt(a * b))
            if self.visit(middle) and b > a * _CLOSEST:
                intervals += [(a, middle), (middle, b)]
        self.effort.size = self.vectors.shape[1]
        self.effort.cpu += time.process_time() - start

    def reduced(self) -> Reduced:
        """Return the system on the basis."""
        ones = np.ones(self.affine.size)
        sums = np.stack([(m @ ones) @ self.vectors for m in self.affine.matrices])
        return Reduced(
            matrices=self.matrices,
            laws=self.affine.laws,
            metals=self.metals,
            sums=sums,
            contacts=self.affine.contacts,
            band=self.band,
        )
