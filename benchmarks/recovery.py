"""Which field for which cost: linear and quadratic elements, raw, averaged, recovered, corrected.

    ./run python benchmarks/recovery.py methods      # the table of methods
    ./run python benchmarks/recovery.py estimate     # estimated over true error on three meshes
    ./run python benchmarks/recovery.py cost         # CPU seconds and memory of the recovery

Three-layer sphere (85/90/95 mm), errors of E against the exact fields: relative L2 norms from the
four Gauss points of 20,000 tetrahedra of each tissue. "Interfaces" are the tetrahedra of brain and
skull with a node on the sphere between them. CPU seconds of one core need NUMBA_NUM_THREADS=1 and
OMP_NUM_THREADS=1. Sources: a magnetic dipole 10 mm above the scalp, one at 300 mm, point electrodes
at the poles (what lies within 15 mm of them, or 1.3 mm of the scalp's surface, is left out).
"""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.correction import correct
from rheobase.fields.error import estimate_error
from rheobase.fields.recovery import recovery, split_nodes
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import LayeredSphere, magnetic_dipole_field
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_spheres

RADII, LABELS, SIGMA = (0.085, 0.090, 0.095), (2, 4, 5), (0.33, 0.01, 0.33)
SPHERE = LayeredSphere(radii=RADII, sigma=SIGMA)
DIPOLES = {"near": np.array([0, 0, 0.105]), "far": np.array([0, 0, 0.300])}
SOURCES = (*DIPOLES, "poles")
MOMENT = np.array([1.0, 0.0, 0.0])
A, B = 0.5854101966249685, 0.1381966011250105
GAUSS = np.array([[A if i == j else B for j in range(4)] for i in range(4)])
EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


def vector_potential(name: str, points: np.ndarray) -> np.ndarray:
    return magnetic_dipole(DIPOLES[name], MOMENT).vector_potential(points)


def gradients(mesh: TetMesh, tets: np.ndarray) -> np.ndarray:
    """Gradients of the hat functions, shape (n, 4, 3)."""
    corners = np.concatenate([np.ones((len(tets), 4, 1)), mesh.nodes[mesh.tets[tets]]], axis=2)
    return np.linalg.inv(corners)[:, 1:].transpose(0, 2, 1)


@dataclass
class Sample:
    """Tetrahedra to compare on, and the exact fields at their Gauss points."""

    tets: np.ndarray
    points: np.ndarray
    weight: np.ndarray
    exact: dict[str, np.ndarray]
    use: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]


def sample(mesh: TetMesh, ends: np.ndarray) -> Sample:
    rng = np.random.default_rng(1)
    tets = []
    for label in LABELS:
        mine = np.flatnonzero(mesh.labels == label)
        tets.append(np.sort(rng.choice(mine, min(20_000, len(mine)), replace=False)))
    touching = (np.abs(np.linalg.norm(mesh.nodes, axis=1) - RADII[0]) < 1e-9)[mesh.tets].any(1)
    for label in LABELS[:2]:
        mine = np.flatnonzero((mesh.labels == label) & touching)
        tets.append(np.sort(rng.choice(mine, min(20_000, len(mine)), replace=False)))
    part = np.repeat(np.arange(5), [len(t) for t in tets])
    chosen = np.concatenate(tets)
    points = np.einsum("ga,taj->tgj", GAUSS, mesh.nodes[mesh.tets[chosen]])
    flat = points.reshape(-1, 3)
    exact = {n: magnetic_dipole_field(flat, d, MOMENT) for n, d in DIPOLES.items()}
    # the polyhedron's layers are not quite those of the sphere: take the label's
    radius = np.linalg.norm(flat, axis=1)
    layer = np.searchsorted(LABELS, np.repeat(mesh.labels[chosen], 4))
    inside = np.clip(radius, np.array([1e-9, *RADII])[layer] * (1 + 1e-9), np.array(RADII)[layer])
    moved = flat * (inside / radius)[:, None]
    away = [np.linalg.norm(flat - mesh.nodes[i], axis=1) for i in ends]
    good = (np.minimum(*away) > 0.015) & (radius < 0.0937)
    poles = np.zeros_like(flat)
    for some, terms in ((radius < 0.086, 400), (radius >= 0.086, 2600)):
        at = good & some
        pole = mesh.nodes[ends]
        poles[at] = SPHERE.point_electrodes(moved[at], pole[0], pole[1], n_terms=terms)[1]
    exact["poles"] = poles
    use = {n: np.ones(len(flat), bool) for n in DIPOLES} | {"poles": good}
    names = ("brain", "skull", "scalp", "interface, brain", "interface, skull")
    masks = {n: np.repeat(part == k, 4) for k, n in enumerate(names)}
    weight = np.repeat(mesh.volumes()[chosen], 4)
    return Sample(chosen, flat, weight, exact, use, masks)


