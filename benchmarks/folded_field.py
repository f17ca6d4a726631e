"""Recovery, correction and error estimate on a folded head with layers one element thin.

    ./run python benchmarks/folded_field.py [EDGE_MM]

An eighth of the folded ellipsoid (white, grey, CSF, skull, scalp) meshed from its label image, 4 mm
by default. The reference is on the same geometry: every tetrahedron split in 8, twice. Fields are
compared as means over the tetrahedra of the first mesh: raw linear elements against the mean over
their 64 children, which owes nothing to any recovery; and against the corrected field of the finest
mesh. Sources: a magnetic dipole 15 mm above the scalp; two uniform pads of 20 mm. What lies within
two rings of the pads or beyond 60 mm of the dipole's foot is left out. Printed: relative L2 error
(%), and the 99.9th percentile of |E| over that of the reference.
"""

import sys

import numpy as np

from rheobase.fields.basis import make_basis
from rheobase.fields.coils.coil import magnetic_dipole
from rheobase.fields.correction import correct
from rheobase.fields.error import estimate_error
from rheobase.fields.recovery import recovery
from rheobase.fields.solver import Conductor
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_image
from rheobase.validation.label_images import folded_head

SIGMA = {1: 0.126, 2: 0.275, 3: 1.654, 4: 0.01, 5: 0.465}
TISSUES = ("white", "grey", "CSF", "skull", "scalp")
PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
CHILDREN = np.array(  # corners 0 to 3, middles of PAIRS 4 to 9
    [
        (0, 4, 5, 6),
        (4, 1, 7, 8),
        (5, 7, 2, 9),
        (6, 8, 9, 3),
        (4, 5, 6, 8),
        (4, 5, 8, 7),
        (5, 6, 8, 9),
        (5, 7, 9, 8),
    ]
)


