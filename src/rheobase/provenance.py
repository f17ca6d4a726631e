"""What a result was made from: inputs, options, versions, seeds."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rheobase._files import whole_file

#: Its file in the folder of a result.
PROVENANCE = "provenance.json"
_PACKAGES = (
    "rheobase",
    "dolfinx-solver-real",
    "numba",
    "numpy",
    "scipy",
    "mne",
    "morphio",
    "nibabel",
    "nilearn",
    "pyvista",
    "xarray",
)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _revision() -> str | None:
    """Return the git revision of an editable checkout, with ``+`` when it has been changed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        run = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


def provenance(
    *,
    study: str,
    inputs: Mapping[str, Path],
    details: Mapping[str, Any],
    kind: str | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Return the record of one run.

    Parameters
    ----------
    study
        Text of the study file, checksummed and kept whole.
    inputs
        Files that were read, by role; their SHA-256 goes into the record.
    details
        What the stations report of themselves (head, mesh, solver, seeds, notes).
    kind, folder
        Kind of the study, and where its paths start: what a run from its results needs.
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "revision": _revision(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "inputs": {
            role: {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for role, path in inputs.items()
        },
        "study": study_record(study, kind=kind, folder=folder),
        **details,
    }


def study_record(text: str, *, kind: str | None, folder: Path | None) -> dict[str, Any]:
    """Return the text of a study, its checksum and kind, and where its paths start."""
    return {
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "text": text,
        "kind": kind,
        "folder": None if folder is None else str(folder.absolute()),
    }


def write_provenance(path: Path, record: dict[str, Any]) -> None:
    """Write the record as JSON, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(json.dumps(record, indent=2, default=_plain) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Turn NumPy values into plain ones for JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
