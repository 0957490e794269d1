"""What every downgrade vector needs: a card, somebody between it and the terminal, and what passed on the wire.

A vector is a row of profiles.csv: who attacks and how, under which policy, and what has to come of it. The attack
itself stands in one of the modules beside this one, under the row's id.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from conformance_vectors.bench import NOW, POLICY, CardDraft, MeddledReader
from conformance_vectors.data_group_drafts import information
from conformance_vectors.security_infos_drafts import ALL_CURVES
from conformance_vectors.terminal_cases import LET_IN

from pki.certificates.trust import TrustAnchors
from simulators.connection import SimulatedReader
from verifier.inspection.checks import CheckName
from verifier.inspection.policy import Policy, Purpose
from verifier.inspection.report import Report, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword

PROTECTED = 0x0C
"""The bits of CLA that say that a command is protected."""

ZONE = CardPassword.from_mrz(information())


def without(policy: Policy, *checks: CheckName) -> Policy:
    """The policy with a purpose that does not require these checks."""
    required = policy.required_checks() - set(checks)
    return replace(
        policy, purposes={"inspection": Purpose(name="inspection", required_checks=required)}
    )


BAC = replace(ALL_CURVES, allow_bac=True)
POLICIES = {
    "own": POLICY,
    "all curves": ALL_CURVES,
    "bac": BAC,
    "bac, parameters not required": without(BAC, CheckName.ACCESS_PARAMETERS_SIGNED),
    "chip not required": without(POLICY, CheckName.CHIP_AUTHENTICATION),
    "terminal required": LET_IN,
    "other signatures": replace(POLICY, allow_other_signatures=True),
    "empty": Policy(),
}
"""By the names that profiles.csv gives them; ``own`` demands every check of the card, as exported policies do."""

Transmit = Callable[[bytes], bytes]
Middle = Callable[[bytes, Transmit], bytes]
"""Somebody between: gets the terminal's command and the way to the card, and gives the answer that arrives."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One profile: the card that is in the reader, or that answers through somebody between, and a closer look."""

    card: Callable[[], CardDraft]
    middle: Callable[[], "Interceptor"] | None = None
    look: Callable[["Outcome"], None] | None = None


class Interceptor:
    """Lets everything pass until a command fits; what it then does happens once, or for ever.

    Args:
        fits: whether this is the command, from all commands so far, this one last.
        act: what is done with it.
        for_ever: whether every later command that fits meets the same.
    """

    def __init__(
        self, fits: Callable[[Sequence[bytes]], bool], act: Middle, *, for_ever: bool = False
    ) -> None:
        self._fits = fits
        self._act = act
        self._for_ever = for_ever
        self._commands: list[bytes] = []
        self.acted_on: int | None = None

    def __call__(self, command: bytes, transmit: Transmit) -> bytes:
        self._commands.append(command)
        if (self.acted_on is None or self._for_ever) and self._fits(self._commands):
            self.acted_on = len(self._commands)
            return self._act(command, transmit)
        return transmit(command)


class WireTap:
    """A connection that writes down what the terminal sends, before anybody between sees it."""

    def __init__(self, connection: object, middle: Middle | None, sent: list[bytes]) -> None:
        self._connection = connection
        self._middle = middle
        self._sent = sent

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def transmit(self, command: bytes) -> bytes:
        self._sent.append(command)
        if self._middle is None:
            return self._connection.transmit(command)
        return self._middle(command, self._connection.transmit)


class TappedReader:
    """A reader with somebody between it and the card, and a tap before him."""

    def __init__(self, reader: object, middle: Middle | None) -> None:
        self._reader = reader
        self._middle = middle
        self.sent: list[bytes] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._reader, name)

    def connect(self) -> WireTap:
        return WireTap(self._reader.connect(), self._middle, self.sent)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an attack; ``after`` counts the commands behind the one that was meddled with."""

    snapshot: CardSnapshot
    report: Report
    sent: tuple[bytes, ...]
    after: int | None

    @property
    def instructions(self) -> tuple[str, ...]:
        """Every instruction byte on the wire in the order of its first use, ``+`` behind those under protection."""
        names = (
            f"{command[1]:02X}{'+' if command[0] & PROTECTED == PROTECTED else ''}"
            for command in self.sent
        )
        return tuple(dict.fromkeys(names))


def run(attack: Attack, policy: Policy) -> Outcome:
    """Read and judge the card under this policy, with the attack going on."""
    draft = attack.card().having(policy=policy)
    middle = None if attack.middle is None else attack.middle()
    reader: object = SimulatedReader(draft.chip(draft.to_image()))
    if draft.answers is not None:
        reader = MeddledReader(reader, draft.answers())
    tapped = TappedReader(reader, middle)
    snapshot = read_card(
        tapped,
        password=draft.password,
        profile=draft.profile,
        pace_parameter_ids=policy.pace_parameter_ids,
        now=NOW,
        monotonic=time.monotonic,
        allow_bac=policy.allow_bac,
        terminal=draft.terminal,
    )
    trust = TrustAnchors.from_bytes(
        certificates=(draft.authority.to_bytes(),), crls=(draft.revocation_list.to_bytes(),)
    )
    acted_on = None if middle is None else middle.acted_on
    return Outcome(
        snapshot=snapshot,
        report=inspect(snapshot, trust=trust, policy=policy, now=NOW),
        sent=tuple(tapped.sent),
        after=None if acted_on is None else len(tapped.sent) - acted_on,
    )


def is_plain(command: bytes) -> bool:
    return not command[0] & PROTECTED


def nth_plain(instruction: int, number: int = 1) -> Callable[[Sequence[bytes]], bool]:
    """The n-th plain command with this instruction."""
    return lambda commands: (
        is_plain(commands[-1])
        and commands[-1][1] == instruction
        and sum(is_plain(item) and item[1] == instruction for item in commands) == number
    )


def nth_protected(instruction: int, number: int = 1) -> Callable[[Sequence[bytes]], bool]:
    """The n-th protected command with this instruction."""
    return lambda commands: (
        not is_plain(commands[-1])
        and commands[-1][1] == instruction
        and sum(not is_plain(item) and item[1] == instruction for item in commands) == number
    )


def answering(response: bytes) -> Middle:
    """The card never sees the command; this is the answer."""
    return lambda _command, _transmit: response


def changing(change: Callable[[bytes], bytes]) -> Middle:
    """The card carries the command out, and its answer is changed."""
    return lambda command, transmit: change(transmit(command))
