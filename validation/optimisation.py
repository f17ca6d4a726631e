"""HD-tES: optimal currents against closed forms, other programmes and all sets of electrodes.

Twelve electrodes at the corners of an icosahedron on the three-layer sphere, with exact lead
fields of discs. The target is the middle, along the axis z through a corner: there C_k = kappa z_k.
Off target are the corners, face and edge middles of icosahedra at several depths. By symmetry (the
problem is convex) the best currents are (a, b five times, -b five times, -a), so that with
C x = value one limit that binds leaves a single solution: a + 5 b = total, or a = each. Without
limits the corners' currents form a vector representation that occurs once among functions on the
corners (Schur's lemma): they are proportional to z_k, as C is.
"""

from __future__ import annotations

import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.electrodes.electrode import place_electrode
from rheobase.fields.leadfield_solve import lead_field
from rheobase.fields.optimisation.limits import Limits
from rheobase.fields.optimisation.target import point_target, rows
from rheobase.fields.optimisation.tes import Optimum, focal, lcmv, max_intensity
from rheobase.fields.spheres import LayeredSphere
from rheobase.meshes.placing.outlines import Disc
from rheobase.validation.case import Row
from rheobase.validation.leadfield import NAMES, RADII, WHERE, ball

Floats = NDArray[np.float64]

DISC = 8e-3  # m
SIGMA = (0.33, 0.01, 0.33)
SPHERE = LayeredSphere(radii=RADII, sigma=SIGMA)
DEPTHS = (0.02, 0.04, 0.06, 0.075)
VALUE = 0.2  # V/m
ELECTRODES = tuple(f"E{k + 1}" for k in range(12))


def closed_forms(edge: float = 6e-3) -> list[Row]:
    """Compare optima of exact lead fields with closed forms, and those of a meshed sphere."""
    corners, C, Q = icosahedron()
    return [
        *_symmetric(corners, C, Q),
        *_one_source_one_sink(corners),
        *_by_other_means(corners, Q),
        *_meshed(edge),
    ]


def icosahedron() -> tuple[Floats, Floats, Floats]:
    """Return the electrodes' directions (12, 3), the rows of the middle and the energy."""
    ring = 2 * np.pi * np.arange(5) / 5
    z = 1 / 5**0.5
    upper = np.stack([2 * z * np.cos(ring), 2 * z * np.sin(ring), np.full(5, z)], axis=1)
    corners = np.concatenate([[[0, 0, 1]], upper, -upper, [[0, 0, -1]]])
    near = corners @ corners.T > 0.4  # neighbours, and each itself
    points = [corners]
    for size in (2, 3):
        sets = [c for c in combinations(range(12), size) if near[np.ix_(c, c)].all()]
        points.append(corners[np.array(sets)].mean(axis=1))
    shell = np.concatenate([p / np.linalg.norm(p, axis=1, keepdims=True) for p in points])
    off = np.concatenate([depth * shell for depth in DEPTHS])
    E = exact_lead_field(corners, off)
    Q = np.einsum("kij,lij->kl", E, E) / len(off)
    return corners, exact_lead_field(corners, np.zeros((1, 3)))[:, 0].T, Q


def exact_lead_field(electrodes: Floats, points: Floats) -> Floats:
    """Return the field (V/m per A) of discs against the last one, shape (n, m, 3)."""
    E = [SPHERE.even_electrodes(points, e, electrodes[-1], radius=DISC)[1] for e in electrodes[:-1]]
    return np.stack([*E, np.zeros((len(points), 3))])


def _symmetric(corners: Floats, C: Floats, Q: Floats) -> list[Row]:
    """Compare focal currents with those of limits that leave one solution."""
    kappa = float(C[2, 0] - C[2, -1]) / 2
    z = corners[:, 2]
    unit = VALUE / (4 * kappa)  # a without limits: the sum of z_k² is 4
    sign, outer = np.sign(z), np.abs(z) > 0.9
    five = 5**0.5

    def currents(a: float, b: float) -> Floats:
        return np.where(outer, a, b) * sign

    b = 0.6 * unit / (5 - five)  # total 2.6 units
    cases = (
        ("no limit that binds", Limits(total=1.0), unit * z),
        ("the total binds", Limits(total=2.6 * abs(unit)), currents(2.6 * unit - 5 * b, b)),
        (
            "the largest current binds",
            Limits(total=1.0, each=0.9 * abs(unit)),
            currents(0.9 * unit, 1.1 * unit / five),
        ),
    )
    rows_ = []
    for name, limits, exact in cases:
        for kind, optimum in (
            ("focal", focal(C[2], Q, limits, value=VALUE, names=ELECTRODES)),
            ("LCMV", lcmv(C, Q, limits, wanted=(0, 0, VALUE), names=ELECTRODES)),
        ):
            error = float(np.abs(optimum.currents - exact).max() / np.abs(exact).max())
            rows_.append(_row(f"{kind}, {name}: currents, largest difference", error, 0.0, error))
            least = float(exact @ Q @ exact) ** 0.5
            rows_.append(_compared(f"{kind}, {name}: rms off target", optimum.rms, least, "V/m"))
    return rows_


