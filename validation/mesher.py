"""The mesher: soundness on made images, true surfaces, and fields as good as on exact geometry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import LayeredSphere
from rheobase.meshes.cad import cad_spheres
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import carve_image, mesh_image
from rheobase.meshes.placing.outlines import Disc
from rheobase.meshes.quality import dihedral_angles
from rheobase.validation.case import Row
from rheobase.validation.label_images import folded_head, label_image
from rheobase.validation.soundness import MIN_DIHEDRAL, P1_DIHEDRAL, faults
from rheobase.validation.sphere import LABELS, RADII, SIGMA

MM = 1e-3
RANDOM_IMAGES = 32
FOLDED_EDGE = 3e-3
FOLDED_VOLUME, ELLIPSOID_VOLUME = 0.01, 0.01

#: Semi-axes of the ellipsoid (m) and, of another one inside it, their part.
AXES = np.array([25.3e-3, 30.1e-3, 28.4e-3])
INNER = 0.8
ELLIPSOID_EDGE = 2e-3

#: Mean edge of an image-made sphere (m), and the edge and number of refinements of a CAD mesh with
#: as many tetrahedra.
SPHERES = ((6.5e-3, 8.4e-3, 1), (4.6e-3, 7e-3, 1), (3.71e-3, 6e-3, 1))
#: Least order in the mean edge, which goes with the cube root of the number of tetrahedra.
ORDER = 1.5
#: Largest: more is no convergence but a coarse mesh whose layers leak.
MOST_ORDER = 4.0
#: Where the sphere's centre lies between voxels, and the electrodes: no axis of symmetry.
CENTRE = np.array([0.31, 0.13, -0.22])
POLE = np.array([0.36, 0.48, 0.80])


def quality_of_images() -> list[Row]:
    """Judge the meshes of a folded head and of the first random images at two resolutions."""
    carved = carve_image(folded_head(), np.diag([MM, MM, MM, 1.0]), FOLDED_EDGE)
    mesh, report = carved.mesh, carved.report
    name = f"folded head ({len(mesh.tets) / 1e6:.2f} M tetrahedra, edge {FOLDED_EDGE / MM:g} mm)"
    errors = report.volume_errors()
    rows = [_none(name, "faults", len(faults(mesh)))]
    rows += _angles(name, [mesh])
    rows += [
        _none(name, "labels lost", len(report.lost)),
        _none(name, "pairs of labels in contact that are apart in the image", len(report.contacts)),
        Row(
            case="mesher-quality",
            quantity=f"{name}: largest volume error of {len(errors)} labels",
            value=max(errors.values(), key=abs),
            reference=0.0,
            error=max(abs(e) for e in errors.values()),
            limit=FOLDED_VOLUME,
            unit="1",
            source="voxels counted",
        ),
    ]
    meshes = []
    for seed in range(RANDOM_IMAGES):
        made = label_image(seed)
        for voxels in (1.0, 2.5):
            meshes.append(mesh_image(made.image, made.affine, voxels * made.voxel))
    name = f"{RANDOM_IMAGES} made images at edges of 1 and 2.5 voxels"
    rows.append(_none(name, "meshes with a fault", sum(bool(faults(m)) for m in meshes)))
    return rows + _angles(name, meshes)


def _none(name: str, what: str, count: int) -> Row:
    """Return a row for something that must not happen."""
    return Row(
        case="mesher-quality",
        quantity=f"{name}: {what}",
        value=count,
        reference=0.0,
        error=count,
        limit=0.0,
        unit="1",
        source="counted face by face",
    )


def _angles(name: str, meshes: Sequence[TetMesh]) -> list[Row]:
    """Return rows for the worst of the smallest dihedral angles and of their first percentiles."""
    least = [dihedral_angles(m.nodes, m.tets).min(axis=1) for m in meshes]
    found = (
        ("smallest dihedral angle", min(float(a.min()) for a in least), MIN_DIHEDRAL),
        ("1 % of dihedral angles", min(float(np.percentile(a, 1)) for a in least), P1_DIHEDRAL),
    )
    return [
        Row(
            case="mesher-quality",
            quantity=f"{name}: {what}, at least; error is what is missing in °",
            value=value,
            reference=floor,
            error=max(0.0, floor - value),
            limit=0.0,
            unit="°",
            source="the mesher's promise",
        )
        for what, value, floor in found
    ]


def ellipsoid() -> list[Row]:
    """Compare the interfaces of an image of two ellipsoids with the ellipsoids themselves."""
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turn *= -np.sign(np.linalg.det(turn))
    rows = _ellipsoid("straight 1 mm voxels", np.eye(3) * MM)
    return rows + _ellipsoid("oblique left-handed 0.8 x 1.1 x 1.4 mm", turn * [8e-4, 11e-4, 14e-4])


def _ellipsoid(name: str, matrix: NDArray[np.float64]) -> list[Row]:
    edges = np.linalg.norm(matrix, axis=0)
    half = np.ceil(np.sqrt(((np.linalg.inv(matrix) * AXES) ** 2).sum(axis=1))).astype(int) + 2
    index = np.moveaxis(np.indices(2 * half + 1), 0, -1) - half + CENTRE
    radius = np.linalg.norm(index @ matrix.T / AXES, axis=-1)
    image = np.where(radius < INNER, 7, np.where(radius < 1.0, 2, 0))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, matrix @ (CENTRE - half)
    mesh = mesh_image(image, affine, ELLIPSOID_EDGE)
    normals, offsets, areas = [], [], []
    for axes, labels in ((AXES, ()), (INNER * AXES, (7,))):
        p = mesh.nodes[mesh.boundary(*labels)]
        normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]) / 2
        area = np.linalg.norm(normal, axis=1)
        true = p.mean(axis=1) / axes**2
        cosine = (normal * true).sum(axis=1) / (area * np.linalg.norm(true, axis=1))
        normals.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
        x = mesh.nodes[np.unique(mesh.boundary(*labels))]
        level = np.linalg.norm(x / axes, axis=1)  # distance to first order: (level² - 1) / |grad|
        offsets.append((level**2 - 1) / (2 * np.linalg.norm(x / axes**2, axis=1)) / edges.max())
        areas.append(area.sum() / ellipsoid_area(axes) - 1)
    volumes = mesh.tissue_volumes()
    whole = 4 / 3 * np.pi * AXES.prod()
    found = (volumes[7] / (INNER**3 * whole) - 1, volumes[2] / ((1 - INNER**3) * whole) - 1)
    offset = np.concatenate(offsets)
    name = f"{name}, {len(mesh.tets) / 1e6:.2f} M tetrahedra, edge {ELLIPSOID_EDGE / MM:g} mm"
    measured = (
        ("normals off the true ones, median", np.median(np.concatenate(normals)), 5.0, "°"),
        ("distance to the surface, root mean square", np.sqrt((offset**2).mean()), 0.15, "voxel"),
        ("distance to the surface, largest", np.abs(offset).max(), 1.0, "voxel"),
        ("volume, the worse of two labels", max(found, key=abs), ELLIPSOID_VOLUME, "1"),
        ("area, the worse of two surfaces", max(areas, key=abs), 0.01, "1"),
    )
    return [
        Row(
            case="mesher-ellipsoid",
            quantity=f"{what} ({name})",
            value=float(value),
            reference=0.0,
            error=float(abs(value)),
            limit=limit,
            unit=unit,
            source="equation of the ellipsoid",
        )
        for what, value, limit, unit in measured
    ]


def ellipsoid_area(axes: NDArray[np.float64]) -> float:
    """Return the area of an ellipsoid of the given semi-axes, by Gauss quadrature.

    Examples
    --------
    >>> print(f"{ellipsoid_area(np.array([2.0, 2.0, 2.0])) / np.pi:.9f}")
    16.000000000
    """
    z, w = np.polynomial.legendre.leggauss(64)
    angle = 2 * np.pi * np.arange(128) / 128
    rho = np.sqrt(1 - z**2)[:, None]
    n = np.stack(np.broadcast_arrays(rho * np.cos(angle), rho * np.sin(angle), z[:, None]))
    # the unit sphere's element of area, stretched
    stretch = np.linalg.norm(n / axes[:, None, None], axis=0) * axes.prod()
    return float((w[:, None] * stretch).sum() * 2 * np.pi / 128)


def voxelised_sphere(voxel: float = MM) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Return the three-layer sphere as a label image with its centre between voxels, and affine."""
    half = int(np.ceil(RADII[-1] / voxel)) + 2
    axes = [np.arange(-half, half + 1) + c for c in CENTRE]
    squares = np.meshgrid(*[a**2 for a in axes], indexing="ij", sparse=True)
    radius = np.sqrt(squares[0] + squares[1] + squares[2]) * voxel
    image = np.zeros(radius.shape, np.int16)
    for label, outer in zip(LABELS[::-1], RADII[::-1], strict=True):
        image[radius < outer] = label
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = voxel * (CENTRE - half)
    return image, affine


