"""How several chips are locked: in one order for everybody, so that nobody waits in a circle.

Members come first, by id; sites of the stock before chips; chips by serial; the cards on them by reference; batches by
id; what is written to the audit trail comes last (``issuer.db.audit``). Whoever works with one chip or card only, or with the cards of one batch,
keeps to the same order.
"""

from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.batch_tables import BatchRow
from issuer.db.production_tables import CardRow, ChipRow

__all__ = ["lock_cards", "lock_chips_with_cards"]

_AT_ONCE = 500
"""How many keys stand in one IN (...): far below the parameter limits of both databases."""


def lock_chips_with_cards(session: Session, serials: Collection[bytes]) -> None:
    """Lock these chips and the cards on them; whoever reads them afterwards reads what stays so.

    Where the cards are of several batches these are locked, too: each may go on with its cards.
    """
    for part in _parts(sorted(serials)):
        session.execute(
            sa.select(ChipRow.serial)
            .where(ChipRow.serial.in_(part))
            .order_by(ChipRow.serial)
            .with_for_update()
        ).all()
    batches = lock_cards(session, serials)
    if len(batches) > 1:
        session.execute(
            sa.select(BatchRow.id)
            .where(BatchRow.id.in_(batches))
            .order_by(BatchRow.id)
            .with_for_update()
        ).all()


def lock_cards(session: Session, serials: Collection[bytes]) -> set[object]:
    """Lock the cards on these chips; of which batches they are."""
    found = [
        (reference, batch_id)
        for part in _parts(sorted(serials))
        for reference, batch_id in session.execute(
            # Neither the chip nor the batch of a card ever changes.
            sa.select(CardRow.reference, CardRow.batch_id).where(CardRow.serial.in_(part))
        )
    ]
    for part in _parts(sorted(reference for reference, _ in found)):
        session.execute(
            sa.select(CardRow.reference)
            .where(CardRow.reference.in_(part))
            .order_by(CardRow.reference)
            .with_for_update()
        ).all()
    return {batch_id for _, batch_id in found if batch_id is not None}


def _parts(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
