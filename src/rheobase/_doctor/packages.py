"""Python, the package itself, and the packages that it needs or can use."""

from __future__ import annotations

import ctypes
import json
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from rheobase._doctor.check import Check

GROUP, EXTRAS = "Python and packages", "Extras"
#: What each extra is for, and its licence where that is not ours.
PURPOSE = {
    "tetgen": "meshes with TetGen (AGPL-3)",
    "cgal": "meshes with CGAL (GPL-3)",
    "neuron": "runs exported cells in NEURON",
    "cluster": "sweeps on a Dask cluster",
    "notebook": "scenes inside Jupyter",
}
#: Packages that stand in for a requirement.
INSTEAD = {"dolfinx-solver-real": "fenics-dolfinx"}
_LIBRARIES = ("fields/_forms.so", "fields/acoustics/wave/_wave.so")


def python() -> Check:
    """Return the interpreter against what the package asks for."""
    asked = metadata.metadata("rheobase")["Requires-Python"]
    version = platform.python_version()
    right = SpecifierSet(asked).contains(version, prereleases=True)
    return Check(
        group=GROUP,
        name="Python",
        state="ok" if right else "missing",
        found=f"{version} ({sys.executable})",
        mend="" if right else f"make an environment with Python {asked}",
    )


def package() -> Check:
    """Return this package: its version, where it is, and whether its compiled parts load."""
    import rheobase

    found = metadata.distribution("rheobase")
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    editable = origin.get("dir_info", {}).get("editable", False)
    place = origin["url"].removeprefix("file://") if editable else rheobase.__path__[0]
    wrong = []
    for name in _LIBRARIES:
        places = [Path(folder) / name for folder in rheobase.__path__]
        try:
            ctypes.CDLL(str(next((p for p in places if p.exists()), places[0])))
        except OSError as error:
            wrong.append(f"{name} does not load: {error}")
    return Check(
        group=GROUP,
        name="rheobase",
        state="missing" if wrong else "ok",
        found="; ".join(wrong) or f"{found.version} ({place})",
        mend=("install the package again" + " ('./run python -V')" * editable) if wrong else "",
    )


def requirements() -> Iterator[Check]:
    """Yield each package that is needed, with its version."""
    for asked in _asked():
        if asked.marker is None or asked.marker.evaluate({"extra": ""}):
            yield _against(asked, group=GROUP, needed=True)


def extras() -> Iterator[Check]:
    """Yield each extra: whether all that it brings is there."""
    names = metadata.metadata("rheobase").get_all("Provides-Extra") or []
    for name in names:
        parts = [
            _against(asked, group=EXTRAS, needed=False)
            for asked in _asked()
            if asked.marker is not None
            and asked.marker.evaluate({"extra": name})
            and not asked.marker.evaluate({"extra": ""})
        ]
        fine = all(part.state == "ok" for part in parts)
        purpose = PURPOSE.get(name, "")
        yield Check(
            group=EXTRAS,
            name=name,
            state="ok" if fine else "absent",
            found=", ".join(f"{part.name} {part.found}" for part in parts),
            mend="" if fine else f"{purpose}: pip install 'rheobase[{name}]'",
        )


def _asked() -> list[Requirement]:
    return [Requirement(text) for text in metadata.requires("rheobase") or ()]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _against(asked: Requirement, *, group: str, needed: bool) -> Check:
    """Return the installed package, or the one that stands in for it, against what is asked."""
    candidates = [asked.name, *([INSTEAD[asked.name]] if asked.name in INSTEAD else [])]
    name, version = asked.name, None
    for candidate in candidates:
        if (version := _version(candidate)) is not None:
            name = candidate
            break
    right = version is not None and asked.specifier.contains(version, prereleases=True)
    return Check(
        group=group,
        name=name,
        state="ok" if right else "missing" if needed else "absent",
        found=version or "not installed",
        mend="" if right else f"pip install '{asked.name}{asked.specifier}'",
    )
