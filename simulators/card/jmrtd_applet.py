"""Another personality of the card: the open-source passport applet on a Java Card (SPEC.md, 11; docs/card-image.md).

A Java Card starts with its card manager, which tells the chip's production data; the applet is selected by name.
It has no secure channel, no keys of its own for writing and no life cycle in the answer to reset: until it is
locked, whoever holds it writes it. Status words are those that the applet gives, also where others would be better.
"""

from dataclasses import dataclass, replace
from typing import Final

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from simulators.card.command import Command
from simulators.card.cv_certificate import CvCertificateError, read_trust_point
from simulators.card.file_system import Selection
from simulators.card.non_volatile import NonVolatileMemory
from simulators.card.points import Point
from simulators.card.reading_side import ReadingSide
from simulators.card.reply import Reply
from simulators.card.status import Refused, StatusWord
from simulators.card.templates import read_objects
from simulators.image import CardImage, EcKey, ImageFile, file_path
from simulators.image_keys import RsaKey, Secrets, SessionAlgorithm

__all__ = ["JMRTD_ATR", "JmrtdApplet"]

JMRTD_ATR: Final = bytes.fromhex("3B80800101")
"""A contactless Java Card without historical bytes: nothing of it tells a life cycle."""

_CARD_MANAGERS = frozenset(
    (b"", bytes.fromhex("A000000151000000"), bytes.fromhex("A000000003000000"))
)
_PRODUCTION_DATA = (0x9F, 0x7F)
_PRODUCTION_DATA_BYTES = 42

_WRONG_FILE_LENGTH = 0x6D42
_INVALID_DATA = 0x6984
_FILE_IN_PLACE = 0x6983
_UNKNOWN_FILE = 0x6F00

_FILES = frozenset((*range(0x0101, 0x0111), 0x011C, 0x011D, 0x011E))
"""The applet has a place for these files and for no others."""

_MAX_MEMORY_BYTES = 65_536
_KEY_ID = 1
_MRZ_WEIGHTS = (7, 3, 1)


