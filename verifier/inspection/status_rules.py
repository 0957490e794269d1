"""How old a status list may be, and what of a card that it does not know yet: the table ``status`` of policy.toml."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum, unique
from typing import Any, Final

from verifier.errors import TrustError

__all__ = ["NewerCards", "StatusRules", "read_status_rules"]

_FRESH: Final = "fresh_hours"
_USABLE: Final = "usable_hours"
_NEWER: Final = "newer_cards"
_MAX_HOURS: Final = 24 * 366


@unique
class NewerCards(StrEnum):
    """What of a card that was signed after the list was made, and stands in none of its tables."""

    REFUSE = "refuse"
    NOTE = "note"
    """It passes, and the report says that nobody knows its status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRules:
    """The ages of a list, counted from when it was made: *fresh*, then *usable* with a note, then too old."""

    fresh: timedelta = timedelta(hours=48)
    usable: timedelta = timedelta(days=30)
    newer_cards: NewerCards = NewerCards.REFUSE

    def __post_init__(self) -> None:
        if not timedelta(0) < self.fresh <= self.usable:
            raise _malformed(
                f"a status list is fresh for {self.fresh} and usable for {self.usable}, "
                "expected no more of the one than of the other"
            )


def read_status_rules(value: object, name: str, *, default: StatusRules) -> StatusRules:
    """Read a table; what it does not say is as in ``default``.

    Raises:
        TrustError: ``policy.malformed``.
    """
    if not isinstance(value, dict) or not value:
        raise _malformed(f"{name} is not a table with keys")
    unknown = sorted(set(value) - {_FRESH, _USABLE, _NEWER})
    if unknown:
        raise _malformed(f"{name} has an unknown key {unknown[0][:40]!r}")
    return StatusRules(
        fresh=_hours(value, _FRESH, default.fresh),
        usable=_hours(value, _USABLE, default.usable),
        newer_cards=_newer_cards(value, default.newer_cards),
    )


def _hours(table: Mapping[str, Any], key: str, default: timedelta) -> timedelta:
    if key not in table:
        return default
    hours = table[key]
    if not isinstance(hours, int) or isinstance(hours, bool) or not 1 <= hours <= _MAX_HOURS:
        raise _malformed(f"{key} is not a number from 1 to {_MAX_HOURS}")
    return timedelta(hours=hours)


def _newer_cards(table: Mapping[str, Any], default: NewerCards) -> NewerCards:
    if _NEWER not in table:
        return default
    try:
        return NewerCards(table[_NEWER])
    except ValueError as error:
        raise _malformed(
            f"{_NEWER} is neither {' nor '.join(map(repr, map(str, NewerCards)))}"
        ) from error


def _malformed(message: str) -> TrustError:
    return TrustError(message, code="policy.malformed")
