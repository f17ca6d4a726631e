"""The cache: what is listed, what goes, and how much it may take."""

import os
from pathlib import Path
from time import time

import pytest

from rheobase._cache import age_text, clear, kept, parse_age
from rheobase._errors import InputError
from rheobase._files import PART, cache_limit, keep, trim

DAY = 86400.0


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of three files, used an hour, two days and forty days ago."""
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    for name, size, age in (
        ("heads/new.h5", 3000, 3600.0),
        ("fields/old.h5", 2000, 40 * DAY),
        ("heads/two.h5", 1000, 2 * DAY),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(size))
        os.utime(path, (time() - age, time() - age))
    (tmp_path / f"heads/{PART}x.h5").write_bytes(bytes(10))
    return tmp_path


def test_list_and_clear(cache: Path) -> None:
    assert [(k.kind, k.path.name, k.bytes) for k in kept()] == [
        ("heads", "new.h5", 3000),
        ("heads", "two.h5", 1000),
        ("fields", "old.h5", 2000),
    ]
    assert [k.path.name for k in kept("heads")] == ["new.h5", "two.h5"]
    assert clear(kept("heads", older=parse_age("1d"))) == 1000
    assert [k.path.name for k in kept()] == ["new.h5", "old.h5"]
    assert clear(kept()) == 5000
    assert (cache / f"heads/{PART}x.h5").exists(), "what is being written stays"
    with pytest.raises(InputError, match="unknown kind of kept files 'head', nearest: heads"):
        kept("head")


def test_the_cache_takes_no_more_than_its_limit(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE_GB", "0.000006")
    (cache / "leads").mkdir()
    keep(cache / "leads/now.h5", lambda p: p.write_bytes(bytes(2500)))
    assert sorted(k.path.name for k in kept()) == ["new.h5", "now.h5"]  # 5,500 of 6,000 bytes
    keep(cache / "leads/big.h5", lambda p: p.write_bytes(bytes(9000)))
    assert sorted(k.path.name for k in kept()) == ["big.h5", "now.h5"], "in use a moment ago"


def test_reading_counts_as_use(cache: Path) -> None:
    old = cache / "fields/old.h5"
    os.utime(old, (time() - 3 * 3600, old.stat().st_mtime))
    assert [p.name for p in trim(cache, 5500)] == ["two.h5"]
    assert kept()[-1].path == old


def test_only_the_cache_is_bounded(
    cache: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE_GB", "1e-9")
    elsewhere = tmp_path_factory.mktemp("other") / "x.h5"
    keep(elsewhere, lambda p: p.write_bytes(bytes(100)))
    assert len(kept()) == 3
    assert elsewhere.exists()


@pytest.mark.parametrize("given", ["much", "0", "-1", "nan"])
def test_a_limit_that_is_none(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE_GB", given)
    with pytest.raises(InputError, match="expected a number of gigabytes > 0"):
        cache_limit()


@pytest.mark.parametrize("text", ["30", "d", "3 years", "-1d", ""])
def test_ages_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="expected an age such as 30d"):
        parse_age(text)


def test_ages_in_words() -> None:
    assert [age_text(s) for s in (1.0, 61.0, 5000.0, 3 * DAY)] == ["1 s", "1 min", "1 h", "3 d"]
