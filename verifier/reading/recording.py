"""A reading that writes down what it says and hears, redacted by construction (docs/decisions/0028).

Plain bytes are held in memory only until the reading is over, because only then is known which file they belong to;
what leaves this module is `Event`s after redaction.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, TypeVar

from card_layout import tlv
from card_layout.curves import EcPublicKey
from card_layout.errors import CardDataError, CardError
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
)
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel, ReadingLimitError
from card_layout.iso7816.session import CardSession
from card_layout.protocols.chip_authentication_mapping import ChipAuthenticationMapping
from card_layout.protocols.pace import PacePassword, PaceResult
from card_layout.protocols.terminal_authentication import CertificateToShow, SessionBinding
from card_layout.rsa import RsaPublicKey
from card_layout.transport.connection import CardConnection, CardReader
from card_layout.transport.transcript import RecordingConnection
from pki.card_verifiable.credentials import TerminalChain
from pki.card_verifiable.references import HolderReference
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.conversation import Conversation, ShownCredentials
from verifier.reading.error_notes import note_of
from verifier.reading.redaction import redact_stream
from verifier.reading.transcript_events import Event, EventKind

__all__ = ["RecordedConversation"]

_READ_BINARY: Final = 0xB0
_READ_BINARY_BY_OBJECT: Final = 0xB1
_CONTENT_OBJECT: Final = 0x53
_MAX_EVENTS: Final = 40_000
"""More than any reading makes within its bounds (SPEC.md, 4.8)."""

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class _Noted:
    """An event, the plain bytes that belong to it, and where they stand in which file."""

    event: Event
    plain: bytes = field(default=b"", repr=False)
    scope: int | None = None
    is_by_object: bool = False


class RecordedConversation(Conversation):
    """A live conversation of which a record is kept; ``monotonic`` counts seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._begin = monotonic()
        self._noted: list[_Noted] = []
        self._scopes: list[str] = []
        self._scope: int | None = None
        self._instruction = 0
        self._is_cut = False

    def events(self, snapshot: CardSnapshot) -> tuple[Event, ...]:
        """The record of the reading that led to this snapshot, redacted."""
        streams: dict[int, list[_Noted]] = {}
        noted = tuple(self._noted)
        for item in noted:
            if item.scope is not None and item.plain:
                streams.setdefault(item.scope, []).append(item)
        for scope, items in streams.items():
            name = self._scopes[scope]
            payloads = [_payload(item) for item in items]
            redacted = redact_stream(
                name, b"".join(payload for _, payload in payloads), snapshot.content(name)
            )
            offset = 0
            for item, (frame, payload) in zip(items, payloads, strict=True):
                piece = redacted[offset : offset + len(payload)]
                offset += len(payload)
                # What is left out at the end are zeros: an answer has its length beside its data.
                item.event = replace(item.event, data=(frame + piece).rstrip(b"\x00"))
        return tuple(item.event for item in noted)

    def note(self, kind: EventKind, *, plain: bytes = b"", **values: Any) -> None:
        """Keep one event; beyond the bound only the first ones are kept."""
        if self._is_cut or len(self._noted) >= _MAX_EVENTS:
            return
        seconds = max(0.0, self._monotonic() - self._begin)
        in_file = self._scope is not None and self._instruction in (
            _READ_BINARY,
            _READ_BINARY_BY_OBJECT,
        )
        self._noted.append(
            _Noted(
                event=Event(kind=kind, seconds=round(seconds, 6), **values),
                plain=plain if in_file else b"",
                scope=self._scope if in_file else None,
                is_by_object=self._instruction == _READ_BINARY_BY_OBJECT,
            )
        )

    def cut(self) -> None:
        """The record ends here, although the reading may still be under way in its thread."""
        self.note_error(EventKind.CUT, ReadingLimitError("nobody waits any more"))
        self._is_cut = True

    def note_command(self, command: CommandApdu) -> None:
        """Keep a command as it was meant."""
        self._instruction = command.ins
        self.note(
            EventKind.COMMAND,
            header=command.header,
            command_bytes=len(command.data),
            expected_bytes=command.expected_length,
        )

    def note_response(self, kind: EventKind, response: ResponseApdu, **values: Any) -> None:
        """Keep an answer; its data only where it is of a file, and then until it can be redacted."""
        self.note(
            kind,
            plain=response.data,
            response_bytes=len(response.data),
            status_word=response.status_word,
            **values,
        )

    def note_error(self, kind: EventKind, error: Exception, **values: Any) -> None:
        """Keep that something failed."""
        name, code, status_word = note_of(error)
        self.note(kind, error=name, code=code, status_word=status_word, **values)

    def credentials(self, given: ShownCredentials | None) -> ShownCredentials | None:
        """Those given, with a record of what was chosen."""
        return None if given is None else _RecordedCredentials(given, self)

    def connect(self, reader: CardReader) -> CardConnection:
        """Power the card, and listen from then on."""
        try:
            connection = super().connect(reader)
        except CardError as error:
            self.note_error(EventKind.CONNECT, error)
            raise
        self.note(EventKind.CONNECT, data=connection.atr)
        return _TappedConnection(connection, self)

    def open_channel(self, connection: CardConnection, deadline: Callable[[], None]) -> CardChannel:
        """The channel, with a record of what goes in and comes out in plain."""

        def check() -> None:
            try:
                deadline()
            except CardError as error:
                self.note_error(EventKind.DEADLINE, error)
                raise

        return _TappedChannel(connection, check, self)

    @contextmanager
    def file(self, name: str) -> Iterator[None]:
        """Remember which file the answers belong to."""
        self.note(EventKind.FILE, name=name)
        self._scopes.append(name)
        self._scope = len(self._scopes) - 1
        try:
            yield
        finally:
            self._scope = None
            self.note(EventKind.FILE_END, name=name)

    def pace(
        self, channel: CardChannel, *, pace_info: PaceInfo, password: PacePassword
    ) -> PaceResult:
        """PACE, between two events."""
        perform = super().pace
        return self._protocol(
            "pace", lambda: perform(channel, pace_info=pace_info, password=password)
        )

    def basic_access_control(self, channel: CardChannel, *, information: str) -> None:
        """Basic access control, between two events."""
        perform = super().basic_access_control
        self._protocol("basic-access-control", lambda: perform(channel, information=information))

    def proves(self, mapping: ChipAuthenticationMapping, key: EcPublicKey) -> bool:
        """Whether PACE proved the key, with a record of it."""
        is_proven = super().proves(mapping, key)
        self.note(EventKind.PROOF, is_proven=is_proven)
        return is_proven

    def chip_authentication(
        self,
        channel: CardChannel,
        *,
        info: ChipAuthenticationInfo,
        public_key_info: ChipAuthenticationPublicKeyInfo,
        allow_triple_des: bool,
    ) -> bytes:
        """Chip authentication, between two events."""
        perform = super().chip_authentication
        return self._protocol(
            "chip-authentication",
            lambda: perform(
                channel,
                info=info,
                public_key_info=public_key_info,
                allow_triple_des=allow_triple_des,
            ),
        )

    def terminal_authentication(
        self,
        channel: CardChannel,
        *,
        chain: Sequence[CertificateToShow],
        holder_reference: bytes,
        binding: SessionBinding,
        sign: Callable[[bytes], bytes],
    ) -> None:
        """Terminal authentication, between two events."""
        perform = super().terminal_authentication
        self._protocol(
            "terminal-authentication",
            lambda: perform(
                channel,
                chain=chain,
                holder_reference=holder_reference,
                binding=binding,
                sign=sign,
            ),
        )

    def signature(
        self, channel: CardChannel, *, public_key: EcPublicKey | RsaPublicKey, challenge: bytes
    ) -> bytes:
        """Active authentication, between two events."""
        perform = super().signature
        return self._protocol(
            "active-authentication",
            lambda: perform(channel, public_key=public_key, challenge=challenge),
        )

    def _protocol(self, name: str, perform: Callable[[], Result]) -> Result:
        self.note(EventKind.PROTOCOL, name=name)
        try:
            result = perform()
        except Exception as error:
            self.note_error(EventKind.PROTOCOL_END, error, name=name)
            raise
        self.note(EventKind.PROTOCOL_END, name=name)
        return result


