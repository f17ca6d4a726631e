"""What a study names is opened and placed, or refused, before anything is solved."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.config import Study, parse_study
from rheobase.fields.tensors import components
from rheobase.stations.head import open_head
from rheobase.stations.inputs import open_inputs
from rheobase.stations.placing import Placed, place_device

RADIUS = 0.092
HEAD = {
    "name": "sphere",
    "edge_length_mm": 8.0,
    "options": {
        "radii_mm": [80.0, 92.0],
        "layers": ["grey_matter", "scalp"],
        "sigma_S_per_m": [0.33, 0.33],
    },
}
COIL = {"kind": "tms", "coil": "deng-25mm-figure8", "position": "Cz"}
PADS: dict[str, Any] = {
    "kind": "tes",
    "electrodes": [
        {"name": "a", "position": "C3", "current_mA": 1.0},
        {"name": "b", "position": "C4", "current_mA": -1.0},
    ],
}


def study(device: dict[str, Any], folder: Path | None = None, **tables: Any) -> Study:
    head = HEAD | tables.pop("head", {})
    return parse_study({"title": "x", "head": head, "device": device, **tables}, folder=folder)


def placed(
    device: dict[str, Any], folder: Path | None = None, *, space: str = "sphere", **tables: Any
) -> Placed:
    asked = study(device, folder, **tables)
    inputs = open_inputs(asked)
    return place_device(asked, replace(open_head(asked.head), space=space), inputs)


def image(path: Path, values: np.ndarray[Any, Any], *, edge_mm: float = 12.0) -> Path:
    """Write an image that is centred on the sphere."""
    affine = np.diag([edge_mm, edge_mm, edge_mm, 1.0])
    affine[:3, 3] = -edge_mm * (np.array(values.shape[:3]) - 1) / 2
    nib.Nifti1Image(values, affine).to_filename(path)
    return path


def tensors(path: Path, eigenvalues: tuple[float, float, float]) -> Path:
    values = np.zeros((16, 16, 16, 6), np.float32)
    values[...] = components(np.diag(eigenvalues))
    return image(path, values)


def dipoles(path: Path) -> Path:
    lines = "0 0 -10 0 0 1e-3\n10 0 -10 0 0 -1e-3\n"
    path.write_text(f"# number of elements\n2\n# x y z mx my mz\n{lines}".replace("-10", "-0.01"))
    return path


# ---- coils -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        {"position": "Cz"},
        {"position": None, "position_mm": [0, 0, 93]},
        {"position": None, "mni_mm": [0, 0, 93]},
        {"position": None, "target_mm": [0, 0, 60]},
        {"position": None, "target_mni_mm": [0, 0, 60]},
        {"position": "Cz", "handle_towards": "Oz"},
        {"position": "Cz", "handle_towards_mm": [0, -90, 20]},
        {
            "position": None,
            "matrix_frame": "rheobase",
            "matrix_mm": [[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 96], [0, 0, 0, 1]],
        },
        {
            "position": None,
            "matrix_frame": "simnibs",
            "matrix_mm": [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 96], [0, 0, 0, 1]],
        },
    ],
)
def test_every_way_to_say_where_a_coil_is(keys: dict[str, Any]) -> None:
    """All of these stand 4 mm above the vertex; the handle points back where that was asked."""
    coil = placed(COIL | keys, space="MNI152NLin2009aSym").coil
    assert coil is not None
    np.testing.assert_allclose(coil.pose[:3, 3], [0, 0, RADIUS + 0.004], atol=2e-3)  # edges of 8 mm
    np.testing.assert_allclose(coil.pose[:3, 2], [0, 0, 1], atol=0.03)
    if "handle" in " ".join(keys) or "matrix_mm" in keys:
        np.testing.assert_allclose(coil.pose[:3, 1], [0, -1, 0], atol=0.03)


def test_coil_files_and_pulses_are_read_from_beside_the_study(tmp_path: Path) -> None:
    dipoles(tmp_path / "own.ccd")
    (tmp_path / "pulse.csv").write_text("time (us), I (A)\n0, 0\n50, 5000\n100, 0\n")
    device = COIL | {"coil": "own.ccd", "waveform": "pulse.csv"}
    inputs = open_inputs(study(device, tmp_path))
    assert inputs.coil is not None
    assert len(inputs.coil.dipoles) == 2
    assert inputs.waveform is not None
    assert inputs.waveform.unit == "A/s", "a table of the current is derived"
    assert inputs.waveform.peak == pytest.approx(1e8)
    assert set(inputs.files) == {"device.coil", "device.waveform.file"}


def test_a_coil_is_lifted_or_allowed_only_where_asked() -> None:
    inside = COIL | {"distance_mm": 0.0, "coil": "magstim-double-cone"}
    with pytest.raises(InputError, match="reaches into the head, move it outwards by"):
        placed(inside)
    lifted = placed(inside | {"contact": "lift"})
    assert any("lifted by" in note for note in lifted.notes)
    allowed = placed(inside | {"contact": "allow"})
    assert any("as allowed" in note for note in allowed.notes)


def test_intensities_beyond_the_stimulator_are_told() -> None:
    range_ = {"start": 0, "stop": 200, "count": 3}
    notes = placed(COIL | {"coil": "magventure-c-b60", "intensities_A_per_us": range_}).notes
    assert any("gives at most 155.4 A/µs" in note for note in notes)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"coil": "deng-25mm"},
            "unknown coil 'deng-25mm', nearest: deng-25mm-figure8.*: device.coil",
        ),
        ({"coil": "none.ccd"}, r"no such file .*none.ccd: device.coil"),
        ({"coil": "bad.ccd"}, "expected six finite numbers, got 'a b c': line 2 of .*bad.ccd"),
        ({"deformations": [3.0]}, "only a .tcd file has deformations"),
        ({"position": "Czz"}, "unknown electrode position 'Czz', nearest: Cz.*device.position"),
        ({"handle_towards": "Fzz"}, "unknown electrode position 'Fzz'.*device.handle_towards"),
        ({"waveform": "none.csv"}, "no such file .*none.csv: device.waveform.file"),
        ({"waveform": "bad.csv"}, "expected a finite time and 'I', got '5, nan': line 3 of"),
        ({"waveform": {"of_coil": "MagPro"}}, "the coil has no waveforms of its own"),
    ],
)
def test_bad_coils_are_refused_before_the_head_is_built(
    tmp_path: Path, keys: dict[str, Any], message: str
) -> None:
    (tmp_path / "bad.ccd").write_text("1\na b c\n")
    (tmp_path / "bad.csv").write_text("time (us), I (A)\n0, 0\n5, nan\n")
    with pytest.raises(InputError, match=message) as caught:
        open_inputs(study(COIL | keys, tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"position": None, "position_mm": [0, 0, 120]}, "28.* mm off it: coil"),
        ({"position": None, "target_mm": [0, 0, 120]}, "expected a target inside the head"),
        ({"position": None, "mni_mm": [0, 0, 90]}, "no transform between MNI and space 'sphere'"),
        ({"position": None, "target_mni_mm": [0, 0, 9]}, "no transform between MNI"),
        (
            {
                "position": None,
                "matrix_frame": "rheobase",
                "matrix_mm": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 80], [0, 0, 0, 1]],
            },
            "reaches into the head",
        ),
    ],
)
def test_coils_that_do_not_fit_the_head(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        placed(COIL | keys)


def test_a_sampled_coil_must_cover_the_head(tmp_path: Path) -> None:
    path = image(tmp_path / "a.nii.gz", np.ones((4, 4, 4, 3), np.float32))
    with pytest.raises(InputError, match=r"the sampled field covers .* lie outside"):
        placed(COIL | {"coil": path.name}, tmp_path)


# ---- electrodes --------------------------------------------------------------------------------


def pads(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    electrodes: list[dict[str, Any]] = [dict(e) for e in PADS["electrodes"]]
    change(electrodes[0])
    return {"kind": "tes", "electrodes": electrodes}


@pytest.mark.parametrize(
    ("keys", "area"),
    [
        ({"radius_mm": 10.0}, np.pi * 1e-4),
        ({"shape": "rectangle", "size_mm": [30, 20], "towards": "Cz"}, 6e-4),
        ({"shape": "rectangle", "size_mm": [30, 20], "towards_mm": [0, 0, 92]}, 6e-4),
        ({"shape": "ring", "inner_radius_mm": 6, "outer_radius_mm": 12}, np.pi * 1.08e-4),
        ({"shape": "polygon", "corners_mm": [[-9, -9], [9, -9], [0, 9]]}, 1.62e-4),
        ({"position": None, "position_mm": [-60, 0, 70], "model": "ideal"}, np.pi * 1.44e-4),
        ({"position": None, "mni_mm": [-45, 0, 52], "towards_mm": [0, 0, 92]}, np.pi * 1.44e-4),
    ],
)
def test_every_outline_is_laid(keys: dict[str, Any], area: float) -> None:
    found = placed(pads(lambda e: e.update(keys)), space="MNI152NLin2009aSym")
    assert found.pads[0][0].area == pytest.approx(area, rel=0.03)
    assert found.pads[0][0].model == keys.get("model", "complete")
    assert found.montages[0].currents == (1e-3, -1e-3)


def test_the_hd_shortcut_is_five_electrodes() -> None:
    hd = {"centre": "Cz", "current_mA": 2.0, "ring_mm": 45.0, "rotation_deg": 45.0}
    found = placed({"kind": "tes", "montage_4x1": hd})
    assert found.montages[0].currents == (2e-3, *[-0.5e-3] * 4)
    by_name = hd | {"ring_mm": None, "rotation_deg": None, "ring": ["Fz", "C3", "Pz", "C4"]}
    montage = placed({"kind": "tes", "montage_4x1": by_name}).montages[0]
    assert [e.name for e in montage.electrodes] == ["Cz", "Fz", "C3", "Pz", "C4"]


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (pads(lambda e: e.update(position="C3z")), "unknown electrode position 'C3z'"),
        (pads(lambda e: e.update(towards="Czz")), "unknown electrode position 'Czz'.*0.towards"),
        (
            pads(lambda e: e.update(position=None, position_mm=[0, 0, 110])),
            "within 10 mm of the scalp, got one 18.* mm off it: electrode 'a'",
        ),
        (
            pads(lambda e: e.update(position=None, mni_mm=[0, 0, 90])),
            "no transform between MNI and space 'sphere'",
        ),
        (pads(lambda e: e.update(position="C2", radius_mm=30.0)), "'a' and 'b' overlap"),
        (
            {
                "kind": "ti",
                "pairs": [
                    {"anode": a, "cathode": b, "current_mA": 1, "carrier_Hz": f, "radius_mm": 15}
                    for a, b, f in (("FC3", "CP3", 2000), ("F4", "C3", 2010))
                ],
            },
            "electrodes 'FC3' and 'C3' overlap: device.pairs",
        ),
    ],
)
def test_electrodes_that_do_not_fit(device: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        placed(device)


def test_meshed_layers_need_a_head_that_knows_its_lattice() -> None:
    with pytest.raises(InputError, match="expected a head that was made from an image"):
        placed(pads(lambda e: e.update(model="meshed")))


# ---- tensors, regions --------------------------------------------------------------------------


def test_tensors_reach_the_conductor(tmp_path: Path) -> None:
    tensors(tmp_path / "dti.nii.gz", (3.0, 1.0, 1.0))
    table = {"file": "dti.nii.gz", "tissues": ["grey_matter"], "axes": "world"}
    found = placed(PADS, tmp_path, head={"tensors": table}).tensors
    assert found is not None
    assert len(found.tets) > 10_000
    np.testing.assert_allclose(found.values[0], components(np.diag([3, 1, 1]) / 3 ** (1 / 3)))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"file": "bad.nii.gz"}, "diffusion tensors must be positive definite"),
        ({"file": "good.nii.gz", "tissues": ["gray_matter"]}, "'gray_matter', nearest: grey_matt"),
        ({"file": "none.nii.gz"}, "no such file .*none.nii.gz: head.tensors.file"),
        (
            {"file": "good.nii.gz", "content": "directions", "ratio": 9.0},
            "expected three direction components",
        ),
    ],
)
def test_bad_tensors(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    tensors(tmp_path / "bad.nii.gz", (1.0, 1.0, -1.0))
    tensors(tmp_path / "good.nii.gz", (3.0, 1.0, 1.0))
    table = {"tissues": ["grey_matter"], **keys}
    with pytest.raises(InputError, match=message):
        placed(PADS, tmp_path, head={"tensors": table})


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"formats": ["nifti"], "mni": True}, "needed by mni = true"),
        (
            {"regions": [{"name": "M1", "mni_mm": [-38, -20, 58], "radius_mm": 5}]},
            r"no transform between MNI and space 'sphere', needed by M1: \[results\]",
        ),
        (
            {"regions": [{"name": "far", "centre_mm": [0, 0, 300], "radius_mm": 5}]},
            "region 'far' holds nothing of head 'sphere'",
        ),
        ({"formats": ["nifti"], "voxel_mm": 0.05}, "voxels on three axes: .*: results.voxel_mm"),
        ({"atlas": "text.nii.gz", "atlas_space": "head"}, "text.nii.gz"),
        ({"atlas": "none.nii.gz", "atlas_space": "head"}, "no such file .*: results.atlas"),
    ],
)
def test_bad_results(tmp_path: Path, results: dict[str, Any], message: str) -> None:
    (tmp_path / "text.nii.gz").write_text("no image")
    with pytest.raises(InputError, match=message):
        placed(PADS, tmp_path, results=results)
