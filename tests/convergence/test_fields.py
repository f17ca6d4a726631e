"""Observed order of the field solver on refinement, with the error reached."""

import numpy as np
import pytest

from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.correction import correct
from rheobase.fields.induction import solve_induction
from rheobase.fields.operators import assemble_stiffness
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import LayeredSphere, magnetic_dipole_field
from rheobase.fields.tensors import Tensors, components
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_spheres
from rheobase.validation.closed_forms import boundary_load

pytestmark = pytest.mark.convergence


def order(edges: list[float], errors: list[float]) -> float:
    """Slope of log(error) over log(edge)."""
    return float(np.polyfit(np.log(edges), np.log(errors), 1)[0])


def cube(n: int) -> TetMesh:
    """Unit cube in n³ cubes of six tetrahedra."""
    line = np.linspace(0, 1, n + 1)
    nodes = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    number = np.arange((n + 1) ** 3).reshape(n + 1, n + 1, n + 1)
    tets = []
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2)):
        steps = np.concatenate(
            [np.zeros((1, 3), int), np.cumsum(np.eye(3, dtype=int)[[a, b, c]], 0)]
        )
        tet = np.stack([number[i : i + n, j : j + n, k : k + n].ravel() for i, j, k in steps], 1)
        even = np.linalg.det(np.eye(3)[[a, b, c]]) > 0
        tets.append(tet if even else tet[:, [0, 2, 1, 3]])
    tetrahedra = np.concatenate(tets).astype(np.int32)
    return TetMesh(nodes=nodes, tets=tetrahedra, labels=np.ones(len(tetrahedra), np.int32))


def harmonic(p: np.ndarray) -> np.ndarray:
    V: np.ndarray = np.exp(2 * p[:, 0]) * np.sin(2 * p[:, 1]) + p[:, 2]
    return V


def average_gradient(mesh: TetMesh, V: np.ndarray) -> np.ndarray:
    """Volume-weighted mean of the element gradients at the nodes, shape (n_nodes, 3)."""
    corners = np.concatenate([np.ones((len(mesh.tets), 4, 1)), mesh.nodes[mesh.tets]], axis=2)
    slope = np.linalg.inv(corners)[:, 1:] @ V[mesh.tets][:, :, None]
    w = np.repeat(mesh.volumes(), 4)
    at, n = mesh.tets.ravel(), len(mesh.nodes)
    sums = [np.bincount(at, w * np.repeat(slope[:, j, 0], 4), n) for j in range(3)]
    return np.stack(sums, 1) / np.bincount(at, w, n)[:, None]


def gradient(p: np.ndarray) -> np.ndarray:
    e = 2 * np.exp(2 * p[:, 0])
    return np.stack([e * np.sin(2 * p[:, 1]), e * np.cos(2 * p[:, 1]), np.ones(len(p))], 1)


def test_potential_and_recovered_field_of_a_harmonic_function() -> None:
    edges, potential, recovered, uncorrected, averaged = [], [], [], [], []
    for n in (8, 12, 18):
        mesh = cube(n)
        c = Conductor(mesh, {1: 1.0})
        b = boundary_load(mesh, lambda p, normal: (gradient(p) * normal).sum(1))
        V = c.solve(b - b.mean())[0][0]
        exact = harmonic(mesh.nodes)
        V -= (V - exact).mean()
        truth = gradient(mesh.nodes[c.split.node])
        E = c.recovery.gradient(V + correct(c, V[None])[0])[0]
        plain, mean = c.recovery.gradient(V)[0], average_gradient(mesh, V)
        edges.append(1 / n)
        potential.append(np.linalg.norm(V - exact) / np.linalg.norm(exact - exact.mean()))
        recovered.append(np.linalg.norm(E - truth) / np.linalg.norm(truth))
        uncorrected.append(np.linalg.norm(plain - truth) / np.linalg.norm(truth))
        averaged.append(np.linalg.norm(mean - truth) / np.linalg.norm(truth))
    assert order(edges, potential) > 1.85
    assert potential[-1] < 4e-3
    assert order(edges, recovered) > 1.95
    assert recovered[-1] < 3e-3
    assert recovered[-1] < 0.35 * uncorrected[-1]
    assert recovered[-1] < 0.1 * averaged[-1]


def test_quadratic_elements_reach_third_order() -> None:
    from scipy.sparse.linalg import spsolve

    edges, errors = [], []
    for n in (4, 6, 9):
        mesh = cube(n)
        K, x = assemble_stiffness(mesh, np.ones(len(mesh.tets)), degree=2)
        fixed = (np.abs(x - 0.5).max(axis=1)) > 0.5 - 1e-9
        V = harmonic(x)
        V[~fixed] = 0.0
        free = np.flatnonzero(~fixed)
        V[free] = spsolve(K[free][:, free].tocsc(), -(K @ V)[free])
        edges.append(1 / n)
        errors.append(np.abs(V - harmonic(x)).max())
    assert order(edges, errors) > 2.9
    assert errors[-1] < 2e-4


