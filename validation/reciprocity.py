"""Reciprocity: source and detector swapped, in isotropic and in anisotropic spheres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.induction import solve_induction
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import MU0_OVER_4PI, magnetic_dipole_field
from rheobase.fields.tensors import Tensors, components
from rheobase.meshes.mesher import mesh_spheres
from rheobase.validation.case import Row
from rheobase.validation.sphere import DIPOLE, LABELS, MOMENT, SIGMA


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
    fibres = Conductor(c.mesh, c.sigma, tensors=_fibres(c))
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
        _reciprocal(
            "the same where conductivity is 9 : 1 along turning fibres",
            *_coil_and_dipole(fibres),
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


def _fibres(c: Conductor) -> Tensors:
    """Return tensors 9 : 1 along fibres that turn about two axes."""
    x, y, z = c.mesh.centroids().T / 0.095
    v = np.stack([np.cos(2 * z), np.sin(2 * z), np.sin(3 * x + y)], axis=1)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    R = (np.eye(3) + 8 * v[:, :, None] * v[:, None, :]) / np.cbrt(9.0)
    return Tensors(tets=np.arange(len(v), dtype=np.int32), values=components(R))


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
    J = c.flux(-np.einsum("tja,ta->tj", all_gradients, V[mesh.tets]))
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
