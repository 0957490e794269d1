"""The states of cards by status reference, and which may follow which (SPEC.md, 7.7).

A status list is a table of positions. A position that no card has, or whose card nobody was given yet, is *not handed
over*: signing a card publishes nothing, and handing it over is one change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, unique
from itertools import compress
from operator import ne
from types import MappingProxyType
from typing import Final

from pki.errors import PkiDataError, PkiRefusedError

__all__ = [
    "LIST_ID_BYTES",
    "LIST_POSITIONS",
    "MAX_LISTS",
    "MAX_LIST_POSITIONS",
    "CardState",
    "CardStates",
    "StateChange",
    "changes_between",
    "check_transitions",
    "may_follow",
]

LIST_ID_BYTES: Final = 8
LIST_POSITIONS: Final = 1 << 17
"""Positions of a list as issuers begin them."""

MAX_LIST_POSITIONS: Final = 1 << 20
MAX_LISTS: Final = 256
"""Of 2^17 positions each: more than thirty million cards."""


@unique
class CardState(IntEnum):
    """What a card counts as; the numbers stand in status lists and never change."""

    VALID = 0
    NOT_HANDED_OVER = 1
    DATA_STALE = 2
    """Genuine and in force; the register says something else than the card by now."""
    SUSPENDED = 3
    REPLACED = 4
    LOST = 5
    REVOKED = 6

    @property
    def label(self) -> str:
        """The word for it in files: ``not-handed-over``."""
        return self.name.lower().replace("_", "-")

    @property
    def is_final(self) -> bool:
        """Whether the card never counts again."""
        return self in _FINAL

    @classmethod
    def from_label(cls, label: str) -> "CardState":
        """The state of that word.

        Raises:
            KeyError: it is none.
        """
        return _LABELS[label]


_FINAL: Final = frozenset({CardState.REPLACED, CardState.LOST, CardState.REVOKED})
_LABELS: Final = {state.label: state for state in CardState}
_FOLLOWING: Final[Mapping[CardState, frozenset[CardState]]] = MappingProxyType(
    {
        CardState.NOT_HANDED_OVER: frozenset(CardState),
        CardState.VALID: frozenset(CardState) - {CardState.NOT_HANDED_OVER},
        CardState.DATA_STALE: frozenset(CardState) - {CardState.NOT_HANDED_OVER},
        CardState.SUSPENDED: frozenset(CardState) - {CardState.NOT_HANDED_OVER},
        # One reason may take the place of another; nothing brings such a card back.
        CardState.REPLACED: _FINAL,
        CardState.LOST: _FINAL,
        CardState.REVOKED: frozenset({CardState.REVOKED}),
    }
)


def may_follow(earlier: CardState, later: CardState) -> bool:
    """Whether a card of one state may be in the other one later; every state may stay."""
    return later in _FOLLOWING[earlier]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """One position whose state is another one now."""

    list_id: bytes
    index: int
    earlier: CardState
    later: CardState


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStates:
    """The states of all positions: for each list, by its identifier, one byte a position; lists by ascending identifier."""

    positions: int
    """How many positions each list has."""

    tables: Mapping[bytes, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.positions <= MAX_LIST_POSITIONS:
            raise _invalid(
                f"lists have {self.positions} positions, expected 1 to {MAX_LIST_POSITIONS}"
            )
        if len(self.tables) > MAX_LISTS:
            raise _invalid(f"there are {len(self.tables)} lists, expected at most {MAX_LISTS}")
        for list_id, table in self.tables.items():
            if len(list_id) != LIST_ID_BYTES or len(table) != self.positions:
                raise _invalid(
                    f"list {list_id.hex()} has an identifier of {len(list_id)} bytes and {len(table)} positions, "
                    f"expected {LIST_ID_BYTES} and {self.positions}"
                )
            if table.translate(None, _KNOWN):
                raise _invalid(f"list {list_id.hex()} holds a state that is not known")
        object.__setattr__(
            self, "tables", MappingProxyType({key: self.tables[key] for key in sorted(self.tables)})
        )

    def find(self, list_id: bytes, index: int) -> CardState | None:
        """The state at a position; ``None`` for a list that is not here, or an index that it does not have."""
        table = self.tables.get(list_id)
        if table is None or not 0 <= index < self.positions:
            return None
        return CardState(table[index])

    def counts(self) -> dict[CardState, int]:
        """How many positions are in each state."""
        return {
            state: sum(table.count(state) for table in self.tables.values()) for state in CardState
        }

    def __len__(self) -> int:
        return self.positions * len(self.tables)


_KNOWN: Final = bytes(CardState)


def changes_between(earlier: CardStates, later: CardStates) -> Iterator[StateChange]:
    """The positions that differ, in order; those of a list that is new were *not handed over*.

    Raises:
        PkiRefusedError: ``status-list.list-vanished``: a list of before is not there any more, or has another size.
    """
    if earlier.positions != later.positions and earlier.tables:
        raise PkiRefusedError(
            f"lists have {later.positions} positions, expected {earlier.positions} as before",
            code="status-list.list-vanished",
        )
    for list_id in earlier.tables:
        if list_id not in later.tables:
            raise PkiRefusedError(
                f"list {list_id.hex()} of the status list before is not there any more",
                code="status-list.list-vanished",
                hint="a card whose list is gone would be unknown: keep every list",
            )
    blank = bytes([CardState.NOT_HANDED_OVER]) * later.positions
    for list_id, table in later.tables.items():
        before = earlier.tables.get(list_id, blank)
        if table == before:
            continue
        for index in compress(range(later.positions), map(ne, before, table)):
            yield StateChange(
                list_id=list_id,
                index=index,
                earlier=CardState(before[index]),
                later=CardState(table[index]),
            )


def check_transitions(earlier: CardStates, later: CardStates) -> int:
    """Whether every card may be in the state that it is in now; gives back how many changed.

    Raises:
        PkiRefusedError: ``status-list.transition``: a card would revive, or be taken back from its holder;
            ``status-list.list-vanished``.
    """
    count = 0
    for change in changes_between(earlier, later):
        if not may_follow(change.earlier, change.later):
            raise PkiRefusedError(
                f"index {change.index} of list {change.list_id.hex()} would be {change.later.label} after "
                f"{change.earlier.label}",
                code="status-list.transition",
                hint="a card that is replaced, lost or revoked never counts again: issue another one",
            )
        count += 1
    return count


def _invalid(message: str) -> PkiDataError:
    return PkiDataError(message, code="card-states.malformed")
