"""The study file: what is accepted and what each refusal says."""

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rheobase._errors import InputError
from rheobase.config import load_study, parse_study, shipped_studies

TABLES = {
    name: tomllib.loads(path.read_text(encoding="utf-8"))
    for name, path in shipped_studies().items()
}


@pytest.mark.parametrize("name", TABLES)
def test_shipped_studies_are_valid(name: str) -> None:
    study, text = load_study(name)
    assert study.title in text


def edit(name: str, change: Callable[[Any], object]) -> dict[str, Any]:
    table = copy.deepcopy(TABLES[name])
    change(table)
    return table


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "tms_motor",
            lambda t: t["device"].update(handel_angle_deg=3.0),
            r"unknown key 'handel_angle_deg', nearest: handle_angle_deg: s.toml, \[device\]",
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
            lambda t: t.update(cells={"types": ["L5_pyramidal"]}),
            r"\[cells\] needs a pulsed device",
        ),
        ("ti_motor", lambda t: t["device"]["pairs"].pop(), "at least 2 items"),
        (
            "ti_motor",
            lambda t: t["device"].update(carriers_Hz=[2000.0, 2000.0]),
            "carriers_Hz must differ to beat, got 2000 twice",
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
    ],
)
def test_bad_study_gets_one_sentence(
    name: str, change: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_study(edit(name, change), where="s.toml")
    assert "\n" not in str(caught.value)


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
    study = tmp_path / "study.toml"
    text = '[head]\nfile = "a.msh"\n[device]\nkind = "tms"\ncoil = "x"\nposition = "C3"\n'
    study.write_text('title = "x"\n' + text, encoding="utf-8")
    assert load_study(study)[0].head.file == tmp_path / "a.msh"
