"""The commands of dialect ``native`` under the secure channel (SPEC.md, 8.3): pure functions from memory to memory."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeAlias

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from simulators.card.command import Command
from simulators.card.cv_certificate import read_trust_point
from simulators.card.file_system import Selection, files_of, locate, select
from simulators.card.key_sets import key_information, with_new_keys
from simulators.card.pace import random_scalar
from simulators.card.points import Point
from simulators.card.status import Refused, StatusWord
from simulators.card.templates import read_objects, read_template
from simulators.card.trust_points import CVCA_BYTES, CVCA_PATH, with_trust_points
from simulators.image import (
    CardImage,
    EcKey,
    ImageFile,
    ReadRule,
    Secrets,
    file_path,
)
from simulators.image_document import MAX_TRUST_POINTS

__all__ = ["INSTRUCTIONS", "Memory", "carry_out"]

_THREE_KEYS = 0x81
_KEY_INFORMATION = (0x00, 0xE0)

_MAX_FILES = 32
_MAX_APPLICATIONS = 4
_MAX_MEMORY_BYTES = 131_072
_MAX_KEYS = 4
_REFERENCE_BYTES = 16
_CURRENT_DATE = 0x81

_RULES = {
    0x00: ReadRule.ALWAYS,
    0x01: ReadRule.PASSWORD,
    0x02: ReadRule.TERMINAL,
    0xFF: ReadRule.NEVER,
}
_WRITE_IN_PERSONALISATION = 0x10

_TRANSITIONS = {
    LifeCycle.BLANK: {LifeCycle.INITIALISED, LifeCycle.TERMINATED},
    LifeCycle.INITIALISED: {LifeCycle.TERMINATED},
    LifeCycle.PERSONALISING: {LifeCycle.PERSONALISED, LifeCycle.TERMINATED},
    LifeCycle.PERSONALISED: {LifeCycle.OPERATIONAL, LifeCycle.TERMINATED},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a command starts from and leaves behind: non-volatile memory, selection, data of the answer."""

    image: CardImage
    selection: Selection
    answer: bytes = field(default=b"", repr=False)


def carry_out(
    command: Command, memory: Memory, *, dek: bytes, random: Callable[[int], bytes]
) -> Memory:
    """Carry out one command that came through the secure channel.

    Raises:
        Refused: with the status word of SPEC.md, 4.4 or 8.3; nothing has changed.
    """
    handler, states = _HANDLERS.get(command.ins, (None, ()))
    if handler is None:
        raise Refused(StatusWord.UNKNOWN_INSTRUCTION)
    _require_state(memory, *states)
    return handler(command, memory, _Means(dek=dek, random=random))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """What only some commands need."""

    dek: bytes = field(repr=False)
    random: Callable[[int], bytes] = field(repr=False)


def _require_state(memory: Memory, *states: LifeCycle) -> None:
    if memory.image.state not in states:
        raise Refused(StatusWord.CONDITIONS_OF_USE)


def _require_parameters(command: Command, p1: int, p2: int) -> None:
    if (command.p1, command.p2) != (p1, p2):
        raise Refused(StatusWord.WRONG_PARAMETERS)


def _put_key(command: Command, memory: Memory, means: _Means) -> Memory:
    """PUT KEY: the three keys of a set at once, each under the data encryption key, with its check value."""
    if command.p2 != _THREE_KEYS:
        raise Refused(StatusWord.WRONG_PARAMETERS)
    image = memory.image
    keys, answer = with_new_keys(image.keys, command.p1, command.data, dek=means.dek)
    return replace(memory, image=replace(image, keys=keys), answer=answer)


def _create_file(command: Command, memory: Memory, _means: _Means) -> Memory:
    _require_parameters(command, 0x00, 0x00)
    descriptor = read_objects(command.data, required=(0x62,))[0x62]
    parts = read_objects(descriptor, required=(0x82, 0x83), optional=(0x84, 0x88, 0x80, 0x86))
    if len(parts[0x83]) != 2:
        raise Refused(StatusWord.WRONG_DATA)
    file_identifier = int.from_bytes(parts[0x83], "big")
    if parts[0x82] == b"\x38":
        read_objects(descriptor, required=(0x82, 0x83, 0x84))
        return _create_application(memory, parts[0x84], file_identifier)
    if parts[0x82] == b"\x01":
        read_objects(descriptor, required=(0x82, 0x83, 0x88, 0x80, 0x86))
        return _create_elementary_file(memory, parts, file_identifier)
    raise Refused(StatusWord.WRONG_DATA)


def _create_application(memory: Memory, identifier: bytes, file_identifier: int) -> Memory:
    if not 5 <= len(identifier) <= 16:
        raise Refused(StatusWord.WRONG_DATA)
    image = memory.image
    taken = {*image.applications.values(), 0x3F00}
    if identifier in image.applications or file_identifier in taken:
        raise Refused(StatusWord.FILE_EXISTS)
    if len(image.applications) == _MAX_APPLICATIONS:
        raise Refused(StatusWord.NO_SPACE)
    return replace(
        memory,
        image=replace(image, applications={**image.applications, identifier: file_identifier}),
        selection=Selection(application=identifier),
    )


