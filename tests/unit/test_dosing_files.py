"""Montages and coil poses as files: what other programs read out of them is what was found."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields.coils.frame import pose_from_simnibs, pose_to_simnibs
from rheobase.montage_files import Channel, rounded, write_montage
from rheobase.pose_files import MNI, write_poses
from rheobase.stations.book import Book


def some_poses(n: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    poses = np.tile(np.eye(4), (n, 1, 1))
    for pose in poses:
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        pose[:3, :3] = turn * np.sign(np.linalg.det(turn))
        pose[:3, 3] = rng.normal(0.0, 0.08, 3)
    return poses


def test_currents_keep_their_sum_when_rounded() -> None:
    rng = np.random.default_rng(1)
    for n in range(2, 40):
        exact = rng.normal(0.0, 1e-3, n)
        exact -= exact.mean()
        for step in (1e-6, 1e-4):
            found = rounded(exact, step=step)
            assert abs(np.rint(found / step).sum()) == 0
            assert np.abs(found - exact).max() < step * (1 + 1e-9)
    assert rounded([2e-3 - 1e-12, -2e-3 + 1e-12]).tolist() == pytest.approx(
        [2e-3, -2e-3], rel=1e-15
    )
    exact = rng.normal(0.0, 1e-7, 75)  # many that are smaller than a step, as in a focal montage
    exact[:2] = 1e-3, -1e-3 - exact[2:].sum()
    found = rounded(exact)
    assert np.rint(found * 1e6).sum() == 0
    assert np.count_nonzero(found) < 20
    with pytest.raises(InputError, match="expected finite currents"):
        rounded([np.nan, 1e-3])
    with pytest.raises(InputError, match="sums to 1 mA, must be 0"):
        rounded([2e-3, -1e-3])


def test_montage(tmp_path: Path) -> None:
    positions = {name: np.array([k, 0.0, 0.1]) for k, name in enumerate("ABCD")}
    two = [
        Channel(currents={"A": 1e-3, "B": -1e-3, "C": 0.0}, carrier=2000.0),
        Channel(currents={"C": 5e-4, "D": -5e-4}, carrier=2010.0),
    ]
    door = Book(out=tmp_path, subject="ball").door("montage", title="Montage")
    write_montage(door, two, positions=positions, facts={"head": "ball"})
    table, record = (tmp_path / f"sub-ball/sub-ball_montage.{end}" for end in ("csv", "json"))
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["electrode"], r["current_mA"], r["carrier_Hz"]) for r in rows] == [
        ("A", "1.0", "2000.0"),
        ("B", "-1.0", "2000.0"),
        ("C", "0.5", "2010.0"),
        ("D", "-0.5", "2010.0"),
    ]
    assert [r["channel"] for r in rows] == ["1", "1", "2", "2"]
    assert rows[1]["x_mm"] == "1000.0"
    whole = json.loads(record.read_text(encoding="utf-8"))
    assert whole["head"] == "ball"
    assert sum(e["current_mA"] for e in whole["electrodes"]) == 0
    with pytest.raises(InputError, match=r"0\.001 mA or more, got none"):
        write_montage(
            door, [Channel(currents={"A": 1e-9, "B": -1e-9})], positions=positions, facts={}
        )


def test_poses_as_other_programs_read_them(tmp_path: Path) -> None:
    poses, names = some_poses(3), ["best", "second", "third"]
    rows = [{"E_V_per_m": 1.0 - 0.1 * k} for k in range(3)]
    door = Book(out=tmp_path).door("pose", title="Poses")
    write_poses(door, poses, names=names, rows=rows, facts={"coil": "eight"}, space=MNI)
    table, record, brainsight, localite = (
        tmp_path / "group" / name
        for name in ("pose.csv", "pose.json", "desc-brainsight_pose.txt", "desc-localite_pose.xml")
    )
    with table.open(encoding="utf-8") as file:
        for k, row in enumerate(csv.DictReader(file)):
            stored = [[float(row[f"m{i}{j}"]) for j in range(4)] for i in range(4)]
            assert row["name"] == names[k]
            assert np.allclose(pose_from_simnibs(stored), poses[k], atol=1e-6)
    kept = json.loads(record.read_text(encoding="utf-8"))["poses"]
    assert np.allclose([p["simnibs_mm"] for p in kept], [pose_to_simnibs(p) for p in poses])
    assert kept[1]["E_V_per_m"] == 0.9

    # Brainsight, by the names of its columns; axes as its reader in SimNIBS turns them
    lines = brainsight.read_text(encoding="utf-8").splitlines()
    assert "# Coordinate system: NIfTI:MNI-152" in lines
    columns = next(x for x in lines if x.startswith("# Target Name"))[2:].split("\t")
    for k, line in enumerate(x for x in lines if not x.startswith("#")):
        row = dict(zip(columns, line.split("\t"), strict=True))
        assert row["Target Name"] == names[k]
        matrix = np.eye(4)
        for axis in range(3):
            matrix[:3, axis] = [float(row[f"m{axis}n{c}"]) for c in range(3)]
        matrix[:3, 3] = [float(row[f"Loc. {c}"]) for c in "XYZ"]
        ours = pose_to_simnibs(poses[k])
        assert np.allclose(matrix @ np.diag([-1.0, 1.0, -1.0, 1.0]), ours, atol=1e-4)

    # Localite: its x is SimNIBS's z, its y SimNIBS's -y, its z SimNIBS's x
    root = ET.parse(localite).getroot()
    assert (root.tag, root.get("coordinateSpace")) == ("InstrumentMarkerList", "RAS")
    for k, marker in enumerate(root.iter("InstrumentMarker")):
        inner = marker.find("Marker")
        assert inner is not None
        assert inner.get("description") == names[k]
        entries = inner.find("Matrix4D")
        assert entries is not None
        matrix = np.array(
            [[float(entries.get(f"data{i}{j}", "nan")) for j in range(4)] for i in range(4)]
        )
        ours = pose_to_simnibs(poses[k])
        assert np.allclose(matrix[:, 0], ours[:, 2])
        assert np.allclose(matrix[:, 1], -ours[:, 1])
        assert np.allclose(matrix[:, 2:], ours[:, [0, 3]])


def test_bad_poses(tmp_path: Path) -> None:
    door = Book(out=tmp_path).door("pose", title="Poses")
    poses = some_poses(1)
    with pytest.raises(InputError, match="with n names and rows"):
        write_poses(door, poses, names=["a", "b"], rows=[{}], facts={})
    with pytest.raises(InputError, match="without tabs"):
        write_poses(door, poses, names=["a\tb"], rows=[{}], facts={})
    poses[0, :3, 0] *= 2
    with pytest.raises(InputError, match="a rotation and a shift"):
        write_poses(door, poses, names=["a"], rows=[{}], facts={})
