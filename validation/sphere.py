"""Fields in a sphere against their exact solutions.

The sphere has a radius of 95 mm: brain to 85 mm, skull to 90 mm, scalp to 95 mm (.33/.01/.33 S/m).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.conduction import solve_conduction
from rheobase.fields.correction import correct
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import LayeredSphere
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.outlines import Disc
from rheobase.validation.case import Row

RADII = (0.085, 0.090, 0.095)
SIGMA = (0.33, 0.01, 0.33)
LABELS = (2, 4, 5)
TISSUES = ("brain", "skull", "scalp")
EDGE = 3e-3
DIPOLE = np.array([0.0, 0.0, 0.300])
MOMENT = np.array([1.0, 0.0, 0.0])


@cache
def conductor(edge: float = EDGE) -> Conductor:
    """Return the three-layer sphere, meshed at ``edge`` (m) and ready to solve."""
    return Conductor(mesh_spheres(RADII, LABELS, edge), dict(zip(LABELS, SIGMA, strict=True)))


def mesh_of(c: Conductor) -> str:
    """Return the size of the mesh in words."""
    return f"{len(c.mesh.tets) / 1e6:.2f} M tetrahedra"


def tdcs(edge: float = EDGE) -> list[Row]:
    """Point electrodes at the poles: potential and field in the brain; a pair of pads: currents."""
    c = conductor(edge)
    nodes = c.mesh.nodes
    ends = [int(((nodes - p) ** 2).sum(1).argmin()) for p in ([0, 0, 0.095], [0, 0, -0.095])]
    b = np.zeros((1, len(nodes)))
    b[0, ends] = [1.0, -1.0]
    V = c.solve(b)[0]
    W = correct(c, V, singular=np.array(ends))
    sphere = LayeredSphere(radii=RADII, sigma=SIGMA)
    brain = np.unique(c.mesh.tets[c.mesh.labels == LABELS[0]])
    exact = sphere.point_electrodes(nodes[brain], nodes[ends[0]], nodes[ends[1]])[0]
    rows = []
    for name, potential in (("V", V), ("corrected V", V + W)):
        rdm, magnitude = compare(potential[0, brain], exact)
        what = f"{name} in the brain"
        rows.append(_row(c, f"relative difference measure of {what}", rdm, 0.0, rdm, 0.005))
        error = abs(float(np.log(magnitude)))
        rows.append(_row(c, f"magnitude of {what} (error: |ln|)", magnitude, 1.0, error, 0.005))
    place = np.flatnonzero(c.split.label == LABELS[0])
    points = nodes[c.split.node[place]]
    deep = np.linalg.norm(points, axis=1) < 0.075
    E = -c.recovery.gradient(V + W)[0][place]
    reference = sphere.point_electrodes(points, nodes[ends[0]], nodes[ends[1]])[1]
    for name, some in (("", np.ones_like(deep)), (" within 75 mm", deep)):
        error = float(np.linalg.norm((E - reference)[some]) / np.linalg.norm(reference[some]))
        what = f"recovered E in the brain{name}, relative L2"
        rows.append(_row(c, what, error, 0.0, error, 0.02))
    return rows + _discs(c)


def compare(found: NDArray[np.float64], exact: NDArray[np.float64]) -> tuple[float, float]:
    """Return relative difference measure and magnitude ratio of potentials, means removed."""
    found, exact = found - found.mean(), exact - exact.mean()
    sizes = np.linalg.norm(found), np.linalg.norm(exact)
    return float(np.linalg.norm(found / sizes[0] - exact / sizes[1])), float(sizes[0] / sizes[1])


def _row(
    c: Conductor, quantity: str, value: float, reference: float, error: float, limit: float
) -> Row:
    return Row(
        case="sphere-tdcs",
        quantity=f"{quantity} ({mesh_of(c)})",
        value=value,
        reference=reference,
        error=error,
        limit=limit,
        unit="1",
        source="Legendre series, Rush & Driscoll 1969",
    )


def _discs(c: Conductor) -> list[Row]:
    """Two pads at the poles: what they deliver, and the balance of energy."""
    pads = solve_conduction(
        c,
        Montage(
            name="poles",
            electrodes=tuple(
                Electrode(name=n, centre=np.array([0.0, 0.0, z]), shape=Disc(radius_mm=12.0))
                for n, z in (("top", 0.095), ("bottom", -0.095))
            ),
            currents=(1e-3, -1e-3),
        ),
    )
    report = pads.report[0]
    asked, delivered = report.asked[0], report.delivered[0]
    wrong = abs(delivered / asked - 1)
    rows = []
    for quantity, value, reference, error, limit, unit in (
        ("current through a disc of 12 mm", delivered, asked, wrong, 1e-3, "A"),
        (
            "energy balance with two discs",
            report.energy_balance,
            0.0,
            report.energy_balance,
            1e-6,
            "1",
        ),
    ):
        rows.append(
            Row(
                case="sphere-tdcs",
                quantity=quantity,
                value=value,
                reference=reference,
                error=error,
                limit=limit,
                unit=unit,
                source="conservation of charge and of energy",
            )
        )
    return rows
