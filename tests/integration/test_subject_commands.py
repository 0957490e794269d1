"""The rights of the people in the register, from the command line down to the files."""

import csv
import hashlib
import io
import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import Image

from issuer.bootstrap import RegisterHome, open_register_home
from issuer.cli import main
from issuer.domain.audit_reads import member_read, members_listed
from issuer.domain.breach import AccountBreach, OrganisationBreach
from issuer.domain.card_number import CardNumber
from issuer.domain.data_subjects import DeletionGround, DisclosureGround
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
    Standing,
)
from issuer.domain.member_change import EvidenceDigest
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.phone_number import PhoneNumber
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.domain.subject_extract import DESTROYED_PARTS, DeletionProof, content_digest
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.papers.subject_extract_pdf import extract_pdf
from issuer.services.breach_list import BreachOffice
from issuer.services.data_subjects import SubjectOffice
from issuer.services.delete_subjects import DeletionOffice
from tests.integration.everybody import log_in_everybody

NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
NAMES = {1: "Nguyễn Thị Ánh", 2: "Y Bhăm Êban", 3: "Giàng A Páo"}


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


def portrait(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 40), (number, 90, 90)).save(buffer, "JPEG")
    return buffer.getvalue()


def identifier(number: int) -> MemberId:
    return MemberId(uuid.UUID(int=number))


