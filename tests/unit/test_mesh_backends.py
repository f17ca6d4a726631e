"""Optional back ends and exact geometry: what they give, and what they say when they cannot."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.backends import mesh_image_with, surface_net
from rheobase.meshes.cad import cad_spheres
from rheobase.validation.label_images import folded_head, label_image
from rheobase.validation.soundness import faults

MM = np.diag([1e-3, 1e-3, 1e-3, 1.0])


def balls() -> np.ndarray:
    grid = np.moveaxis(np.indices((24, 22, 26)), 0, -1) - [11.6, 10.7, 12.8]
    radius = np.linalg.norm(grid, axis=-1)
    return np.where(radius < 6, 7, np.where(radius < 10, 3, 0))


def test_unknown_or_missing_back_ends_say_what_to_do() -> None:
    with pytest.raises(InputError, match="unknown mesh back end 'tetgn', nearest: tetgen"):
        mesh_image_with("tetgn", balls(), MM, 2e-3)
    if importlib.util.find_spec("tetgen") is None:
        with pytest.raises(InputError, match=r"pip install 'rheobase\[tetgen\]'"):
            mesh_image_with("tetgen", balls(), MM, 2e-3)


@pytest.mark.parametrize("image", [balls(), folded_head(10), label_image(2).image])
def test_surface_nets_are_closed_and_near_the_voxels(image: np.ndarray) -> None:
    points, triangles = surface_net(image.astype(np.int64))
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    assert count.min() >= 2  # no open edge; three or four where labels meet
    assert (points >= -0.5 - 0.5).all()
    assert (points <= np.array(image.shape)).all()


def test_tetgen_meshes_balls() -> None:
    pytest.importorskip("tetgen", reason="the extra rheobase[tetgen] is not installed")
    mesh = mesh_image_with("tetgen", balls(), MM, 2e-3)
    volumes = mesh.tissue_volumes()
    for label in (3, 7):
        assert volumes[label] == pytest.approx(np.count_nonzero(balls() == label) * 1e-9, rel=0.05)
    assert not [fault for fault in faults(mesh) if "dihedral" not in fault]


def test_cad_spheres_are_exact_and_refine_onto_the_spheres() -> None:
    radii = (0.03, 0.04)
    for refinements in (0, 1):
        mesh = cad_spheres(radii, (1, 5), 0.012, refinements=refinements)
        assert not [fault for fault in faults(mesh) if "dihedral" not in fault]
        for labels, radius in (((1,), 0.03), ((1, 5), 0.04)):
            surface = mesh.nodes[np.unique(mesh.boundary(*labels))]
            assert np.abs(np.linalg.norm(surface, axis=1) - radius).max() < 1e-6 * radius
        error = 1 - mesh.volumes().sum() / (4 / 3 * np.pi * radii[1] ** 3)
        assert 0 < error < (0.05, 0.013)[refinements]


def test_bad_cad_spheres() -> None:
    with pytest.raises(InputError, match="increase"):
        cad_spheres((0.04, 0.03), (1, 2), 0.01)
    with pytest.raises(InputError, match="one label per radius"):
        cad_spheres((0.04,), (1, 2), 0.01)
    with pytest.raises(InputError, match="edge_length must be > 0"):
        cad_spheres((0.04,), (1,), float("nan"))
