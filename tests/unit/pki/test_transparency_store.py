"""The log's files: durable, torn by a crash anywhere and mended, and damaged never unseen."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.errors import RecordError
from pki.record.transparency_store import LogFiles, TiledLog, check_files
from pki.record.transparency_tree import MemoryLevels, hash_leaf, tree_root


def entry(number: int) -> bytes:
    return number.to_bytes(32, "big")


def hashes(count: int) -> bytes:
    return b"".join(hash_leaf(entry(number)) for number in range(count))


def fill(directory: Path, groups: Sequence[int]) -> int:
    with TiledLog.open(directory, leaf_hashes=b"", acknowledged=0) as log:
        for group in groups:
            first = log.size
            assert log.append_many([entry(first + number) for number in range(group)]) == first
        return log.size


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(RecordError) as caught:
        action()
    return caught.value.code


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=6))
def test_groups_of_any_size_make_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("home") / "log"
    count = fill(directory, groups)
    levels = MemoryLevels(hashes(count))
    assert check_files(LogFiles(directory), levels, acknowledged=count) == 0
    assert tree_root(LogFiles(directory), count) == tree_root(levels, count)
    for level, content in enumerate(levels.levels):
        assert LogFiles(directory).read_bytes(level, 0, 1 << 20) == content


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    count = fill(tmp_path / "log", [250])
    for step in (3, 3, 300):
        with TiledLog.open(tmp_path / "log", leaf_hashes=hashes(count), acknowledged=count) as log:
            log.append_many([entry(count + number) for number in range(step)])
        count += step
    assert check_files(LogFiles(tmp_path / "log"), MemoryLevels(hashes(count)), acknowledged=0) == 0


def test_a_group_is_on_the_disk_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync

    def look(descriptor: int) -> None:
        sync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    with TiledLog.open(tmp_path / "log", leaf_hashes=b"", acknowledged=0) as log:
        log.append_many([entry(0)])
        monkeypatch.setattr(os, "fsync", look)
        log.append_many([entry(number) for number in range(1, 200)])
    assert synced == [200 * 32]


@pytest.mark.parametrize(("before", "group"), [(0, 3), (5, 2), (255, 1), (254, 4), (256, 1)])
def test_a_crash_at_every_byte_of_the_last_group_is_mended(
    tmp_path: Path, before: int, group: int
) -> None:
    directory = tmp_path / "log"
    count = fill(directory, [before, group])
    whole = hashes(count)
    levels = MemoryLevels(whole)
    files = LogFiles(directory)
    # What the group wrote, byte by byte in the order of writing: its leaves, then the tiles that they filled.
    written = [
        (level, length)
        for level, content in enumerate(levels.levels)
        for length in range((before >> (8 * level)) * 32, len(content) + 1)
    ]
    assert len(written) > group * 32
    for level, length in written:
        for each in range(len(levels.levels)):
            end = len(levels.levels[each]) if each < level else (before >> (8 * each)) * 32
            files.path(each).write_bytes(levels.levels[each][: length if each == level else end])
        TiledLog.open(directory, leaf_hashes=whole, acknowledged=before).close()
        assert check_files(files, levels, acknowledged=count) == 0


def test_missing_files_of_a_group_that_was_never_acknowledged_are_made(tmp_path: Path) -> None:
    TiledLog.open(tmp_path / "log", leaf_hashes=hashes(300), acknowledged=0).close()
    assert LogFiles(tmp_path / "log").size == 300


@pytest.mark.parametrize("cut", [1, 31, 32, 33, 9600])
def test_what_was_acknowledged_is_not_mended(tmp_path: Path, cut: int) -> None:
    directory = tmp_path / "log"
    fill(directory, [300])
    path = LogFiles(directory).path(0)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    action = lambda: TiledLog.open(directory, leaf_hashes=hashes(300), acknowledged=300)  # noqa: E731 - one of many alike
    assert code_of(action) == "log.cut"
    assert path.read_bytes() == whole[: len(whole) - cut]


def test_a_log_without_its_upper_levels_is_cut(tmp_path: Path) -> None:
    fill(tmp_path / "log", [300])
    LogFiles(tmp_path / "log").path(1).unlink()
    action = lambda: TiledLog.open(tmp_path / "log", leaf_hashes=hashes(300), acknowledged=256)  # noqa: E731 - one of many alike
    assert code_of(action) == "log.cut"


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    fill(directory, [258])
    files, levels = LogFiles(directory), MemoryLevels(hashes(258))
    for level, content in enumerate(levels.levels):
        path = files.path(level)
        for place in range(0, len(content), 1 if level else 97):
            path.write_bytes(content[:place] + bytes((content[place] ^ 1,)) + content[place + 1 :])
            assert code_of(lambda: check_files(files, levels, acknowledged=0)) == "log.damaged"
        path.write_bytes(content)
    check_files(files, levels, acknowledged=258)


def test_a_log_that_is_ahead_of_its_journal_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "log", [5])
    files, levels = LogFiles(tmp_path / "log"), MemoryLevels(hashes(4))
    assert code_of(lambda: check_files(files, levels, acknowledged=3)) == "log.ahead"
    assert check_files(files, levels, acknowledged=3, may_be_ahead=True) == 0
    action = lambda: TiledLog.open(tmp_path / "log", leaf_hashes=hashes(4), acknowledged=3)  # noqa: E731 - one of many alike
    assert code_of(action) == "log.ahead"
    (tmp_path / "log" / "hashes.7").write_bytes(bytes(32))
    assert code_of(lambda: check_files(files, MemoryLevels(hashes(5)), acknowledged=0)) == (
        "log.ahead"
    )


def test_a_failed_write_closes_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "no space left on device")

    log = TiledLog.open(tmp_path / "log", leaf_hashes=b"", acknowledged=0)
    log.append_many([entry(0)])
    monkeypatch.setattr(os, "fsync", fail)
    assert code_of(lambda: log.append_many([entry(1)])) == "log.write-failed"
    monkeypatch.undo()
    assert code_of(lambda: log.append_many([entry(1)])) == "log.closed"
    TiledLog.open(tmp_path / "log", leaf_hashes=hashes(2), acknowledged=1).close()


def test_a_log_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    action = lambda: TiledLog.open(  # noqa: E731 - one of many alike
        tmp_path / "missing" / "log", leaf_hashes=b"", acknowledged=0
    )
    assert code_of(action) == "log.write-failed"
    (tmp_path / "file").write_bytes(b"")
    assert code_of(lambda: LogFiles(tmp_path / "file").size) == "log.unreadable"
    assert code_of(lambda: LogFiles(tmp_path / "file").read(0, 0, 1)) == "log.unreadable"


def test_large_groups_cost_little_for_each_leaf(tmp_path: Path) -> None:
    entries = [entry(number) for number in range(1000)]
    with TiledLog.open(tmp_path / "log", leaf_hashes=b"", acknowledged=0) as log:
        start = time.process_time()
        for _ in range(20):
            log.append_many(entries)
        spent = (time.process_time() - start) / 20_000
    # Two hashes a leaf, and one write and one sync a group: about 2 microseconds; a read of the tree would show.
    assert spent < 100e-6
