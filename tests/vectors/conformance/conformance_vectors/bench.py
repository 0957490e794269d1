"""What every vector of an inspection system needs: a right card to spoil, and the inspection of it.

A `CardDraft` is a right card; a case takes one and makes one thing in it wrong. It is read over the in-process
card and judged by the verifier as any other.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from random import Random

from conformance_vectors.security_objects import SecurityObjectDraft
from lint_vectors import drafts

from card_layout.files.common_data import CommonData
from card_layout.files.data_groups import TAG_OF_GROUP
from card_layout.profile import CardProfile, load_profile
from pki.certificates.trust import TrustAnchors
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage, ImageFile
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import TEST_POLICY
from verifier.inspection.checks import CheckState
from verifier.inspection.policy import Policy
from verifier.inspection.report import Report, Verdict, inspect
from verifier.reading.card_reading import read_card
from verifier.reading.terminal_proof import TerminalAccess
from verifier.services.card_password import CardPassword

NOW = TEST_TIME + timedelta(days=1)
PROFILE = load_profile("membercard-1-icao")
APPLICATION = "A0000002471001"
POLICY = Policy.from_bytes(TEST_POLICY.encode())

_PATHS = {
    "EF.CardAccess": "3F00/011C",
    "EF.CardSecurity": "3F00/011D",
    "EF.ATR/INFO": "3F00/2F01",
    "EF.COM": f"{APPLICATION}/011E",
    "EF.SOD": f"{APPLICATION}/011D",
    "EF.CVCA": f"{APPLICATION}/011C",
} | {f"EF.DG{number}": f"{APPLICATION}/01{number:02X}" for number in range(1, 17)}
_CAPACITY = 0x7FFF


@cache
def issued_image() -> CardImage:
    """A right card of the simulator; its security object is replaced by one of the vectors' own."""
    return issue_image(
        draw_member(Random(1), serial_number=1),
        authority=TestAuthority.create(now=TEST_TIME),
        random=Random(1),
        can=TEST_CAN,
    )


@cache
def issued_files() -> dict[str, bytes]:
    """The files of `issued_image` by name, EF.SOD left out."""
    image = issued_image()
    return {
        name: image.files[path].data
        for name, path in _PATHS.items()
        if path in image.files and name != "EF.SOD"
    }


Answers = Callable[[bytes, bytes], bytes]
"""Gives for a command and the card's answer the answer that arrives."""


@dataclass(frozen=True, kw_only=True)
class CardDraft:
    """A right card and how it is inspected; whatever differs from the defaults is what a vector is about."""

    files: dict[str, bytes | None] = field(default_factory=dict)
    signed_as: dict[str, bytes] = field(default_factory=dict)
    unlisted: frozenset[str] = frozenset()
    security_object: SecurityObjectDraft = field(default_factory=SecurityObjectDraft)
    security_object_file: Callable[[bytes], bytes] | None = None
    tag_list: tuple[int, ...] | None = None
    image: Callable[[CardImage], CardImage] = lambda image: image
    answers: Callable[[], Answers] | None = None
    chip: Callable[[CardImage], VirtualCard] = VirtualCard
    password: CardPassword = field(default_factory=lambda: CardPassword.from_can(TEST_CAN))
    authority: drafts.CertificateDraft = field(default_factory=drafts.csca_root)
    revocation_list: drafts.CrlDraft = field(default_factory=drafts.crl)
    policy: Policy = POLICY
    profile: CardProfile = PROFILE
    terminal: TerminalAccess = field(default_factory=TerminalAccess)

    def having(self, **fields: object) -> "CardDraft":
        return replace(self, **fields)

    def with_files(self, **contents: bytes | None) -> "CardDraft":
        """DG1="..." replaces or adds EF.DG1; ``None`` takes a file away."""
        named = {f"EF.{name}": content for name, content in contents.items()}
        return replace(self, files={**self.files, **named})

    def contents(self) -> dict[str, bytes]:
        """Every file but EF.SOD; EF.COM names the data groups unless a vector gives it or its list."""
        chosen = {**issued_files(), **self.files}
        groups = [n for n in TAG_OF_GROUP if chosen.get(f"EF.DG{n}") is not None]
        if "EF.COM" not in self.files:
            tags = tuple(TAG_OF_GROUP[number] for number in groups)
            listed = tags if self.tag_list is None else self.tag_list
            chosen["EF.COM"] = CommonData(data_group_tags=listed).to_bytes()
        return {name: content for name, content in chosen.items() if content is not None}

    def to_image(self) -> CardImage:
        """The card's memory."""
        contents = self.contents()
        groups = {
            number: self.signed_as.get(f"EF.DG{number}", contents[f"EF.DG{number}"])
            for number in TAG_OF_GROUP
            if f"EF.DG{number}" in contents and f"EF.DG{number}" not in self.unlisted
        }
        if "EF.SOD" not in self.files:
            security_object = self.security_object.to_bytes(groups)
            if self.security_object_file is not None:
                security_object = self.security_object_file(security_object)
            contents["EF.SOD"] = security_object
        issued = issued_image()
        files = {_PATHS[name]: self._file(name, content) for name, content in contents.items()}
        return self.image(replace(issued, files=files))

    @staticmethod
    def _file(name: str, content: bytes) -> ImageFile:
        path = _PATHS[name]
        known = issued_image().files.get(path)
        if known is not None:
            return replace(known, data=content, capacity=max(known.capacity, len(content)))
        return ImageFile(data=content, short_identifier=int(path[-2:], 16), capacity=_CAPACITY)

    def inspect(self) -> Report:
        """Read and judge it."""
        reader = SimulatedReader(self.chip(self.to_image()))
        snapshot = read_card(
            reader if self.answers is None else MeddledReader(reader, self.answers()),
            password=self.password,
            profile=self.profile,
            pace_parameter_ids=self.policy.pace_parameter_ids,
            now=NOW,
            monotonic=time.monotonic,
            allow_bac=self.policy.allow_bac,
            terminal=self.terminal,
        )
        trust = TrustAnchors.from_bytes(
            certificates=(self.authority.to_bytes(),), crls=(self.revocation_list.to_bytes(),)
        )
        return inspect(snapshot, trust=trust, policy=self.policy, now=NOW)


