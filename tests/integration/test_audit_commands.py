"""The auditor's commands over a real database and a real authority; whoever touches what is stored is found."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from issuer.audit_checkpoints import CheckpointFolder
from issuer.cli import main
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import ChainHead, first_head, link
from issuer.domain.audit_check import AuditReport
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.errors import IssuerRefusedError
from issuer.services.audit_office import AuditOffice
from issuer.services.audit_ports import AuditQuestion
from pki.cli import main as pki_main
from pki.record.transparency_note import NoteKey
from tests.integration.everybody import log_in_everybody

NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
AUDITOR = Actor(account=AccountName("auditor-1"), assignments=(Assignment(role=Role.AUDITOR),))
RECORDS = 6


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


def act(number: int) -> AuditRecord:
    return AuditRecord(
        at=NOW + timedelta(seconds=number),
        account=AccountName(f"clerk-{number % 2}"),
        action="member.changed",
        subject=AuditSubject.MEMBER,
        subject_id=f"m-{number}",
        organisation=OrganisationCode("P-01" if number % 2 else "Q"),
        details={"number": number},
    )


def fill(home: Path, *numbers: int) -> None:
    database = Database(f"sqlite:///{home / 'issuer.sqlite'}")
    with SqlRegister(database).writing() as transaction:
        for number in numbers:
            transaction.audit.append(act(number))
    database.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An office with six records in its trail."""
    made = tmp_path / "office"
    assert main(["--home", str(made), "database", "upgrade"]) == 0
    log_in_everybody(made)
    fill(made, *range(1, RECORDS + 1))
    return made


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str | Path) -> Outcome:
        capfd.readouterr()
        status = main(["--home", str(home), *map(str, words)])
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("authority")
    words = ("authority", "create", "--test", "--name", "Trial", "--keystore", "file")
    pin = ("--pin-file", str(directory / "pki.pin"))
    assert pki_main(["--home", str(directory / "pki"), *words, *pin]) == 0
    return directory / "pki"


GUARDS = (
    "audit_records_no_update", "audit_records_no_delete", "audit_records_in_order", "audit_head_no_delete",
    "audit_head_forward",
)  # fmt: skip


def tamper(home: Path, *statements: str, place: int = 0, other: int = 0) -> None:
    """As somebody with the file would do it: the guards first."""
    with closing(sqlite3.connect(home / "issuer.sqlite")) as connection, connection:
        for guard in GUARDS:
            connection.execute(f"DROP TRIGGER IF EXISTS {guard}")
        for statement in statements:
            connection.execute(statement, {"place": place, "other": other})


def test_a_whole_trail_is_verified_listed_shown(run: Run) -> None:
    verified = run("audit", "verify", "--format", "json")
    assert verified.status == 0
    assert verified.json | {"trail": ""} == {
        "trail": "", "records": 6, "last": 6, "checkpoints": 0, "mark": None, "anchored": 0, "whole": True,
        "faults": 0, "findings": [],
    }  # fmt: skip
    assert "warning: without a checkpoint" in verified.err
    listed = run("audit", "list", "--limit", "4", "--format", "json").json
    assert [each["sequence"] for each in listed["records"]] == [6, 5, 4, 3]
    assert listed["before"] == 3
    assert listed["records"][0]["details"] == {"number": 6}
    page = run("audit", "list", "--before", "3", "--account", "clerk-1", "--format", "json").json
    assert [each["sequence"] for each in page["records"]] == [1]
    found = run("audit", "list", "--subject", "member", "--subject-id", "m-2", "--format", "json")
    assert [each["sequence"] for each in found.json["records"]] == [2]
    late = run("audit", "list", "--since", "2026-11-22T02:30:05", "--format", "json").json
    assert [each["sequence"] for each in late["records"]] == [6, 5]
    of_q = run("audit", "list", "--organisation", "Q", "--format", "json").json
    assert [each["sequence"] for each in of_q["records"]] == [6, 4, 2]
    assert run("audit", "show", "3", "--format", "json").json["subject_id"] == "m-3"
    assert "m-3" in run("audit", "show", "3").out
    assert "More" not in run("audit", "list").out


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("audit", "show", "7"), 1, "[audit.unknown-record]"),
        (("audit", "list", "--subject-id", "x"), 64, "needs --subject"),
        (("audit", "checkpoint"), 64, "either --pki or --signer-socket"),
        (("audit", "checkpoint", "--signer-socket", "/nowhere"), 2, "[audit.log-key-missing]"),
        (("audit", "verify", "--checkpoint", "/nowhere"), 2, "[log.unreadable]"),
        (("audit", "verify", "--file", "/nowhere"), 2, "[file.unavailable]"),
        (("audit", "export", "/nowhere/x"), 2, "[file.unavailable]"),
    ],
)
def test_what_cannot_be_done_says_why(
    run: Run, words: tuple[str, ...], status: int, text: str
) -> None:
    outcome = run(*words)
    assert (outcome.status, text in outcome.err) == (status, True), outcome.err


