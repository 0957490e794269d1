"""Selecting and reading files with the fewest commands, from chips that may be hostile (SPEC.md, 4.3-4.8).

A file is read in chunks as large as an answer can be. Its size is learnt from the first bytes: every file
but EF.ATR/INFO is one data object. Whatever a chip announces, nothing beyond the bound is asked for.
"""

from card_layout import tlv
from card_layout.errors import CardDataError, CardRefusedError
from card_layout.files.atr_info import AtrInfo
from card_layout.iso7816 import commands
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel, ExtendedLengths, ReadingLimitError
from card_layout.iso7816.status_words import StatusWord, describe

__all__ = [
    "MAX_FILE_BYTES",
    "FileReadingError",
    "learn_extended_lengths",
    "read_card_access",
    "read_file",
    "read_file_to_end",
    "select_application",
    "select_master_file",
]

MAX_FILE_BYTES = 65536
"""The largest file that is read unless the caller wants less (SPEC.md, 4.8)."""

_MAX_HEADER_BYTES = 6
"""Three bytes of tag and three of length."""

_CARD_ACCESS = (0x1C, 0x011C)
_ATR_INFO_SHORT_IDENTIFIER = 0x01
_MAX_ATR_INFO_BYTES = 1024

_CONTENT_OBJECT = 0x53
"""Discretionary data: the content in an answer to the odd READ BINARY."""

_REFUSES_SHORT_IDENTIFIERS = frozenset(
    (
        StatusWord.WRONG_LENGTH,
        StatusWord.NO_CURRENT_FILE,
        StatusWord.WRONG_PARAMETERS,
        StatusWord.WRONG_OFFSET,
        StatusWord.INSTRUCTION_NOT_SUPPORTED,
        0x6981,
        0x6A81,
        # The passport applet takes the short identifier for an offset (SPEC.md, 11.6).
        StatusWord.CONDITIONS_NOT_SATISFIED,
        0x6F00,
    )
)
"""With these a chip says that it reads no file by short identifier: then the file is selected first."""


class FileReadingError(CardDataError):
    """A chip's answers do not add up to a file."""

    default_code = "reading.malformed"


def select_application(channel: CardChannel, application_identifier: bytes) -> None:
    """Make the application current.

    Raises:
        CardRefusedError: the chip has none of that name, or does not give it now.
    """
    channel.require(commands.select_application(application_identifier))


def select_master_file(channel: CardChannel) -> bool:
    """Make the master file current; false where the chip takes neither form of the command.

    Real chips refuse one form or both. A caller goes on then: a chip that was just reset has the master file
    current anyway.
    """
    for with_identifier in (False, True):
        command = commands.select_master_file(with_identifier=with_identifier)
        if channel.transmit(command).status_word == StatusWord.SUCCESS:
            return True
    return False


def learn_extended_lengths(channel: CardChannel) -> ExtendedLengths | None:
    """Read EF.ATR/INFO of a chip that was just reset, and set the channel's ``extended`` by it.

    Raises:
        CardDataError: the file is there and malformed.
    """
    try:
        content = read_file_to_end(
            channel,
            short_identifier=_ATR_INFO_SHORT_IDENTIFIER,
            maximum_bytes=_MAX_ATR_INFO_BYTES,
        )
    except CardRefusedError:
        # The file is optional: a chip that does not give it is used with short commands.
        content = None
    extended = None
    if content is not None:
        info = AtrInfo.from_bytes(content)
        if info.max_command_bytes is not None and info.max_response_bytes is not None:
            extended = ExtendedLengths(
                max_command_bytes=info.max_command_bytes,
                max_response_bytes=info.max_response_bytes,
            )
    channel.extended = extended
    return extended


def read_card_access(channel: CardChannel, *, maximum_bytes: int = MAX_FILE_BYTES) -> bytes | None:
    """EF.CardAccess of a chip that was just reset; ``None`` where it has none.

    A chip may start with an application current, or know no short identifiers: before the file counts as
    missing, the master file and then the file are selected by name.

    Raises:
        CardRefusedError: the chip answers neither with the file nor that there is none.
        FileReadingError: its answers do not add up to a file.
        ReadingLimitError: the file announces more than ``maximum_bytes``.
    """
    short_identifier, file_identifier = _CARD_ACCESS
    try:
        content = read_file(channel, short_identifier=short_identifier, maximum_bytes=maximum_bytes)
    except CardRefusedError as error:
        content = None
        channel.has_refused_short_identifiers |= error.status_word in _REFUSES_SHORT_IDENTIFIERS
    if content is not None:
        return content
    select_master_file(channel)
    return read_file(channel, file_identifier=file_identifier, maximum_bytes=maximum_bytes)


def read_file(
    channel: CardChannel,
    *,
    short_identifier: int | None = None,
    file_identifier: int | None = None,
    maximum_bytes: int = MAX_FILE_BYTES,
) -> bytes | None:
    """The data object that a file of the current DF holds; ``None`` where there is no such file.

    With both identifiers the short one is tried first, which saves selecting, and the other where the chip
    reads nothing by short identifier.

    Raises:
        CardRefusedError: the chip does not give the file.
        FileReadingError: its answers do not add up to a file: empty, cut short, or no data object.
        ReadingLimitError: the file announces more than ``maximum_bytes``, or a bound of the channel was reached.
    """
    first = _first_chunk(channel, short_identifier, file_identifier, maximum_bytes)
    if first is None:
        return None
    content = bytearray(first)
    while len(content) < _MAX_HEADER_BYTES and _header(content) is None:
        content += _next_chunk(channel, len(content), _MAX_HEADER_BYTES - len(content))
    header = _header(content)
    if header is None:
        raise FileReadingError("a file does not begin with a tag and a length")
    if header.total > maximum_bytes:
        raise ReadingLimitError(
            f"a file announces {header.total} bytes, expected at most {maximum_bytes}"
        )
    while len(content) < header.total:
        content += _next_chunk(channel, len(content), header.total - len(content))
    return bytes(content[: header.total])


