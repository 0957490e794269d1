"""A terminal with and without a right, before the virtual card: two hands that share no protocol code."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from card_layout.curves import NamedCurve
from card_layout.errors import CardDataError, CardRefusedError, TransportError
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.security_infos import PaceInfo
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.protocols.chip_authentication import perform_chip_authentication
from card_layout.protocols.file_reading import read_file, select_application
from card_layout.protocols.pace import PacePassword, perform_pace
from card_layout.protocols.terminal_authentication import (
    CertificateToShow,
    SessionBinding,
    TerminalRefusedError,
    perform_terminal_authentication,
)
from card_layout.transport.connection import CardConnection
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.credentials import TerminalCredentials
from pki.certificates.trust import TrustAnchors
from pki.errors import KeystoreError, PkiError
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.faults import Fault, FaultKind
from simulators.image import CardImage
from simulators.issued_image import issue_image
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN, TEST_TIME
from tests.unit.verifier.terminal_hierarchy import DAY, DEFAULT, Hierarchy, protected_card
from verifier.inspection.checks import CheckName, CheckState
from verifier.inspection.policy import Policy
from verifier.inspection.report import Assurance, Report, Verdict, inspect
from verifier.inspection.snapshot import AccessPath, CardSnapshot, FileOutcome
from verifier.inspection.terminal_evidence import TerminalOutcome
from verifier.reading.card_reading import read_card
from verifier.reading.least import least_apdus
from verifier.reading.recording import RecordedConversation
from verifier.reading.terminal_proof import TerminalAccess
from verifier.reading.transcript_file import ReadingSettings, Transcript, outcome_of
from verifier.services.card_password import CardPassword

NOW = TEST_TIME + timedelta(days=1)
Issue = Callable[..., CardImage]


@pytest.fixture(scope="module")
def base(test_pki: TestAuthority, synthetic_member: SyntheticMember) -> CardImage:
    return issue_image(
        synthetic_member, authority=test_pki, random=Random(1), can=TEST_CAN, profile=DEFAULT
    )


@pytest.fixture(scope="module")
def issue(base: CardImage, test_pki: TestAuthority) -> Issue:
    return lambda *points, **more: protected_card(base, *points, authority=test_pki, **more)


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return Hierarchy()


@pytest.fixture
def judge(anchors: TrustAnchors, policy: Policy) -> Callable[[CardSnapshot], Report]:
    return lambda snapshot: inspect(snapshot, trust=anchors, policy=policy, now=NOW)


def read(
    card: CardImage | VirtualCard,
    credentials: TerminalCredentials | None = None,
    *,
    needed: frozenset[int] | None = None,
    now: datetime = NOW,
) -> CardSnapshot:
    chip = card if isinstance(card, VirtualCard) else VirtualCard(card)
    snapshot = read_card(
        SimulatedReader(chip),
        password=CardPassword.from_can(TEST_CAN),
        profile=DEFAULT,
        pace_parameter_ids=frozenset({12, 13}),
        now=now,
        monotonic=time.monotonic,
        terminal=TerminalAccess(credentials=credentials, needed=needed),
    )
    assert CardSnapshot.from_json(snapshot.to_json()) == snapshot
    return snapshot


def state(report: Report, name: CheckName) -> tuple[CheckState, str | None]:
    return next((item.state, item.code) for item in report.checks if item.name is name)


def outcome(snapshot: CardSnapshot) -> tuple[TerminalOutcome, str | None]:
    assert snapshot.terminal is not None
    return snapshot.terminal.outcome, snapshot.terminal.code


def test_a_terminal_with_the_right_reads_the_member_record(
    issue: Issue, hierarchy: Hierarchy, judge: Callable[[CardSnapshot], Report]
) -> None:
    snapshot = read(issue(hierarchy.root()), hierarchy.credentials())
    assert outcome(snapshot) == (TerminalOutcome.SUCCEEDED, None)
    assert snapshot.terminal is not None
    assert snapshot.terminal.chain == ("VNOFFICES00001", "VNGATE100001")
    assert snapshot.terminal.trust_point == "VNMEMBER00001"
    assert snapshot.terminal.granted == (13,)
    report = judge(snapshot)
    assert (report.verdict, report.assurance) == (Verdict.ACCEPTED, Assurance.DATA_AND_CHIP)
    assert report.notes == ()
    states = {item.name: item.state for item in report.checks}
    assert states.pop(CheckName.PORTRAIT) is CheckState.NOT_PERFORMED
    assert states.pop(CheckName.CARD_STATUS) is CheckState.NOT_PERFORMED
    assert set(states.values()) == {CheckState.PASSED}
    assert report.holder is not None
    assert report.holder.citizen_number is not None


def test_a_terminal_without_credentials_does_not_ask_and_accepts_the_card_all_the_same(
    issue: Issue, hierarchy: Hierarchy, judge: Callable[[CardSnapshot], Report]
) -> None:
    snapshot = read(issue(hierarchy.root()))
    assert snapshot.files["EF.DG13"].outcome is FileOutcome.NOT_REQUESTED
    report = judge(snapshot)
    assert (report.verdict, report.assurance) == (Verdict.ACCEPTED, Assurance.DATA_AND_CHIP)
    assert report.notes == ("data-group.no-right",)
    assert state(report, CheckName.TERMINAL_AUTHENTICATION) == (
        CheckState.NOT_PERFORMED,
        "terminal-authentication.no-credentials",
    )
    assert state(report, CheckName.PROTECTED_DATA_GROUPS) == (
        CheckState.NOT_PERFORMED,
        "data-group.no-right",
    )
    assert report.holder is not None
    assert report.holder.full_name
    assert report.holder.citizen_number is None


def test_a_purpose_that_needs_no_protected_file_costs_no_command(
    issue: Issue, hierarchy: Hierarchy, judge: Callable[[CardSnapshot], Report]
) -> None:
    card = issue(hierarchy.root())
    without = read(card, hierarchy.credentials(), needed=frozenset())
    assert outcome(without) == (
        TerminalOutcome.NOT_ATTEMPTED,
        "terminal-authentication.not-needed",
    )
    assert without.files["EF.DG13"].code == "data-group.not-needed"
    assert judge(without).verdict is Verdict.ACCEPTED
    assert judge(without).notes == ("data-group.not-needed",)
    # Two certificates, each named and shown; key, challenge, proof; and the file itself.
    assert read(card, hierarchy.credentials()).apdu_count == without.apdu_count + 8


@pytest.mark.parametrize("has_right", [False, True])
def test_no_card_takes_more_commands_than_it_must(
    issue: Issue,
    hierarchy: Hierarchy,
    has_right: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    card = issue(hierarchy.root())
    snapshot = read(card, hierarchy.credentials() if has_right else None)
    sizes = {file.name: len(card.files[file.path].data) for file in DEFAULT.files}
    assert snapshot.apdu_count == least_apdus(
        DEFAULT, sizes, shown_certificates=2 if has_right else 0
    )


@pytest.mark.parametrize("curve", list(NamedCurve))
def test_keys_of_every_curve_are_spoken(
    base: CardImage, test_pki: TestAuthority, curve: NamedCurve
) -> None:
    hierarchy = Hierarchy(curve=curve)
    card = protected_card(base, hierarchy.root(), authority=test_pki)
    assert outcome(read(card, hierarchy.credentials())) == (TerminalOutcome.SUCCEEDED, None)


def test_links_lead_from_an_old_trust_point_and_the_chip_keeps_the_new_one(
    issue: Issue, hierarchy: Hierarchy
) -> None:
    credentials = hierarchy.credentials(
        hierarchy.root(1),
        hierarchy.root(3),
        hierarchy.link(1),
        hierarchy.link(2),
        hierarchy.office(under=3),
        hierarchy.terminal(),
    )
    chip = VirtualCard(issue(hierarchy.root(1)))
    first = read(chip, credentials)
    assert outcome(first) == (TerminalOutcome.SUCCEEDED, None)
    assert first.terminal is not None
    assert first.terminal.chain[:2] == ("VNMEMBER00002", "VNMEMBER00003")
    assert len(chip.image.trust_points) == 2
    second = read(chip, credentials)
    assert outcome(second) == (TerminalOutcome.SUCCEEDED, None)
    assert second.terminal is not None
    assert second.terminal.trust_point == "VNMEMBER00003"
    assert second.apdu_count == first.apdu_count - 4


def test_of_two_trust_points_the_one_is_taken_under_which_a_chain_begins(
    issue: Issue, hierarchy: Hierarchy
) -> None:
    card = issue(hierarchy.link(1), hierarchy.root(1))
    snapshot = read(card, hierarchy.credentials())
    assert outcome(snapshot) == (TerminalOutcome.SUCCEEDED, None)
    assert snapshot.terminal is not None
    assert snapshot.terminal.trust_point == "VNMEMBER00001"


def test_the_date_moves_after_a_valid_chain_and_old_certificates_are_refused_from_then_on(
    issue: Issue, hierarchy: Hierarchy, judge: Callable[[CardSnapshot], Report]
) -> None:
    chip = VirtualCard(issue(hierarchy.root()))
    old = hierarchy.credentials(
        hierarchy.root(),
        hierarchy.office(),
        hierarchy.terminal(begin=DAY - timedelta(days=9), end=DAY + timedelta(days=1)),
    )
    assert outcome(read(chip, old)) == (TerminalOutcome.SUCCEEDED, None)
    newer = hierarchy.credentials(
        hierarchy.root(),
        hierarchy.office(),
        hierarchy.terminal(begin=DAY + timedelta(days=10)),
    )
    later = NOW + timedelta(days=12)
    assert outcome(read(chip, newer, now=later)) == (TerminalOutcome.SUCCEEDED, None)
    assert chip.image.current_date == f"{DAY + timedelta(days=10):%Y%m%d}"
    # A terminal whose clock stands still does not know that its certificate has ended; the chip does.
    snapshot = read(chip, old)
    assert outcome(snapshot) == (
        TerminalOutcome.REFUSED_BY_CHIP,
        "terminal-authentication.chain-refused",
    )
    report = judge(snapshot)
    assert report.verdict is Verdict.ACCEPTED
    assert set(report.notes) == {"terminal-authentication.chain-refused", "data-group.no-right"}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (
            lambda h: h.credentials(h.root(), h.office(), h.terminal(end=DAY - timedelta(days=1))),
            "terminal-authentication.expired",
        ),
        (
            lambda h: h.credentials(h.root(), h.office(end=DAY - timedelta(days=1)), h.terminal()),
            "terminal-authentication.expired",
        ),
        (
            lambda h: h.credentials(
                h.root(), h.office(), h.terminal(begin=DAY + timedelta(days=9))
            ),
            "terminal-authentication.expired",
        ),
        (
            lambda h: h.credentials(h.root(), h.office(), h.terminal(groups=None)),
            "terminal-authentication.no-right",
        ),
        (
            lambda h: h.credentials(h.root(), h.office(groups={2}), h.terminal()),
            "terminal-authentication.no-right",
        ),
        (
            lambda _: Hierarchy(mnemonic="OTHER").credentials(),
            "terminal-authentication.trust-point-unknown",
        ),
    ],
    ids=["terminal ended", "office ended", "not yet", "no right", "office has none", "foreign"],
)
def test_without_a_usable_right_nothing_is_tried_and_the_report_says_why(
    issue: Issue,
    hierarchy: Hierarchy,
    judge: Callable[[CardSnapshot], Report],
    spoil: Callable[[Hierarchy], TerminalCredentials],
    code: str,
) -> None:
    card = issue(hierarchy.root())
    snapshot = read(card, spoil(hierarchy))
    assert outcome(snapshot) == (TerminalOutcome.NOT_ATTEMPTED, code)
    assert snapshot.apdu_count == read(card).apdu_count
    report = judge(snapshot)
    assert (report.verdict, report.assurance) == (Verdict.ACCEPTED, Assurance.DATA_AND_CHIP)
    assert state(report, CheckName.TERMINAL_AUTHENTICATION) == (CheckState.NOT_PERFORMED, code)
    assert "data-group.no-right" in report.notes
    assert (code in report.notes) == (code != "terminal-authentication.no-right")


def test_a_purpose_that_requires_the_record_accepts_no_card_whose_record_it_could_not_read(
    issue: Issue, hierarchy: Hierarchy, anchors: TrustAnchors, policy: Policy
) -> None:
    purpose = policy.purposes["inspection"]
    strict = replace(
        policy,
        purposes={
            "inspection": replace(
                purpose,
                required_checks=purpose.required_checks | {CheckName.PROTECTED_DATA_GROUPS},
            )
        },
    )
    card = issue(hierarchy.root())
    refused = inspect(read(card), trust=anchors, policy=strict, now=NOW)
    # It says nothing about the card: the terminal is at fault.
    assert (refused.verdict, refused.codes) == (Verdict.UNREADABLE, ("data-group.no-right",))
    accepted = inspect(read(card, hierarchy.credentials()), trust=anchors, policy=strict, now=NOW)
    assert accepted.verdict is Verdict.ACCEPTED


def tampered(certificate: CvCertificate) -> CvCertificate:
    spoilt = bytearray(certificate.signature)
    spoilt[-1] ^= 1
    return replace(certificate, signature=bytes(spoilt))


def test_a_tampered_chain_is_found_before_any_card(hierarchy: Hierarchy) -> None:
    for index in range(3):
        held = [hierarchy.root(), hierarchy.office(), hierarchy.terminal()]
        held[index] = tampered(held[index])
        with pytest.raises(PkiError) as raised:
            hierarchy.credentials(*held)
        assert raised.value.code == "cv-certificate.signature-invalid"


def test_a_key_of_another_terminal_is_found_before_any_card(hierarchy: Hierarchy) -> None:
    with pytest.raises(PkiError) as raised:
        TerminalCredentials.from_certificates(
            (hierarchy.root(), hierarchy.office(), hierarchy.terminal()),
            signer=hierarchy.signer(hierarchy.cvca(1)),
        )
    assert raised.value.code == "signing.key-mismatch"


@pytest.mark.parametrize(
    ("held", "code"),
    [
        (lambda h: (h.root(), h.office()), "terminal.credentials-incomplete"),
        (
            lambda h: (h.root(), h.office(), h.terminal(), h.terminal()),
            "terminal.credentials-incomplete",
        ),
        (lambda h: (h.root(), h.terminal()), "cv-certificate.issuer-unknown"),
        (lambda h: (h.office(), h.terminal()), "cv-certificate.issuer-unknown"),
        (
            lambda h: (h.root(), h.link(2), h.office(), h.terminal()),
            "cv-certificate.issuer-unknown",
        ),
        (lambda h: (h.root(),) * 70, "terminal.credentials-incomplete"),
    ],
)
def test_a_store_that_does_not_belong_together_is_refused(
    hierarchy: Hierarchy, held: Callable[[Hierarchy], tuple[CvCertificate, ...]], code: str
) -> None:
    with pytest.raises(PkiError) as raised:
        hierarchy.credentials(*held(hierarchy))
    assert raised.value.code == code


def test_a_chip_that_refuses_a_granted_file_is_refused(
    issue: Issue, hierarchy: Hierarchy, judge: Callable[[CardSnapshot], Report]
) -> None:
    # The chip was personalised with a trust point that grants nothing; the terminal's own copy grants the record.
    narrow = hierarchy.root(groups=None)
    snapshot = read(issue(narrow), hierarchy.credentials())
    assert outcome(snapshot) == (TerminalOutcome.SUCCEEDED, None)
    assert snapshot.files["EF.DG13"].outcome is FileOutcome.REFUSED
    report = judge(snapshot)
    assert (report.verdict, report.codes[0]) == (
        Verdict.REFUSED,
        "data-group.refused-despite-right",
    )


def test_a_card_without_protection_is_read_as_before(
    issued_card: CardImage, hierarchy: Hierarchy, judge: Callable[[CardSnapshot], Report]
) -> None:
    snapshot = read(issued_card, hierarchy.credentials())
    assert snapshot.terminal is None
    assert snapshot.files["EF.DG13"].outcome is FileOutcome.READ
    assert "EF.CVCA" not in snapshot.files
    assert judge(snapshot).verdict is Verdict.ACCEPTED
    assert judge(snapshot).notes == ()


@pytest.mark.parametrize("content", [bytes(36), b"\x42", b"", bytes(35), b"\x42\x03ABC".ljust(36)])
def test_a_malformed_ef_cvca_is_told_and_nothing_is_tried(
    issue: Issue,
    hierarchy: Hierarchy,
    judge: Callable[[CardSnapshot], Report],
    content: bytes,
) -> None:
    card = issue(hierarchy.root())
    path = DEFAULT.file("EF.CVCA").path
    spoilt = card.with_file(path, replace(card.files[path], data=content))
    snapshot = read(spoilt, hierarchy.credentials())
    assert outcome(snapshot) == (
        TerminalOutcome.NOT_ATTEMPTED,
        "terminal-authentication.trust-points-malformed",
    )
    report = judge(snapshot)
    assert report.verdict is Verdict.ACCEPTED
    assert state(report, CheckName.TERMINAL_AUTHENTICATION)[0] is CheckState.FAILED


def test_a_listed_file_that_was_left_out_without_cause_refuses_the_card(
    issued_card: CardImage, judge: Callable[[CardSnapshot], Report]
) -> None:
    snapshot = read(issued_card)
    for name in ("EF.DG13", "EF.DG11"):
        evidence = replace(snapshot.files[name], outcome=FileOutcome.NOT_REQUESTED, content=None)
        report = judge(replace(snapshot, files={**snapshot.files, name: evidence}))
        assert (report.verdict, report.codes[0]) == (Verdict.REFUSED, "data-group.missing")


class FailingSigner:
    """A token that was pulled out."""

    def __init__(self, credentials: TerminalCredentials) -> None:
        self.algorithm = credentials.signer.algorithm
        self.public_key = credentials.signer.public_key

    def sign(self, message: bytes) -> bytes:
        raise KeystoreError(f"{len(message)} bytes cannot be signed")


def test_a_key_that_fails_costs_the_right_and_not_the_reading(
    issue: Issue, hierarchy: Hierarchy, judge: Callable[[CardSnapshot], Report]
) -> None:
    good = hierarchy.credentials()
    snapshot = read(issue(hierarchy.root()), replace(good, signer=FailingSigner(good)))
    assert outcome(snapshot) == (TerminalOutcome.FAILED, "terminal-authentication.key-failed")
    report = judge(snapshot)
    assert report.verdict is Verdict.ACCEPTED
    assert "terminal-authentication.key-failed" in report.notes


class CutConnection:
    """A card that is taken away, or exchanged for another one, at one command."""

    def __init__(self, inner: CardConnection, at: int, other: CardConnection | None) -> None:
        self._inner, self._at, self._other, self._count = inner, at, other, 0

    @property
    def atr(self) -> bytes:
        return self._inner.atr

    def transmit(self, command: bytes) -> bytes:
        self._count += 1
        if self._count >= self._at:
            if self._other is None:
                raise TransportError("the card is gone")
            return self._other.transmit(command)
        return self._inner.transmit(command)

    def reset(self) -> bytes:
        return self._inner.reset()

    def close(self) -> None:
        self._inner.close()


class CutReader:
    name = "cut"

    def __init__(self, card: CardImage, at: int, other: CardImage | None) -> None:
        self._card, self._at, self._other = card, at, other

    def connect(self) -> CardConnection:
        other = None if self._other is None else SimulatedReader(VirtualCard(self._other)).connect()
        return CutConnection(SimulatedReader(VirtualCard(self._card)).connect(), self._at, other)

    def is_card_present(self) -> bool:
        return True


@pytest.mark.parametrize("is_swapped", [False, True])
def test_a_card_taken_or_swapped_at_any_command_gives_no_right_and_no_crash(
    issue: Issue,
    hierarchy: Hierarchy,
    judge: Callable[[CardSnapshot], Report],
    is_swapped: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    card = issue(hierarchy.root())
    credentials = hierarchy.credentials()
    total = read(card, credentials).apdu_count
    for at in range(1, total + 1):
        snapshot = read_card(
            CutReader(card, at, card if is_swapped else None),
            password=CardPassword.from_can(TEST_CAN),
            profile=DEFAULT,
            pace_parameter_ids=frozenset({12}),
            now=NOW,
            monotonic=time.monotonic,
            terminal=TerminalAccess(credentials=credentials),
        )
        report = judge(snapshot)
        assert report.codes or report.verdict is Verdict.ACCEPTED
        if snapshot.problem is not None:
            assert report.verdict is not Verdict.ACCEPTED
            assert snapshot.problem.code != "reading.broken"
            assert (snapshot.content("EF.DG13") is not None) <= (
                snapshot.terminal is not None
                and snapshot.terminal.outcome is TerminalOutcome.SUCCEEDED
            )
        else:
            # Before PACE two cards are one; after a lost chip authentication the other one is opened anew.
            assert snapshot.content("EF.DG13") is None or at <= 3
            assert report.verdict is Verdict.REFUSED or at <= 3


_TA_COMMANDS = ((0x22, 0x81), (0x2A, 0x00), (0x84, 0x00), (0x82, 0x00))


@pytest.mark.parametrize("at", range(7))
@pytest.mark.parametrize(
    "answer", ["", "00", "9000", "0102030405060708090a0b0c9000", "6f00", "ffff"]
)
def test_garbage_under_good_protection_gives_no_right_and_a_code(  # noqa: PLR0917 - four fixtures and two answers
    issue: Issue,
    hierarchy: Hierarchy,
    judge: Callable[[CardSnapshot], Report],
    monkeypatch: pytest.MonkeyPatch,
    at: int,
    answer: str,
) -> None:
    genuine = CardChannel.transmit
    count = 0

    def transmit(channel: CardChannel, command: CommandApdu) -> ResponseApdu:
        nonlocal count
        response = genuine(channel, command)
        if (command.ins, command.p1) not in _TA_COMMANDS:
            return response
        count += 1
        if count != at + 1:
            return response
        spoilt = ResponseApdu.from_bytes(bytes.fromhex(answer))
        if len(spoilt.data) > (command.expected_length or 0):
            raise CardDataError("longer than asked for", code="card.malformed-response")
        return spoilt

    monkeypatch.setattr(CardChannel, "transmit", transmit)
    snapshot = read(issue(hierarchy.root()), hierarchy.credentials())
    assert snapshot.problem is None
    report = judge(snapshot)
    is_good_answer = answer == "9000" and at != 5
    if is_good_answer:
        assert outcome(snapshot) == (TerminalOutcome.SUCCEEDED, None)
        return
    code = outcome(snapshot)[1]
    assert code in {
        "terminal-authentication.chain-refused",
        "terminal-authentication.refused",
        "terminal-authentication.malformed",
    }
    assert snapshot.content("EF.DG13") is None
    assert code in report.notes
    assert (report.verdict, report.assurance) == (Verdict.ACCEPTED, Assurance.DATA_AND_CHIP)


def test_a_chip_that_does_not_prove_itself_is_shown_nothing(
    issue: Issue, hierarchy: Hierarchy, judge: Callable[[CardSnapshot], Report]
) -> None:
    refusing = Fault(
        kind=FaultKind.INSTRUCTION_REFUSED, instruction=0x22, p1=0x41, status_word=0x6A81
    )
    card = replace(issue(hierarchy.root()), faults=(refusing,))
    snapshot = read(card, hierarchy.credentials())
    assert outcome(snapshot) == (
        TerminalOutcome.NOT_ATTEMPTED,
        "terminal-authentication.not-possible",
    )
    assert snapshot.files["EF.DG13"].outcome is FileOutcome.NOT_REQUESTED
    report = judge(snapshot)
    assert report.verdict is Verdict.REFUSED
    assert "chip-authentication.not-performed" in report.codes


def opened(card: CardImage) -> tuple[CardChannel, SessionBinding]:
    """A session of PACE with the application selected, and its keys."""
    channel = CardChannel(SimulatedReader(VirtualCard(card)).connect())
    result = perform_pace(
        channel, pace_info=PaceInfo(parameter_id=12), password=PacePassword.can(TEST_CAN)
    )
    select_application(channel, DEFAULT.application_identifier)
    return channel, SessionBinding(
        chip_key=result.chip_public_key, terminal_key=result.own_public_key
    )


def prove(channel: CardChannel, binding: SessionBinding, credentials: TerminalCredentials) -> None:
    chain = credentials.chain_from((b"VNMEMBER00001",), on=NOW.date())
    perform_terminal_authentication(
        channel,
        chain=[
            CertificateToShow(
                authority_reference=item.body.authority_reference.to_bytes(),
                content=item.to_value(),
            )
            for item in chain.certificates
        ],
        holder_reference=credentials.holder_reference.to_bytes(),
        binding=binding,
        sign=credentials.sign,
    )


def test_the_card_refuses_a_terminal_before_chip_authentication(
    issue: Issue, hierarchy: Hierarchy
) -> None:
    channel, binding = opened(issue(hierarchy.root()))
    with pytest.raises(TerminalRefusedError) as raised:
        prove(channel, binding, hierarchy.credentials())
    assert raised.value.code == "terminal-authentication.chain-refused"


def authenticate_chip(channel: CardChannel) -> bytes:
    content = read_file(channel, short_identifier=0x0E)
    infos = SecurityOptions.from_bytes(content or b"").security_infos
    return perform_chip_authentication(
        channel,
        info=infos.chip_authentication_infos[0],
        public_key_info=infos.chip_authentication_keys[0],
    )


def test_a_session_takes_one_terminal_and_only_with_its_own_keys(
    issue: Issue, hierarchy: Hierarchy
) -> None:
    credentials = hierarchy.credentials()
    channel, binding = opened(issue(hierarchy.root()))
    own = replace(binding, terminal_key=authenticate_chip(channel))
    with pytest.raises(CardRefusedError):
        read_file(channel, short_identifier=0x0D)
    prove(channel, own, credentials)
    assert read_file(channel, short_identifier=0x0D)
    with pytest.raises(TerminalRefusedError):
        prove(channel, own, credentials)

    channel, binding = opened(issue(hierarchy.root()))
    authenticate_chip(channel)
    # The keys of another session, and of PACE in the place of chip authentication's, prove nothing.
    with pytest.raises(TerminalRefusedError) as raised:
        prove(channel, binding, credentials)
    assert raised.value.code == "terminal-authentication.refused"
    with pytest.raises(CardRefusedError):
        read_file(channel, short_identifier=0x0D)


def recorded(
    card: CardImage, credentials: TerminalCredentials | None
) -> tuple[CardSnapshot, Transcript]:
    record = RecordedConversation(time.monotonic)
    snapshot = read_card(
        SimulatedReader(VirtualCard(card)),
        password=CardPassword.from_can(TEST_CAN),
        profile=DEFAULT,
        pace_parameter_ids=frozenset({12, 13}),
        now=NOW,
        monotonic=time.monotonic,
        terminal=TerminalAccess(credentials=credentials),
        conversation=record,
    )
    settings = ReadingSettings(
        profile=DEFAULT.name,
        read_at=NOW,
        path=AccessPath.PACE_CAN,
        pace_parameter_ids=frozenset({12, 13}),
        allow_bac=False,
        has_credentials=credentials is not None,
        needed=None,
    )
    text = Transcript.of(record, snapshot, settings=settings).to_text()
    return snapshot, Transcript.from_text(text)


def test_the_transcript_of_a_terminals_proof_replays_without_its_key(
    issue: Issue, hierarchy: Hierarchy
) -> None:
    card = issue(hierarchy.root())
    refused = replace(card, faults=(Fault(kind=FaultKind.INSTRUCTION_REFUSED, instruction=0x82),))
    for image, credentials in (
        (card, hierarchy.credentials()),
        (card, Hierarchy(mnemonic="OTHER").credentials()),
        (card, None),
        (refused, hierarchy.credentials()),
    ):
        snapshot, transcript = recorded(image, credentials)
        again = transcript.replay(DEFAULT)
        assert outcome_of(again) == outcome_of(snapshot)
        assert again.terminal == snapshot.terminal
