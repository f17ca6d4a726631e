"""What is recorded of cells and networks against exact solutions."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.eeg import eeg_gain, eeg_of, solve_dipoles
from rheobase.fields.electrodes.electrode import Electrode, place_electrode
from rheobase.fields.leadfield_solve import lead_field
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import LayeredSphere
from rheobase.meshes.head import Head
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.placing.outlines import Disc
from rheobase.meshes.tissues import tissue
from rheobase.neurons.compartments import compartments
from rheobase.neurons.generate import Cell, generate_cell
from rheobase.neurons.morphology import Kind, Skeleton
from rheobase.neurons.recording.discs import SIGMA, disc_potential
from rheobase.neurons.recording.kernels import Kernel, synaptic_kernel
from rheobase.neurons.recording.recorder import Recording
from rheobase.neurons.recording.sites import site_at
from rheobase.validation.case import Row
from rheobase.validation.dipoles import one_sphere, stick_dipole, surface_potential
from rheobase.validation.leadfield import WHERE

Floats = NDArray[np.float64]

RADII = (0.078, 0.080, 0.086, 0.092)
TISSUES = ("grey_matter", "csf", "skull", "scalp")
PAD_MM = 5.0
FEW = 5  # electrodes of the places of `WHERE`, where all would cost more than they tell
TAU, TAU_M = 0.5e-3, 10e-3  # s, of synapse and membrane


def lfp_dipole(edge: float = 4e-3) -> list[Row]:
    """Compare dipoles of cells, their far potential and their EEG with closed forms."""
    return [_stick(), *_population(), _beside_a_disc(), *_exact_spheres(), *four_layers(edge)]


def eeg_reciprocity(edge: float = 6e-3) -> list[Row]:
    """Solve for dipoles, and read the same potentials off the elements' lead field."""
    from rheobase.meshes.heads import build_head

    sphere = layered(edge)
    brain = build_head("mni152", resolution="coarse")
    rng = np.random.default_rng(1)
    inside = brain.mesh.centroids()[brain.mesh.labels == brain.label_of("grey_matter")]
    places = ((sphere, _dipoles(4)[0]), (brain, rng.choice(inside, 4)))
    rows = []
    for head, positions in places:
        conductor = Conductor(head, rtol=1e-9)
        electrodes = discs(head)[:FEW]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "leadfield.h5"
            lead = lead_field(head, path, electrodes, conductor=conductor, tissues=["grey_matter"])
            moments = rng.normal(size=(len(positions), 3)) * 1e-8
            solved = solve_dipoles(conductor, electrodes, positions, moments)
            gain = eeg_gain(lead, positions, recovered=False)
            read = np.einsum("kpj,pj->kp", gain, moments)
        size = f"{head.name}, {len(head.mesh.tets) / 1e6:.2f} M tetrahedra"
        rows.append(
            _row(
                "eeg-reciprocity",
                f"EEG of a dipole solved for, and from the lead field, worst of 4 ({size})",
                read,
                solved,
                1e-6,
                "Helmholtz reciprocity",
            )
        )
    return rows


def stick(edge: float = 10e-6) -> Cell:
    """Return a ball and stick: soma of 20 µm, dendrite of 0.8 mm and 2 µm, a short axon."""
    skeleton = Skeleton(
        position=np.array([[0, 0, 0], [0, 0, 10e-6], [0, 0, 810e-6], [0, 0, -60e-6]]),
        diameter=np.array([20e-6, 2e-6, 2e-6, 1e-6]),
        parent=np.array([-1, 0, 1, 0]),
        kind=np.array([Kind.SOMA, Kind.APICAL, Kind.APICAL, Kind.UNMYELINATED]),
    )
    return Cell(
        name="stick",
        cell_class="PYR",
        membrane="cADpyr232",
        layer="L5",
        species="rat",
        depth=0.5,
        thickness=2e-3,
        skeleton=skeleton,
        morphology=compartments(skeleton, max_dendrite=edge),
        origin="ball and stick",
    )


