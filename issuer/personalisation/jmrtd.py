"""The dialect ``jmrtd``: plans as commands of the open-source passport applet on a Java Card (SPEC.md, 11).

For developers. The applet has no secure channel and no keys, so nothing proves which chip answers: its serial is
what the card manager tells everybody, and whoever holds a chip that is not locked writes it. What makes a card of
it all the same is what follows: every byte is read back over basic access control, the chip's key is proven, and
only then is the applet locked, for ever.

The applet keeps no life cycle. Three things are seen from outside, and each is made so that it marks a step:

1. EF.COM, whose place is made last of all: with it the chip is initialised;
2. keys of basic access control, which are put when every file is written: with them it is personalised;
3. the lock.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.errors import CardDataError, CardRefusedError
from card_layout.iso7816 import commands
from card_layout.iso7816.apdu import MAX_SHORT, CommandApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.status_words import StatusWord, describe
from card_layout.profile import CardProfile, FileProfile
from card_layout.transport.connection import CardConnection
from issuer.domain.card import CardReference
from issuer.domain.chip import KeyOrigin, Serial
from issuer.domain.chip_keys import ChipKeySet, WrongKeyTries
from issuer.domain.chip_plan import (
    CreateApplication,
    CreateFile,
    GenerateKeyPair,
    PutPasswords,
    PutReference,
    SelectApplication,
    SetStatus,
    Step,
    WriteFile,
)
from issuer.domain.production_errors import CardRejectedError
from issuer.errors import IssuerRefusedError
from issuer.services.production_ports import ChipSighting

__all__ = ["JmrtdChip", "JmrtdDialect", "draw_private_scalar"]

_MARK_OF_INITIALISED: Final = "EF.COM"
"""The file whose place is made last."""

_SECURITY_OBJECT: Final = "EF.SOD"
_CHUNK: Final = 224
"""Bytes of one UPDATE BINARY: what the buffers of the Java Cards in use take at once."""

_PRODUCTION_DATA: Final = 0x9F7F
_PRODUCTION_DATA_BYTES: Final = 42
_FILE_IN_PLACE: Final = 0x6983
_MAX_SHORT_DATA: Final = 0xFF
_NUMBER_BYTES: Final = 9
_DATE_BYTES: Final = 6
_LOCKED: Final = frozenset(
    (
        StatusWord.CONDITIONS_NOT_SATISFIED,
        StatusWord.SECURITY_STATUS_NOT_SATISFIED,
        StatusWord.INSTRUCTION_NOT_SUPPORTED,
    )
)
"""How releases of the applet say that it is locked."""

_LIFE_CYCLE_BY_MARK: Final[Mapping[int, LifeCycle]] = {
    StatusWord.SUCCESS: LifeCycle.INITIALISED,
    StatusWord.NOT_FOUND: LifeCycle.BLANK,
}


def draw_private_scalar(curve: NamedCurve) -> int:
    """A new private key for a chip that cannot make its own; it is kept nowhere."""
    return ec.generate_private_key(curve.to_cryptography()).private_numbers().private_value


@dataclass(frozen=True, slots=True, kw_only=True)
class JmrtdDialect:
    """How chips with the passport applet are spoken to; keeps no state of a chip."""

    profile: CardProfile
    draw_scalar: Callable[[NamedCurve], int] = draw_private_scalar

    def look(self, connection: CardConnection) -> ChipSighting:
        """See ``ChipDialect.look``: two files and a challenge tell how far the chip has come."""
        channel = CardChannel(connection)
        serial = _serial(channel)
        if serial is None or not self._select(channel):
            return ChipSighting(life_cycle=None)
        return ChipSighting(life_cycle=self._life_cycle(channel), serial=serial)

    def open(
        self,
        connection: CardConnection,
        *,
        keys_for: Callable[[Serial, int], ChipKeySet],
        on_tries: Callable[[WrongKeyTries], None] = WrongKeyTries.require_more_than_one,
    ) -> "JmrtdChip":
        """See ``ChipDialect.open``; there are no keys, so neither function is called."""
        del keys_for, on_tries
        channel = CardChannel(connection)
        serial = _serial(channel)
        if serial is None or not self._select(channel):
            raise CardRefusedError(
                "the chip has no production data or no passport applet",
                status_word=StatusWord.NOT_FOUND,
                code="personalisation.refused",
            )
        return JmrtdChip(
            channel=channel, serial=serial, profile=self.profile, draw_scalar=self.draw_scalar
        )

    def prove_locked(self, connection: CardConnection) -> None:
        """See ``ChipDialect.prove_locked``: neither a file nor a key goes in any more."""
        connection.reset()
        channel = CardChannel(connection)
        if not self._select(channel):
            raise CardRejectedError(
                "the passport applet of the locked card cannot be selected",
                code="lock.not-effective",
            )
        for what, command in (
            ("a key", _put_data(0x00, 0x00)),
            ("a file", _create_file(self.profile.file(_MARK_OF_INITIALISED))),
        ):
            status_word = channel.transmit(command).status_word
            if status_word not in _LOCKED:
                raise CardRejectedError(
                    f"the locked card answered {what} with {status_word:04X}, expected 6985",
                    code="lock.not-effective",
                )

    def _select(self, channel: CardChannel) -> bool:
        command = commands.select_application(self.profile.application_identifier)
        return channel.transmit(command).status_word == StatusWord.SUCCESS

    def _life_cycle(self, channel: CardChannel) -> LifeCycle | None:
        probe = channel.transmit(_put_data(0x00, 0x00)).status_word
        if probe in _LOCKED:
            return LifeCycle.OPERATIONAL
        if probe != StatusWord.WRONG_PARAMETERS:
            return None
        challenge = channel.transmit(commands.get_challenge(8)).status_word
        if challenge == StatusWord.SUCCESS:
            return LifeCycle.PERSONALISED
        if challenge != StatusWord.SECURITY_STATUS_NOT_SATISFIED:
            return None
        mark = self.profile.file(_MARK_OF_INITIALISED)
        found = channel.transmit(commands.select_elementary_file(mark.file_identifier))
        return _LIFE_CYCLE_BY_MARK.get(found.status_word)


@dataclass(slots=True, kw_only=True)
class JmrtdChip:
    """A chip whose applet is selected; see ``OpenedChip``."""

    channel: CardChannel
    serial: Serial
    profile: CardProfile
    draw_scalar: Callable[[NamedCurve], int] = field(repr=False)
    _last_file: FileProfile | None = None
    _passwords: PutPasswords | None = field(default=None, repr=False)

    @property
    def key_version(self) -> None:
        """See ``OpenedChip.key_version``: there are no keys."""
        return

    @property
    def key_origin(self) -> KeyOrigin:
        """See ``OpenedChip.key_origin``: the applet makes no keys."""
        return KeyOrigin.INJECTED

    def card_reference(self) -> CardReference | None:
        """See ``OpenedChip.card_reference``: the applet has no place for one."""
        return None

    def execute(self, step: Step) -> EcPublicKey | None:
        """See ``OpenedChip.execute``.

        EF.COM and the passwords wait for the ``SetStatus`` that they mark.
        """
        match step:
            case CreateFile():
                if step.file.name == _MARK_OF_INITIALISED:
                    self._last_file = step.file
                else:
                    self._create(step.file)
            case CreateApplication() | SelectApplication():
                self._require(commands.select_application(step.application_identifier))
            case WriteFile():
                self._write(step.file, step.content)
            case GenerateKeyPair():
                return self._inject_key(step.curve)
            case PutPasswords():
                self._passwords = step
            case PutReference():
                # The applet has no place for it: quality control compares every byte instead.
                pass
            case SetStatus():
                self._set_status(step.life_cycle)
            case _:
                raise IssuerRefusedError(
                    f"the passport applet knows no {type(step).__name__}",
                    code="personalisation.not-in-dialect",
                )
        return None

    def _set_status(self, life_cycle: LifeCycle) -> None:
        match life_cycle:
            case LifeCycle.INITIALISED if self._last_file is not None:
                self._create(self._last_file)
            case LifeCycle.PERSONALISED if self._passwords is not None:
                self._put_mrz(self._passwords.mrz_information)
            case LifeCycle.OPERATIONAL:
                self._require(_put_data(0xDE, 0xAD))
            case LifeCycle.TERMINATED:
                self._throw_away()
            case _:
                raise IssuerRefusedError(
                    f"the passport applet cannot be made {life_cycle.name.lower()} now",
                    code="personalisation.not-in-dialect",
                )

    def _throw_away(self) -> None:
        """Nothing terminates the applet: it gets keys that nobody knows, its security object is undone, it is locked."""
        number = "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(_NUMBER_BYTES))
        dates = f"{secrets.randbelow(10**_DATE_BYTES):0{_DATE_BYTES}d}" * 2
        self._require(_put_data(0x00, 0x62, _mrz_objects(number, dates[:6], dates[6:])))
        found = self.channel.transmit(
            commands.select_elementary_file(self.profile.file(_SECURITY_OBJECT).file_identifier)
        )
        if found.status_word == StatusWord.SUCCESS:
            self._require(commands.update_binary(0, bytes(_CHUNK)))
        self._require(_put_data(0xDE, 0xAD))

    def _create(self, file: FileProfile) -> None:
        # 6983: an earlier, torn initialisation has made it already.
        self._require(_create_file(file), StatusWord.SUCCESS, _FILE_IN_PLACE)

    def _write(self, file: FileProfile, content: bytes) -> None:
        self._require(commands.select_elementary_file(file.file_identifier))
        for offset in range(0, len(content), _CHUNK):
            self._require(commands.update_binary(offset, content[offset : offset + _CHUNK]))

    def _inject_key(self, curve: NamedCurve) -> EcPublicKey:
        scalar = self.draw_scalar(curve)
        private_key = ec.derive_private_key(scalar, curve.to_cryptography())
        self._require(_put_data(0x00, 0x63, _key_objects(curve, scalar)))
        return EcPublicKey.from_cryptography(private_key.public_key())

    def _put_mrz(self, information: str) -> None:
        """The applet calculates the check digits itself."""
        number, birth, expiry = information[:9], information[10:16], information[17:23]
        self._require(_put_data(0x00, 0x62, _mrz_objects(number, birth, expiry)))

    def _require(self, command: CommandApdu, *expected: int) -> None:
        status_word = self.channel.transmit(command).status_word
        if status_word not in (expected or (StatusWord.SUCCESS,)):
            raise CardRefusedError(
                f"the chip refused instruction {command.ins:02X} ({describe(status_word)})",
                status_word=status_word,
                code="personalisation.refused",
            )


def _serial(channel: CardChannel) -> Serial | None:
    """What the card manager tells of the chip: fabricator, type, batch, serial number (GPC, H.6; 10 bytes)."""
    if channel.transmit(_select_card_manager()).status_word != StatusWord.SUCCESS:
        return None
    response = channel.transmit(
        CommandApdu(cla=0x80, ins=0xCA, p1=0x9F, p2=0x7F, expected_length=MAX_SHORT)
    )
    if response.status_word != StatusWord.SUCCESS:
        return None
    try:
        data = tlv.parse(response.data, expected_tag=_PRODUCTION_DATA).value
    except tlv.TlvError as error:
        raise CardDataError(
            f"the chip's production data is malformed: {error}", code="personalisation.malformed"
        ) from error
    if len(data) != _PRODUCTION_DATA_BYTES:
        raise CardDataError(
            f"the chip's production data has {len(data)} bytes, expected {_PRODUCTION_DATA_BYTES}",
            code="personalisation.malformed",
        )
    return Serial(data[0:4] + data[16:18] + data[12:16])


def _select_card_manager() -> CommandApdu:
    return CommandApdu(cla=0x00, ins=0xA4, p1=0x04, p2=0x00, expected_length=MAX_SHORT)


def _create_file(file: FileProfile) -> CommandApdu:
    return CommandApdu(
        cla=0x00,
        ins=0xE0,
        p1=0x00,
        p2=0x00,
        data=b"\x63\x04"
        + file.capacity.to_bytes(2, "big")
        + file.file_identifier.to_bytes(2, "big"),
    )


def _put_data(p1: int, p2: int, data: bytes = b"") -> CommandApdu:
    if len(data) > _MAX_SHORT_DATA:
        raise IssuerRefusedError(
            f"PUT DATA {p2:02X} has {len(data)} bytes, expected at most {_MAX_SHORT_DATA}",
            code="personalisation.not-in-dialect",
        )
    return CommandApdu(cla=0x00, ins=0xDA, p1=p1, p2=p2, data=data)


def _mrz_objects(number: str, birth: str, expiry: str) -> bytes:
    parts = b"".join(tlv.encode(0x04, part.encode("ascii")) for part in (number, birth, expiry))
    return tlv.encode(0x62, parts)


def _key_objects(curve: NamedCurve, scalar: int) -> bytes:
    """The domain parameters written out, the private number, the cofactor."""
    size = curve.field_bytes
    numbers = {0x81: curve.p, 0x82: curve.a, 0x83: curve.b}
    generator = b"\x04" + curve.g_x.to_bytes(size, "big") + curve.g_y.to_bytes(size, "big")
    return (
        b"".join(tlv.encode(tag, value.to_bytes(size, "big")) for tag, value in numbers.items())
        + tlv.encode(0x84, generator)
        + tlv.encode(0x85, curve.n.to_bytes(size, "big"))
        + tlv.encode(0x86, scalar.to_bytes(size, "big"))
        + tlv.encode(0x87, bytes((curve.h,)))
    )
