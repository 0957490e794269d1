"""How far production has come, in the database: one aggregate a table, kept as few rows an organisation.

A row holds the organisation with all below it, so that a page reads the rows that it shows and no card. It is counted
together with the other figures of reports.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from issuer.db.base import Base, Database, unindexed
from issuer.db.batch_tables import BatchEventRow, BatchRow
from issuer.db.bulk import bulk_insert
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_tables import IS_NOT_CONDEMNED, CardEventRow, CardRow, ChipRow
from issuer.db.request_tables import RequestEventRow, RequestRow
from issuer.db.stock_accounts import SqlStockRepository
from issuer.db.stock_tables import StockSiteRow
from issuer.db.stock_tallies import tallies_of_sites
from issuer.domain.batch import BatchEventKind, BatchState
from issuer.domain.card import CardState
from issuer.domain.chip import ChipState
from issuer.domain.eligibility import STANDINGS_WITH_CARD
from issuer.domain.organisation import MAX_DEPTH, OrganisationCode
from issuer.domain.production_report import LONG, VERY_LONG, Progress, Stage, StageCount
from issuer.domain.requests import RequestState
from issuer.domain.stock_figures import StockFigures
from issuer.services.stock_ports import SiteTally

__all__ = [
    "ProductionLineRow",
    "ProductionRejectRow",
    "ProductionStockRow",
    "SqlProductionFigures",
    "count_production",
    "replace_production",
]

_Own = dict[uuid.UUID, Progress]


class ProductionLineRow(Base):
    """How many cards of an organisation and all below it stand in one stage; stages without any have no row."""

    __tablename__ = "production_lines"

    organisation_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("organisations.id"), primary_key=True
    )
    stage: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    cards: Mapped[int]
    standing_long: Mapped[int]
    standing_very_long: Mapped[int]


class ProductionRejectRow(Base):
    """How many cards of an organisation and all below it were condemned for one reason, and how many blanks."""

    __tablename__ = "production_rejects"

    organisation_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("organisations.id"), primary_key=True
    )
    reason: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    cards: Mapped[int]
    blanks: Mapped[int] = mapped_column(server_default="0")


class ProductionStockRow(Base):
    """The books of the sites of an organisation and all below it together; where there are no chips, no row."""

    __tablename__ = "production_stock"

    organisation_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("organisations.id"), primary_key=True
    )
    received: Mapped[int]
    good: Mapped[int]
    spoiled: Mapped[int]
    samples: Mapped[int]
    left_over: Mapped[int]
    destroyed: Mapped[int]
    stolen: Mapped[int]


class SqlProductionFigures:
    """Implements ``ProductionFigures``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, codes: Collection[OrganisationCode]) -> Mapping[OrganisationCode, Progress]:
        """See ``ProductionFigures.of``."""
        stages: dict[OrganisationCode, dict[Stage, StageCount]] = defaultdict(dict)
        rejects: dict[OrganisationCode, dict[str, int]] = defaultdict(dict)
        blanks: dict[OrganisationCode, dict[str, int]] = defaultdict(dict)
        line, reject = ProductionLineRow, ProductionRejectRow
        with self._database.reading() as session:
            for code, stage, *counts in session.execute(
                sa.select(
                    OrganisationRow.code, line.stage, line.cards, line.standing_long,
                    line.standing_very_long,
                )
                .join(line, line.organisation_id == OrganisationRow.id)
                .where(OrganisationRow.code.in_(sorted(codes)))
            ):  # fmt: skip
                stages[OrganisationCode(code)][Stage(stage)] = _stage_count(*counts)
            for code, reason, cards, spoiled in session.execute(
                sa.select(OrganisationRow.code, reject.reason, reject.cards, reject.blanks)
                .join(reject, reject.organisation_id == OrganisationRow.id)
                .where(OrganisationRow.code.in_(sorted(codes)))
                .order_by(reject.cards.desc(), reject.reason)
            ):
                if cards:
                    rejects[OrganisationCode(code)][reason] = cards
                if spoiled:
                    blanks[OrganisationCode(code)][reason] = spoiled
            row = ProductionStockRow
            stock = {
                OrganisationCode(code): StockFigures.of(counts)
                for code, *counts in session.execute(
                    sa.select(
                        OrganisationRow.code, row.received, row.good, row.spoiled, row.samples,
                        row.left_over, row.destroyed, row.stolen,
                    )
                    .join(row, row.organisation_id == OrganisationRow.id)
                    .where(OrganisationRow.code.in_(sorted(codes)))
                )
            }  # fmt: skip
        return {
            code: Progress(
                stages=stages.get(code, {}),
                rejects=rejects.get(code, {}),
                blanks=blanks.get(code, {}),
                stock=stock.get(code, StockFigures()),
            )
            for code in {*stages, *rejects, *blanks, *stock}
        }