def test_three_layer_sphere_with_point_electrodes() -> None:
    radii, sigma = (0.06, 0.08, 0.095), (0.33, 0.01, 0.33)
    sphere = LayeredSphere(radii=radii, sigma=sigma)
    edges, errors = [0.009, 0.0065, 0.0045], []
    for edge in edges:
        mesh = mesh_spheres(radii, (2, 4, 5), edge)
        c = Conductor(mesh, dict(zip((2, 4, 5), sigma, strict=True)))
        ends = [
            int(((mesh.nodes - p) ** 2).sum(1).argmin()) for p in ([0, 0, 0.095], [0, 0.095, 0])
        ]
        b = np.zeros(len(mesh.nodes))
        b[ends] = 1.0, -1.0
        V = c.solve(b)[0][0]
        brain = np.linalg.norm(mesh.nodes, axis=1) < 0.06
        exact = sphere.point_electrodes(mesh.nodes[brain], *mesh.nodes[ends])[0]
        found = V[brain] - (V[brain] - exact).mean()
        errors.append(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    assert order(edges, errors) > 1.8
    assert errors[-1] < 2e-3


def test_induced_field_in_a_sphere() -> None:
    """Inside, the order of the method; at the surface, that of a polyhedron's normals."""
    edges, errors, inner, surface = [0.012, 0.008, 0.0055], [], [], []
    for edge in edges:
        c = Conductor(mesh_spheres((0.09,), (2,), edge), {2: 0.33})
        basis = solve_induction(c, magnetic_dipole([0, 0, 0.3], [1.0, 0, 0]))
        exact = magnetic_dipole_field(basis.split_position, [0, 0, 0.3], [1.0, 0, 0])
        wrong = np.linalg.norm(basis.E[0] - exact, axis=1)
        size = np.linalg.norm(exact, axis=1)
        w = basis.split_volume
        errors.append(np.sqrt((w @ wrong**2) / (w @ size**2)))
        deep = np.linalg.norm(basis.split_position, axis=1) < 0.07
        inner.append(np.linalg.norm(wrong[deep]) / np.linalg.norm(size[deep]))
        rim = np.linalg.norm(basis.split_position, axis=1) > 0.09 - 1e-9
        surface.append(np.linalg.norm(wrong[rim]) / np.linalg.norm(size[rim]))
    assert order(edges, inner) > 1.8
    assert inner[-1] < 2e-4
    assert order(edges, errors) > 1.7
    assert errors[-1] < 2e-3
    assert order(edges, surface) > 1.1
    assert surface[-1] < 6e-3


def test_potential_and_recovered_field_under_anisotropy() -> None:
    """V(x) = f(S x), f harmonic, solves div(R grad V) = 0 where S R S = 1."""
    turn = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    S = turn @ np.diag([9.0**-0.5, 1.0, 2.0**-0.5]) @ turn.T
    R = np.linalg.inv(S @ S)
    edges, potential, recovered, uncorrected = [], [], [], []
    for n in (8, 12, 18):
        mesh = cube(n)
        every = np.arange(len(mesh.tets), dtype=np.int32)
        c = Conductor(
            mesh,
            {1: 0.7},
            tensors=Tensors(tets=every, values=np.tile(components(R), (len(every), 1))),
        )
        b = boundary_load(mesh, lambda p, normal: 0.7 * ((gradient(p @ S) @ S @ R) * normal).sum(1))
        V = c.solve(b - b.mean())[0][0]
        exact = harmonic(mesh.nodes @ S)
        V -= (V - exact).mean()
        E = c.recovery.gradient(V + correct(c, V[None])[0])[0]
        plain = c.recovery.gradient(V)[0]
        truth = gradient(mesh.nodes[c.split.node] @ S) @ S
        edges.append(1 / n)
        potential.append(np.linalg.norm(V - exact) / np.linalg.norm(exact - exact.mean()))
        recovered.append(np.linalg.norm(E - truth) / np.linalg.norm(truth))
        uncorrected.append(np.linalg.norm(plain - truth) / np.linalg.norm(truth))
    assert order(edges, potential) > 1.9
    assert potential[-1] < 2e-3
    assert order(edges, uncorrected) > 1.8
    assert uncorrected[-1] < 6e-3
    assert order(edges, recovered) > 1.95
    assert recovered[-1] < 1.5e-3