def read_file_to_end(
    channel: CardChannel,
    *,
    short_identifier: int | None = None,
    file_identifier: int | None = None,
    maximum_bytes: int = MAX_FILE_BYTES,
) -> bytes | None:
    """All that a file holds, whatever it is; ``None`` where there is no such file.

    Raises:
        CardRefusedError: the chip does not give the file.
        ReadingLimitError: the file does not end within ``maximum_bytes``.
    """
    asked = min(channel.max_response_data, maximum_bytes)
    first = _first_chunk(channel, short_identifier, file_identifier, maximum_bytes)
    if first is None:
        return None
    content = bytearray(first)
    last = len(first)
    while last == asked:
        if len(content) >= maximum_bytes:
            raise ReadingLimitError(f"a file does not end within {maximum_bytes} bytes")
        asked = min(_largest_chunk(channel, len(content)), maximum_bytes - len(content))
        response = channel.transmit(_read_at(len(content), asked))
        if response.status_word == StatusWord.WRONG_OFFSET:
            break
        _require_content(response)
        chunk = _content(response, len(content), asked)
        content += chunk
        last = len(chunk)
    return bytes(content)


def _first_chunk(
    channel: CardChannel,
    short_identifier: int | None,
    file_identifier: int | None,
    maximum_bytes: int,
) -> bytes | None:
    size = min(channel.max_response_data, maximum_bytes)
    response = None
    if short_identifier is not None:
        response = channel.transmit(
            commands.read_binary_by_short_identifier(short_identifier, 0, size)
        )
        if file_identifier is not None and response.status_word in _REFUSES_SHORT_IDENTIFIERS:
            channel.has_refused_short_identifiers = True
            response = None
    if response is None:
        if file_identifier is None:
            raise FileReadingError("a file is read by an identifier, got none")
        selected = channel.transmit(commands.select_elementary_file(file_identifier))
        if selected.status_word == StatusWord.NOT_FOUND:
            return None
        _require_success(selected, "selecting a file")
        response = channel.transmit(commands.read_binary(0, size))
    if response.status_word == StatusWord.NOT_FOUND:
        return None
    _require_content(response)
    if not response.data:
        raise FileReadingError("the chip gives no bytes of a file that is there")
    return response.data


def _next_chunk(channel: CardChannel, offset: int, remaining: int) -> bytes:
    asked = min(_largest_chunk(channel, offset), remaining)
    response = channel.transmit(_read_at(offset, asked))
    if response.status_word == StatusWord.WRONG_OFFSET:
        raise FileReadingError(f"a file ends after {offset} bytes, expected {remaining} more")
    _require_content(response)
    if not response.data:
        # Going on would ask for ever.
        raise FileReadingError(f"the chip gives no bytes at offset {offset} of a file")
    return _content(response, offset, asked)


def _is_beyond(offset: int) -> bool:
    """Whether READ BINARY cannot name this offset, and its odd sister must (SPEC.md, 4.3)."""
    return offset > commands.MAX_BINARY_OFFSET


def _largest_chunk(channel: CardChannel, offset: int) -> int:
    """The most content that one answer can bring from there."""
    limit = channel.max_response_data
    if not _is_beyond(offset):
        return limit
    # The content stands in an object of its own; one byte less of it may make its length shorter, too.
    overhead = _object_bytes(limit) - limit
    chunk = limit - overhead
    return chunk + 1 if _object_bytes(chunk + 1) <= limit else chunk


def _object_bytes(content_bytes: int) -> int:
    return len(tlv.encode(_CONTENT_OBJECT, bytes(content_bytes)))


def _read_at(offset: int, size: int) -> CommandApdu:
    if _is_beyond(offset):
        return commands.read_binary_by_offset_object(offset, _object_bytes(size))
    return commands.read_binary(offset, size)


def _content(response: ResponseApdu, offset: int, asked: int) -> bytes:
    """What a chip gave of a file from there."""
    if not _is_beyond(offset):
        return response.data
    try:
        content = tlv.parse(response.data, expected_tag=_CONTENT_OBJECT).value
    except tlv.TlvError as error:
        raise FileReadingError(f"the answer at offset {offset} is no content object") from error
    if not 1 <= len(content) <= asked:
        raise FileReadingError(
            f"the chip gives {len(content)} bytes at offset {offset}, expected 1 to {asked}"
        )
    return content


def _header(content: bytearray) -> tlv.Header | None:
    """Tag and length, or ``None`` where the bytes do not hold them, at least not yet."""
    try:
        return tlv.read_header(bytes(content[:_MAX_HEADER_BYTES]))
    except tlv.TlvError:
        return None


def _require_content(response: ResponseApdu) -> None:
    # 6282: the file ended before Le did, which is how the end is learnt (SPEC.md, 4.4).
    _require_success(response, "reading a file", StatusWord.END_OF_FILE)


def _require_success(response: ResponseApdu, doing: str, *also: StatusWord) -> None:
    if response.status_word not in (StatusWord.SUCCESS, *also):
        raise CardRefusedError(
            f"the card refused {doing} ({describe(response.status_word)})",
            status_word=response.status_word,
        )
