"""The journal of inspections: what it keeps, what it never keeps, and what shows when somebody changes it."""

import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from verifier.cli import main
from verifier.db import schema
from verifier.db.base import Database, DatabaseError
from verifier.db.journal import SqlInspectionJournal
from verifier.db.tables import METADATA
from verifier.errors import VerifierError
from verifier.inspection.report import Assurance, Verdict
from verifier.services.journal_chain import JournalError, first_head, link
from verifier.services.terminal_ports import HolderRecord, InspectionRecord
from verifier.services.terminal_state import HolderAnswer
from verifier.trust.terminal_home import TerminalHome

AT = datetime(2026, 1, 16, 8, 0, tzinfo=UTC)
CARD = b"status" + bytes(16)
RECORD = InspectionRecord(
    at=AT,
    purpose="inspection",
    verdict=Verdict.REFUSED,
    assurance=Assurance.DATA,
    codes=("chip.not-proven",),
    notes=(),
    card=CARD,
)


@pytest.fixture
def home(tmp_path: Path) -> TerminalHome:
    home = TerminalHome(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def journal(home: TerminalHome) -> Iterator[SqlInspectionJournal]:
    opened = open_journal(home)
    yield opened
    opened.close()


def open_journal(home: TerminalHome) -> SqlInspectionJournal:
    return SqlInspectionJournal.open(
        home.journal, terminal=home.terminal_name(), key=home.journal_key()
    )


def change(home: TerminalHome, *statements: str) -> None:
    """Somebody who owns the file changes it, triggers and all."""
    connection = sqlite3.connect(home.journal)
    for statement in (
        "DROP TRIGGER journal_records_no_update", "DROP TRIGGER journal_records_no_delete",
        "DROP TRIGGER journal_records_in_order", "DROP TRIGGER journal_head_forward", *statements,
    ):  # fmt: skip
        connection.execute(statement)
    connection.commit()
    connection.close()


def fill(journal: SqlInspectionJournal, count: int = 5) -> None:
    for number in range(count):
        journal.record(replace(RECORD, at=AT + timedelta(days=number)))


def test_records_are_numbered_chained_and_survive_a_restart(home: TerminalHome) -> None:
    journal = open_journal(home)
    assert journal.record(RECORD) == 1
    answer = HolderRecord(at=AT, inspection=1, answer=HolderAnswer.NOT_DONE)
    assert journal.record(answer) == 2
    journal.close()
    journal = open_journal(home)
    assert journal.record(RECORD) == 3
    first, second, third = journal.lines()
    assert first.digest == link(first_head(home.terminal_name()), first.body)
    assert third.digest == link(second.head, third.body)
    assert journal.verify() == third.head
    assert first.fields["verdict"] == "refused"
    assert first.fields["codes"] == ["chip.not-proven"]
    assert (second.fields["inspection"], second.fields["holder"]) == (1, "not-done")
    journal.close()


def test_a_card_has_one_pseudonym_at_a_terminal_and_another_elsewhere(tmp_path: Path) -> None:
    pseudonyms = []
    for name in ("a", "b"):
        home = TerminalHome(tmp_path / name)
        home.prepare()
        journal = open_journal(home)
        journal.record(RECORD)
        journal.record(RECORD)
        journal.record(replace(RECORD, card=CARD + b"x"))
        journal.record(replace(RECORD, card=None))
        cards = [line.fields["card"] for line in journal.lines()]
        assert cards[0] == cards[1]
        assert len({*cards[:3]}) == 2
        assert cards[3] is None
        pseudonyms.append(cards[0])
        journal.close()
        content = b"".join(path.read_bytes() for path in home.directory.glob("journal.sqlite*"))
        assert CARD.hex().encode() not in content
    assert pseudonyms[0] != pseudonyms[1]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE journal_records SET body = replace(body, 'refused', 'accepted') WHERE sequence = 3", "journal.damaged"),
        ("UPDATE journal_records SET digest = zeroblob(32) WHERE sequence = 5", "journal.damaged"),
        ("DELETE FROM journal_records WHERE sequence = 3", "journal.damaged"),
        ("DELETE FROM journal_records WHERE sequence = 1", "journal.damaged"),
        ("DELETE FROM journal_records WHERE sequence = 5", "journal.end-wrong"),
        ("UPDATE journal_records SET sequence = sequence + 1 WHERE sequence = 5", "journal.end-wrong"),
        ("UPDATE journal_records SET sequence = 9 WHERE sequence = 3", "journal.end-wrong"),
        ("UPDATE journal_head SET sequence = 4, digest = (SELECT digest FROM journal_records WHERE sequence = 4)", "journal.end-wrong"),
        ("UPDATE journal_head SET sequence = 4", "journal.end-wrong"),
        ("UPDATE journal_head SET dropped_digest = zeroblob(32)", "journal.damaged"),
        ("DROP TRIGGER journal_head_no_delete", None),
    ],
)  # fmt: skip
def test_what_somebody_changed_shows(home: TerminalHome, statement: str, code: str | None) -> None:
    journal = open_journal(home)
    fill(journal)
    journal.close()
    change(home, statement)
    journal = open_journal(home)
    if code is None:
        journal.verify()
    else:
        with pytest.raises(JournalError) as refusal:
            journal.verify()
        assert refusal.value.code == code
    journal.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal_records SET body = '{}'",
        "DELETE FROM journal_records WHERE sequence = 2",
        "INSERT OR REPLACE INTO journal_records SELECT 2, at, '{}', digest FROM journal_records WHERE sequence = 1",
        "INSERT INTO journal_records SELECT 99, at, body, digest FROM journal_records WHERE sequence = 1",
        "UPDATE journal_head SET sequence = 1",
        "UPDATE journal_head SET dropped = 9",
        "UPDATE journal_head SET terminal = 'another'",
        "DELETE FROM journal_head",
    ],
)
def test_the_database_itself_refuses_a_change(
    home: TerminalHome, journal: SqlInspectionJournal, statement: str
) -> None:
    fill(journal)
    connection = sqlite3.connect(home.journal)
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|forward|one row"):
        connection.execute(statement)
    connection.close()
    assert journal.verify().sequence == 5


