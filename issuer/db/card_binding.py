"""Binding many cards at once: free chips, room in a status list, and rows that go to the database together."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from issuer.db.base import unindexed
from issuer.db.bulk import bulk_insert
from issuer.db.card_seals import document_number_digest, seal_secrets
from issuer.db.handed_down import given_lists
from issuer.db.key_sets import among, in_parts
from issuer.db.production_rows import journal
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow, StatusListRow
from issuer.db.sealing import Sealer
from issuer.domain.card import CardEvent, CardState
from issuer.domain.chip import ChipState, Serial
from issuer.domain.status_allotment import StatusListRoom
from issuer.domain.stock_account import SiteCode
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.production_ports import NewCard
from issuer.services.status_ports import StatusMarkStore

__all__ = ["bind_rows", "free_chips", "status_list_with_room"]


def free_chips(
    session: Session, count: int | None, *, sites: Collection[SiteCode] | None = None
) -> tuple[Serial, ...]:
    """Initialised chips that nobody holds and to which nothing was ever bound, by serial; at most so many.

    They lie at these sites, or at any where ``None`` is given.

    On PostgreSQL they are locked, and those that another transaction has locked are passed over.
    """
    has_card = sa.exists().where(CardRow.serial == ChipRow.serial)
    is_free = (ChipRow.state == ChipState.INITIALISED.value) & ChipRow.held.is_(None) & ~has_card
    if sites is not None:
        # In the order of serials: an index of the site would bring all its chips first.
        is_free &= unindexed(ChipRow.site.expression).in_(sorted(sites))
    return tuple(
        Serial(serial)
        for serial in session.scalars(
            sa.select(ChipRow.serial)
            .where(is_free)
            .order_by(ChipRow.serial)
            .limit(count)
            .with_for_update(skip_locked=True, of=ChipRow)
        )
    )


def status_list_with_room(
    session: Session,
    *,
    size: int,
    draw_list_id: Callable[[], bytes],
    marks: StatusMarkStore,
    at: datetime,
) -> StatusListRoom:
    """A list of ``size`` positions that is not used up, locked; a new one where there is none.

    A register that was handed sets of indices draws from these alone.

    Raises:
        IssuerRefusedError: the sets are used up (``status.sets-used-up``).
    """
    given = given_lists(session)
    newest = (
        sa.select(StatusListRow)
        .where(StatusListRow.size == size, StatusListRow.is_shared.is_(False))
        .order_by(StatusListRow.created_at.desc(), StatusListRow.list_id)
        .with_for_update()
    )
    query = newest.where(StatusListRow.list_id.in_(given)) if given else newest.limit(1)
    for each in session.scalars(query).all():
        # A list without its mark was begun before the database was restored: nobody knows what was drawn since.
        drawn = marks.drawn(each.list_id, size=size)
        if drawn is None:
            continue
        taken = session.scalars(
            sa.select(CardRow.status_index).where(CardRow.status_list == each.list_id)
        )
        found = StatusListRoom(list_id=each.list_id, size=size, taken=drawn.union(taken))
        if found.room:
            return found
    if given:
        raise IssuerRefusedError(
            "the sets of status indices that were handed to this register are used up",
            code="status.sets-used-up",
            hint="the instance above gives another one: membercard-issuer instances give-indices",
        )
    list_id = draw_list_id()
    marks.begin(list_id, size=size)
    session.add(StatusListRow(list_id=list_id, size=size, created_at=at, is_shared=False))
    journal(session, "status-list-begun", at=at, detail=list_id.hex())
    session.flush()
    return StatusListRoom(list_id=list_id, size=size)


def bind_rows(
    session: Session, sealer: Sealer, cards: Sequence[NewCard], *, account: str, at: datetime
) -> tuple[int, ...]:
    """Keep those of these cards that repeat no number; the places of those that do.

    Raises:
        ConflictError: a request or chip has a card already (``card.already-bound``).
    """
    digests = [document_number_digest(sealer, card.secrets) for card in cards]
    references = _taken(session, CardRow.reference, [card.reference for card in cards])
    numbers = _taken(session, CardRow.document_number_digest, digests)
    repeated: list[int] = []
    rows: list[dict[str, object]] = []
    for place, (card, digest) in enumerate(zip(cards, digests, strict=True)):
        if card.reference in references or digest in numbers:
            repeated.append(place)
            continue
        references.add(card.reference)
        numbers.add(digest)
        rows.append(_row(sealer, card, digest, at))
    try:
        bulk_insert(session, CardRow, rows)
    except ConflictError as error:
        raise ConflictError(
            "a request or chip of the batch got a card from somebody else at the same moment",
            code="card.already-bound",
            hint="nothing was bound here; confirm once more, and other chips are taken",
        ) from error
    bulk_insert(
        session,
        CardEventRow,
        [
            {
                "at": at,
                "kind": CardEvent.BOUND.value,
                "serial": row["serial"],
                "reference": row["reference"],
                "account": account,
            }
            for row in rows
        ],
    )
    return tuple(repeated)


def _row(sealer: Sealer, card: NewCard, digest: bytes, at: datetime) -> dict[str, object]:
    return {
        "reference": card.reference,
        "member_id": card.member_id,
        "request_id": card.request_id,
        "serial": card.serial,
        "state": CardState.BOUND.value,
        "ordinal": card.ordinal,
        "profile": card.profile,
        "status_list": card.status.list_id,
        "status_index": card.status.index,
        "document_number_digest": digest,
        "sealed_secrets": seal_secrets(sealer, card.secrets, card.reference),
        "bound_at": at,
        "batch_id": card.batch_id,
    }


def _taken(
    session: Session, column: InstrumentedAttribute[bytes], values: Sequence[bytes]
) -> set[bytes]:
    """Those of these values that rows hold; of numbers that were drawn, hardly ever one."""
    found: set[bytes] = set()
    for part in in_parts(values):
        found.update(session.connection().scalars(sa.select(column).where(among(column, part))))
    return found
