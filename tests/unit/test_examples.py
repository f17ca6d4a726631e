"""Every example runs, on a small head of four shells, and its numbers say what its page says."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from matplotlib.image import imread

from rheobase import field_views
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.heads.sphere import shell_sheet
from rheobase.meshes.spaces import Affine, Registration

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def head() -> Head:
    """Return white, grey, skull and scalp as shells, with a cortex, in MNI space as it is."""
    made = build_head(
        "sphere",
        radii_mm=(60, 70, 78, 86),
        layers=("white_matter", "grey_matter", "skull", "scalp"),
        sigma_S_per_m=(0.14, 0.33, 0.01, 0.33),
        edge_length_mm=7,
    )
    same = Registration(to_mni=Affine(matrix=np.eye(4)))
    return replace(made, cortex=shell_sheet(0.070, 0.003), mni=same)


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def is_a_picture(path: Path) -> bool:
    return bool(imread(path)[..., :3].std() > 0.1)


@pytest.fixture
def flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the 3-D pictures out, as where there is no OpenGL: four CPU-seconds each."""
    monkeypatch.setattr(field_views, "render", lambda scene, png: False)


@pytest.mark.usefixtures("flat")
def test_dose(head: Head, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = example("dose_a_montage")
    found = module.main(head, out=str(tmp_path / "dose.png"))
    assert is_a_picture(tmp_path / "dose.png")
    report, rows = found["report"], {row["region"]: row for row in found["rows"]}
    assert np.allclose(report.delivered, report.asked, rtol=1e-6)
    assert rows["grey_matter"]["error"] < 0.03
    # the current that is said to be needed does it, and the field follows it
    target = "(hand area & grey_matter)"
    region = module.ball(module.HAND, 0.010, space="MNI") & module.tissue_region("grey_matter")
    strength = found["basis"].magnitude([found["needed"]])
    (row,) = module.region_table(
        [region], head, strength, corners=found["basis"].split_of_tet, percentiles=(50.0,)
    )
    assert row["mean"] == pytest.approx(module.WANTED, rel=1e-9)
    assert rows[target]["mean"] / row["mean"] == pytest.approx(module.CURRENT / found["needed"])
    told = capsys.readouterr().out
    assert "2.000000" in told
    assert "ohm" in told


@pytest.mark.usefixtures("flat")
def test_two_coils(head: Head, tmp_path: Path) -> None:
    module = example("compare_two_coils")
    found = module.main(head, out=str(tmp_path / "coils.png"))
    assert is_a_picture(tmp_path / "coils.png")
    eight, circle = found[module.EIGHT], found[module.ROUND]
    assert circle["half volume"] > 2.5 * eight["half volume"]
    assert circle["depth"] >= eight["depth"]
    assert 0.005 < eight["depth"] < 0.03
    fields = [coil["profile"][:120:10] for coil in (eight, circle)]
    assert np.all(np.diff(fields, axis=1) < 0)  # nothing but a decay within the head


def test_pads_against_hd(head: Head, tmp_path: Path) -> None:
    module = example("pads_against_hd")
    found = module.main(head, out=str(tmp_path / "pads.png"))
    assert is_a_picture(tmp_path / "pads.png")
    pads, ring = (one["focality"] for one in found.values())
    assert ring.above[0.5] < 0.25 * pads.above[0.5]
    assert ring.target.ratio > 4 * pads.target.ratio
    assert ring.target.mean_elsewhere < 0.3 * pads.target.mean_elsewhere
    assert ring.target.share[0.5] > pads.target.share[0.5]


@pytest.mark.usefixtures("flat")
def test_interference_in_depth(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("ti_in_depth")
    for name, few in (("FRONT", ("F7", "F8", "F9")), ("MIDDLE", ("T9", "T10", "Cz"))):
        monkeypatch.setattr(module, name, few)
    monkeypatch.setattr(module, "BACK", ("P9", "P10", "Oz"))
    found = module.main(head, out=str(tmp_path / "ti.png"))
    assert is_a_picture(tmp_path / "ti.png")
    one, other, both, envelope, three = found.values()
    alone = max(one["ratio"], other["ratio"])
    assert envelope["ratio"] > 1.1 * alone  # deeper than either carrier
    assert three["ratio"] > 1.1 * alone
    assert envelope["target"] < both["target"]  # nothing beats by more than is there
    assert envelope["target"] < 2 * min(one["target"], other["target"])


@pytest.mark.usefixtures("flat")
def test_anisotropy(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("anisotropy_on_off")
    found = module.main(head, out=str(tmp_path / "anisotropy.png"))
    assert is_a_picture(tmp_path / "anisotropy.png")
    change = [found["tissues"][name]["difference"] for name in head_tissues(head)]
    assert np.all(np.diff(change) < 0)  # most in white matter, less and less outwards
    assert 0.05 < change[0] < 0.5
    assert change[-1] < 0.02
    white = found["tissues"]["white_matter"]
    assert 0.005 < abs(white["on"] / white["off"] - 1) < 0.1
    for state in ("off", "on"):
        assert np.allclose(found[state].delivered, (1.0, -1.0), atol=1e-6)

    # tensors that are no tensors change nothing but how the field is recovered
    monkeypatch.setattr(module, "RATIO", 1.0)
    same = module.main(head, out=str(tmp_path / "same.png"))
    assert same["on"].impedance == pytest.approx(same["off"].impedance, rel=1e-7)
    assert max(t["difference"] for t in same["tissues"].values()) < 0.02


def head_tissues(head: Head) -> list[str]:
    """Return the names of the tissues from the inside outwards."""
    return [head.tissues[k].name for k in sorted(head.tissues)]
