"""Fields with values at the nodes of a lead's grid, at points of the head."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._threads import in_parts
from rheobase.fields.dbs.grid.layers import LeadGrid
from rheobase.fields.dbs.grid.polynomials import lobatto
from rheobase.meshes.leads.lead import Lead

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


def located(grid: LeadGrid, conn: Ints, lead: Lead, points: ArrayLike) -> tuple[Ints, Floats]:
    """Return nodes and weights whose sum is a field at points.

    Parameters
    ----------
    grid, conn, lead
        Of a `rheobase.fields.dbs.solution.system.LeadSystem`.
    points
        Positions (m), head frame, shape (n, 3).

    Returns
    -------
    rows : ndarray, shape (n, n_functions)
        Nodes; -1 where there is no tissue.
    weights : ndarray, shape (n, n_functions)
        0 there.
    """
    from rheobase.fields.dbs.solution import _evaluation_numba as kernel

    element, at = elements_of(grid, conn, lead, points)
    weights = np.zeros((len(element), conn.shape[1]))
    nodes = [lobatto(p) for p in grid.order]
    kernel.weights(grid.boxes, grid.outer_boxes, *nodes, element, at, weights)
    rows = np.where(element[:, None] < 0, -1, conn[element]).astype(np.int32)
    return rows, weights


def elements_of(
    grid: LeadGrid, conn: Ints, lead: Lead, points: ArrayLike
) -> tuple[NDArray[np.int64], Floats]:
    """Return element (-1: none) and coordinates (s, T, theta) of points, (n,) and (n, 3)."""
    from rheobase.fields.dbs.solution import _evaluation_numba as kernel

    local = np.ascontiguousarray(lead.to_lead(points))
    element = np.empty(len(local), np.int64)
    at = np.empty((len(local), 3))
    flat = _flat(grid)
    c = grid.chart.packed()

    def work(some: slice) -> None:
        kernel.locate(c, *flat, local[some], conn, element[some], at[some])

    in_parts(work, len(local))
    return element, at


def potential(grid: LeadGrid, conn: Ints, lead: Lead, values: Floats, points: ArrayLike) -> Floats:
    """Return fields with values at the nodes (n_nodes, N) at points (n, 3), shape (N, n)."""
    from rheobase.fields.dbs.solution import _evaluation_numba as kernel

    points = np.asarray(points, dtype=np.float64)
    out = np.empty((values.shape[1], len(points)))

    def work(some: slice) -> None:
        rows, weights = located(grid, conn, lead, points[some])
        kernel.combine(rows, weights, values, out[:, some])

    in_parts(work, len(points))
    return out


def gradient(grid: LeadGrid, conn: Ints, lead: Lead, values: Floats, points: ArrayLike) -> Floats:
    """Return gradients along the axes of the head at points (n, 3), shape (N, n, 3)."""
    from rheobase.fields.dbs.solution import _evaluation_numba as kernel

    element, at = elements_of(grid, conn, lead, points)
    out = np.empty((values.shape[1], len(element), 3))
    nodes = [lobatto(p) for p in grid.order]
    c = grid.chart.packed()
    turn = lead.frame[:3, :3]

    def work(some: slice) -> None:
        part = np.empty((values.shape[1], some.stop - some.start, 3))
        kernel.gradients(
            c,
            grid.boxes,
            grid.outer_boxes,
            conn,
            *nodes,
            values,
            element[some],
            at[some],
            part,
        )
        out[:, some] = part @ turn.T

    in_parts(work, len(element))
    return out


def _flat(grid: LeadGrid) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Return the layers as `_evaluation_numba.find` takes them."""
    breaks: list[list[Floats]] = [[], [], []]
    rows = []
    ends = [0, 0, 0]
    for n, layer in enumerate(grid.layers):
        row = [int(grid.first_element[n])]
        for axis, x in enumerate((layer.s, layer.T, layer.theta)):
            row += [ends[axis], ends[axis] + len(x)]
            ends[axis] += len(x)
            breaks[axis].append(x)
        rows.append(row)
    s, T, theta = (np.concatenate(x) for x in breaks)
    return np.array(rows, np.int64), s, T, theta
