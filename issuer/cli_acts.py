"""What commands share that change something for a stated reason: their options, and where pages of lists begin."""

import base64
import binascii
from datetime import date
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from issuer.domain.calendar_date import parse_date
from issuer.domain.evidence import MAX_EVIDENCE_BYTES
from issuer.domain.member import MemberId
from issuer.errors import IssuerDataError, IssuerUnavailableError
from issuer.services.change_members import Justification
from issuer.services.directory_ports import DirectoryPosition

__all__ = [
    "BehindOption",
    "EvidenceOption",
    "LimitOption",
    "ReasonOption",
    "VersionOption",
    "day",
    "justification",
    "position",
    "position_text",
    "read_evidence",
]

_ID_BYTES = 16

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the history.")]
EvidenceOption = Annotated[
    Path | None,
    typer.Option("--evidence", help="The document that it rests on: PDF, JPEG or PNG."),
]
VersionOption = Annotated[
    int,
    typer.Option(
        "--version", min=1, help="The version that you looked at: members show prints it."
    ),
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]
BehindOption = Annotated[
    str | None,
    typer.Option("--behind", help="Where the page before ended, as it was printed there."),
]


def justification(reason: str, evidence: Path | None) -> Justification:
    """The reason, with the document where one is named.

    Raises:
        IssuerUnavailableError: the document cannot be read (``file.unavailable``).
    """
    return Justification(
        reason=reason, evidence=None if evidence is None else read_evidence(evidence)
    )


def read_evidence(path: Path) -> bytes:
    """A document that something rests on, as far as one byte beyond what is taken: the store refuses what is larger.

    Raises:
        IssuerUnavailableError: it cannot be read (``file.unavailable``).
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_EVIDENCE_BYTES + 1)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}", code="file.unavailable"
        ) from error


def day(text: str) -> date:
    """A day as people write it.

    Raises:
        IssuerDataError: ``date.malformed``, ``date.impossible``.
    """
    return parse_date(text)


def position_text(position: DirectoryPosition) -> str:
    """Where a page ended, as one word that a shell needs no quotes for."""
    packed = position.member_id.bytes + position.key
    return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")


def position(text: str | None) -> DirectoryPosition | None:
    """What ``position_text`` made.

    Raises:
        IssuerDataError: anything else (``page.malformed``).
    """
    if text is None:
        return None
    try:
        packed = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, UnicodeEncodeError) as error:
        raise _malformed() from error
    if len(packed) < _ID_BYTES:
        raise _malformed()
    return DirectoryPosition(packed[_ID_BYTES:], MemberId(UUID(bytes=packed[:_ID_BYTES])))


def _malformed() -> IssuerDataError:
    return IssuerDataError(
        "--behind is not the end of a page", code="page.malformed", hint="copy it from there"
    )