class _TappedConnection(RecordingConnection):
    """What goes over the wire; data stays out of the record, but for what is read in plain."""

    def __init__(self, inner: CardConnection, record: RecordedConversation) -> None:
        super().__init__(inner)
        self.record = record
        self.has_session = False

    def transmit(self, command: bytes) -> bytes:
        values: dict[str, Any] = {"header": command[:4], "command_bytes": len(command)}
        try:
            answer = super().transmit(command)
        except CardError as error:
            self.record.note_error(EventKind.APDU, error, **values)
            raise
        if len(answer) < 2:
            self.record.note(EventKind.APDU, response_bytes=len(answer), **values)
            return answer
        self.record.note(
            EventKind.APDU,
            plain=b"" if self.has_session else answer[:-2],
            response_bytes=len(answer) - 2,
            status_word=int.from_bytes(answer[-2:], "big"),
            **values,
        )
        return answer

    def reset(self) -> bytes:
        try:
            atr = super().reset()
        except CardError as error:
            self.record.note_error(EventKind.RESET, error)
            raise
        self.record.note(EventKind.RESET, data=atr)
        return atr


class _TappedChannel(CardChannel):
    """What is meant, and what protected answers held."""

    def __init__(
        self,
        connection: CardConnection,
        deadline: Callable[[], None],
        record: RecordedConversation,
    ) -> None:
        self._tapped_session: CardSession | None = None
        self._record = record
        self._tap = connection
        super().__init__(connection, deadline=deadline)

    @property
    def session(self) -> CardSession | None:
        return self._tapped_session

    @session.setter
    def session(self, session: CardSession | None) -> None:
        if session is not None and not isinstance(session, _TappedSession):
            session = _TappedSession(session, self._record)
        self._tapped_session = session
        if isinstance(self._tap, _TappedConnection):
            self._tap.has_session = session is not None

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        self._record.note_command(command)
        return super().transmit(command)


