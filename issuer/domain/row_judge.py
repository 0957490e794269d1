"""Judges the rows of one list: by the rules of form, on one day, under one tree of organisations."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Final

from issuer.domain.card_number import CardNumberScheme
from issuer.domain.date_order import doubts_of_order
from issuer.domain.list_row import Finding, ListRow, RowMemory
from issuer.domain.look_alikes import with_letters_read
from issuer.domain.member_list import JudgedRow, MemberColumn, judge_member_row
from issuer.domain.organisation import OrganisationTree

__all__ = ["RowJudge"]

_TEXTS: Final[Mapping[str, str]] = {
    MemberColumn.FULL_NAME: "name",
    MemberColumn.PRIMARY_NAME: "name",
    MemberColumn.SECONDARY_NAME: "name",
    MemberColumn.PLACE_OF_BIRTH: "text",
    MemberColumn.HOME_TOWN: "text",
    MemberColumn.ETHNIC_GROUP: "text",
    MemberColumn.RESIDENCE: "text",
}


_REPEATING: Final = frozenset(MemberColumn) - {
    "card_number", "record_number", "citizen_number", "full_name", "secondary_name", "portrait",
    "earlier_card_number", "residence", "phone",
}  # fmt: skip
"""Columns whose texts repeat from row to row."""


class RowJudge:
    """Judges one row after another by itself; what the register and the other rows hold is not looked at here."""

    def __init__(
        self,
        *,
        organisations: OrganisationTree,
        scheme: CardNumberScheme,
        today: date,
        has_month_first: bool = False,
    ) -> None:
        """Judge the rows of one list.

        Args:
            organisations: the tree of the register.
            scheme: how card numbers are built.
            today: the day that ages and dates in the future are reckoned from.
            has_month_first: whether the list has dates that are written month first.
        """
        self.organisations = organisations
        self._scheme = scheme
        self._today = today
        self._has_month_first = has_month_first
        self._memory = RowMemory(_REPEATING)

    def judge(self, row: ListRow) -> JudgedRow | tuple[Finding, ...]:
        """The row's values and doubts, or every finding (at least one) where it is refused."""
        read, doubts = with_letters_read(row, _TEXTS)
        judged = judge_member_row(
            read,
            organisations=self.organisations,
            scheme=self._scheme,
            today=self._today,
            memory=self._memory,
        )
        if not isinstance(judged, JudgedRow):
            return judged
        if self._has_month_first:
            doubts = [*doubts, *doubts_of_order(row)]
        return replace(judged, doubts=tuple(doubts)) if doubts else judged
