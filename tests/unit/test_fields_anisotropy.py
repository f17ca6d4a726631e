"""Conductivity tensors: images and their axes, mappings, the operators that use them."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import ArrayLike

from rheobase._errors import InputError
from rheobase.fields.anisotropy import (
    TensorImage,
    conductivity_tensors,
    read_directions,
    read_tensors,
)
from rheobase.fields.assembly import stiffness
from rheobase.fields.solver import Conductor
from rheobase.fields.spheres import LayeredSphere
from rheobase.fields.tensors import Tensors, components, matrices
from rheobase.meshes.head import Head
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.mesher import mesh_spheres
from rheobase.meshes.tissues import tissue
from rheobase.validation.anisotropic_sphere import potential

SIGMA = {1: 0.126, 2: 0.275, 5: 0.465}


@pytest.fixture(scope="module")
def mesh() -> TetMesh:
    return mesh_spheres((0.04, 0.06, 0.07), tuple(SIGMA), 0.014)


@pytest.fixture(scope="module")
def head(mesh: TetMesh) -> Head:
    tissues = {1: tissue("white_matter"), 2: tissue("grey_matter"), 5: tissue("scalp")}
    return Head(name="ball", species="human", space="ball", mesh=mesh, tissues=tissues)


def tensors(tets: ArrayLike, values: ArrayLike) -> Tensors:
    return Tensors(tets=np.asarray(tets, np.int32), values=np.asarray(values, np.float64))


@pytest.fixture(scope="module")
def some(mesh: TetMesh) -> Tensors:
    """Random tensors in the inner ball."""
    tets = np.flatnonzero(mesh.labels == 1).astype(np.int32)
    root = np.random.default_rng(5).normal(size=(len(tets), 3, 3))
    return Tensors(tets=tets, values=components(root @ root.transpose(0, 2, 1) + np.eye(3)))


def write(path: Path, values: np.ndarray, affine: np.ndarray, *, intent: str = "") -> Path:
    image = nib.Nifti1Image(values.astype(np.float32), affine)
    image.header.set_xyzt_units("mm")
    if intent:
        image.header.set_intent(intent, (3,))
    nib.save(image, path)
    return path


def along(direction: list[float], ratio: float = 9.0) -> np.ndarray:
    v = np.array(direction) / np.linalg.norm(direction)
    return components(np.eye(3) + (ratio - 1) * np.outer(v, v))


def turn() -> np.ndarray:
    a, b = 0.4, -0.7
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    product: np.ndarray = z @ x
    return product


@pytest.mark.parametrize("first", [-1.0, 1.0])
@pytest.mark.parametrize("axes", ["fsl", "voxel", "world"])
def test_components_turn_to_the_world_axes(tmp_path: Path, first: float, axes: str) -> None:
    rotation = turn()
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([first * 2.0, 2.5, 3.0])
    world = along([1.0, 2.0, -0.5])
    # FSL counts x from right to left whichever way the voxels are stored
    sign = {"fsl": -1.0, "voxel": first, "world": None}[axes]
    Q = np.eye(3) if sign is None else rotation @ np.diag([sign, 1.0, 1.0])
    stored = components(Q.T @ matrices(world) @ Q)
    path = write(tmp_path / "d.nii.gz", np.broadcast_to(stored, (12, 12, 12, 6)), affine)
    image = read_tensors(path, axes=axes)  # type: ignore[arg-type]
    assert np.allclose(image.values, world, atol=1e-6)


def test_orders_of_components(tmp_path: Path) -> None:
    D = np.arange(1.0, 7.0)  # xx, xy, xz, yy, yz, zz
    grid = (11, 11, 11)
    lower, diagonal = D[[0, 1, 3, 2, 4, 5]], D[[0, 3, 5, 1, 2, 4]]
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    fifth = np.broadcast_to(lower, (*grid, 1, 6))
    path = write(tmp_path / "a.nii", fifth, affine, intent="symmetric matrix")
    assert np.allclose(read_tensors(path, axes="world").values, D)
    path = write(tmp_path / "b.nii", np.broadcast_to(diagonal, (*grid, 6)), affine)
    assert np.allclose(read_tensors(path, axes="world", order="diagonal").values, D)
    with pytest.raises(InputError, match="six tensor components"):
        read_tensors(write(tmp_path / "c.nii", np.ones(grid), affine))
    with pytest.raises(InputError, match="unknown axes 'scanner'"):
        read_tensors(path, axes="scanner")  # type: ignore[arg-type]


def grid_image(D: np.ndarray) -> TensorImage:
    affine = np.diag([0.004, 0.004, 0.004, 1.0])
    affine[:3, 3] = -0.08
    return TensorImage(values=np.broadcast_to(D, (41, 41, 41, 6)), affine=affine)


def test_directions_become_tensors_of_their_ratio(tmp_path: Path, head: Head) -> None:
    affine = np.diag([-4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = [80, -80, -80]
    v = np.zeros((41, 41, 41, 3))
    v[:, :, :, 0], v[:, :, :, 1] = -1.0, 1.0  # FSL: x to the left
    v[:, :, 30:] = 0.0
    image = read_directions(write(tmp_path / "v1.nii", v, affine), ratio=9.0)
    tensors = conductivity_tensors(head, image, tissues=["white_matter"])
    R = matrices(tensors.values)
    value, vector = np.linalg.eigh(R)
    assert np.allclose(value.prod(axis=1), 1.0)
    assert np.allclose(value[:, 2] / value[:, 0], 9.0, rtol=1e-5)
    assert np.allclose(np.abs(vector[:, :, 2] @ [1, 1, 0]), np.sqrt(2), atol=1e-6)
    top = head.mesh.centroids()[head.mesh.labels == 1][:, 2].max()
    assert head.mesh.centroids()[tensors.tets, 2].max() < min(0.040, top + 1e-9)


def test_volume_normalised_keeps_the_geometric_mean(head: Head) -> None:
    tensors = conductivity_tensors(head, grid_image(7e-10 * along([0.2, 1.0, 0.4])))
    assert set(head.mesh.labels[tensors.tets]) == {1, 2}
    assert np.allclose(np.linalg.det(matrices(tensors.values)), 1.0)


def test_direct_mapping_fits_both_tissues_with_one_factor(head: Head) -> None:
    image = grid_image(along([0.0, 1.0, 1.0]))
    inner = np.linalg.norm(
        np.stack(np.meshgrid(*[np.arange(41) * 0.004 - 0.08] * 3, indexing="ij"), -1), axis=-1
    )
    values = np.where(inner[..., None] < 0.042, 2.0, 1.0) * image.values
    image = TensorImage(values=1e-9 * values, affine=image.affine)
    tensors = conductivity_tensors(head, image, mapping="direct", sigma=SIGMA)
    volume = head.mesh.volumes()[tensors.tets]
    own = np.array([SIGMA[k] for k in head.mesh.labels[tensors.tets].tolist()])
    det = np.linalg.det(own[:, None, None] * matrices(tensors.values))
    d = {}
    for label in (1, 2):
        of = head.mesh.labels[tensors.tets] == label
        d[label] = np.cbrt(volume[of] @ det[of] / volume[of].sum())
    size = np.cbrt(det)
    assert size.max() / size.min() == pytest.approx(2.0)  # the image's, not that of the tissues
    assert sum(d[k] * (d[k] - SIGMA[k]) for k in (1, 2)) == pytest.approx(0.0, abs=1e-12)


def test_eigenvalues_are_capped_and_bad_tensors_refused(head: Head) -> None:
    image = grid_image(along([1.0, 0.0, 0.0], ratio=100.0))
    R = matrices(conductivity_tensors(head, image, largest_ratio=4.0).values)
    value = np.linalg.eigvalsh(R)
    assert np.allclose(value[:, 2] / value[:, 0], 4.0)
    bad = np.array(image.values)
    bad[19:22, 19:22, 19:22] = [1.0, 0.0, 0.0, -0.1, 0.0, 1.0]
    broken = TensorImage(values=bad, affine=image.affine, name="dti.nii.gz")
    with pytest.raises(InputError, match=r"\d+ of the \d+ used are not; mend.* mm of dti"):
        conductivity_tensors(head, broken)
    mended = conductivity_tensors(head, broken, mend=True)
    assert np.linalg.eigvalsh(matrices(mended.values)).min() > 0
    bad[19:22, 19:22, 19:22] = [-1.0, 0.0, 0.0, -0.1, 0.0, -1.0]
    with pytest.raises(InputError, match="positive definite"):
        conductivity_tensors(head, TensorImage(values=bad, affine=image.affine), mend=True)


def test_what_does_not_fit_is_refused(head: Head, mesh: TetMesh) -> None:
    image = grid_image(along([1.0, 0.0, 0.0]))
    far = np.array(image.affine)
    far[:3, 3] += 1.0
    with pytest.raises(InputError, match="found none there"):
        conductivity_tensors(head, TensorImage(values=image.values, affine=far))
    with pytest.raises(InputError, match="unknown tissue 'white_mater'"):
        conductivity_tensors(head, image, tissues=["white_mater"])
    more = Head(
        name="ball",
        species="human",
        space="ball",
        mesh=mesh,
        tissues={**head.tissues, 3: tissue("csf")},
    )
    with pytest.raises(InputError, match="it has no csf: head 'ball'"):
        conductivity_tensors(more, image, tissues=["csf"])
    with pytest.raises(InputError, match="largest_ratio must be >= 1"):
        conductivity_tensors(head, image, largest_ratio=0.5)
    with pytest.raises(InputError, match=r"positive definite, 1 of 2 are not: tetrahedron 7"):
        tensors([3, 7], [[1, 0, 0, 1, 0, 1], [1, 2, 0, 1, 0, 1]])
    with pytest.raises(InputError, match="belong to another mesh"):
        stiffness(mesh, tensors([len(mesh.tets)], [[1, 0, 0, 1, 0, 1]]))
    with pytest.raises(ValueError, match="two tensors"):
        tensors([1, 1], np.ones((2, 6)))


def test_identity_tensors_change_nothing(mesh: TetMesh) -> None:
    every = np.arange(len(mesh.tets), dtype=np.int32)
    one = Tensors(tets=every, values=np.tile([1.0, 0, 0, 1, 0, 1], (len(every), 1)))
    assert np.array_equal(stiffness(mesh, one).data(SIGMA), stiffness(mesh).data(SIGMA))


def test_linear_potential_stores_its_exact_energy(mesh: TetMesh, some: Tensors) -> None:
    K = stiffness(mesh, some).matrix(SIGMA)
    g = np.array([1.0, -2.0, 0.5])
    V = mesh.nodes @ g
    density = np.full(len(mesh.tets), g @ g)
    density[some.tets] = np.einsum("i,tij,j->t", g, matrices(some.values), g)
    sigma = np.array([SIGMA[k] for k in mesh.labels.tolist()])
    assert np.isclose(V @ (K @ V), (sigma * density) @ mesh.volumes(), rtol=1e-13)
    assert np.abs((K - K.T).data).max() < 1e-15 * np.abs(K.data).max()


def test_field_of_a_gradient_is_screened_exactly(mesh: TetMesh, some: Tensors) -> None:
    """DA/dt = grad(phi) drives V = -phi and no current, whatever the tensors."""
    c = Conductor(mesh, SIGMA, tensors=some, rtol=1e-12)
    g = np.array([0.3, 1.0, -0.8])
    A = np.broadcast_to(g, (1, len(mesh.nodes), 3)).copy()
    V = c.solve(c.induced_load(A))[0][0]
    phi = mesh.nodes @ g
    assert np.allclose(V - V.mean(), phi.mean() - phi, atol=1e-10 * np.ptp(phi))
    still = np.zeros_like(V)
    assert c.heat(V, A[0]) < 1e-20 * c.heat(still, A[0])
    assert c.heat(still, A[0]) == pytest.approx(phi @ c.apply(phi), rel=1e-12)


def test_flux_is_the_current_that_leaves(mesh: TetMesh, some: Tensors) -> None:
    c = Conductor(mesh, SIGMA, tensors=some)
    V = np.random.default_rng(2).normal(size=len(mesh.nodes))
    corner = np.concatenate([np.ones((len(mesh.tets), 4, 1)), mesh.nodes[mesh.tets]], axis=2)
    gradients = np.linalg.inv(corner)[:, 1:, :]  # (tet, axis, corner)
    J = c.flux(-np.einsum("tja,ta->tj", gradients, V[mesh.tets]))
    out = -np.einsum("t,tj,tja->ta", mesh.volumes(), J, gradients)
    total = np.bincount(mesh.tets.ravel(), weights=out.ravel(), minlength=len(V))
    assert np.allclose(total, c.apply(V), atol=1e-12 * np.abs(total).max())


def test_layered_series_of_an_isotropic_sphere_is_that_of_legendre_polynomials() -> None:
    sphere = LayeredSphere(radii=(0.085, 0.090, 0.095), sigma=(0.33, 0.01, 0.33))
    points = np.random.default_rng(0).normal(size=(20, 3))
    points *= np.linspace(0.01, 0.092, 20)[:, None] / np.linalg.norm(points, axis=1)[:, None]
    ends = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    found = potential(
        points, ends, radii=sphere.radii, radial=sphere.sigma, tangential=sphere.sigma, n_terms=300
    )
    exact = sphere.point_electrodes(points, *ends)[0]
    assert np.allclose(found, exact, atol=1e-13 * np.ptp(exact))