def stick_kernel(cell: Cell, *, dt: float = 1e-4) -> tuple[Kernel, Floats]:
    """Return the kernel of a stick with synapses at its tip, and its exact dipole moment (m)."""
    shape = cell.morphology
    tip = int(shape.centre[:, 2].argmax())
    site = np.zeros((1, len(shape)))
    site[0, tip] = 1.0
    kernel = synaptic_kernel(cell, site, tau=TAU, dt=dt, tau_m=TAU_M, duration=0.05)
    radius = 0.5 * float(shape.diameter[0])
    exact = stick_dipole(
        kernel.time[1:],
        place=float(shape.centre[tip, 2]) - radius,
        length=float(shape.length[shape.kind == Kind.APICAL].sum()),
        diameter=float(shape.diameter[tip]),
        soma_radius=radius,
        soma_capacitance=float(shape.capacitance[0]),
        resistivity=shape.resistivity,
        capacitance=float(shape.capacitance[tip] / shape.area[tip]),
        tau_m=TAU_M,
        tau=TAU,
    )
    return kernel, exact


def _stick() -> Row:
    kernel, exact = stick_kernel(stick())
    return _row(
        "lfp-dipole",
        "dipole moment of ball and stick after a synaptic current at the tip, 50 ms, relative L2",
        kernel.dipole[0, 1:],
        exact,
        0.01,
        "cable equation in the Laplace domain, Talbot's inversion",
        unit="m",
    )


def _population() -> list[Row]:
    """Spread a pyramidal cell's kernel over a disc: zero sum, dipole potential far away."""
    cell = generate_cell("L5_pyramidal", "rat", seed=1)
    sites = np.stack([site_at(cell, place) for place in ("perisomatic", "L1")])
    kernel = synaptic_kernel(cell, sites, tau=TAU, dt=1e-4, tau_m=TAU_M)
    current = kernel.current[1].T[None]
    recording = Recording(
        time=kernel.time,
        names=("L5_pyramidal",),
        column=np.zeros(1, dtype=np.int64),
        centres=np.zeros((1, 2)),
        radius=0.5e-3,
        depth=kernel.depth,
        sources=current,
        dipole=kernel.dipole[1:],
    )
    middle, r = float(kernel.depth.mean()), 30e-3
    V = recording.potential([middle - r, middle + r])
    far = 0.5 * (V[0] - V[1])  # the even part is the quadrupole's
    exact = recording.dipole[0] / (4 * np.pi * SIGMA * r**2)
    total = float(np.abs(kernel.current.sum(axis=2)).max() / np.abs(kernel.current).max())
    return [
        Row(
            case="lfp-dipole",
            quantity="sum of the transmembrane currents of a pyramidal cell over the largest",
            value=total,
            reference=0.0,
            error=total,
            limit=1e-12,
            unit="1",
            source="conservation of charge",
        ),
        _row(
            "lfp-dipole",
            "potential 30 mm above a disc of pyramidal cells, odd part, relative L2",
            far,
            exact,
            0.01,
            "dipole in an unbounded medium, p/(4 pi sigma r²)",
        ),
    ]


def _beside_a_disc() -> Row:
    """Compare the potential of a disc off its axis with its rings, by elliptic integrals."""
    from scipy.integrate import quad
    from scipy.special import ellipk

    radius = 0.5e-3
    places = [(h, o) for h in (0.05e-3, 0.4e-3) for o in (0.3e-3, 0.8e-3, 2e-3)]

    def ring(a: float, h: float, o: float) -> float:
        s = (a + o) ** 2 + h**2
        return float(a * ellipk(4 * a * o / s) / np.sqrt(s)) / (np.pi**2 * radius**2 * SIGMA)

    exact = [quad(ring, 0, radius, args=p, epsrel=1e-10, limit=200)[0] for p in places]
    found = [float(disc_potential(h, radius=radius, offset=o)) for h, o in places]
    return _row(
        "lfp-dipole",
        "potential of an even disc off its axis, relative L2",
        np.array(found),
        np.array(exact),
        1e-6,
        "rings, complete elliptic integrals",
    )


