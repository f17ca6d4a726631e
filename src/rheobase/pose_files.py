"""Coil poses as files: 4 × 4 as CSV and JSON, and what two neuronavigation systems read.

The three frames of a coil have the same middle and differ by half and quarter turns:

| axis | rheobase | SimNIBS | Brainsight | Localite |
|---|---|---|---|---|
| x | right, handle back | as rheobase | against it | into the head |
| y | along the handle | away from the handle | away from the handle | along the handle |
| z | away from the head | into the head | away from the head | as x of rheobase |

Brainsight's and Localite's are those by which SimNIBS 4 reads the files of both
(``simnibs/utils/nnav.py``); neither maker publishes them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase._files import Door
from rheobase.fields.coils.coil import checked_pose
from rheobase.fields.coils.frame import pose_to_simnibs

FORMAT = "rheobase coil poses 1"
#: Names that Brainsight has for the two spaces of a NIfTI image.
NATIVE, MNI = "NIfTI:Aligned", "NIfTI:MNI-152"
_BRAINSIGHT = np.diag([-1.0, -1.0, 1.0, 1.0])
_LOCALITE = np.array(
    [[0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)

Matrix = NDArray[np.float64]


def pose_to_brainsight(pose: ArrayLike) -> Matrix:
    """Return the Brainsight matrix (mm) of a pose (m), shape (4, 4).

    Examples
    --------
    >>> pose_to_brainsight(np.eye(4)).diagonal().tolist()
    [-1.0, -1.0, 1.0, 1.0]
    """
    return in_mm(checked_pose(pose, where="a coil") @ _BRAINSIGHT)


def pose_to_localite(pose: ArrayLike) -> Matrix:
    """Return the Localite matrix (mm, RAS) of a pose (m), shape (4, 4).

    Examples
    --------
    >>> pose_to_localite(np.eye(4))[:3, 0].tolist()  # x into the head
    [0.0, 0.0, -1.0]
    """
    return in_mm(checked_pose(pose, where="a coil") @ _LOCALITE)


def in_mm(pose: ArrayLike) -> Matrix:
    """Return a pose (m) with its shift in millimetres, shape (4, 4)."""
    matrix = np.array(pose, dtype=np.float64)
    matrix[:3, 3] *= 1e3
    return matrix


def write_poses(
    door: Door,
    poses: ArrayLike,
    *,
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any],
    space: str = NATIVE,
) -> None:
    """Write poses as CSV, JSON, a text for Brainsight and markers for Localite.

    Parameters
    ----------
    door
        Gives the path of each file.
    poses
        From the coil's frame to the head's (m), the first the best, shape (n, 4, 4).
    names
        Name of each.
    rows
        What else there is to say of each, as plain values, n mappings with the same keys.
    facts
        What the JSON says of all, as plain values.
    space
        What Brainsight calls the space of the head: `NATIVE`, or `MNI` for a head that is one.

    Raises
    ------
    InputError
        If a pose is not a rotation and a shift, the numbers of names or rows differ from theirs,
        or a file cannot be written.
    """
    every = np.asarray(poses, dtype=np.float64)
    if every.shape[1:] != (4, 4) or not len(every) == len(names) == len(rows):
        raise InputError(
            f"expected poses of shape (n, 4, 4) with n names and rows, got {every.shape}, "
            f"{len(names)} and {len(rows)}: coil poses"
        )
    if any(set(name) & set("\t\r\n") for name in names):
        raise InputError("expected names without tabs and line ends: coil poses")
    with door(".csv") as part:
        _write_csv(part, every, names, rows)
    with door(".json") as part:
        record = {
            "format": FORMAT,
            **facts,
            "poses": [
                {
                    "name": name,
                    **row,
                    "rheobase_mm": in_mm(pose).tolist(),
                    "simnibs_mm": pose_to_simnibs(pose).tolist(),
                }
                for name, row, pose in zip(names, rows, every, strict=True)
            ],
        }
        part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    with door(".txt", desc="brainsight") as part:
        _write_brainsight(part, every, names, space)
    with door(".xml", desc="localite") as part:
        _write_localite(part, every, names)


def _write_csv(
    path: Path, poses: Matrix, names: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write the SimNIBS matrix (mm) of each, row by row, after what there is to say of it."""
    entries = [f"m{i}{j}" for i in range(4) for j in range(4)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", *rows[0], "frame", *entries])
        for name, row, pose in zip(names, rows, poses, strict=True):
            matrix = pose_to_simnibs(pose).ravel()
            writer.writerow([name, *row.values(), "simnibs_mm", *(f"{m:.6f}" for m in matrix)])


def _write_brainsight(path: Path, poses: Matrix, names: Sequence[str], space: str) -> None:
    """Write targets as Brainsight exports and imports them (version 12 of its text)."""
    lines = [
        "# Version: 12",
        f"# Coordinate system: {space}",
        "# Created by: rheobase",
        "# Units: millimetres, degrees, milliseconds, and microvolts",
        "# Encoding: UTF-8",
        "# Notes: Each column is delimited by a tab. "
        "Each value within a column is delimited by a semicolon.",
        "\t".join(
            ["# Target Name", *(f"Loc. {c}" for c in "XYZ")]
            + [f"m{axis}n{c}" for axis in range(3) for c in range(3)]
        ),
    ]
    for name, pose in zip(names, poses, strict=True):
        matrix = pose_to_brainsight(pose)
        numbers = [*matrix[:3, 3], *matrix[:3, :3].T.ravel()]  # the place, then axis by axis
        lines.append("\t".join([name, *(f"{v:.4f}" for v in numbers)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_localite(path: Path, poses: Matrix, names: Sequence[str]) -> None:
    """Write instrument markers as TMS Navigator keeps them."""
    root = ET.Element("InstrumentMarkerList", coordinateSpace="RAS")
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    root.append(ET.Comment(f"written by rheobase, {stamp}"))
    for k, (name, pose) in enumerate(zip(names, poses, strict=True)):
        marker = ET.SubElement(
            root, "InstrumentMarker", alwaysVisible="false", index=str(k), selected="false"
        )
        inner = ET.SubElement(
            marker,
            "Marker",
            additionalInformation="",
            color="#ff0000",
            description=name,
            set="true",
        )
        matrix = pose_to_localite(pose)
        entries = {f"data{i}{j}": f"{matrix[i, j]:+.17f}" for i in range(4) for j in range(4)}
        ET.SubElement(inner, "Matrix4D", entries)
    ET.indent(root, "    ")
    ET.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)
