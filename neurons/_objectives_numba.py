# mypy: allow-untyped-defs
"""From weights of potential rises to vectors along the cell (Numba)."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def moments(parent, points, gain, inside, out):
    """Fill ``out`` with q of ``sum_c gain_c rise_c = sum_c q_c · E(x_c)``.

    Each rise is ``-(E_c + E_p) · (x_c - x_p) / 2``. A compartment outside the mesh has the field of
    its parent, so its vector goes to the parent; one that nobody inside stands above is lost.

    Parameters
    ----------
    parent
        Parent of each compartment, shape (n,).
    points, gain, inside
        Centres (m), weights of the rises, and tetrahedra (-1 outside), shapes (rows, n, 3),
        (rows, n) and (rows, n).
    out
        Filled (m times the unit of ``gain``), shape (rows, n, 3).
    """
    out[:] = 0.0
    for r in range(points.shape[0]):
        for c in range(points.shape[1] - 1, 0, -1):
            p = parent[c]
            for a in range(3):
                half = -0.5 * gain[r, c] * (points[r, c, a] - points[r, p, a])
                out[r, c, a] += half
                out[r, p, a] += half
                if inside[r, c] < 0:
                    out[r, p, a] += out[r, c, a]
                    out[r, c, a] = 0.0
        if inside[r, 0] < 0:
            for a in range(3):
                out[r, 0, a] = 0.0
