"""Reduced basis over frequency: a few complex residuals, then every frequency is a small system.

The solutions x(f) of an affine system vary smoothly with frequency, so a few real vectors span
them all. Galerkin's method on their span turns every A_q into a small matrix once. It is best in
the energy norm, keeps the impedance symmetric, and the error of the impedance is the square of that
of the solution.

One real P = sum_q p_q A_q is factored. At a frequency whose error bound

    |x - x_reduced|_P <= |r|_(P^-1) / alpha,    r = b - A x_reduced,
    alpha = max over phi of min over q of Re(exp(-i phi) theta_q) / p_q

is not good enough (every A_q is positive semidefinite, so Re(exp(-i phi) x* A x) >= alpha x* P x),
real and imaginary part of P^-1 r, of all contacts, join the basis. Repeated, that is a block Krylov
method for all frequencies at once: what one frequency adds serves the others. Frequencies are
taken by halving the band on a logarithmic scale, as long as the bound of the middle was bad. When
the basis is large, and in the end, it is cut down to what the reduced solutions over the band need.

References: Rozza, Huynh & Patera, Arch Comput Methods Eng 15:229 (2008),
doi:10.1007/s11831-008-9019-9 (affine systems, min-theta bound).
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase.fields.dbs.solution.factor import factorise
from rheobase.fields.dbs.spectrum.affine import (
    Affine,
    Complexes,
    Floats,
    Law,
    complex_view,
    real_view,
    weights_of,
)
from rheobase.fields.dbs.spectrum.dielectrics import Constant

_PHASES = np.linspace(-np.pi / 2, np.pi / 2, 361)
_INSIDE = 0.5  # of the band, on a logarithmic scale: where P is taken
_LEAST = 0.02  # of the tolerance: what is smaller is left out of the basis
_MOST = 100  # residuals added for one frequency
_ROOM = 24  # vectors per contact above which the basis is cut down on the way
_FEWEST = 96  # and never below
_SAMPLES = 64  # frequencies whose solutions the basis is cut down to
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

    def weights(self, frequency: ArrayLike, *, above: bool = False) -> Complexes:
        """Return the weights of the matrices at frequencies (Hz), shape (nf, Q).

        Parameters
        ----------
        frequency
            Shape (nf,).
        above
            Let it lie above the band, too, where the basis was not made for it.

        Raises
        ------
        InputError
            If one lies outside the band, or outside the range of a tissue's model.
        """
        f = np.atleast_1d(np.asarray(frequency, dtype=np.float64))
        low, high = self.band
        inside = (f >= low * (1 - 1e-12)) & ((f <= high * (1 + 1e-12)) | above)
        if not (inside | ((f == 0) & self.steady)).all():
            raise InputError(
                f"expected frequencies of {low:g} .. {high:g} Hz, the band the responses were "
                f"solved for, got {f.min():g} .. {f.max():g} Hz"
            )
        return weights_of(self.laws, f)

    def solve(self, frequency: ArrayLike, *, above: bool = False) -> Complexes:
        """Return the coefficients of the basis for 1 A out of each contact, shape (nf, m, N)."""
        weights = self.weights(frequency, above=above)
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
        return np.asarray(np.einsum("fm,fmc->fc", leak, self.solve(frequency)))


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
    enriched
        Frequencies (Hz) whose residuals joined the basis, in order, with how many times they did.
    checked
        Frequencies (Hz) where the bound was good at once, with the bound.
    spanned, size
        Most vectors the basis had on the way, and how many it has.
    unknowns
        Of the whole system.
    cpu
        CPU seconds.
    """

    enriched: dict[float, int] = field(default_factory=dict)
    checked: dict[float, float] = field(default_factory=dict)
    spanned: int = 0
    size: int = 0
    unknowns: int = 0
    cpu: float = 0.0

    @property
    def bound(self) -> float:
        """Largest bound (1) on the error of a solution, of those that were good at once."""
        return max(self.checked.values(), default=0.0)

    @property
    def solves(self) -> int:
        """How many blocks of residuals of all contacts went through the factor."""
        return 1 + sum(n + 1 for n in self.enriched.values()) + len(self.checked)


