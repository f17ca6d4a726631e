"""Several MPI ranks find what one does, and end together whatever happens on one of them."""

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase._ranks import launched
from rheobase.fields.petsc_options import given, real, tell_unused

CASE = Path(__file__).with_name("ranks_case.py")
case = runpy.run_path(str(CASE))
BESIDE = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")
LONG = 400  # s by the clock: the ranks may have to share a busy core


def _why_not() -> str:
    if MPIEXEC is None:
        return "there is no mpiexec"
    try:
        probe = subprocess.run([MPIEXEC, "-n", "2", "true"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"mpiexec does not start processes: {error}"
    return "" if probe.returncode == 0 else f"mpiexec fails: {probe.stderr.decode()[-200:]}"


WHY_NOT = _why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


def command(*arguments: str | Path, ranks: int = 2) -> list[str]:
    return [str(MPIEXEC), "-n", str(ranks), sys.executable, *map(str, arguments)]


def on_ranks(
    *arguments: str | Path, ranks: int = 2, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, ranks=ranks),
        capture_output=True,
        text=True,
        timeout=LONG,
        env=os.environ | environment,
        check=False,
    )


def said(run: subprocess.CompletedProcess[str]) -> list[str]:
    """What the program said on stderr, without the lines of mpiexec."""
    return [line for line in run.stderr.splitlines() if not line.startswith("[mpiexec")]


def script(folder: Path, body: str) -> Path:
    """Write a program that calls every rank's part of an object."""
    path = folder / "program.py"
    path.write_text(
        textwrap.dedent("""
        import sys, time
        from rheobase._errors import InputError
        from rheobase._ranks import active, run

        class Part:
            def __init__(self, team, whole, kind):
                self.team, self.kind = team, kind

            def work(self, whole):
                def mine():
                    if self.team.rank == 1:
                        raise self.kind("the disk is gone")
                self.team.agree(mine)

            def alone(self, whole):
                if self.team.rank == 1:
                    raise self.kind("the disk is gone")
                self.team.comm.Barrier()

            def wait(self, whole):
                if self.team.rank == 0:
                    print("waiting", flush=True)
                    for _ in range(1000):
                        time.sleep(0.1)
                self.team.comm.Barrier()

        def program():
            team = active()
        """)
        + textwrap.indent(textwrap.dedent(body), "    ")
        + "\nif __name__ == '__main__':\n    raise SystemExit(run(program))\n"
    )
    return path


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    done = on_ranks(CASE, folder)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return folder


def compare(folder: Path) -> None:
    with np.load(folder / "ranks.npz") as there:
        here = case["fields"]()
        assert set(there) == set(here)
        for name, one in here.items():
            whole = here[name.replace(" W", " V")]  # a correction counts as part of the potential
            off = there[name] - one
            assert np.abs(off).max() <= 1e-8 * np.abs(whole).max(), name
            assert np.linalg.norm(off) <= 1e-8 * np.linalg.norm(whole), name
            if name.endswith("delivered"):
                assert np.abs(there[name].sum(axis=1)).max() < 1e-8  # what goes in comes out
                np.testing.assert_allclose(there[name], one, rtol=0, atol=1e-8)


def test_two_ranks_find_what_one_does(two: Path) -> None:
    compare(two)


def test_ranks_share_the_nodes_and_have_a_thread_each(two: Path) -> None:
    told = json.loads((two / "ranks.json").read_text())
    assert [t["rank"] for t in told] == [0, 1]
    assert all(t["threads"] == [1, 1] for t in told)
    assert not any(t["told"] for t in told)  # what is started from a rank is none
    nodes = [t["nodes"][-1] for t in told]
    assert max(nodes) < 1.15 * min(nodes)
    assert [len(t["nodes"]) for t in told] == [1, 1]  # conductors of before are gone everywhere


@pytest.mark.slow
def test_four_ranks_find_what_one_does(tmp_path: Path) -> None:
    done = on_ranks(CASE, tmp_path, ranks=4)
    assert done.returncode == 0, done.stderr
    compare(tmp_path)


def test_verbs_that_ranks_cannot_share_say_so() -> None:
    done = on_ranks("-m", "rheobase", "validate")
    assert done.returncode == 2
    assert said(done) == [
        "rheobase: rheobase validate does not run on several MPI ranks, there are 2: "
        "start it without mpiexec"
    ]


@pytest.mark.parametrize(
    ("kind", "status", "sentence"),
    [
        ("OSError", 1, "rheobase: rank 1: OSError: the disk is gone (program.py, line 13)"),
        pytest.param("InputError", 2, "rheobase: the disk is gone", marks=pytest.mark.slow),
    ],
)
def test_what_fails_on_rank_1_ends_all_with_one_sentence(
    tmp_path: Path, kind: str, status: int, sentence: str
) -> None:
    done = on_ranks(script(tmp_path, f"team.call(team.create(Part, {kind}) or 1, 'work')"))
    assert said(done) == [sentence]
    assert done.returncode == status


@pytest.mark.slow
def test_what_fails_on_rank_1_while_rank_0_waits_ends_all(tmp_path: Path) -> None:
    done = on_ranks(script(tmp_path, "team.call(team.create(Part, OSError), 'alone')"))
    assert said(done) == ["rheobase: rank 1: OSError: the disk is gone (program.py, line 18)"]
    assert done.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("body", ["team.call(team.create(Part, OSError), 'wait')", "wait()"])
def test_ctrl_c_ends_all_ranks(tmp_path: Path, body: str) -> None:
    body = "def wait():\n    print('waiting', flush=True)\n    time.sleep(100)\n" + body
    process = subprocess.Popen(
        command(script(tmp_path, body)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


@pytest.mark.slow
def test_a_fault_of_the_program_on_rank_0_ends_all(tmp_path: Path) -> None:
    done = on_ranks(
        script(tmp_path, "team.create(Part, OSError)\nraise ValueError('no such cell')")
    )
    assert done.returncode == 1
    assert done.stderr.count("ValueError: no such cell") == 1


STUDY = """
title = "Two discs on a sphere"
question = "Do two ranks find what one does?"

[head]
name = "sphere"
edge_length_mm = 11.0

[head.options]
radii_mm = [80.0, 92.0]
layers = ["grey_matter", "scalp"]
sigma_S_per_m = [0.33, 0.33]

[device]
kind = "tes"

[[device.electrodes]]
name = "a"
position = "C3"
current_mA = 1.0

[[device.electrodes]]
name = "b"
position = "C4"
current_mA = -1.0
"""


@pytest.mark.slow
def test_a_study_on_two_ranks_gives_the_same_files(tmp_path: Path) -> None:
    from rheobase.results import open_result

    study = tmp_path / "study.toml"
    study.write_text(STUDY)
    for name, start in (("one", [sys.executable]), ("two", command())):
        subprocess.run(
            [*start, "-m", "rheobase", "fields", str(study), "--out", str(tmp_path / name)],
            check=True,
            timeout=2 * LONG,
            env=os.environ | {"RHEOBASE_CACHE": str(tmp_path / f"cache_{name}")},
        )
    one, two = (open_result(tmp_path / name) for name in ("one", "two"))
    relative = [sorted(f.relative_to(r.out) for f in r.files) for r in (one, two)]
    assert relative[0] == relative[1]
    for name, table in one.tables.items():
        other = two.tables[name]
        assert table.columns == other.columns
        for row, same in zip(table.rows, other.rows, strict=True):
            for column, value, there in zip(table.columns, row, same, strict=True):
                if isinstance(value, float) and "off" not in column:  # off: rounding alone
                    assert there == pytest.approx(value, rel=1e-8, abs=1e-12), (name, column)
                elif not isinstance(value, float) and "iterations" not in column:
                    assert there == value, (name, column)
    fields = [r.field() for r in (one, two)]
    for name in fields[0].point_data:
        a, b = (np.asarray(f.point_data[name]) for f in fields)
        assert np.abs(a - b).max() <= 1e-7 * np.abs(a).max(), name  # single precision in the file


# options


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Give PETSc options as ``PETSC_OPTIONS`` does at its start."""
    from rheobase._dolfinx import petsc

    database = petsc().Options()
    names: list[str] = []

    def give(text: str) -> None:
        monkeypatch.setenv("PETSC_OPTIONS", text)
        database.insertString(text)
        names.extend(word[1:] for word in text.split() if word.startswith("-"))

    yield give
    for name in names:
        database.delValue(name)


def solved() -> list[int]:
    from rheobase.fields.solver import Conductor
    from rheobase.meshes.mesher import mesh_spheres

    c = Conductor(mesh_spheres((0.07, 0.082, 0.095), (2, 4, 5), 0.012), case["SIGMA"])
    ends = np.zeros((3, len(c.mesh.nodes)))
    ends[:, 5], ends[[0, 1, 2], [900, 1500, 2000]] = 1.0, -1.0
    return [s.iterations for s in c.solve(ends)[1]]


def test_an_option_of_petsc_takes_effect(options) -> None:  # type: ignore[no-untyped-def]
    usual = solved()
    options("-rheobase_ksp_rtol 1e-4")
    assert max(solved()) < min(usual)
    options("-rheobase_ksp_rtol 1e-8 -rheobase_pc_type jacobi")  # no levels: a column at a time
    assert min(solved()) > 2 * max(usual)


def test_options_that_nothing_asks_for_are_told(options, capsys) -> None:  # type: ignore[no-untyped-def]
    options("-rheobase_pc_gamg_treshold 0.02 -rheobase_pc_gamg_threshold 0.02 -other 3")
    solved()
    tell_unused()
    assert capsys.readouterr().err == (
        "rheobase: nothing asked for -rheobase_pc_gamg_treshold, -other: PETSC_OPTIONS\n"
    )
    assert given() == (
        *("-rheobase_pc_gamg_treshold", "0.02"),
        *("-rheobase_pc_gamg_threshold", "0.02"),
    )


def test_options_that_make_no_sense_are_refused(options) -> None:  # type: ignore[no-untyped-def]
    options("-rheobase_pc_type magic")
    with pytest.raises(InputError, match=r"does not take -rheobase_pc_type magic.*PETSC_OPTIONS"):
        solved()
    options("-rheobase_pc_type gamg -rheobase_ksp_rtol many")
    with pytest.raises(InputError, match=r"-rheobase_ksp_rtol must be between 0 and 1, got 'many'"):
        real("ksp_rtol", 1e-8)


@pytest.mark.slow
def test_options_reach_all_ranks(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(STUDY)
    done = on_ranks(
        *("-m", "rheobase", "fields", study, "--out", tmp_path / "out"),
        PETSC_OPTIONS="-rheobase_ksp_max_it 2 -nonsense",
        RHEOBASE_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode != 0
    assert "misses 1e-08" in said(done)[-1]


def test_no_launcher_is_no_rank() -> None:
    assert not launched()