@dataclass(slots=True, kw_only=True)
class JmrtdApplet:
    """The applet and the card manager around it; what a reset wipes, over the card's memory."""

    memory: NonVolatileMemory
    reading: ReadingSide
    is_selected: bool = False
    _modulus: int | None = None
    _exponent: int | None = None

    @property
    def _image(self) -> CardImage:
        return self.memory.image

    @property
    def _is_locked(self) -> bool:
        return self._image.state is LifeCycle.OPERATIONAL

    def carry_out(self, command: Command, room: int, *, is_protected: bool) -> Reply:
        """One command that came in plain, or out of secure messaging.

        Raises:
            Refused: with the status word of the applet or of the card manager.
        """
        if not is_protected and (command.ins, command.p1) == (0xA4, 0x04):
            return self._select_by_name(command)
        if not self.is_selected:
            return self._ask_card_manager(command)
        match command.ins:
            case 0xA4:
                reply = self._select_file(command)
            case 0xB0:
                reply = self._read_binary(command, room)
            case 0xD6:
                reply = self._update_binary(command)
            case 0xE0:
                reply = self._create_file(command)
            case 0xDA:
                reply = self._put_data(command)
            case _:
                reply = self._prove(command, room, is_protected=is_protected)
        return reply

    def _select_by_name(self, command: Command) -> Reply:
        """What the card itself does with SELECT by name: the applet, or the card manager."""
        if command.data in self._image.applications:
            self.is_selected = True
            self.reading.selection = Selection(application=command.data)
        elif command.data in _CARD_MANAGERS:
            self.is_selected = False
        else:
            raise Refused(StatusWord.FILE_NOT_FOUND)
        return Reply()

    def _ask_card_manager(self, command: Command) -> Reply:
        if command.ins == 0xCA and (command.p1, command.p2) == _PRODUCTION_DATA:
            return Reply(data=tlv.encode(0x9F7F, _production_data(self._image.serial)))
        if command.ins == 0xA4:
            raise Refused(StatusWord.FILE_NOT_FOUND)
        raise Refused(StatusWord.UNKNOWN_INSTRUCTION)

    def _select_file(self, command: Command) -> Reply:
        if self._is_locked and self.reading.session is None:
            raise Refused(StatusWord.SECURITY_STATUS)
        if len(command.data) != 2:
            raise Refused(StatusWord.WRONG_LENGTH)
        selection = replace(self.reading.selection, file=None)
        path = file_path(selection.application, int.from_bytes(command.data, "big"))
        if path not in self._image.files:
            self.reading.selection = selection
            raise Refused(StatusWord.FILE_NOT_FOUND)
        self.reading.selection = replace(selection, file=path)
        return Reply()

    def _read_binary(self, command: Command, room: int) -> Reply:
        """Only after basic access control, locked or not; the applet knows no short identifiers."""
        if self.reading.session is None:
            raise Refused(StatusWord.SECURITY_STATUS)
        self._selected_file()
        if command.p1 & 0x80:
            raise Refused(_UNKNOWN_FILE)
        return self.reading.carry_out(command, room)

    def _selected_file(self) -> str:
        path = self.reading.selection.file
        if path is None:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        return path

    def _update_binary(self, command: Command) -> Reply:
        path = self._selected_file()
        self._require_unlocked()
        file = self._image.files[path]
        offset = command.p1 << 8 | command.p2
        end = offset + len(command.data)
        if end > file.capacity:
            raise Refused(_WRONG_FILE_LENGTH)
        content = file.data[:offset] + command.data + file.data[end:]
        self.memory.commit(self._image.with_file(path, replace(file, data=content)))
        return Reply()

    def _create_file(self, command: Command) -> Reply:
        """``63 04 size fid``: a file of zeros, once."""
        self._require_unlocked()
        if len(command.data) < 6 or command.data[1] < 4:
            raise Refused(StatusWord.WRONG_LENGTH)
        if command.data[0] != 0x63:
            raise Refused(_INVALID_DATA)
        size, identifier = (int.from_bytes(command.data[at : at + 2], "big") for at in (2, 4))
        if identifier not in _FILES:
            raise Refused(_UNKNOWN_FILE)
        image = self._image
        path = file_path(self.reading.selection.application, identifier)
        if path in image.files:
            raise Refused(_FILE_IN_PLACE)
        used = sum(file.capacity for file in image.files.values())
        if size == 0 or used + size > _MAX_MEMORY_BYTES:
            raise Refused(_UNKNOWN_FILE)
        self.memory.commit(image.with_file(path, ImageFile(data=bytes(size), capacity=size)))
        return Reply()

    def _put_data(self, command: Command) -> Reply:
        self._require_unlocked()
        image = self._image
        match (command.p1, command.p2):
            case (0xDE, 0xAD):
                changed = replace(image, state=LifeCycle.OPERATIONAL)
            case (0x00, 0x60):
                self._modulus = _read_number(command.data, 0x60)
                changed = self._with_signing_key()
            case (0x00, 0x61):
                self._exponent = _read_number(command.data, 0x61)
                changed = self._with_signing_key()
            case (0x00, 0x62):
                passwords = Secrets(
                    mrz_information=_mrz_information(command.data), basic_access_control=True
                )
                changed = replace(image, secrets=passwords, state=LifeCycle.PERSONALISED)
            case (0x00, 0x63):
                keys = replace(image.keys, chip_authentication=(_chip_key(command.data),))
                changed = replace(image, keys=keys)
            case (_, 0x64):
                changed = self._with_trust_point(command.data)
            case _:
                raise Refused(StatusWord.WRONG_PARAMETERS)
        self.memory.commit(changed)
        return Reply()

    def _with_signing_key(self) -> CardImage:
        """The key of active authentication is there once both its numbers are, which come in one sitting."""
        if self._modulus is None or self._exponent is None:
            return self._image
        if not 1 < self._exponent < self._modulus:
            raise Refused(StatusWord.WRONG_DATA)
        key = RsaKey(modulus=self._modulus, private_exponent=self._exponent)
        return replace(self._image, keys=replace(self._image.keys, active_authentication=key))

    def _with_trust_point(self, data: bytes) -> CardImage:
        """The first certificate stays for ever."""
        if self._image.trust_points:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        try:
            read_trust_point(data)
        except CvCertificateError as error:
            raise Refused(StatusWord.WRONG_DATA) from error
        return replace(self._image, trust_points=(data,))

    def _prove(self, command: Command, room: int, *, is_protected: bool) -> Reply:
        """Basic access control, chip authentication and active authentication, where the keys for them are there."""
        keys = self._image.keys
        match command.ins:
            case 0x84 | 0x82:
                if not self._image.secrets.basic_access_control or is_protected:
                    raise Refused(StatusWord.SECURITY_STATUS)
            case 0x22:
                if not is_protected:
                    raise Refused(StatusWord.SECURITY_STATUS)
                if not keys.chip_authentication:
                    raise Refused(StatusWord.UNKNOWN_INSTRUCTION)
                if (command.p1, command.p2) != (0x41, 0xA6):
                    raise Refused(StatusWord.WRONG_PARAMETERS)
            case 0x88:
                if keys.active_authentication is None or not is_protected:
                    raise Refused(StatusWord.SECURITY_STATUS)
            case _:
                raise Refused(StatusWord.UNKNOWN_INSTRUCTION)
        return self.reading.carry_out(command, room)

    def _require_unlocked(self) -> None:
        if self._is_locked:
            raise Refused(StatusWord.CONDITIONS_OF_USE)