class _TappedSession:
    """A session whose answers are noted after they were verified; its keys stay inside."""

    def __init__(self, inner: CardSession, record: RecordedConversation) -> None:
        self._inner = inner
        self._record = record

    @property
    def is_alive(self) -> bool:
        return self._inner.is_alive

    @property
    def send_sequence_counter(self) -> int:
        return self._inner.send_sequence_counter

    def end(self) -> None:
        self._inner.end()

    def max_response_data(self, limit: int) -> int:
        return self._inner.max_response_data(limit)

    def wrap(self, command: CommandApdu) -> CommandApdu:
        return self._inner.wrap(command)

    def unwrap(self, response: ResponseApdu) -> ResponseApdu:
        try:
            plain = self._inner.unwrap(response)
        except CardError as error:
            self._record.note_error(EventKind.ANSWER, error)
            raise
        self._record.note_response(EventKind.ANSWER, plain)
        return plain


class _RecordedCredentials:
    """Credentials whose choice of a chain is noted; certificates are public, and signatures are not noted."""

    def __init__(self, inner: ShownCredentials, record: RecordedConversation) -> None:
        self._inner = inner
        self._record = record

    @property
    def holder_reference(self) -> HolderReference:
        return self._inner.holder_reference

    def chain_from(self, trust_points: Collection[bytes], *, on: date) -> TerminalChain:
        try:
            chain = self._inner.chain_from(trust_points, on=on)
        except Exception as error:
            self._record.note_error(EventKind.CHAIN, error)
            raise
        self._record.note(
            EventKind.CHAIN,
            name=chain.trust_point.text,
            certificates=tuple(item.to_bytes() for item in chain.certificates),
            data_groups=tuple(sorted(chain.data_groups)),
        )
        return chain

    def sign(self, message: bytes) -> bytes:
        return self._inner.sign(message)


def _payload(item: _Noted) -> tuple[bytes, bytes]:
    """What frames a piece of a file in its answer, and the piece."""
    if item.is_by_object:
        try:
            header = tlv.read_header(item.plain)
        except CardDataError:
            return b"", item.plain
        if header.tag == _CONTENT_OBJECT:
            return item.plain[: header.size], item.plain[header.size :]
    return b"", item.plain
