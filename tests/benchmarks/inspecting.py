"""Benchmarks of the terminal: one inspection of a virtual card with a 16 kB portrait."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.profile import load_profile
from card_layout.transport.connection import CardConnection
from pki.certificates.trust import TrustAnchors
from pki.signed.security_object import SecurityObject
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage
from simulators.issued_image import TestAuthority, issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import TEST_POLICY
from tests.benchmarks.calls import bare_seconds, record_calls
from tests.benchmarks.measure import Record, compare, counted, cpu_seconds
from verifier.inspection.policy import Policy
from verifier.inspection.report import Report, Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.card_reading import read_card
from verifier.reading.least import least_apdus
from verifier.services.card_password import CardPassword

__all__ = ["BenchedCard", "measure_inspecting"]

PROFILE = load_profile("membercard-1-icao")
CAN = "271828"
_PROTECTED_CLA = 0x0C
_SECURE_MESSAGING_BYTES = 14 + 5
"""Status, MAC, and what stands before a long ciphertext in a protected answer."""


class WatchedReader:
    """A reader that notes the lengths of what went over the wire in a protected session."""

    def __init__(self, image: CardImage) -> None:
        self.name = "bench"
        self._inner = SimulatedReader(VirtualCard(image))
        self.messages: list[tuple[int, int]] = []

    def is_card_present(self) -> bool:
        return True

    def connect(self) -> CardConnection:
        inner = self._inner.connect()
        messages = self.messages

        class Watched:
            atr = inner.atr

            def transmit(self, command: bytes) -> bytes:
                answer = inner.transmit(command)
                if command[0] & _PROTECTED_CLA == _PROTECTED_CLA:
                    messages.append((_plain(len(command) - 7), _plain(len(answer) - 2)))
                return answer

            def reset(self) -> bytes:
                return inner.reset()

            def close(self) -> None:
                inner.close()

        return Watched()


def _plain(protected: int) -> int:
    return max(0, protected - _SECURE_MESSAGING_BYTES) // 16 * 16


class BenchedCard:
    """A genuine card, the trust that accepts it, and what an inspection does with both."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.authority = TestAuthority.create(now=self.now)
        member = draw_member(Random(7), serial_number=7)
        self.image = issue_image(member, authority=self.authority, random=Random(7), can=CAN)
        self.policy = Policy.from_bytes(TEST_POLICY.encode())
        self.anchors = TrustAnchors.from_bytes(
            certificates=[self.authority.root.certificate],
            crls=[self.authority.revocation_list(now=self.now)],
        )

    def read(self, reader: WatchedReader | None = None) -> CardSnapshot:
        return read_card(
            reader or WatchedReader(self.image),
            password=CardPassword.from_can(CAN),
            profile=PROFILE,
            pace_parameter_ids=self.policy.pace_parameter_ids,
            now=self.now,
            monotonic=time.monotonic,
        )

    def judge(self, snapshot: CardSnapshot) -> Report:
        return inspect(snapshot, trust=self.anchors, policy=self.policy, now=self.now, purpose=None)

    def inspect(self) -> None:
        report = self.judge(self.read())
        if report.verdict is not Verdict.ACCEPTED:
            raise AssertionError(report.codes)


def measure_inspecting() -> Iterator[Record]:
    """card.inspect.apdus, card.inspect.cpu, verifier.judge."""
    card = BenchedCard()
    reader = WatchedReader(card.image)
    with record_calls() as calls:
        snapshot = card.read(reader)
        card.judge(snapshot)
    sizes = {name: len(file.content or b"") for name, file in snapshot.files.items()}
    yield counted(
        "card.inspect.apdus",
        value=snapshot.apdu_count,
        baseline=least_apdus(PROFILE, sizes),
        unit="APDUs",
        goal=1.05,
    )
    hashed = [size for name, size in sizes.items() if name.startswith("EF.DG")]
    yield compare(
        "card.inspect.cpu",
        value=lambda: cpu_seconds(card.inspect),
        baseline=bare_seconds(
            calls, curve=ec.SECP256R1(), messages=reader.messages, hashed_bytes=hashed
        ),
        unit="s",
        goal=1.5,
        rounds=31,
    )
    yield compare(
        "verifier.judge",
        value=lambda: cpu_seconds(lambda: card.judge(snapshot)),
        baseline=_one_verification(snapshot),
        unit="s",
        goal=1.8,
        rounds=101,
    )


def _one_verification(snapshot: CardSnapshot) -> Callable[[], float]:
    """One ECDSA verification with a key at hand, and the hashes of the files: the floor of judging."""
    content_info = (snapshot.files["EF.SOD"].content or b"")[4:]
    security_object = SecurityObject.from_bytes(content_info)
    certificate = x509.load_der_x509_certificate(security_object.signer_certificate)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("the bench's signer has no EC key")
    own = ec.generate_private_key(ec.SECP256R1())
    signature = own.sign(b"floor", ec.ECDSA(hashes.SHA256()))
    public = own.public_key()
    contents = [
        file.content
        for name, file in snapshot.files.items()
        if name.startswith("EF.DG") and file.content is not None
    ]

    def work() -> None:
        public.verify(signature, b"floor", ec.ECDSA(hashes.SHA256()))
        for content in contents:
            digest = hashes.Hash(hashes.SHA256())
            digest.update(content)
            digest.finalize()

    return lambda: cpu_seconds(work)
