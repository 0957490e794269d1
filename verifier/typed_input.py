"""What a person or a program types: passwords, lists, times and where credentials are, each bounded and refused."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from verifier.errors import UsageError, VerifierError
from verifier.presentation import printable
from verifier.services.card_password import CardPassword
from verifier.services.inspect_batch import MAX_BATCH_BYTES, BatchEntry, parse_batch
from verifier.trust.credentials import CredentialsSource

__all__ = ["credentials_of", "parse_time", "read_passwords"]

_MAX_TYPED_CHARACTERS: Final = 1024


def read_passwords(
    *, can: str | None, mrz: str | None, batch: Path | None
) -> CardPassword | tuple[BatchEntry, ...]:
    """What opens the card, or the cards; exactly one way of saying it.

    Raises:
        UsageError: none, two, or one that means nothing.
    """
    if sum(item is not None for item in (can, mrz, batch)) != 1:
        raise UsageError("give exactly one of --can, --mrz and --batch")
    if batch is not None:
        return parse_batch(_read_bounded(batch))
    if can is not None:
        return CardPassword.from_can(_read_typed() if can == "-" else can)
    if mrz != "-":
        raise UsageError(
            "--mrz takes only -: the machine-readable zone is read from standard input",
            hint="it is personal data, which has no place in a command line",
        )
    return CardPassword.from_mrz(_read_typed())


def credentials_of(directory: Path | None, pin_file: Path | None) -> CredentialsSource | None:
    """Where the terminal's certificates and key are, where it has any.

    Raises:
        UsageError: there is a directory and no PIN.
    """
    if directory is None:
        return None
    if pin_file is None:
        raise UsageError(
            "--terminal needs --terminal-pin-file",
            hint="the PIN file that the terminal's home was made with",
        )
    return CredentialsSource(directory=directory, pin_file=pin_file)


def _read_typed() -> str:
    """Standard input, bounded; one character more than allowed tells that there is more."""
    try:
        return sys.stdin.read(_MAX_TYPED_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise UsageError("standard input is not text") from error


def _read_bounded(path: Path) -> bytes:
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(MAX_BATCH_BYTES + 1)
        with path.open("rb") as file:
            return file.read(MAX_BATCH_BYTES + 1)
    except OSError as error:
        raise VerifierError(
            f"{printable(str(path))!r} cannot be read ({error.strerror})", code="input.malformed"
        ) from error


def parse_time(text: str) -> datetime:
    """A time with its offset, as RFC 3339 writes it.

    Raises:
        UsageError: anything else.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _no_time(text) from error
    raise _no_time(text)


def _no_time(text: str) -> UsageError:
    return UsageError(
        f"got time {printable(text)[:40]!r}, expected one as RFC 3339 writes it",
        hint="as 2027-01-31T08:00:00Z, or with an offset as +07:00",
    )
