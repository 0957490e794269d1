"""Whatever is done to a stored trail is found: by the trail itself, or against a head that was kept elsewhere."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import ChainedRecord, ChainHead, first_head, link
from issuer.domain.audit_check import MAX_FINDINGS, AuditCheck, AuditFault, AuditReport
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName

NOW = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
TRAIL = bytes(range(16))


def act(number: int, account: str = "clerk-1") -> AuditRecord:
    return AuditRecord(
        at=NOW + timedelta(seconds=number),
        account=AccountName(account),
        action="member.changed",
        subject=AuditSubject.MEMBER,
        subject_id=f"m-{number}",
        organisation=OrganisationCode("P-01") if number % 2 else None,
        details={"number": number},
    )


def chain(
    acts: Sequence[AuditRecord], after: ChainHead | None = None
) -> tuple[list[ChainedRecord], list[ChainHead]]:
    """The records, and the head behind each of them, the one behind none first."""
    heads = [after if after is not None else first_head(TRAIL)]
    records: list[ChainedRecord] = []
    for each in acts:
        record, head = link(heads[-1], each)
        records.append(record)
        heads.append(head)
    return records, heads


def check(
    records: Sequence[ChainedRecord],
    head: ChainHead,
    anchors: Sequence[ChainHead] = (),
    start: ChainHead | None = None,
) -> AuditReport:
    checking = AuditCheck(head, anchors, start=start)
    for record in records:
        checking.take(record)
    return checking.conclude()


def faults(report: AuditReport) -> list[tuple[AuditFault, int]]:
    return [(each.fault, each.sequence) for each in report.findings]


RECORDS, HEADS = chain([act(number) for number in range(1, 8)])
LAST = HEADS[-1]


@given(st.integers(0, 7), st.sets(st.integers(0, 7)))
def test_a_trail_that_nobody_touched_is_whole(length: int, kept: set[int]) -> None:
    anchors = [HEADS[each] for each in kept if each <= length]
    report = check(RECORDS[:length], HEADS[length], anchors)
    assert report.is_whole
    assert (report.records, report.last, report.trail_id) == (length, length, TRAIL)
    assert (report.anchors, report.anchored) == (
        len(anchors),
        max((each.sequence for each in anchors), default=0),
    )


def test_what_came_while_the_trail_was_read_is_no_fault() -> None:
    assert check(RECORDS, HEADS[5]).is_whole


@given(
    st.integers(0, 6),
    st.sampled_from(
        ["at", "account", "action", "subject", "subject_id", "organisation", "details", "digest"]
    ),
)
def test_every_edit_of_a_field_is_found_where_it_is(place: int, field: str) -> None:
    found = RECORDS[place]
    others: dict[str, object] = {
        "at": found.at + timedelta(microseconds=1),
        "organisation": "P-02",
        "digest": bytes(32),
    }
    value = others.get(field, str(getattr(found, field)) + "0")
    edited = [*RECORDS]
    edited[place] = dataclasses.replace(found, **{field: value})  # type: ignore[arg-type]  # of the field's type
    report = check(edited, LAST)
    assert not report.is_whole
    assert min(sequence for _, sequence in faults(report)) == found.sequence


@given(st.integers(0, 6))
def test_a_deleted_record_is_a_gap_or_a_cut_tail(place: int) -> None:
    report = check(RECORDS[:place] + RECORDS[place + 1 :], LAST)
    expected = (AuditFault.CUT, 6) if place == 6 else (AuditFault.GAP, place + 1)
    assert faults(report) == [expected]


@given(st.permutations(range(7)).filter(lambda order: list(order) != list(range(7))))
def test_another_order_is_found_even_where_the_numbers_were_put_right(order: list[int]) -> None:
    moved = [
        dataclasses.replace(RECORDS[each], sequence=number)
        for number, each in enumerate(order, start=1)
    ]
    report = check(moved, LAST)
    assert {fault for fault, _ in faults(report)} <= {AuditFault.ALTERED, AuditFault.HEAD_DIFFERS}
    assert not report.is_whole


@given(st.integers(0, 6))
def test_a_record_put_in_between_is_found(place: int) -> None:
    added, _ = link(HEADS[place], act(99))
    moved = [dataclasses.replace(each, sequence=each.sequence + 1) for each in RECORDS[place:]]
    head = dataclasses.replace(LAST, sequence=8)
    assert not check([*RECORDS[:place], added, *moved], head).is_whole


@given(st.integers(0, 6))
def test_a_tail_that_was_cut_with_its_head_is_found_against_a_checkpoint(kept: int) -> None:
    cut = check(RECORDS[:kept], HEADS[kept])
    assert cut.is_whole, "the trail alone cannot tell"
    report = check(RECORDS[:kept], HEADS[kept], [HEADS[kept + 1]])
    assert faults(report) == [(AuditFault.CUT, kept)]


@given(st.integers(0, 6), st.integers(1, 7))
def test_a_chain_computed_anew_is_found_against_every_checkpoint_behind_it(
    place: int, anchor: int
) -> None:
    forged, heads = chain(
        [act(1000), *(each.record() for each in RECORDS[place + 1 :])], HEADS[place]
    )
    trail = RECORDS[:place] + forged
    assert check(trail, heads[-1]).is_whole, "the trail alone cannot tell"
    report = check(trail, heads[-1], [HEADS[anchor]])
    is_covered = anchor > place
    assert faults(report) == ([(AuditFault.ANCHOR_DIFFERS, anchor)] if is_covered else [])


def test_an_anchor_whose_record_was_taken_out_of_the_middle_is_told() -> None:
    report = check(RECORDS[:3] + RECORDS[4:], LAST, [HEADS[4]])
    assert [fault for fault, _ in faults(report)] == [AuditFault.GAP, AuditFault.GAP]


def test_a_trail_put_in_place_of_another_is_found() -> None:
    other = first_head(bytes(16))
    report = check([], other, [HEADS[3]])
    assert faults(report) == [(AuditFault.OTHER_TRAIL, 3)]
    assert not check(RECORDS, dataclasses.replace(LAST, trail_id=bytes(16))).is_whole


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        (dataclasses.replace(LAST, digest=bytes(32)), AuditFault.HEAD_DIFFERS),
        (dataclasses.replace(LAST, sequence=8), AuditFault.CUT),
        (dataclasses.replace(LAST, sequence=0), AuditFault.HEAD_DIFFERS),
        (dataclasses.replace(LAST, sequence=6), AuditFault.HEAD_DIFFERS),
    ],
)
def test_a_head_that_was_changed_is_found(head: ChainHead, fault: AuditFault) -> None:
    assert [each for each, _ in faults(check(RECORDS, head))] == [fault]


def test_a_thousand_faults_are_counted_and_a_hundred_told() -> None:
    records, heads = chain([act(number) for number in range(1, 1001)])
    broken = [dataclasses.replace(each, account="x") for each in records]
    report = check(broken, heads[-1])
    assert report.faults == 1000
    assert len(report.findings) == MAX_FINDINGS


@given(st.integers(0, 7))
def test_a_check_may_begin_behind_a_checkpoint(place: int) -> None:
    assert check(RECORDS[place:], LAST, [HEADS[place]], HEADS[place]).is_whole
    other = dataclasses.replace(HEADS[place], digest=bytes(32))
    assert not check(RECORDS[place:], LAST, [], other).is_whole
    foreign = dataclasses.replace(HEADS[place], trail_id=bytes(16))
    assert (AuditFault.OTHER_TRAIL, place) in faults(check(RECORDS[place:], LAST, [], foreign))


@given(st.integers(0, 6))
def test_a_trail_shorter_than_the_checkpoint_it_begins_behind_was_cut(place: int) -> None:
    report = check([], HEADS[place], [HEADS[7]], HEADS[7])
    assert not report.is_whole
