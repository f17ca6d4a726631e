"""The command line: exit statuses and sentences, tried as a user would."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rheobase import __version__


def rheobase(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rheobase", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_lists_the_verbs() -> None:
    run = rheobase("--help")
    assert run.returncode == 0
    for verb in ("demo", "run", "validate", "heads", "devices", "leadfield", "optimise"):
        assert verb in run.stdout


def test_version() -> None:
    run = rheobase("--version")
    assert (run.returncode, run.stdout) == (0, f"rheobase {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "tms_moter"), "rheobase: unknown study 'tms_moter', nearest: tms_motor"),
        (("run", "none.toml"), "rheobase: no study file none.toml"),
        (("validate", "sphere-tdsc"), "rheobase: unknown validation case 'sphere-tdsc', nearest"),
        (("heads", "build", "mni153"), "rheobase: unknown head 'mni153', nearest: mni152"),
        (("run", "--dyr-run"), "No such option"),
        (
            ("leadfield", "spere", "--out", "l.h5"),
            "rheobase: unknown head 'spere', nearest: sphere",
        ),
        (("leadfield", "sphere", "--out", "l.txt"), "expected a file ending in .h5 or .hdf5"),
        (
            ("leadfield", "sphere", "--out", "l.h5", "--electrodes", "Cz,Pzz"),
            "rheobase: unknown electrode position 'Pzz', nearest: Pz",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments: tuple[str, ...], sentence: str) -> None:
    run = rheobase(*arguments)
    assert run.returncode == 2
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


def test_dry_run_checks_and_stops() -> None:
    run = rheobase("run", "tms_motor", "--dry-run")
    assert run.returncode == 0
    assert run.stdout.startswith("tms_motor: valid")


def test_devices_are_listed() -> None:
    from rheobase.fields.coils.windings import load_windings

    listed = json.loads(rheobase("devices", "--json").stdout)
    assert [c["name"] for c in listed["coils"]] == list(load_windings())
    assert {"name": "gel", "sigma_S_per_m": 1.0, "thickness_mm": 3.0} in listed["layers"]
    assert "biphasic" in rheobase("devices").stdout


def test_a_lead_field_by_the_command_line(tmp_path: Path) -> None:
    from rheobase.fields.leadfield import load_lead_field

    small = ["--edge-length-mm", "9", "--option", "radii_mm=[92.0]"]
    small += ["--option", 'layers=["grey_matter"]', "--option", "sigma_S_per_m=[0.33]"]
    out = tmp_path / "l.h5"
    command = ["leadfield", "sphere", "--out", str(out), "--electrodes", "Cz,C3,Oz", *small]
    told = json.loads(rheobase(*command, "--json").stdout)
    assert told["electrodes"] == ["Cz", "C3", "Oz"]
    assert told["reference"] == "Oz"
    assert load_lead_field(out).impedance("Cz", "C3") > 0
    assert json.loads(rheobase(*command, "--json").stdout) == told, "a finished one is read"
    other = rheobase(*command, "--reference", "Cz")
    assert other.returncode == 2
    assert "expected the lead field of this head" in other.stderr


def test_a_closed_pipe_is_quiet() -> None:
    run = subprocess.run(
        f"{sys.executable} -m rheobase validate --list | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == "sphere-tdcs\n"
    assert run.stderr == ""


def test_every_case_can_be_found() -> None:
    from importlib import import_module

    from rheobase.validation.registry import CASES, LONG

    for target in (CASES | LONG).values():
        module, function, *_ = target.split(":")
        assert callable(getattr(import_module(f"rheobase.validation.{module}"), function))