def _one_source_one_sink(corners: Floats) -> list[Row]:
    """Compare the largest field under a total current alone with that of the best pair."""
    points = np.array([[0.01, 0.03, 0.05], [-0.04, 0.02, -0.03], [0.0, 0.0, 0.07]])
    E = exact_lead_field(corners, points)
    limits = Limits(total=2e-3)
    rows_ = []
    for i, point in enumerate(points):
        C = E[:, i].T
        where = "at (" + ", ".join(f"{v * 1e3:g}" for v in point) + ") mm"
        along = max_intensity(C[0], limits, names=ELECTRODES)
        pair = 2e-3 * float(np.ptp(C[0]))
        rows_.append(_compared(f"largest x component {where}", along.value, pair, "V/m"))
        size = max_intensity(C, limits, names=ELECTRODES)
        apart = np.linalg.norm(C.T[:, None] - C.T, axis=2)
        pair = 2e-3 * float(apart.max())
        rows_.append(_compared(f"largest |E| {where}", size.value, pair, "V/m"))
        rows_.append(_compared(f"largest |E| {where}: proved bound", size.bound, pair, "V/m"))
    return rows_


def _by_other_means(corners: Floats, Q: Floats) -> list[Row]:
    """Compare closed forms with a linear programme, and few electrodes with all sets of them."""
    C = exact_lead_field(corners, np.array([[0.01, 0.03, 0.05]]))[:, 0].T
    c = C[1]
    rows_ = []
    for limits in (
        Limits(total=2e-3, each=0.6e-3),
        Limits(each=1e-3),
        Limits(total=1e-3, each={"E1": 0.1e-3, "E2": 0.3e-3, "E7": 0.0}),
    ):
        found = max_intensity(c, limits, names=ELECTRODES)
        top = _linear_programme(c, limits)
        rows_.append(_compared(f"largest component, {_words(limits)}", found.value, top, "V/m"))
    few = Limits(total=2e-3, each=1e-3, electrodes=4)
    sets = [list(s) for s in combinations(range(12), 4)]
    names = ["E1", "E2", "E3", "E4"]
    within = Limits(total=2e-3, each=1e-3)
    tops = [_linear_programme(c[s], within) for s in sets]
    top = max(tops)
    found = max_intensity(c, few, names=ELECTRODES)
    rows_.append(_compared("largest component, 4 of 12 electrodes", found.value, top, "V/m"))
    found = focal(c, Q, few, value=0.6 * top, names=ELECTRODES, gap=1e-7)
    least = min(
        _rms(focal(c[s], Q[np.ix_(s, s)], within, value=0.6 * top, names=names))
        for s, most in zip(sets, tops, strict=True)
        if most > 0.6 * top
    )
    rows_.append(_compared("focal, 4 of 12 electrodes: rms off target", found.rms, least, "V/m"))
    return rows_


def _linear_programme(c: Floats, limits: Limits) -> float:
    """Return the largest c x as a linear programme in the currents in and out."""
    from scipy.optimize import linprog

    n = len(c)
    bounds = limits.bounds(ELECTRODES[:n])
    found = linprog(
        np.concatenate([-c, c]),
        A_ub=np.ones((1, 2 * n)),
        b_ub=[2 * bounds.total],
        A_eq=np.concatenate([np.ones(n), -np.ones(n)])[None],
        b_eq=[0.0],
        bounds=[(0.0, u) for u in (*bounds.most, *bounds.most)],
    )
    assert found.fun is not None
    return -float(found.fun)


def _meshed(edge: float) -> list[Row]:
    """Compare the optimum of a solved lead field with that of the exact one, at a node."""
    head = ball(edge)
    nodes = head.mesh.nodes
    point = nodes[np.linalg.norm(nodes - (0.01, 0.02, 0.05), axis=1).argmin()]
    electrodes = [
        place_electrode(head, name, shape=Disc(radius_mm=DISC * 1e3), model="ideal")
        for name in WHERE
    ]
    with tempfile.TemporaryDirectory() as folder:
        field = lead_field(head, Path(folder) / "leadfield.h5", electrodes, tissues=[NAMES[0]])
        C = rows(field, point_target(head, point, split=field.split))
    sigma = tuple(head.tissues[head.label_of(name)].sigma for name in NAMES)
    sphere = LayeredSphere(radii=RADII, sigma=sigma)
    places = np.array(list(WHERE.values()), dtype=np.float64)
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    E = [sphere.even_electrodes(point[None], e, places[-1], radius=DISC)[1][0] for e in places[:-1]]
    exact = np.stack([*E, np.zeros(3)]).T
    rows_ = []
    size = f"{len(head.mesh.tets) / 1e6:.2f} M tetrahedra"
    for limits in (Limits(total=2e-3), Limits(total=2e-3, each=0.8e-3, electrodes=4)):
        found = max_intensity(C, limits, names=field.names)
        best = max_intensity(exact, limits, names=field.names)
        rows_.append(
            _row(
                f"largest |E| on {size}, {_words(limits)}",
                found.value,
                best.value,
                abs(found.value / best.value - 1),
                limit=5e-3,
                unit="V/m",
            )
        )
    return rows_


def _rms(optimum: Optimum) -> float:
    assert optimum.rms is not None
    return optimum.rms


def _words(limits: Limits) -> str:
    given = {k: getattr(limits, k) for k in ("total", "each", "electrodes")}
    return ", ".join(f"{k}={v}" for k, v in given.items() if v is not None)


def _compared(quantity: str, value: float | None, reference: float, unit: str) -> Row:
    assert value is not None
    return _row(quantity, value, reference, abs(value / reference - 1), unit=unit)


def _row(
    quantity: str,
    value: float,
    reference: float,
    error: float,
    *,
    limit: float = 1e-6,
    unit: str = "1",
) -> Row:
    return Row(
        case="hdtes-closed-form",
        quantity=quantity,
        value=value,
        reference=reference,
        error=error,
        limit=limit,
        unit=unit,
        source="symmetry; linear programming; enumeration; sphere series",
    )
