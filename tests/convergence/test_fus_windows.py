"""Windows into the default head and a real label image: layers hold, smoothing keeps the skull."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from rheobase.fields.acoustics.window.anatomy import Kind
from rheobase.fields.acoustics.window.window import beam_window
from rheobase.meshes.heads import build_head
from rheobase.meshes.leads.medium import from_image

ERNIE = Path(__file__).parents[3] / "shared/data/heads/ernie_charm.nii.gz"


def aim(target: ArrayLike, axis: ArrayLike, distance: float) -> NDArray[np.float64]:
    """Return the frame of a level beam that starts ``distance`` before the target."""
    z = np.asarray(axis, float) / np.linalg.norm(axis)
    x = np.cross((0.0, 0.0, 1.0), z)
    x /= np.linalg.norm(x)
    frame = np.eye(4)
    frame[:3, :3] = np.column_stack([x, np.cross(z, x), z])
    frame[:3, 3] = np.asarray(target) - distance * z
    return frame


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "axis", "distance", "share"),
    [
        ((-0.011, -0.018, 0.007), (1, 0.05, -0.05), 0.09, 1.0),  # thalamus from the left
        ((0.008, -0.085, 0.004), (0, 1, 0.1), 0.05, 1.0),  # V1 from behind
        ((0.028, -0.022, -0.016), (-1, 0, 0.1), 0.07, 0.9),  # hippocampus from the right
    ],
)
def test_windows_into_the_default_head(
    target: ArrayLike, axis: ArrayLike, distance: float, share: float
) -> None:
    """Layers describe (almost) all; the mean thickness stays to 1 %, surfaces move by 0.15 mm."""
    frame = aim(target, axis, distance)
    window = beam_window(
        build_head("mni152"), frame, half_width=0.03, depth=(0.0, 0.1), target=target
    )
    report = window.report
    assert report.conforming >= share
    assert report.thickness_kept == pytest.approx(1.0, abs=0.01)
    assert max(report.change.values()) < 0.15e-3
    assert 2e-3 < report.thickness[2] < 8e-3


@pytest.mark.slow
@pytest.mark.skipif(not ERNIE.exists(), reason="no SimNIBS label image beside the repository")
def test_windows_into_a_label_image() -> None:
    """Occipital bone of a real head: tables and diploe from labels, thickness kept to 1 %."""
    head = from_image(ERNIE, labels="charm_index")
    voxels = np.argwhere(np.isin(head.image.values, (1, 2))).mean(axis=0)
    centre = head.image.affine[:3, :3] @ voxels + head.image.affine[:3, 3]
    frame = aim(centre, (0, 1, 0), 0.13)
    window = beam_window(head, frame, half_width=0.03, depth=(0.0, 0.14), target=centre)
    assert window.kinds[2:5] == (Kind.COMPACT, Kind.SPONGY, Kind.COMPACT)
    assert window.report.conforming > 0.95
    assert window.report.thickness_kept == pytest.approx(1.0, abs=0.01)
