"""Layers thinner than the elements stay closed."""

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.carving.closed_layers import carve_closed, false_contacts
from rheobase.meshes.carving.image_indicators import image_indicators
from rheobase.meshes.mesher import carve_image

AFFINE = np.diag([1e-3, 1e-3, 1e-3, 1.0])


def shells() -> NDArray[np.uint8]:
    """Return a ball of grey matter in 2 mm of CSF and 3 mm of bone in scalp, 1 mm voxels."""
    x = np.arange(60) - 29.3
    r = np.sqrt(x[:, None, None] ** 2 + x[None, :, None] ** 2 + x[None, None, :] ** 2)
    return np.select([r < 15, r < 17, r < 20, r < 27], [2, 3, 4, 5], 0).astype(np.uint8)


def test_touching_labels() -> None:
    found = image_indicators(shells(), AFFINE)
    assert found.touching == {(0, 5), (2, 3), (3, 4), (4, 5)}
    corner = np.zeros((4, 4, 4), np.int64)
    corner[0, 0, 0], corner[1, 1, 1] = 7, 300  # share one corner; both touch the outside
    assert image_indicators(corner, AFFINE).touching == {(0, 7), (0, 300), (7, 300)}


def test_layers_are_closed_and_nothing_else_changes() -> None:
    image, affine = shells(), AFFINE
    touching = image_indicators(image, affine).touching

    def size(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(points), 5e-3)

    open_ = carve_image(image, affine, 5e-3, size=size)
    closed = carve_closed(image, affine, 5e-3, size=size)
    assert not len(false_contacts(closed.mesh, touching))
    assert not closed.report.contacts
    assert len(closed.mesh.tets) >= len(open_.mesh.tets)
    errors = closed.report.volume_errors()
    assert max(abs(errors[k]) for k in (4, 5)) < 0.01
    assert max(abs(error) for error in errors.values()) < 0.05  # CSF is 2 mm, elements are 5 mm
    # told that two labels may not touch, it finds their whole interface
    between = false_contacts(closed.mesh, touching - {(2, 3)})
    radius = np.linalg.norm(between - 29.3e-3, axis=1)
    np.testing.assert_allclose(radius, 15e-3, atol=3e-3)
    assert abs(np.median(radius) - 15e-3) < 0.5e-3
    assert len(between) > 50
    outside = false_contacts(closed.mesh, touching - {(0, 5)})
    assert len(outside) == len(np.unique(closed.mesh.boundary()))
