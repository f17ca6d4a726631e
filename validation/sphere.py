"""Fields in a sphere against their exact solutions, and reciprocity.

The sphere has a radius of 95 mm: brain to 85 mm, skull to 90 mm, scalp to 95 mm (.33/.01/.33 S/m).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.basis import FieldBasis
from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.coils.windings import coil, load_windings
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.induction import solve_induction
from rheobase.fields.recovery import recover_gradient, split_nodes
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import MU0_OVER_4PI, LayeredSphere, magnetic_dipole_field
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.outlines import Disc
from rheobase.validation.case import Row

RADII = (0.085, 0.090, 0.095)
SIGMA = (0.33, 0.01, 0.33)
LABELS = (2, 4, 5)
EDGE = 3e-3
DIPOLE = np.array([0.0, 0.0, 0.300])
MOMENT = np.array([1.0, 0.0, 0.0])


@cache
def conductor(edge: float = EDGE) -> Conductor:
    """Return the three-layer sphere, meshed at ``edge`` (m) and ready to solve."""
    return Conductor(mesh_spheres(RADII, LABELS, edge), dict(zip(LABELS, SIGMA, strict=True)))


def tdcs(edge: float = EDGE) -> list[Row]:
    """Point electrodes at the poles: potential and field in the brain; a pair of pads: currents."""
    c = conductor(edge)
    nodes = c.mesh.nodes
    ends = [int(((nodes - p) ** 2).sum(1).argmin()) for p in ([0, 0, 0.095], [0, 0, -0.095])]
    b = np.zeros(len(nodes))
    b[ends] = [1.0, -1.0]
    V = c.solve(b)[0]
    split = split_nodes(c.mesh)
    sphere = LayeredSphere(radii=RADII, sigma=SIGMA)
    brain = np.unique(c.mesh.tets[c.mesh.labels == LABELS[0]])
    exact = sphere.point_electrodes(nodes[brain], nodes[ends[0]], nodes[ends[1]])[0]
    exact -= exact.mean()
    found = V[0, brain] - V[0, brain].mean()
    sizes = np.linalg.norm(found), np.linalg.norm(exact)
    rdm = float(np.linalg.norm(found / sizes[0] - exact / sizes[1]))
    mesh = f"{len(c.mesh.tets) / 1e6:.2f} M tetrahedra, edge {edge * 1e3:g} mm"
    source = "Legendre series, Rush & Driscoll 1969"

    def row(quantity: str, value: float, reference: float, limit: float, unit: str) -> Row:
        return Row(
            case="sphere-tdcs",
            quantity=quantity,
            value=value,
            reference=reference,
            error=abs(value - reference) / abs(reference) if reference else abs(value),
            limit=limit,
            unit=unit,
            source=source,
        )

    rows = [
        row(f"relative difference measure of V in the brain ({mesh})", rdm, 0.0, 0.01, "1"),
        row(f"magnitude of V in the brain ({mesh})", float(sizes[0] / sizes[1]), 1.0, 0.01, "1"),
    ]
    E = -recover_gradient(c.mesh, split, V)[0]
    place = np.flatnonzero(split.label == LABELS[0])
    points = nodes[split.node[place]]
    deep = np.linalg.norm(points, axis=1) < 0.075
    reference = sphere.point_electrodes(points[deep], nodes[ends[0]], nodes[ends[1]])[1]
    rows.append(
        row(
            f"recovered E in the brain within 75 mm, relative L2 ({mesh})",
            float(np.linalg.norm(E[place[deep]] - reference) / np.linalg.norm(reference)),
            0.0,
            0.02,
            "1",
        )
    )
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
    source = "conservation of charge and of energy"
    rows.append(
        row("current through a disc of 12 mm", report.delivered[0], report.asked[0], 1e-3, "A")
    )
    rows.append(row("energy balance with two discs", report.energy_balance, 0.0, 1e-6, "1"))
    return rows


def tms_far(edge: float = EDGE) -> list[Row]:
    """Recovered E of a magnetic dipole at 300 mm, and the peak of a figure-of-eight coil."""
    c = conductor(edge)
    basis = solve_induction(c, magnetic_dipole(DIPOLE, MOMENT))
    mesh = f"{len(c.mesh.tets) / 1e6:.2f} M tetrahedra, edge {edge * 1e3:g} mm"
    rows = []
    for label, name in zip(LABELS, ("brain", "skull", "scalp"), strict=True):
        error = tms_error(basis, label)
        rows.append(
            Row(
                case="sphere-tms-far",
                quantity=f"recovered E in the {name}, relative L2 ({mesh})",
                value=error,
                reference=0.0,
                error=error,
                limit=0.03,
                unit="1",
                source="closed form, Heller & van Hulsteyn 1992",
            )
        )
    rows.append(_figure_of_eight())
    return rows


def tms_error(basis: FieldBasis, label: int) -> float:
    """Return the volume-weighted relative L2 error of E of the dipole in one tissue."""
    place = np.flatnonzero(basis.split_label == label)
    exact = magnetic_dipole_field(basis.split_position[place], DIPOLE, MOMENT)
    weight = basis.split_volume[place]
    wrong = ((basis.E[0, place] - exact) ** 2).sum(1)
    return float(np.sqrt((weight @ wrong) / (weight @ (exact**2).sum(1))))


def _figure_of_eight() -> Row:
    """Strength of a 70 mm figure-of-eight coil 15 mm below the surface of an 85 mm head."""
    c = Conductor(mesh_spheres((0.085,), (LABELS[0],), 4e-3), {LABELS[0]: SIGMA[0]})
    winding = coil("magstim-70mm-figure8")
    pose = np.eye(4)
    casing = 1e-3 * load_windings()[winding.name].casing_mm
    pose[2, 3] = 0.085 + 0.005 - casing  # 5 mm to the copper
    E, _ = solve_induction(c, winding.moved(pose)).at([[0.0, 0.0, 0.070]])
    value = 1e6 * float(np.linalg.norm(E))
    return Row(
        case="sphere-tms-far",
        quantity="70 mm figure-of-eight coil: |E| at 70 mm in an 85 mm head, 5 mm gap, 1 A/us",
        value=value,
        reference=1.47,
        error=abs(value / 1.47 - 1),
        limit=0.01,
        unit="V/m",
        source="geometry of Deng, Lisanby & Peterchev 2013, no. 31",
    )


def reciprocity(edge: float = 5e-3) -> list[Row]:
    """Swap source and detector: two electrode pairs; a coil and a current dipole."""
    sigma = SIGMA[0]
    c = Conductor(mesh_spheres((0.095,), (LABELS[0],), edge), {LABELS[0]: sigma})
    nodes = c.mesh.nodes
    at = [
        int(((nodes - 0.095 * np.array(p)) ** 2).sum(1).argmin())
        for p in ([0, 0, 1], [0, 0.6, -0.8], [0.8, 0.6, 0], [-0.6, 0, 0.8])
    ]
    b = np.zeros((2, len(nodes)))
    b[0, at[:2]] = b[1, at[2:]] = [1.0, -1.0]
    V = c.solve(b)[0]
    pairs = float(V[0] @ b[1]), float(V[1] @ b[0])
    value, reference = _coil_and_dipole(c)
    exact = _sarvas()
    return [
        _reciprocal("voltage of one electrode pair per current of another", *pairs, 1e-6, "ohm"),
        _reciprocal(
            "E of a coil along a dipole, and the coil's voltage from it",
            value,
            reference,
            1e-6,
            "V/m",
        ),
        _reciprocal("exact E of a coil along a dipole, and B of the dipole", *exact, 1e-10, "V/m"),
    ]


def _reciprocal(quantity: str, value: float, reference: float, limit: float, unit: str) -> Row:
    return Row(
        case="reciprocity",
        quantity=quantity,
        value=value,
        reference=reference,
        error=abs(value / reference - 1),
        limit=limit,
        unit=unit,
        source="Helmholtz reciprocity; Sarvas 1987",
    )


def _coil_and_dipole(c: Conductor) -> tuple[float, float]:
    """Return E·p of a coil in a tetrahedron, and -∫ A·J of the current that a dipole p drives."""
    mesh = c.mesh
    tool = magnetic_dipole(DIPOLE / 2, MOMENT)
    where, p = np.array([0.03, 0.02, 0.06]), np.array([0.3, -0.8, 0.5])
    tet = int(((mesh.centroids() - where) ** 2).sum(1).argmin())
    corner = mesh.tets[tet]
    gradients = np.linalg.inv(np.column_stack([np.ones(4), mesh.nodes[corner]]))[1:].T
    basis = solve_induction(c, tool)
    E = -basis.potential[0, corner] @ gradients
    E -= tool.vector_potential(mesh.nodes[corner]).mean(0)
    b = np.zeros(len(mesh.nodes))
    b[corner] = gradients @ p
    V = c.solve(b)[0][0]
    # the dipole's whole current is p in its tetrahedron and -sigma grad(V) everywhere
    A = tool.vector_potential(mesh.nodes)
    all_gradients = np.linalg.inv(
        np.concatenate([np.ones((len(mesh.tets), 4, 1)), mesh.nodes[mesh.tets]], axis=2)
    )[:, 1:, :]
    J = -c.sigma_of_tet[:, None] * np.einsum("tja,ta->tj", all_gradients, V[mesh.tets])
    flux = np.einsum("tj,tj,t->", J, A[mesh.tets].mean(1), mesh.volumes())
    return float(E @ p), float(-(flux + p @ A[corner].mean(0)))


def _sarvas() -> tuple[float, float]:
    """Return E·p of a coil dipole in a sphere, and -m·B of the current dipole p (Sarvas 1987)."""
    where, p = np.array([0.03, 0.02, 0.06]), np.array([0.3, -0.8, 0.5])
    moment = np.array([0.4, -0.3, 0.8])
    E = magnetic_dipole_field(where, DIPOLE, moment)[0]
    B = dipole_magnetic_field(DIPOLE, where, p)
    return float(E @ p), float(-moment @ B)


def dipole_magnetic_field(
    r: NDArray[np.float64], r0: NDArray[np.float64], p: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return B (T) at r outside a sphere of a current dipole p (A m) at r0 in it, shape (3,).

    Sarvas, Phys Med Biol 32:11 (1987), equation 25.
    """
    a = r - r0
    A, R = float(np.linalg.norm(a)), float(np.linalg.norm(r))
    F = A * (R * A + R**2 - r0 @ r)
    grad_F = (A**2 / R + a @ r / A + 2 * A + 2 * R) * r - (A + 2 * R + a @ r / A) * r0
    turn = np.cross(p, r0)
    B: NDArray[np.float64] = MU0_OVER_4PI * (F * turn - (turn @ r) * grad_F) / F**2
    return B