def split_in_8(mesh: TetMesh) -> TetMesh:
    n = len(mesh.nodes)
    pairs = np.sort(mesh.tets[:, PAIRS], axis=2).reshape(-1, 2).astype(np.int64)
    key, inverse = np.unique(pairs[:, 0] * n + pairs[:, 1], return_inverse=True)
    middle = 0.5 * (mesh.nodes[key // n] + mesh.nodes[key % n])
    ten = np.concatenate([mesh.tets, n + inverse.reshape(-1, 6)], axis=1)
    tets = ten[:, CHILDREN].reshape(-1, 4).astype(np.int32)
    nodes = np.concatenate([mesh.nodes, middle])
    corner = nodes[tets]
    negative = np.linalg.det(corner[:, 1:] - corner[:, :1]) < 0
    tets[negative] = tets[negative][:, [0, 2, 1, 3]]
    return TetMesh(nodes=nodes, tets=tets, labels=np.repeat(mesh.labels, 8))


def raw_field(mesh: TetMesh, V: np.ndarray) -> np.ndarray:
    out = np.empty((len(mesh.tets), 3))
    for some in np.array_split(np.arange(len(mesh.tets)), 20):
        corners = mesh.nodes[mesh.tets[some]]
        sides = corners[:, 1:] - corners[:, :1]
        drop = V[mesh.tets[some]][:, 1:] - V[mesh.tets[some]][:, :1]
        out[some] = -np.linalg.solve(sides, drop[:, :, None])[:, :, 0]
    return out


def pad_faces(mesh: TetMesh, centres: list[np.ndarray]) -> list[np.ndarray]:
    faces, _ = mesh.outer_faces()
    middle = mesh.nodes[faces].mean(axis=1)
    return [faces[np.linalg.norm(middle - c, axis=1) < 0.010] for c in centres]


def split_faces(mesh: TetMesh, fine: TetMesh, faces: np.ndarray) -> np.ndarray:
    """The outer faces of ``fine`` that lie in ``faces`` of ``mesh``."""
    outer, _ = fine.outer_faces()
    allowed = {tuple(f) for f in np.sort(faces, axis=1).tolist()}
    n = len(mesh.nodes)
    pairs = np.sort(mesh.tets[:, PAIRS], axis=2).reshape(-1, 2).astype(np.int64)
    key = np.unique(pairs[:, 0] * n + pairs[:, 1])
    ends = np.stack([key // n, key % n], 1)

    def parents(node: int) -> set[int]:
        return {node} if node < n else set(ends[node - n].tolist())

    near = np.isin(outer, np.arange(n)).any(axis=1) | True
    touched = np.zeros(len(fine.nodes), bool)
    touched[np.unique(faces)] = True
    both = touched[ends].all(axis=1)
    touched[n:][both] = True
    near &= touched[outer].all(axis=1)
    keep = []
    for face in outer[near]:
        corners = set().union(*(parents(int(i)) for i in face))
        if len(corners) == 3 and tuple(sorted(corners)) in allowed:
            keep.append(face)
    return np.array(keep)


def pad_load(mesh: TetMesh, pads: list[np.ndarray]) -> np.ndarray:
    b = np.zeros(len(mesh.nodes))
    for sign, faces in zip((1.0, -1.0), pads, strict=True):
        p = mesh.nodes[faces]
        area = 0.5 * np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)
        for j in range(3):
            np.add.at(b, faces[:, j], sign * area / (3 * area.sum()))
    return b


def top_of(mesh: TetMesh, direction: list[float]) -> np.ndarray:
    u = np.array(direction) / np.linalg.norm(direction)
    along = mesh.nodes @ u
    beside = np.linalg.norm(mesh.nodes - along[:, None] * u, axis=1)
    near = np.flatnonzero(beside < 5e-3)
    return mesh.nodes[near[along[near].argmax()]]


def main(edge: float) -> None:
    image = folded_head(2)
    image = image[image.shape[0] // 2 :, image.shape[1] // 2 :, image.shape[2] // 2 :]
    affine = np.diag([2e-3, 2e-3, 2e-3, 1.0])
    affine[:3, 3] = 1e-3
    mesh = mesh_image(image, affine, edge)
    mesh = TetMesh(nodes=mesh.nodes, tets=mesh.tets, labels=mesh.labels)
    half = split_in_8(mesh)
    fine = split_in_8(half)
    centres = [top_of(mesh, [0.5, 0.45, 0.74]), top_of(mesh, [0.85, 0.3, 0.3])]
    up = centres[0] / np.linalg.norm(centres[0])
    dipole = magnetic_dipole(centres[0] + 0.015 * up, np.cross(up, [0, 0, 1.0]))
    pads = pad_faces(mesh, centres)
    pads_half = [split_faces(mesh, half, f) for f in pads]
    pads_fine = [split_faces(half, fine, f) for f in pads_half]
    print(f"{edge * 1e3:g} mm: {len(mesh.tets):,}, {len(half.tets):,}, {len(fine.tets):,} tets")

    def solved(m: TetMesh, faces: list[np.ndarray]) -> tuple:
        c = Conductor(m, SIGMA)
        A = np.stack([dipole.vector_potential(m.nodes), np.zeros_like(m.nodes)])
        b = np.stack([c.induced_load(A[:1])[0], pad_load(m, faces)])
        V = np.concatenate([c.solve(row)[0] for row in b])
        W = np.concatenate(
            [correct(c, V[:1]), correct(c, V[1:], singular=np.unique(np.concatenate(faces)))]
        )
        return c, A, V, W

    c, A, V, W = solved(mesh, pads)
    ring = np.zeros(len(mesh.nodes), bool)
    ring[np.unique(np.concatenate(pads))] = True
    for _ in range(2):
        ring[mesh.tets[ring[mesh.tets].any(1)]] = True
    clear = ~ring[mesh.tets].any(1)
    near = np.linalg.norm(mesh.centroids() - centres[0], axis=1) < 0.06
    volume = mesh.volumes()
    touches = np.zeros((len(mesh.tets), 6), bool)
    at_node = np.zeros((len(mesh.nodes), 6), bool)
    for label in SIGMA:
        at_node[np.unique(mesh.tets[mesh.labels == label]), label] = True
    touches = at_node[mesh.tets].any(axis=1)
    places = {t: mesh.labels == k for k, t in enumerate(TISSUES, start=1)}
    places["grey at CSF"] = (mesh.labels == 2) & touches[:, 3]
    places["CSF at grey"] = (mesh.labels == 3) & touches[:, 2]

    def mean_of(split: np.ndarray, G: np.ndarray, k: int) -> np.ndarray:
        return -G[split].mean(1) - A[k][mesh.tets].mean(1)

    G0, G1 = c.recovery.gradient(V), c.recovery.gradient(V + W)
    quadratic = recovery(mesh, c.split, anisotropic=SIGMA).gradient(V)
    w, at, n = np.repeat(volume, 4), c.split.of_tet.ravel(), len(c.split.node)
    averaged = np.empty_like(G0)
    for k in range(2):
        slope = -raw_field(mesh, V[k])
        for j in range(3):
            averaged[k, :, j] = np.bincount(at, w * np.repeat(slope[:, j], 4), n)
    averaged /= np.bincount(at, w, n)[:, None]
    cf, Af, Vf, Wf = solved(fine, pads_fine)
    share = (fine.volumes() / np.repeat(volume, 64))[:, None]

    def to_parents(field: np.ndarray) -> np.ndarray:
        return (field * share).reshape(-1, 64, 3).sum(axis=1)

    Gf = cf.recovery.gradient(Vf + Wf)
    basis = make_basis(
        mesh, c.split, names=("coil", "pads"), unit="A", E=-G1 - A[:, c.split.node],
        potential=V, report=(None, None), anisotropic=(), correction=W,
    )  # fmt: skip
    for k, source in enumerate(basis.names):
        inexact = -A[k][mesh.tets].mean(1) + to_parents(Af[k][fine.tets].mean(1))
        references = {
            "raw": to_parents(raw_field(fine, Vf[k]) - Af[k][fine.tets].mean(1)) + inexact,
            "corrected": to_parents(-Gf[k][cf.split.of_tet].mean(1) - Af[k][fine.tets].mean(1))
            + inexact,
        }
        methods = {
            "element": raw_field(mesh, V[k]) - A[k][mesh.tets].mean(1),
            "averaged": mean_of(c.split.of_tet, averaged[k], k),
            "quadratics": mean_of(c.split.of_tet, quadratic[k], k),
            "harmonic cubics": mean_of(c.split.of_tet, G0[k], k),
            "corrected": mean_of(c.split.of_tet, G1[k], k),
        }
        for what, reference in references.items():
            print(f"\n{source}, against the {what} field of the finest mesh: error (%); p99.9")
            print("| place | " + " | ".join(methods) + " |\n|---" * 1 + "|---" * len(methods) + "|")
            for place, inside in places.items():
                s = inside & clear & near
                v, size = volume[s], np.linalg.norm(reference[s], axis=1)
                cells = []
                for E in methods.values():
                    wrong = ((E - reference)[s] ** 2).sum(1)
                    top = np.percentile(np.linalg.norm(E[s], axis=1), 99.9) / np.percentile(
                        size, 99.9
                    )
                    cells.append(f"{100 * np.sqrt((v @ wrong) / (v @ size**2)):.1f}; {top:.3f}")
                print(f"| {place} | " + " | ".join(cells) + " |", flush=True)
        eta = estimate_error(basis, np.eye(2)[k])
        order = np.lexsort((cf.split.label, cf.split.node))
        key = cf.split.node[order].astype(np.int64) * 8 + cf.split.label[order]
        same = order[np.searchsorted(key, c.split.node.astype(np.int64) * 8 + c.split.label)]
        true = np.linalg.norm(G1[k] - Gf[k][same], axis=1)
        size = np.linalg.norm(Gf[k][same] + A[k][c.split.node], axis=1)
        good = ~ring[c.split.node] & (
            np.linalg.norm(basis.split_position - centres[0], axis=1) < 0.06
        )
        print("\nnodes, estimated / true (%): " + ", ".join(
            f"{t} {100 * np.sqrt(v @ eta[s] ** 2 / (v @ size[s] ** 2)):.1f} / "
            f"{100 * np.sqrt(v @ true[s] ** 2 / (v @ size[s] ** 2)):.1f}"
            for t, s, v in (
                (t, good & (c.split.label == i), basis.split_volume[good & (c.split.label == i)])
                for i, t in enumerate(TISSUES, start=1)
            )
        ), flush=True)  # fmt: skip


if __name__ == "__main__":
    main(float((sys.argv[1:] or ["4"])[0]) * 1e-3)
