"""The chain of the audit trail, by itself."""

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import ChainedRecord, check_record, first_head, link
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.errors import IssuerUnavailableError

TRAIL = bytes(range(16))
RECORD = AuditRecord(
    at=datetime(2026, 11, 22, 9, 30, 15, 5, tzinfo=timezone(timedelta(hours=7))),
    account=AccountName("clerk-1"),
    action="member.changed",
    subject=AuditSubject.MEMBER,
    subject_id="0b9f",
    organisation=OrganisationCode("P-01"),
    details={"rows": 3, "field": "phone", "evidence": None},
)

DETAILS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True),
    st.none()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    max_size=5,
)
RECORDS = st.builds(
    AuditRecord,
    at=st.datetimes(timezones=st.just(UTC)),
    account=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)
    .filter(str.isprintable)
    .map(AccountName),
    action=st.sampled_from(["member.changed", "bundle.taken-in"]),
    subject=st.sampled_from(AuditSubject),
    subject_id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,20}", fullmatch=True),
    organisation=st.none() | st.sampled_from(["P", "P-01"]).map(OrganisationCode),
    details=DETAILS,
)


def test_a_digest_that_was_computed_by_hand() -> None:
    """A frozen value: who changes the rule makes every trail that exists unreadable."""
    head = first_head(TRAIL)
    assert head.digest.hex() == "c743a67f3626b43b20c16f0fc5ab6c572bb9947701077fc36a6082196b1567f1"
    stored, after = link(head, RECORD)
    assert stored.details == '{"evidence":null,"field":"phone","rows":3}'
    assert stored.digest == after.digest
    assert after.digest.hex() == "b2cbe921cd1382a7206bf34b43534c224bf1a26b350342167cdd4b88e9f7ec63"
    assert (after.sequence, after.trail_id) == (1, TRAIL)


@given(RECORDS, st.integers(0, 2**40))
def test_a_record_comes_back_from_what_is_stored(record: AuditRecord, sequence: int) -> None:
    head = dataclasses.replace(first_head(TRAIL), sequence=sequence)
    stored, after = link(head, record)
    assert stored.record() == record
    assert stored.expected_digest(head.digest) == stored.digest == after.digest
    assert stored.sequence == after.sequence == sequence + 1


def changed(stored: ChainedRecord) -> list[ChainedRecord]:
    changes: list[dict[str, object]] = [
        {"sequence": stored.sequence + 1},
        {"at": stored.at + timedelta(microseconds=1)},
        {"account": stored.account + "1"},
        {"action": stored.action + "x"},
        {"subject": "card" if stored.subject != "card" else "member"},
        {"subject_id": stored.subject_id + "0"},
        {"organisation": "" if stored.organisation is None else None},
        {"details": stored.details + " "},
    ]
    return [dataclasses.replace(stored, **change) for change in changes]  # type: ignore[arg-type]  # named as in it


@given(RECORDS)
def test_no_field_can_be_another_under_the_same_digest(record: AuditRecord) -> None:
    head = first_head(TRAIL)
    stored, _ = link(head, record)
    for each in changed(stored):
        assert each.expected_digest(head.digest) != stored.digest
    assert stored.expected_digest(stored.digest) != stored.digest


@given(RECORDS)
def test_text_does_not_move_from_one_field_to_the_next(record: AuditRecord) -> None:
    head = first_head(TRAIL)
    stored, _ = link(head, record)
    moved = dataclasses.replace(
        stored,
        subject=stored.subject + stored.subject_id[:1],
        subject_id=stored.subject_id[1:],
    )
    assert moved.expected_digest(head.digest) != stored.digest


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"at": RECORD.at.replace(tzinfo=None)}, "time zone"),
        ({"account": ""}, "account"),
        ({"account": "a\nb"}, "account"),
        ({"account": "a" * 201}, "account"),
        ({"action": "changed"}, "dotted"),
        ({"action": "Member.changed"}, "dotted"),
        ({"action": "a." + "b" * 80}, "dotted"),
        ({"subject_id": ""}, "identifier"),
        ({"subject_id": "Nguyễn Văn An"}, "identifier"),
        ({"subject_id": "a" * 129}, "identifier"),
        ({"details": {f"k{number}": 1 for number in range(33)}}, "32"),
        ({"details": {"Name": 1}}, "word"),
        ({"details": {"name": "Nguyễn"}}, "printable ASCII"),
        ({"details": {"name": "a\tb"}}, "printable ASCII"),
        ({"details": {"is": True}}, "bool"),
        ({"details": {"share": 0.5}}, "float"),
        ({"details": {"number": 2**53}}, "integer"),
        ({"details": {"text": "a" * 4096}}, "4096"),
    ],
)
def test_what_is_no_record_is_refused(change: dict[str, object], text: str) -> None:
    record = dataclasses.replace(RECORD, **change)  # type: ignore[arg-type]  # some are wrong on purpose
    with pytest.raises(ValueError, match=text) as mistake:
        check_record(record)
    assert "Nguyễn" not in str(mistake.value)
    with pytest.raises(ValueError, match=text):
        link(first_head(TRAIL), record)


@pytest.mark.parametrize(
    "change", [{"details": "[1]"}, {"details": "{"}, {"details": "[[]]"}, {"subject": "person"}]
)
def test_stored_text_of_another_hand_is_unreadable(change: dict[str, str]) -> None:
    stored, _ = link(first_head(TRAIL), RECORD)
    with pytest.raises(IssuerUnavailableError) as refusal:
        dataclasses.replace(stored, **change).record()  # type: ignore[arg-type]  # named as in it
    assert refusal.value.code == "audit.unreadable"
