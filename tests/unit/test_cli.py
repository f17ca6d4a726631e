"""The command line: exit statuses and sentences, tried as a user would."""

import subprocess
import sys

import pytest


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
    for verb in ("demo", "run", "validate", "heads"):
        assert verb in run.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "tms_moter"), "rheobase: unknown study 'tms_moter', nearest: tms_motor"),
        (("run", "none.toml"), "rheobase: no study file none.toml"),
        (("validate", "sphere-tdsc"), "rheobase: unknown validation case 'sphere-tdsc', nearest"),
        (("heads", "build", "mni153"), "rheobase: unknown head 'mni153', nearest: mni152"),
        (("run", "--dyr-run"), "No such option"),
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

    from rheobase.validation.registry import CASES

    for target in CASES.values():
        module, function = target.split(":")
        assert callable(getattr(import_module(f"rheobase.validation.{module}"), function))
