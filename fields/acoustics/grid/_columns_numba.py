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
def slope_of_faces(
    faces: Any, order: int, layer: Any, ix: Any, iy: Any, bx: Any, by: Any, dx: Any, dy: Any,
    zeta: Any,
) -> Any:  # fmt: skip
    """Return z_xi, z_eta and z_zeta of the elements at located points, NaN outside."""
    out = np.full((3, len(layer)), np.nan)
    for p in range(len(layer)):
        if layer[p] < 0:
            continue
        x0, y0, upper = ix[p] * order, iy[p] * order, 0.5 * (1.0 + zeta[p])
        low, high = layer[p], layer[p] + 1
        out[0, p] = (1.0 - upper) * _height(faces, low, x0, y0, dx[p], by[p]) + upper * _height(
            faces, high, x0, y0, dx[p], by[p]
        )
        out[1, p] = (1.0 - upper) * _height(faces, low, x0, y0, bx[p], dy[p]) + upper * _height(
            faces, high, x0, y0, bx[p], dy[p]
        )
        out[2, p] = 0.5 * (
            _height(faces, high, x0, y0, bx[p], by[p]) - _height(faces, low, x0, y0, bx[p], by[p])
        )
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
    out: Any, strides: Any, faces: Any, order: int, orders: Any, first: Any, weights: Any,
    area: float, value: Any, at: Any, values: Any,
) -> None:  # fmt: skip
    """Add the integrals of a coefficient times each basis function, by Gauss-Lobatto points.

    ``value`` is that of elements (L, Ey, Ex); where ``at`` (same shape) is not -1 the values of
    the element's nodes begin there in ``values``. ``area`` is hx hy / 4. In a line of ``out`` the
    node i of the element f is at f strides[0] + i strides[1], the last one being node 0 of the
    next element.
    """
    s_element, s_local = strides
    for layer in range(len(orders)):
        n = orders[layer]
        for k in range(n + 1):
            plane = first[layer] + k
            for e in range(value.shape[1]):
                for j in range(order + 1):
                    y = e * order + j
                    at_row = 0.5 * area * weights[n, k] * weights[order, j]
                    for i in range(order + 1):
                        weight = at_row * weights[order, i]
                        offset = i * s_local if i < order else s_element
                        node = (k * (order + 1) + j) * (order + 1) + i
                        for f in range(value.shape[2]):
                            x = f * order + i
                            thick = faces[layer + 1, y, x] - faces[layer, y, x]
                            start = at[layer, e, f]
                            one = value[layer, e, f] if start < 0 else values[start + node]
                            out[plane, y, f * s_element + offset] += weight * thick * one


@njit(cache=True, nogil=True)
def lump_rim(
    out: Any, strides: Any, faces: Any, order: int, orders: Any, first: Any, weights: Any,
    half_x: float, half_y: float, value: Any,
) -> None:  # fmt: skip
    """Add the integrals over the six outer sides of a coefficient of the elements."""
    s_element, s_local = strides
    layers, ey, ex = value.shape
    for layer in range(layers):
        n = orders[layer]
        for side in range(2):
            f, x = (0, 0) if side == 0 else (ex - 1, ex * order)
            place = 0 if side == 0 else ex * s_element
            for e in range(ey):
                for j in range(order + 1):
                    y = e * order + j
                    half = 0.5 * (faces[layer + 1, y, x] - faces[layer, y, x])
                    for k in range(n + 1):
                        w = weights[order, j] * weights[n, k] * half_y * half
                        out[first[layer] + k, y, place] += w * value[layer, e, f]
            e, y = (0, 0) if side == 0 else (ey - 1, ey * order)
            for f in range(ex):
                for i in range(order + 1):
                    x = f * order + i
                    place = f * s_element + i * s_local if i < order else (f + 1) * s_element
                    half = 0.5 * (faces[layer + 1, y, x] - faces[layer, y, x])
                    for k in range(n + 1):
                        w = weights[order, i] * weights[n, k] * half_x * half
                        out[first[layer] + k, y, place] += w * value[layer, e, f]
    for side in range(2):
        layer, plane = (0, 0) if side == 0 else (layers - 1, first[layers])
        for e in range(ey):
            for j in range(order + 1):
                for f in range(ex):
                    for i in range(order + 1):
                        place = f * s_element + i * s_local if i < order else (f + 1) * s_element
                        w = weights[order, i] * weights[order, j] * half_x * half_y
                        out[plane, e * order + j, place] += w * value[layer, e, f]


@njit(cache=True, nogil=True)
def fill_metric(
    out: Any, begin: Any, lanes: int, faces: Any, order: int, orders: Any, weights: Any,
    nodes: Any, slopes: Any, area: float, lightness: Any, at: Any, values: Any,
) -> None:  # fmt: skip
    """Fill the blocks of `_wave_row.h`: S, A, B and T at the nodes of elements that are no boxes.

    With z's slopes z_xi, z_eta, z_zeta: A = z_xi / z_zeta, B = z_eta / z_zeta,
    S = weight hx hy / 4 z_zeta / density and T = S / z_zeta^2. ``begin`` (L, Ey, blocks) is where
    a block starts, -1 for boxes; ``lightness`` is 1 / density of elements, ``at`` and ``values``
    as in `lump`; ``slopes`` (N + 1, N + 1) differentiates along a line of nodes.
    """
    m = order + 1
    along_x, along_y = np.empty((2, m, m, lanes)), np.empty((2, m, m, lanes))
    halves = np.empty((m, m, lanes))
    for layer in range(len(orders)):
        n = orders[layer]
        for e in range(begin.shape[1]):
            for block in range(begin.shape[2]):
                start = begin[layer, e, block]
                if start < 0:
                    continue
                f0 = block * lanes
                width = min(lanes, lightness.shape[2] - f0)
                for j in range(m):
                    for i in range(m):
                        for lane in range(width):
                            y0, x0 = e * order, (f0 + lane) * order
                            halves[j, i, lane] = 0.5 * (
                                faces[layer + 1, y0 + j, x0 + i] - faces[layer, y0 + j, x0 + i]
                            )
                            for side in range(2):
                                dx, dy = 0.0, 0.0
                                for near in range(m):
                                    dx += slopes[i, near] * faces[layer + side, y0 + j, x0 + near]
                                    dy += slopes[j, near] * faces[layer + side, y0 + near, x0 + i]
                                along_x[side, j, i, lane] = dx
                                along_y[side, j, i, lane] = dy
                for k in range(n + 1):
                    part = 0.5 * (1.0 + nodes[n, k])
                    for j in range(m):
                        for i in range(m):
                            node = (k * m + j) * m + i
                            to = start + node * 4 * lanes
                            weight = weights[order, j] * weights[order, i] * weights[n, k] * area
                            for lane in range(width):
                                f, half = f0 + lane, halves[j, i, lane]
                                first = at[layer, e, f]
                                one = lightness[layer, e, f] if first < 0 else values[first + node]
                                s = weight * half * one
                                sx = along_x[0, j, i, lane], along_x[1, j, i, lane]
                                sy = along_y[0, j, i, lane], along_y[1, j, i, lane]
                                out[to + lane] = s
                                out[to + lanes + lane] = (sx[0] + part * (sx[1] - sx[0])) / half
                                out[to + 2 * lanes + lane] = (sy[0] + part * (sy[1] - sy[0])) / half
                                out[to + 3 * lanes + lane] = s / half**2
