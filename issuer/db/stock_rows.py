"""Rows of the stock and domain values; and what tells whether a finished card still lies at its site."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from issuer.db.batch_tables import BatchRow
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.db.stock_tables import DestructionRow
from issuer.domain.batch import BatchState
from issuer.domain.card import CardReference, CardState
from issuer.domain.chip import ChipEvent, ChipState, Serial
from issuer.domain.stock_account import SiteCode, StockClass, class_of
from issuer.services.stock_ports import ChipStanding

__all__ = ["IS_AWAY", "changes_of_class", "parts_of", "standing_of"]

IS_AWAY: Final = sa.or_(
    sa.func.coalesce(CardRow.state, "") == CardState.HANDED_OVER.value,
    sa.and_(
        # What ended, or was missing, before the batch was packed lies at the site still.
        CardRow.box.is_not(None),
        sa.func.coalesce(BatchRow.state, "").in_(
            [
                each.value
                for each in (BatchState.DISPATCHED, BatchState.RECEIVED, BatchState.HANDED_OVER)
            ]
        ),
    ),
)
"""Whether a finished card left the site: in a box of its batch, or into its member's hand."""


_LOOKUP_SIZE = 500
"""How many serials stand in one IN (...): far below the parameter limits of both databases."""


def parts_of(serials: Sequence[Serial]) -> Iterator[Sequence[Serial]]:
    """The serials in parts that one statement takes."""
    for start in range(0, len(serials), _LOOKUP_SIZE):
        yield serials[start : start + _LOOKUP_SIZE]


def changes_of_class(
    site: SiteCode, *, since: datetime | None
) -> tuple[sa.Select[datetime] | sa.Select[datetime | None], ...]:
    """When a chip of the site was first spoiled, taken out as a sample, or destroyed, after a moment."""
    spoiled = (
        sa.select(sa.func.min(CardEventRow.at))
        .join(ChipRow, ChipRow.serial == CardEventRow.serial)
        .where(
            ChipRow.site == site,
            ChipRow.state == ChipState.CONDEMNED.value,
            CardEventRow.kind == ChipEvent.CONDEMNED.value,
        )
    )
    sampled = sa.select(sa.func.min(ChipRow.sampled_at)).where(
        ChipRow.site == site, ChipRow.sampled_at.is_not(None)
    )
    destroyed = sa.select(sa.func.min(DestructionRow.second_at)).where(DestructionRow.site == site)
    if since is not None:
        # What was destroyed before was spoiled before.
        spoiled = spoiled.where(
            CardEventRow.at > since,
            sa.or_(ChipRow.destroyed_at.is_(None), ChipRow.destroyed_at > since),
        )
        sampled = sampled.where(ChipRow.sampled_at > since)
        destroyed = destroyed.where(DestructionRow.second_at > since)
    return spoiled, sampled, destroyed


def standing_of(chip: ChipRow, card: CardRow | None, *, is_away: bool) -> ChipStanding:
    """Where a chip stands; ``is_away`` is ``IS_AWAY`` of its row."""
    card_state = None if card is None else CardState(card.state)
    state = ChipState(chip.state)
    stock_class = class_of(state, card_state, is_sample=chip.sampled_at is not None)
    is_destroyed = chip.destroyed_at is not None
    return ChipStanding(
        serial=Serial(chip.serial),
        site=SiteCode(chip.site),
        state=state,
        stock_class=None if chip.is_stolen else stock_class,
        is_in_hand=not (
            is_destroyed or chip.is_stolen or (is_away and stock_class is StockClass.GOOD)
        ),
        is_destroyed=is_destroyed,
        held=chip.held,
        card=None if card is None else CardReference(card.reference),
        card_state=card_state,
    )