def test_what_somebody_wrote_into_the_table_does_not_steer_the_terminal(
    run: Run, home: Path
) -> None:
    tamper(home, "UPDATE audit_records SET account = char(27) || '[2Jx' WHERE sequence = 2")
    listed = run("audit", "list")
    assert listed.status == 0
    assert "\x1b" not in listed.out
    verified = run("audit", "verify")
    assert verified.status == 1
    assert "audit.altered: record 2" in verified.out


def test_an_export_is_checked_elsewhere(run: Run, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "trail.ndjson"
    written = run("audit", "export", out, "--format", "json").json
    assert written["records"] == 7, "that it was exported is recorded as well"
    assert out.stat().st_mode & 0o777 == 0o600
    shutil.rmtree(home)
    verified = run("audit", "verify", "--file", out, "--format", "json")
    assert (verified.status, verified.json["records"]) == (0, 7)
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:3] + lines[4:]))
    assert run("audit", "verify", "--file", out, "--format", "json").json["findings"] == [
        {"code": "audit.gap", "record": 3, "sentence": "record 3 should come, got 4"}
    ]
    for broken in (
        b"", b"{}\n", b"[]\n", b"\xff\n", lines[1], lines[0] + b"{}\n", lines[0] + b"{\n",
        lines[0] + b"[" * 70_000, lines[0] + lines[1].replace(b"+00:00", b""),
        lines[0] + lines[1].replace(b'"sequence":1', b'"sequence":true'),
        lines[0] + lines[1].replace(b'"account":"clerk-1"', b'"account":1'),
        lines[0].replace(b'"digest":"', b'"digest":"00'), lines[0].replace(b'"digest":"', b'"digest":"x'),
    ):  # fmt: skip
        out.write_bytes(broken)
        outcome = run("audit", "verify", "--file", out)
        assert (outcome.status, "[audit.file-malformed]" in outcome.err) == (1, True), broken[:80]


