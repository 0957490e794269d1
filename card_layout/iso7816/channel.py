"""One card, command by command: lengths, chaining, GET RESPONSE, secure messaging, and bounds (SPEC.md, 4.1-4.8)."""

from collections.abc import Callable
from dataclasses import dataclass

from card_layout.errors import CardDataError, CardError, CardRefusedError
from card_layout.iso7816 import commands
from card_layout.iso7816.apdu import MAX_EXTENDED, MAX_SHORT, CommandApdu, ResponseApdu
from card_layout.iso7816.secure_messaging import SecureMessagingError
from card_layout.iso7816.session import CardSession
from card_layout.iso7816.status_words import (
    StatusWord,
    bytes_waiting,
    correct_length,
    describe,
)
from card_layout.transport.connection import CardConnection

__all__ = ["CardChannel", "ChannelLimits", "ExtendedLengths", "ReadingLimitError"]

_COMMAND_CHAINING = 0x10
_MAX_SHORT_DATA = 0xFF
_EXTENDED_FRAME_BYTES = 4 + 3 + 2
"""Header, extended Lc and extended Le around the data field of an extended command."""

_STATUS_WORD_BYTES = 2

# A card that takes extended lengths takes the longest short APDUs at least.
_LEAST_BYTES = {
    "max_command_bytes": 4 + 1 + _MAX_SHORT_DATA + 1,
    "max_response_bytes": MAX_SHORT + _STATUS_WORD_BYTES,
}


