"""Journal and log together: no signature without a leaf, and after a crash anywhere they agree again."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pki.errors import RecordError
from pki.record.journal import Journal, JournalEntry, Record, read_journal
from pki.record.transparency_journal import LeafCollector, LoggedJournal, leaf_index
from pki.record.transparency_store import LogFiles, TiledLog, check_files
from pki.record.transparency_tree import MemoryLevels, hash_leaf

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
KINDS = frozenset({"signed"})


class Home:
    def __init__(self, directory: Path) -> None:
        self.journal = directory / "journal.jsonl"
        self.log = directory / "log"

    def open(self, replay: Callable[[JournalEntry], None] = lambda _: None) -> LoggedJournal:
        salts = iter(range(1, 1_000_000))
        return LoggedJournal.open(
            self.journal,
            log_directory=self.log,
            logged_kinds=KINDS,
            replay=replay,
            random_bytes=lambda count: next(salts).to_bytes(count, "big"),
        )

    def check(self) -> int:
        """The number of leaves in a log that is exactly the journal's."""
        collector = LeafCollector(logged_kinds=KINDS, replay=lambda _: None)
        for entry in read_journal(self.journal):
            collector.take(entry)
        assert LogFiles(self.log).size == collector.size
        levels = MemoryLevels(collector.leaf_hashes)
        assert check_files(LogFiles(self.log), levels, acknowledged=collector.size) == 0
        return collector.size


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def signed(count: int = 1) -> list[Record]:
    return [
        Record(kind="signed", time=NOW, fields={"reference": f"{n:032x}"}) for n in range(count)
    ]


def other() -> Record:
    return Record(kind="other", time=NOW)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(RecordError) as caught:
        action()
    return caught.value.code


def test_every_signature_gets_its_leaf_and_nothing_else_does(home: Home) -> None:
    with home.open() as journal:
        first = journal.append_many([other(), *signed(2), other()])
        second = journal.append_many(signed())
        journal.append_many([other()])
    assert [leaf_index(entry) for entry in (*first, *second)] == [None, 0, 1, None, 2]
    assert [entry.fields.get("log_group") for entry in (*first, *second)] == [None, 0, 0, None, 2]
    salts = [entry.text("log_salt") for entry in (*first, *second) if leaf_index(entry) is not None]
    assert [len(bytes.fromhex(salt)) for salt in salts] == [16, 16, 16]
    assert len(set(salts)) == 3
    leaves = [entry.hash for entry in (*first, *second) if leaf_index(entry) is not None]
    assert LogFiles(home.log).read_bytes(0, 0, 1000) == b"".join(map(hash_leaf, leaves))
    assert home.check() == 3


