"""The port to a reader: the one thing that PC/SC, a virtual card and a recording have in common."""

from typing import Protocol, runtime_checkable

__all__ = ["CardConnection", "CardReader"]


@runtime_checkable
class CardConnection(Protocol):
    """A powered card, freshly reset, held by nobody else until it is closed."""

    @property
    def atr(self) -> bytes:
        """The answer to the last reset."""

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU, give back the response APDU (data, SW1, SW2) as the card sent it.

        Raises:
            TransportError: the exchange broke off; whether the card acted on the command is unknown.
        """

    def reset(self) -> bytes:
        """Reset the card, which ends its session, and give back its new ATR.

        Raises:
            TransportError: the card is gone.
        """

    def close(self) -> None:
        """Let go of the card, leaving it reset; closing twice is harmless, and nothing is raised."""


@runtime_checkable
class CardReader(Protocol):
    """A place to put a card in."""

    @property
    def name(self) -> str:
        """What people and commands call it."""

    def is_card_present(self) -> bool:
        """Whether a card is in the reader now.

        Raises:
            TransportError: the reader itself is gone.
        """

    def connect(self) -> CardConnection:
        """Power and reset the card.

        Raises:
            NoCardError: there is none.
            TransportError: there was one, and it went away or does not answer.
        """
