"""The study file: what is accepted and what each refusal says."""

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rheobase._errors import InputError
from rheobase.config import parse_study
from rheobase.kinds import KINDS
from rheobase.meshes.placing.outlines import Disc, Outline, Polygon, Rectangle, Ring
from rheobase.study_file import load_study
from rheobase.tables.coil import TMS
from rheobase.tables.electrodes import TES, TI

TABLES = {
    name: tomllib.loads(path.read_text(encoding="utf-8"))
    for name, path in KINDS["field"].studies().items()
}


@pytest.mark.parametrize("name", TABLES)
def test_shipped_studies_are_valid(name: str) -> None:
    found = load_study(name)
    assert found.title in found.text


MUD = {"sigma_S_per_m": 0.2, "thickness_mm": 2.0}


def edit(name: str, change: Callable[[Any], object]) -> dict[str, Any]:
    table = copy.deepcopy(TABLES[name])
    change(table)
    return table


EYE = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 90], [0, 0, 0, 1]]
BAD_COILS: list[tuple[dict[str, Any], str]] = [
    ({"target_mm": [0, 0, 50]}, "expected one of .*, got position and target_mm"),
    ({"position": None}, "expected one of position, position_mm, mni_mm, target_mm, .*, got none"),
    ({"handle_towards": "Fz"}, "expected one of .*, got handle_angle_deg and handle_towards"),
    ({"position": None, "matrix_mm": EYE}, "handle_angle_deg is in matrix_mm already"),
    ({"matrix_frame": "simnibs"}, "matrix_frame belongs to matrix_mm"),
    (
        {"position": None, "handle_angle_deg": None, "distance_mm": None, "matrix_mm": EYE},
        "matrix_mm needs matrix_frame = 'rheobase' or 'simnibs'",
    ),
    (
        {
            "position": None,
            "handle_angle_deg": None,
            "distance_mm": None,
            "matrix_frame": "rheobase",
            "matrix_mm": [[2, 0, 0, 0], *EYE[1:]],
        },
        "expected a rotation and a shift",
    ),
    ({"contact": "push"}, "'error', 'lift' or 'allow', got 'push'"),
    ({"waveform": "bifasic"}, "unknown TMS pulse 'bifasic', nearest: biphasic"),
    ({"waveform": {"name": "biphasic", "cycles": 2}}, "cycles does not go with name"),
    ({"waveform": {"capacitance_uF": 190}}, "a circuit needs inductance_uH"),
    (
        {"waveform": {"capacitance_uF": 190, "inductance_uH": 15, "resistance_mOhm": 9e5}},
        "expected a circuit that oscillates",
    ),
    ({"waveform": {}}, "expected one of name, file, of_coil, capacitance_uF, got none"),
    ({"waveform": {"fil": "a.csv"}}, r"unknown key 'fil', nearest: file.*\[device.waveform\]"),
]
BAD_PADS: list[tuple[dict[str, Any], str]] = [
    ({"radius_mm": 5.0}, "radius_mm belongs to shape = 'disc', got 'rectangle'"),
    ({"shape": "ring", "size_mm": None}, "shape = 'ring' needs inner_radius_mm"),
    (
        {"shape": "ring", "size_mm": None, "inner_radius_mm": 9, "outer_radius_mm": 8},
        r"outer_radius_mm must be > inner_radius_mm \(9\), got 8.0",
    ),
    ({"corner_radius_mm": 26.0}, "corner_radius_mm must be from 0 to 25"),
    (
        {"shape": "polygon", "size_mm": None, "corners_mm": [[0, 0], [9, 9], [9, 0], [0, 9]]},
        "expected sides that do not cross or touch",
    ),
    ({"layers": ["gell"]}, "unknown electrode layer 'gell', nearest: gel"),
    ({"layers": [{"name": "mud", "thickness_mm": 2.0}]}, "unknown electrode layer 'mud'"),
    ({"layers": [{"name": "gel", "thickness": 2.0}]}, "unknown key 'thickness', nearest: thick"),
    ({"layers": []}, "at least 1 item"),
    ({"model": "perfect"}, "'complete', 'ideal' or 'meshed', got 'perfect'"),
    ({"mni_mm": [0, 0, 90]}, "expected one of .*, got position and mni_mm"),
    ({"position": None, "position_mm": [0, 0]}, "missing value: s.toml.*position_mm"),
    ({"position": None, "position_mm": [0, 0, float("inf")]}, "finite number"),
    ({"towards": "Cz", "towards_mm": [0, 0, 0]}, "expected one of towards, towards_mm, got"),
]
BAD_RESULTS: list[tuple[dict[str, Any], str]] = [
    ({"formats": ["vtk"]}, "'vtu', 'vtkhdf', 'msh' or 'nifti', got 'vtk'"),
    ({"mni": True}, "mni = true is for formats with 'nifti'"),
    ({"atlas": "a.nii.gz"}, "an atlas needs atlas_space = 'MNI' or 'head'"),
    ({"atlas_names": "a.csv"}, "atlas_names belongs to an atlas, there is none"),
    ({"regions": [{"name": "a", "radius_mm": 5}]}, "expected one of centre_mm, mni_mm, got none"),
    ({"regions": [{"name": "a", "mni_mm": [0, 0, 0], "radius_mm": 0}]}, "greater than 0, got 0"),
    ({"regions": [{"name": "a", "mni_mm": [0, 0, 0], "radius_mm": 5}] * 2}, "two regions are call"),
    ({"thresholds_V_per_m": [0.2, -1]}, "greater than 0, got -1: s.toml, results.thresholds_V"),
    ({"intensity_A_per_us": 50}, r"belongs to a coil \('tms'\), got 'tes'"),
]
BAD_TENSORS: list[tuple[dict[str, Any], str]] = [
    ({}, "missing key: s.toml, head.tensors.file"),
    ({"file": "d.nii.gz", "mapping": "volume"}, "'volume-normalised' or 'direct', got 'volume'"),
    ({"file": "d.nii.gz", "largest_ratio": 0.5}, "greater than or equal to 1, got 0.5"),
    ({"file": "d.nii.gz", "content": "directions"}, "directions need the ratio"),
    ({"file": "d.nii.gz", "ratio": 9}, "ratio belongs to content = 'directions'"),
    ({"file": "d.nii.gz", "axis": "fsl"}, r"unknown key 'axis', nearest: axes.*\[head.tensors\]"),
]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "tms_motor",
            lambda t: t["device"].update(handel_angle_deg=3.0),
            r"unknown key 'handel_angle_deg', nearest: handle_angle_deg.*: s.toml, \[device\]",
        ),
        ("tms_motor", lambda t: t.update(cell={}), "unknown key 'cell', nearest: cells: s.toml"),
        (
            "tms_motor",
            lambda t: t["head"].pop("name"),
            "either name .* or file, got both or neither: s.toml",
        ),
        (
            "tms_motor",
            lambda t: t["cells"].update(placements=0),
            "greater than or equal to 1, got 0: s.toml, cells.placements",
        ),
        (
            "tms_motor",
            lambda t: t["network"].update(interval_ms=20.0),
            "greater than or equal to 200, got 20.0: s.toml, network.interval_ms",
        ),
        ("tms_motor", lambda t: t.pop("cells"), r"\[network\] needs \[cells\]"),
        (
            "tms_motor",
            lambda t: t["device"]["intensities_A_per_us"].update(stop=float("nan")),
            "less than or equal to 100000, got nan",
        ),
        (
            "tdcs_motor",
            lambda t: t["device"]["electrodes"][0].update(current_mA=2.4),
            "current sums to 0.4 mA, must be 0: montage 'anode-cathode'",
        ),
        (
            "tdcs_motor",
            lambda t: t["device"]["electrodes"][0].update(sise_mm=3),
            r"unknown key 'sise_mm', nearest: size_mm.*: s.toml, \[device.electrodes.0\]",
        ),
        (
            "tdcs_motor",
            lambda t: t.update(cells={"types": ["L5_pyramidal"], "mode": "af"}),
            r"cells.mode decides which cells a pulse",
        ),
        (
            "tms_motor",
            lambda t: t["cells"].update(frequency_Hz=10.0),
            r"cells.frequency_Hz is that of the current through electrodes .*, got 10 with 'tms'",
        ),
        ("ti_motor", lambda t: t["device"]["pairs"].pop(), "at least 2 items"),
        (
            "ti_motor",
            lambda t: t["device"]["pairs"][1].update(carrier_Hz=2000.0),
            r"expected two frequencies within 500 Hz of each other, got \(2000.0, 2000.0\)",
        ),
        (
            "ti_motor",
            lambda t: t["device"]["pairs"][1].update(carrier_Hz=2700.0),
            r"within 500 Hz of each other, got \(2000.0, 2700.0\): carriers: s.toml, device",
        ),
        ("ti_motor", lambda t: t["device"].update(direction=[0, 0, 0]), "must not be 0, 0, 0"),
        (
            "ti_motor",
            lambda t: t["device"]["pairs"][0].update(anode={"positon": "FC3"}),
            r"unknown key 'positon', nearest: position.*\[device.pairs.0.anode\]",
        ),
        (
            "ti_motor",
            lambda t: t["device"]["pairs"][1].update(anode="FC3"),
            "position 'FC3' is used twice, electrodes must not overlap",
        ),
        ("ti_motor", lambda t: t["device"].update(kind="tii"), "unknown kind 'tii', nearest: ti"),
        ("ti_motor", lambda t: t["device"].pop("kind"), r"expected kind = .*: s.toml, \[device\]"),
        (
            "tms_motor",
            lambda t: t["device"].update(intensities_A_per_us={"start": 0, "stop": 1, "cnt": 3}),
            "unknown key 'cnt', nearest: count",
        ),
        ("tms_motor", lambda t: t.update(seed=2**63), "less than 9223372036854775808"),
        *[
            ("tms_motor", lambda t, keys=keys: t["device"].update(keys), message)
            for keys, message in BAD_COILS
        ],
        *[
            ("tdcs_motor", lambda t, keys=keys: t["device"]["electrodes"][0].update(keys), message)
            for keys, message in BAD_PADS
        ],
        *[
            ("tdcs_motor", lambda t, keys=keys: t.update(results=keys), message)
            for keys, message in BAD_RESULTS
        ],
        *[
            ("tdcs_motor", lambda t, keys=keys: t["head"].update(tensors=keys), message)
            for keys, message in BAD_TENSORS
        ],
        (
            "tdcs_motor",
            lambda t: t["device"].update(montage_4x1={"centre": "C3", "current_mA": 2.0}),
            "expected one of electrodes, montage_4x1, got electrodes and montage_4x1",
        ),
        (
            "tdcs_motor",
            lambda t: t.update(
                device={"kind": "tes", "montage_4x1": {"centre": "C3", "current_mA": 0}}
            ),
            "current_mA must not be 0: s.toml, device.montage_4x1",
        ),
    ],
)
def test_bad_study_gets_one_sentence(
    name: str, change: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_study(edit(name, change), where="s.toml")
    assert "\n" not in str(caught.value)


def test_the_electrodes_of_the_documentation_are_valid() -> None:
    page = (Path(__file__).parents[2] / "docs/studies.md").read_text(encoding="utf-8")
    example = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])
    device = parse_study({"title": "x", "head": {"name": "mni152"}, **example}).device
    assert isinstance(device, TES)
    assert [e.outline() for e in device.electrodes or []] == [
        Rectangle(width_mm=50, height_mm=70, corner_radius_mm=5),
        Ring(inner_radius_mm=10, outer_radius_mm=25),
    ]


