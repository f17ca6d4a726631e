"""The verbs that run studies, tried as a user would: what is said, and with which status."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from rheobase.__main__ import main
from rheobase._cli_options import complete_head, complete_study
from rheobase._validate_cli import complete_case
from rheobase._verbs import VERBS

Run = Callable[..., tuple[int, str, str]]

LOOP = """title = "Pulses"
[plant]
kind = "fibres"
[recruitment]
file = "mine.csv"
site = "here"
[timing]
duration_s = 2.0
settle_s = 0.5
period_s = 0.1
[[controllers]]
name = "always"
kind = "open loop"
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: status, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with patch.object(sys, "argv", ["rheobase", *arguments]), patch.dict(os.environ):
            status = main()
        out, err = capsys.readouterr()
        return status, out, err

    return call


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("site,amplitude_mA,fraction\nhere,0,0\nhere,2,1\n")
    (tmp_path / "pulses.toml").write_text(LOOP, encoding="utf-8")
    return tmp_path / "pulses.toml"


def test_run_prints_json_alone_and_its_report_can_be_written_again(run: Run, study: Path) -> None:
    status, out, _ = run("run", str(study), "--json")
    told = json.loads(out)
    assert (status, told["title"]) == (0, "Pulses")
    assert all(Path(file).is_file() for file in told["files"])
    report = Path("out/pulses/report.html")
    assert str(report) in told["files"]
    before = report.read_bytes()
    report.unlink()
    assert run("report", "out/pulses") == (0, f"{report}\n", "")
    assert report.read_bytes() == before


def test_set_changes_what_is_run(run: Run, study: Path) -> None:
    status, out, _ = run("loop", str(study), "--set", "timing.duration_s=1", "--dry-run")
    assert status == 0
    assert "2 runs, 3 s of activity" in out
    status, _, err = run("run", str(study), "--set", "timing.duration=1")
    assert status == 2
    assert "unknown key 'duration', nearest: duration_s" in err
    status, _, err = run("run", str(study), "--set", "timing")
    assert (status, err) == (2, "rheobase: expected --set name=value, got 'timing'\n")


def test_dry_run_says_what_is_computed(run: Run, study: Path) -> None:
    for verb in (["run"], ["loop"]):
        status, out, _ = run(*verb, str(study), "--dry-run")
        assert status == 0
        assert out.startswith("pulses: valid: Pulses\n")
        assert "plant fibres" in out
        assert "2 runs, 5 s of activity" in out
    status, out, _ = run("run", str(study), "--dry-run", "--json")
    told = json.loads(out)
    assert (status, told["study"], told["kind"], told["fits"]) == (0, "pulses", "loop", True)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("verb", "steps", "absent"),
    [
        ("fields", {"field"}, {"thresholds of cells", "columns", "electrodes that see it"}),
        ("activate", {"field", "thresholds of cells"}, {"columns", "electrodes that see it"}),
        ("network", {"thresholds of cells", "columns"}, {"electrodes that see it"}),
        ("run", {"columns", "electrodes that see it"}, set()),
    ],
)
def test_verbs_stop_at_their_station(
    run: Run, study: Path, verb: str, steps: set[str], absent: set[str]
) -> None:
    status, out, _ = run(verb, "tms_columns", "--dry-run", "--json")
    found = {step["what"] for step in json.loads(out)["steps"]}
    assert status == 0
    assert steps <= found
    assert not absent & found


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["network", "tdcs_motor"], "expected a study with [network], got none: tdcs_motor.toml"),
        (["activate", "ti_motor"], "expected a study with [cells], got none"),
        (["fields", "stn"], "expected a study with [device] (field), got one with [leads] (dbs)"),
        (["dbs", "tms_motor"], "expected a study with [leads] (dbs), got one with [device]"),
        (["run", "stnn"], "unknown study 'stnn', nearest: stn"),
        (["run", "no.toml"], "no study file no.toml; shipped studies: "),
        (["run", "out/no"], "no study file or folder of results out/no; shipped studies: "),
        (["run", "cache"], "unknown study 'cache'"),
        (["rn", "x"], "unknown verb 'rn', nearest: run"),
        (["run"], "Missing argument"),
        (["schema", "fild"], "unknown kind of study 'fild', nearest: field"),
        (["cache", "list", "--kind", "head"], "unknown kind of kept files 'head'"),
        (["report", "nowhere"], "nowhere"),
        (["run", "pulses.toml", "--out", "/proc/x"], "cannot write"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    run: Run, study: Path, arguments: list[str], sentence: str
) -> None:
    status, out, err = run(*arguments)
    assert status == 2
    assert sentence in err
    assert out == ""
    assert "Traceback" not in err


