"""From evidence to verdict: what each piece of evidence means, and that nothing gained by leaving any out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_layout.atr import LifeCycle, encode_atr
from card_layout.files.card_access import CardAccess
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_11 import PersonalDetails
from card_layout.files.data_group_13 import MemberRecord
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.security_infos import PaceInfo, SecurityInfos
from card_layout.profile import CardProfile
from pki.certificates.trust import TrustAnchors
from pki.signed.security_object import StatusReference
from simulators.authority import SignerKind, TestAuthority
from simulators.image import CardImage
from simulators.issued_image import sign_image
from simulators.testing import TEST_TIME
from verifier.errors import TrustError
from verifier.inspection import procedure
from verifier.inspection.checks import CheckName, CheckState
from verifier.inspection.policy import DATA_CHECKS, Policy, Purpose
from verifier.inspection.report import Assurance, Report, Verdict, inspect
from verifier.inspection.snapshot import (
    AccessEvidence,
    AccessOutcome,
    CardSnapshot,
    ChipEvidence,
    ChipOutcome,
    FileEvidence,
    FileOutcome,
    Phase,
    ReadingProblem,
)

Judge = Callable[..., Report]


@pytest.fixture(scope="session")
def judge(anchors: TrustAnchors, policy: Policy, now: datetime) -> Judge:
    def judge(snapshot: CardSnapshot, **changes: Any) -> Report:
        arguments: dict[str, Any] = {"trust": anchors, "policy": policy, "now": now} | changes
        return inspect(snapshot, **arguments)

    return judge


def with_file(snapshot: CardSnapshot, name: str, content: bytes | None) -> CardSnapshot:
    evidence = (
        FileEvidence(name=name, outcome=FileOutcome.ABSENT)
        if content is None
        else FileEvidence(name=name, outcome=FileOutcome.READ, content=content)
    )
    return replace(snapshot, files={**snapshot.files, name: evidence})


def without_evidence(snapshot: CardSnapshot, name: str) -> CardSnapshot:
    return replace(
        snapshot, files={key: item for key, item in snapshot.files.items() if key != name}
    )


def flipped(content: bytes | None) -> bytes:
    assert content is not None
    return content[:-1] + bytes((content[-1] ^ 1,))


def result(report: Report, name: CheckName) -> tuple[CheckState, str | None]:
    (found,) = [check for check in report.checks if check.name is name]
    return found.state, found.code


def test_a_genuine_card_passes_every_check(judge: Judge, accepted_snapshot: CardSnapshot) -> None:
    report = judge(accepted_snapshot)
    assert report.verdict is Verdict.ACCEPTED
    assert report.assurance is Assurance.DATA_AND_CHIP
    assert report.codes == ()
    # Nobody gave this terminal a status list, and the policy does not ask for one.
    assert {check.name for check in report.checks if not check.is_passed} == {CheckName.CARD_STATUS}
    assert report.notes == ()
    assert report.holder is not None
    assert report.holder.full_name


def test_a_stored_snapshot_gives_the_same_report_again(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    stored = CardSnapshot.from_json(accepted_snapshot.to_json())
    assert judge(stored) == judge(accepted_snapshot)
    assert judge(stored).to_json() == judge(accepted_snapshot).to_json()


def test_judging_at_a_time_without_zone_is_a_mistake_of_the_caller(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        judge(accepted_snapshot, now=datetime(2026, 1, 16))  # noqa: DTZ001 - what is tested


@pytest.mark.parametrize("state", [s for s in LifeCycle if s is not LifeCycle.OPERATIONAL])
def test_a_chip_in_another_state_is_refused(
    judge: Judge, accepted_snapshot: CardSnapshot, state: LifeCycle
) -> None:
    report = judge(replace(accepted_snapshot, atr=encode_atr(state, extended_lengths=True)))
    assert report.verdict is Verdict.REFUSED
    assert report.codes == ("card.not-operational",)


@pytest.mark.parametrize("atr", [b"", b"\x3b\x00", b"\x3b\x88" + bytes(20)])
def test_a_chip_that_tells_no_state_is_refused(
    judge: Judge, accepted_snapshot: CardSnapshot, atr: bytes
) -> None:
    assert judge(replace(accepted_snapshot, atr=atr)).codes == ("card.not-operational",)


def test_a_card_without_card_access_offers_no_pace(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    report = judge(with_file(accepted_snapshot, "EF.CardAccess", None))
    assert result(report, CheckName.PACE) == (CheckState.FAILED, "access.pace-required")


@pytest.mark.parametrize("content", [b"", b"\x31\x00", b"\x30\x03\x02\x01\x00", bytes(100)])
def test_malformed_card_access_is_refused(
    judge: Judge, accepted_snapshot: CardSnapshot, content: bytes
) -> None:
    report = judge(with_file(accepted_snapshot, "EF.CardAccess", content))
    assert result(report, CheckName.PACE) == (CheckState.FAILED, "access.card-access-malformed")


def test_domain_parameters_that_the_policy_does_not_allow_are_refused(
    judge: Judge, accepted_snapshot: CardSnapshot, policy: Policy
) -> None:
    report = judge(accepted_snapshot, policy=replace(policy, pace_parameter_ids=frozenset({13})))
    assert report.codes == ("access.pace-unsupported",)


def test_pace_with_parameters_that_were_not_announced_is_refused(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    access = replace(accepted_snapshot.access, pace_info=PaceInfo(parameter_id=13).to_bytes())
    report = judge(replace(accepted_snapshot, access=access))
    assert result(report, CheckName.PACE) == (CheckState.FAILED, "access.pace-unsupported")
    assert result(report, CheckName.ACCESS_PARAMETERS_SIGNED) == (
        CheckState.FAILED,
        "access.parameters-not-signed",
    )


def test_parameters_announced_before_pace_must_be_the_signed_ones(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    infos = SecurityInfos(infos=(PaceInfo(parameter_id=12), PaceInfo(parameter_id=13)))
    content = CardAccess(security_infos=infos).to_bytes()
    report = judge(with_file(accepted_snapshot, "EF.CardAccess", content))
    assert report.codes == ("access.parameters-not-signed",)


def test_a_wrong_password_says_nothing_about_the_card(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    snapshot = replace(
        accepted_snapshot,
        files={"EF.CardAccess": accepted_snapshot.files["EF.CardAccess"]},
        access=replace(accepted_snapshot.access, outcome=AccessOutcome.WRONG_PASSWORD),
        chip=ChipEvidence(),
        is_complete=False,
        problem=ReadingProblem(phase=Phase.ACCESS, code="access.wrong-password"),
    )
    report = judge(snapshot)
    assert report.verdict is Verdict.UNREADABLE
    assert report.codes == ("access.wrong-password",)
    assert report.unverified_holder is None


@pytest.mark.parametrize("code", ["transport.lost", "transport.no-card", "reading.limit"])
def test_a_reading_that_broke_off_says_nothing_about_the_card(
    judge: Judge, accepted_snapshot: CardSnapshot, code: str
) -> None:
    kept = ("EF.CardAccess", "EF.ATR/INFO", "EF.DG14", "EF.COM", "EF.SOD")
    snapshot = replace(
        accepted_snapshot,
        files={name: accepted_snapshot.files[name] for name in kept},
        is_complete=False,
        problem=ReadingProblem(phase=Phase.FILES, code=code),
    )
    report = judge(snapshot)
    assert report.verdict is Verdict.UNREADABLE
    assert report.codes == (code,)


def test_a_reading_that_broke_off_after_something_was_proven_wrong_refuses(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    altered = with_file(accepted_snapshot, "EF.DG11", flipped(accepted_snapshot.content("EF.DG11")))
    snapshot = replace(
        without_evidence(altered, "EF.DG13"),
        is_complete=False,
        problem=ReadingProblem(phase=Phase.FILES, code="transport.lost"),
    )
    report = judge(snapshot)
    assert report.verdict is Verdict.REFUSED
    assert "data-group.altered" in report.codes


def test_a_problem_of_an_unknown_code_speaks_against_the_card(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    snapshot = replace(
        without_evidence(accepted_snapshot, "EF.SOD"),
        is_complete=False,
        problem=ReadingProblem(phase=Phase.FILES, code="made.up"),
    )
    report = judge(snapshot)
    assert report.verdict is Verdict.REFUSED
    assert report.codes == ("card.malformed",)


def test_a_card_without_security_object_is_refused(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    report = judge(with_file(accepted_snapshot, "EF.SOD", None))
    assert report.codes == ("security-object.missing",)
    assert report.assurance is Assurance.NONE


@pytest.mark.parametrize("content", [b"", b"\x77\x00", b"\x77\x02\x30\x00", bytes(3000)])
def test_a_malformed_security_object_is_refused(
    judge: Judge, accepted_snapshot: CardSnapshot, content: bytes
) -> None:
    report = judge(with_file(accepted_snapshot, "EF.SOD", content))
    assert report.codes == ("security-object.malformed",)


def test_a_security_object_with_an_altered_signature_is_refused(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    content = flipped(accepted_snapshot.content("EF.SOD"))
    report = judge(with_file(accepted_snapshot, "EF.SOD", content))
    assert "security-object.signature-invalid" in report.codes
    assert report.assurance is Assurance.NONE


def test_a_signing_time_in_the_future_is_refused(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    report = judge(accepted_snapshot, now=TEST_TIME - timedelta(seconds=1))
    assert "security-object.signing-time-in-future" in report.codes
    assert report.verdict is Verdict.REFUSED


def test_a_test_authority_is_refused_unless_the_policy_allows_it(
    judge: Judge, accepted_snapshot: CardSnapshot, policy: Policy
) -> None:
    report = judge(accepted_snapshot, policy=replace(policy, allow_test_authorities=False))
    assert report.codes == ("signer.test-authority",)


def test_a_document_that_the_policy_does_not_know_is_refused(
    judge: Judge, accepted_snapshot: CardSnapshot, policy: Policy
) -> None:
    report = judge(accepted_snapshot, policy=replace(policy, document_codes=frozenset({"ID"})))
    assert report.codes == ("signer.document-type",)


def test_an_empty_trust_store_knows_no_authority(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    report = judge(accepted_snapshot, trust=TrustAnchors(authorities=()))
    assert report.codes == ("signer.authority-unknown",)
    assert result(report, CheckName.CHIP_AUTHENTICATION) == (
        CheckState.NOT_PERFORMED,
        "signer.authority-unknown",
    )


def test_without_a_revocation_list_nobody_knows_whether_the_signer_counts(
    judge: Judge, accepted_snapshot: CardSnapshot, anchors: TrustAnchors
) -> None:
    report = judge(accepted_snapshot, trust=replace(anchors, revocation_lists=()))
    assert report.codes == ("signer.revocation-unknown",)


def test_an_old_revocation_list_is_none(
    judge: Judge, accepted_snapshot: CardSnapshot, now: datetime
) -> None:
    assert judge(accepted_snapshot, now=now + timedelta(days=300)).codes == (
        "signer.revocation-unknown",
    )


@pytest.mark.parametrize("name", ["EF.DG1", "EF.DG2", "EF.DG11", "EF.DG12", "EF.DG13", "EF.DG14"])
def test_each_data_group_is_covered_by_the_signature(
    judge: Judge, accepted_snapshot: CardSnapshot, name: str
) -> None:
    content = flipped(accepted_snapshot.content(name))
    report = judge(with_file(accepted_snapshot, name, content))
    assert report.verdict is Verdict.REFUSED
    assert "data-group.altered" in report.codes
    assert report.assurance is Assurance.NONE


@pytest.mark.parametrize("name", ["EF.DG1", "EF.DG2", "EF.DG11", "EF.DG12", "EF.DG13", "EF.DG14"])
def test_each_listed_data_group_must_be_on_the_card(
    judge: Judge, accepted_snapshot: CardSnapshot, name: str
) -> None:
    report = judge(with_file(accepted_snapshot, name, None))
    assert report.verdict is Verdict.REFUSED
    assert "data-group.missing" in report.codes


@pytest.mark.parametrize("outcome", [FileOutcome.REFUSED, FileOutcome.MALFORMED])
def test_a_file_on_the_card_that_is_not_listed_counts_even_where_it_cannot_be_read(
    judge: Judge, accepted_snapshot: CardSnapshot, outcome: FileOutcome
) -> None:
    evidence = FileEvidence(name="EF.DG3", outcome=outcome, code="card.refused")
    snapshot = replace(accepted_snapshot, files={**accepted_snapshot.files, "EF.DG3": evidence})
    assert "data-group.not-covered" in judge(snapshot).codes


def test_common_data_names_what_the_security_object_lists(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    fewer = CommonData(data_group_tags=(0x61, 0x75)).to_bytes()
    assert judge(with_file(accepted_snapshot, "EF.COM", fewer)).codes == (
        "common-data.inconsistent",
    )
    assert judge(with_file(accepted_snapshot, "EF.COM", b"\x60\x00")).codes == (
        "common-data.malformed",
    )
    assert judge(with_file(accepted_snapshot, "EF.COM", None)).codes == ("common-data.malformed",)


def test_the_mrz_that_opened_the_chip_must_be_the_one_on_it(
    judge: Judge, mrz_snapshot: CardSnapshot
) -> None:
    assert judge(mrz_snapshot).verdict is Verdict.ACCEPTED
    another = replace(mrz_snapshot.access, is_password_of_data=False)
    assert judge(replace(mrz_snapshot, access=another)).codes == ("holder.inconsistent",)
    unknown = replace(mrz_snapshot.access, is_password_of_data=None)
    assert judge(replace(mrz_snapshot, access=unknown)).codes == ("evidence.missing",)


def test_states_of_the_mrz_and_of_the_certificates_must_agree(
    judge: Judge, accepted_snapshot: CardSnapshot, policy: Policy
) -> None:
    for states in ({"VNM": "VA"}, {"UTO": "UT"}):
        report = judge(accepted_snapshot, policy=replace(policy, states=states))
        assert report.codes == ("holder.state-mismatch",)


def test_a_card_is_valid_to_the_end_of_its_last_day(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    holder = judge(accepted_snapshot).holder
    assert holder is not None
    end = holder.valid_until
    assert end is not None
    last_second = datetime(end.year, end.month, end.day, 23, 59, 59, tzinfo=UTC)
    state = result(judge(accepted_snapshot, now=last_second), CheckName.CARD_VALIDITY)
    assert state == (CheckState.PASSED, None)
    after = judge(accepted_snapshot, now=last_second + timedelta(seconds=1))
    assert result(after, CheckName.CARD_VALIDITY) == (CheckState.FAILED, "card.expired")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (ChipOutcome.NOT_ATTEMPTED, "chip-authentication.not-performed"),
        (ChipOutcome.REFUSED_BY_CHIP, "chip-authentication.not-performed"),
        (ChipOutcome.FAILED, "chip.not-proven"),
    ],
)
def test_genuine_data_on_an_unproven_chip_is_refused_with_the_assurance_data(
    judge: Judge, accepted_snapshot: CardSnapshot, outcome: ChipOutcome, code: str
) -> None:
    snapshot = replace(accepted_snapshot, chip=replace(accepted_snapshot.chip, outcome=outcome))
    report = judge(snapshot)
    assert report.verdict is Verdict.REFUSED
    assert report.assurance is Assurance.DATA
    assert report.codes == (code,)
    assert report.holder is None
    assert report.unverified_holder is not None


def test_a_purpose_may_do_without_the_chip(
    judge: Judge, accepted_snapshot: CardSnapshot, policy: Policy
) -> None:
    enough = frozenset(CheckName) - {CheckName.CHIP_AUTHENTICATION, CheckName.CARD_STATUS}
    lenient = replace(
        policy,
        purposes={**policy.purposes, "meeting": Purpose(name="meeting", required_checks=enough)},
    )
    snapshot = replace(accepted_snapshot, chip=ChipEvidence(outcome=ChipOutcome.FAILED))
    report = judge(snapshot, policy=lenient, purpose="meeting")
    assert report.verdict is Verdict.ACCEPTED
    assert report.assurance is Assurance.DATA
    assert judge(snapshot, policy=lenient).verdict is Verdict.REFUSED


def test_a_proof_of_another_key_than_the_signed_one_proves_nothing(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    for chip in (
        replace(accepted_snapshot.chip, public_key=b"another key"),
        replace(accepted_snapshot.chip, key_id=2),
    ):
        assert judge(replace(accepted_snapshot, chip=chip)).codes == ("chip.not-proven",)


def test_an_empty_policy_accepts_nothing(judge: Judge, accepted_snapshot: CardSnapshot) -> None:
    report = judge(accepted_snapshot, policy=Policy())
    assert report.verdict is Verdict.REFUSED
    assert report.codes == ("policy.empty",)
    assert report.holder is None


def test_an_unknown_purpose_is_an_error_and_no_verdict(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    with pytest.raises(TrustError) as caught:
        judge(accepted_snapshot, purpose="party")
    assert caught.value.code == "policy.unknown-purpose"


@pytest.mark.parametrize("position", range(18))
def test_a_check_that_breaks_has_not_passed(
    judge: Judge,
    accepted_snapshot: CardSnapshot,
    monkeypatch: pytest.MonkeyPatch,
    position: int,
) -> None:
    def broken(_: object) -> str:
        raise ZeroDivisionError("the holder's name is in this text")

    steps = list(procedure.PROCEDURE)
    steps[position] = replace(steps[position], judge=broken)
    monkeypatch.setattr("verifier.inspection.report.PROCEDURE", tuple(steps))
    report = judge(accepted_snapshot)
    assert report.verdict is Verdict.REFUSED
    assert "check.broken" in report.codes
    assert "name" not in " ".join(check.sentence for check in report.checks if check.code)


@pytest.mark.parametrize("position", range(18))
def test_a_check_that_is_left_out_refuses_the_card(
    judge: Judge,
    accepted_snapshot: CardSnapshot,
    monkeypatch: pytest.MonkeyPatch,
    position: int,
) -> None:
    steps = list(procedure.PROCEDURE)
    del steps[position]
    monkeypatch.setattr("verifier.inspection.report.PROCEDURE", tuple(steps))
    assert judge(accepted_snapshot).verdict is not Verdict.ACCEPTED


def test_the_holder_is_shown_only_when_accepted_or_asked_for(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    accepted = judge(accepted_snapshot)
    refused = judge(accepted_snapshot, policy=Policy())
    assert accepted.to_json()["holder_is_verified"] is True
    assert "holder" not in refused.to_json()
    shown = refused.to_json(show_unverified=True)
    assert shown["holder"] == accepted.to_json()["holder"]
    assert shown["holder_is_verified"] is False


def test_a_report_says_nothing_of_the_holder_in_its_repr(
    judge: Judge, accepted_snapshot: CardSnapshot
) -> None:
    report = judge(accepted_snapshot)
    assert report.holder is not None
    for secret in (report.holder.full_name, report.holder.citizen_number):
        assert secret is not None
        assert secret not in repr(report) + repr(report.holder) + repr(accepted_snapshot)


REMOVALS: list[tuple[str, Callable[[CardSnapshot], CardSnapshot]]] = [
    ("the ATR", lambda snapshot: replace(snapshot, atr=None)),
    ("access", lambda snapshot: replace(snapshot, access=AccessEvidence())),
    (
        "the parameters used",
        lambda snapshot: replace(snapshot, access=replace(snapshot.access, pace_info=None)),
    ),
    (
        "whether the MRZ is the card's",
        lambda snapshot: replace(
            snapshot, access=replace(snapshot.access, is_password_of_data=None)
        ),
    ),
    ("the chip's proof", lambda snapshot: replace(snapshot, chip=ChipEvidence())),
    (
        "the proven key",
        lambda snapshot: replace(snapshot, chip=replace(snapshot.chip, public_key=None)),
    ),
    (
        "the proven key's number",
        lambda snapshot: replace(snapshot, chip=replace(snapshot.chip, key_id=None)),
    ),
    ("the problem", lambda snapshot: replace(snapshot, problem=None)),
    ("that it came to its end", lambda snapshot: replace(snapshot, is_complete=False)),
]
JUDGED_FILES = ["EF.CardAccess", "EF.COM", "EF.SOD"] + [f"EF.DG{n}" for n in (1, 2, 11, 12, 13, 14)]


@pytest.mark.parametrize("name", JUDGED_FILES)
def test_no_evidence_of_a_file_can_be_left_out(
    judge: Judge, accepted_snapshot: CardSnapshot, name: str
) -> None:
    report = judge(without_evidence(accepted_snapshot, name))
    assert report.verdict is Verdict.REFUSED
    assert "evidence.missing" in report.codes


def spoil(snapshot: CardSnapshot, kind: str, name: str) -> CardSnapshot:
    """A snapshot with one thing wrong in it."""
    if kind == "altered" and snapshot.content(name):
        return with_file(snapshot, name, flipped(snapshot.content(name)))
    if kind == "absent":
        return with_file(snapshot, name, None)
    if kind == "unlisted":
        tags = CommonData.from_bytes(snapshot.content("EF.COM") or b"").data_group_tags
        common_data = CommonData(data_group_tags=(*tags, 0x70)).to_bytes()
        named = with_file(snapshot, "EF.COM", common_data)
        return with_file(named, "EF.DG16", b"\x70\x00")
    if kind == "cloned":
        return replace(snapshot, chip=replace(snapshot.chip, outcome=ChipOutcome.FAILED))
    if kind == "wrong password":
        return replace(
            snapshot, access=replace(snapshot.access, outcome=AccessOutcome.WRONG_PASSWORD)
        )
    return replace(
        snapshot,
        is_complete=False,
        problem=ReadingProblem(phase=Phase.FILES, code="transport.lost"),
    )


def test_a_file_that_ef_com_names_counts_as_absent_only_where_the_card_said_so(
    judge: Judge, accepted_snapshot: CardSnapshot, policy: Policy
) -> None:
    lenient = frozenset(CheckName) - {CheckName.COMMON_DATA_CONSISTENCY, CheckName.CARD_STATUS}
    purpose = Purpose(name="p", required_checks=lenient)
    chosen = replace(policy, purposes={"p": purpose}, default_purpose="p")
    spoiled = spoil(accepted_snapshot, "unlisted", "")
    assert judge(spoiled, policy=chosen).codes == ("data-group.not-covered",)
    without = without_evidence(spoiled, "EF.DG16")
    assert judge(without, policy=chosen).codes == ("evidence.missing",)
    assert judge(without_evidence(without, "EF.COM"), policy=chosen).codes == ("evidence.missing",)
    absent = with_file(spoiled, "EF.DG16", None)
    assert judge(absent, policy=chosen).verdict is Verdict.ACCEPTED


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(
        ["altered", "absent", "unlisted", "cloned", "wrong password", "broken off", "nothing"]
    ),
    name=st.sampled_from(JUDGED_FILES),
    files=st.sets(st.sampled_from([*JUDGED_FILES, "EF.DG16"]), max_size=9),
    removals=st.sets(st.integers(0, len(REMOVALS) - 1), max_size=len(REMOVALS)),
)
def test_removing_evidence_never_turns_refusal_into_acceptance(
    *,
    judge: Judge,
    mrz_snapshot: CardSnapshot,
    kind: str,
    name: str,
    files: set[str],
    removals: set[int],
) -> None:
    before = mrz_snapshot if kind == "nothing" else spoil(mrz_snapshot, kind, name)
    after = before
    for file in files:
        after = without_evidence(after, file)
    for index in removals:
        after = REMOVALS[index][1](after)
    if judge(after).verdict is Verdict.ACCEPTED:
        assert judge(before).verdict is Verdict.ACCEPTED
        assert not files & set(JUDGED_FILES)
        # Nothing was removed but what a genuine card's snapshot has empty or absent anyway.
        assert after == mrz_snapshot


@settings(max_examples=60, deadline=None)
@given(required=st.sets(st.sampled_from([n for n in CheckName if n not in DATA_CHECKS])))
def test_accepted_means_that_every_required_check_passed(
    judge: Judge, accepted_snapshot: CardSnapshot, policy: Policy, required: set[CheckName]
) -> None:
    purpose = Purpose(name="p", required_checks=frozenset(required) | frozenset(DATA_CHECKS))
    chosen = replace(policy, purposes={"p": purpose}, default_purpose="p")
    snapshot = replace(accepted_snapshot, chip=ChipEvidence(), atr=None)
    report = judge(snapshot, policy=chosen)
    passed = {check.name for check in report.checks if check.is_passed}
    assert (report.verdict is Verdict.ACCEPTED) == (purpose.required_checks <= passed)


@pytest.fixture
def signed_again(
    test_pki: TestAuthority,
    issued_card: CardImage,
    profile: CardProfile,
    accepted_snapshot: CardSnapshot,
) -> Callable[..., CardSnapshot]:
    """The genuine snapshot with other files and a security object over them."""

    def sign(files: dict[str, bytes], signer: SignerKind = SignerKind.CURRENT) -> CardSnapshot:
        image = issued_card
        snapshot = accepted_snapshot
        for name, content in files.items():
            path = profile.file(name).path
            image = image.with_file(path, replace(image.files[path], data=content))
            snapshot = with_file(snapshot, name, content)
        image = sign_image(
            image,
            profile=profile,
            authority=test_pki,
            signer=signer,
            signing_time=test_pki.created_at,
            status_reference=StatusReference(list_id=bytes(8), index=0),
        )
        return with_file(snapshot, "EF.SOD", image.files[profile.file("EF.SOD").path].data)

    return sign


@pytest.mark.parametrize(
    ("signer", "code"),
    [
        (SignerKind.EXPIRED, "signer.expired-at-signing"),
        (SignerKind.REVOKED, "signer.revoked"),
    ],
)
def test_a_signer_that_does_not_count_refuses_the_card(
    judge: Judge,
    signed_again: Callable[..., CardSnapshot],
    signer: SignerKind,
    code: str,
) -> None:
    assert judge(signed_again({}, signer)).codes == (code,)


def test_signed_files_that_contradict_one_another_are_refused(
    judge: Judge, signed_again: Callable[..., CardSnapshot], accepted_snapshot: CardSnapshot
) -> None:
    details = PersonalDetails.from_bytes(accepted_snapshot.content("EF.DG11") or b"")
    record = MemberRecord.from_bytes(accepted_snapshot.content("EF.DG13") or b"")
    for files in (
        {"EF.DG11": replace(details, birth_date=date(1901, 1, 1)).to_bytes()},
        {"EF.DG11": replace(details, primary_name="Ai", secondary_name="Đó").to_bytes()},
        {
            "EF.DG13": replace(
                record,
                full_name=f"{record.primary_name} Người Khác",
                secondary_name="Người Khác",
            ).to_bytes()
        },
        {"EF.DG13": replace(record, valid_until=date(2099, 1, 1)).to_bytes()},
    ):
        report = judge(signed_again(files))
        assert report.codes == ("holder.inconsistent",)
        assert report.assurance is Assurance.DATA_AND_CHIP


def test_a_signed_file_that_does_not_decode_is_refused(
    judge: Judge, signed_again: Callable[..., CardSnapshot]
) -> None:
    report = judge(signed_again({"EF.DG12": b"\x6c\x00"}))
    assert report.codes == ("data-group.malformed",)


def test_a_signed_card_that_announces_no_chip_authentication_has_not_performed_it(
    judge: Judge, signed_again: Callable[..., CardSnapshot]
) -> None:
    options = SecurityOptions(security_infos=SecurityInfos(infos=(PaceInfo(parameter_id=12),)))
    report = judge(signed_again({"EF.DG14": options.to_bytes()}))
    assert report.codes == ("chip-authentication.not-performed",)
