"""Every fault at every command ends in a report with stable codes, and its transcript replays without the card."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.profile import load_profile
from pki.certificates.trust import TrustAnchors
from pki.signed.security_object import SecurityObject
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.faults import IN_CARD, Fault, FaultKind
from simulators.forge import ForgeKind, forge
from simulators.image import CardImage
from simulators.issued_image import issue_image
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import TEST_POLICY
from verifier.inspection.codes import CODES
from verifier.inspection.policy import Policy
from verifier.inspection.report import Report, Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.card_reading import read_card
from verifier.reading.recording import RecordedConversation
from verifier.reading.transcript_events import TranscriptError
from verifier.reading.transcript_file import ReadingSettings, Transcript, outcome_of
from verifier.services.card_password import CardPassword

NOW = TEST_TIME + timedelta(days=1)
PROFILE = load_profile("membercard-1-icao")
POLICY = Policy.from_bytes(TEST_POLICY.encode())
MAX_APDUS = 2000
LAST_COMMAND = 22
ON_THE_WIRE = sorted(set(FaultKind) - IN_CARD)
PORTRAIT = "A0000002471001/0102"
SAMPLE = (1, 3, 5, 8, 9, 11, 13, 15, 18, LAST_COMMAND)


@dataclass(frozen=True)
class Read:
    """One recorded reading, and its transcript as the file has it."""

    snapshot: CardSnapshot
    text: str

    @property
    def transcript(self) -> Transcript:
        return Transcript.from_text(self.text)


def read(
    image: CardImage,
    *,
    faults: Sequence[Fault] = (),
    other: CardImage | None = None,
    password: CardPassword | None = None,
    now: datetime = NOW,
) -> Read:
    password = CardPassword.from_can(TEST_CAN) if password is None else password
    reader = SimulatedReader(
        VirtualCard(image),
        faults=faults,
        sleep=lambda _seconds: None,
        other=None if other is None else VirtualCard(other),
    )
    record = RecordedConversation(time.monotonic)
    snapshot = read_card(
        reader,
        password=password,
        profile=PROFILE,
        pace_parameter_ids=POLICY.pace_parameter_ids,
        now=now,
        monotonic=time.monotonic,
        conversation=record,
    )
    settings = ReadingSettings(
        profile=PROFILE.name,
        read_at=now,
        path=password.path,
        pace_parameter_ids=POLICY.pace_parameter_ids,
        allow_bac=POLICY.allow_bac,
        has_credentials=False,
        needed=None,
    )
    return Read(
        snapshot=snapshot, text=Transcript.of(record, snapshot, settings=settings).to_text()
    )


@pytest.fixture(scope="session")
def anchors(test_pki: TestAuthority) -> TrustAnchors:
    return TrustAnchors.from_bytes(
        certificates=(test_pki.root.certificate,), crls=(test_pki.revocation_list(now=NOW),)
    )


@pytest.fixture(scope="session")
def second_card(test_pki: TestAuthority, synthetic_member: SyntheticMember) -> CardImage:
    """A genuine card, too, and another one; its CAN is the same, so that it could be opened."""
    return issue_image(synthetic_member, authority=test_pki, random=Random(77), can=TEST_CAN)


def must_replay(found: Read) -> None:
    again = found.transcript.replay(PROFILE)
    assert outcome_of(again) == outcome_of(found.snapshot)
    assert set(again.phase_seconds) == set(found.snapshot.phase_seconds)


def must_be_judged(found: Read, anchors: TrustAnchors) -> Report:
    report = inspect(found.snapshot, trust=anchors, policy=POLICY, now=NOW)
    assert set(report.codes) <= CODES.keys()
    assert found.snapshot.apdu_count <= MAX_APDUS
    assert bool(report.codes) is (report.verdict is not Verdict.ACCEPTED)
    return report


def fault_of(kind: FaultKind, at: int) -> Fault:
    return Fault(kind=kind, at=at, bit=11 * at, milliseconds=5, response=b"\x04\x90\x00")


def must_end_well(kind: FaultKind, at: int, card: CardImage, anchors: TrustAnchors) -> None:
    found = read(card, faults=(fault_of(kind, at),))
    report = must_be_judged(found, anchors)
    if kind is FaultKind.DELAY or (kind is FaultKind.TEAR_AFTER and at == LAST_COMMAND):
        assert report.verdict is Verdict.ACCEPTED
    elif at > (3 if kind is FaultKind.SWAP else 2):
        # EF.CardAccess and EF.ATR/INFO may be read again, or be done without, and a card with the same data may
        # take the place of another as long as nothing was agreed; what follows cannot be disturbed.
        assert report.verdict is not Verdict.ACCEPTED, f"{kind} at {at}"
    must_replay(found)


@pytest.mark.parametrize("kind", ON_THE_WIRE)
def test_a_fault_on_the_wire_is_never_accepted_and_its_transcript_replays(
    kind: FaultKind, issued_card: CardImage, anchors: TrustAnchors
) -> None:
    for at in SAMPLE:
        must_end_well(kind, at, issued_card, anchors)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ON_THE_WIRE)
@pytest.mark.parametrize("at", range(1, LAST_COMMAND + 1))
def test_a_fault_at_every_command_is_never_accepted_and_its_transcript_replays(
    kind: FaultKind, at: int, issued_card: CardImage, anchors: TrustAnchors
) -> None:
    must_end_well(kind, at, issued_card, anchors)


def test_the_faults_reach_to_the_last_command(issued_card: CardImage) -> None:
    assert read(issued_card).snapshot.apdu_count == LAST_COMMAND


@pytest.mark.parametrize("at", SAMPLE)
def test_a_card_swapped_for_another_genuine_one_is_never_accepted(
    at: int, issued_card: CardImage, second_card: CardImage, anchors: TrustAnchors
) -> None:
    found = read(issued_card, faults=(Fault(kind=FaultKind.SWAP, at=at),), other=second_card)
    report = must_be_judged(found, anchors)
    # Before PACE nothing is said that belongs to one card: all cards of a profile are alike till then.
    assert (report.verdict is Verdict.ACCEPTED) is (at <= 3)
    must_replay(found)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.SHRINKING_FILE, path=PORTRAIT),
        Fault(kind=FaultKind.OVERLONG_LENGTH, path=PORTRAIT),
        Fault(kind=FaultKind.OVERLONG_LENGTH, path="3F00/011C"),
        Fault(kind=FaultKind.INSTRUCTION_REFUSED, instruction=0xB0, status_word=0x6982),
    ],
    ids=lambda fault: f"{fault.kind.value} {fault.path}",
)
def test_a_fault_of_the_card_itself_is_never_accepted_and_its_transcript_replays(
    fault: Fault, issued_card: CardImage, anchors: TrustAnchors
) -> None:
    found = read(replace(issued_card, faults=(fault,)))
    assert must_be_judged(found, anchors).verdict is Verdict.REFUSED
    must_replay(found)


@pytest.mark.parametrize("kind", list(ForgeKind), ids=lambda kind: kind.value)
def test_the_transcript_of_a_forged_card_replays(kind: ForgeKind, test_pki: TestAuthority) -> None:
    image = forge(kind, authority=test_pki, random=Random(3), can=TEST_CAN)
    must_replay(read(image))


def test_the_transcript_of_a_card_opened_by_its_zone_replays(issued_card: CardImage) -> None:
    information = issued_card.secrets.mrz_information
    assert information is not None
    found = read(issued_card, password=CardPassword.from_mrz(information))
    must_replay(found)
    must_replay(read(issued_card, password=CardPassword.from_can("000000")))


def test_a_transcript_holds_no_secret_and_nothing_of_the_holder(
    issued_card: CardImage, synthetic_member: SyntheticMember, anchors: TrustAnchors
) -> None:
    information = issued_card.secrets.mrz_information
    assert information is not None
    found = read(issued_card, password=CardPassword.from_mrz(information))
    report = must_be_judged(found, anchors)
    assert report.holder is not None
    holder = report.holder
    secrets = [
        TEST_CAN,
        information,
        information[:9],
        synthetic_member.citizen_number,
        synthetic_member.card_number,
        str(holder.full_name),
        str(holder.home_town),
    ]
    stored = bytes.fromhex("".join(re.findall(r'"data": "([0-9A-F]*)"', found.text)))
    for secret in secrets:
        assert secret not in found.text
        assert secret.encode() not in stored
    chunks = 0
    for name, item in found.snapshot.files.items():
        if name not in {"EF.DG1", "EF.DG2", "EF.DG11", "EF.DG13"}:
            continue
        assert item.content is not None
        for start in range(4, len(item.content) - 8, 8):
            piece = item.content[start : start + 8]
            if any(piece):
                chunks += 1
                assert piece not in stored, name
    assert chunks > 1000
    key = found.snapshot.chip.public_key
    assert key is not None
    assert key[-64:] not in stored


def test_what_finds_a_card_is_not_in_its_transcript(
    issued_card: CardImage,
) -> None:
    """Not the digests of its files, its signature, its status reference, or the second of its signing."""
    found = read(issued_card)
    stored = bytes.fromhex("".join(re.findall(r'"data": "([0-9A-F]*)"', found.text)))
    content = found.snapshot.content("EF.SOD")
    assert content is not None
    security_object = SecurityObject.from_bytes(SecurityObjectFile.from_bytes(content).content_info)
    reference = security_object.status_reference
    assert reference is not None
    assert security_object.signing_time is not None
    for secret in (
        *security_object.file_hashes.values(),
        security_object.signature,
        security_object.message_digest,
        reference.list_id,
        f"{security_object.signing_time:%y%m%d%H%M%SZ}".encode(),
    ):
        assert secret in content
        assert secret not in stored


LINES = {
    "a command with another header": ('"header": "00B09C00"', '"header": "00B09D00"'),
    "a command of another length": ('"command_bytes": 18', '"command_bytes": 19'),
    "another status word": ('"response_bytes": 22, "status_word": "9000"', '"response_bytes": 22, "status_word": "6A82"'),
    "another outcome": ('"chip": "proven"', '"chip": "failed"'),
}  # fmt: skip


@pytest.mark.parametrize("change", LINES.values(), ids=LINES.keys())
def test_a_transcript_that_was_changed_diverges(
    change: tuple[str, str], issued_card: CardImage
) -> None:
    text = read(issued_card).text
    changed = text.replace(*change, 1)
    assert changed != text
    with pytest.raises(TranscriptError) as caught:
        Transcript.from_text(changed).replay(PROFILE)
    assert caught.value.code == "transcript.diverged"


def test_a_transcript_without_a_line_diverges(issued_card: CardImage) -> None:
    lines = read(issued_card).text.splitlines()
    for number in (1, 3, 9, len(lines) // 2, len(lines) - 2):
        with pytest.raises(TranscriptError) as caught:
            Transcript.from_text("\n".join(lines[:number] + lines[number + 1 :])).replay(PROFILE)
        assert caught.value.code == "transcript.diverged"


def test_a_line_that_breaks_the_format_is_refused(issued_card: CardImage, tmp_path: Path) -> None:
    del tmp_path
    lines = read(issued_card).text.splitlines()
    first, event, *_rest, last = lines
    for broken in (
        [],
        [first],
        [event, last],
        [first, "{}", last],
        [first, "[]", last],
        [first, event.replace('"seconds"', '"hours"'), last],
        [first, event.replace('"data": "', '"data": "zz'), last],
        [first, event.replace('"kind": "connect"', '"kind": "other"'), last],
        [first, event.replace('"kind"', '"kind": "file", "kind"'), last],
        [first, event, "null"],
        [first, event, event],
        [first.replace('"format": 1', '"format": 2'), event, last],
        [first.replace('"allow_bac": false', '"allow_bac": 0'), event, last],
        [first, event, last.replace('"judgement": null', '"judgement": {"codes": [1]}')],
    ):
        with pytest.raises(TranscriptError) as caught:
            Transcript.from_text("\n".join(broken))
        assert caught.value.code == "transcript.malformed"