def test_a_checkpoint_stands_in_the_log_and_tells_a_cut_tail(
    run: Run, home: Path, authority: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept, key = tmp_path / "kept.tlog-proof", tmp_path / "log.key"
    made = run("audit", "checkpoint", "--pki", authority, "--out", kept, "--format", "json").json
    assert made["sequence"] == RECORDS
    assert pki_main(["--home", str(authority), "log", "key"]) == 0
    key.write_text(capfd.readouterr().out)
    again = run("audit", "checkpoint", "--pki", authority, "--format", "json").json
    assert again["sequence"] == RECORDS, "nothing but the checkpoint itself came since"
    fill(home, 100, 101)
    later = run("audit", "checkpoint", "--pki", authority, "--format", "json").json
    assert later["sequence"] == RECORDS + 3
    whole = run("audit", "verify", "--format", "json")
    assert (whole.status, whole.json["checkpoints"], whole.json["anchored"]) == (0, 2, 9)
    exported = tmp_path / "trail.ndjson"
    assert run("audit", "export", exported).status == 0
    offline = ("audit", "verify", "--file", exported, "--checkpoint", kept, "--log-key", key)
    assert run(*offline).status == 0

    # Whoever has the database has its head as well, and the folder of checkpoints.
    shutil.rmtree(home / "audit")
    tamper(home, *CUT_WITH_ITS_HEAD, place=RECORDS)
    assert run("audit", "verify").status == 0, "the trail alone cannot tell"
    told = run("audit", "verify", "--checkpoint", kept, "--log-key", key, "--format", "json")
    assert told.status == 1
    assert [each["code"] for each in told.json["findings"]] == ["audit.cut"]
    refused = run("audit", "checkpoint", "--pki", authority)
    assert (refused.status, "[journal-head.back]" in refused.err) == (1, True)


def test_a_trail_that_was_changed_is_not_vouched_for(run: Run, home: Path, authority: Path) -> None:
    tamper(home, "UPDATE audit_records SET account = 'x' WHERE sequence = 4")
    refused = run("audit", "checkpoint", "--pki", authority)
    assert (refused.status, "[audit.altered]" in refused.err) == (1, True)
    assert not CheckpointFolder(home / "audit").all()


def test_a_checkpoint_of_another_log_is_refused(run: Run, authority: Path, tmp_path: Path) -> None:
    kept, key = tmp_path / "kept.tlog-proof", tmp_path / "other.key"
    assert run("audit", "checkpoint", "--pki", authority, "--out", kept).status == 0
    own = next((tmp_path / "office" / "audit").glob("*.log-key")).read_text()
    name, _, _ = own.partition("+")
    other = NoteKey.from_public_key(name, ec.generate_private_key(ec.SECP256R1()).public_key())
    key.write_text(other.to_text())
    refused = run("audit", "verify", "--checkpoint", kept, "--log-key", key)
    assert (refused.status, "[log.signature-wrong]" in refused.err) == (1, True)
    kept.write_bytes(kept.read_bytes()[:-9])
    assert run("audit", "verify", "--checkpoint", kept).status in (1, 2)


# Every way to touch what is stored.


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ChainHead]:
    """A trail of six records, and its head as it was kept elsewhere."""
    directory = tmp_path_factory.mktemp("stored")
    assert main(["--home", str(directory), "database", "upgrade"]) == 0
    log_in_everybody(directory)
    fill(directory, *range(1, RECORDS + 1))
    tamper(directory)
    database = Database(f"sqlite:///{directory / 'issuer.sqlite'}")
    with SqlRegister(database).reading() as transaction:
        head = transaction.audit.head()
    database.close()
    with closing(sqlite3.connect(directory / "issuer.sqlite")) as connection:
        # All of it in the one file that the tests copy.
        connection.execute("PRAGMA journal_mode=DELETE")
    return directory, head


EDITS = (
    "UPDATE audit_records SET at = '2020-01-01 00:00:00.000000' WHERE sequence = :place",
    "UPDATE audit_records SET account = account || 'x' WHERE sequence = :place",
    "UPDATE audit_records SET action = action || 'x' WHERE sequence = :place",
    "UPDATE audit_records SET subject = subject || 'x' WHERE sequence = :place",
    "UPDATE audit_records SET subject_id = subject_id || 'x' WHERE sequence = :place",
    "UPDATE audit_records SET organisation = organisation || 'x' WHERE sequence = :place",
    "UPDATE audit_records SET organisation = NULL WHERE sequence = :place",
    "UPDATE audit_records SET details = details || ' ' WHERE sequence = :place",
    "UPDATE audit_records SET digest = zeroblob(32) WHERE sequence = :place",
    "UPDATE audit_head SET digest = zeroblob(32)",
    "DELETE FROM audit_records WHERE sequence = :place",
    """INSERT INTO audit_records SELECT 7, at, account, action, subject, subject_id, organisation, details, digest
       FROM audit_records WHERE sequence = :place""",
)
SWAP = (
    "UPDATE audit_records SET sequence = 99 WHERE sequence = :place",
    "UPDATE audit_records SET sequence = :place WHERE sequence = :other",
    "UPDATE audit_records SET sequence = :other WHERE sequence = 99",
)
CUT_WITH_ITS_HEAD = (
    """UPDATE audit_head SET sequence = :place - 1, digest =
       coalesce((SELECT digest FROM audit_records WHERE sequence = :place - 1), zeroblob(32))""",
    "DELETE FROM audit_records WHERE sequence >= :place",
)