def test_unknown_study_offers_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown study 'tms_moter', nearest: tms_motor"):
        load_study("tms_moter")


def test_missing_file_and_broken_toml(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no study file .*none\.toml"):
        load_study(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("title = \n", encoding="utf-8")
    with pytest.raises(InputError, match=r"broken\.toml is no valid TOML: .*line 1"):
        load_study(broken)


def test_paths_count_from_the_study_file(tmp_path: Path) -> None:
    text = """title = "x"
    [head]
    file = "a.msh"
    labels = "simnibs"
    tissues = "t.toml"
    tensors = { file = "dti.nii.gz" }
    [device]
    kind = "tms"
    coil = "mine.TCD"
    position = "C3"
    waveform = "pulse.csv"
    [results]
    atlas = "aal.nii.gz"
    atlas_space = "MNI"
    """
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    study: Any = load_study(path).study
    files = {**study.head.files(), **study.device.files(), **study.results.files()}
    assert files == {
        "file": tmp_path / "a.msh",
        "tissues": tmp_path / "t.toml",
        "tensors.file": tmp_path / "dti.nii.gz",
        "coil": tmp_path / "mine.TCD",
        "waveform.file": tmp_path / "pulse.csv",
        "atlas": tmp_path / "aal.nii.gz",
    }
    assert study.head.labels == "simnibs", "a bare name is a known table"


@pytest.mark.parametrize(
    ("keys", "outline"),
    [
        ({"shape": "disc", "radius_mm": 8.0}, Disc(radius_mm=8.0)),
        (
            {"shape": "rectangle", "size_mm": [40, 30], "corner_radius_mm": 4},
            Rectangle(width_mm=40, height_mm=30, corner_radius_mm=4),
        ),
        (
            {"shape": "ring", "inner_radius_mm": 6, "outer_radius_mm": 9},
            Ring(inner_radius_mm=6, outer_radius_mm=9),
        ),
        (
            {"shape": "polygon", "corners_mm": [[0, 0], [9, 0], [0, 9]]},
            Polygon(corners_mm=[(0, 0), (9, 0), (0, 9)]),
        ),
    ],
)
def test_outlines_are_those_of_the_keys(keys: dict[str, Any], outline: Outline) -> None:
    def change(table: Any) -> None:
        pad = table["device"]["electrodes"][0]
        del pad["size_mm"], pad["position"]
        pad.update(keys, position_mm=[1, 2, 3], layers=["gel", {"name": "mud", **MUD}])

    device = parse_study(edit("tdcs_motor", change)).device
    assert isinstance(device, TES)
    assert device.electrodes is not None
    pad = device.electrodes[0]
    assert pad.outline() == outline
    assert pad.where == pytest.approx([1e-3, 2e-3, 3e-3])
    assert [(one.make().name, one.make().sigma) for one in pad.layers] == [("gel", 1), ("mud", 0.2)]


def test_pairs_may_share_a_carrier_and_have_phases() -> None:
    def change(table: Any) -> None:
        third = copy.deepcopy(table["device"]["pairs"][0])
        third.update(anode={"mni_mm": [0, 60, 60]}, cathode={"position": "Oz", "rotation_deg": 9})
        third.update(phase_deg=180.0)
        table["device"]["pairs"].append(third)

    device = parse_study(edit("ti_motor", change)).device
    assert isinstance(device, TI)
    assert device.carriers().order.tolist() == [0, 1, 0]
    assert device.carriers().phase == pytest.approx([0, 0, 3.141592653589793])
    assert device.pairs[2].anode.space == "MNI"


def test_both_conventions_of_a_coil_matrix_mean_the_same_place() -> None:
    def posed(frame: str, turn: int) -> Any:
        def change(table: Any) -> None:
            for key in ("position", "handle_angle_deg", "distance_mm"):
                del table["device"][key]
            rows = [[1, 0, 0, 5], [0, turn, 0, 6], [0, 0, turn, 90], [0, 0, 0, 1]]
            table["device"].update(matrix_mm=rows, matrix_frame=frame)

        device = parse_study(edit("tms_motor", change)).device
        assert isinstance(device, TMS)
        return device.pose()

    ours, theirs = posed("rheobase", 1), posed("simnibs", -1)
    assert ours == pytest.approx(theirs)
    assert ours[:3, 3] == pytest.approx([5e-3, 6e-3, 90e-3])


def test_a_circuit_is_a_pulse() -> None:
    circuit = {"resistance_mOhm": 33.8, "inductance_uH": 15.5, "capacitance_uF": 193.6}
    table = edit("tms_motor", lambda t: t["device"].update(waveform=circuit))
    device = parse_study(table).device
    assert isinstance(device, TMS)
    assert device.waveform.make(None).duration == pytest.approx(344.8e-6, rel=1e-3)