def errors(s: Sample, field: Callable[[str], np.ndarray]) -> dict[str, list[float]]:
    """Relative L2 errors (%) of E at the sample's points, by source and place."""
    out = {}
    for name in SOURCES:
        wrong = ((field(name) - s.exact[name]) ** 2).sum(1)
        size = (s.exact[name] ** 2).sum(1)
        out[name] = []
        for mask in s.masks.values():
            at = mask & s.use[name]
            out[name].append(100 * np.sqrt((s.weight[at] @ wrong[at]) / (s.weight[at] @ size[at])))
    return out


def show(title: str, unknowns: int, cpu: float, found: dict[str, list[float]]) -> None:
    cells = " | ".join(" / ".join(f"{e:.2f}" for e in found[n]) for n in SOURCES)
    print(f"| {title} | {unknowns:,} | {cpu:.2f} | {cells} |", flush=True)


def poles(mesh: TetMesh) -> np.ndarray:
    ends = ([0, 0, RADII[-1]], [0, 0, -RADII[-1]])
    return np.array([int(((mesh.nodes - p) ** 2).sum(1).argmin()) for p in ends])


def linear(edge: float) -> TetMesh:
    """Linear elements: raw, averaged, recovered and corrected."""
    mesh = mesh_spheres(RADII, LABELS, edge)
    ends = poles(mesh)
    s = sample(mesh, ends)
    start = time.process_time()
    c = Conductor(mesh, dict(zip(LABELS, SIGMA, strict=True)))
    ready = time.process_time() - start
    fields = np.stack([vector_potential(n, mesh.nodes) for n in DIPOLES])
    start = time.process_time()
    b = np.concatenate([c.induced_load(fields), np.zeros((1, len(mesh.nodes)))])
    b[2, ends] = 1.0, -1.0
    V = np.concatenate([c.solve(row)[0] for row in b])
    solved = ready + (time.process_time() - start) / 3
    g = gradients(mesh, s.tets)
    A_at = {n: vector_potential(n, s.points) for n in DIPOLES} | {"poles": 0.0}

    def raw(name: str) -> np.ndarray:
        v = V[SOURCES.index(name)][mesh.tets[s.tets]]
        return -np.repeat(np.einsum("ta,taj->tj", v, g), 4, axis=0) - A_at[name]

    def nodal(gradient: np.ndarray) -> Callable[[str], np.ndarray]:
        at_points = np.einsum("ga,ktaj->ktgj", GAUSS, gradient[:, c.split.of_tet[s.tets]])
        flat = at_points.reshape(3, -1, 3)
        return lambda name: -flat[SOURCES.index(name)] - A_at[name]

    label = f"{edge * 1e3:g} mm, {len(mesh.tets) / 1e6:.2f} M"
    show(f"P1, element field ({label})", len(mesh.nodes), solved, errors(s, raw))
    start = time.process_time()
    c.split  # noqa: B018
    slope = np.einsum("kta,taj->ktj", V[:, mesh.tets], gradients(mesh, np.arange(len(mesh.tets))))
    w, at, n = np.repeat(mesh.volumes(), 4), c.split.of_tet.ravel(), len(c.split.node)
    mean = np.empty((3, n, 3))
    for k in range(3):
        for j in range(3):
            mean[k, :, j] = np.bincount(at, w * np.repeat(slope[k, :, j], 4), n)
    mean /= np.bincount(at, w, n)[:, None]
    averaged = solved + (time.process_time() - start) / 3
    show(f"P1, averaged at nodes ({label})", len(mesh.nodes), averaged, errors(s, nodal(mean)))
    start = time.process_time()
    c.recovery  # noqa: B018
    fitted = time.process_time() - start
    start = time.process_time()
    G = c.recovery.gradient(V)
    recovered = solved + fitted + (time.process_time() - start) / 3
    show(f"P1, recovered ({label})", len(mesh.nodes), recovered, errors(s, nodal(G)))
    start = time.process_time()
    W = np.concatenate([correct(c, V[:1]), correct(c, V[1:2]), correct(c, V[2:], singular=ends)])
    G += c.recovery.gradient(W)
    done = recovered + (time.process_time() - start) / 3
    show(f"**P1, corrected, recovered** ({label})", len(mesh.nodes), done, errors(s, nodal(G)))
    return mesh


