"""The source distribution and the wheel: built, compared, installed into a bare environment."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv") or shutil.which(ROOT / ".tools/bin/uv")
COMPILED = {"rheobase/fields/_forms.so", "rheobase/fields/acoustics/wave/_wave.so"}
TINY = """
title = "Two pads on a small ball"
[head]
name = "sphere"
edge_length_mm = 10.0
[head.options]
radii_mm = [80.0, 92.0]
layers = ["grey_matter", "scalp"]
sigma_S_per_m = [0.33, 0.33]
[device]
kind = "tes"
electrodes = [
  { name = "left", position = "T7", current_mA = 2.0 },
  { name = "right", position = "T8", current_mA = -2.0 },
]
"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(UV is None, reason="uv is not installed")]


def call(*command: str | Path, **more: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    run = subprocess.run(
        [str(part) for part in command],
        env=environment | more,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def build(kind: str, source: Path, out: Path) -> Path:
    """Build a distribution with what is installed here: nothing is fetched."""
    assert UV is not None
    options = ["--no-build-isolation", "--offline", "--quiet", "--python", sys.executable]
    call(UV, "build", f"--{kind}", *options, "--out-dir", out, source)
    (made,) = out.glob("*.tar.gz" if kind == "sdist" else "*.whl")
    return made


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def contents(wheel: Path) -> dict[str, str]:
    """Return a hash of every file of a wheel but its lists of contents."""
    with ZipFile(wheel) as archive:
        return {
            name: hashlib.sha256(archive.read(name)).hexdigest()
            for name in archive.namelist()
            if not name.endswith(("/", "RECORD"))
        }


def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(contents(wheel))
    package = {name for name in names if name.startswith("rheobase/")}
    assert all(".dist-info/" in name for name in names - package)
    tracked = call("git", "ls-files", "src", "meshes", "fields", "neurons", "validation").split()
    wanted = {
        re.sub("^src/", "", path) if path.startswith("src/") else f"rheobase/{path}"
        for path in tracked
        if not (ROOT / path).is_symlink() and (ROOT / path).exists()
    }
    assert wanted - package == set(), "missing from the wheel"
    assert package >= COMPILED
    ours = (ROOT / f.replace("rheobase/", "src/rheobase/", 1) for f in package - wanted - COMPILED)
    assert all(path.exists() for path in ours), "neither in the tree nor built"
    assert not [n for n in package if "/tests/" in n or n.endswith((".pyc", ".nbi", ".nbc"))]
    assert wheel.name.endswith("-py3-none-linux_x86_64.whl")


def test_licences_and_description_go_along(wheel: Path) -> None:
    about = metadata(wheel)
    licences = about.get_all("License-File") or []
    assert {"LICENSE", "NOTICE.md", "fields/data/arrays/LICENSE.txt"} <= set(licences)
    names = contents(wheel)
    assert all(any(n.endswith(f"licenses/{f}") for n in names) for f in licences)
    assert about["License-Expression"] == "BSD-3-Clause"
    assert about["Description-Content-Type"] == "text/markdown"
    text = about.get_payload()
    assert isinstance(text, str)
    assert text.lstrip().startswith("# ")


def test_the_source_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "NOTICE.md", "README.md", "CMakeLists.txt", "fields/forms.py"} <= names
    assert not [n for n in names if n.startswith((".venv", ".tools", "build", "out"))]
    again = contents(build("wheel", sdist, tmp_path))
    first = contents(wheel)
    assert set(again) == set(first)
    changed = {name for name in first if again[name] != first[name]}
    assert changed <= COMPILED, changed


def test_a_bare_environment_runs_it(wheel: Path, tmp_path: Path) -> None:
    assert UV is not None
    bare = tmp_path / "bare"
    python = bare / "bin" / "python"
    call(UV, "venv", "--quiet", "--offline", "--python", sys.executable, bare)
    lock = tmp_path / "lock.txt"  # what is installed here, but not the package itself
    frozen = call(UV, "pip", "freeze", "--python", sys.executable, "--exclude-editable")
    lock.write_text("\n".join(line for line in frozen.splitlines() if "rheobase" not in line))
    install = (UV, "pip", "install", "--quiet", "--offline", "--python", str(python))
    call(*install, "--constraint", lock, wheel)
    command = bare / "bin" / "rheobase"
    cache = {"RHEOBASE_CACHE": str(tmp_path / "cache"), "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    assert call(command, "--version") == f"rheobase {metadata(wheel)['Version']}\n"
    told = call(command, "doctor", **cache)
    assert "all that is needed is here" in told
    assert str(bare) in told
    (tmp_path / "tiny.toml").write_text(TINY)
    out = tmp_path / "out"
    call(command, "run", tmp_path / "tiny.toml", "--out", out, **cache)
    assert (out / "report.html").stat().st_size > 10_000
