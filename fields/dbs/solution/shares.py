"""Which tissue the cells of a lead's grid conduct as.

A quadrature point stands for a cell of its element; the tissue is asked for at several places in
the cell, and a cell of several conducts as a laminate of them
(`rheobase.fields.dbs.solution.laminate`). The air in an element that is partly tissue conducts as
`LEAK` of that tissue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.dbs.grid.layers import LeadGrid
from rheobase.fields.dbs.grid.polynomials import quadrature
from rheobase.fields.dbs.solution.laminate import ISOTROPIC, laminates
from rheobase.fields.tensors import components, matrices
from rheobase.meshes.leads.lead import Lead
from rheobase.meshes.leads.medium import Medium

Floats = NDArray[np.float64]

#: Conductivity of the air in elements that are partly tissue, over that of the tissue.
LEAK = 1e-4
#: In elements of several tissues: distance between places where the tissue is asked for (m), and
#: most of them along the edge of a cell. Places that are asked for at once.
SPACING, MOST, AT_ONCE = 0.05e-3, 3, 1_000_000


def tissue_shares(
    grid: LeadGrid, lead: Lead, medium: Medium
) -> dict[int, tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Return, by label, the elements with any of it and its share or tensor there.

    Parameters
    ----------
    grid
        The grid; elements of the encapsulation are left out.
    lead, medium
        The lead and what is around it.

    Returns
    -------
    dict
        Elements (m,), and shares (m, n_q, 1) or tensors in the lead frame (m, n_q, 6) at their
        quadrature points.

    Raises
    ------
    InputError
        If there is no tissue.
    """
    n_q = len(quadrature(grid.order)[0])
    found: dict[int, NDArray[np.float32]] = {}
    turn = lead.frame[:3, :3]

    def cells(rows: NDArray[np.int64], number: Sequence[int]) -> tuple[Any, ...]:
        """Return label, place, weight and tensor of each place in each cell of elements."""
        places = [_cells(p, m) for p, m in zip(grid.order, number, strict=True)]
        local, density = grid.lattice(rows, *places)
        points = lead.to_head(local.reshape(-1, 3))
        tensors = medium.tensors(points)
        if tensors is not None:
            tensors = components(turn.T @ matrices(tensors) @ turn)
        # element, then cell and place in the cell along s, T and theta
        shape = [len(rows)]
        for p, m in zip(grid.order, number, strict=True):
            shape += [p + 1, m]

        def by_cell(a: NDArray[Any]) -> NDArray[Any]:
            a = a.reshape(*shape, -1).transpose(0, 1, 3, 5, 2, 4, 6, 7)
            return a.reshape(len(rows) * n_q, int(np.prod(number)), -1)

        return (
            by_cell(medium.labels(points))[..., 0],
            by_cell(local),
            by_cell(density)[..., 0],
            None if tensors is None else by_cell(tensors),
        )

    def put(label: int, element: NDArray[np.int64], cell: NDArray[np.int64], value: Any) -> None:
        """Set what cells of elements conduct of a tissue, along all directions alike or not."""
        width = np.shape(value)[-1]
        if label not in found:
            found[label] = np.zeros((grid.n_elements, n_q, width), np.float32)
        elif found[label].shape[2] < width:
            found[label] = found[label] * ISOTROPIC.astype(np.float32)
        found[label][element, cell] = value if found[label].shape[2] == width else value * ISOTROPIC

    def ask(rows: NDArray[np.int64], number: Sequence[int]) -> NDArray[np.bool_]:
        """Find what the cells of elements conduct; tell which elements have several tissues."""
        labels, places, weight, tensors = cells(rows, number)
        element, cell = np.repeat(rows, n_q), np.tile(np.arange(n_q), len(rows))
        for shares in found.values():
            shares[rows] = 0.0
        mixed = (labels != labels[:, :1]).any(axis=1)
        for label in np.unique(labels[~mixed, 0]).tolist():
            some = ~mixed & (labels[:, 0] == label)
            one = np.ones(1) if tensors is None or label == 0 else tensors[some].mean(axis=1)
            put(label, element[some], cell[some], one)
        if mixed.any():
            made = laminates(
                labels[mixed],
                places[mixed],
                weight[mixed],
                None if tensors is None else tensors[mixed],
                {k: t.sigma for k, t in medium.tissues.items() if (labels == k).any()},
                LEAK,
            )
            at = np.flatnonzero(mixed)
            for label, (some, value) in made.items():
                put(label, element[at[some]], cell[at[some]], value)
        first = labels.reshape(len(rows), -1)
        several: NDArray[np.bool_] = (first != first[:, :1]).any(axis=1)
        return several

    rows = np.setdiff1d(np.arange(grid.n_elements), grid.coated)
    rows = np.concatenate([some[ask(some, (1, 1, 1))] for some in _pieces(rows, n_q)])
    count = _places(grid, rows)
    for number in np.unique(count, axis=0):
        alike = rows[(count == number).all(axis=1)]
        for some in _pieces(alike, n_q * int(number.prod())):
            ask(some, number.tolist())
    air = found.pop(0, None)
    if not found:
        raise InputError(f"expected tissue around the lead, got none: lead {lead.name!r}")
    if air is not None:
        # of the tissue that the element has most of
        most = np.argmax([v[..., 0].sum(axis=1) for v in found.values()], axis=0)
        for i, (label, value) in enumerate(found.items()):
            some = (most == i) & (value[..., 0].any(axis=1))
            if air.shape[2] > value.shape[2]:
                value = found[label] = value * ISOTROPIC.astype(np.float32)
            leak = LEAK * air[some]
            value[some] += leak if leak.shape[2] == value.shape[2] else leak * ISOTROPIC
    out = {}
    for label, value in sorted(found.items()):
        rows = np.flatnonzero(value.any(axis=(1, 2)))
        out[label] = (rows, value[rows])
    return out


def _pieces(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Return elements in groups with at most `AT_ONCE` places, ``size`` in each element."""
    return np.array_split(rows, max(1, -(-len(rows) * size // AT_ONCE)))


def _places(grid: LeadGrid, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many places the cells of elements need along s, T and theta, shape (m, 3)."""
    # edges along s and theta at the outer face, along T at the first corner
    corners = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0], [1, 1, 1]])
    at = np.stack([grid.boxes[rows][:, [0, 1, 2], corner] for corner in corners], axis=1)
    place, _ = grid.chart.place(at)
    edges = np.stack([place[:, p] - place[:, q] for p, q in ((0, 1), (0, 2), (1, 3))], axis=1)
    cell = np.linalg.norm(edges, axis=2) / (np.array(grid.order) + 1)
    count: NDArray[np.int64] = np.clip(np.ceil(cell / SPACING), 1, MOST).astype(np.int64)
    return count


def _cells(degree: int, number: int) -> Floats:
    """Return ``number`` places in each cell around the Gauss points of [-1, 1]."""
    ends = np.cumsum(np.append(-1.0, np.polynomial.legendre.leggauss(degree + 1)[1]))
    share = (np.arange(number) + 0.5) / number
    return (ends[:-1, None] + np.diff(ends)[:, None] * share).ravel()