def sphere_field() -> list[Row]:
    """Compare the potential in the brain on image-made and on CAD meshes of equal size."""
    image, affine = voxelised_sphere()
    sizes: list[tuple[int, int]] = []
    errors: list[tuple[float, float]] = []
    rows = []
    for edge, cad_edge, refinements in SPHERES:
        made = Conductor(mesh_image(image, affine, edge), dict(zip(LABELS, SIGMA, strict=True)))
        exact = Conductor(
            cad_spheres(RADII, LABELS, cad_edge, refinements=refinements), dict(made.sigma)
        )
        sizes.append((len(made.mesh.tets), len(exact.mesh.tets)))
        errors.append((potential_error(made), potential_error(exact)))
        rows.append(
            Row(
                case="mesher-sphere-field",
                quantity="error of V in the brain, image of 1 mm voxels against CAD "
                f"({sizes[-1][0] / 1e6:.2f} and {sizes[-1][1] / 1e6:.2f} M tetrahedra); "
                "error is their quotient",
                value=errors[-1][0],
                reference=errors[-1][1],
                error=errors[-1][0] / errors[-1][1],
                limit=2.0,
                unit="1",
                source="Rush & Driscoll 1969; Netgen CSG mesh",
            )
        )
        if len(sizes) == 1:
            rows += _currents(made)
    edges = np.log(np.array(sizes, dtype=np.float64)) / -3
    for n, name in enumerate(("image-made", "CAD")):
        order = float(np.polyfit(edges[:, n], np.log(errors)[:, n], 1)[0])
        rows.append(
            Row(
                case="mesher-sphere-field",
                quantity=f"order of convergence of that error, {name}, {len(sizes)} sizes; "
                f"error is what is missing of {ORDER:g} or beyond {MOST_ORDER:g}",
                value=order,
                reference=2.0,
                error=max(0.0, ORDER - order, order - MOST_ORDER),
                limit=0.0,
                unit="1",
                source="linear elements: second order",
            )
        )
    return rows


