"""Files are whole or absent."""

import os
from pathlib import Path

import pytest

from rheobase._errors import InputError, check_option
from rheobase._files import (
    cache_dir,
    content_key,
    input_keys,
    keep,
    room_for,
    whole_file,
)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"
    target.write_text("old", encoding="utf-8")

    def interrupted() -> None:
        with whole_file(target) as part:
            part.write_text("half", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_finished_write_replaces_it(tmp_path: Path) -> None:
    target = tmp_path / "new" / "result.txt"
    with whole_file(target) as part:
        part.write_text("whole", encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    target = tmp_path / "result.txt"

    def full() -> None:
        with whole_file(target):
            raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"cannot write .*result\.txt: No space left"):
        full()
    assert not list(tmp_path.iterdir())


def test_inputs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    files = [tmp_path / side / "central.gii" for side in ("left", "right")]
    for file in files:
        file.parent.mkdir()
        file.write_text(file.parent.name, encoding="utf-8")
    found = input_keys(files[0], None, str(files[1]))
    assert found == {str(file): content_key(file) for file in files}
    assert len(set(found.values())) == 2


def test_keys_follow_content(tmp_path: Path) -> None:
    file = tmp_path / "input.bin"
    file.write_bytes(b"1")
    first = content_key("head", file)
    file.write_bytes(b"2")
    assert content_key("head", file) != first
    assert content_key("a", "b") != content_key("ab")


def test_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RHEOBASE_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path


def test_far_names_list_what_is_allowed() -> None:
    with pytest.raises(InputError, match="unknown head 'zzz', allowed: mni152, sphere"):
        check_option("head", "zzz", ["mni152", "sphere"])


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")

    def below_a_file() -> None:
        with whole_file(blocker / "result.txt"):
            pass

    with pytest.raises(
        InputError, match=r"cannot write .*result\.txt: (Not a directory|File exists)"
    ):
        below_a_file()


def test_room_is_checked_before_a_library_writes(tmp_path: Path) -> None:
    room_for(tmp_path / "small", 1)
    with pytest.raises(InputError, match="the disk has"):
        room_for(tmp_path / "large", 2**62)


def test_an_unusable_cache_is_told_and_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path) -> None:
        raise InputError(f"cannot write {path}: No space left on device")

    keep(tmp_path / "head.h5", full)
    assert "not kept in the cache: cannot write" in caplog.text


def test_the_oldest_leave_a_full_cache(tmp_path: Path) -> None:
    def save(path: Path) -> None:
        with whole_file(path) as part:
            part.write_bytes(bytes(40))

    for name, when in (("older", 2), ("oldest", 1), ("recent", 3), (".part-of-a-killed-run", 0)):
        save(tmp_path / name)
        os.utime(tmp_path / name, (when, when))
    save(tmp_path / ".part-of-another-run")
    keep(tmp_path / "newest", save)
    assert len(list(tmp_path.iterdir())) == 6  # no limit
    keep(tmp_path / "newest", save, most=120)
    assert {p.name for p in tmp_path.iterdir()} == {
        "older", "recent", "newest", ".part-of-another-run"
    }  # fmt: skip
    keep(tmp_path / "newest", save, most=1)
    assert {p.name for p in tmp_path.iterdir()} == {"newest", ".part-of-another-run"}
