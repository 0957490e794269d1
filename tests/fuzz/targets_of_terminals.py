"""Targets of a terminal's local interface, and of what terminals send to the centre to be judged."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Final

from card_layout.errors import NoCardError
from card_layout.transport.connection import CardConnection
from pki.certificates.trust import TrustAnchors
from simulators.trust_directory import TEST_POLICY
from tests.fuzz.target import BASES, Target
from verifier.api.interface import InspectionClaims, ProgramSession
from verifier.api.messages import MESSAGES
from verifier.api.ports import PageServices, ProgramRight
from verifier.centre.inspections import InspectionDesk
from verifier.errors import VerifierError
from verifier.inspection.policy import Policy
from verifier.services.card_password import CardPassword
from verifier.services.terminal import Terminal
from verifier.services.terminal_ports import (
    Examined,
    HolderRecord,
    InspectionRecord,
    ProgressListener,
)
from verifier.trust.current import LoadedTrust
from verifier.trust.directory import Trust

__all__ = ["JUDGED_AT", "TERMINAL_TARGETS"]

JUDGED_AT: Final = datetime(2026, 11, 22, 8, tzinfo=UTC)


class _EmptyReader:
    """A reader into which nobody puts a card."""

    name = "reader"

    def is_card_present(self) -> bool:
        return False

    def connect(self) -> CardConnection:
        raise NoCardError("no card")


class _Clock:
    def now(self) -> datetime:
        return JUDGED_AT

    def monotonic(self) -> float:
        return 1000.0


class _NoJournal:
    def record(self, record: InspectionRecord | HolderRecord) -> int:
        raise VerifierError(f"nothing is recorded here of {type(record).__name__}")


def _examine(password: CardPassword, tell: ProgressListener) -> Examined:
    del password, tell
    raise VerifierError("nobody is examined here")


def _hear(data: bytes) -> None:
    """Messages of one program, a line each, in one connection; whatever they are, every answer can be sent."""
    terminal = Terminal(
        reader=_EmptyReader(), examine=_examine, journal=_NoJournal(), clock=_Clock()
    )
    terminal._wait = lambda _seconds: None  # type: ignore[method-assign]
    terminal.look()
    answers: list[bytes] = []
    session = ProgramSession(
        PageServices(
            terminal=terminal,
            terminal_name="terminal-1",
            purpose="identity",
            version="0",
            reader_names=lambda: ("reader",),
            program_of=lambda _token: None,
        ),
        ProgramRight(name="program", may_see_holder=False),
        claims=InspectionClaims(),
        send=lambda message: answers.append(MESSAGES.dump_json(message)),
    )
    session.greet()
    unsubscribe = terminal.subscribe(session.told)
    for line in data.decode("utf-8", "replace").splitlines():
        session.hear(line)
        terminal.look()
    unsubscribe()
    for answer in answers:
        json.loads(answer)
    session.close()


@cache
def _desk() -> InspectionDesk:
    trust = Trust(
        anchors=TrustAnchors.from_bytes(
            certificates=((BASES / "authority").read_bytes(),),
            crls=((BASES / "authority-crl").read_bytes(),),
        ),
        policy=Policy.from_bytes(TEST_POLICY.encode()),
    )
    return InspectionDesk(
        trust=lambda: LoadedTrust(trust=trust, bundle=None, terminal_roots=()),
        try_portrait=lambda snapshot: snapshot,
        now=lambda: JUDGED_AT,
    )


def _judge(data: bytes) -> None:
    """What anybody sends, judged as such and as a terminal's; its report can be sent."""
    text = data.decode("utf-8", "surrogateescape")
    for is_signed in (False, True):
        report = _desk().judge(text, purpose=None, is_signed=is_signed)
        json.dumps(report.to_json()).encode()


TERMINAL_TARGETS: Final[dict[str, Target]] = {
    "program-messages": Target(read=_hear, refusals=()),
    "snapshot-to-judge": Target(read=_judge, refusals=(VerifierError,), share=10),
}
"""By their names."""
