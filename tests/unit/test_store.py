"""Heads on disk and in the cache."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.head import Head
from rheobase.meshes.heads import build_head, check_building, head_names
from rheobase.meshes.heads.sphere import build
from rheobase.meshes.store import cached_head, load_head, save_head


@pytest.fixture(scope="module")
def ball() -> Head:
    return build(edge_length_mm=14.0, radii_mm=(65.0, 80.0, 95.0))


def same(a: Head, b: Head) -> None:
    assert (a.name, a.species, a.space) == (b.name, b.species, b.space)
    for name in ("nodes", "tets", "labels"):
        np.testing.assert_array_equal(getattr(a.mesh, name), getattr(b.mesh, name))
    assert a.tissues == b.tissues
    assert a.provenance == b.provenance
    for mine, other in ((a.fiducials, b.fiducials), (a.positions, b.positions)):
        assert set(mine) == set(other)
        for name in mine:
            np.testing.assert_array_equal(mine[name], other[name])
    assert a.cortex is not None
    assert b.cortex is not None
    for name in ("pial", "white", "triangles", "area"):
        np.testing.assert_array_equal(getattr(a.cortex, name), getattr(b.cortex, name))


def test_round_trip(ball: Head, tmp_path: Path) -> None:
    save_head(tmp_path / "ball.h5", ball)
    same(load_head(tmp_path / "ball.h5"), ball)


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_damaged_files_are_refused(ball: Head, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "ball.h5"
    save_head(path, ball)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"ball\.h5"):
        load_head(path)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    import h5py

    with pytest.raises(InputError, match="none"):
        load_head(tmp_path / "no.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="format"):
        load_head(tmp_path / "other.h5")


def test_cache_builds_once_and_mends_a_damaged_entry(
    ball: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    built = []

    def make() -> Head:
        built.append(1)
        return ball

    for _ in range(3):
        same(cached_head("key", "ball", make), ball)
    assert len(built) == 1
    (tmp_path / "heads/ball-key.h5").write_bytes(b"nonsense")
    same(cached_head("key", "ball", make), ball)
    assert len(built) == 2


def test_build_head_caches_by_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    coarse: dict[str, Any] = {"edge_length_mm": 14.0, "radii_mm": (65.0, 80.0, 95.0)}
    first = build_head("sphere", **coarse)
    same(build_head("sphere", **coarse), first)
    assert len(list((tmp_path / "heads").iterdir())) == 1
    other = build_head("sphere", **coarse, sigma_S_per_m=(0.3, 0.02, 0.4))
    assert len(list((tmp_path / "heads").iterdir())) == 2
    assert sorted(t.sigma for t in other.tissues.values()) == [0.02, 0.3, 0.4]


def test_build_head_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="nearest: sphere"):
        build_head("spheer")
    with pytest.raises(InputError, match="nearest: radii_mm"):
        build_head("sphere", radius_mm=3)
    with pytest.raises(InputError, match="edge_length_mm"):
        build_head("sphere", edge_length_mm=-1.0)
    with pytest.raises(InputError, match="must be < 5 mm, the thinnest layer"):  # said in time, too
        check_building("sphere", {"edge_length_mm": 5.0})
    with pytest.raises(InputError, match="must be < 5 mm, the thinnest layer"):
        build_head("sphere", edge_length_mm=6.0)
    with pytest.raises(InputError, match="'species'"):
        build_head("slab-rat", species="mouse")
    assert "mni152" in head_names()
