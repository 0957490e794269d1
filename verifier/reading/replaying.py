"""A recorded conversation played again without the card: the reading of today against what the card did then.

The real reading, the real channel and the real file reading run; every command must have the header and the lengths
that it had, in the order that it had them. Only the cryptography is not carried out again, because nobody keeps the
keys: a session under keys of zeros protects commands, so that they have their lengths, and answers come from the record.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from card_layout.curves import EcPublicKey, curve_for_pace_parameter
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
)
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel, ReadingLimitError
from card_layout.iso7816.secure_messaging import SecureMessagingError, SecureMessagingSession
from card_layout.iso7816.session import CardSession
from card_layout.iso7816.triple_des import TripleDesSession
from card_layout.protocols.algorithms import (
    PaceMapping,
    SessionCipher,
    chip_authentication_cipher,
    pace_algorithm,
)
from card_layout.protocols.chip_authentication_mapping import ChipAuthenticationMapping
from card_layout.protocols.pace import PacePassword, PaceResult
from card_layout.protocols.terminal_authentication import CertificateToShow, SessionBinding
from card_layout.rsa import RsaPublicKey
from card_layout.transport.connection import CardConnection, CardReader
from pki.card_verifiable.authorisation import FileRights, TerminalType
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import EffectiveRights
from pki.card_verifiable.credentials import TerminalChain
from pki.card_verifiable.references import HolderReference
from pki.errors import PkiDataError
from verifier.reading.conversation import Conversation, ShownCredentials
from verifier.reading.error_notes import raise_again
from verifier.reading.transcript_events import Event, EventKind, TranscriptError

__all__ = ["ReplayedConversation"]

_NO_KEY: Final = bytes(16)


class ReplayedConversation(Conversation):
    """Plays a record; ``divergence`` says where the reading of today left it."""

    def __init__(self, events: Sequence[Event], *, has_credentials: bool) -> None:
        self._events = tuple(events)
        self._position = 0
        self._now = 0.0
        self._has_credentials = has_credentials
        self._has_ended_early = False
        self.divergence: TranscriptError | None = None

    def monotonic(self) -> float:
        """The time of the line that was played last, in seconds."""
        return self._now

    def finish(self) -> None:
        """Make sure that the reading went as recorded, to the last line.

        Raises:
            TranscriptError: it left the record.
        """
        if self.divergence is None and self._position != len(self._events):
            self.diverge("the end of the reading")
        if self.divergence is not None:
            raise self.divergence

    def next(self, kind: EventKind, **expected: Any) -> Event:
        """Play the next line, which is to be of this kind and to hold these values.

        Raises:
            TranscriptError: it is another one.
            ReadingLimitError: the reading was cut off there.
        """
        event = self.peek()
        if event is not None and event.kind is EventKind.CUT:
            # Whatever was under way then, nothing more of it counts.
            self._has_ended_early = True
            self._position += 1
            self._now = event.seconds
        if self._has_ended_early:
            raise ReadingLimitError("nobody waited any more")
        values = {name: getattr(event, name, None) for name in expected}
        if event is None or event.kind is not kind or values != expected:
            asked = ", ".join(
                f"{name} {value.hex().upper() if isinstance(value, bytes) else value}"
                for name, value in expected.items()
            )
            raise self.diverge(f"{kind.value} {asked}".rstrip())
        self._position += 1
        self._now = event.seconds
        return event

    def peek(self) -> Event | None:
        """The next line, ``None`` at the end."""
        return self._events[self._position] if self._position < len(self._events) else None

    def diverge(self, got: str) -> TranscriptError:
        """Keep the first place at which the reading left the record."""
        event = self.peek()
        expected = "the end of the transcript" if event is None else event.to_line()[:200]
        error = TranscriptError(
            f"line {self._position + 2}: got {got}, expected {expected}", code="transcript.diverged"
        )
        self.divergence = self.divergence or error
        return error

    def credentials(self, given: ShownCredentials | None) -> ShownCredentials | None:
        """Stand-ins, where the terminal had some."""
        del given
        return _ReplayedCredentials(self) if self._has_credentials else None

    def connect(self, reader: CardReader) -> CardConnection:
        """Nothing is powered."""
        del reader
        event = self.next(EventKind.CONNECT)
        raise_again(event)
        return _ReplayedConnection(self, event.data or b"")

    def open_channel(self, connection: CardConnection, deadline: Callable[[], None]) -> CardChannel:
        """A channel whose deadline is the recorded one."""
        del deadline

        def check() -> None:
            event = self.peek()
            if event is not None and event.kind is EventKind.DEADLINE:
                raise_again(self.next(EventKind.DEADLINE))

        return _ReplayedChannel(connection, check, self)

    @contextmanager
    def file(self, name: str) -> Iterator[None]:
        """The lines of one file."""
        self.next(EventKind.FILE, name=name)
        try:
            yield
        finally:
            if self.divergence is None:
                self.next(EventKind.FILE_END, name=name)

    def pace(
        self, channel: CardChannel, *, pace_info: PaceInfo, password: PacePassword
    ) -> PaceResult:
        """The commands of PACE, and the outcome that it had."""
        self._play("pace", channel)
        algorithm = pace_algorithm(pace_info.protocol)
        if algorithm is None or pace_info.parameter_id is None:
            raise self.diverge("PACE that this program does not speak")
        curve = curve_for_pace_parameter(pace_info.parameter_id)
        channel.session = _ReplayedSession(self, algorithm.cipher)
        mapping = None
        if algorithm.mapping is PaceMapping.CHIP_AUTHENTICATION:
            mapping = ChipAuthenticationMapping(
                curve=curve, mapping_public_key=curve.generator, data=b"\x01"
            )
        return PaceResult(
            pace_info=pace_info,
            password=password.reference,
            curve=curve,
            algorithm=algorithm,
            chip_public_key=curve.generator,
            own_public_key=curve.generator,
            chip_authentication_mapping=mapping,
        )

    def basic_access_control(self, channel: CardChannel, *, information: str) -> None:
        """The commands of basic access control, and the outcome that it had."""
        del information
        self._play("basic-access-control", channel)
        channel.session = _ReplayedSession(self, SessionCipher.TRIPLE_DES)

    def proves(self, mapping: ChipAuthenticationMapping, key: EcPublicKey) -> bool:
        """Whether PACE proved the key then."""
        del mapping, key
        return bool(self.next(EventKind.PROOF).is_proven)

    def chip_authentication(
        self,
        channel: CardChannel,
        *,
        info: ChipAuthenticationInfo,
        public_key_info: ChipAuthenticationPublicKeyInfo,
        allow_triple_des: bool,
    ) -> bytes:
        """The commands of chip authentication, and the outcome that it had."""
        self._play("chip-authentication", channel)
        cipher = chip_authentication_cipher(info.protocol, allow_triple_des=allow_triple_des)
        if cipher is None:
            raise self.diverge("chip authentication that this program does not speak")
        channel.session = _ReplayedSession(self, cipher)
        return public_key_info.public_key.curve.generator

    def terminal_authentication(
        self,
        channel: CardChannel,
        *,
        chain: Sequence[CertificateToShow],
        holder_reference: bytes,
        binding: SessionBinding,
        sign: Callable[[bytes], bytes],
    ) -> None:
        """The commands of terminal authentication, and the outcome that it had."""
        del chain, holder_reference, binding, sign
        self._play("terminal-authentication", channel)

    def signature(
        self, channel: CardChannel, *, public_key: EcPublicKey | RsaPublicKey, challenge: bytes
    ) -> bytes:
        """The command of active authentication, and the outcome that it had; never the signature."""
        del public_key, challenge
        self._play("active-authentication", channel)
        return b""

    def _play(self, name: str, channel: CardChannel) -> None:
        """Send what a protocol sent, in its lengths, and end as it ended."""
        self.next(EventKind.PROTOCOL, name=name)
        while (event := self.peek()) is not None and event.kind is EventKind.COMMAND:
            command = self._command(event)
            try:
                channel.transmit(command)
            except Exception:
                if self.divergence is not None:
                    raise
                # The protocol ended with it, and how is the next line.
                break
        event = self.next(EventKind.PROTOCOL_END, name=name)
        raise_again(event)

    def _command(self, event: Event) -> CommandApdu:
        header = event.header or b""
        if len(header) != 4:
            raise self.diverge("a command without a header")
        return CommandApdu(
            cla=header[0],
            ins=header[1],
            p1=header[2],
            p2=header[3],
            data=bytes(min(event.command_bytes or 0, 0xFFFF)),
            expected_length=event.expected_bytes,
        )


class _ReplayedConnection:
    """The wire: a command is compared, and answered as it was."""

    def __init__(self, record: ReplayedConversation, atr: bytes) -> None:
        self._record = record
        self._atr = atr

    @property
    def atr(self) -> bytes:
        return self._atr

    def transmit(self, command: bytes) -> bytes:
        event = self._record.next(EventKind.APDU, header=command[:4], command_bytes=len(command))
        raise_again(event)
        size = event.response_bytes or 0
        if event.status_word is None:
            return bytes(size)
        data = event.data if event.data is not None else bytes(size)
        return data[:size].ljust(size, b"\x00") + event.status_word.to_bytes(2, "big")

    def reset(self) -> bytes:
        event = self._record.next(EventKind.RESET)
        raise_again(event)
        self._atr = event.data or b""
        return self._atr

    def close(self) -> None:
        """There is nothing to let go of."""


class _ReplayedChannel(CardChannel):
    """A channel that compares what is meant with what was meant."""

    def __init__(
        self,
        connection: CardConnection,
        deadline: Callable[[], None],
        record: ReplayedConversation,
    ) -> None:
        super().__init__(connection, deadline=deadline)
        self._record = record

    def transmit(self, command: CommandApdu) -> ResponseApdu:
        self._record.next(
            EventKind.COMMAND,
            header=command.header,
            command_bytes=len(command.data),
            expected_bytes=command.expected_length,
        )
        return super().transmit(command)


class _ReplayedSession:
    """Protects commands with keys of zeros, which gives them their lengths; takes answers from the record."""

    def __init__(self, record: ReplayedConversation, cipher: SessionCipher) -> None:
        self._record = record
        self._cipher = cipher
        self._is_alive = True
        self._counter = 0

    def _fresh(self) -> CardSession:
        if self._cipher is SessionCipher.TRIPLE_DES:
            return TripleDesSession(_NO_KEY, _NO_KEY)
        return SecureMessagingSession(_NO_KEY, _NO_KEY)

    @property
    def is_alive(self) -> bool:
        return self._is_alive

    @property
    def send_sequence_counter(self) -> int:
        return self._counter

    def end(self) -> None:
        self._is_alive = False

    def max_response_data(self, limit: int) -> int:
        return self._fresh().max_response_data(limit)

    def wrap(self, command: CommandApdu) -> CommandApdu:
        if not self._is_alive:
            raise SecureMessagingError("the session is over")
        self._counter += 2
        return self._fresh().wrap(command)

    def unwrap(self, response: ResponseApdu) -> ResponseApdu:
        del response
        event = self._record.next(EventKind.ANSWER)
        if event.error is not None:
            self._is_alive = False
            raise_again(event)
        size = event.response_bytes or 0
        data = event.data if event.data is not None else bytes(size)
        return ResponseApdu(data[:size].ljust(size, b"\x00"), event.status_word or 0)


class _ReplayedCredentials:
    """Stand-ins for a terminal's credentials: the choice that was made, and no key."""

    def __init__(self, record: ReplayedConversation) -> None:
        self._record = record

    @property
    def holder_reference(self) -> HolderReference:
        return HolderReference.from_bytes(b"XXREPLAY00000")

    def chain_from(self, trust_points: Collection[bytes], *, on: date) -> TerminalChain:
        del trust_points, on
        event = self._record.next(EventKind.CHAIN)
        raise_again(event)
        groups = frozenset(event.data_groups or ())
        try:
            shown = tuple(CvCertificate.from_bytes(item) for item in event.certificates or ())
            return TerminalChain(
                trust_point=HolderReference.from_bytes((event.name or "").encode("latin-1")),
                certificates=shown,
                encoded=tuple(item.to_value() for item in shown),
                rights=EffectiveRights(
                    terminal_type=TerminalType.INSPECTION_SYSTEM,
                    access_bits=(3 in groups) | (4 in groups) << 1,
                    files=FileRights.of(groups - {3, 4}),
                ),
            )
        except (PkiDataError, UnicodeEncodeError) as error:
            raise self._record.diverge("a chain that is none") from error

    def sign(self, message: bytes) -> bytes:
        raise self._record.diverge(f"a signature over {len(message)} bytes")