class ReadingLimitError(CardDataError):
    """A card would have us go on for longer than a bound allows (SPEC.md, 4.8)."""

    default_code = "reading.limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedLengths:
    """What a card announces in EF.ATR/INFO: whole APDUs in bytes, status word included (SPEC.md, 3.3)."""

    max_command_bytes: int
    max_response_bytes: int

    def __post_init__(self) -> None:
        for name, least in _LEAST_BYTES.items():
            value = getattr(self, name)
            if value < least:
                raise CardDataError(f"{name} is {value}, expected at least {least}")

    @property
    def max_command_data(self) -> int:
        """The longest data field of a command."""
        return min(self.max_command_bytes - _EXTENDED_FRAME_BYTES, 0xFFFF)

    @property
    def max_response_data(self) -> int:
        """The longest data field of an answer."""
        return min(self.max_response_bytes - _STATUS_WORD_BYTES, MAX_EXTENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLimits:
    """How much one session with a card may take (SPEC.md, 4.8)."""

    max_apdus: int = 2000
    max_get_responses: int = 32
    max_response_bytes: int = 65536


_DEFAULT_LIMITS = ChannelLimits()


class CardChannel:
    """Sends commands of any length to a card and gives back whole answers.

    Commands go out short; extended where they do not fit the short form and ``extended`` is set; else as a
    chain. While ``session`` is set every command and answer is protected by it; a session that broke stays
    set, so that nothing is ever sent in plain by mistake, until ``reset``.

    ``deadline`` is called before every APDU and ends an overlong session by raising.
    """

    def __init__(
        self,
        connection: CardConnection,
        *,
        limits: ChannelLimits = _DEFAULT_LIMITS,
        deadline: Callable[[], None] | None = None,
    ) -> None:
        self.extended: ExtendedLengths | None = None
        self.session: CardSession | None = None
        self.has_refused_short_identifiers = False
        """Whether a file had to be selected because the card reads none by short identifier (SPEC.md, 4.3)."""
        self._connection = connection
        self._limits = limits
        self._deadline = deadline
        self._apdu_count = 0

    @property
    def atr(self) -> bytes:
        """The answer to the last reset."""
        return self._connection.atr

    @property
    def apdu_count(self) -> int:
        """How many APDUs went over the wire, parts of chains and GET RESPONSE included."""
        return self._apdu_count

    @property
    def max_response_data(self) -> int:
        """The most plain bytes that one answer can bring, under the session if there is one."""
        limit = self.extended.max_response_data if self.extended else MAX_SHORT
        return self.session.max_response_data(limit) if self.session else limit

    def reset(self) -> bytes:
        """Reset the card, which ends the session, and give back its ATR.

        Raises:
            TransportError: the card is gone.
        """
        if self.session is not None:
            self.session.end()
        self.session = None
        return self._connection.reset()

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        """One command and its whole answer, whatever the status word.

        Raises:
            TransportError: the exchange broke off.
            ReadingLimitError: a bound was reached.
            SecureMessagingError: the answer does not belong to the session, which is over.
            CardDataError: the answer is no answer to this command.
        """
        expected = command.expected_length
        if expected is not None and expected > MAX_SHORT and self.extended is None:
            command = command.with_expected_length(MAX_SHORT)
        # Without Le an answer has data only where GET RESPONSE fetched them, which has a bound of its own.
        most = command.expected_length or self._limits.max_response_bytes
        session = self.session
        if session is None:
            return _bounded(self._exchange(command), most)
        wrapped = session.wrap(command)
        try:
            protected = self._exchange(wrapped)
        except CardError:
            # The counters of the two sides may differ now.
            session.end()
            raise
        return _bounded(session.unwrap(protected), most)

    def require(self, command: CommandApdu, *expected: int) -> bytes:
        """The data of an answer whose status word is ``9000``, or one of ``expected`` where given.

        Raises:
            CardRefusedError: the card answered with another status word.
            CardError: as ``transmit``.
        """
        response = self.transmit(command)
        if response.status_word not in (expected or (StatusWord.SUCCESS,)):
            raise CardRefusedError(
                f"the card refused instruction {command.ins:02X} ({describe(response.status_word)})",
                status_word=response.status_word,
            )
        return response.data

    def _exchange(self, command: CommandApdu) -> ResponseApdu:
        """The answer as a whole, still protected where there is a session."""
        last = self._clamped(command)
        if len(command.data) > self._max_data:
            *parts, last = self._parts(command)
            for part in parts:
                response = self._send(part)
                if response.status_word != StatusWord.SUCCESS:
                    return response
        response = self._send(last)
        corrected = correct_length(response.status_word)
        if corrected is not None and self.session is None:
            # Only in plain: a protected command cannot be sent twice, its counter has been used.
            response = self._send(last.with_expected_length(corrected))
        return self._collect(response)

    @property
    def _max_data(self) -> int:
        """The longest data field of one APDU."""
        return self.extended.max_command_data if self.extended else _MAX_SHORT_DATA

    def _parts(self, command: CommandApdu) -> list[CommandApdu]:
        """The chain of a command whose data do not fit one APDU."""
        size = self._max_data
        data = command.data
        if command.cla & _COMMAND_CHAINING:
            raise CardDataError(
                f"command data has {len(data)} bytes, expected at most {size} in a command that sets bit 5 of CLA"
            )
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        parts = [
            CommandApdu(
                cla=command.cla | _COMMAND_CHAINING,
                ins=command.ins,
                p1=command.p1,
                p2=command.p2,
                data=piece,
            )
            for piece in pieces[:-1]
        ]
        last = CommandApdu(
            cla=command.cla,
            ins=command.ins,
            p1=command.p1,
            p2=command.p2,
            data=pieces[-1],
            expected_length=command.expected_length,
        )
        return [*parts, self._clamped(last)]

    def _clamped(self, command: CommandApdu) -> CommandApdu:
        if self.extended is None and (command.expected_length or 0) > MAX_SHORT:
            return command.with_expected_length(MAX_SHORT)
        return command

    def _collect(self, response: ResponseApdu) -> ResponseApdu:
        """Fetch what ``61xx`` announces (SPEC.md, 4.6)."""
        waiting = bytes_waiting(response.status_word)
        if waiting is None:
            return response
        collected = bytearray(response.data)
        for _ in range(self._limits.max_get_responses):
            if waiting is None:
                return ResponseApdu(bytes(collected), response.status_word)
            response = self._send(commands.get_response(waiting))
            collected += response.data
            if len(collected) > self._limits.max_response_bytes:
                raise ReadingLimitError(
                    f"an answer has more than {self._limits.max_response_bytes} bytes"
                )
            # A card may say 6Cxx to GET RESPONSE as well: that counts as one of the turns.
            waiting = correct_length(response.status_word) or bytes_waiting(response.status_word)
        if waiting is None:
            return ResponseApdu(bytes(collected), response.status_word)
        raise ReadingLimitError(
            f"the card announces more data after {self._limits.max_get_responses} times GET RESPONSE"
        )

    def _send(self, command: CommandApdu) -> ResponseApdu:
        if self._apdu_count >= self._limits.max_apdus:
            raise ReadingLimitError(f"more than {self._limits.max_apdus} APDUs in one session")
        if self._deadline is not None:
            self._deadline()
        self._apdu_count += 1
        answer = self._connection.transmit(command.to_bytes())
        try:
            response = _bounded(ResponseApdu.from_bytes(answer), command.expected_length or 0)
        except CardDataError as error:
            if self.session is None:
                raise
            raise SecureMessagingError("the answer is not one of the session") from error
        return response


def _bounded(response: ResponseApdu, expected: int) -> ResponseApdu:
    """An answer may be shorter than asked for, never longer."""
    if len(response.data) > expected:
        raise CardDataError(
            f"the answer has {len(response.data)} bytes, expected at most {expected}",
            code="card.malformed-response",
        )
    return response