def test_errors_tell_the_line(run: Run, study: Path) -> None:
    study.write_text(LOOP.replace("settle_s", "setle_s"), encoding="utf-8")
    status, _, err = run("run", str(study))
    assert status == 2
    assert err == (
        "rheobase: unknown key 'setle_s', nearest: settle_s, latency_s: pulses.toml, line 9, "
        "[timing]\n"
    )


def test_schema_is_written_whole(run: Run, study: Path) -> None:
    status, out, _ = run("schema", "field")
    assert status == 0
    status, path, _ = run("schema", "field", "--out", "s.json")
    assert (status, path) == (0, "s.json\n")
    assert json.loads(Path("s.json").read_text()) == json.loads(out)


def test_cache_by_the_command_line(run: Run, study: Path, tmp_path: Path) -> None:
    file = tmp_path / "cache/heads/x.h5"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(4000))
    told = json.loads(run("cache", "size", "--json")[1])
    assert (told["bytes"], told["most_bytes"]) == (4000, 20_000_000_000)
    assert told["kinds"]["heads"] == {"files": 1, "bytes": 4000}
    assert "x.h5" in run("cache", "list")[1]
    assert json.loads(run("cache", "clear", "--older-than", "1d", "--json")[1])["files"] == 0
    assert run("cache", "clear", "--kind", "heads")[1] == "1 files removed, 4.0 kB freed\n"
    assert not file.exists()


def test_completion(study: Path) -> None:
    names = dict(complete_study("t"))
    assert {"tms_motor", "tdcs_motor", "ti_motor"} <= set(names)
    assert dict(complete_study("pul")) == {"pulses.toml": "study file"}
    assert dict(complete_study("./pul")) == {"./pulses.toml": "study file"}
    assert dict(complete_study("nowhere/")) == {}
    assert "subthalamopallidal" in dict(complete_study("subth"))
    assert dict(complete_head("sl")).keys() == {
        "slab-human",
        "slab-macaque",
        "slab-rat",
        "slab-mouse",
    }
    assert complete_case("sphere-td") == ["sphere-tdcs"]


@pytest.mark.parametrize("words", ["rheobase ", "rheobase run st"])
def test_the_shell_gets_its_completions(words: str) -> None:
    environment = os.environ | {
        "_RHEOBASE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    told = subprocess.run(
        [sys.executable, "-m", "rheobase"], env=environment, capture_output=True, text=True
    ).stdout.split()
    wanted = {"rheobase ": set(VERBS), "rheobase run st": {"stn"}}[words]
    assert wanted <= set(told)


def test_every_verb_loads_and_helps() -> None:
    from typer.testing import CliRunner

    from rheobase.__main__ import app

    for verb in VERBS:
        found = CliRunner().invoke(app, [verb, "--help"])
        assert found.exit_code == 0, verb
        assert found.stdout.startswith("Usage"), verb


def test_help_tells_the_exit_statuses_and_loads_no_verb() -> None:
    code = (
        "import sys; sys.argv = ['rheobase', '--help']\n"
        "from rheobase.__main__ import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for status in ("0 ", "1 ", "2 ", "130", "141"):
        assert f"\n    {status}" in done.stdout
    loaded = set(done.stderr.split())
    assert not {"rich", "numpy", "pydantic", "rheobase._heads_cli"} & loaded


def test_a_closed_pipe_is_status_141() -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "rheobase", "cache", "size"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    run.stdout.close()  # before anything is written
    assert run.wait(timeout=60) == 141
    assert run.stderr is not None
    assert run.stderr.read() == ""
    run.stderr.close()


def test_interrupting_keeps_what_is_finished(study: Path) -> None:
    study.write_text(LOOP.replace("duration_s = 2.0", "duration_s = 3600.0"), encoding="utf-8")
    run: Any = subprocess.Popen(
        [sys.executable, "-m", "rheobase", "run", str(study)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    begun = Path("out/pulses/study.toml")
    until = time.monotonic() + 300
    while not begun.exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.2)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "interrupted; what was finished is kept" in err
    assert "Traceback" not in err
    assert begun.read_text() == study.read_text()
    assert not Path("out/pulses/report.html").exists()
    assert list(Path("out/pulses").glob(".part-*")) == []
