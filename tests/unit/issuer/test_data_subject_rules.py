"""When a record may be deleted, what its proof says, and until when a breach is told."""

import hashlib
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from issuer.domain.audit_reads import member_read, members_listed, members_shown
from issuer.domain.breach import notice_due
from issuer.domain.card import Card, CardReference, CardState
from issuer.domain.chip import Serial
from issuer.domain.data_subjects import (
    KEPT_BECAUSE,
    DeletionGround,
    Erasure,
    KeptItem,
    check_deletion,
    parse_recipient,
    parse_reference,
)
from issuer.domain.member import MemberId, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import StatusIndex
from issuer.domain.subject_extract import DeletionProof, content_digest
from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError

NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
FINAL = [Standing.DECEASED, Standing.STRUCK_OFF, Standing.EXPELLED]
MEMBER = MemberId(uuid.UUID(int=1))


def card(state: CardState) -> Card:
    return Card(
        reference=CardReference(bytes(16)),
        member_id=MEMBER,
        request_id=RequestId(uuid.UUID(int=9)),
        serial=Serial(bytes(10)),
        state=state,
        ordinal=1,
        status=StatusIndex(list_id=bytes(8), index=1),
        profile="member",
        bound_at=NOW,
    )


def outcome(standing: Standing, states: list[CardState], ground: DeletionGround) -> str | None:
    try:
        check_deletion(standing, [card(each) for each in states], ground=ground)
    except IssuerRefusedError as error:
        return error.code
    return None


@pytest.mark.parametrize("standing", Standing)
def test_a_record_of_a_membership_that_goes_on_stays(standing: Standing) -> None:
    found = outcome(standing, [], DeletionGround.MEMBERSHIP_ENDED)
    assert found == (None if standing in FINAL else "subject.still-member")
    assert outcome(standing, [], DeletionGround.RECORDED_IN_ERROR) is None
    assert outcome(standing, [], DeletionGround.ORDERED_BY_AUTHORITY) is None


@pytest.mark.parametrize("ground", DeletionGround)
@pytest.mark.parametrize("state", CardState)
def test_a_card_that_is_being_made_needs_the_record(
    state: CardState, ground: DeletionGround
) -> None:
    found = outcome(Standing.EXPELLED, [CardState.CONDEMNED, state], ground)
    if state is CardState.CONDEMNED:
        assert found is None
    elif state is CardState.HANDED_OVER:
        is_error = ground is DeletionGround.RECORDED_IN_ERROR
        assert found == ("subject.card-in-hand" if is_error else None)
    else:
        assert found == "subject.card-under-way"


def test_everything_that_is_kept_has_its_reason() -> None:
    assert set(KEPT_BECAUSE) == set(KeptItem)


def test_a_proof_shows_what_was_destroyed_to_whoever_has_the_extract() -> None:
    document = {"statement": {"full_name": "Nguyễn"}, "cards": []}
    salt = bytes(range(32))
    digest = content_digest(document, salt=salt)
    text = '{"cards":[],"statement":{"full_name":"Nguy\\u1ec5n"}}'
    assert digest == hashlib.sha256(salt + text.encode()).digest()
    assert digest != content_digest(document, salt=bytes(32))
    erasure = Erasure(
        member_id=MEMBER,
        at=NOW,
        account=AccountName("clerk-1"),
        proposed_by=AccountName("clerk-2"),
        ground=DeletionGround.MEMBERSHIP_ENDED,
        reference="31-QD",
        evidence=None,
        digest=digest,
    )
    proof = DeletionProof(
        erasure=erasure, salt=salt, audit_trail=bytes(16), destroyed={"record": 1}
    ).document()
    assert json.loads(json.dumps(proof)) == proof
    assert (proof["digest"], proof["salt"]) == (digest.hex(), salt.hex())
    assert set(proof["kept"]) == {each.value for each in KeptItem}
    assert "clerk-1" not in json.dumps(proof)


@pytest.mark.parametrize("text", ["", " ", "a\nb", "a" * 201, "\x1b[2J"])
def test_what_is_no_recipient_or_reference_is_refused(text: str) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        parse_recipient(text)
    assert refusal.value.code == "disclosure.recipient"
    with pytest.raises(IssuerDataError) as refusal:
        parse_reference(text)
    assert refusal.value.code == "disclosure.reference"


def test_a_notice_is_due_three_days_after_the_discovery() -> None:
    assert notice_due(NOW) == NOW + timedelta(days=3)


@pytest.mark.parametrize("count", [0, 1, 100, 101, 350])
@pytest.mark.parametrize(
    ("where", "subject"),
    [
        ({}, "register"),
        ({"organisation": "P-01"}, "P-01"),
        ({"organisation": "P-01", "bundle": "b-1"}, "b-1"),
    ],
)
def test_who_was_shown_in_a_list_is_read_back(
    count: int, where: dict[str, str], subject: str
) -> None:
    ids = [MemberId(uuid.UUID(int=number)) for number in range(count)]
    organisation = where.get("organisation")
    records = list(
        members_listed(
            ids,
            account=AccountName("clerk-1"),
            organisation=None if organisation is None else OrganisationCode(organisation),
            at=NOW,
            bundle=where.get("bundle"),
        )
    )
    assert [each for record in records for each in members_shown(record)] == ids
    assert {record.subject_id for record in records} <= {subject}


def test_who_was_looked_at_is_read_back_and_a_damaged_record_says_so() -> None:
    seen = member_read(MEMBER, account=AccountName("a"), organisation=None, at=NOW)
    assert members_shown(seen) == (MEMBER,)
    assert members_shown(replace(seen, action="member.changed")) == ()
    listed = next(
        iter(members_listed([MEMBER], account=AccountName("a"), organisation=None, at=NOW))
    )
    for damaged in (
        replace(seen, subject_id="x"),
        replace(listed, details={}),
        replace(listed, details={"members": "x"}),
    ):
        with pytest.raises(IssuerUnavailableError) as refusal:
            members_shown(damaged)
        assert refusal.value.code == "audit.unreadable"