def test_old_records_are_let_go_from_the_front_and_the_rest_still_follows(
    journal: SqlInspectionJournal,
) -> None:
    fill(journal, 10)
    now = AT + timedelta(days=9)
    assert journal.drop_older_than(5, now=now) == 4
    assert [line.sequence for line in journal.lines()] == [5, 6, 7, 8, 9, 10]
    assert journal.verify().sequence == 10
    assert journal.drop_older_than(5, now=now) == 0
    assert journal.drop_older_than(1, now=now + timedelta(days=100)) == 6
    assert journal.verify().sequence == 10
    assert journal.record(RECORD) == 11
    assert journal.verify().sequence == 11


def test_records_are_let_go_of_once_a_day_while_the_terminal_runs(
    journal: SqlInspectionJournal,
) -> None:
    fill(journal, 3)
    today = [AT + timedelta(days=3)]
    journal.keep_for(5, known_past=lambda: today[0])
    assert len(list(journal.lines())) == 3
    today[0] = AT + timedelta(days=7)
    journal.record(replace(RECORD, at=AT + timedelta(days=7)))
    assert [line.sequence for line in journal.lines()] == [3, 4]
    assert journal.verify().sequence == 4


def test_a_clock_that_was_set_back_drops_nothing_behind_a_record_that_is_kept(
    journal: SqlInspectionJournal,
) -> None:
    for days in (0, 20, 1, 21):
        journal.record(replace(RECORD, at=AT + timedelta(days=days)))
    assert journal.drop_older_than(5, now=AT + timedelta(days=22)) == 1
    assert journal.verify().sequence == 4


def test_a_record_of_ten_years_ahead_keeps_none_before_it_and_goes_with_those_around_it(
    journal: SqlInspectionJournal,
) -> None:
    for days in (0, 3650, 1, 20):
        journal.record(replace(RECORD, at=AT + timedelta(days=days)))
    assert journal.drop_older_than(5, now=AT + timedelta(days=5)) == 0
    assert journal.drop_older_than(5, now=AT + timedelta(days=6)) == 1
    assert journal.drop_older_than(5, now=AT + timedelta(days=22)) == 2
    assert [line.sequence for line in journal.lines()] == [4]
    # The newest may be the one of the wrong clock: nothing behind it says yet how old it is.
    journal.record(replace(RECORD, at=AT + timedelta(days=3650)))
    assert journal.drop_older_than(5, now=AT + timedelta(days=40)) == 1
    assert [line.sequence for line in journal.lines()] == [5]
    assert journal.verify().sequence == 5


def test_a_record_a_little_ahead_of_what_is_known_is_not_let_go_of(
    journal: SqlInspectionJournal,
) -> None:
    """The mark of the clock is written every five minutes: after a restart with a clock set back it is behind."""
    for seconds in (3, 0):
        journal.record(replace(RECORD, at=AT + timedelta(seconds=seconds)))
    assert journal.drop_older_than(5, now=AT) == 0


def test_a_clock_that_jumps_ahead_empties_no_journal(journal: SqlInspectionJournal) -> None:
    fill(journal, 3)
    journal.keep_for(5, known_past=lambda: AT + timedelta(days=3))
    journal.record(replace(RECORD, at=AT + timedelta(days=3650)))
    assert [line.sequence for line in journal.lines()] == [1, 2, 3, 4]


def test_a_journal_belongs_to_one_terminal(home: TerminalHome) -> None:
    open_journal(home).close()
    with pytest.raises(JournalError) as refusal:
        SqlInspectionJournal.open(home.journal, terminal="another", key=home.journal_key())
    assert refusal.value.code == "journal.other-terminal"


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(home: TerminalHome) -> None:
    content = b"this is no database" * 100
    home.journal.write_bytes(content)
    with pytest.raises(DatabaseError) as refusal:
        open_journal(home)
    assert refusal.value.code == "journal.unavailable"
    assert home.journal.read_bytes() == content


