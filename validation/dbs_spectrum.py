"""The spectrum of a lead: reduced basis against direct solves, an independent solver, limits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.dbs.grid.domains import sphere_domain
from rheobase.fields.dbs.solution.system import ENCAPSULATION, Encapsulation, LeadSystem, assemble
from rheobase.fields.dbs.spectrum.dielectrics import Constant, Dielectric, admittivity, dielectrics
from rheobase.fields.dbs.spectrum.interface import Interface, interface
from rheobase.fields.dbs.spectrum.responses import SpectralResponse, spectral_responses
from rheobase.meshes.dispersion import EPS_0
from rheobase.meshes.leads.medium import nested_spheres, uniform
from rheobase.meshes.tissues import tissue
from rheobase.validation.axisymmetric import Reference
from rheobase.validation.axisymmetric_mesh import Setting
from rheobase.validation.case import Row
from rheobase.validation.dbs import MIDDLE, REACH, SCAR, SCENES, SIGMA, SOURCE, row

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

CASE = "dbs-spectrum"
BAND = (130.0, 250e3)
EPS, EPS_SCAR = 1e5, 3e5  # relative permittivities of tissue and scar


def spectrum() -> list[Row]:
    """Check impedances and potentials over frequency."""
    return [*_independent(), *_direct(), *_limits()]


@cache
def _uniform(resolution: float, scar: bool) -> LeadSystem:
    return assemble(
        SCENES["A"].lead,
        uniform(SIGMA),
        sphere_domain(REACH, (0, 0, MIDDLE)),
        encapsulation=Encapsulation(thickness=SCAR[0], tissue=SCAR[1]) if scar else None,
        resolution=resolution,
    )


def _independent() -> list[Row]:
    """Compare with the axisymmetric solver: dispersive scar, constant-phase contacts."""
    metal = interface("day 1")
    label = next(iter(uniform(SIGMA).tissues))
    laws: dict[int, Dielectric] = {
        label: Constant(sigma=SIGMA, eps_r=EPS),
        ENCAPSULATION: Constant(sigma=SCAR[1], eps_r=EPS_SCAR),
    }
    ours = spectral_responses(_uniform(0.7, True), dielectrics=laws, interface=metal, band=BAND)
    model = SCENES["A"].lead.model
    contacts = tuple(c.z for c in model.contacts)
    area = model.area("1")
    r, z = np.linspace(1.2e-3, 6e-3, 25), np.linspace(2e-3, 9e-3, 25)
    points = np.column_stack([r, 0 * r, z])
    rows = []
    for f in (130.0, 1e3, 1e4, 1e5):
        w = 2 * np.pi * f * EPS_0
        exact = Reference(
            Setting(
                contacts=contacts,
                kappa=(SIGMA + 1j * w * EPS,),
                encapsulation=SCAR[0],
                kappa_encapsulation=SCAR[1] + 1j * w * EPS_SCAR,
                interface=complex(1 / (metal.impedance(f, area) * area)),
            ),
            order=5,
            levels=3,
        )
        Z = ours.impedance([f])[0]
        error = np.abs(Z / exact.impedance - 1)
        i, j = np.unravel_index(error.argmax(), error.shape)
        V, known = ours.transfer(points, [f])[0], exact.at(r, z)[0]
        for what, value, reference, far, unit in (
            (
                f"|Z|, worst of 16, contact {i + 1} for 1 A of {j + 1}",
                float(abs(Z[i, j])),
                float(abs(exact.impedance[i, j])),
                float(error[i, j]),
                "ohm",
            ),
            (
                "V at 25 places, relative L2",
                float(np.linalg.norm(V - known) / np.linalg.norm(known)),
                0.0,
                float(np.linalg.norm(V - known) / np.linalg.norm(known)),
                "1",
            ),
        ):
            rows.append(
                Row(
                    case=CASE,
                    quantity=f"scar and constant-phase contacts, {f:g} Hz: {what}",
                    value=value,
                    reference=reference,
                    error=far,
                    limit=2e-3,
                    unit=unit,
                    source=SOURCE,
                )
            )
    return rows


def _direct() -> list[Row]:
    """Compare with direct complex solves: three tissues, scar, contacts with an interface."""
    names = ("grey_matter", "white_matter", "csf")
    medium = nested_spheres(
        (3e-3, 8e-3, REACH), [tissue(name) for name in names], (2e-3, 0.0, 3e-3)
    )
    system = assemble(
        SCENES["A"].lead,
        medium,
        sphere_domain(REACH, (0, 0, MIDDLE)),
        encapsulation=Encapsulation(thickness=SCAR[0], tissue=tissue("grey_matter")),
        resolution=0.4,
    )
    laws, metal = dielectrics(system.tissues), interface("day 1")
    ours = spectral_responses(system, dielectrics=laws, interface=metal, band=BAND)
    lead = SCENES["A"].lead
    rng = np.random.default_rng(2)
    points = np.array([0, 0, MIDDLE]) + rng.uniform(-8e-3, 8e-3, (300, 3))
    points = points[lead.outside(points) > SCAR[0]]
    read = system.interpolation(points)
    frequencies = np.geomspace(*BAND, 10)
    worst = np.zeros(2)
    skew = 0.0
    for f in frequencies:
        V, Z = direct(system, laws, metal, float(f))
        found, there = ours.impedance([f])[0], ours.transfer(points, [f])[0]
        known = np.asarray(read @ V).T
        far = np.abs(there - known).max(axis=1) / np.abs(known).max(axis=1)
        worst = np.maximum(worst, [np.abs(found / Z - 1).max(), far.max()])
        skew = max(skew, float(np.abs(found - found.T).max() / np.abs(found).max()))
    name = f"grey, white, CSF, scar, interface; {system.n:,} nodes, 10 frequencies"
    lost = float(np.abs(ours.reduced.grounded(frequencies) - 1).max())
    why = "direct complex solves (SuperLU)"
    return [
        row(CASE, f"impedances ({name})", float(worst[0]), 0.0, limit=1e-4, source=why),
        row(
            CASE,
            f"potentials in tissue, of the largest ({name})",
            float(worst[1]),
            0.0,
            limit=1e-4,
            source=why,
        ),
        row(
            CASE,
            f"largest |Z - Z'| over the largest |Z| ({name})",
            skew,
            0.0,
            limit=1e-6,
            source="reciprocity",
        ),
        row(
            CASE,
            f"balance of the reduced linear system, ground against contact ({name})",
            lost,
            0.0,
            limit=1e-3,
            source="conservation",
        ),
    ]


def direct(
    system: LeadSystem, laws: Mapping[int, Dielectric], metal: Interface, f: float
) -> tuple[Complexes, Complexes]:
    """Solve at one frequency, interfaces at all contacts.

    Returns
    -------
    V
        Potential of the nodes per ampere (V/A), shape (n, N).
    Z
        Potential of the metals per ampere (ohm), shape (N, N).
    """
    from scipy.sparse import block_array, csc_array
    from scipy.sparse.linalg import splu

    n, N = system.n, len(system.contacts)
    A: Any = csc_array((n, n), dtype=complex)
    for label, K in system.stiffness.items():
        A = A + complex(admittivity(laws[label], f)) * K
    links, own = [], []
    for name in system.contacts:
        B = system.surface[name]
        g = complex(1 / (metal.impedance(f, float(B.sum())) * B.sum()))
        A = A + g * B
        links.append(-g * np.asarray(B.sum(axis=1)).reshape(n, 1))
        own.append(g * float(B.sum()))
    free = np.ones(n, dtype=bool)
    free[system.grounded] = False
    inner = np.flatnonzero(free)
    side = csc_array(np.concatenate(links, axis=1)[inner])
    whole: Any = block_array([[A[inner][:, inner], side], [side.T, csc_array(np.diag(own))]])
    scale = 1 / np.sqrt(np.abs(whole.diagonal()))
    whole = csc_array(whole.multiply(scale[:, None]).multiply(scale[None, :]))
    load = np.zeros((len(inner) + N, N), dtype=complex)
    load[len(inner) :] = np.diag(scale[len(inner) :])
    factor = splu(whole, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    x = factor.solve(load)
    x = np.asarray(x + factor.solve(load - whole @ x), dtype=np.complex128) * scale[:, None]
    V = np.zeros((n, N), dtype=complex)
    V[inner] = x[: len(inner)]
    return V, x[len(inner) :]


def _limits() -> list[Row]:
    """Check that permittivity goes as it must in one tissue: Z = Z(0) / (1 + j w eps / sigma)."""
    system = _uniform(0.4, False)
    label = next(iter(system.tissues))
    still: SpectralResponse = spectral_responses(system, band=BAND)
    Z = still.impedance([1e3])[0]
    rows = []
    for eps in (1e6, 1e3, 1.0):
        law: dict[int, Dielectric] = {label: Constant(sigma=SIGMA, eps_r=eps)}
        found = spectral_responses(system, dielectrics=law, band=BAND).impedance([1e3])[0]
        exact = 1 / (1 + 2j * np.pi * 1e3 * EPS_0 * eps / SIGMA)
        error = float(np.abs(found / (Z * exact) - 1).max())
        rows.append(
            Row(
                case=CASE,
                quantity=f"one tissue, permittivity {eps:g}: |1 - Z / Z without| at 1 kHz",
                value=float(np.abs(found / Z - 1).max()),
                reference=abs(1 - exact),
                error=error,
                limit=1e-6,
                unit="1",
                source="Z = Z(0) / (1 + j w eps / sigma)",
            )
        )
    return rows
