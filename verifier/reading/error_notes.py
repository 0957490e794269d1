"""Errors of a reading as a transcript notes them, and as a replay raises them again: by what a caller can do."""

from collections.abc import Callable
from typing import Final

from card_layout.errors import (
    AccessError,
    CardDataError,
    CardError,
    CardRefusedError,
    NoCardError,
    TransportError,
)
from card_layout.iso7816.channel import ReadingLimitError
from card_layout.protocols.pace import PaceUnsupportedError, WrongPasswordError
from card_layout.protocols.terminal_authentication import (
    RefusedStep,
    TerminalAuthenticationMalformedError,
    TerminalRefusedError,
)
from pki.errors import PkiError
from verifier.reading.transcript_events import Event, TranscriptError

__all__ = ["ErrorNote", "note_of", "raise_again"]

ErrorNote = tuple[str, str | None, int | None]
"""Kind, code, status word."""

_TEXT: Final = "as the transcript has it"
_BROKEN: Final = "broken"

_KINDS: Final[tuple[tuple[str, type[Exception]], ...]] = (
    # The first that fits: subclasses stand before what they are a case of.
    ("terminal-refused", TerminalRefusedError),
    ("refused", CardRefusedError),
    ("no-card", NoCardError),
    ("transport", TransportError),
    ("limit", ReadingLimitError),
    ("wrong-password", WrongPasswordError),
    ("pace-unsupported", PaceUnsupportedError),
    ("access", AccessError),
    ("terminal-malformed", TerminalAuthenticationMalformedError),
    ("data", CardDataError),
    ("card", CardError),
    ("pki", PkiError),
)
_SIMPLE: Final[dict[str, Callable[..., Exception]]] = {
    "no-card": NoCardError,
    "transport": TransportError,
    "limit": ReadingLimitError,
    "access": AccessError,
    "pace-unsupported": PaceUnsupportedError,
    "terminal-malformed": TerminalAuthenticationMalformedError,
    "data": CardDataError,
    "card": CardError,
    "pki": PkiError,
}


def note_of(error: Exception) -> ErrorNote:
    """What a transcript says of an error; never its text."""
    for kind, family in _KINDS:
        if isinstance(error, family):
            status_word = error.status_word if isinstance(error, CardRefusedError) else None
            return kind, getattr(error, "code", None), status_word
    return _BROKEN, None, None


def raise_again(event: Event) -> None:
    """Raise the error that a line notes; nothing where it notes none.

    Raises:
        Exception: that error.
    """
    kind = event.error
    if kind is None:
        return
    if kind == _BROKEN:
        raise RuntimeError(_TEXT)
    if kind == "wrong-password":
        raise WrongPasswordError(_TEXT)
    if kind in ("refused", "terminal-refused"):
        refused = CardRefusedError(_TEXT, status_word=event.status_word or 0, code=event.code)
        if kind == "refused":
            raise refused
        try:
            raise TerminalRefusedError(RefusedStep(event.code), refused)
        except ValueError as error:
            raise TranscriptError("a refusal of the transcript has another code") from error
    if kind not in _SIMPLE:
        raise TranscriptError("an error of the transcript is none that is known")
    raise _SIMPLE[kind](_TEXT, code=event.code)