def test_a_database_of_a_newer_version_is_left_alone(home: TerminalHome) -> None:
    open_journal(home).close()
    connection = sqlite3.connect(home.journal)
    connection.execute("UPDATE alembic_version SET version_num = '9999_future'")
    connection.commit()
    connection.close()
    with pytest.raises(DatabaseError) as refusal:
        open_journal(home)
    assert refusal.value.code == "journal.newer-version"


def test_the_migrations_make_the_tables_in_code() -> None:
    schema.check_migrations()


def test_a_table_that_no_migration_makes_is_found() -> None:
    table = sa.Table("forgotten", METADATA, sa.Column("id", sa.Integer, primary_key=True))
    try:
        with pytest.raises(DatabaseError) as refusal:
            schema.check_migrations()
    finally:
        METADATA.remove(table)
    assert refusal.value.code == "journal.migrations-differ"


def test_the_latest_revision_is_that_of_the_migrations(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.sqlite")
    assert schema.current_revision(database) is None
    schema.upgrade(database)
    assert schema.current_revision(database) == schema.LATEST_REVISION
    database.close()


@pytest.mark.parametrize("name", ["terminal.json", "journal.key", "programs.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff" * 10, b"x" * 70000])
def test_a_broken_file_of_the_home_is_named(home: TerminalHome, name: str, content: bytes) -> None:
    (home.directory / name).write_bytes(content)
    read: dict[str, Callable[[], object]] = {
        "terminal.json": home.terminal_name,
        "journal.key": home.journal_key,
        "programs.json": home.programs,
    }
    with pytest.raises(VerifierError, match=name) as refusal:
        read[name]()
    assert refusal.value.code == "terminal.home"


@pytest.fixture
def call(
    home: TerminalHome, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("MEMBERCARD_VERIFIER_HOME", str(home.directory))
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(*words: str) -> tuple[int, str, str]:
        status = main(words)
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


def test_the_commands_list_verify_and_export(
    home: TerminalHome, call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    journal = open_journal(home)
    fill(journal, 3)
    journal.record(HolderRecord(at=AT, inspection=3, answer=HolderAnswer.NO))
    end = journal.verify()
    journal.close()
    status, text, _ = call("journal", "list", "--last", "2")
    assert status == 0
    assert "holder of no. 3: no" in text
    assert "chip.not-proven" in text
    assert [line["sequence"] for line in json.loads(call("journal", "list", "--format", "json")[1])] == [4, 3, 2, 1]  # fmt: skip
    assert call("journal", "verify")[1] == f"4:{end.digest.hex()}\n"
    out = tmp_path / "out.jsonl"
    assert call("journal", "export", "--out", str(out), "--behind", "1")[0] == 0
    assert [json.loads(line)["sequence"] for line in out.read_text().splitlines()] == [2, 3, 4]
    assert out.stat().st_mode & 0o077 == 0
    change(home, "UPDATE journal_records SET at = 0, body = '{}' WHERE sequence = 2")
    status, _, error = call("journal", "verify")
    assert status == 2
    assert "[journal.damaged]" in error


def test_programs_are_paired_listed_and_unpaired(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    token = tmp_path / "x.token"
    assert call("terminal", "pair", "attendance", "--out", str(token))[0] == 0
    assert token.stat().st_mode & 0o077 == 0
    assert len(token.read_text().strip()) == 43
    assert "attendance  verdict  " in call("terminal", "programs")[1]
    status, _, error = call("terminal", "pair", "attendance", "--out", str(tmp_path / "y"))
    assert (status, "[terminal.program-name]" in error) == (2, True)
    assert not (tmp_path / "y").exists()
    assert call("terminal", "pair", "b", "--out", str(token))[0] == 64
    nowhere = str(tmp_path / "no" / "such" / "folder")
    assert call("terminal", "pair", "c", "--out", nowhere)[0] == 2
    assert call("terminal", "unpair", "attendance")[0] == 0
    assert call("terminal", "unpair", "attendance")[0] == 2
    assert json.loads(call("terminal", "programs", "--format", "json")[1]) == []


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:1", "192.168.1.5:80", "localhost:80", "127.0.0.1", "127.0.0.1:99999", "[::]:1", ":80"]
)  # fmt: skip
def test_the_page_is_never_offered_to_other_computers(
    call: Callable[..., tuple[int, str, str]], listen: str
) -> None:
    words = ("terminal", "run", "--reader", "x", "--trust", "nowhere", "--listen", listen)
    status, _, error = call(*words)
    assert (status, "[terminal.listen]" in error) == (64, True)


def test_a_terminal_that_does_not_run_has_no_page(
    call: Callable[..., tuple[int, str, str]],
) -> None:
    status, _, error = call("terminal", "page")
    assert (status, "[terminal.not-running]" in error) == (2, True)