def _production_data(serial: bytes) -> bytes:
    """The card production life-cycle data: fabricator, type, batch and serial number are the chip's; the rest is zeros."""
    fabricator_and_type, batch, number = serial[:4], serial[4:6], serial[6:10]
    return (fabricator_and_type + bytes(8) + number + batch).ljust(_PRODUCTION_DATA_BYTES, b"\x00")


def _read_number(data: bytes, tag: int) -> int:
    """``tag { 04 number }``, or with the number behind an empty ``tag`` as old tools write it."""
    try:
        outer = tlv.parse_all(data)
        inner = outer[0].children() if len(outer) == 1 else outer[1:]
    except (tlv.TlvError, IndexError) as error:
        raise Refused(StatusWord.WRONG_DATA) from error
    if outer[0].tag != tag or len(inner) != 1 or inner[0].tag != 0x04:
        raise Refused(StatusWord.WRONG_DATA)
    return int.from_bytes(inner[0].value, "big")


def _mrz_information(data: bytes) -> str:
    """Document number, date of birth, date of expiry, each with the check digit that the applet calculates."""
    try:
        parts = [
            item.value.decode("ascii") for item in tlv.parse(data, expected_tag=0x62).children()
        ]
    except (tlv.TlvError, UnicodeDecodeError) as error:
        raise Refused(StatusWord.WRONG_DATA) from error
    is_known = all(set(part) <= set(_VALUES) for part in parts)
    if [len(part) for part in parts] != [9, 6, 6] or not is_known:
        raise Refused(StatusWord.WRONG_DATA)
    return "".join(part + _check_digit(part) for part in parts)


_VALUES = {
    character: value for value, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
} | {"<": 0}


def _check_digit(text: str) -> str:
    """ICAO 9303-3, 4.9."""
    return str(sum(_VALUES[each] * _MRZ_WEIGHTS[at % 3] for at, each in enumerate(text)) % 10)


def _chip_key(data: bytes) -> EcKey:
    """``81`` field, ``82`` a, ``83`` b, ``84`` G, ``85`` order, ``86`` private number, ``87`` cofactor."""
    parts = read_objects(data, required=(0x81, 0x82, 0x83, 0x84, 0x85, 0x86), optional=(0x87,))
    field, a, b, order, scalar = (
        int.from_bytes(parts[tag], "big") for tag in (0x81, 0x82, 0x83, 0x85, 0x86)
    )
    for curve in NamedCurve:
        is_same = (field, a, b, order) == (curve.p, curve.a, curve.b, curve.n)
        if is_same and parts[0x84] == Point.generator(curve).to_bytes() and 1 <= scalar < curve.n:
            return EcKey(
                curve=curve,
                private_scalar=scalar,
                key_id=_KEY_ID,
                algorithms=(SessionAlgorithm.TRIPLE_DES,),
            )
    raise Refused(StatusWord.WRONG_DATA)
