"""Every example runs, on a small head of four shells, and its numbers say what its page says."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

from rheobase.fields.uncertainty.distributions import uniform
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head
from rheobase.meshes.heads.sphere import shell_sheet
from rheobase.meshes.spaces import Affine, Registration

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.filterwarnings("error:constrained_layout:UserWarning")


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


@pytest.mark.slow  # 19 CPU-seconds; test_interference holds the envelopes
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


def test_hd_tes(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("hd_tes_dlpfc")
    some = ("F3", "F1", "F5", "AF3", "FC3", "Fp2", "P7", "Cz")
    monkeypatch.setattr(module, "POSITIONS", some)
    monkeypatch.setattr(module, "POINTS", 3)
    monkeypatch.setattr(module, "FEW", module.Limits(total=2e-3, each=1e-3, electrodes=4))
    found = module.main(head, out=str(tmp_path / "hd.png"))
    assert is_a_picture(tmp_path / "hd.png")
    front = found.pop("front")
    strongest, focal, few = (found[k] for k in ("strongest", "focal", "focal, 4 electrodes"))
    half = 0.5 * strongest["into cortex"]
    assert focal["into cortex"] == pytest.approx(half, rel=1e-6)
    assert few["into cortex"] == pytest.approx(half, rel=1e-6)
    assert focal["rms"] <= few["rms"] * (1 + 1e-4)
    assert few["rms"] < 0.8 * strongest["rms"]
    assert np.count_nonzero(np.abs(few["currents"]) > 1e-7) <= 4
    for one in (strongest, focal, few):
        assert np.abs(one["currents"]).max() <= 1e-3 * (1 + 1e-6)
    assert front.value[-1] == pytest.approx(strongest["into cortex"], rel=1e-6)
    assert np.all(np.diff(front.rms) > 0)


def test_ti_against_hd_tes(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("ti_against_hd_tes")
    some = ("F7", "F9", "F10", "T9", "T10", "P9", "P10", "Oz", "Cz")
    for name, value in (("POSITIONS", some), ("POINTS", 3), ("STARTS", 1), ("NODES", 200)):
        monkeypatch.setattr(module, name, value)
    found = module.main(head, out=str(tmp_path / "ti.png"))
    assert is_a_picture(tmp_path / "ti.png")
    front = found["front"]
    assert found["pairs"].value <= found["most"].value * (1 + 1e-9)
    assert front.value[-1] == pytest.approx(found["most"].value, rel=1e-4)
    assert np.all(front.rms <= front.single.rms * (1 + 1e-6))  # HD-tES is one way of doing it
    has = np.isfinite(front.pairs_rms)
    assert np.all(front.rms[has] <= front.pairs_rms[has] * (1 + 1e-6))
    three = [found[k] for k in ("HD-tES, modulated", "two carriers, any electrodes", "two pairs")]
    assert np.ptp([r["value"] for r in three]) < 1e-4 * three[0]["value"]


def test_aim(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("aim_a_coil")
    for name, value in (("RADIUS", 0.012), ("SPACING", 0.006), ("ANGLES", np.arange(0, 360, 45.0))):
        monkeypatch.setattr(module, name, value)
    found = module.main(head, out=str(tmp_path / "aim.png"))
    assert is_a_picture(tmp_path / "aim.png")
    best = found["poses"]["best of all"]["across"]
    assert found["solved"] == pytest.approx(best, rel=0.005)
    assert best == pytest.approx(found["values"].max(), rel=1e-6)
    assert best >= found["poses"]["over the target, 45 degrees"]["across"]
    turned = np.roll(found["values"], 4, axis=1)  # by half a turn
    assert np.allclose(turned, -found["values"], atol=0.01 * best)


@pytest.mark.slow  # lead, coil and pads are solved for, 40 cells grown: half a minute
def test_one_population(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("one_population")
    monkeypatch.setattr(module, "CELLS", 4)
    kinds = ("L5_pyramidal", "L23_basket", "L5_bipolar")
    monkeypatch.setattr(module, "TYPES", kinds)
    found = module.main(head, out=str(tmp_path / "cells.png"))
    assert is_a_picture(tmp_path / "cells.png")
    saved = xr.open_datatree(tmp_path / "cells.nc", engine="h5netcdf")
    for name, dataset in found.items():
        assert set(dataset.type.values) == set(kinds)
        assert np.array_equal(dataset.type, found["tms"].type)  # the same cells throughout
        assert dataset.equals(saved[name].to_dataset())
    anode, cathode = found["lead"].threshold.values
    known = np.isfinite(anode)
    assert known.sum() > 0.6 * len(anode)
    assert np.median(cathode[known] / anode[known]) < 1  # beside a contact
    # 2 kHz hardly reaches the soma, and two carriers beat by no more than their sum
    slow, carriers, beat = module.somata(found["ti"])
    of = found["ti"].type.values == "L5_pyramidal"
    assert np.median(carriers[of] / slow[of]) < 0.5
    assert np.all(beat <= carriers * (1 + 1e-9))
    assert "does not demodulate" in found["ti"].attrs["notes"]


@pytest.mark.slow  # 10 CPU-seconds; test_uncertainty_study holds the same chain
def test_how_sure(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("how_sure")
    ranges = {"skull": (0.006, 0.02), "grey_matter": (0.25, 0.45)}
    own = [
        module.Conductivity(tissue=tissue, distribution=uniform(*ends))
        for tissue, ends in ranges.items()
    ]
    monkeypatch.setattr(module, "OWN", tuple(own))
    monkeypatch.setattr(module, "SAMPLES", 20)
    found = module.main(head, out=str(tmp_path / "sure.png"))
    assert is_a_picture(tmp_path / "sure.png")
    hand = found["rows"][0]
    assert hand["mean"] == pytest.approx(found["values"].mean(), rel=0.05)
    assert hand["sd"] == pytest.approx(found["values"].std(), rel=0.3)
    assert hand["q5"] < hand["mean"] < hand["q95"]
    assert hand["total_skull"] > hand["total_C3 front"]
    assert sum(hand[f"total_{name}"] for name in found["inputs"].names) > 0.99
    # more conductive grey matter has less field, a more conductive skull more
    x, values = found["inputs"].sample(20), found["values"]
    slopes = np.linalg.lstsq(np.column_stack([x - x.mean(axis=0), np.ones(20)]), values)[0]
    assert slopes[0] > 0 > slopes[1]


@pytest.mark.slow  # 10 CPU-seconds; test_fields_anisotropy holds the physics
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


@pytest.mark.slow
def test_bilateral_stn(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("bilateral_stn")
    monkeypatch.setattr(module, "FIBRES", 60)
    found = module.main(head, out=str(tmp_path / "stn.png"))
    assert is_a_picture(tmp_path / "stn.png")
    left, right = found["left"], found["right"]
    assert left["steering"].total == pytest.approx(right["steering"].total)
    # one segment reaches to its side, a ring stays around the axis
    axis = left["lead"].to_lead(left["volume"].centroid[None])[0]
    ring = right["lead"].to_lead(right["volume"].centroid[None])[0]
    assert np.hypot(*axis[:2]) > 3 * np.hypot(*ring[:2])
    assert axis[0] > 0  # where the marker looks
    for side in found.values():
        assert np.all(np.diff(side["percent"]) >= 0)
        assert sum(side["fates"].values()) == 60


@pytest.mark.slow  # a pulse in time; test_fus_wave and test_fus_layering hold the solver
def test_fus_in_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("fus_in_layers")
    for name, value in (("FREQUENCY", 250e3), ("OUTER", 3e-3), ("INNER", 6e-3)):
        monkeypatch.setattr(module, name, value)
    found = module.main(out=str(tmp_path / "fus.png"))
    assert is_a_picture(tmp_path / "fus.png")
    peak = found["focus"].peak
    assert 0.3 * found["water"] < peak < found["water"]
    assert 0.9 * peak < found["pulse"] < 1.1 * peak
    brain = found["depth"] > module.INNER
    assert (found["displacement"][brain] > 0).all()
    assert np.isnan(found["displacement"][~brain]).all()


@pytest.mark.slow  # 25 CPU-seconds
def test_whole_brain(head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("tms_whole_brain")
    some = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "Cz", "Oz")
    for name, value in (("CELLS", 3), ("SCALP", some), ("SECONDS", 0.2), ("MAPS", (0.05,))):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "TYPES", ("L5_pyramidal", "L5_basket"))
    found = module.main(head, out=str(tmp_path / "brain.png"))
    assert is_a_picture(tmp_path / "brain.png")
    assert is_a_picture(tmp_path / "brain_eeg.png")
    spread, p = found["spread"], found["probability"]["pyramidal"]
    assert spread.origin == "LH_SalVentAttn_PFCl_1"  # under the coil
    assert p[spread.names.index(spread.origin)] > 0.3
    assert np.isfinite(spread.onset).sum() > 50
    largest = np.abs(found["eeg"]).max(axis=1)
    assert found["names"][largest.argmax()] == "F3"  # nearest to the coil
    assert found["eeg"].mean(axis=0) == pytest.approx(0.0, abs=1e-12)