def _create_elementary_file(
    memory: Memory, parts: dict[int, bytes], file_identifier: int
) -> Memory:
    if [len(parts[tag]) for tag in (0x88, 0x80, 0x86)] != [1, 2, 2]:
        raise Refused(StatusWord.WRONG_DATA)
    short_identifier, remainder = divmod(parts[0x88][0], 8)
    capacity = int.from_bytes(parts[0x80], "big")
    read_rule, write_rule = parts[0x86]
    if (
        remainder
        or not 1 <= short_identifier <= 30
        or capacity == 0
        or read_rule not in _RULES
        or write_rule != _WRITE_IN_PERSONALISATION
    ):
        raise Refused(StatusWord.WRONG_DATA)
    image = memory.image
    path = file_path(memory.selection.application, file_identifier)
    if path in image.files:
        raise Refused(StatusWord.FILE_EXISTS)
    neighbours = files_of(image.files, memory.selection.application)
    if any(file.short_identifier == short_identifier for _, file in neighbours):
        raise Refused(StatusWord.WRONG_DATA)
    used = sum(file.capacity for file in image.files.values())
    if len(image.files) == _MAX_FILES or used + capacity > _MAX_MEMORY_BYTES:
        raise Refused(StatusWord.NO_SPACE)
    created = ImageFile(
        read=_RULES[read_rule], short_identifier=short_identifier, capacity=capacity
    )
    return replace(
        memory,
        image=image.with_file(path, created),
        selection=replace(memory.selection, file=path),
    )


def _generate_key_pair(command: Command, memory: Memory, means: _Means) -> Memory:
    _require_parameters(command, 0x80, 0x00)
    parts = read_template(command.data, 0xA6, required=(0x06, 0x84))
    curves = [curve for curve in NamedCurve if curve.oid_bytes == parts[0x06]]
    if len(parts[0x84]) != 1 or not curves:
        raise Refused(StatusWord.WRONG_DATA)
    key = EcKey(
        curve=curves[0],
        private_scalar=random_scalar(curves[0], means.random),
        key_id=parts[0x84][0],
    )
    image = memory.image
    others = tuple(other for other in image.keys.chip_authentication if other.key_id != key.key_id)
    if len(others) == _MAX_KEYS:
        raise Refused(StatusWord.NO_SPACE)
    public = Point.generator(key.curve).times(key.private_scalar).to_bytes()
    return replace(
        memory,
        image=replace(image, keys=replace(image.keys, chip_authentication=(*others, key))),
        answer=tlv.encode(0x7F49, tlv.encode(0x06, parts[0x06]) + tlv.encode(0x86, public)),
    )


def _put_data(command: Command, memory: Memory, _means: _Means) -> Memory:
    if command.p1 != 0x01 or command.p2 not in (0x01, 0x02, 0x03):
        raise Refused(StatusWord.WRONG_PARAMETERS)
    if command.p2 == 0x02:
        return _put_reference(command, memory)
    _require_state(memory, LifeCycle.PERSONALISING)
    if command.p2 == 0x03:
        return _put_trust_points(command, memory)
    parts = read_template(command.data, 0xA0, required=(0x81, 0x82))
    try:
        information, can = parts[0x81].decode("ascii"), parts[0x82].decode("ascii")
    except UnicodeDecodeError as error:
        raise Refused(StatusWord.WRONG_DATA) from error
    if len(information) != 24 or not set(information) <= _MRZ_CHARACTERS:
        raise Refused(StatusWord.WRONG_DATA)
    if len(can) != 6 or not set(can) <= set("0123456789"):
        raise Refused(StatusWord.WRONG_DATA)
    return replace(
        memory,
        image=replace(memory.image, secrets=Secrets(can=can, mrz_information=information)),
    )


_MRZ_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<")


def _put_reference(command: Command, memory: Memory) -> Memory:
    """The card reference; with it the state becomes *personalising*, in one step."""
    if len(command.data) != _REFERENCE_BYTES:
        raise Refused(StatusWord.WRONG_LENGTH)
    image = memory.image
    if image.state is LifeCycle.PERSONALISING:
        if image.card_reference != command.data:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        return memory
    image = replace(image, card_reference=command.data)
    return replace(memory, image=image.with_state(LifeCycle.PERSONALISING))