def quadratic(mesh: TetMesh, edge: float) -> None:
    """Quadratic elements on the same mesh: assembled by DOLFINx, solved by CG with GAMG."""
    from scipy.spatial import cKDTree

    from rheobase._dolfinx import petsc
    from rheobase.fields.operators import assemble_stiffness

    PETSc = petsc()
    ends = poles(mesh)
    s = sample(mesh, ends)
    sigma = np.array(SIGMA)[np.searchsorted(LABELS, mesh.labels)]
    pairs = np.sort(mesh.tets[:, EDGES], axis=2).reshape(-1, 2).astype(np.int64)
    key, inverse = np.unique(pairs[:, 0] * len(mesh.nodes) + pairs[:, 1], return_inverse=True)
    first, second = key // len(mesh.nodes), key % len(mesh.nodes)
    middle = 0.5 * (mesh.nodes[first] + mesh.nodes[second])
    of_tet = np.concatenate([mesh.tets, len(mesh.nodes) + inverse.reshape(-1, 6)], axis=1)
    start = time.process_time()
    K, positions = assemble_stiffness(mesh, sigma, degree=2)
    assembled = time.process_time() - start
    _, place = cKDTree(positions).query(np.concatenate([mesh.nodes, middle]))
    of_tet = place[of_tet]

    def slopes(tets: np.ndarray, rule: np.ndarray) -> np.ndarray:
        """Gradients of the ten functions at barycentric points, (n_tets, n_points, 10, 3)."""
        g = gradients(mesh, tets)
        corner = np.einsum("pa,taj->tpaj", 4 * rule - 1, g)
        side = np.stack(
            [4 * (rule[:, i, None] * g[:, None, j] + rule[:, j, None] * g[:, None, i])
             for i, j in EDGES], axis=2
        )  # fmt: skip
        return np.concatenate([corner, side], axis=2)

    b = np.zeros((3, len(positions)))
    volume = mesh.volumes()
    for k, name in enumerate(DIPOLES):
        for tets in np.array_split(np.arange(len(mesh.tets)), 20):
            points = np.einsum("ga,taj->tgj", GAUSS, mesh.nodes[mesh.tets[tets]])
            field = vector_potential(name, points.reshape(-1, 3)).reshape(points.shape)
            load = np.einsum("tgaj,tgj->ta", slopes(tets, GAUSS), field)
            load *= -(sigma * volume / 4)[tets, None]
            b[k] += np.bincount(of_tet[tets].ravel(), load.ravel(), len(positions))
    b[2, place[ends]] = 1.0, -1.0
    start = time.process_time()
    ground = int((positions**2).sum(1).argmin())
    lo, hi = K.indptr[ground], K.indptr[ground + 1]
    scale = K[ground, ground]
    K.data[lo:hi] = 0.0
    K.data[K.indices == ground] = 0.0
    K.data[lo:hi][K.indices[lo:hi] == ground] = scale
    rows, columns = K.indptr.astype(np.int32), K.indices.astype(np.int32)
    matrix = PETSc.Mat().createAIJ(K.shape, csr=(rows, columns, K.data))
    options = PETSc.Options()
    for key_, value in {
        "ksp_type": "cg", "ksp_norm_type": "unpreconditioned", "pc_type": "gamg",
        "pc_gamg_threshold": 0.04, "pc_gamg_threshold_scale": 0.5, "ksp_rtol": 1e-8,
        "mg_levels_ksp_type": "richardson", "mg_levels_ksp_max_it": 1, "mg_levels_pc_type": "sor",
    }.items():  # fmt: skip
        options[key_] = value
    ksp = PETSc.KSP().create()
    ksp.setOperators(matrix)
    ksp.setFromOptions()
    ksp.setUp()
    ready = time.process_time() - start
    x, y = matrix.createVecs()
    V = np.empty_like(b)
    start = time.process_time()
    for k in range(3):
        row = b[k].copy()
        row[ground] = 0.0
        y.setArray(row)
        ksp.solve(y, x)
        V[k] = x.getArray()
    cpu = assembled + ready + (time.process_time() - start) / 3
    at = slopes(s.tets, GAUSS)

    def field(name: str) -> np.ndarray:
        v = V[SOURCES.index(name)][of_tet[s.tets]]
        E = -np.einsum("ta,tgaj->tgj", v, at).reshape(-1, 3)
        return E - vector_potential(name, s.points) if name in DIPOLES else E

    label = f"{edge * 1e3:g} mm, {len(mesh.tets) / 1e6:.2f} M"
    title = f"P2, element field ({label}; {ksp.getIterationNumber()} iterations)"
    show(title, len(positions), cpu, errors(s, field))


