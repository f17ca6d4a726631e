"""Which mesh of a lead is cheaper: case A (3389 in a sphere) on three kinds of mesh.

Body-fitted hexahedra of high order (`rheobase.fields.dbs`), the exact shape by Netgen with curved
tetrahedra of second order (solved here, in this benchmark only), and the lead carved into the
lattice of the mesher with linear tetrahedra (`rheobase.meshes.insertion`, Conductor).

Run as ``python benchmarks/dbs_meshes.py [hexahedra] [netgen] [lattice]``; kernels are compiled
before. Times are CPU seconds of the process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from rheobase.fields.dbs.grid.domains import sphere_domain
from rheobase.fields.dbs.solution.factor import factorise
from rheobase.fields.dbs.solution.response import unit_responses
from rheobase.fields.dbs.steering.steer import steer
from rheobase.fields.dbs.volumes.activated import FieldCriterion, activated, sample_lead
from rheobase.fields.solver import Conductor
from rheobase.meshes.insertion.bodies import lead
from rheobase.meshes.insertion.insert import insert
from rheobase.meshes.leads.catalogue import lead_model
from rheobase.meshes.leads.lead import place_lead
from rheobase.meshes.leads.medium import uniform
from rheobase.meshes.mesher import carve_indicators
from rheobase.validation.axisymmetric import Reference
from rheobase.validation.axisymmetric_mesh import Setting

Floats = NDArray[np.float64]
SIGMA, REACH, MIDDLE, RADIUS = 0.2, 40e-3, 4.25e-3, 0.635e-3
CONTACT = (3.5e-3, 5.0e-3)
CURRENT, THRESHOLD = 1e-3, 200.0

#: Points and weights of Keast's rule with 15 points, degree 5, in barycentric coordinates.
_A, _B, _C = 1 / 3, 1 / 11, (0.4334498464263357, 0.0665501535736643)
_POINTS = np.array(
    [[0.25] * 4]
    + [[0.0 if i == k else _A for i in range(4)] for k in range(4)]
    + [[8 / 11 if i == k else _B for i in range(4)] for k in range(4)]
    + [
        [_C[0] if i in pair else _C[1] for i in range(4)]
        for pair in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    ]
)
_WEIGHTS = np.array(
    [0.1817020685825351]
    + [0.0361607142857143] * 4
    + [0.0698714945161738] * 4
    + [0.0656948493683187] * 6
)
_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A mesh, what it took (CPU-s) and what came out (ohm; m³ at 1 mA)."""

    name: str
    elements: int
    unknowns: int
    mesh: float
    solve: float
    impedance: float
    volume: float