def _put_trust_points(command: Command, memory: Memory) -> Memory:
    """Current date and trust points, all at once; the chip writes EF.CVCA itself."""
    if CVCA_PATH not in memory.image.files:
        raise Refused(StatusWord.FILE_NOT_FOUND)
    objects = _children(command.data, 0xA1)
    if not 2 <= len(objects) <= 1 + MAX_TRUST_POINTS or objects[0].tag != _CURRENT_DATE:
        raise Refused(StatusWord.WRONG_DATA)
    try:
        day = datetime.strptime(objects[0].value.decode("ascii"), "%Y%m%d").replace(tzinfo=UTC)
        points = tuple(read_trust_point(item.to_bytes()) for item in objects[1:])
    except ValueError as error:
        raise Refused(StatusWord.WRONG_DATA) from error
    if len({point.holder_reference for point in points}) != len(points):
        raise Refused(StatusWord.WRONG_DATA)
    date = f"{day:%Y%m%d}"
    if objects[0].value != date.encode() or not date.startswith("20"):
        raise Refused(StatusWord.WRONG_DATA)
    if memory.image.files[CVCA_PATH].capacity < CVCA_BYTES:
        raise Refused(StatusWord.NO_SPACE)
    return replace(memory, image=with_trust_points(memory.image, points, date))


def _children(data: bytes, tag: int) -> tuple[tlv.Tlv, ...]:
    try:
        return tlv.parse(data, expected_tag=tag).children()
    except tlv.TlvError as error:
        raise Refused(StatusWord.WRONG_DATA) from error


def _get_data(command: Command, memory: Memory, _means: _Means) -> Memory:
    if (command.p1, command.p2) == _KEY_INFORMATION:
        if command.data:
            raise Refused(StatusWord.WRONG_LENGTH)
        return replace(memory, answer=key_information(memory.image.keys))
    _require_parameters(command, 0x01, 0x02)
    _require_state(memory, LifeCycle.INITIALISED, LifeCycle.PERSONALISING, LifeCycle.PERSONALISED)
    if command.data:
        raise Refused(StatusWord.WRONG_LENGTH)
    if memory.image.card_reference is None:
        raise Refused(StatusWord.REFERENCE_NOT_FOUND)
    return replace(memory, answer=memory.image.card_reference)


def _update_binary(command: Command, memory: Memory, _means: _Means) -> Memory:
    image = memory.image
    selection, path, offset = locate(image, memory.selection, command)
    if image.state is LifeCycle.BLANK and selection.application is not None:
        raise Refused(StatusWord.CONDITIONS_OF_USE)
    if path == CVCA_PATH:
        # Only the chip writes this file: it tells what the chip trusts, and PUT DATA says so.
        raise Refused(StatusWord.SECURITY_STATUS)
    if not command.data:
        raise Refused(StatusWord.WRONG_LENGTH)
    file = image.files[path]
    if offset + len(command.data) > file.capacity:
        raise Refused(StatusWord.NO_SPACE)
    before = file.data[:offset].ljust(offset, b"\x00")
    content = before + command.data + file.data[offset + len(command.data) :]
    return replace(
        memory, image=image.with_file(path, replace(file, data=content)), selection=selection
    )


def _set_status(command: Command, memory: Memory, _means: _Means) -> Memory:
    if command.p1 != 0x80 or command.p2 not in set(LifeCycle):
        raise Refused(StatusWord.WRONG_PARAMETERS)
    if command.data:
        raise Refused(StatusWord.WRONG_LENGTH)
    image = memory.image
    target = LifeCycle(command.p2)
    if target not in _TRANSITIONS.get(image.state, set()):
        raise Refused(StatusWord.CONDITIONS_OF_USE)
    if target is LifeCycle.PERSONALISED and not _is_complete(image):
        raise Refused(StatusWord.CONDITIONS_OF_USE)
    return replace(memory, image=image.with_state(target))


def _is_complete(image: CardImage) -> bool:
    """Whether passwords and a key are set and no file is empty (SPEC.md, 8.3)."""
    return (
        image.secrets.are_set
        and bool(image.keys.chip_authentication)
        and bool(image.files)
        and all(file.data for file in image.files.values())
    )


def _select(command: Command, memory: Memory, _means: _Means) -> Memory:
    return replace(memory, selection=select(memory.image, memory.selection, command))


_Handler: TypeAlias = Callable[[Command, Memory, _Means], Memory]

_ALL_STATES = tuple(_TRANSITIONS)

_HANDLERS: dict[int, tuple[_Handler, tuple[LifeCycle, ...]]] = {
    0xA4: (_select, _ALL_STATES),
    0xD8: (_put_key, (LifeCycle.BLANK,)),
    0xE0: (_create_file, (LifeCycle.BLANK,)),
    0x47: (_generate_key_pair, (LifeCycle.BLANK,)),
    0xDA: (_put_data, (LifeCycle.INITIALISED, LifeCycle.PERSONALISING)),
    0xCA: (_get_data, _ALL_STATES),
    0xD6: (_update_binary, (LifeCycle.BLANK, LifeCycle.PERSONALISING)),
    0xF0: (_set_status, _ALL_STATES),
}
"""INS -> what carries it out, and in which states (SPEC.md, 8.3)."""

INSTRUCTIONS = frozenset(_HANDLERS)
"""The instructions of clause 8.3."""
