"""Use cases of the stock: take chips in, issue them to stations and take them back, samples, and what must go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.chip import Serial
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.domain.stock_account import (
    FIRST_STORE,
    Site,
    SiteAccount,
    SiteCode,
    SiteKind,
    StockClass,
    day_of,
    parse_site_name,
)
from issuer.domain.stock_acts import Movement, MovementKind, parse_remark
from issuer.errors import IssuerRefusedError
from issuer.services.move_stock import move_chips, not_blank, require_in_no_station
from issuer.services.places import place_of
from issuer.services.receive_stock import Receipt, read_delivery
from issuer.services.register_ports import RegisterTransaction
from issuer.services.stock_desk import StockDesk, digest_of, distinct, in_hand_at, site_record

__all__ = ["CONDEMNED_BY_PERSON", "MOST_COUNTED", "SiteView", "StockRoom"]

CONDEMNED_BY_PERSON = "card.condemned-by-person"

MOST_COUNTED: Final = 5_000
"""How many chips one look at the stock counts: of a larger site it shows what two people closed last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """One site with its account.

    Attributes:
        owes_since: the first day that it has not closed, where that is over.
        as_of: the moment of the account, where it is that of the last close; ``None`` where it was counted just now.
    """

    site: Site
    account: SiteAccount
    owes_since: date | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRoom:
    """All that is done with blanks but counting, destroying and stopping them."""

    desk: StockDesk

    def open_site(
        self,
        code: SiteCode,
        *,
        kind: SiteKind,
        name: str,
        organisation: OrganisationCode | None,
        actor: Actor,
    ) -> Site:
        """Begin a store or a station.

        Raises:
            IssuerDataError: ``stock.site-malformed``, ``organisation.unknown``.
            IssuerRefusedError: ``right.missing``.
            ConflictError: ``stock.site-exists``.
        """
        now = self.desk.clock()
        site = Site(
            code=code,
            kind=kind,
            name=parse_site_name(name),
            organisation=organisation,
            opened_at=now,
        )
        with self.desk.register.writing() as transaction:
            self.desk.demand(transaction, actor, Right.WRITE_STOCK, site)
            transaction.stock.add_site(site)
            transaction.audit.append(
                site_record("site-opened", site, actor=actor, at=now, details={"kind": kind.value})
            )
        return site

    def receive(
        self,
        content: bytes,
        *,
        delivery: str,
        actor: Actor,
        site: SiteCode = FIRST_STORE,
    ) -> Receipt:
        """Take in all chips of a delivery list or, where a row is wrong, none; the same list again changes nothing.

        Raises:
            IssuerDataError: as ``read_delivery``; ``stock.site-unknown``.
            IssuerRefusedError: ``right.missing``; ``chip.stolen``: one of them is on the stop list.
        """
        serials = read_delivery(content)
        remark = parse_remark(delivery, what="the name of the delivery")
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            place = transaction.stock.locked_sites([site])[site]
            self.desk.demand(transaction, actor, Right.WRITE_STOCK, place)
            new = transaction.stock.receive(
                serials, site=site, delivery=remark, account=actor.account, at=now
            )
            transaction.audit.append(
                site_record(
                    "received",
                    place,
                    actor=actor,
                    at=now,
                    details={
                        "listed": len(serials),
                        "new": new,
                        "serials": digest_of(serials).hex(),
                    },
                )
            )
        return Receipt(listed=len(serials), new=new)

    def issue(
        self, serials: Sequence[Serial], *, source: SiteCode, target: SiteCode, actor: Actor
    ) -> int:
        """Give chips out of a store, to a station or another store; all or none.

        Raises:
            IssuerDataError: ``stock.serials-malformed``, ``stock.site-unknown``.
            IssuerRefusedError: as ``in_hand_at``; ``right.missing``; ``stock.way``: out of a station;
                ``stock.not-blank``: spoiled or finished ones, and samples, are not given out;
                ``stock.day-not-closed``: one of the two sites owes the close of a day before this one.
        """
        return self._move(serials, MovementKind.ISSUED, source, target, actor)

    def take_back(
        self, serials: Sequence[Serial], *, source: SiteCode, target: SiteCode, actor: Actor
    ) -> int:
        """Bring what lies at a station back to a store: blanks, spoiled chips, samples and finished cards.

        Raises:
            IssuerDataError: ``stock.serials-malformed``, ``stock.site-unknown``.
            IssuerRefusedError: as ``in_hand_at``; ``right.missing``; ``stock.way``: not from a station to a store.
        """
        return self._move(serials, MovementKind.RETURNED, source, target, actor)

    def take_samples(
        self, serials: Sequence[Serial], *, site: SiteCode, remark: str, actor: Actor
    ) -> int:
        """Take blanks out as samples, for good: they never become cards.

        Raises:
            IssuerDataError: ``stock.serials-malformed``, ``stock.remark-malformed``, ``stock.site-unknown``.
            IssuerRefusedError: as ``in_hand_at``; ``right.missing``; ``stock.not-blank``: a card is bound to it,
                or it is spoiled.
        """
        chosen = distinct(serials)
        text = parse_remark(remark, what="the purpose of the samples")
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            place = transaction.stock.locked_sites([site])[site]
            self.desk.demand(transaction, actor, Right.WRITE_STOCK, place)
            standings = in_hand_at(transaction, chosen, site)
            require_in_no_station(transaction, chosen)
            for standing in standings.values():
                if standing.stock_class is not StockClass.LEFT or standing.card is not None:
                    raise not_blank(standing.serial, "only a blank without a card is a sample")
            transaction.stock.sample(chosen, remark=text, account=actor.account, at=now)
            transaction.audit.append(
                site_record(
                    "sampled",
                    place,
                    actor=actor,
                    at=now,
                    details={"chips": len(chosen), "serials": digest_of(chosen).hex()},
                )
            )
        return len(chosen)

    def condemn(self, serial: Serial, *, reason: str, actor: Actor) -> None:
        """Take a chip, and the card on it, out of production for good; a card that may work is destroyed instead.

        Raises:
            IssuerDataError: ``stock.remark-malformed``.
            IssuerRefusedError: ``right.*``, ``chip.not-in-stock``, ``card.may-be-operational``.
            TransitionError: it is condemned already, or its card was handed over.
        """
        text = parse_remark(reason, what="the reason")
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            site = self._site_of(transaction, serial)
            self.desk.demand(transaction, actor, Right.DESTROY_CARDS, site)
            transaction.stock.condemn(
                serial,
                code=CONDEMNED_BY_PERSON,
                detail=text,
                account=actor.account,
                at=now,
                is_safe=False,
            )
            transaction.audit.append(chip_record("condemned", serial, site, actor=actor, at=now))

    def release(self, serial: Serial, *, actor: Actor) -> None:
        """Let stations take a held chip again, once a person has looked at it.

        Raises:
            IssuerRefusedError: ``right.missing``, ``chip.not-in-stock``, ``chip.not-held``, ``chip.sample``,
                ``chip.stolen``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            site = self._site_of(transaction, serial)
            self.desk.demand(transaction, actor, Right.CONTROL_QUALITY, site)
            transaction.stock.release(serial, account=actor.account, at=now)
            transaction.audit.append(chip_record("released", serial, site, actor=actor, at=now))

    def site(self, code: SiteCode, *, actor: Actor) -> Site:
        """One site.

        Raises:
            IssuerDataError: ``stock.site-unknown``.
            IssuerRefusedError: ``right.missing``.
        """
        with self.desk.register.reading() as transaction:
            found = transaction.stock.site(code)
            self.desk.demand(transaction, actor, Right.READ_STOCK, found)
            return found

    def demand_at_chip(self, serial: Serial, right: Right, *, actor: Actor) -> None:
        """Let pass who has the right where the chip lies.

        Raises:
            IssuerRefusedError: ``chip.not-in-stock``, ``right.missing``, ``right.step-up-needed``.
        """
        with self.desk.register.reading() as transaction:
            self.desk.demand(transaction, actor, right, self._site_of(transaction, serial))

    def demand_at_site(self, code: SiteCode, right: Right, *, actor: Actor) -> None:
        """Let pass who has the right at a site; one that is not there is the whole register's matter.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``.
        """
        with self.desk.register.reading() as transaction:
            site = next((each for each in transaction.stock.sites() if each.code == code), None)
            place = place_of(transaction.organisations, None if site is None else site.organisation)
            actor.demand(right, place=place, now=self.desk.clock())

    def sites_shown(self, *, actor: Actor) -> tuple[SiteCode, ...] | None:
        """The sites whose stock the actor sees; ``None`` where that is the whole stock."""
        if actor.roots(Right.READ_STOCK) is None:
            return None
        with self.desk.register.reading() as transaction:
            return tuple(self.desk.readable(transaction, actor))

    def accounts(
        self,
        *,
        actor: Actor,
        limit: int | None = None,
        behind: SiteCode | None = None,
        is_patient: bool = False,
    ) -> tuple[SiteView, ...]:
        """The accounts of the sites that the actor sees, by code: all of them, or so many behind one.

        They are counted from the records up to ``MOST_COUNTED`` chips; of the sites beyond it they are those of the
        last close, where there is one. Whoever is patient has all of them counted.
        """
        with self.desk.register.reading() as transaction:
            shown = [
                each
                for each in transaction.stock.sites()
                if (behind is None or each.code > behind)
                and self.desk.may_read(transaction, actor, each)
            ]
            return self.accounts_within(transaction, shown[:limit], is_patient=is_patient)

    def accounts_within(
        self, transaction: RegisterTransaction, sites: Sequence[Site], *, is_patient: bool
    ) -> tuple[SiteView, ...]:
        """The accounts of these sites within one transaction, as ``accounts`` has them."""
        budget = MOST_COUNTED
        views: list[SiteView] = []
        for each in sites:
            chips = 0
            if not is_patient:
                chips = transaction.stock.chips_up_to(each.code, budget + 1)
            views.append(self._view(transaction, each, is_counted=chips <= budget))
            budget -= min(chips, budget)
        return tuple(views)

    def sites(self, *, actor: Actor) -> tuple[Site, ...]:
        """All sites that the actor sees."""
        with self.desk.register.reading() as transaction:
            return tuple(
                each
                for each in transaction.stock.sites()
                if self.desk.may_read(transaction, actor, each)
            )

    def account(self, site: SiteCode, *, actor: Actor) -> SiteView:
        """One site's account.

        Raises:
            IssuerDataError: ``stock.site-unknown``.
            IssuerRefusedError: ``right.missing``.
        """
        with self.desk.register.reading() as transaction:
            found = transaction.stock.site(site)
            self.desk.demand(transaction, actor, Right.READ_STOCK, found)
            chips = transaction.stock.chips_up_to(site, MOST_COUNTED + 1)
            return self._view(transaction, found, is_counted=chips <= MOST_COUNTED)

    def movements(
        self, site: SiteCode, *, actor: Actor, limit: int, before: int | None = None
    ) -> tuple[Movement, ...]:
        """The newest movements of one site.

        Raises:
            IssuerDataError: ``stock.site-unknown``.
            IssuerRefusedError: ``right.missing``.
        """
        with self.desk.register.reading() as transaction:
            self.desk.demand(transaction, actor, Right.READ_STOCK, transaction.stock.site(site))
            return transaction.stock.movements(site, limit=limit, before=before)

    def _move(
        self,
        serials: Sequence[Serial],
        kind: MovementKind,
        source: SiteCode,
        target: SiteCode,
        actor: Actor,
    ) -> int:
        chosen = distinct(serials)
        with self.desk.register.writing() as transaction:
            move_chips(
                self.desk,
                transaction,
                chosen,
                kind,
                source=source,
                target=target,
                actor=actor,
            )
        return len(chosen)

    def _view(self, transaction: RegisterTransaction, site: Site, *, is_counted: bool) -> SiteView:
        oldest = transaction.stock.oldest_unclosed(site.code)
        is_over = oldest is not None and day_of(oldest) < day_of(self.desk.clock())
        owes_since = day_of(oldest) if oldest is not None and is_over else None
        last = None if is_counted else transaction.stock_acts.last_closed(site.code)
        if last is None:
            account = transaction.stock.account(site.code)
            return SiteView(site=site, account=account, owes_since=owes_since)
        return SiteView(
            site=site,
            account=last.account(stolen=transaction.stock_acts.stolen(site.code)),
            owes_since=owes_since,
            as_of=last.counted_at,
        )

    @staticmethod
    def _site_of(transaction: RegisterTransaction, serial: Serial) -> Site:
        standing = transaction.stock.standings([serial]).get(serial)
        if standing is None:
            raise IssuerRefusedError(
                f"chip {serial.hex().upper()} is not in the stock ledger", code="chip.not-in-stock"
            )
        return transaction.stock.site(standing.site)


def chip_record(
    action: str, serial: Serial, site: Site | None, *, actor: Actor, at: datetime
) -> AuditRecord:
    """What the audit trail holds of an act on one chip."""
    return AuditRecord(
        at=at,
        account=actor.account,
        action=f"chip.{action}",
        subject=AuditSubject.CHIP,
        subject_id=serial.hex().upper(),
        organisation=None if site is None else site.organisation,
        details={"site": None if site is None else site.code},
    )