def methods() -> None:
    print("Errors (%): brain / skull / scalp / interface, brain / interface, skull.\n")
    print("| method | unknowns | CPU-s | near | far | poles |\n|---|---|---|---|---|---|")
    linear(0.012)  # compiles; not a row of the table
    mesh = linear(0.004)
    quadratic(mesh, 0.004)
    linear(0.002)


def estimate() -> None:
    """Estimated over true relative L2 error of the nodal field, by tissue."""
    from rheobase.fields.basis import make_basis

    print("| source | mesh | tissue | true | estimated | ratio |\n|---|---|---|---|---|---|")
    ratios = []
    for edge in (0.0055, 0.004, 0.003):
        mesh = mesh_spheres(RADII, LABELS, edge)
        c = Conductor(mesh, dict(zip(LABELS, SIGMA, strict=True)))
        ends = poles(mesh)
        A_nodes = np.stack([vector_potential(n, mesh.nodes) for n in DIPOLES])
        b = np.concatenate([c.induced_load(A_nodes), np.zeros((1, len(mesh.nodes)))])
        b[2, ends] = 1.0, -1.0
        V = c.solve(b)[0]
        W = np.concatenate([correct(c, V[:2]), correct(c, V[2:], singular=ends)])
        E = -c.recovery.gradient(V + W)
        E[:2] -= A_nodes[:, c.split.node]
        reports = (None,) * 3
        basis = make_basis(
            mesh, c.split, names=SOURCES, unit="A", E=E, potential=V, report=reports,
            anisotropic=(), correction=W,
        )  # fmt: skip
        p = basis.split_position
        radius = np.linalg.norm(p, axis=1)
        layer = np.searchsorted(LABELS, basis.split_label)
        low = np.array([0.0, *RADII])[layer] * (1 + 1e-9)
        moved = (
            p * (np.clip(radius, low, np.array(RADII)[layer]) / np.maximum(radius, 1e-12))[:, None]
        )
        away = np.minimum(*(np.linalg.norm(p - mesh.nodes[i], axis=1) for i in ends))
        for k, name in enumerate(SOURCES):
            good = np.ones(len(p), bool)
            if name == "poles":
                good = (away > 0.015) & (radius < 0.0937)
                exact = np.zeros_like(p)
                for some, terms in ((radius < 0.086, 400), (radius >= 0.086, 2600)):
                    at = good & some
                    exact[at] = SPHERE.point_electrodes(
                        moved[at], *mesh.nodes[ends], n_terms=terms
                    )[1]
            else:
                exact = magnetic_dipole_field(p, DIPOLES[name], MOMENT)
            eta = estimate_error(basis, np.eye(3)[k])
            true = np.linalg.norm(E[k] - exact, axis=1)
            for label, tissue in zip(LABELS, ("brain", "skull", "scalp"), strict=True):
                at = good & (basis.split_label == label)
                w, size = basis.split_volume[at], (exact[at] ** 2).sum(1)
                t, e = (100 * np.sqrt(w @ x[at] ** 2 / (w @ size)) for x in (true, eta))
                ratios.append(e / t)
                print(f"| {name} | {edge * 1e3:g} mm, {len(mesh.tets) / 1e6:.2f} M | {tissue} "
                      f"| {t:.2f} % | {e:.2f} % | {e / t:.2f} |", flush=True)  # fmt: skip
    print(f"ratio from {min(ratios):.2f} to {max(ratios):.2f}, median {np.median(ratios):.2f}")


def cost() -> None:
    recovery(small := mesh_spheres(RADII, LABELS, 0.012), split_nodes(small))
    for edge in (0.004, 0.002):
        mesh = mesh_spheres(RADII, LABELS, edge)
        clock = [time.process_time()]
        split = split_nodes(mesh)
        split.neighbours  # noqa: B018
        clock.append(time.process_time())
        fits = recovery(mesh, split)
        clock.append(time.process_time())
        V = np.random.default_rng(1).standard_normal((16, len(mesh.nodes)))
        fits.gradient(V[:1])
        clock.append(time.process_time())
        fits.gradient(V)
        clock.append(time.process_time())
        n = len(split.node) / 1e6
        size = (fits.patch.nbytes + fits.weight.nbytes) / 2**20
        step = np.diff(clock)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{edge * 1e3:g} mm: {n:.3f} M split nodes; per M: pairs {step[0] / n:.2f}, fits "
            f"{step[1] / n:.2f}, a field {step[3] / 16 / n:.3f} CPU-s; fits {size:.0f} MB; peak "
            f"{peak:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    {"methods": methods, "estimate": estimate, "cost": cost}[sys.argv[1]]()