class Basis:
    """Basis of an affine system that grows by residuals.

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
        self.affine, self.band, self.tolerance = affine, band, tolerance
        n, N = affine.size, len(affine.contacts)
        inside = band[0] * (band[1] / band[0]) ** _INSIDE
        self.p = np.abs(weights_of(affine.laws, inside)[0])
        self.room = np.empty((n, max(_ROOM * N, _FEWEST)), order="F")  # for vectors, P-orthonormal
        self.vectors = self.room[:, :0]
        self.matrices = np.empty((len(self.p), 0, 0))
        self.effort = Effort(unknowns=n)
        start = time.process_time()
        self.factor = factorise(affine.combined(self.p))
        unit = np.zeros((n, N))
        unit[affine.metals, np.arange(N)] = 1.0
        self.extend(self.factor.solve(unit))
        self.fill()
        self.compress()
        self.effort.size = self.vectors.shape[1]
        self.effort.cpu = time.process_time() - start

    @property
    def metals(self) -> Floats:
        """Potential of each metal in each basis vector, shape (N, m)."""
        return self.vectors[self.affine.metals]

    def extend(self, x: Floats) -> None:
        """Add to the basis what is new in vectors (n, k), each relative to its solution's size.

        What is below a fiftieth of the tolerance is not.
        """
        Q, m, k = len(self.p), self.vectors.shape[1], x.shape[1]
        images = np.concatenate(list(self.affine.terms(x)), axis=1)
        old = (self.vectors.T @ images).reshape(m, Q, k).transpose(1, 0, 2)
        new = (x.T @ images).reshape(k, Q, k).transpose(1, 0, 2)
        share = np.tensordot(self.p, old, axes=1)  # of each basis vector in x
        mixed = share.T @ old
        new = new + share.T @ self.matrices @ share - mixed - mixed.transpose(0, 2, 1)
        old = old - self.matrices @ share
        power, turn = np.linalg.eigh(np.tensordot(self.p, new, axes=1))
        keep = power > max((_LEAST * self.tolerance) ** 2, 1e-13 * power.max(initial=0.0))
        turn = turn[:, keep] / np.sqrt(power[keep])
        total = m + turn.shape[1]
        grown = np.zeros((Q, total, total))
        grown[:, :m, :m] = self.matrices
        grown[:, :m, m:] = old @ turn
        grown[:, m:, :m] = grown[:, :m, m:].transpose(0, 2, 1)
        grown[:, m:, m:] = turn.T @ new @ turn
        self.matrices = 0.5 * (grown + grown.transpose(0, 2, 1))
        if total > self.room.shape[1]:
            self.room = np.hstack([self.vectors, np.empty((len(x), 8 * k))])
        self.room[:, m:total] = (x - self.vectors @ share) @ turn
        self.vectors = self.room[:, :total]

    def visit(self, frequency: float) -> bool:
        """Return whether the bound at a frequency was bad; then the basis was extended for it."""
        theta, N = weights_of(self.affine.laws, frequency), len(self.affine.contacts)
        turned = (np.exp(-1j * _PHASES)[:, None] * theta).real
        alpha = float((turned / self.p).min(axis=1).max())
        times = 0
        while True:
            y = solve_dense(self.matrices, self.metals, theta)[0]
            r = -self.affine.apply(theta[0], complex_view(self.vectors @ real_view(y)))
            r[self.affine.metals, np.arange(N)] += 1.0
            z = complex_view(self.factor.solve(real_view(r)))
            size = np.sqrt(np.maximum(np.einsum("nc,nc->c", r.conj(), z).real, 0.0))
            scale = self.tissue_norm(y)
            bound = size / (alpha * scale)
            if (bound <= self.tolerance).all():
                break
            if times == _MOST:
                raise RuntimeError(f"no convergence at {frequency:g} Hz in {_MOST} steps")
            self.extend(real_view(z / (alpha * scale)))
            times += 1
        if times:
            self.effort.enriched[frequency] = times
            self.effort.spanned = max(self.effort.spanned, self.vectors.shape[1])
            if self.vectors.shape[1] > max(_ROOM * N, _FEWEST):
                self.compress()
        else:
            self.effort.checked[frequency] = float(bound.max())
        return times > 0

    def tissue_norm(self, y: Complexes) -> Floats:
        """Return the energy norm in the tissue of reduced solutions (..., m, N): (..., N)."""
        tissue = self.p[: len(self.affine.stiffness)]
        inner = np.tensordot(tissue, self.matrices[: len(tissue)], axes=1)
        power = np.einsum("...mc,...mc->...c", y.conj(), inner @ y).real
        return np.asarray(np.sqrt(power))

    def fill(self) -> None:
        """Extend the basis until the bound is good all over the band."""
        low, high = self.band
        steady = all(isinstance(law, Constant) for law in self.affine.laws)
        for f in (low, high, 0.0) if steady else (low, high):
            self.visit(f)
        intervals = deque([(low, high)])
        while intervals:
            a, b = intervals.popleft()
            middle = float(np.sqrt(a * b))
            if self.visit(middle):
                intervals += [(a, middle), (middle, b)]

    def compress(self) -> None:
        """Cut the basis down to what solutions over the band need, well below the tolerance."""
        f = np.geomspace(*self.band, _SAMPLES)
        theta = weights_of(self.affine.laws, f)
        y = solve_dense(self.matrices, self.metals, theta)
        y = y / self.tissue_norm(y)[:, None]
        parts = np.concatenate([real_view(part) for part in y], axis=1)
        left, sizes, _ = np.linalg.svd(parts, full_matrices=False)
        left = left[:, sizes > _LEAST * self.tolerance]
        self.room[:, : left.shape[1]] = self.vectors @ left
        self.vectors = self.room[:, : left.shape[1]]
        self.matrices = left.T @ self.matrices @ left

    def reduced(self) -> Reduced:
        """Return the system on the basis."""
        ones = np.ones((self.affine.size, 1))
        return Reduced(
            matrices=self.matrices,
            laws=self.affine.laws,
            metals=self.metals,
            sums=np.stack([m[:, 0] @ self.vectors for m in self.affine.terms(ones)]),
            contacts=self.affine.contacts,
            band=self.band,
        )