def _exact_spheres() -> list[Row]:
    """Compare three exact solutions of dipoles in spheres with each other."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(30, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    x, p = np.array([0.02, -0.03, 0.055]), np.array([0.4, -0.2, 0.7])
    sigma = (0.33, 1.65, 0.01, 0.33)
    sphere = LayeredSphere(radii=RADII, sigma=sigma)
    swapped = np.array([-sphere.point_electrodes(x, u, points[0])[1][0] @ p for u in points])
    direct = surface_potential(points, x, p, radii=RADII, sigma=sigma, n_terms=300)
    single = surface_potential(points, x, p, radii=(0.09,), sigma=(0.33,), n_terms=300)
    closed = one_sphere(0.09 * points, x, p, radius=0.09, sigma=0.33)
    return [
        _row(
            "lfp-dipole",
            "exact E of two electrodes along a dipole in four layers, and its own series",
            swapped,
            direct - direct[0],
            1e-9,
            "layers joined degree by degree (Næss 2017)",
        ),
        _row(
            "lfp-dipole",
            "series of a dipole in one sphere, and its closed form",
            single - single.mean(),
            closed - closed.mean(),
            1e-9,
            "Brody, Terry & Ideker 1973",
        ),
    ]


def layered(edge: float) -> Head:
    """Return four spheres of brain, CSF, skull and scalp."""
    tissues = [tissue(name) for name in TISSUES]
    return Head(
        name="four spheres",
        species="human",
        space="sphere",
        mesh=mesh_spheres(RADII, [t.label for t in tissues], edge),
        tissues={t.label: t for t in tissues},
        positions={
            name: RADII[-1] * np.asarray(p, float) / np.linalg.norm(p) for name, p in WHERE.items()
        },
    )


def discs(head: Head) -> list[Electrode]:
    """Return ideal discs at the places of `WHERE`."""
    shape = Disc(radius_mm=PAD_MM)
    return [place_electrode(head, name, shape=shape, model="ideal") for name in WHERE]


def _dipoles(n: int) -> tuple[Floats, Floats]:
    """Return positions 30 to 76 mm from the centre and moments of any direction, (n, 3) each."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3))
    x *= np.linspace(0.030, 0.076, n)[:, None] / np.linalg.norm(x, axis=1, keepdims=True)
    return x, rng.normal(size=(n, 3)) * 1e-8


def exact_eeg(head: Head, x: Floats, p: Floats) -> Floats:
    """Return the exact potentials (V) of dipoles in the spheres, average reference, (k, n)."""
    sigma = [head.tissues[head.label_of(name)].sigma for name in TISSUES]
    sphere = LayeredSphere(radii=RADII, sigma=sigma)
    ends = [head.position(name) for name in WHERE]
    V = np.zeros((len(ends), len(x)))
    for k, end in enumerate(ends[:-1]):
        E = sphere.even_electrodes(x, end, ends[-1], radius=PAD_MM * 1e-3)[1]
        V[k] = -(E * p).sum(axis=1)
    out: Floats = V - V.mean(axis=0)
    return out


def four_layers(edge: float) -> list[Row]:
    """Read dipoles in a mesh of four spheres off its lead field."""
    head = layered(edge)
    x, p = _dipoles(12)
    exact = exact_eeg(head, x, p)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "leadfield.h5"
        lead = lead_field(head, path, discs(head), tissues=["grey_matter"])
        gain = eeg_gain(lead, x)
        found = np.einsum("kpj,pj->kp", gain, p)
        whole = eeg_of(gain, p)
    error = np.linalg.norm(found - exact, axis=0) / np.linalg.norm(exact, axis=0)
    size = f"{len(head.mesh.tets) / 1e6:.2f} M tetrahedra"
    source = "Legendre series, Rush & Driscoll 1969; Helmholtz reciprocity"
    worst = int(error.argmax())
    return [
        Row(
            case="lfp-dipole",
            quantity=f"EEG of a dipole in four layers, worst of 12, relative L2 ({size})",
            value=float(np.linalg.norm(found[:, worst])),
            reference=float(np.linalg.norm(exact[:, worst])),
            error=float(error.max()),
            limit=0.01,
            unit="V",
            source=source,
        ),
        _row(
            "lfp-dipole",
            f"EEG of 12 dipoles at once in four layers, relative L2 ({size})",
            whole,
            exact.sum(axis=1),
            0.01,
            source,
        ),
    ]


def _row(
    case: str,
    quantity: str,
    value: Floats,
    reference: Floats,
    limit: float,
    source: str,
    unit: str = "V",
) -> Row:
    """Return the row of two vectors: their sizes, and the size of their difference."""
    size = float(np.linalg.norm(reference))
    return Row(
        case=case,
        quantity=quantity,
        value=float(np.linalg.norm(value)),
        reference=size,
        error=float(np.linalg.norm(value - reference)) / size,
        limit=limit,
        unit=unit,
        source=source,
    )
