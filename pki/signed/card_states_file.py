"""The file in which an issuer says what its cards count as: text that people can read, in one form (SPEC.md, 7.10).

    membercard-card-states 1
    positions 131072
    list 0123456789abcdef valid
    not-handed-over 17 40-49
    lost 12

A line for each list names the state of every position that no line below it names.
"""

import re
from collections.abc import Iterator
from typing import Final

from pki.errors import PkiDataError
from pki.signed.card_states import MAX_LISTS, CardState, CardStates

__all__ = ["MAX_STATES_FILE_BYTES", "read_states_file", "write_states_file"]

MAX_STATES_FILE_BYTES: Final = 128 * 1024 * 1024

_FIRST_LINE: Final = "membercard-card-states 1"
_POSITIONS: Final = re.compile(r"positions ([1-9][0-9]{0,6})")
_LIST: Final = re.compile(r"list ([0-9a-f]{16}) ([a-z-]{1,20})")
_RANGES: Final = re.compile(r"([a-z-]{1,20})((?: [0-9]{1,7}(?:-[0-9]{1,7})?)+)")


def read_states_file(data: bytes) -> CardStates:
    """Read what ``write_states_file`` writes, and nothing else: any other form is refused.

    Raises:
        PkiDataError: ``card-states.malformed``, naming the line.
    """
    if len(data) > MAX_STATES_FILE_BYTES:
        raise _malformed(
            f"the file has {len(data)} bytes, expected at most {MAX_STATES_FILE_BYTES}"
        )
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise _malformed("the file is not ASCII") from error
    if lines[0] != _FIRST_LINE or len(lines) < 3 or lines.pop() != "":
        raise _malformed(f"the file does not begin with {_FIRST_LINE!r}, or its end is cut off")
    found = _POSITIONS.fullmatch(lines[1])
    if found is None:
        raise _malformed("line 2 does not say how many positions lists have")
    states = CardStates(positions=int(found[1]), tables=_tables(lines, int(found[1])))
    if b"".join(_written(states)) != data:
        raise _malformed(
            "the file is not in its one form: lists and states ascending, ranges as long as they can be"
        )
    return states


def write_states_file(states: CardStates) -> bytes:
    """The one file for these states."""
    return b"".join(_written(states))


def _tables(lines: list[str], positions: int) -> dict[bytes, bytes]:
    tables: dict[bytes, bytearray] = {}
    table = bytearray()
    for number, line in enumerate(lines[2:], start=3):
        begin = _LIST.fullmatch(line)
        if begin is not None:
            if len(tables) == MAX_LISTS:
                raise _malformed(f"line {number} begins one list more than {MAX_LISTS}")
            table = bytearray([_state(begin[2], number)]) * positions
            tables[bytes.fromhex(begin[1])] = table
            continue
        named = _RANGES.fullmatch(line)
        if named is None or not tables:
            raise _malformed(f"line {number} is neither a list nor a state with its positions")
        state = _state(named[1], number)
        for piece in named[2].split():
            first, _, last = piece.partition("-")
            start, end = int(first), int(last or first) + 1
            if not start < end <= positions:
                raise _malformed(f"line {number} has positions {piece}, expected below {positions}")
            table[start:end] = bytes([state]) * (end - start)
    return {list_id: bytes(item) for list_id, item in tables.items()}


def _written(states: CardStates) -> Iterator[bytes]:
    yield f"{_FIRST_LINE}\npositions {states.positions}\n".encode()
    for list_id, table in states.tables.items():
        base = max(CardState, key=lambda state: (table.count(state), -state))
        yield f"list {list_id.hex()} {base.label}\n".encode()
        for state in CardState:
            if state is not base and state in table:
                yield f"{state.label} {' '.join(_ranges(table, state))}\n".encode()


def _ranges(table: bytes, state: CardState) -> Iterator[str]:
    for found in re.finditer(re.escape(bytes([state])) + b"+", table):
        first, last = found.start(), found.end() - 1
        yield str(first) if first == last else f"{first}-{last}"


def _state(label: str, number: int) -> CardState:
    try:
        return CardState.from_label(label)
    except KeyError as error:
        raise _malformed(f"line {number} names {label!r}, which is no state of a card") from error


def _malformed(message: str) -> PkiDataError:
    return PkiDataError(message, code="card-states.malformed")