def count_production(
    session: Session,
    parents: Mapping[uuid.UUID, uuid.UUID | None],
    *,
    now: datetime,
    register_of: OrganisationCode | None = None,
) -> _Own:
    """Count everything anew, each organisation with all below it.

    Args:
        session: where it is read.
        parents: what is directly above each organisation.
        now: the present time (aware UTC).
        register_of: whose register it is, which is where sites of the whole register count, and above it; ``None``
            where it has no name among instances, and every top of the tree counts them.
    """
    stages: dict[uuid.UUID, dict[Stage, StageCount]] = defaultdict(lambda: defaultdict(StageCount))
    rejects: dict[uuid.UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for query in (_of_cards(now), _of_requests(now), _of_members()):
        for organisation_id, stage, *counts in session.execute(query):
            for above in _upwards(organisation_id, parents):
                stages[above][Stage(stage)] += _stage_count(*counts)
    for organisation_id, reason, cards in session.execute(_of_rejects()):
        for above in _upwards(organisation_id, parents):
            rejects[above][reason] += cards
    whole = (
        None
        if register_of is None
        else session.scalar(
            sa.select(OrganisationRow.id).where(OrganisationRow.code == register_of)
        )
    )
    blanks: dict[uuid.UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for organisation_id, reason, chips in session.execute(_of_blanks()):
        for above in _places_of_site(organisation_id, parents, whole):
            blanks[above][reason] += chips
    stock: dict[uuid.UUID, StockFigures] = defaultdict(StockFigures)
    for organisation_id, figures in _stock_of_sites(session):
        for above in _places_of_site(organisation_id, parents, whole):
            stock[above] += figures
    return {
        each: Progress(
            stages=dict(stages[each]),
            rejects=dict(rejects[each]),
            blanks=dict(blanks[each]),
            stock=stock[each],
        )
        for each in {*stages, *rejects, *blanks, *stock}
    }


def replace_production(session: Session, found: _Own) -> None:
    """Put what was counted in the place of what was counted before."""
    session.execute(sa.delete(ProductionLineRow))
    session.execute(sa.delete(ProductionRejectRow))
    session.execute(sa.delete(ProductionStockRow))
    bulk_insert(
        session,
        ProductionStockRow,
        [
            {
                "organisation_id": each,
                "received": stock.received,
                "good": stock.good,
                "spoiled": stock.spoiled,
                "samples": stock.samples,
                "left_over": stock.left,
                "destroyed": stock.destroyed,
                "stolen": stock.stolen,
            }
            for each, progress in found.items()
            if (stock := progress.stock) != StockFigures()
        ],
    )
    bulk_insert(
        session,
        ProductionLineRow,
        [
            {
                "organisation_id": each,
                "stage": stage.value,
                "cards": count.cards,
                "standing_long": count.long,
                "standing_very_long": count.very_long,
            }
            for each, progress in found.items()
            for stage, count in progress.stages.items()
        ],
    )
    bulk_insert(
        session,
        ProductionRejectRow,
        [
            {"organisation_id": each, "reason": reason, "cards": cards, "blanks": blanks}
            for each, progress in found.items()
            for reason, (cards, blanks) in progress.reasons.items()
        ],
    )


def _stage_count(cards: int, long: int, very_long: int) -> StageCount:
    return StageCount(cards=cards, long=long, very_long=very_long)


def _upwards(
    start: uuid.UUID | None, parents: Mapping[uuid.UUID, uuid.UUID | None]
) -> Iterator[uuid.UUID]:
    above: uuid.UUID | None = start
    for _ in range(MAX_DEPTH):
        if above is None:
            return
        yield above
        above = parents.get(above)


def _of_cards(now: datetime) -> sa.Select[*tuple[Any, ...]]:
    """Cards in the making, in their members' hands, and condemned; those that have ended are none of it."""
    is_under_way = BatchRow.state.in_([BatchState.DISPATCHED.value, BatchState.RECEIVED.value])
    state = CardRow.state
    stage = sa.case(
        (state == CardState.BOUND.value, Stage.BOUND.value),
        (state == CardState.SIGNED.value, Stage.SIGNED.value),
        (state == CardState.HANDED_OVER.value, Stage.HANDED_OVER.value),
        (state == CardState.CONDEMNED.value, Stage.CONDEMNED.value),
        (
            sa.and_(state == CardState.ISSUED.value, is_under_way),
            Stage.DISPATCHED.value,
        ),
        (state == CardState.ISSUED.value, Stage.ISSUED.value),
        else_=Stage.PRODUCING.value,
    )
    dispatched = (
        sa.select(sa.func.max(BatchEventRow.at))
        .where(
            BatchEventRow.batch_id == CardRow.batch_id,
            BatchEventRow.kind == BatchEventKind.DISPATCHED.value,
        )
        .scalar_subquery()
    )
    last = (
        sa.select(sa.func.max(CardEventRow.at))
        .where(CardEventRow.reference == CardRow.reference)
        .scalar_subquery()
    )
    since = sa.case(
        (state == CardState.BOUND.value, CardRow.bound_at),
        (state.in_([CardState.HANDED_OVER.value, CardState.CONDEMNED.value]), None),
        (sa.and_(state == CardState.ISSUED.value, is_under_way), dispatched),
        (state == CardState.ISSUED.value, sa.func.coalesce(CardRow.issued_at, last)),
        else_=last,
    )
    inner = (
        sa.select(
            MemberRow.organisation_id.label("organisation_id"),
            stage.label("stage"),
            since.label("since"),
        )
        .select_from(CardRow)
        .join(MemberRow, MemberRow.id == CardRow.member_id)
        .outerjoin(BatchRow, BatchRow.id == CardRow.batch_id)
        .where(sa.or_(state == CardState.CONDEMNED.value, CardRow.ended_for.is_(None)))
        .subquery()
    )
    return _grouped(inner, now)


def _of_requests(now: datetime) -> sa.Select[*tuple[Any, ...]]:
    """Decided requests to which no card is bound."""
    decided = (
        sa.select(sa.func.max(RequestEventRow.at))
        .where(RequestEventRow.request_id == RequestRow.id)
        .scalar_subquery()
    )
    inner = (
        sa.select(
            MemberRow.organisation_id.label("organisation_id"),
            sa.literal(Stage.DECIDED.value).label("stage"),
            decided.label("since"),
        )
        .select_from(RequestRow)
        .join(MemberRow, MemberRow.id == RequestRow.member_id)
        .where(
            RequestRow.state == RequestState.DECIDED.value,
            ~sa.exists().where(CardRow.request_id == RequestRow.id, IS_NOT_CONDEMNED),
        )
        .subquery()
    )
    return _grouped(inner, now)


def _of_members() -> sa.Select[*tuple[Any, ...]]:
    """Members who may have a card, and of whose cards nothing is counted elsewhere."""
    row = MemberRow
    has_card = sa.exists().where(
        CardRow.member_id == row.id,
        CardRow.state != CardState.CONDEMNED.value,
        CardRow.ended_for.is_(None),
    )
    is_decided = sa.exists().where(
        RequestRow.member_id == row.id,
        # The member's own requests are looked at; all decided ones of the country would be, for each member.
        unindexed(RequestRow.state.expression) == RequestState.DECIDED.value,
    )
    return (
        sa.select(
            row.organisation_id,
            sa.literal(Stage.TO_EXCHANGE.value),
            sa.func.count(),
            sa.literal(0),
            sa.literal(0),
        )
        .where(
            row.erased_at.is_(None),
            row.standing.in_(sorted(each.value for each in STANDINGS_WITH_CARD)),
            ~has_card,
            ~is_decided,
        )
        .group_by(row.organisation_id)
    )


def _of_rejects() -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(MemberRow.organisation_id, CardRow.condemned_for, sa.func.count())
        .join(MemberRow, MemberRow.id == CardRow.member_id)
        .where(CardRow.state == CardState.CONDEMNED.value)
        .group_by(MemberRow.organisation_id, CardRow.condemned_for)
    )


def _of_blanks() -> sa.Select[*tuple[Any, ...]]:
    """Chips that were condemned and to which no card was ever bound, by the organisation of their site."""
    has_card = sa.exists().where(CardRow.serial == ChipRow.serial)
    return (
        sa.select(StockSiteRow.organisation_id, ChipRow.condemned_for, sa.func.count())
        .join(StockSiteRow, StockSiteRow.code == ChipRow.site)
        .where(ChipRow.state == ChipState.CONDEMNED.value, ~has_card)
        .group_by(StockSiteRow.organisation_id, ChipRow.condemned_for)
    )


def _stock_of_sites(session: Session) -> Iterator[tuple[uuid.UUID | None, StockFigures]]:
    """The books of each site by the organisation that it belongs to, as the report of the stock has them."""
    stock, tallies = SqlStockRepository(session), tallies_of_sites(session)
    row = StockSiteRow
    organisations = {
        each.code: each.organisation_id
        for each in session.execute(sa.select(row.code, row.organisation_id))
    }
    for site in stock.sites():
        tally = tallies.get(site.code, SiteTally())
        figures = StockFigures.of_account(stock.account(site.code), destroyed=tally.destroyed)
        # Books that somebody has broken may have sent away more than came.
        yield organisations[site.code], figures.without_negatives()


def _places_of_site(
    organisation_id: uuid.UUID | None,
    parents: Mapping[uuid.UUID, uuid.UUID | None],
    whole: uuid.UUID | None,
) -> Iterator[uuid.UUID]:
    """Where the chips of a site count; a site of the whole register counts at ``whole``, else at every top of its tree."""
    if organisation_id is not None or whole is not None:
        yield from _upwards(organisation_id or whole, parents)
        return
    yield from (each for each, above in parents.items() if above is None)


def _grouped(inner: sa.Subquery, now: datetime) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(
        inner.c.organisation_id,
        inner.c.stage,
        sa.func.count(),
        *(
            sa.func.coalesce(sa.func.sum(sa.case((inner.c.since < now - each, 1), else_=0)), 0)
            for each in (LONG, VERY_LONG)
        ),
    ).group_by(inner.c.organisation_id, inner.c.stage)