def quadratic(bary: Floats) -> tuple[Floats, Floats]:
    """Return ten quadratic functions (q, 10) and their derivatives by x, y, z (q, 10, 3)."""
    d = np.array([[-1.0, -1, -1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    value = [bary[:, k] * (2 * bary[:, k] - 1) for k in range(4)]
    slope = [(4 * bary[:, [k]] - 1) * d[k] for k in range(4)]
    for i, j in _EDGES:
        value.append(4 * bary[:, i] * bary[:, j])
        slope.append(4 * (bary[:, [i]] * d[j] + bary[:, [j]] * d[i]))
    return np.stack(value, 1), np.stack(slope, 1)


def netgen_mesh(edge: float, rim: float, grading: float) -> tuple[Floats, NDArray[np.int64]]:
    """Return nodes (m) and tetrahedra with ten nodes of the sphere without the lead."""
    from netgen.meshing import MeshingParameters
    from netgen.occ import Cylinder, OCCGeometry, Pnt, Sphere, Z

    mm = 1e3
    top = 2 * REACH * mm
    r, low, high = RADIUS * mm, CONTACT[0] * mm, CONTACT[1] * mm
    shape = Sphere(Pnt(0, 0, MIDDLE * mm), REACH * mm) - Sphere(Pnt(0, 0, r), r)
    for a, b in ((r, low), (low, high), (high, top)):
        shape = shape - Cylinder(Pnt(0, 0, a), Z, r, b - a)
    for face in shape.faces:
        if low < face.center.z < high and face.mass < 10:  # mm²: not the sphere
            face.maxh = edge * mm
            for e in face.edges:
                e.maxh = rim * mm
    mesh = OCCGeometry(shape).GenerateMesh(MeshingParameters(maxh=10.0, grading=grading))
    mesh.SecondOrder()
    tets = mesh.Elements3D().NumPy()["nodes"][:, :10].astype(np.int64) - 1
    return mesh.Coordinates() / mm, tets


def oriented(nodes: Floats, tets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bring Netgen's order of the corners and of the nodes on edges into the one of `quadratic`."""
    x = nodes[tets[:, :4]]
    corners = tets[:, :4]
    middle = nodes[tets[:, 4:]]
    out = [corners]
    for i, j in _EDGES:  # the node nearest to the middle of the edge
        gap = np.linalg.norm(middle - 0.5 * (x[:, [i]] + x[:, [j]]), axis=2)
        out.append(np.take_along_axis(tets[:, 4:], gap.argmin(1)[:, None], 1))
    found = np.concatenate(out, axis=1)
    flipped = np.linalg.det(x[:, 1:] - x[:, :1]) < 0
    found[flipped] = found[flipped][:, [0, 2, 1, 3, 5, 4, 6, 7, 9, 8]]
    return found


def p2_matrix(nodes: Floats, tets: NDArray[np.int64]) -> csr_array:
    """Assemble the isoparametric stiffness matrix (S)."""
    _, slope = quadratic(_POINTS)
    rows, data = [], []
    for start in range(0, len(tets), 20000):
        part = tets[start : start + 20000]
        J = np.einsum("qai,eac->eqic", slope, nodes[part])
        det = np.linalg.det(J)
        assert (det > 0).all()
        g = np.einsum("eqci,qai->eqac", np.linalg.inv(J), slope)
        g *= np.sqrt(SIGMA * det * _WEIGHTS / 6)[..., None, None]
        g = g.transpose(0, 2, 1, 3).reshape(len(part), 10, -1)
        data.append(g @ g.swapaxes(1, 2))
        rows.append(part)
    t, K = np.concatenate(rows), np.concatenate(data)
    i, j = np.repeat(t, 10, axis=1).ravel(), np.tile(t, (1, 10)).ravel()
    return csr_array(coo_array((K.ravel(), (i, j)), shape=(len(nodes), len(nodes))))


def netgen() -> Iterator[Measured]:
    """Solve on curved tetrahedra of second order."""
    for edge, rim, grading in (
        (0.6e-3, 0.3e-3, 0.3),
        (0.3e-3, 0.1e-3, 0.3),
        (0.15e-3, 0.04e-3, 0.3),
        (0.15e-3, 0.02e-3, 0.3),
    ):
        start = time.process_time()
        nodes, tets = netgen_mesh(edge, rim, grading)
        tets = oriented(nodes, tets)
        meshed = time.process_time()
        K = p2_matrix(nodes, tets)
        r, z = np.hypot(nodes[:, 0], nodes[:, 1]), nodes[:, 2]
        tiny = 1e-8
        metal = (np.abs(r - RADIUS) < tiny) & (z > CONTACT[0] - tiny) & (z < CONTACT[1] + tiny)
        sphere = np.abs(np.hypot(r, z - MIDDLE) - REACH) < tiny
        free = np.flatnonzero(~(metal | sphere))
        V = metal.astype(float)
        V[free] = factorise(csr_array(K[free][:, free])).solve(-(K @ V)[free][:, None])[:, 0]
        Z = 1 / float(V @ (K @ V))
        done = time.process_time()
        volume = _p2_volume(nodes, tets, V * Z * CURRENT)
        yield Measured(
            name=f"Netgen, curved second order: contact {edge * 1e3:g}, rim {rim * 1e3:g} mm",
            elements=len(tets),
            unknowns=len(free),
            mesh=meshed - start,
            solve=done - meshed,
            impedance=Z,
            volume=volume,
        )


def _p2_volume(nodes: Floats, tets: NDArray[np.int64], V: Floats) -> float:
    """Integrate where |E| exceeds the threshold, by 364 points an element."""
    n = 12
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3)
    grid = (grid[grid.sum(1) < n] + 0.25) / n
    bary = np.column_stack([1 - grid.sum(1), grid])
    near = tets[np.linalg.norm(nodes[tets[:, 0]] - (0, 0, MIDDLE), axis=1) < 4e-3]
    _, slope = quadratic(bary)
    total = 0.0
    for start in range(0, len(near), 2000):
        part = near[start : start + 2000]
        J = np.einsum("qai,eac->eqic", slope, nodes[part])
        g = np.einsum("qai,ea->eqi", slope, V[part])
        E = np.linalg.norm(np.linalg.solve(J, g[..., None])[..., 0], axis=-1)
        total += float((np.linalg.det(J) * (E > THRESHOLD)).sum()) / 6 / len(bary)
    return total


def lattice() -> Iterator[Measured]:
    """Carve the lead into the lattice and solve with linear tetrahedra; contact and sphere: metal.

    The volume is that of the tetrahedra whose field exceeds the threshold.
    """
    wall = 42e-3

    def ball(points: Floats) -> Floats:
        r = np.linalg.norm(points - (0, 0, MIDDLE), axis=1)
        return np.stack([r - wall, REACH - r, np.minimum(r - REACH, wall - r)], axis=1)

    box = [[-0.045, -0.045, MIDDLE - 0.045], [0.045, 0.045, MIDDLE + 0.045]]
    for edge in (0.32e-3, 0.2e-3, 0.14e-3):
        start = time.process_time()
        carved = carve_indicators([0, 1, 2], ball, box, 3e-3)
        bodies = lead(
            [0, 0, 0],
            [0, 0, MIDDLE + 0.041],
            2e3 * RADIUS,
            [(1e3 * CONTACT[0], 1e3 * CONTACT[1])],
            name="lead",
            shaft=3,
            contacts=[4],
            edge_length=edge,
        )
        mesh = insert(carved, bodies).mesh
        meshed = time.process_time()
        conductor = Conductor(mesh, {1: SIGMA, 2: 1e3, 3: 1e-5, 4: 1e3}, rtol=1e-7)
        b = np.zeros(len(mesh.nodes))
        ends = [np.unique(mesh.tets[mesh.labels == label]) for label in (4, 2)]
        for nodes, current in zip(ends, (1.0, -1.0), strict=True):
            b[nodes] += current / len(nodes)
        V = conductor.solve(b)[0][0]
        Z = float(V[ends[0]].mean() - V[ends[1]].mean())
        done = time.process_time()
        x = mesh.nodes[mesh.tets]
        sides = x[:, 1:] - x[:, :1]
        near = (mesh.labels == 1) & (np.linalg.norm(x[:, 0] - (0, 0, MIDDLE), axis=1) < 6e-3)
        drops = (V[mesh.tets[near, 1:]] - V[mesh.tets[near, :1]])[..., None]
        E = np.linalg.norm(np.linalg.solve(sides[near], drops)[..., 0], axis=1) * CURRENT
        size = np.abs(np.linalg.det(sides[near])) / 6
        yield Measured(
            name=f"lattice, linear: {edge * 1e3:g} mm at the lead",
            elements=len(mesh.tets),
            unknowns=len(mesh.nodes),
            mesh=meshed - start,
            solve=done - meshed,
            impedance=Z,
            volume=float(size[E > THRESHOLD].sum()),
        )


def hexahedra() -> Iterator[Measured]:
    """Solve on hexahedra that fit the lead."""
    place = place_lead(lead_model("Medtronic 3389"), target=(0, 0, 0), direction=(0, 0, 1))
    domain = sphere_domain(REACH, (0, 0, MIDDLE))
    for resolution in (0.6, 0.8, 1.0, 1.3):
        made = unit_responses(
            place, uniform(SIGMA), domain, insulated=(1, 3, 4), resolution=resolution
        )
        sampled = sample_lead(made)
        volume = activated(
            steer(made, {2: CURRENT}), FieldCriterion(threshold=THRESHOLD), sampled=sampled
        ).volume
        mesh, factor, solve = made.report.seconds
        yield Measured(
            name=f"fitted hexahedra, order {made.grid.order}: resolution {resolution:g}",
            elements=made.grid.n_elements,
            unknowns=made.report.unknowns,
            mesh=mesh,
            solve=factor + solve,
            impedance=float(made.Z[0, 0]),
            volume=volume,
        )


KINDS = {f.__name__: f for f in (hexahedra, netgen, lattice)}


def main() -> None:
    """Print a Markdown table."""
    exact = Reference(Setting(contacts=(CONTACT,)), order=7, levels=6)
    Z = float(exact.impedance[0, 0].real)
    volume = float(exact.volumes([CURRENT], THRESHOLD)[0])
    print(f"exact: {Z:.3f} ohm, {volume * 1e9:.3f} mm³ at 1 mA\n")
    print("| mesh | elements | unknowns | mesh CPU-s | solve CPU-s | impedance | volume |")
    print("|---|---|---|---|---|---|---|")
    for kind in sys.argv[1:] or KINDS:
        next(KINDS[kind]())  # kernels
        for m in KINDS[kind]():
            far, off = m.impedance / Z - 1, m.volume / volume - 1
            print(
                f"| {m.name} | {m.elements:,} | {m.unknowns:,} | {m.mesh:.1f} | {m.solve:.1f} "
                f"| {100 * far:+.2f} % | {100 * off:+.2f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
