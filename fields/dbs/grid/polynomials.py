"""Polynomials of the elements: nodes, values, quadrature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def lobatto(degree: int) -> Floats:
    """Return the Gauss-Lobatto points of [-1, 1] for polynomials of a degree."""
    from numpy.polynomial import legendre

    inner = legendre.legroots(legendre.legder([0.0] * degree + [1.0]))
    return np.concatenate([[-1.0], np.sort(inner.real), [1.0]])


def lobatto_places(breaks: Floats, degree: int) -> Floats:
    """Return the nodes of elements between breaks, each end once."""
    x = 0.5 * (lobatto(degree)[:-1] + 1)
    places = breaks[:-1, None] + np.diff(breaks)[:, None] * x
    return np.append(places.ravel(), breaks[-1])


def quadrature(order: tuple[int, int, int]) -> tuple[Floats, Floats]:
    """Return the Gauss points (n_q, 3) and weights (n_q,) of an element of a degree."""
    rules = [np.polynomial.legendre.leggauss(p + 1) for p in order]
    points = np.stack(np.meshgrid(*(x for x, _ in rules), indexing="ij"), axis=-1).reshape(-1, 3)
    weights = np.einsum("i,j,k->ijk", *(w for _, w in rules)).ravel()
    return points, weights


def polynomials(nodes: Floats, x: Floats) -> Floats:
    """Return the Lagrange polynomials through nodes at x, shape (n_x, n_nodes)."""
    out = np.ones((len(x), len(nodes)))
    for j, a in enumerate(nodes):
        for m, b in enumerate(nodes):
            if m != j:
                out[:, j] *= (x - b) / (a - b)
    return out
