"""Reciprocity maps: the transposed chain, fields outside the head, equivalent elements, poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.coils.coil import Coil, magnetic_dipole
from rheobase.fields.coils.placing import place_coil, stand
from rheobase.fields.coils.sampled import SampledPotential
from rheobase.fields.coils.windings import coil
from rheobase.fields.induction import solve_induction
from rheobase.fields.optimisation.target import Target, region_target
from rheobase.fields.solver import Conductor
from rheobase.fields.targeting.adjoint import adjoint_currents
from rheobase.fields.targeting.distance import ScalpDistance
from rheobase.fields.targeting.equivalent import equivalent
from rheobase.fields.targeting.poses import lifted, tangential_poses
from rheobase.fields.targeting.reciprocity import Reciprocity, reciprocity
from rheobase.fields.tensors import Tensors, components
from rheobase.meshes.files.surface_tree import SurfaceTree
from rheobase.meshes.head import Head
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.regions.region import ball as ball_region
from rheobase.validation.leadfield import ball


@pytest.fixture(scope="module")
def head() -> Head:
    return ball(12e-3)


@pytest.fixture(scope="module")
def conductor(head: Head) -> Conductor:
    return Conductor(head)


@pytest.fixture(scope="module")
def target(head: Head) -> Target:
    return region_target(head, ball_region((-0.03, 0.01, 0.06), 0.012))


@pytest.fixture(scope="module")
def seen(conductor: Conductor, target: Target) -> Reciprocity:
    return reciprocity(conductor, target, reach=0.06)


def test_transposed_chain_gives_functionals_of_the_full_solution(conductor: Conductor) -> None:
    """Random weights, in an anisotropic conductor: nothing of the chain is left out."""
    rng = np.random.default_rng(0)
    t = np.flatnonzero(conductor.mesh.labels == conductor.mesh.labels.min())[::2].astype(np.int32)
    R = np.diag([2.0, 1.0, 0.5]) + np.zeros((len(t), 1, 1))
    turned = Conductor(
        conductor.mesh, conductor.sigma, tensors=Tensors(tets=t, values=components(R)), rtol=1e-10
    )
    tool = magnetic_dipole([0.02, -0.05, 0.11], [1.0, 0.3, -0.4])
    w = rng.standard_normal((2, len(turned.split.node), 3))
    a = adjoint_currents(turned, w)
    found = np.einsum("rni,ni->r", a, tool.vector_potential(turned.mesh.nodes))
    E = solve_induction(turned, tool).E[0]
    scale = np.abs(w[:, :, :] * E).sum(axis=(1, 2))
    assert np.abs(found - np.einsum("rni,ni->r", w, E)).max() < 1e-9 * scale.max()


def test_map_agrees_with_full_solutions(
    seen: Reciprocity, conductor: Conductor, target: Target, head: Head
) -> None:
    tool = coil("magstim-70mm-figure8")
    found = seen.map(tool, radius=0.04, spacing=0.015, angles_deg=[0.0, 45.0, 300.0])
    i, j = found.best
    assert found.values[i, j] == found.values.max()
    placed = found.placed()
    one = place_coil(
        tool,
        head,
        position=found.positions[i],
        handle_angle_deg=found.angles_deg[j],
        contact="lift",
    )
    np.testing.assert_allclose(placed.pose, one.pose, atol=1e-5)
    E = solve_induction(conductor, placed).E[0, target.nodes]
    full = np.einsum("rmj,mj->r", target.weighting, E)
    assert np.linalg.norm(found.field[i, j] - full) < 2e-3 * np.linalg.norm(full)


def test_direction_gives_a_signed_map(
    conductor: Conductor, target: Target, seen: Reciprocity
) -> None:
    along = reciprocity(conductor, target.along([0.0, 0.6, 0.8]), reach=0.06)
    tool = coil("magstim-70mm-figure8")
    pose = tangential_poses(seen.scalp, [[-0.03, 0.0, 0.087]], [0.0, 180.0], 6.0)[0]
    one, three = along.at(tool, pose), seen.at(tool, pose)
    np.testing.assert_allclose(one[:, 0], three @ [0.0, 0.6, 0.8], atol=1e-5 * np.abs(three).max())
    assert one[0, 0] * one[1, 0] < 0


def test_lifted_poses_stay_outside(seen: Reciprocity) -> None:
    scalp = seen.scalp
    tool = coil("magstim-double-cone")  # its wings come down beside the head
    poses = tangential_poses(scalp, [[0.0, 0.0, 0.092], [-0.06, 0.0, 0.07]], [0.0, 90.0], 0.0)
    out, lift, clearance = lifted(tool, seen.distance, poses.reshape(-1, 4, 4))
    assert (lift > 1e-3).all()
    assert ((clearance >= 0) & (clearance < 1e-3)).all()
    for pose, by, before in zip(out, lift, poses.reshape(-1, 4, 4), strict=True):
        exact = stand(tool, scalp, before, contact="lift")
        assert abs(exact.pose[:3, 3] - before[:3, 3]).max() <= by + 5e-4
        np.testing.assert_allclose(pose[:3, 3], before[:3, 3] + by * before[:3, 2])


def test_parallel_surfaces() -> None:
    scalp = Scalp(ball(9e-3).mesh)
    corners, distance = scalp.nodes[scalp.triangles], ScalpDistance.of_scalp(scalp)
    for level in (-0.02, 0.005):
        points, normals = distance.surface(level, 0.02)
        away = points - SurfaceTree.of_triangles(corners).nearest(points)
        np.testing.assert_allclose(np.linalg.norm(away, axis=1), abs(level), atol=3e-4)
        assert (np.einsum("ni,ni->n", away, normals) / level > 0.95).all()


@pytest.mark.parametrize("name", ["magstim-70mm-figure8", "magstim-double-cone"])
def test_few_elements_have_the_field_of_a_coil(name: str) -> None:
    tool = coil(name)
    few, error = equivalent(tool)
    assert len(few.positions) < 0.25 * len(tool.positions)
    x = np.random.default_rng(1).uniform(-0.1, 0.1, (500, 3))
    x[:, 2] -= 0.2
    A = tool.vector_potential(x)
    away = np.linalg.norm(few.vector_potential(x) - A, axis=1).max()
    assert away < error * np.linalg.norm(A, axis=1).max() < 5e-3 * np.linalg.norm(A, axis=1).max()


def test_few_elements_of_magnetic_dipoles() -> None:
    rng = np.random.default_rng(2)
    at = np.concatenate([rng.uniform(-0.04, 0.04, (600, 2)), np.full((600, 1), 0.004)], axis=1)
    tool = Coil(name="dipoles", dipoles=at, moments=np.tile([0.0, 0.0, 1e-5], (600, 1)))
    few, error = equivalent(tool)
    assert not len(few.dipoles)
    assert len(few.positions) < 150
    assert error < 0.03
    x = rng.uniform(-0.1, 0.1, (500, 3)) - [0.0, 0.0, 0.13]
    A = tool.vector_potential(x)
    assert np.abs(few.vector_potential(x) - A).max() < 2e-3 * np.abs(A).max()


def test_what_makes_no_sense_is_refused(
    seen: Reciprocity, conductor: Conductor, target: Target
) -> None:
    tool = coil("magstim-70mm-figure8")
    grid = SampledPotential(values=np.zeros((2, 2, 2, 3)), affine=np.eye(4))
    with pytest.raises(InputError, match="sampled field"):
        seen.at(replace(tool, sampled=(grid,)), np.eye(4))
    far = np.eye(4)
    far[2, 3] = 1.0
    with pytest.raises(InputError, match="outside it at 1 of 1 poses"):
        seen.at(tool, far)
    with pytest.raises(InputError, match="distance_mm"):
        seen.map(tool, distance_mm=-1.0)
    with pytest.raises(InputError, match="expected positions and finite angles"):
        seen.map(tool, angles_deg=[])
    with pytest.raises(InputError, match="not all 0"):
        adjoint_currents(conductor, np.zeros((1, len(conductor.split.node), 3)))
    beyond = replace(target, nodes=target.nodes + len(conductor.split.node))
    with pytest.raises(InputError, match="expected a target on this mesh"):
        reciprocity(conductor, beyond)
