"""10-10 electrode positions built on a scalp from four landmarks.

The construction is that of the 10-10 system (Chatrian et al. 1985) in the unambiguous form of
Jurcak, Tsuzuki & Dan (2007, NeuroImage 34:1600): arcs cut out of the scalp by planes through three
points, divided in tenths of their length. Every curve is found by casting rays from the middle of
its chord, within its plane, to the outermost crossing of the scalp; so the scalp must be
star-shaped as seen from there, which holds for every head above ears and nasion.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

Point = NDArray[np.float64]

MIDLINE = ("Fpz", "AFz", "Fz", "FCz", "Cz", "CPz", "Pz", "POz", "Oz")
"""Names along the arc nasion, vertex, inion, at 10 % … 90 % of its length."""
ROWS = ("AF", "F", "FT", "T", "TP", "P", "PO")
"""Rows along the half circumference Fpz, T7, Oz, at 20 % … 80 % of its length."""
OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
"""Names of the 10-20 system for 10-10 positions (American Clinical Neurophysiology Society)."""
INNER_NAMES = {"FT": "FC", "TP": "CP", "T": "C"}
"""Name of a row nearer to the midline, where it is another."""
TEN_TEN = (
    *("Nz", "Iz"),
    *MIDLINE,
    *(f"{row}{k}" for row in ("Fp", "O", "N", "I") for k in (1, 2)),
    *(f"{row}{k}" for row in ROWS for k in (7, 9, 8, 10)),
    *(f"{INNER_NAMES.get(row, row)}{k}" for row in ROWS for k in range(1, 7)),
    *OLD_NAMES,
)
"""Names of all positions that `ten_ten` builds."""


def outermost(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int32],
    origin: Point,
    directions: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return where rays leave a closed surface for good.

    Parameters
    ----------
    vertices, triangles
        Surface (m), shapes (n, 3) and (m, 3).
    origin
        Where all the rays start (m), shape (3,).
    directions
        Unit vectors, shape (k, 3).

    Returns
    -------
    ndarray, shape (k,)
        Distance to the last crossing (m), 0 where a ray meets nothing (Möller & Trumbore 1997).
    """
    a = vertices[triangles[:, 0]] - origin
    e1 = vertices[triangles[:, 1]] - origin - a
    e2 = vertices[triangles[:, 2]] - origin - a
    # With the origin at 0: t = a·n / d·n, barycentrics from scalar triple products.
    normal = np.cross(e1, e2)
    offset = np.einsum("ij,ij->i", a, normal)
    u_axis = np.cross(e2, a)  # u = d · (e2 × a) / d · n
    v_axis = np.cross(a, e1)
    far = np.zeros(len(directions))
    block = max(1, 4_000_000 // max(1, len(triangles)))
    for start in range(0, len(directions), block):
        d = directions[start : start + block]
        slope = d @ normal.T
        steep = np.abs(slope) > 1e-30
        slope = np.where(steep, slope, 1.0)
        t = offset / slope
        u = (d @ u_axis.T) / slope
        v = (d @ v_axis.T) / slope
        hit = steep & (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (t > 0)
        far[start : start + block] = np.where(hit, t, 0.0).max(axis=1, initial=0.0)
    return far


def arc(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int32],
    start: Point,
    through: Point,
    end: Point,
    n: int = 181,
) -> NDArray[np.float64]:
    """Return the curve on the scalp from ``start`` by ``through`` to ``end``.

    Parameters
    ----------
    vertices, triangles
        Scalp (m).
    start, through, end
        Three points of the plane that cuts the scalp (m), shape (3,) each.
    n
        Number of points of the curve.

    Returns
    -------
    ndarray, shape (n, 3)
        Points evenly spaced in angle about the middle of the chord (m).

    Raises
    ------
    InputError
        If the plane misses the scalp.
    """
    middle = 0.5 * (start + end)
    e1 = (start - middle) / np.linalg.norm(start - middle)
    e2 = through - middle
    e2 = e2 - (e2 @ e1) * e1
    e2 = e2 / np.linalg.norm(e2)
    angle = np.linspace(0.0, np.pi, n)
    directions = np.cos(angle)[:, None] * e1 + np.sin(angle)[:, None] * e2
    height = ((vertices - middle) @ np.cross(e1, e2))[triangles]
    reach = 1e-6 * np.linalg.norm(start - end)
    cut = (height.min(axis=1) <= reach) & (height.max(axis=1) >= -reach)
    radius = outermost(vertices, triangles[cut], middle, directions)
    if not (radius > 0).all():
        raise InputError(
            f"expected a closed scalp around {np.round(middle, 4).tolist()} m, "
            f"{np.count_nonzero(radius == 0)} of {n} rays met none: 10-10 positions"
        )
    curve: NDArray[np.float64] = middle + radius[:, None] * directions
    return curve


def divide(curve: NDArray[np.float64], fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points at ``fractions`` of the length of ``curve``, shape (n_fractions, 3)."""
    step = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    s = np.concatenate([[0.0], np.cumsum(step)])
    return np.stack([np.interp(fractions * s[-1], s, curve[:, i]) for i in range(3)], axis=1)


def divide_at(curve: NDArray[np.float64], point: Point, n: int) -> NDArray[np.float64]:
    """Return the points that divide each of the two parts of ``curve`` about ``point`` in ``n``.

    Returns
    -------
    ndarray, shape (2 n - 1, 3)
        n - 1 points before ``point``, ``point`` itself, n - 1 after it (m).
    """
    k = int(np.argmin(np.linalg.norm(curve - point, axis=1)))
    inside = np.arange(1, n) / n
    before = divide(np.concatenate([curve[:k], [point]]), inside)
    after = divide(np.concatenate([[point], curve[k + 1 :]]), inside)
    return np.concatenate([before, [point], after])


def vertex(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int32],
    fiducials: Mapping[str, Point],
) -> Point:
    """Return Cz: midway from nasion to inion and, at once, midway from ear to ear (m), shape (3,).

    Alternates between the two arcs through the current guess until it moves less than 1 µm.
    """
    nasion, inion, left, right = (fiducials[k] for k in ("nasion", "inion", "lpa", "rpa"))
    ears = 0.5 * (left + right)
    up = np.cross(right - left, nasion - inion)
    up = up / np.linalg.norm(up)
    cz = ears + 2.0 * np.linalg.norm(right - left) * up
    half = np.array([0.5])
    for _ in range(50):
        by_ears = divide(arc(vertices, triangles, left, cz, right), half)[0]
        new = divide(arc(vertices, triangles, nasion, by_ears, inion), half)[0]
        moved = np.linalg.norm(new - cz)
        cz = new
        if moved < 1e-6:
            break
    return cz


def ten_ten(
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int32],
    fiducials: Mapping[str, Point],
) -> dict[str, Point]:
    """Build the 10-10 positions on a scalp.

    Parameters
    ----------
    vertices, triangles
        Closed scalp surface (m), shapes (n, 3) and (m, 3).
    fiducials
        "nasion", "inion", "lpa" and "rpa" on that scalp (m), shape (3,) each.

    Returns
    -------
    dict
        Position (m), shape (3,), of each name: the 10-10 set with the rows AF…PO in quarters,
        the lower ring (Nz, F9 … Iz), and the old names T3, T4, T5, T6.

    Raises
    ------
    InputError
        If a landmark is missing or the scalp is not closed around the planes.
    """
    missing = [k for k in ("nasion", "inion", "lpa", "rpa") if k not in fiducials]
    if missing:
        raise InputError(f"10-10 positions need the landmarks {missing}, got {sorted(fiducials)}")
    nasion, inion, left, right = (fiducials[k] for k in ("nasion", "inion", "lpa", "rpa"))
    tenths = np.arange(1, 10) / 10
    cz = vertex(vertices, triangles, fiducials)
    points: dict[str, Point] = {"Nz": nasion, "Iz": inion}
    points |= dict(
        zip(MIDLINE, divide(arc(vertices, triangles, nasion, cz, inion), tenths), strict=True)
    )
    coronal = divide(arc(vertices, triangles, left, cz, right), tenths)
    points["T7"], points["T8"] = coronal[0], coronal[8]
    for side, ear, odd in (("T7", left, 1), ("T8", right, 0)):
        curve = arc(vertices, triangles, points["Fpz"], points[side], points["Oz"])
        ring = divide(curve, tenths)
        ring[4] = points[side]  # stays where the arc from ear to ear put it
        low = divide(arc(vertices, triangles, nasion, ear, inion), tenths)
        near, far = (7, 9) if odd else (8, 10)
        points[f"Fp{2 - odd}"], points[f"O{2 - odd}"] = ring[0], ring[8]
        points[f"N{2 - odd}"], points[f"I{2 - odd}"] = low[0], low[8]
        for row, on_ring, on_low in zip(ROWS, ring[1:8], low[1:8], strict=True):
            points[f"{row}{near}"], points[f"{row}{far}"] = on_ring, on_low
    for row in ROWS:
        inner = INNER_NAMES.get(row, row)
        middle = points[f"{inner}z"]
        across = arc(vertices, triangles, points[f"{row}7"], middle, points[f"{row}8"])
        found = divide_at(across, middle, 4)
        for k, p in zip((5, 3, 1, 2, 4, 6), found[[0, 1, 2, 4, 5, 6]], strict=True):
            points[f"{inner}{k}"] = p
    points |= {old: points[new] for old, new in OLD_NAMES.items()}
    return points
