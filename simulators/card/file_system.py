"""The card's file system: what is selected, and what reading gives (ISO/IEC 7816-4, 7 and 11; SPEC.md, 3 and 4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from card_layout import tlv
from simulators.card.command import Command
from simulators.card.reply import Reply
from simulators.card.status import Refused, StatusWord
from simulators.card.templates import read_objects
from simulators.image import MASTER_FILE, CardImage, ImageFile, ReadRule, file_path

__all__ = [
    "Selection",
    "locate",
    "locate_to_read",
    "may_read",
    "read_binary",
    "select",
]

_SELECT_MASTER_FILE = 0x00
_SELECT_ELEMENTARY_FILE = 0x02
_SELECT_BY_NAME = 0x04
_NO_ANSWER = 0x0C
_FIRST_OCCURRENCE = 0x00

_OFFSET = 0x54
_DISCRETIONARY_DATA = 0x53
_MAX_OFFSET_BYTES = 4
_LAST_SHORT_IDENTIFIER = 0x1E


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The current DF (``None`` is the master file) and the current EF, as a path of the image."""

    application: bytes | None = None
    file: str | None = None


def select(image: CardImage, selection: Selection, command: Command) -> Selection:
    """Carry out SELECT; it gives no file control information.

    Raises:
        Refused: 6A86, 6700, or 6A82 where there is no such file.
    """
    if command.p1 == _SELECT_BY_NAME and command.p2 in (_NO_ANSWER, _FIRST_OCCURRENCE):
        if command.data not in image.applications:
            raise Refused(StatusWord.FILE_NOT_FOUND)
        return Selection(application=command.data)
    if command.p2 != _NO_ANSWER:
        raise Refused(StatusWord.WRONG_PARAMETERS)
    if command.p1 == _SELECT_MASTER_FILE:
        if command.data not in (b"", bytes.fromhex(MASTER_FILE)):
            raise Refused(StatusWord.FILE_NOT_FOUND)
        return Selection()
    if command.p1 == _SELECT_ELEMENTARY_FILE:
        if len(command.data) != 2:
            raise Refused(StatusWord.WRONG_LENGTH)
        path = file_path(selection.application, int.from_bytes(command.data, "big"))
        if path not in image.files:
            raise Refused(StatusWord.FILE_NOT_FOUND)
        return replace(selection, file=path)
    raise Refused(StatusWord.WRONG_PARAMETERS)


def locate(image: CardImage, selection: Selection, command: Command) -> tuple[Selection, str, int]:
    """The file and offset that P1-P2 of READ BINARY or UPDATE BINARY name; a short identifier also selects.

    Raises:
        Refused: 6A86, 6A82 where there is no such file, 6986 where none is selected.
    """
    if not command.p1 & 0x80:
        if selection.file is None:
            raise Refused(StatusWord.NO_FILE_SELECTED)
        return selection, selection.file, command.p1 << 8 | command.p2
    identifier = command.p1 & 0x1F
    if command.p1 & 0x60 or identifier in (0, 0x1F):
        raise Refused(StatusWord.WRONG_PARAMETERS)
    path = _find_short(image, selection, identifier)
    return replace(selection, file=path), path, command.p2


def locate_to_read(
    image: CardImage, selection: Selection, command: Command
) -> tuple[Selection, str, int]:
    """The file and offset that READ BINARY names, the even or the odd one (ISO/IEC 7816-4, 11.3.3).

    P1-P2 of the odd one is 0 for the selected file, at most 1E a short identifier, else a file identifier of the
    current DF; its offset is in DO 54.

    Raises:
        Refused: as ``locate``; 6700 for data of the even one, 6A80 where that of the odd one is not one offset.
    """
    if not command.ins & 1:
        if command.data:
            raise Refused(StatusWord.WRONG_LENGTH)
        return locate(image, selection, command)
    encoded = read_objects(command.data, required=(_OFFSET,))[_OFFSET]
    if not 1 <= len(encoded) <= _MAX_OFFSET_BYTES:
        raise Refused(StatusWord.WRONG_DATA)
    offset = int.from_bytes(encoded, "big")
    reference = command.p1 << 8 | command.p2
    if reference == 0:
        if selection.file is None:
            raise Refused(StatusWord.NO_FILE_SELECTED)
        return selection, selection.file, offset
    if reference <= _LAST_SHORT_IDENTIFIER:
        path = _find_short(image, selection, reference)
    else:
        path = file_path(selection.application, reference)
        if path not in image.files:
            raise Refused(StatusWord.FILE_NOT_FOUND)
    return replace(selection, file=path), path, offset


def _find_short(image: CardImage, selection: Selection, identifier: int) -> str:
    for path, file in files_of(image.files, selection.application):
        if file.short_identifier == identifier:
            return path
    raise Refused(StatusWord.FILE_NOT_FOUND)


def files_of(
    files: Mapping[str, ImageFile], application: bytes | None
) -> Iterator[tuple[str, ImageFile]]:
    """The files of one DF."""
    directory = file_path(application, 0).partition("/")[0]
    for path, file in files.items():
        if path.partition("/")[0] == directory:
            yield path, file


def may_read(file: ImageFile, *, has_password: bool, has_terminal_right: bool) -> bool:
    """Whether the file's rule is met (SPEC.md, 8.4 and 10.1)."""
    match file.read:
        case ReadRule.ALWAYS:
            return True
        case ReadRule.PASSWORD:
            return has_password
        case ReadRule.TERMINAL:
            return has_password and has_terminal_right
        case ReadRule.NEVER:
            return False


def read_binary(content: bytes, offset: int, command: Command, *, room: int) -> Reply:
    """What READ BINARY gives of ``content``, where ``room`` bytes fit into the answer (SPEC.md, 4.4 and 4.7).

    The odd one gives it in DO 53, which as a whole fits.

    Raises:
        Refused: 6B00 where the offset is at or beyond the end; 6700 where Le leaves no room for a byte in DO 53.
    """
    if offset >= len(content):
        raise Refused(StatusWord.WRONG_OFFSET)
    if command.ins & 1:
        return _read_as_object(content, offset, command, room)
    wanted = room if command.expected_length is None else command.expected_length
    data = content[offset : offset + min(wanted, room)]
    missed = command.expected_length is not None and not command.asks_for_all
    if missed and offset + len(data) == len(content) and len(data) < wanted:
        return Reply(data=data, status_word=StatusWord.END_OF_FILE)
    return Reply(data=data)


def _read_as_object(content: bytes, offset: int, command: Command, room: int) -> Reply:
    wanted = room if command.expected_length is None else min(command.expected_length, room)
    size = wanted - 2
    while size > 0 and len(tlv.encode(_DISCRETIONARY_DATA, bytes(size))) > wanted:
        size -= 1
    if size <= 0:
        raise Refused(StatusWord.WRONG_LENGTH)
    data = content[offset : offset + size]
    missed = command.expected_length is not None and not command.asks_for_all
    is_end = missed and len(data) < size
    return Reply(
        data=tlv.encode(_DISCRETIONARY_DATA, data),
        status_word=StatusWord.END_OF_FILE if is_end else StatusWord.SUCCESS,
    )
