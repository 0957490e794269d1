"""What lies below any secure channel: limits of length, command chains, answers that wait (SPEC.md, 4.1 and 4.5-4.7)."""

from dataclasses import replace

from simulators.card.command import CHAIN, Command
from simulators.card.status import Refused, StatusWord
from simulators.image import Limits

__all__ = ["Transmission"]

_SHORT_COMMAND_BYTES = 261
_SHORT_ANSWER_BYTES = 256
_STATUS_WORD_BYTES = 2
_EXTENDED_FRAME_BYTES = 9
"""Header, extended Lc and Le around the data of a command."""


class Transmission:
    """Puts command chains together, cuts answers to what was asked for, and keeps the rest for GET RESPONSE."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._chain: Command | None = None
        self._waiting = b""
        self._waiting_status_word: int = StatusWord.SUCCESS

    @property
    def is_waiting(self) -> bool:
        """Whether bytes of the last answer wait for GET RESPONSE."""
        return bool(self._waiting)

    def check_length(self, command: Command, wire_bytes: int) -> None:
        """Let a command pass that the card can take.

        Raises:
            Refused: 6700, it is too long, or extended on a card that is not.
        """
        limits = self._limits
        longest = limits.max_command_bytes if limits.extended_lengths else _SHORT_COMMAND_BYTES
        if wire_bytes > longest or (command.is_extended and not limits.extended_lengths):
            raise Refused(StatusWord.WRONG_LENGTH)

    def drop_chain(self) -> None:
        """Forget the parts of a chain that came so far."""
        self._chain = None

    def drop_waiting(self) -> None:
        """Forget what waits, as any command but GET RESPONSE does."""
        self._waiting = b""

    def assemble(self, command: Command, *, is_part: bool) -> Command | None:
        """The whole command, without the chaining bit; ``None`` until its last part is there.

        ``is_part`` says that another part follows; the chaining bit of PACE does not say so (9303-11, 4.4.4).

        Raises:
            Refused: 6883 where a chain is broken off, 6700 where the whole is too long.
        """
        so_far, self._chain = self._chain, None
        if so_far is None and not is_part:
            return command
        whole = replace(command, cla=command.cla & ~CHAIN)
        if so_far is not None:
            if whole.header != so_far.header or (command.is_chained and not is_part):
                raise Refused(StatusWord.LAST_OF_CHAIN_EXPECTED)
            whole = replace(whole, data=so_far.data + command.data)
        if len(whole.data) + _EXTENDED_FRAME_BYTES > self._limits.max_command_bytes:
            raise Refused(StatusWord.WRONG_LENGTH)
        if not is_part:
            return whole
        self._chain = whole
        return None

    def room(self, command: Command) -> int:
        """The most bytes of data in one answer to this command."""
        if command.is_extended and command.expected_length is not None:
            return self._limits.max_response_bytes - _STATUS_WORD_BYTES
        return _SHORT_ANSWER_BYTES

    def deliver(self, command: Command, data: bytes, status_word: int) -> bytes:
        """The answer on the wire: what Le asks for, and 61xx where bytes are left over."""
        wanted = 0 if command.expected_length is None else command.expected_length
        size = min(wanted, self.room(command))
        if len(data) <= size:
            return data + status_word.to_bytes(2, "big")
        self._waiting, self._waiting_status_word = data[size:], status_word
        return data[:size] + bytes((0x61, min(len(self._waiting), 0x100) & 0xFF))

    def give_waiting(self, command: Command) -> bytes:
        """Carry out GET RESPONSE.

        Raises:
            Refused: 6A86, wrong parameters; nothing waits any more.
        """
        data, self._waiting = self._waiting, b""
        if command.p1 or command.p2 or command.data:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        if command.expected_length is None:
            command = replace(command, expected_length=_SHORT_ANSWER_BYTES)
        return self.deliver(command, data, self._waiting_status_word)