def member(number: int, organisation: str, standing: Standing) -> Member:
    return Member(
        member_id=identifier(number),
        statement=MemberStatement(
            earlier_card_number=CardNumber(f"98{number:06}"),
            record_number=RecordNumber(f"{number:06}AB"),
            citizen_number=CitizenNumber(f"001090{number:06}"),
            name=MemberName(full=NAMES[number], primary=NAMES[number]),
            birth_date=date(1990, 2, number),
            sex=Sex.FEMALE,
            place_of_birth="xã Mẫu",
            home_town="xã Mẫu",
            ethnic_group="Kinh",
            admission_date=date(2015, 2, 3),
            recognition_date=date(2016, 2, 3),
            organisation_code=OrganisationCode(organisation),
            residence="=thôn Giả",
            phone=PhoneNumber("+84901234567"),
            standing=standing,
        ),
        portrait=PortraitDigest(hashlib.sha256(portrait(number)).digest()),
        portrait_source=PortraitDigest(hashlib.sha256(b"source").digest()),
        recorded_at=NOW,
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An office with three members, of whom the first was expelled."""
    directory = tmp_path_factory.mktemp("template")
    made = directory / "office"
    assert main(["--home", str(made), "database", "upgrade"]) == 0
    log_in_everybody(made)
    pin = str(directory / "issuer.pin")
    assert (
        main(["--home", str(made), "keys", "create", "--keystore", "file", "--pin-file", pin]) == 0
    )
    with open_register_home(made) as opened, opened.register.writing() as transaction:
        transaction.organisations.add(
            [
                Organisation(code=OrganisationCode("P"), name="P"),
                Organisation(
                    code=OrganisationCode("P-01"), name="P-01", parent_code=OrganisationCode("P")
                ),
                Organisation(code=OrganisationCode("Q"), name="Q"),
            ]
        )
        for number, organisation, standing in (
            (1, "P-01", Standing.EXPELLED),
            (2, "P-01", Standing.OFFICIAL),
            (3, "Q", Standing.OFFICIAL),
        ):
            opened.portraits.put(portrait(number))
            transaction.members.add([member(number, organisation, standing)])
    return made


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    made = Path(shutil.copytree(template, tmp_path / "office"))
    # The minutes of the second factor begin with each test.
    log_in_everybody(made)
    return made


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str | Path) -> Outcome:
        capfd.readouterr()
        status = main(["--home", str(home), *map(str, words)])
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


@pytest.fixture
def opened(home: Path) -> Iterator[RegisterHome]:
    with open_register_home(home) as register_home:
        yield register_home


def actions(opened: RegisterHome) -> list[str]:
    with opened.register.reading() as transaction:
        return [each.action for each in transaction.audit.records()]


def test_a_person_gets_all_that_is_held_and_that_is_remembered(run: Run, tmp_path: Path) -> None:
    data, page = tmp_path / "extract.json", tmp_path / "extract.pdf"
    words = ("--reference", "letter 7", "--json", data, "--pdf", page)
    made = run("subject", "extract", identifier(2), *words, "--format", "json")
    assert (made.status, made.json["portrait"]) == (0, True), made.err
    assert {each.stat().st_mode & 0o777 for each in (data, page)} == {0o600}
    found = json.loads(data.read_text(encoding="utf-8"))
    assert found["statement"]["name"]["full"] == NAMES[2]
    assert found["statement"]["citizen_number"] == "001090000002"
    assert found["statement"]["phone"] == "+84901234567"
    assert bytes.fromhex(found["portrait"]) == portrait(2)
    assert [each["recipient"] for each in found["disclosures"]] == ["the person"]
    assert [each["action"] for each in found["acts"]] == ["subject.extracted"]
    document = pypdfium2.PdfDocument(page)
    text = "".join(sheet.get_textpage().get_text_range() for sheet in document)
    for shown in (NAMES[2], "001090000002", "+84901234567", "the person", "subject.extracted"):
        assert shown in text
    assert any(item.type == 3 for item in document[0].get_objects()), "the picture"
    document.close()
    listed = run("subject", "disclosures", identifier(2), "--format", "json").json
    assert [(each["ground"], each["reference"]) for each in listed] == [
        ("asked-by-the-person", "letter 7")
    ]


def test_the_extract_holds_what_was_asked_for_and_what_people_wrote_about_it(
    run: Run, tmp_path: Path
) -> None:
    asked = run("requests", "draft", "--kind", "exchange", "--member", identifier(2))
    assert asked.status == 0, asked.err
    (request,) = run("requests", "list", "--format", "json").json
    withdrawn = run("requests", "withdraw", request["request_id"], "--reason", "xin cấp sau")
    assert withdrawn.status == 0, withdrawn.err
    data, page = tmp_path / "extract.json", tmp_path / "extract.pdf"
    words = ("--reference", "letter 7", "--json", data, "--pdf", page)
    assert run("subject", "extract", identifier(2), *words).status == 0
    (found,) = json.loads(data.read_text(encoding="utf-8"))["requests"]
    assert (found["kind"], found["state"], found["decision"]) == ("exchange", "withdrawn", None)
    steps = [(each["what"], each["remark"]) for each in found["time_line"]]
    assert steps == [("drafted", ""), ("withdrawn", "xin cấp sau")]
    with pypdfium2.PdfDocument(page) as document:
        text = "".join(sheet.get_textpage().get_text_range() for sheet in document)
    assert "xin cấp sau" in text


def test_an_extract_with_many_lines_goes_on_over_pages(opened: RegisterHome) -> None:
    served = office(opened)
    for number in range(60):
        served.disclose(
            identifier(2),
            recipient=f"Ủy ban {number} " + "x" * 150,
            ground=DisclosureGround.INSPECTION,
            reference="12-CV",
            what="name",
            actor=clerk(),
        )
    document = pypdfium2.PdfDocument(
        extract_pdf(served.extract(identifier(2), reference="7", actor=clerk()))
    )
    texts = [sheet.get_textpage().get_text_range() for sheet in document]
    document.close()
    assert len(texts) > 2
    assert len(re.findall(r"Ủy ban \d+", "".join(texts))) == 60


def test_what_the_person_says_is_wrong_is_put_right(
    run: Run, tmp_path: Path, opened: RegisterHome
) -> None:
    letter = tmp_path / "letter.pdf"
    letter.write_bytes(b"%PDF-1.7 a letter")
    words = ("subject", "correct", identifier(2), "--reference", "letter 8", "--format", "json")
    fields = ("--set", "residence=thôn Mới", "--set", "phone=")
    made = run(*words, *fields, "--version", "1", "--evidence", letter)
    assert (made.status, made.json["version"]) == (0, 2), made.err
    late = run(*words, *fields, "--version", "1")
    assert (late.status, "[member.changed]" in late.err) == (1, True)
    for wrong in ("residence", "name=x", "=x"):
        assert run(*words, "--set", wrong, "--version", "2").status == 64
    lost = run(*words, *fields, "--version", "2", "--evidence", tmp_path / "none")
    assert (lost.status, "[file.unavailable]" in lost.err) == (2, True)
    extract = office(opened).extract(identifier(2), reference="7", actor=clerk()).document()
    assert [(each["field"], each["old"], each["new"]) for each in extract["changes"]] == [
        ("residence", "=thôn Giả", "thôn Mới"),
        ("phone", "+84901234567", None),
    ]
    assert {each["reason"] for each in extract["changes"]} == {"asked by the person: letter 8"}
    assert actions(opened) == ["member.corrected", "subject.extracted"]
    digest = EvidenceDigest(bytes.fromhex(extract["changes"][0]["evidence"]))
    assert opened.evidence.get(digest) == letter.read_bytes()
    order = b"%PDF-1.7 an order"
    proof = delete(opened, 2, DeletionGround.ORDERED_BY_AUTHORITY, evidence=order)
    assert (proof.destroyed["changes"], proof.destroyed["documents"]) == (2, 2)
    assert code_of(lambda: opened.evidence.get(digest)) == "evidence.lost"
    # The order names the person as well: its digest stays, for whoever has the paper.
    assert proof.erasure.evidence == hashlib.sha256(order).digest()
    assert code_of(lambda: opened.evidence.get(proof.erasure.evidence)) == "evidence.lost"


def test_a_record_is_deleted_with_a_proof_that_holds(
    run: Run, home: Path, tmp_path: Path, opened: RegisterHome
) -> None:
    data, proof = tmp_path / "extract.json", tmp_path / "proof.json"
    assert run("subject", "extract", identifier(1), "--reference", "7", "--json", data).status == 0
    order = tmp_path / "order.pdf"
    order.write_bytes(b"%PDF-1.7 an order")
    words = ("--ground", "ordered-by-authority", "--reference", "31-QD", "--evidence", order)
    confirm = ("subject", "confirm-deletion", identifier(1), "--proof", proof, "--format", "json")
    proposed = run("subject", "propose-deletion", identifier(1), *words, "--format", "json")
    assert (proposed.status, proposed.json["proposed_by"]) == (0, "everybody"), proposed.err
    again = run("subject", "propose-deletion", identifier(1), *words)
    assert (again.status, "[subject.deletion-proposed]" in again.err) == (1, True)
    alone = run(*confirm)
    assert (alone.status, "[right.same-person]" in alone.err) == (1, True)
    assert not proof.exists()
    log_in_everybody(home, name=AccountName("second"))
    assert run("subject", "deletions", "--format", "json").json == [proposed.json]
    assert proposed.json["document"] in run("subject", "deletions").out.replace("\n", "")
    shown = tmp_path / "shown.pdf"
    assert run("subject", "deletion-document", identifier(1), "--out", shown).status == 0
    assert (shown.read_bytes(), shown.stat().st_mode & 0o777) == (order.read_bytes(), 0o600)
    made = run(*confirm)
    assert made.status == 0, made.err
    assert run("subject", "deletions", "--format", "json").json == []
    told = json.loads(proof.read_text(encoding="utf-8"))
    assert proof.stat().st_mode & 0o777 == 0o600
    extract = json.loads(data.read_text(encoding="utf-8"))
    destroyed = {name: extract[name] for name in DESTROYED_PARTS}
    digest = content_digest(destroyed, salt=bytes.fromhex(told["salt"]))
    assert digest.hex() == told["digest"] == made.json["digest"]
    with opened.register.reading() as transaction:
        said = [each.record() for each in transaction.audit.records()][-1]
    assert (said.action, said.details["digest"]) == ("subject.deleted", told["digest"])
    assert (said.account, said.details["proposed_by"]) == ("second", "everybody")
    assert told["salt"] not in json.dumps(dict(said.details))
    assert set(told["kept"]) >= {"card-register", "audit-trail", "number-digests"}
    left = b"".join(each.read_bytes() for each in home.rglob("*") if each.is_file())
    assert NAMES[1].encode() not in left
    assert portrait(1) not in left
    assert NAMES[2].encode() in left
    assert portrait(2) in left
    assert order.read_bytes() not in left
    for late in (
        ("subject", "propose-deletion", identifier(1), *words),
        ("subject", "confirm-deletion", identifier(1), "--proof", tmp_path / "again.json"),
    ):
        again = run(*late)
        assert (again.status, "[subject.deleted-already]" in again.err) == (1, True)
    assert not (tmp_path / "again.json").exists()
    assert run("audit", "verify").status == 0


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("subject", "propose-deletion", "{2}", "--ground", "membership-ended", "--reference", "1"), (1, "[subject.still-member]")),
        (("subject", "propose-deletion", "{2}", "--ground", "ordered-by-authority", "--reference", "1"), (1, "[subject.order-missing]")),
        (("subject", "propose-deletion", "{2}", "--ground", "ordered-by-authority", "--reference", "1", "--evidence", "{old}"), (1, "[evidence.kind]")),
        (("subject", "propose-deletion", "{9}", "--ground", "membership-ended", "--reference", "1"), (1, "[member.unknown]")),
        (("subject", "propose-deletion", "{1}", "--ground", "membership-ended", "--reference", ""), (1, "[disclosure.reference]")),
        (("subject", "propose-deletion", "{1}", "--ground", "membership-ended", "--reference", "1", "--evidence", "/nowhere/x"), (2, "[file.unavailable]")),
        (("subject", "confirm-deletion", "{1}", "--proof", "{new}"), (1, "[subject.deletion-not-proposed]")),
        (("subject", "confirm-deletion", "{9}", "--proof", "{new}"), (1, "[member.unknown]")),
        (("subject", "confirm-deletion", "{1}", "--proof", "{old}"), (64, "is there already")),
        (("subject", "withdraw-deletion", "{1}"), (1, "[subject.deletion-not-proposed]")),
        (("subject", "deletion-document", "{1}", "--out", "{new}"), (1, "[subject.deletion-not-proposed]")),
        (("subject", "extract", "{9}", "--reference", "1", "--json", "{new}"), (1, "[member.unknown]")),
        (("subject", "extract", "x", "--reference", "1", "--json", "{new}"), (64, "[usage]")),
        (("subject", "disclose", "{1}", "--to", "", "--ground", "inspection", "--reference", "1", "--what", "x"), (1, "[disclosure.recipient]")),
        (("subject", "disclosures", "{9}"), (1, "[member.unknown]")),
        (("breach", "list", "--out", "{new}"), (64, "give --organisation")),
        (("breach", "list", "--account", "x", "--out", "{new}"), (64, "give --organisation")),
        (("breach", "list", "--account", "x", "--since", "2999-01-01", "--out", "{new}"), (1, "[breach.since]")),
        (("breach", "list", "--organisation", "X", "--out", "{new}"), (1, "[organisation.unknown]")),
        (("breach", "list", "--bundle", "a b", "--out", "{new}"), (1, "[breach.scope]")),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(
    run: Run,
    tmp_path: Path,
    opened: RegisterHome,
    words: tuple[str, ...],
    refusal: tuple[int, str],
) -> None:
    old = tmp_path / "old"
    old.write_text("old")
    names = {"{new}": tmp_path / "new", "{old}": old} | {
        f"{{{n}}}": identifier(n) for n in (1, 2, 9)
    }
    outcome = run(*(str(names.get(word, word)) for word in words))
    status, text = refusal
    assert (outcome.status, text in outcome.err) == (status, True), outcome.err
    assert not (tmp_path / "new").exists()
    assert old.read_text() == "old"
    with opened.register.reading() as transaction:
        assert transaction.members.count() == 3
    assert not actions(opened)


def test_a_breach_of_an_organisation_lists_whom_it_could_see(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "touched.csv"
    words = ("--organisation", "P", "--discovered", "2026-11-22T09:00:00", "--out", out)
    made = run("breach", "list", *words, "--format", "json").json
    assert made == {
        "touched": 2, "notice_due": "2026-11-25T09:00:00+00:00", "file": str(out),
    }  # fmt: skip
    assert out.stat().st_mode & 0o777 == 0o600
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["full_name"] for row in rows} == {NAMES[1], NAMES[2]}
    assert rows[0]["phone"] == "+84901234567"
    assert rows[0]["residence"] == "'=thôn Giả", "no spreadsheet runs it"


def test_a_breach_of_an_account_lists_whom_it_was_shown_since(
    run: Run, opened: RegisterHome
) -> None:
    thief = AccountName("clerk-7")
    place = OrganisationCode("P-01")
    with opened.register.writing() as transaction:
        for record in (
            member_read(identifier(3), account=thief, organisation=place, at=NOW - timedelta(days=9)),
            member_read(identifier(1), account=thief, organisation=place, at=NOW),
            member_read(identifier(3), account=AccountName("b"), organisation=place, at=NOW),
            *members_listed(
                [identifier(1), identifier(2), identifier(9)],
                account=thief, organisation=place, at=NOW + timedelta(hours=1),
            ),
            *members_listed(
                [identifier(3)], account=AccountName("b"), organisation=place, at=NOW, bundle="b-1"
            ),
        ):  # fmt: skip
            transaction.audit.append(record)
    listed = run("breach", "list", "--account", "clerk-7", "--since", "2026-11-20", "--out", "-")
    rows = list(csv.DictReader(io.StringIO(listed.out)))
    assert [(row["full_name"], row["first_seen"], row["last_seen"]) for row in rows] == [
        (NAMES[1], "2026-11-22T02:30:00+00:00", "2026-11-22T03:30:00+00:00"),
        (NAMES[2], "2026-11-22T03:30:00+00:00", "2026-11-22T03:30:00+00:00"),
        ("", "2026-11-22T03:30:00+00:00", "2026-11-22T03:30:00+00:00"),
    ]
    assert rows[2]["member_id"] == str(identifier(9)), "deleted since, and told all the same"
    bundled = run("breach", "list", "--bundle", "b-1", "--out", "-")
    assert [row["full_name"] for row in csv.DictReader(io.StringIO(bundled.out))] == [NAMES[3]]
    assert actions(opened)[-2:] == ["breach.listed", "breach.listed"]


# Who may, and what an interruption leaves.


def clerk(
    organisation: str | None = None, *, stepped_up: bool = True, role: Role = Role.CLERK
) -> Actor:
    code = None if organisation is None else OrganisationCode(organisation)
    return Actor(
        account=AccountName("clerk-1"),
        assignments=(Assignment(role=role, organisation=code),),
        stepped_up_at=NOW if stepped_up else None,
    )


def office(opened: RegisterHome) -> SubjectOffice:
    return SubjectOffice(
        register=opened.register,
        portraits=opened.portraits,
        changes=opened.changes(),
        clock=lambda: NOW,
    )


def deletions(opened: RegisterHome) -> DeletionOffice:
    return DeletionOffice(
        register=opened.register,
        portraits=opened.portraits,
        evidence=opened.evidence,
        clock=lambda: NOW,
        random_bytes=bytes,
        forget_old_versions=opened.database.forget_old_versions,
    )


def delete(
    opened: RegisterHome,
    number: int,
    ground: DeletionGround = DeletionGround.MEMBERSHIP_ENDED,
    *,
    evidence: bytes | None = None,
    keep: Callable[[DeletionProof], None] = lambda _: None,
    using: DeletionOffice | None = None,
) -> DeletionProof:
    """Proposed by one, confirmed by another."""
    deleting = using or deletions(opened)
    deleting.propose(
        identifier(number), ground=ground, reference="7", evidence=evidence, actor=clerk()
    )
    return deleting.confirm(identifier(number), actor=DECIDER, keep=keep)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(IssuerRefusedError) as caught:
        action()
    return caught.value.code


def ignore(_: DeletionProof) -> None:
    """A proof that nobody wants."""


DECIDER = Actor(
    account=AccountName("decider-1"),
    assignments=(Assignment(role=Role.DECIDER),),
    stepped_up_at=NOW,
)


@pytest.mark.parametrize(
    "actor", [clerk("Q"), *(clerk(role=role) for role in Role if role is not Role.CLERK)]
)
def test_nobody_else_serves_a_person(opened: RegisterHome, actor: Actor) -> None:
    served, deleting = office(opened), deletions(opened)
    person = identifier(1)
    acts: list[Callable[[], object]] = [
        lambda: served.extract(person, reference="7", actor=actor),
        lambda: served.disclosures(person, actor=actor),
        lambda: served.disclose(
            person,
            recipient="x",
            ground=DisclosureGround.CONSENT,
            reference="7",
            what="x",
            actor=actor,
        ),
        lambda: deleting.propose(
            person,
            ground=DeletionGround.MEMBERSHIP_ENDED,
            reference="7",
            evidence=None,
            actor=actor,
        ),
        lambda: served.correct(person, {}, version=1, reference="7", evidence=None, actor=actor),
        lambda: deleting.finish(actor=actor),
    ]
    assert {code_of(act) for act in acts} == {"right.missing"}
    assert not actions(opened)
    if actor.assignments[0].role is not Role.CLERK:
        unknown = identifier(9)
        assert code_of(lambda: served.disclosures(unknown, actor=actor)) == "right.missing"


def test_whoever_deletes_takes_the_place_the_second_factor_and_another_person(
    opened: RegisterHome,
) -> None:
    deleting, person = deletions(opened), identifier(1)
    deleting.propose(
        person,
        ground=DeletionGround.MEMBERSHIP_ENDED,
        reference="7",
        evidence=None,
        actor=clerk("P"),
    )
    elsewhere = (Assignment(role=Role.DECIDER, organisation=OrganisationCode("Q")),)
    both = (Assignment(role=Role.CLERK), Assignment(role=Role.DECIDER))
    for actor, code in (
        (clerk("P"), "right.missing"),
        (replace(DECIDER, assignments=elsewhere), "right.missing"),
        (replace(DECIDER, stepped_up_at=None), "right.step-up-needed"),
        (replace(clerk(), assignments=both), "right.same-person"),
        (replace(DECIDER, account=AccountName("far:clerk-1")), "right.same-person"),
    ):
        found = code_of(lambda actor=actor: deleting.confirm(person, actor=actor, keep=ignore))
        assert found == code
    assert [each.member_id for each in deleting.waiting(actor=clerk("P-01"))] == [person]
    assert [each.member_id for each in deleting.waiting(actor=DECIDER)] == [person]
    assert not deleting.waiting(actor=clerk("Q"))
    assert code_of(lambda: deleting.waiting(actor=clerk(role=Role.AUDITOR))) == "right.missing"
    assert code_of(lambda: deleting.document(person, actor=DECIDER)) == "evidence.unknown"
    assert code_of(lambda: deleting.withdraw(person, actor=clerk("Q"))) == "right.missing"
    assert actions(opened) == ["subject.deletion-proposed"]


def test_a_proposal_that_is_withdrawn_takes_its_document_along(opened: RegisterHome) -> None:
    deleting, person, order = deletions(opened), identifier(2), b"%PDF-1.7 an order"
    proposal = deleting.propose(
        person,
        ground=DeletionGround.ORDERED_BY_AUTHORITY,
        reference="7",
        evidence=order,
        actor=clerk(),
    )
    digest = proposal.evidence
    assert digest is not None
    # What is only proposed is nothing to be destroyed.
    assert deleting.finish(actor=clerk()) == 0
    assert deleting.document(person, actor=DECIDER) == order
    deleting.withdraw(person, actor=DECIDER)
    assert code_of(lambda: opened.evidence.get(digest)) == "evidence.lost"
    gone = "subject.deletion-not-proposed"
    assert code_of(lambda: deleting.confirm(person, actor=DECIDER, keep=ignore)) == gone
    assert actions(opened) == [
        "subject.deletion-proposed",
        "member.evidence-read",
        "subject.deletion-withdrawn",
    ]


def test_what_changed_since_it_was_proposed_is_judged_again(opened: RegisterHome) -> None:
    deleting, person = deletions(opened), identifier(1)
    deleting.propose(
        person,
        ground=DeletionGround.MEMBERSHIP_ENDED,
        reference="7",
        evidence=None,
        actor=clerk(),
    )
    with opened.register.writing() as transaction:
        stored = transaction.members.get(person)
        back = replace(stored.statement, standing=Standing.OFFICIAL)
        transaction.members.change(replace(stored, statement=back, version=2), [])
    found = code_of(lambda: deleting.confirm(person, actor=DECIDER, keep=ignore))
    assert found == "subject.still-member"


def test_an_extract_takes_the_second_factor_and_leaves_no_trace_without_it(
    opened: RegisterHome,
) -> None:
    served, person = office(opened), identifier(1)
    tired = clerk(stepped_up=False)
    assert code_of(lambda: served.extract(person, reference="7", actor=tired)) == (
        "right.step-up-needed"
    )
    assert not actions(opened)
    # To look to whom the data went takes nothing out.
    assert served.disclosures(person, actor=tired) == ()
    assert served.extract(person, reference="7", actor=clerk()).member.member_id == person


def test_a_breach_list_takes_the_place_and_the_second_factor(opened: RegisterHome) -> None:
    breach = BreachOffice(register=opened.register, clock=lambda: NOW)
    of_p = OrganisationBreach(organisation=OrganisationCode("P-01"))
    of_account = AccountBreach(account=AccountName("x"), since=NOW)
    assert len(list(breach.touched(of_p, actor=clerk("P")))) == 2
    assert code_of(lambda: breach.touched(of_p, actor=clerk("Q"))) == "right.missing"
    assert code_of(lambda: breach.touched(of_account, actor=clerk("P"))) == "right.missing"
    assert (
        code_of(lambda: breach.touched(of_p, actor=clerk("P", stepped_up=False)))
        == "right.step-up-needed"
    )
    assert actions(opened) == ["breach.listed"]


def test_without_a_kept_proof_nothing_is_destroyed(opened: RegisterHome) -> None:
    def fail(_: DeletionProof) -> None:
        raise IssuerUnavailableError("the disk is full", code="file.unavailable")

    with pytest.raises(IssuerUnavailableError):
        delete(opened, 1, keep=fail)
    with opened.register.reading() as transaction:
        assert transaction.members.get(identifier(1)) == member(1, "P-01", Standing.EXPELLED)
    assert opened.portraits.get(member(1, "P", Standing.EXPELLED).portrait) == portrait(1)
    assert actions(opened) == ["subject.deletion-proposed"]


def test_a_picture_that_an_interruption_left_is_destroyed_later(
    opened: RegisterHome, run: Run
) -> None:
    class Stuck:
        """A store that fails when it should destroy."""

        def __getattr__(self, name: str) -> Any:
            return getattr(opened.portraits, name)

        def remove(self, _: PortraitDigest) -> None:
            raise IssuerUnavailableError("the disk is gone", code="portrait-store.unavailable")

    stuck: Any = Stuck()
    interrupted = replace(deletions(opened), portraits=stuck)
    with pytest.raises(IssuerUnavailableError):
        delete(opened, 1, using=interrupted)
    digest = member(1, "P-01", Standing.EXPELLED).portrait
    assert opened.portraits.get(digest) == portrait(1)
    assert run("subject", "finish", "--format", "json").json == {"files": 1}
    assert code_of(lambda: opened.portraits.get(digest)) == "portrait.lost"
    assert run("subject", "finish", "--format", "json").json == {"files": 0}


def test_a_lost_picture_stands_in_nobodys_way(opened: RegisterHome) -> None:
    opened.portraits.remove(member(1, "P-01", Standing.EXPELLED).portrait)
    extract = office(opened).extract(identifier(1), reference="7", actor=clerk())
    assert extract.portrait is None
    assert delete(opened, 1).destroyed["portraits"] == 0
