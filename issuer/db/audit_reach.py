"""Records of a part of the tree, in the order of the trail, without sorting all that it has.

Of few organisations an index gives the last records of each. Of many the trail itself is walked, a window after the other,
until a page is full: the larger a part of the tree is, the sooner that happens.
"""

from collections.abc import Collection, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.domain.organisation import OrganisationCode

__all__ = ["sequences_of"]

_FEW: Final = 64
"""Of so many organisations each is asked for by itself: the terms of one statement are bounded."""

_WINDOW: Final = 4096
"""How many records are looked at first; each window is twice as wide as the one before."""

Number = sa.SQLColumnExpression[int]


def sequences_of(
    session: Session,
    organisations: Collection[OrganisationCode],
    *,
    number: Number,
    organisation: sa.SQLColumnExpression[str | None],
    conditions: Sequence[sa.ColumnElement[bool]],
    limit: int,
    behind: int | None = None,
    before: int | None = None,
) -> list[int]:
    """The numbers of so many records of these organisations, at most.

    Args:
        session: where the trail is.
        organisations: any number of them; none has no records.
        number: the column of the records' numbers.
        organisation: the column of what they are about.
        conditions: what the records are narrowed by beside.
        limit: how many at most.
        behind: from the oldest on, behind this number.
        before: else the newest first, before this number, or from the end.
    """
    if not organisations:
        return []
    is_back = behind is None
    low = 1 if behind is None else behind + 1
    last = session.scalar(sa.select(sa.func.max(number))) or 0
    high = last if before is None else before - 1
    order = number.desc() if is_back else number.asc()
    if len(organisations) <= _FEW:
        within = number.between(low, high)
        each_of_them = (
            sa.select(number)
            .where(organisation == code, within, *conditions)
            .order_by(order)
            .limit(limit)
            for code in sorted(organisations)
        )
        # SQLite takes a limit within a union in a subquery only.
        found = session.scalars(
            sa.union_all(*(sa.select(each.subquery()) for each in each_of_them))
        )
        return sorted(found, reverse=is_back)[:limit]
    numbers: list[int] = []
    width = _WINDOW
    while len(numbers) < limit and low <= high:
        window = (
            (max(low, high - width + 1), high) if is_back else (low, min(high, low + width - 1))
        )
        statement = sa.select(number, organisation).where(number.between(*window), *conditions)
        rows = session.execute(statement.order_by(order))
        numbers += [found for found, code in rows if code in organisations]
        low, high = (low, window[0] - 1) if is_back else (window[1] + 1, high)
        width *= 2
    return numbers[:limit]
