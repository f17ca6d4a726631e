"""The field that a coil induces in the head.

    E = -dA/dt - grad V,   -div(sigma grad V) = div(sigma dA/dt) in the head,
    sigma (dV/dn + n·dA/dt) = 0 on its surface.

Weak form: ∫ sigma grad V · grad w = -∫ sigma dA/dt · grad w. Quasi-static: the displacement
current and the field of the induced current are left out (Plonsey & Heppner, Bull Math Biophys
29:657 (1967), doi:10.1007/BF02476917). dA/dt is exact at the nodes and linear between them in the
load; only -grad V is recovered, and the exact -dA/dt is added at the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.fields.basis import FieldBasis, make_basis
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.placing import check_clear
from rheobase.fields.recovery import recover_gradient, split_nodes
from rheobase.fields.report import SourceReport
from rheobase.fields.solver import Conductor
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp


def solve_induction(head: Head | Conductor, coils: Sequence[Coil] | Coil) -> FieldBasis:
    """Solve for the field of each coil at dI/dt = 1 A/s.

    Parameters
    ----------
    head
        The head, or a conductor made from one (which saves its set-up).
    coils
        One coil or several, in head coordinates.

    Returns
    -------
    FieldBasis
        Unit "A/s": V/m at 1 A/s.

    Raises
    ------
    InputError
        If a coil reaches into the head.
    """
    from rheobase.fields._assembly_numba import joule_by_tet, vector_load

    coils = [coils] if isinstance(coils, Coil) else list(coils)
    if not coils:
        raise InputError("expected at least one coil, got none")
    conductor = head if isinstance(head, Conductor) else Conductor(head)
    mesh = conductor.mesh
    scalp = Scalp(mesh)
    for c in coils:
        check_clear(c, scalp)
    sigma = conductor.sigma_of_tet
    with stage("vector potential of the coil"):
        A = np.stack([c.vector_potential(mesh.nodes) for c in coils])
        b = vector_load(mesh.nodes, mesh.tets, sigma, A)
    V, solves = conductor.solve(b)
    with stage("recovering the field"):
        split = split_nodes(mesh)
        E = -recover_gradient(mesh, split, V)
        E -= A[:, split.node]
    report = []
    for k, solve in enumerate(solves):
        heat = float(sigma @ joule_by_tet(mesh.nodes, mesh.tets, V[k], A[k]))
        whole = float(sigma @ joule_by_tet(mesh.nodes, mesh.tets, np.zeros_like(V[k]), A[k]))
        fed = whole - float(V[k] @ conductor.apply(V[k]))
        report.append(
            SourceReport(
                asked=0.0,
                delivered=0.0,
                power=heat,
                energy_balance=abs(fed - heat) / heat,
                impedance=0.0,
                iterations=solve.iterations,
                residual=solve.residual,
            )
        )
    return make_basis(
        mesh,
        split,
        names=[c.name for c in coils],
        unit="A/s",
        E=E,
        potential=V,
        report=report,
    )