def potential_error(conductor: Conductor) -> float:
    """Return the volume-weighted relative L2 error of V in the brain of the three-layer sphere.

    1 A flows between the nodes nearest to two opposite points of the surface. The mean of V is
    removed. Brain nodes that stick out of the brain's sphere count as on it.
    """
    mesh = conductor.mesh
    pole = POLE / np.linalg.norm(POLE) * RADII[-1]
    ends = [int(((mesh.nodes - p) ** 2).sum(axis=1).argmin()) for p in (pole, -pole)]
    b = np.zeros(len(mesh.nodes))
    b[ends] = [1.0, -1.0]
    V = conductor.solve(b)[0][0]
    tets = np.flatnonzero(mesh.labels == LABELS[0])
    weight = np.bincount(mesh.tets[tets].ravel(), np.repeat(mesh.volumes()[tets], 4), len(V))
    brain = np.flatnonzero(weight)
    weight = weight[brain] / weight.sum()
    points = mesh.nodes[brain]
    radius = np.maximum(np.linalg.norm(points, axis=1), 1e-12)
    points = points * np.minimum(1.0, RADII[0] / radius)[:, None]
    sphere = LayeredSphere(radii=RADII, sigma=SIGMA)
    exact = sphere.point_electrodes(points, mesh.nodes[ends[0]], mesh.nodes[ends[1]])[0]
    exact -= weight @ exact
    wrong = V[brain] - weight @ V[brain] - exact
    return float(np.sqrt((weight @ wrong**2) / (weight @ exact**2)))


def _currents(conductor: Conductor) -> list[Row]:
    """Return current and energy of two discs on an image-made sphere."""
    pole = POLE / np.linalg.norm(POLE) * RADII[-1]
    pads = Montage(
        name="poles",
        electrodes=tuple(
            Electrode(name=n, centre=p, shape=Disc(radius_mm=12.0))
            for n, p in (("anode", pole), ("cathode", -pole))
        ),
        currents=(1e-3, -1e-3),
    )
    report = solve_conduction(conductor, pads).report[0]
    return [
        Row(
            case="mesher-sphere-field",
            quantity=f"{what}, two discs of 12 mm on the image-made sphere",
            value=value,
            reference=reference,
            error=error,
            limit=limit,
            unit=unit,
            source="conservation of charge and of energy",
        )
        for what, value, reference, error, limit, unit in (
            ("current into the head", report.delivered[0], 1.0, report.mismatch, 1e-6, "A"),
            (
                "energy balance",
                report.energy_balance,
                0.0,
                report.energy_balance,
                1e-6,
                "1",
            ),
        )
    ]
