"""What all use cases of the stock share: the register, the clock, and who may act at a site."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.chip import Serial
from issuer.domain.rights import Actor, Right
from issuer.domain.stock_account import Site, SiteCode
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.places import place_of
from issuer.services.production_ports import Clock
from issuer.services.register_ports import Register, RegisterTransaction
from issuer.services.stock_ports import ChipStanding

__all__ = ["MAX_SERIALS", "StockDesk", "digest_of", "in_hand_at"]

MAX_SERIALS: Final = 200_000
"""How many chips one act may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockDesk:
    """The register and the present time (aware UTC)."""

    register: Register
    clock: Clock

    def demand(
        self, transaction: RegisterTransaction, actor: Actor, right: Right, site: Site
    ) -> None:
        """Let pass who has the right at the site.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``.
        """
        actor.demand(
            right,
            place=place_of(transaction.organisations, site.organisation),
            now=self.clock(),
        )

    def may_read(self, transaction: RegisterTransaction, actor: Actor, site: Site) -> bool:
        """Whether somebody sees the site's stock."""
        return actor.may(
            Right.READ_STOCK, place=place_of(transaction.organisations, site.organisation)
        )

    def readable(self, transaction: RegisterTransaction, actor: Actor) -> frozenset[SiteCode]:
        """The sites whose stock somebody sees."""
        return frozenset(
            each.code
            for each in transaction.stock.sites()
            if self.may_read(transaction, actor, each)
        )


def site_record(
    action: str,
    site: Site,
    *,
    actor: Actor,
    at: datetime,
    details: Mapping[str, AuditDetail],
) -> AuditRecord:
    """What the audit trail holds of an act at a site."""
    return AuditRecord(
        at=at,
        account=actor.account,
        action=f"stock.{action}",
        subject=AuditSubject.STOCK,
        subject_id=site.code,
        organisation=site.organisation,
        details=details,
    )


def digest_of(serials: Sequence[Serial]) -> bytes:
    """SHA-256 over serials in their order: what records say of many chips."""
    return hashlib.sha256(b"".join(sorted(serials))).digest()


def distinct(serials: Sequence[Serial]) -> tuple[Serial, ...]:
    """The chips of an act by serial, each once.

    Raises:
        IssuerDataError: none, too many, or one stands twice (``stock.serials-malformed``).
    """
    chosen = tuple(sorted(set(serials)))
    if not chosen or len(serials) > MAX_SERIALS or len(chosen) != len(serials):
        raise IssuerDataError(
            f"got {len(serials)} serials of {len(chosen)} chips, expected 1 to {MAX_SERIALS}, each once",
            code="stock.serials-malformed",
        )
    return chosen


def in_hand_at(
    transaction: RegisterTransaction, serials: Sequence[Serial], site: SiteCode
) -> Mapping[Serial, ChipStanding]:
    """Where the chips of an act stand; all lie at the site, none is waiting for a witness or reported stolen.

    Raises:
        IssuerRefusedError: ``chip.not-in-stock``, ``chip.stolen``, ``stock.elsewhere``, ``stock.not-in-hand``,
            ``stock.destruction-open``: with the first chip of which it is so.
    """
    standings = transaction.stock.standings(serials)
    stopped = transaction.stock_acts.stopped(serials)
    waiting = transaction.stock_acts.waiting_for_destruction(serials)
    for serial in serials:
        name = serial.hex().upper()
        standing = standings.get(serial)
        if standing is None:
            raise IssuerRefusedError(
                f"chip {name} is not in the stock ledger", code="chip.not-in-stock"
            )
        if serial in stopped:
            raise IssuerRefusedError(f"chip {name} is on the stop list", code="chip.stolen")
        if not standing.is_in_hand:
            raise IssuerRefusedError(
                f"chip {name} lies at no site any more", code="stock.not-in-hand"
            )
        if standing.site != site:
            raise IssuerRefusedError(
                f"chip {name} is at site {standing.site}, expected {site}", code="stock.elsewhere"
            )
        if serial in waiting:
            raise IssuerRefusedError(
                f"the destruction of chip {name} waits for its second witness",
                code="stock.destruction-open",
            )
    return standings
