"""The field that a coil induces in the head.

    E = -dA/dt - grad V,   -div(sigma grad V) = div(sigma dA/dt) in the head,
    sigma (dV/dn + n·dA/dt) = 0 on its surface.

Weak form: ∫ sigma grad V · grad w = -∫ sigma dA/dt · grad w. Quasi-static: the displacement
current and the field of the induced current are left out (Plonsey & Heppner, Bull Math Biophys
29:657 (1967), doi:10.1007/BF02476917). dA/dt is exact at the nodes and linear between them in the
load; only -grad V is approximate: it is corrected and recovered (`rheobase.fields.correction`), and
the exact -dA/dt is added at the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rheobase._errors import InputError
from rheobase._progress import stage
from rheobase.fields.basis import FieldBasis, make_basis
from rheobase.fields.coils.coil import Coil
from rheobase.fields.coils.placing import check_clear
from rheobase.fields.correction import correct
from rheobase.fields.report import SourceReport
from rheobase.fields.solver import RTOL, Conductor
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp


def solve_induction(
    head: Head | Conductor, coils: Sequence[Coil] | Coil, *, allow_intersection: bool = False
) -> FieldBasis:
    """Solve for the field of each coil at dI/dt = 1 A/s.

    Parameters
    ----------
    head
        The head, or a conductor made from one (which saves its set-up).
    coils
        One coil or several, in head coordinates.
    allow_intersection
        Whether a coil may reach into the head.

    Returns
    -------
    FieldBasis
        Unit "A/s": V/m at 1 A/s.

    Raises
    ------
    InputError
        Before any matrix is assembled: if two coils have one name, a coil reaches into the head
        unasked or makes no field, or a sampled field does not cover the head.
    """
    coils = [coils] if isinstance(coils, Coil) else list(coils)
    if not coils:
        raise InputError("expected at least one coil, got none")
    names = [c.name for c in coils]
    if len(set(names)) < len(names):
        raise InputError(f"coil names must differ, got {', '.join(names)}")
    mesh = head.mesh
    if not allow_intersection:
        scalp = Scalp(mesh)
        for c in coils:
            check_clear(c, scalp)
    with stage("vector potential of the coil"):
        sources = [c.vector_potential for c in coils]
        if isinstance(head, Conductor):
            A = head.at_nodes(sources)
        else:
            A = np.stack([source(mesh.nodes) for source in sources])
    for c, of_coil in zip(coils, A, strict=True):
        if not (of_coil**2).any():
            raise InputError(f"expected a field in the head, got 0 everywhere: coil {c.name!r}")
    conductor = head if isinstance(head, Conductor) else Conductor(head)
    V, solves = conductor.solve(conductor.induced_load(A), goal=RTOL)
    with stage("correcting and recovering the field"):
        W = correct(conductor, V)
        E = -conductor.gradient(V + W)
        E -= A[:, conductor.split.node]
    report = []
    for k, solve in enumerate(solves):
        heat = conductor.heat(V[k], A[k])
        whole = conductor.heat(np.zeros_like(V[k]), A[k])
        fed = whole - float(V[k] @ conductor.apply(V[k]))
        report.append(
            SourceReport(
                power=heat,
                energy_balance=abs(fed - heat) / heat,
                iterations=solve.iterations,
                residual=solve.residual,
            )
        )
    return make_basis(
        mesh,
        conductor.split,
        names=names,
        unit="A/s",
        E=E,
        potential=V,
        report=report,
        anisotropic=conductor.anisotropic,
        correction=W,
    )