def test_the_salt_alone_changes_the_leaf(home: Home, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    leaves = []
    for directory, salt in ((tmp_path, b"\x01"), (tmp_path / "other", b"\x02")):
        place = Home(directory)
        with LoggedJournal.open(
            place.journal,
            log_directory=place.log,
            logged_kinds=KINDS,
            replay=lambda _: None,
            random_bytes=lambda count: salt * count,  # noqa: B023 - used at once
        ) as journal:
            journal.append_many(signed())
        leaves.append(LogFiles(place.log).read(0, 0, 1))
    assert leaves[0] != leaves[1]
    assert home.check() == 1


def test_everything_is_replayed_at_the_next_opening(home: Home) -> None:
    with home.open() as journal:
        written = [*journal.append_many(signed(3)), *journal.append_many([other()])]
    seen: list[JournalEntry] = []
    with home.open(seen.append) as journal:
        assert journal.log.size == 3
        journal.append_many(signed())
    assert seen == written
    assert home.check() == 4


def test_a_record_cannot_choose_its_own_place(home: Home) -> None:
    with home.open() as journal:
        for name in ("log_index", "log_salt", "log_group"):
            record = Record(kind="other", time=NOW, fields={name: 0})
            assert code_of(lambda: journal.append_many([record])) == "record.invalid"  # noqa: B023


@pytest.mark.parametrize("groups", [[1], [1, 1], [2, 3], [254, 2], [255, 3]])
def test_after_a_crash_at_any_byte_of_the_last_group_both_agree_again(
    home: Home, groups: Sequence[int]
) -> None:
    with home.open() as journal:
        for group in groups[:-1]:
            journal.append_many(signed(group))
        journal_before, log_before = home.journal.read_bytes(), hashes_of(home)
        journal.append_many(signed(groups[-1]))
    journal_after, log_after = home.journal.read_bytes(), hashes_of(home)
    before = sum(groups[:-1])
    # 1. The process dies while it writes the journal: the log is as it was.
    step = 1 if len(groups) < 2 or groups[-1] == 1 else 41
    for length in range(len(journal_before), len(journal_after), step):
        home.journal.write_bytes(journal_after[:length])
        restore(home, log_before)
        home.open().close()
        lines = journal_after[:length].count(b"\n")
        assert home.check() == lines >= before
    # 2. It dies while it writes the log: the journal is complete.
    home.journal.write_bytes(journal_after)
    for length in range(len(log_before.get(0, b"")), len(log_after[0]) + 1):
        restore(home, log_before | {0: log_after[0][:length]})
        home.open().close()
        assert home.check() == sum(groups)
        assert hashes_of(home) == log_after


def hashes_of(home: Home) -> dict[int, bytes]:
    files = LogFiles(home.log)
    return {level: files.path(level).read_bytes() for level in range(files.level_count())}


def restore(home: Home, content: dict[int, bytes]) -> None:
    for path in home.log.glob("hashes.*"):
        path.unlink()
    for level, data in content.items():
        LogFiles(home.log).path(level).write_bytes(data)


def test_a_cut_log_and_a_cut_journal_stop_the_work(home: Home) -> None:
    with home.open() as journal:
        journal.append_many(signed(2))
        journal.append_many(signed(2))
    whole, log = home.journal.read_bytes(), hashes_of(home)
    restore(home, {0: log[0][:32]})
    assert code_of(home.open) == "log.cut"
    restore(home, log)
    home.journal.write_bytes(b"".join(whole.splitlines(keepends=True)[:3]))
    assert code_of(home.open) == "log.ahead"
    home.journal.write_bytes(whole)
    home.open().close()


def test_a_signature_that_went_past_the_log_is_damage(home: Home) -> None:
    with Journal.open(home.journal, replay=lambda _: None) as journal:
        journal.append_many(signed(2))
    # A home that is older than its log: what was signed before has no leaf.
    with home.open() as logged:
        logged.append_many(signed())
    assert home.check() == 1
    with Journal.open(home.journal, replay=lambda _: None) as journal:
        journal.append_many(signed())
    assert code_of(home.open) == "record.damaged"


@pytest.mark.parametrize(
    "fields",
    [
        {"log_index": 1, "log_salt": "00" * 16, "log_group": 1},
        {"log_index": 3, "log_salt": "00" * 16, "log_group": 3},
        {"log_index": "2", "log_salt": "00" * 16, "log_group": 2},
        {"log_index": 2, "log_salt": "00" * 15, "log_group": 2},
        {"log_index": 2, "log_salt": None, "log_group": 2},
        {"log_index": 2, "log_salt": "00" * 16, "log_group": 1},
        {"log_index": 2, "log_salt": "00" * 16, "log_group": 3},
        {"log_index": 2, "log_salt": "00" * 16},
    ],
)
def test_a_journal_that_tells_another_place_is_damage(
    home: Home, fields: dict[str, str | int | None]
) -> None:
    with home.open() as logged:
        logged.append_many(signed(2))
    with Journal.open(home.journal, replay=lambda _: None) as journal:
        journal.append(Record(kind="signed", time=NOW, fields=fields))
    assert code_of(home.open) == "record.damaged"


def test_a_log_that_fails_takes_the_journal_with_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: TiledLog, entries: Sequence[bytes]) -> int:
        raise RecordError(f"{len(entries)} leaves cannot be written", code="log.write-failed")

    journal = home.open()
    journal.append_many(signed())
    monkeypatch.setattr(TiledLog, "append_many", fail)
    assert code_of(lambda: journal.append_many(signed())) == "log.write-failed"
    monkeypatch.undo()
    assert code_of(lambda: journal.append_many([other()])) == "record.closed"
    # The lock is free, and the reference counts as used: the record is there, and gets its leaf now.
    home.open().close()
    assert home.check() == 2


def test_after_kill_9_nothing_acknowledged_is_missing(home: Home) -> None:
    script = (
        "import secrets, sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from pki.record.journal import Record\n"
        "from pki.record.transparency_journal import LoggedJournal\n"
        "home = Path(sys.argv[1])\n"
        "journal = LoggedJournal.open(home / 'journal.jsonl', log_directory=home / 'log',\n"
        "    logged_kinds=frozenset({'signed'}), replay=lambda _: None, random_bytes=secrets.token_bytes)\n"
        "while True:\n"
        "    journal.append_many([Record(kind='signed', time=datetime.now(UTC))] * 3)\n"
        "    print(journal.log.size, flush=True)\n"
    )
    for delay in (0.0, 0.01, 0.03, 0.07):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(home.journal.parent)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        acknowledged = [process.stdout.readline()]
        time.sleep(delay)
        process.kill()
        acknowledged += process.stdout.read().splitlines()
        process.wait(timeout=30)
        process.stdout.close()
        assert LogFiles(home.log).size >= int(acknowledged[-1])
        home.open().close()
        assert home.check() >= int(acknowledged[-1])
