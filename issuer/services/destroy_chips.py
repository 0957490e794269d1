"""Use case: chips are destroyed before two witnesses, both of whom say so themselves."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from issuer.domain.audit import AuditDetail
from issuer.domain.card import may_be_operational
from issuer.domain.chip import Serial
from issuer.domain.rights import Actor, Right
from issuer.domain.stock_account import Site, SiteCode, StockClass
from issuer.domain.stock_acts import Destruction, DestructionId, DestructionState, parse_remark
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.register_ports import RegisterTransaction
from issuer.services.stock_desk import StockDesk, digest_of, distinct, in_hand_at, site_record
from issuer.services.stock_ports import ActPosition, ChipStanding
from issuer.services.stock_room import CONDEMNED_BY_PERSON

__all__ = ["DestroyedChips", "DestructionOfChips"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyedChips:
    """One destruction with its chips by serial."""

    destruction: Destruction
    serials: tuple[Serial, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestructionOfChips:
    """The first witness names the chips and how they were destroyed; the second one says that it is so."""

    desk: StockDesk
    new_id: Callable[[], uuid.UUID] = uuid.uuid4

    def witness(
        self, serials: Sequence[Serial], *, site: SiteCode, manner: str, actor: Actor
    ) -> DestroyedChips:
        """As the first witness, name chips that were destroyed at a site.

        Spoiled chips and samples are destroyed. A card that may work is too, where it cannot be condemned otherwise:
        its chip does not answer any more. Its condemnation is then part of the destruction.

        Raises:
            IssuerDataError: ``stock.serials-malformed``, ``stock.remark-malformed``, ``stock.site-unknown``.
            IssuerRefusedError: as ``in_hand_at``; ``right.*``; ``stock.not-spoiled``.
        """
        chosen = distinct(serials)
        text = parse_remark(manner, what="the manner of the destruction")
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            place = self._demand(transaction, site, actor)
            for standing in in_hand_at(transaction, chosen, site).values():
                _require_spoiled(standing)
            destruction = Destruction(
                destruction_id=DestructionId(self.new_id()),
                site=site,
                state=DestructionState.WITNESSED,
                manner=text,
                chips=len(chosen),
                digest=digest_of(chosen),
                first_witness=actor.account,
                first_at=now,
            )
            transaction.stock_acts.store_destruction(destruction, chosen)
            transaction.audit.append(
                site_record(
                    "destruction-witnessed",
                    place,
                    actor=actor,
                    at=now,
                    details=_details(destruction),
                )
            )
        return DestroyedChips(destruction=destruction, serials=chosen)

    def confirm(self, destruction_id: DestructionId, *, chips: int, actor: Actor) -> DestroyedChips:
        """As the second witness, say that so many chips were destroyed; they exist no more.

        Raises:
            IssuerDataError: ``stock.destruction-unknown``.
            IssuerRefusedError: ``right.*``.
            ConflictError: ``stock.destruction-concluded``, ``stock.destruction-differs``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            destruction, serials = transaction.stock_acts.destruction(destruction_id)
            place = self._demand(transaction, destruction.site, actor)
            destroyed = destruction.destroyed(actor.account, now)
            if chips != destruction.chips or digest_of(serials) != destruction.digest:
                raise ConflictError(
                    f"the first witness named {destruction.chips} chips, the second saw {chips}",
                    code="stock.destruction-differs",
                    hint="withdraw it, and begin again with the chips that lie there",
                )
            standings = transaction.stock.standings(serials)
            for serial in serials:
                standing = standings[serial]
                _require_spoiled(standing)
                if standing.stock_class not in (StockClass.SPOILED, StockClass.SAMPLE):
                    transaction.stock.condemn(
                        serial,
                        code=CONDEMNED_BY_PERSON,
                        detail=destruction.manner,
                        account=actor.account,
                        at=now,
                        is_safe=True,
                    )
            # What can be told apart by serial is marked last, when nothing else can refuse.
            transaction.stock_acts.mark_destroyed(serials, account=actor.account, at=now)
            transaction.stock_acts.store_destruction(destroyed)
            transaction.audit.append(
                site_record("destroyed", place, actor=actor, at=now, details=_details(destroyed))
            )
        return DestroyedChips(destruction=destroyed, serials=serials)

    def withdraw(self, destruction_id: DestructionId, *, actor: Actor) -> DestroyedChips:
        """It did not take place; the chips lie there as before.

        Raises:
            IssuerDataError: ``stock.destruction-unknown``.
            IssuerRefusedError: ``right.*``.
            ConflictError: ``stock.destruction-concluded``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            destruction, serials = transaction.stock_acts.destruction(destruction_id)
            place = self._demand(transaction, destruction.site, actor)
            withdrawn = destruction.withdrawn()
            transaction.stock_acts.store_destruction(withdrawn)
            transaction.audit.append(
                site_record(
                    "destruction-withdrawn",
                    place,
                    actor=actor,
                    at=now,
                    details=_details(withdrawn),
                )
            )
        return DestroyedChips(destruction=withdrawn, serials=serials)

    def show(self, destruction_id: DestructionId, *, actor: Actor) -> DestroyedChips:
        """One destruction with its chips.

        Raises:
            IssuerDataError: ``stock.destruction-unknown``.
            IssuerRefusedError: ``right.missing``.
        """
        with self.desk.register.reading() as transaction:
            destruction, serials = transaction.stock_acts.destruction(destruction_id)
            self.desk.demand(
                transaction, actor, Right.READ_STOCK, transaction.stock.site(destruction.site)
            )
            return DestroyedChips(destruction=destruction, serials=serials)

    def newest(
        self, *, actor: Actor, limit: int, behind: ActPosition | None = None
    ) -> tuple[Destruction, ...]:
        """The newest destructions of the sites that the actor sees."""
        with self.desk.register.reading() as transaction:
            seen = self.desk.readable(transaction, actor)
            return transaction.stock_acts.destructions(seen, limit=limit, behind=behind)

    def _demand(self, transaction: RegisterTransaction, site: SiteCode, actor: Actor) -> Site:
        place = transaction.stock.locked_sites([site])[site]
        self.desk.demand(transaction, actor, Right.DESTROY_CARDS, place)
        return place


def _require_spoiled(standing: ChipStanding) -> None:
    is_to_go = standing.stock_class in (StockClass.SPOILED, StockClass.SAMPLE) or (
        standing.card_state is not None and may_be_operational(standing.card_state)
    )
    if not is_to_go or not standing.is_in_hand:
        raise IssuerRefusedError(
            f"chip {standing.serial.hex().upper()} is neither spoiled nor a sample",
            code="stock.not-spoiled",
            hint="condemn it first: stock condemn SERIAL --reason TEXT",
        )


def _details(destruction: Destruction) -> dict[str, AuditDetail]:
    return {
        "destruction": destruction.destruction_id.hex,
        "chips": destruction.chips,
        "serials": destruction.digest.hex(),
        "first-witness": destruction.first_witness,
    }
