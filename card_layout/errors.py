"""Errors of the card's contract.

They are split by what a caller can do:

    CardError
    ├── TransportError      the reader or the card went away; the card's state is UNKNOWN: never retry blindly
    │   └── NoCardError     no card was in the reader when the session began: nothing has happened yet
    ├── CardRefusedError    the card answered with a status word other than success: the session may go on
    └── CardDataError       bytes from a card or a file are not what the specification says: do not trust them
        └── AccessError     an access protocol (PACE, secure messaging, chip authentication) broke: the session is over

Every error carries a stable dotted ``code``; docs/codes.md explains each of them.
"""

__all__ = [
    "AccessError",
    "CardDataError",
    "CardError",
    "CardRefusedError",
    "NoCardError",
    "TransportError",
]


class CardError(Exception):
    """Anything that can go wrong between us and a card; ``code`` is stable, the text is for people."""

    default_code = "card.error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code if code is not None else self.default_code


class TransportError(CardError):
    """The exchange broke off: whether the card carried out the last command is unknown."""

    default_code = "transport.lost"


class NoCardError(TransportError):
    """The reader has no card, or there is no such reader: nothing was sent."""

    default_code = "transport.no-card"


class CardRefusedError(CardError):
    """The card answered, and said no; ``status_word`` is SW1-SW2 (ISO/IEC 7816-4, 5.6)."""

    default_code = "card.refused"

    def __init__(self, message: str, *, status_word: int, code: str | None = None) -> None:
        super().__init__(f"{message}: status word {status_word:04X}", code=code)
        self.status_word = status_word


class CardDataError(CardError):
    """Bytes that break the specification: wrong tag, length, order, encoding or bound."""

    default_code = "card.malformed"


class AccessError(CardDataError):
    """An access protocol failed: the session, its keys and its rights are over."""

    default_code = "access.failed"
