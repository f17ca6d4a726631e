"""Compiled loops over points in columns, and over the nodes of their elements."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _height(faces: Any, face: int, x0: int, y0: int, bx: Any, by: Any) -> float:
    """Return the height of a face of an element at lateral basis functions."""
    total = 0.0
    for j in range(len(by)):
        line = 0.0
        for i in range(len(bx)):
            line += bx[i] * faces[face, y0 + j, x0 + i]
        total += by[j] * line
    return total


@njit(cache=True, nogil=True)
def find_layers(faces: Any, order: int, ix: Any, iy: Any, bx: Any, by: Any, z: Any) -> Any:
    """Return the layer of each point, -1 for none, and where it is between its faces (0 … 1)."""
    n = len(z)
    layers = np.full(n, -1, np.int64)
    parts = np.zeros(n)
    for p in range(n):
        if ix[p] < 0 or iy[p] < 0:
            continue
        x0, y0 = ix[p] * order, iy[p] * order
        low, high = 0, len(faces) - 1
        at_low = _height(faces, low, x0, y0, bx[p], by[p])
        at_high = _height(faces, high, x0, y0, bx[p], by[p])
        margin = 1e-9 * (at_high - at_low)
        if not at_low - margin <= z[p] <= at_high + margin:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            at = _height(faces, middle, x0, y0, bx[p], by[p])
            if z[p] < at:
                high, at_high = middle, at
            else:
                low, at_low = middle, at
        layers[p] = low
        parts[p] = (z[p] - at_low) / (at_high - at_low)
    return layers, parts


@njit(cache=True, nogil=True)
def sample(
    values: Any, order: int, orders: Any, first: Any,
    layer: Any, ix: Any, iy: Any, bx: Any, by: Any, bz: Any,
) -> Any:  # fmt: skip
    """Return nodal values at located points, NaN outside."""
    out = np.full(len(layer), complex(np.nan, np.nan), np.complex128)
    for p in range(len(layer)):
        if layer[p] < 0:
            continue
        x0, y0, z0 = ix[p] * order, iy[p] * order, first[layer[p]]
        total = 0j
        for k in range(orders[layer[p]] + 1):
            plane = 0j
            for j in range(order + 1):
                line = 0j
                for i in range(order + 1):
                    line += bx[p, i] * values[z0 + k, y0 + j, x0 + i]
                plane += by[p, j] * line
            total += bz[p, k] * plane
        out[p] = total
    return out


@njit(cache=True, nogil=True)
def scatter(
    out: Any, strength: Any, order: int, orders: Any, first: Any,
    layer: Any, ix: Any, iy: Any, bx: Any, by: Any, bz: Any,
) -> None:  # fmt: skip
    """Add strengths times basis functions to the nodes; points outside add nothing."""
    for p in range(len(layer)):
        if layer[p] < 0:
            continue
        x0, y0, z0 = ix[p] * order, iy[p] * order, first[layer[p]]
        for k in range(orders[layer[p]] + 1):
            at_k = strength[p] * bz[p, k]
            for j in range(order + 1):
                at_j = at_k * by[p, j]
                for i in range(order + 1):
                    out[z0 + k, y0 + j, x0 + i] += at_j * bx[p, i]


@njit(cache=True, nogil=True)
def lump(
    out: Any, faces: Any, order: int, orders: Any, first: Any, weights: Any, area: float,
    value: Any, at: Any, values: Any,
) -> None:  # fmt: skip
    """Add the integrals of a coefficient times each basis function, by Gauss-Lobatto points.

    ``value`` is that of elements (L, Ey, Ex); where ``at`` (same shape) is not -1 the values of
    the element's nodes begin there in ``values``. ``area`` is hx hy / 4.
    """
    for layer in range(len(orders)):
        n = orders[layer]
        for e in range(value.shape[1]):
            for f in range(value.shape[2]):
                start = at[layer, e, f]
                one = value[layer, e, f]
                for j in range(order + 1):
                    y = e * order + j
                    for i in range(order + 1):
                        x = f * order + i
                        half = 0.5 * (faces[layer + 1, y, x] - faces[layer, y, x])
                        base = weights[order, j] * weights[order, i] * area * half
                        for k in range(n + 1):
                            if start >= 0:
                                node = (k * (order + 1) + j) * (order + 1) + i
                                one = values[start + node]
                            out[first[layer] + k, y, x] += base * weights[n, k] * one


@njit(cache=True, nogil=True)
def lump_sides(
    out: Any, faces: Any, order: int, orders: Any, first: Any, weights: Any,
    half_x: float, half_y: float, value: Any,
) -> None:  # fmt: skip
    """Add the integrals over the four lateral sides of a coefficient of the elements."""
    layers, ey, ex = value.shape
    for layer in range(layers):
        n = orders[layer]
        for side in range(2):
            f, x = (0, 0) if side == 0 else (ex - 1, ex * order)
            for e in range(ey):
                for j in range(order + 1):
                    y = e * order + j
                    half = 0.5 * (faces[layer + 1, y, x] - faces[layer, y, x])
                    for k in range(n + 1):
                        w = weights[order, j] * weights[n, k] * half_y * half
                        out[first[layer] + k, y, x] += w * value[layer, e, f]
            e, y = (0, 0) if side == 0 else (ey - 1, ey * order)
            for f in range(ex):
                for i in range(order + 1):
                    x = f * order + i
                    half = 0.5 * (faces[layer + 1, y, x] - faces[layer, y, x])
                    for k in range(n + 1):
                        w = weights[order, i] * weights[n, k] * half_x * half
                        out[first[layer] + k, y, x] += w * value[layer, e, f]


@njit(cache=True, nogil=True)
def fill_metric(
    out: Any, begin: Any, lanes: int, faces: Any, along_x: Any, along_y: Any, order: int,
    orders: Any, weights: Any, nodes: Any, area: float, lightness: Any, at: Any, values: Any,
) -> None:  # fmt: skip
    """Fill the blocks of `_wave_row.h`: S, A, B and T at the nodes of elements that are no boxes.

    With z's slopes z_xi, z_eta, z_zeta: A = z_xi / z_zeta, B = z_eta / z_zeta,
    S = weight hx hy / 4 z_zeta / density and T = S / z_zeta^2. ``begin`` (L, Ey, blocks) is where
    a block starts, -1 for boxes; ``lightness`` is 1 / density of elements, ``at`` and ``values``
    as in `lump`.
    """
    for layer in range(len(orders)):
        n = orders[layer]
        for e in range(lightness.shape[1]):
            for f in range(lightness.shape[2]):
                start = begin[layer, e, f // lanes]
                if start < 0:
                    continue
                lane = start + f % lanes
                one = lightness[layer, e, f]
                for j in range(order + 1):
                    y = e * order + j
                    for i in range(order + 1):
                        half = 0.5 * (
                            faces[layer + 1, y, f * order + i] - faces[layer, y, f * order + i]
                        )
                        base = weights[order, j] * weights[order, i] * area * half
                        for k in range(n + 1):
                            part = 0.5 * (1.0 + nodes[n, k])
                            node = (k * (order + 1) + j) * (order + 1) + i
                            if at[layer, e, f] >= 0:
                                one = values[at[layer, e, f] + node]
                            to = lane + node * 4 * lanes
                            s = base * weights[n, k] * one
                            slope_x = (1 - part) * along_x[layer, e, j, f, i] + part * along_x[
                                layer + 1, e, j, f, i
                            ]
                            slope_y = (1 - part) * along_y[layer, e, j, f, i] + part * along_y[
                                layer + 1, e, j, f, i
                            ]
                            out[to] = s
                            out[to + lanes] = slope_x / half
                            out[to + 2 * lanes] = slope_y / half
                            out[to + 3 * lanes] = s / half**2
