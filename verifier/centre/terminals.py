"""Who calls the central service: an enrolled terminal in good standing, by the signature of its request."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import JudgedCertificate, judge_chain
from pki.card_verifiable.public_key import verify_plain_signature
from pki.errors import PkiError
from verifier.centre.errors import CentreError
from verifier.services.request_signing import SignedRequest

__all__ = [
    "CLOCK_TOLERANCE",
    "EnrolledTerminal",
    "HealthReport",
    "TerminalGate",
    "TerminalRegister",
]

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""How far a terminal's clock may be off; as long as that a request could be sent twice, and each may be."""

_MAX_CHAINS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What a terminal says of itself."""

    version: str
    bundle_number: int | None
    journal_sequence: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledTerminal:
    """A terminal that the centre knows, by its holder (country and mnemonic), and when it was last heard of."""

    holder: str
    organisation: str
    enrolled_at: datetime
    blocked_at: datetime | None = None
    blocked_because: str | None = None
    seen_at: datetime | None = None
    clock_offset_seconds: int | None = None
    """Its clock minus ours."""
    health: HealthReport | None = None


class TerminalRegister(Protocol):
    """The terminals that the centre knows."""

    def find(self, holder: str) -> EnrolledTerminal | None:
        """One terminal; ``None`` where it is not enrolled."""

    def all(self, *, after: str = "", limit: int) -> list[EnrolledTerminal]:
        """A page of them in the order of their holders."""

    def enrol(self, holder: str, *, organisation: str, now: datetime) -> None:
        """Take a terminal in; one that was blocked stays so.

        Raises:
            CentreError: ``centre.terminal-exists``.
        """

    def block(self, holder: str, *, reason: str, now: datetime) -> None:
        """Answer it no more.

        Raises:
            CentreError: ``centre.terminal-unknown``, ``centre.terminal-blocked``.
        """

    def heard(self, holder: str, report: HealthReport, *, said_at: datetime, now: datetime) -> None:
        """Keep what a terminal says of itself, unless something later was kept before."""


class TerminalGate:
    """Judges who signed a request; chains are judged once a day, standing and signature every time."""

    def __init__(
        self,
        *,
        anchors: Callable[[], Sequence[CvCertificate]],
        register: TerminalRegister,
        now: Callable[[], datetime],
    ) -> None:
        """``anchors`` gives the self-signed certificates of the CVCAs that are trusted now."""
        self._anchors = anchors
        self._register = register
        self._now = now
        self._judged: OrderedDict[tuple[bytes, date], JudgedCertificate] = OrderedDict()

    def admit(self, request: SignedRequest) -> EnrolledTerminal:
        """The terminal that made a request.

        Raises:
            CentreError: ``centre.signature-invalid``, ``centre.request-stale``, ``centre.terminal-unknown``,
                ``centre.terminal-blocked``.
        """
        now = self._now()
        if abs(now - request.made_at) > CLOCK_TOLERANCE:
            raise CentreError(
                f"the request was made at {request.made_at:%Y-%m-%d %H:%M:%S}Z, it is "
                f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z now",
                code="centre.request-stale",
                hint="set the terminal's clock",
            )
        judged = self._judge(request, now.astimezone(UTC).date())
        body = judged.certificate.body
        if body.holder_reference.text != request.key_id:
            raise _invalid("the key that is named is not that of the certificate")
        try:
            verify_plain_signature(
                judged.public_key,
                body.public_key.algorithm,
                signature=request.signature,
                message=request.message,
                name=f"the request of {request.key_id}",
            )
        except PkiError as error:
            raise _invalid(str(error)) from error
        terminal = self._register.find(body.holder_reference.holder)
        if terminal is None:
            raise CentreError(
                f"terminal {body.holder_reference.holder} is not enrolled here",
                code="centre.terminal-unknown",
            )
        if terminal.blocked_at is not None:
            raise CentreError(
                f"terminal {terminal.holder} was blocked", code="centre.terminal-blocked"
            )
        return terminal

    def _judge(self, request: SignedRequest, today: date) -> JudgedCertificate:
        anchors = self._anchors()
        digest = sha256()
        for encoded in (*request.encoded, *(item.to_bytes() for item in anchors)):
            digest.update(sha256(encoded).digest())
        key = (digest.digest(), today)
        found = self._judged.get(key)
        if found is None:
            try:
                found = judge_chain(request.certificates, anchors=anchors, on=today)
            except PkiError as error:
                raise _invalid(str(error)) from error
            while len(self._judged) >= _MAX_CHAINS:
                self._judged.popitem(last=False)
            self._judged[key] = found
        return found


def _invalid(what: str) -> CentreError:
    return CentreError(what, code="centre.signature-invalid")
