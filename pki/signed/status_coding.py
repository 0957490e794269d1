"""The one encoding of a table of card states: what a status list holds behind its header (SPEC.md, 7.8).

For each list, by ascending identifier: its most frequent state, how many positions are in each other one, and for each
of these the set of its positions. All of it is one string of bits.
"""

import itertools
from typing import Final

from pki.errors import PkiDataError
from pki.signed.card_states import LIST_ID_BYTES, MAX_LISTS, CardState, CardStates
from pki.signed.position_coding import BitReader, BitWriter

__all__ = ["decode_states", "encode_states", "join_identifiers", "split_identifiers"]

_STATE_BITS: Final = 3


def encode_states(states: CardStates) -> bytes:
    """All tables as one string of bits; identifiers and the number of positions stand elsewhere."""
    writer = BitWriter()
    for table in states.tables.values():
        base = _most_frequent(table)
        writer.number(base, width=_STATE_BITS)
        others = [(state, _positions_of(table, state)) for state in CardState if state is not base]
        for _, found in others:
            writer.count(len(found))
        for _, found in others:
            writer.set_of(found, states.positions)
    return writer.to_bytes()


def decode_states(data: bytes, *, list_ids: tuple[bytes, ...], positions: int) -> CardStates:
    """Read what ``encode_states`` wrote, and nothing else: each table has one encoding.

    Raises:
        PkiDataError: ``positions.malformed``, ``card-states.malformed``.
    """
    reader = BitReader(data)
    tables: dict[bytes, bytes] = {}
    for list_id in list_ids:
        base = _state(reader.number(width=_STATE_BITS))
        table = bytearray([base]) * positions
        others = [(state, reader.count()) for state in CardState if state is not base]
        if sum(count for _, count in others) > positions:
            raise _malformed(f"list {list_id.hex()} has more states than positions")
        for state, count in others:
            for index in reader.set_of(count, positions):
                if table[index] != base:
                    raise _malformed(f"index {index} of list {list_id.hex()} has two states")
                table[index] = state
        if _most_frequent(table) is not base:
            raise _malformed(f"list {list_id.hex()} is not written from its most frequent state")
        tables[list_id] = bytes(table)
    reader.finish()
    return CardStates(positions=positions, tables=tables)


def join_identifiers(list_ids: tuple[bytes, ...]) -> bytes:
    """Identifiers one behind the other."""
    return b"".join(list_ids)


def split_identifiers(data: bytes) -> tuple[bytes, ...]:
    """Ascending identifiers, each once.

    Raises:
        PkiDataError: ``card-states.malformed``.
    """
    if len(data) % LIST_ID_BYTES or len(data) > LIST_ID_BYTES * MAX_LISTS:
        raise _malformed(
            f"identifiers of lists have {len(data)} bytes, expected {LIST_ID_BYTES} for each of at most {MAX_LISTS}"
        )
    found = tuple(
        data[start : start + LIST_ID_BYTES] for start in range(0, len(data), LIST_ID_BYTES)
    )
    if any(later <= earlier for earlier, later in itertools.pairwise(found)):
        raise _malformed("identifiers of lists do not ascend")
    return found


def _most_frequent(table: bytes | bytearray) -> CardState:
    """The state of most positions; of equally frequent ones the first."""
    return max(CardState, key=lambda state: (table.count(state), -state))


def _positions_of(table: bytes, state: CardState) -> list[int]:
    found: list[int] = []
    index = table.find(state)
    while index >= 0:
        found.append(index)
        index = table.find(state, index + 1)
    return found


def _state(value: int) -> CardState:
    try:
        return CardState(value)
    except ValueError as error:
        raise _malformed(f"{value} is no state of a card") from error


def _malformed(message: str) -> PkiDataError:
    return PkiDataError(message, code="card-states.malformed")