class MeddledConnection:
    """A connection on which the card's answers are changed as a vector says."""

    def __init__(self, connection: object, answers: Answers) -> None:
        self._connection = connection
        self._answers = answers

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def transmit(self, command: bytes) -> bytes:
        return self._answers(command, self._connection.transmit(command))


class MeddledReader:
    """A reader whose card answers as a vector says."""

    def __init__(self, reader: SimulatedReader, answers: Answers) -> None:
        self._reader = reader
        self._answers = answers

    def __getattr__(self, name: str) -> object:
        return getattr(self._reader, name)

    def connect(self) -> MeddledConnection:
        return MeddledConnection(self._reader.connect(), self._answers)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One vector: a card, the verdict owed, and the codes of every check that fails on it."""

    card: Callable[[], CardDraft | tuple[CardDraft, ...]]
    verdict: Verdict
    codes: frozenset[str]
    reason: str
    notes: frozenset[str] = frozenset()
    """What the report must say beside its verdict."""

    def run(self) -> None:
        """Inspect the card, or each of several; one that shows anything else than its one fault raises."""
        cards = self.card()
        for card in cards if isinstance(cards, tuple) else (cards,):
            self._judge(card.inspect())

    def _judge(self, report: Report) -> None:
        failed = {check.code for check in report.checks if check.state is CheckState.FAILED}
        assert report.verdict is self.verdict, (report.verdict, report.codes)
        assert self.notes <= set(report.notes), report.notes
        if self.verdict is Verdict.ACCEPTED:
            assert report.codes == ()
        else:
            assert self.codes <= set(report.codes), report.codes
            assert failed <= self.codes, failed
            assert report.codes


def accepted(
    card: Callable[[], CardDraft | tuple[CardDraft, ...]], reason: str, *notes: str
) -> Case:
    return Case(
        card=card,
        verdict=Verdict.ACCEPTED,
        codes=frozenset(),
        reason=reason,
        notes=frozenset(notes),
    )


def refused(card: Callable[[], CardDraft], *codes: str, reason: str) -> Case:
    return Case(card=card, verdict=Verdict.REFUSED, codes=frozenset(codes), reason=reason)


def unreadable(card: Callable[[], CardDraft], *codes: str, reason: str) -> Case:
    """The reading broke off for a reason that says nothing about the card: no verdict on it."""
    return Case(card=card, verdict=Verdict.UNREADABLE, codes=frozenset(codes), reason=reason)


def signed(**fields: object) -> Callable[[], CardDraft]:
    """A card whose security object has these fields."""
    return lambda: CardDraft(security_object=SecurityObjectDraft(**fields))
