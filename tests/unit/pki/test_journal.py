"""The journal: durable before it counts, and every change of it shows."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import RecordError
from pki.record.journal import (
    Journal,
    JournalEntry,
    JournalHead,
    Record,
    read_journal,
    verify_journal,
)

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def record(number: int) -> Record:
    return Record(kind="test.done", time=NOW, fields={"number": number, "text": f"Đ {number}"})


def open_journal(path: Path, seen: list[JournalEntry] | None = None) -> Journal:
    return Journal.open(path, replay=(seen if seen is not None else []).append)


def write(path: Path, count: int) -> list[bytes]:
    with open_journal(path) as journal:
        journal.append_many([record(number) for number in range(count)])
    return path.read_bytes().splitlines(keepends=True)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(RecordError) as caught:
        action()
    return caught.value.code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_what_was_appended_is_read_back_in_order(path: Path) -> None:
    with open_journal(path) as journal:
        first = journal.append(record(1))
        second, third = journal.append_many([record(2), record(3)])
        assert journal.head == JournalHead(sequence=3, hash=third.hash)
    seen: list[JournalEntry] = []
    with open_journal(path, seen) as journal:
        assert journal.head.sequence == 3
    assert seen == [first, second, third] == list(read_journal(path))
    assert [entry.sequence for entry in seen] == [1, 2, 3]
    assert seen[2].fields == {"number": 3, "text": "Đ 3"}
    assert seen[2].time == NOW
    assert seen[2].previous == seen[1].hash
    assert seen[0].previous == bytes(32)


def test_the_file_is_on_the_disk_before_append_returns(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync

    def count(descriptor: int) -> None:
        sync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    with open_journal(path) as journal:
        monkeypatch.setattr(os, "fsync", count)
        journal.append_many([record(number) for number in range(50)])
        assert synced == [path.stat().st_size]
        journal.append(record(50))
        assert synced[1:] == [path.stat().st_size]


def test_a_failed_write_closes_the_journal_and_records_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "input/output error")

    journal = open_journal(path)
    journal.append(record(1))
    monkeypatch.setattr(os, "fsync", fail)
    assert code_of(lambda: journal.append(record(2))) == "record.write-failed"
    monkeypatch.undo()
    assert code_of(lambda: journal.append(record(3))) == "record.closed"
    assert journal.head.sequence == 1


def test_nothing_to_append_writes_nothing(path: Path) -> None:
    with open_journal(path) as journal:
        assert journal.append_many([]) == ()
    assert path.read_bytes() == b""


def test_a_second_process_cannot_open_it(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pki.record.journal import Journal\n"
        "Journal.open(Path(sys.argv[1]), replay=lambda entry: None)\n"
    )
    with open_journal(path):
        result = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, check=False, timeout=60
        )
        assert b"is in use by another process" in result.stderr
        assert code_of(lambda: open_journal(path)) == "record.locked"
    open_journal(path).close()


def test_reading_needs_no_lock(path: Path) -> None:
    with open_journal(path) as journal:
        journal.append(record(1))
        assert len(list(read_journal(path))) == 1
        assert verify_journal(path).sequence == 1


def test_every_torn_last_line_is_removed_and_the_rest_stays(path: Path) -> None:
    lines = write(path, 3)
    whole = b"".join(lines)
    for length in range(1, len(lines[2])):
        path.write_bytes(whole[: len(whole) - length])
        assert verify_journal(path).torn_bytes == len(lines[2]) - length
        with open_journal(path) as journal:
            assert journal.head.sequence == 2
            journal.append(record(9))
        assert [entry.fields["number"] for entry in read_journal(path)] == [0, 1, 9]


def test_edits_gaps_and_another_order_are_found(path: Path) -> None:
    lines = write(path, 5)
    altered = lines[2].replace(b'"number":2', b'"number":3')
    assert altered != lines[2]
    hash_free = json.loads(lines[2])
    hash_free["hash"] = "0" * 64
    cases = {
        "edited": [*lines[:2], altered, *lines[3:]],
        "last edited": [*lines[:4], lines[4].replace(b'"number":4', b'"number":5')],
        "gap": [*lines[:2], *lines[3:]],
        "first gone": lines[1:],
        "twice": [*lines[:3], *lines[2:]],
        "swapped": [lines[0], lines[2], lines[1], *lines[3:]],
        "hash": [*lines[:2], json.dumps(hash_free).encode() + b"\n", *lines[3:]],
        "spaces": [*lines[:2], lines[2].replace(b'":', b'": ', 1), *lines[3:]],
        "empty line": [*lines, b"\n"],
        "rubbish": [*lines, b"rubbish\n"],
        "list": [*lines, b"[]\n"],
        "deep": [*lines, b"[" * 60000 + b"\n"],
        "zeros": [*lines, bytes(100) + b"\n"],
        "long": [*lines, b"x" * 70000],
    }
    for name, content in cases.items():
        path.write_bytes(b"".join(content))
        assert code_of(lambda: verify_journal(path)) == "record.damaged", name
        assert code_of(lambda: open_journal(path)) == "record.damaged", name
        assert path.read_bytes() == b"".join(content), name


def test_a_hash_that_was_made_to_fit_breaks_the_chain_behind_it(path: Path) -> None:
    lines = write(path, 3)
    other = path.with_name("other.jsonl")
    with open_journal(other) as journal:
        journal.append_many([record(0), record(77)])
    forged = other.read_bytes().splitlines(keepends=True)[1]
    path.write_bytes(lines[0] + forged + lines[2])
    assert code_of(lambda: verify_journal(path)) == "record.damaged"
    path.write_bytes(lines[0] + forged)
    assert verify_journal(path).sequence == 2


def test_a_tail_that_was_cut_off_is_found_against_a_known_head(path: Path) -> None:
    lines = write(path, 5)
    head = JournalHead.from_text(verify_journal(path).to_text())
    path.write_bytes(b"".join(lines[:4]))
    assert verify_journal(path).sequence == 4
    assert code_of(lambda: verify_journal(path, known_head=head)) == "record.cut"
    path.write_bytes(b"".join(lines))
    earlier = JournalHead(sequence=3, hash=bytes.fromhex(json.loads(lines[2])["hash"]))
    assert verify_journal(path, known_head=earlier).sequence == 5
    with open_journal(path) as journal:
        journal.append(record(9))
    assert verify_journal(path, known_head=head).sequence == 6


@pytest.mark.parametrize(
    "text", ["", "1", "1:", "x:" + "0" * 64, "1:" + "0" * 63, "-1:" + "0" * 64]
)
def test_a_head_that_is_none_is_refused(text: str) -> None:
    assert code_of(lambda: JournalHead.from_text(text)) == "record.head-malformed"


def test_a_time_without_zone_and_an_overlong_record_are_refused(path: Path) -> None:
    with open_journal(path) as journal:
        naive = Record(kind="k", time=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of it
        assert code_of(lambda: journal.append(naive)) == "record.invalid"
        long = Record(kind="k", time=NOW, fields={"text": "x" * 70000})
        assert code_of(lambda: journal.append(long)) == "record.invalid"
        assert journal.append(record(1)).sequence == 1


def test_a_missing_journal_cannot_be_read(path: Path) -> None:
    assert code_of(lambda: verify_journal(path)) == "record.unreadable"
    assert code_of(lambda: open_journal(path / "below")) == "record.unreadable"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_journal_or_damage(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    path.write_bytes(data)
    if b"\n" in data:
        assert code_of(lambda: verify_journal(path)) == "record.damaged"
    else:
        assert verify_journal(path) == JournalHead(sequence=0, hash=bytes(32), torn_bytes=len(data))


def test_after_kill_9_every_acknowledged_entry_is_there(path: Path) -> None:
    script = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from pki.record.journal import Journal, Record\n"
        "journal = Journal.open(Path(sys.argv[1]), replay=lambda entry: None)\n"
        "while True:\n"
        "    entry = journal.append(Record(kind='k', time=datetime.now(UTC)))\n"
        "    print(entry.sequence, flush=True)\n"
    )
    for delay in (0.0, 0.02, 0.05):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        acknowledged = [process.stdout.readline()]
        time.sleep(delay)
        process.kill()
        acknowledged += process.stdout.read().splitlines()
        process.wait(timeout=30)
        process.stdout.close()
        seen: list[JournalEntry] = []
        open_journal(path, seen).close()
        assert len(seen) >= int(acknowledged[-1])
