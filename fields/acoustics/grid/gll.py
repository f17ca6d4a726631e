"""Lagrange polynomials through the Gauss-Lobatto-Legendre points of [-1, 1]."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError

Floats = NDArray[np.float64]


@cache
def gll(order: int) -> tuple[Floats, Floats]:
    """Return the ``order + 1`` Gauss-Lobatto-Legendre nodes and weights, read-only.

    The nodes are the ends and the roots of P_N'; the weights 2 / (N (N + 1) P_N(x)^2) integrate
    polynomials of degree 2 N - 1 exactly (Canuto et al. 2006, Spectral Methods, eq. 2.3.12,
    DOI 10.1007/978-3-540-30726-6).

    Raises
    ------
    InputError
        If ``order`` is below 1.

    Examples
    --------
    >>> gll(2)[1]
    array([0.333333, 1.333333, 0.333333])
    """
    if order < 1:
        raise InputError(f"the order of elements must be a whole number >= 1, got {order!r}")
    top = np.zeros(order + 1)
    top[-1] = 1.0
    slope = legendre.legder(top)
    nodes = np.concatenate(([-1.0], np.sort(legendre.legroots(slope).real), [1.0]))
    for _ in range(2):  # to the last digit
        inner = nodes[1:-1]
        nodes[1:-1] = inner - legendre.legval(inner, slope) / legendre.legval(
            inner, legendre.legder(slope)
        )
    nodes = 0.5 * (nodes - nodes[::-1])
    weights = np.asarray(
        2.0 / (order * (order + 1) * legendre.legval(nodes, top) ** 2), dtype=np.float64
    )
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights


@cache
def _to_legendre(order: int) -> Floats:
    """Return the matrix from values at the nodes to Legendre coefficients."""
    return np.asarray(np.linalg.inv(legendre.legvander(gll(order)[0], order)), dtype=np.float64)


def lagrange(order: int, x: ArrayLike) -> Floats:
    """Return the Lagrange polynomials of the nodes at points: (..., order + 1)."""
    points: Floats = np.asarray(x, dtype=np.float64)
    basis = np.asarray(legendre.legvander(points, order), dtype=np.float64)
    return np.asarray(basis @ _to_legendre(order))


def lagrange_slopes(order: int, x: ArrayLike) -> Floats:
    """Return the slopes of the Lagrange polynomials at points: (..., order + 1)."""
    points: Floats = np.asarray(x, dtype=np.float64)
    basis = np.asarray(legendre.legvander(points, order - 1), dtype=np.float64)
    steps = np.asarray(legendre.legder(_to_legendre(order)), dtype=np.float64)
    return np.asarray(basis @ steps)


@cache
def differentiation(order: int) -> Floats:
    """Return D with D[i, j] = l_j'(x_i) at the nodes, read-only: (order + 1, order + 1)."""
    matrix = lagrange_slopes(order, gll(order)[0])
    matrix.flags.writeable = False
    return matrix


def nodes_of(breaks: ArrayLike, order: int) -> Floats:
    """Return the nodes of all elements between breaks, shared ones once: (n * order + 1,).

    Parameters
    ----------
    breaks
        Ends of the n elements, rising: (n + 1,) m.
    order
        Order of the elements.
    """
    breaks = np.asarray(breaks, dtype=float)
    inner = 0.5 * (gll(order)[0][:-1] + 1.0)
    nodes = breaks[:-1, None] + np.diff(breaks)[:, None] * inner
    return np.append(nodes.ravel(), breaks[-1])
