"""Benchmarks of the terminal: inspections of a stream of virtual cards with 16 kB portraits."""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.secure_messaging import SecureMessagingSession
from card_layout.profile import load_profile
from pki.certificates.trust import TrustAnchors
from simulators.card.reply import Reply
from simulators.card.secure_messaging import SecureMessaging
from simulators.card.session_cipher import AesCipher
from simulators.card.status import StatusWord
from simulators.image import CardImage
from simulators.issued_image import TestAuthority, issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import TEST_POLICY
from tests.benchmarks.calls import CallRecorder, bare_seconds, cipher_and_mac
from tests.benchmarks.measure import Announce, Record, compare, counted, cpu_seconds
from tests.benchmarks.wire import WatchedReader
from tests.unit.verifier.terminal_hierarchy import Hierarchy, protected_card
from verifier.inspection.policy import Policy
from verifier.inspection.report import Report, Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.card_reading import read_card
from verifier.reading.least import least_apdus
from verifier.reading.terminal_proof import TerminalAccess
from verifier.services.card_password import CardPassword

__all__ = ["CardStream", "measure_inspecting"]

PROFILE = load_profile("membercard-1-icao")
PROTECTED = load_profile("membercard-1")
CAN = "271828"
_CARDS = 200
"""More than any cache over the contents of cards keeps: a stream of cards has no two alike."""

_PORTRAITS = 8


