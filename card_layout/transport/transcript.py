"""What went over the wire, without what it said: an explicit transcript that redacts by construction."""

from collections.abc import Iterator
from dataclasses import dataclass

from card_layout.transport.connection import CardConnection

__all__ = ["RecordingConnection", "RedactedExchange", "Transcript"]

_HEADER_BYTES = 4
_DEFAULT_MAX_EXCHANGES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedExchange:
    """One APDU and its answer: the header, both lengths in bytes, and the status word.

    ``response_bytes`` and ``status_word`` are ``None`` where no answer came.
    """

    header: bytes
    command_bytes: int
    response_bytes: int | None
    status_word: int | None

    def __str__(self) -> str:
        sent = f"{self.header.hex(' ').upper()} ({self.command_bytes} bytes)"
        if self.response_bytes is None or self.status_word is None:
            return f"{sent} -> no answer"
        return f"{sent} -> {self.status_word:04X} ({self.response_bytes} bytes)"


class Transcript:
    """Redacted exchanges in their order; only the first ``max_exchanges`` are kept, all are counted."""

    def __init__(self, *, max_exchanges: int = _DEFAULT_MAX_EXCHANGES) -> None:
        self._max_exchanges = max_exchanges
        self._exchanges: list[RedactedExchange] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[RedactedExchange]:
        return iter(self._exchanges)

    def add(self, command: bytes, response: bytes | None) -> None:
        """Keep what may be kept of one exchange; data fields are never stored."""
        self._count += 1
        if len(self._exchanges) == self._max_exchanges:
            return
        has_status = response is not None and len(response) >= 2
        self._exchanges.append(
            RedactedExchange(
                header=command[:_HEADER_BYTES],
                command_bytes=len(command),
                response_bytes=None if response is None else len(response),
                status_word=int.from_bytes(response[-2:], "big")
                if response is not None and has_status
                else None,
            )
        )


class RecordingConnection:
    """A connection that counts its APDUs, and keeps a transcript where it is given one."""

    def __init__(self, inner: CardConnection, *, transcript: Transcript | None = None) -> None:
        self._inner = inner
        self._transcript = transcript
        self._apdu_count = 0

    @property
    def atr(self) -> bytes:
        """The answer to the last reset."""
        return self._inner.atr

    @property
    def apdu_count(self) -> int:
        """How many command APDUs were sent, answered or not."""
        return self._apdu_count

    def transmit(self, command: bytes) -> bytes:
        """Send one command through the connection inside.

        Raises:
            TransportError: the exchange broke off; it is in the transcript without an answer.
        """
        self._apdu_count += 1
        response: bytes | None = None
        try:
            response = self._inner.transmit(command)
        finally:
            if self._transcript is not None:
                self._transcript.add(command, response)
        return response

    def reset(self) -> bytes:
        """Reset the card and give back its new ATR.

        Raises:
            TransportError: the card is gone.
        """
        return self._inner.reset()

    def close(self) -> None:
        """Let go of the card."""
        self._inner.close()
