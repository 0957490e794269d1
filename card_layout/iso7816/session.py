"""What a channel needs of a secure messaging session, whichever cipher it is under (SPEC.md, 5.3 and 5.7)."""

from typing import Protocol

from card_layout.iso7816.apdu import CommandApdu, ResponseApdu

__all__ = ["CardSession"]


class CardSession(Protocol):
    """Keys and counter of one session; commands and answers strictly alternate, and the first fault ends it."""

    @property
    def is_alive(self) -> bool:
        """Whether the session can still be used."""

    @property
    def send_sequence_counter(self) -> int:
        """The counter as it was used last."""

    def end(self) -> None:
        """Give up the session: every later call raises."""

    def max_response_data(self, limit: int) -> int:
        """The most plain bytes whose protected answer has at most ``limit`` bytes before SW1-SW2."""

    def wrap(self, command: CommandApdu) -> CommandApdu:
        """The protected form of a command.

        Raises:
            SecureMessagingError: the session is over, or the last answer is still due.
        """

    def unwrap(self, response: ResponseApdu) -> ResponseApdu:
        """The answer inside a protected one.

        Raises:
            SecureMessagingError: anything that is not a complete, verified answer; the session is over then.
        """