@settings(max_examples=100)
@given(
    statements=st.sampled_from([(each,) for each in EDITS] + [SWAP, CUT_WITH_ITS_HEAD]),
    places=st.permutations(range(1, RECORDS + 1)),
)
def test_every_mutation_of_what_is_stored_is_found(
    stored: tuple[Path, ChainHead],
    tmp_path_factory: pytest.TempPathFactory,
    statements: tuple[str, ...],
    places: list[int],
) -> None:
    template, kept = stored
    directory = tmp_path_factory.mktemp("m")
    shutil.copy(template / "issuer.sqlite", directory / "issuer.sqlite")
    tamper(directory, *statements, place=places[0], other=places[1])
    assert not report_of(directory, [kept]).is_whole


def report_of(directory: Path, anchors: list[ChainHead]) -> AuditReport:
    database = Database(f"sqlite:///{directory / 'issuer.sqlite'}")
    try:
        office = AuditOffice(register=SqlRegister(database), clock=lambda: NOW)
        return office.verify(actor=AUDITOR, anchors=anchors)
    finally:
        database.close()


def test_a_trail_computed_anew_from_any_record_is_found_against_the_checkpoint(
    stored: tuple[Path, ChainHead], tmp_path: Path
) -> None:
    template, kept = stored
    assert report_of(template, [kept]).is_whole
    shutil.copy(template / "issuer.sqlite", tmp_path / "issuer.sqlite")
    with closing(sqlite3.connect(tmp_path / "issuer.sqlite")) as connection, connection:
        head = first_head(kept.trail_id)
        for number in range(1, RECORDS + 1):
            record, head = link(head, act(number + 50))
            connection.execute(
                "UPDATE audit_records SET at = ?, account = ?, subject_id = ?, organisation = ?, details = ?,"
                " digest = ? WHERE sequence = ?",
                (
                    record.at.strftime("%Y-%m-%d %H:%M:%S.%f"), record.account, record.subject_id,
                    record.organisation, record.details, record.digest, number,
                ),
            )  # fmt: skip
        connection.execute("UPDATE audit_head SET digest = ?", (head.digest,))
    assert report_of(tmp_path, []).is_whole, "the trail alone cannot tell"
    assert not report_of(tmp_path, [kept]).is_whole


# Who may see what.


@pytest.fixture
def office(home: Path) -> Iterator[AuditOffice]:
    database = Database(f"sqlite:///{home / 'issuer.sqlite'}")
    register = SqlRegister(database)
    with register.writing() as transaction:
        transaction.organisations.add(
            [
                Organisation(code=OrganisationCode("P"), name="P"),
                Organisation(
                    code=OrganisationCode("P-01"), name="P-01", parent_code=OrganisationCode("P")
                ),
                Organisation(code=OrganisationCode("Q"), name="Q"),
            ]
        )
    yield AuditOffice(register=register, clock=lambda: NOW)
    database.close()


def actor(role: Role, organisation: str | None = None) -> Actor:
    code = None if organisation is None else OrganisationCode(organisation)
    return Actor(
        account=AccountName("someone"), assignments=(Assignment(role=role, organisation=code),)
    )


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(IssuerRefusedError) as caught:
        action()
    return caught.value.code


def test_an_auditor_sees_their_part_of_the_tree(office: AuditOffice) -> None:
    of_p = actor(Role.AUDITOR, "P")
    found = office.page(AuditQuestion(), actor=of_p).records
    assert [each.sequence for each in found] == [5, 3, 1]
    question = AuditQuestion(organisations=[OrganisationCode("Q"), OrganisationCode("P-01")])
    assert [each.sequence for each in office.page(question, actor=of_p).records] == [5, 3, 1]
    assert office.show(3, actor=of_p).subject_id == "m-3"
    assert code_of(lambda: office.show(2, actor=of_p)) == "audit.unknown-record"
    assert code_of(lambda: office.verify(actor=of_p)) == "right.missing"
    assert code_of(lambda: office.export(actor=of_p, take=lambda *_: None)) == "right.missing"


@pytest.mark.parametrize("role", [each for each in Role if each is not Role.AUDITOR])
def test_nobody_else_reads_the_trail(office: AuditOffice, role: Role) -> None:
    other = actor(role)
    assert code_of(lambda: office.page(AuditQuestion(), actor=other)) == "right.missing"
    assert code_of(lambda: office.show(1, actor=other)) == "right.missing"
    assert code_of(lambda: office.verify(actor=other)) == "right.missing"
    assert code_of(lambda: office.export(actor=other, take=lambda *_: None)) == "right.missing"