class CardStream:
    """Genuine cards of one signer, and the trust that accepts them."""

    def __init__(self, *, cards: int = _CARDS) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.authority = TestAuthority.create(now=self.now - timedelta(days=1))
        members = [
            draw_member(Random(number), serial_number=number) for number in range(_PORTRAITS)
        ]
        self.images = [
            issue_image(
                replace(
                    members[number % _PORTRAITS],
                    place_of_birth=f"{members[number % _PORTRAITS].place_of_birth} {number}",
                ),
                authority=self.authority,
                random=Random(number),
                can=CAN,
                signing_time=self.authority.created_at + timedelta(seconds=number),
            )
            for number in range(cards)
        ]
        self.policy = Policy.from_bytes(TEST_POLICY.encode())
        self.anchors = TrustAnchors.from_bytes(
            certificates=[self.authority.root.certificate],
            crls=[self.authority.revocation_list(now=self.now)],
        )

    def read(
        self, image: CardImage, aside: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> tuple[CardSnapshot, WatchedReader]:
        """Read one card, and give back the reader that watched."""
        reader = WatchedReader(image, aside)
        snapshot = read_card(
            reader,
            password=CardPassword.from_can(CAN),
            profile=PROFILE,
            pace_parameter_ids=self.policy.pace_parameter_ids,
            now=self.now,
            monotonic=time.monotonic,
        )
        return snapshot, reader

    def judge(self, snapshot: CardSnapshot) -> Report:
        """Judge one card, which has to be accepted."""
        report = inspect(
            snapshot, trust=self.anchors, policy=self.policy, now=self.now, purpose=None
        )
        if report.verdict is not Verdict.ACCEPTED:
            raise AssertionError(report.codes)
        return report


def measure_inspecting(announce: Announce) -> Iterator[Record]:
    """card.inspect.apdus, card.inspect.apdus.terminal, card.inspect.cpu, protocol.secure_messaging.apdu, verifier.judge."""
    announce(f"issuing a stream of {_CARDS} virtual cards")
    stream = CardStream()
    stream.judge(stream.read(stream.images[0])[0])
    recorder = CallRecorder()
    with recorder.recording():
        snapshot, reader = stream.read(stream.images[1], recorder.paused)
        stream.judge(snapshot)
    announce(f"one inspection: {recorder}; {len(reader.exchanges)} protected exchanges")
    contents = {name: file.content or b"" for name, file in snapshot.files.items()}
    sizes = {name: len(content) for name, content in contents.items()}
    yield counted(
        "card.inspect.apdus",
        value=snapshot.apdu_count,
        baseline=least_apdus(PROFILE, sizes),
        unit="APDUs",
        goal=1.05,
    )
    yield _count_with_terminal_authentication(stream)
    announce("card.inspect.cpu: 31 rounds of 4 cards")
    images = itertools.cycle(stream.images)
    yield compare(
        "card.inspect.cpu",
        value=lambda: sum(_terminal_seconds(stream, next(images)) for _ in range(4)) / 4,
        baseline=bare_seconds(
            recorder,
            curve=ec.SECP256R1(),
            exchanges=reader.exchanges,
            hashed=_data_groups(snapshot),
        ),
        unit="s",
        goal=1.5,
        rounds=31,
    )
    announce("protocol.secure_messaging.apdu: 51 rounds of the exchanges of one inspection")
    yield _measure_secure_messaging(reader)
    announce(f"verifier.judge: reading {_CARDS} cards, then 21 rounds")
    snapshots = [stream.read(image)[0] for image in stream.images]
    yield compare(
        "verifier.judge",
        value=lambda: _per_item(stream.judge, snapshots),
        baseline=_verification_and_hashes([_data_groups(item) for item in snapshots]),
        unit="s",
        goal=1.8,
        rounds=21,
    )


def _count_with_terminal_authentication(stream: CardStream) -> Record:
    """PACE, chip authentication, terminal authentication with two certificates, and all files."""
    hierarchy = Hierarchy(day=stream.now.date())
    member = draw_member(Random(0), serial_number=0)
    card = protected_card(
        issue_image(
            member, authority=stream.authority, random=Random(0), can=CAN, profile=PROTECTED
        ),
        hierarchy.root(),
        authority=stream.authority,
        current_date=stream.now.date(),
        signing_time=stream.authority.created_at,
    )
    credentials = hierarchy.credentials()
    snapshot = read_card(
        WatchedReader(card, nullcontext),
        password=CardPassword.from_can(CAN),
        profile=PROTECTED,
        pace_parameter_ids=stream.policy.pace_parameter_ids,
        now=stream.now,
        monotonic=time.monotonic,
        terminal=TerminalAccess(credentials=credentials),
    )
    if snapshot.content("EF.DG13") is None:
        raise AssertionError("the terminal did not read the protected file")
    sizes = {name: len(file.content or b"") for name, file in snapshot.files.items()}
    return counted(
        "card.inspect.apdus.terminal",
        value=snapshot.apdu_count,
        baseline=least_apdus(PROTECTED, sizes, shown_certificates=2),
        unit="APDUs",
        goal=1.05,
    )


def _terminal_seconds(stream: CardStream, image: CardImage) -> float:
    """CPU time of all threads for one inspection, without what the virtual card took."""
    begin = time.process_time()
    snapshot, reader = stream.read(image)
    stream.judge(snapshot)
    return time.process_time() - begin - reader.card_seconds


def _per_item(work: Callable[[CardSnapshot], object], items: list[CardSnapshot]) -> float:
    def all_of_them() -> None:
        for item in items:
            work(item)

    return cpu_seconds(all_of_them) / len(items)


def _data_groups(snapshot: CardSnapshot) -> list[bytes]:
    return [
        file.content
        for name, file in snapshot.files.items()
        if name.startswith("EF.DG") and file.content is not None
    ]


def _verification_and_hashes(cards: list[list[bytes]]) -> Callable[[], float]:
    """One ECDSA verification with the key at hand, and the hashes of the files: the floor of judging a card."""
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = key.public_key()
    ecdsa = ec.ECDSA(hashes.SHA256())
    message = bytes(135)
    signature = key.sign(message, ecdsa)

    def work() -> None:
        for files in cards:
            public_key.verify(signature, message, ecdsa)
            for content in files:
                hashlib.sha256(content).digest()

    return lambda: cpu_seconds(work) / len(cards)


@dataclass(frozen=True, kw_only=True)
class _Replay:
    """Commands of a session, and the answers that a card's side made under the same keys."""

    commands: list[CommandApdu]
    answers: list[ResponseApdu]

    def terminal_seconds(self) -> float:
        """CPU time of wrapping all commands and unwrapping all answers."""
        session = SecureMessagingSession(_KEY, _KEY)

        def work() -> None:
            for command, answer in zip(self.commands, self.answers, strict=True):
                session.wrap(command)
                session.unwrap(answer)

        return cpu_seconds(work) / len(self.commands)


_KEY = bytes(range(16))


def _measure_secure_messaging(reader: WatchedReader) -> Record:
    """Wrap and unwrap of the exchanges of an inspection, against their AES and CMAC calls."""
    card = SecureMessaging(AesCipher(encryption_key=_KEY, mac_key=_KEY))
    chance = Random(4)
    commands: list[CommandApdu] = []
    answers: list[ResponseApdu] = []
    for exchange in reader.exchanges:
        data = bytes(max(0, exchange.command[0] - 1))
        commands.append(CommandApdu(cla=0, ins=0xB0, p1=0, p2=0, data=data, expected_length=256))
        # The card counts a command before its answer.
        card._send_sequence_counter += 1
        reply = Reply(
            status_word=StatusWord.SUCCESS, data=chance.randbytes(max(0, exchange.answer[0] - 1))
        )
        answers.append(ResponseApdu(card.wrap(reply), StatusWord.SUCCESS))
    replay = _Replay(commands=commands, answers=answers)
    bare = cipher_and_mac(reader.exchanges)
    return compare(
        "protocol.secure_messaging.apdu",
        value=replay.terminal_seconds,
        baseline=lambda: cpu_seconds(bare) / len(commands),
        unit="s",
        goal=2.0,
        rounds=51,
    )
