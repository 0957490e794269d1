"""Benchmarks of the terminal: inspections of a stream of virtual cards of membercard-1 with 16 kB portraits.

Each inspection is PACE, chip authentication, terminal authentication with two certificates, all files, and the report.
"""

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
from card_layout.transport.connection import CardReader
from pki.certificates.trust import TrustAnchors
from simulators.card.reply import Reply
from simulators.card.secure_messaging import SecureMessaging
from simulators.card.session_cipher import AesCipher
from simulators.card.status import StatusWord
from simulators.image import CardImage
from simulators.issued_image import TestAuthority, issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import TEST_POLICY
from tests.benchmarks.calls import CallRecorder, bare_seconds, cipher_and_mac, necessary_calls
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

PROFILE = load_profile("membercard-1")
CAN = "271828"
_SHOWN_CERTIFICATES = 2
"""The document verifier's and the terminal's own."""

_CARDS = 200
"""More than any cache over the contents of cards keeps: a stream of cards has no two alike."""

_PORTRAITS = 8
_NECESSARY = {"drawn": 2, "derived": 1, "products": 4}
"""The keys of the mapping and of chip authentication, and the nonce; the mapping, both of the agreement, chip authentication."""


class CardStream:
    """Genuine cards of one signer, the trust that accepts them, and a terminal that they trust."""

    def __init__(self, *, cards: int = _CARDS) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.authority = TestAuthority.create(now=self.now - timedelta(days=1))
        hierarchy = Hierarchy(day=self.now.date())
        self.terminal = TerminalAccess(credentials=hierarchy.credentials())
        root = hierarchy.root()
        members = [
            draw_member(Random(number), serial_number=number) for number in range(_PORTRAITS)
        ]
        self.images = [
            protected_card(
                issue_image(
                    replace(
                        members[number % _PORTRAITS],
                        place_of_birth=f"{members[number % _PORTRAITS].place_of_birth} {number}",
                    ),
                    authority=self.authority,
                    random=Random(number),
                    can=CAN,
                    profile=PROFILE,
                ),
                root,
                authority=self.authority,
                current_date=self.now.date(),
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
        return self.read_from(reader), reader

    def read_from(self, reader: CardReader) -> CardSnapshot:
        """Read the card in a reader, all files of which have to be given."""
        snapshot = read_card(
            reader,
            password=CardPassword.from_can(CAN),
            profile=PROFILE,
            pace_parameter_ids=self.policy.pace_parameter_ids,
            now=self.now,
            monotonic=time.monotonic,
            terminal=self.terminal,
        )
        if snapshot.content("EF.DG13") is None:
            raise AssertionError("the terminal did not read the protected file")
        return snapshot

    def judge(self, snapshot: CardSnapshot) -> Report:
        """Judge one card, which has to be accepted."""
        report = inspect(
            snapshot, trust=self.anchors, policy=self.policy, now=self.now, purpose=None
        )
        if report.verdict is not Verdict.ACCEPTED:
            raise AssertionError(report.codes)
        return report


def measure_inspecting(announce: Announce) -> Iterator[Record]:
    """card.inspect.apdus, card.inspect.cpu (and .necessary), protocol.secure_messaging.apdu, verifier.judge."""
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
        baseline=least_apdus(PROFILE, sizes, shown_certificates=_SHOWN_CERTIFICATES),
        unit="APDUs",
        goal=1.05,
    )
    images = itertools.cycle(stream.images)
    necessary = necessary_calls(recorder.counts, **_NECESSARY)
    for name, calls, goal in (
        ("card.inspect.cpu", recorder.counts, 1.5),
        ("card.inspect.cpu.necessary", necessary, None),
    ):
        announce(f"{name}: 31 rounds of 4 cards")
        yield compare(
            name,
            value=lambda: sum(_terminal_seconds(stream, next(images)) for _ in range(4)) / 4,
            baseline=bare_seconds(
                calls,
                curve=ec.SECP256R1(),
                exchanges=reader.exchanges,
                hashed=_data_groups(snapshot),
            ),
            unit="s",
            goal=goal,
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
