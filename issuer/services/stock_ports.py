"""Ports of the stock: sites, chips and their movements, closes of a day, destructions, and the stop list."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from issuer.domain.card import CardReference, CardState
from issuer.domain.chip import ChipState, Serial
from issuer.domain.rights import AccountName
from issuer.domain.stock_account import Site, SiteAccount, SiteCode, StockClass
from issuer.domain.stock_acts import (
    DayClose,
    DayCloseId,
    Destruction,
    DestructionId,
    Movement,
    MovementKind,
    Stop,
    StopState,
)

__all__ = [
    "ActPosition",
    "ChipStanding",
    "SiteTally",
    "StockActRepository",
    "StockRepository",
    "StopPosition",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActPosition:
    """Where a page of counts or destructions ends, the newest first: the next one begins behind it."""

    at: datetime
    act_id: uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPosition:
    """Where a page of the stop list ends, the newest first: the next one begins behind it."""

    at: datetime
    serial: Serial


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipStanding:
    """Where a chip stands.

    Attributes:
        site: the site that answers for it.
        stock_class: its class in the account; ``None`` once it was stolen.
        is_in_hand: whether it lies at the site: it was not destroyed, dispatched, handed over or stolen.
        held: the code for which stations leave it alone, if any.
        card: the card that is bound to it, and its state.
    """

    serial: Serial
    site: SiteCode
    state: ChipState
    stock_class: StockClass | None
    is_in_hand: bool
    is_destroyed: bool
    held: str | None
    card: CardReference | None
    card_state: CardState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteTally:
    """What acts at one site have made of its chips.

    Attributes:
        destroyed: how many were destroyed before two witnesses.
        reported: how many stand on the stop list and wait for a second person.
        confirmed: how many stand there for good.
    """

    destroyed: int = 0
    reported: int = 0
    confirmed: int = 0


class StockRepository(Protocol):
    """Sites, chips and movements, within one transaction."""

    def sites(self) -> tuple[Site, ...]:
        """All sites, by code."""

    def site(self, code: SiteCode) -> Site:
        """One site.

        Raises:
            IssuerDataError: there is none (``stock.site-unknown``).
        """

    def locked_sites(self, codes: Collection[SiteCode]) -> Mapping[SiteCode, Site]:
        """Sites whose chips nobody else moves, counts or destroys before the transaction ends.

        Raises:
            IssuerDataError: there is no such site (``stock.site-unknown``).
        """

    def add_site(self, site: Site) -> None:
        """Keep a new site.

        Raises:
            ConflictError: there is one of this code (``stock.site-exists``).
        """

    def receive(
        self,
        serials: Sequence[Serial],
        *,
        site: SiteCode,
        delivery: str,
        account: AccountName,
        at: datetime,
    ) -> int:
        """Take chips in, all or none; how many were new. A serial that is in the stock is left as it is.

        Raises:
            IssuerRefusedError: one of them is on the stop list (``chip.stolen``).
        """

    def standings(self, serials: Sequence[Serial]) -> Mapping[Serial, ChipStanding]:
        """Where chips stand, and nobody else changes that before the transaction ends; unknown ones are left out."""

    def move(
        self,
        serials: Sequence[Serial],
        kind: MovementKind,
        *,
        source: SiteCode,
        target: SiteCode,
        account: AccountName,
        at: datetime,
    ) -> None:
        """Bring chips that are in hand at one site to another."""

    def sample(
        self, serials: Sequence[Serial], *, remark: str, account: AccountName, at: datetime
    ) -> None:
        """Take chips out as samples: no station takes them any more."""

    def condemn(
        self,
        serial: Serial,
        *,
        code: str,
        detail: str,
        account: AccountName,
        at: datetime,
        is_safe: bool,
    ) -> None:
        """Take a chip, and the card on it, out of production for good.

        Raises:
            IssuerRefusedError: it is unknown (``chip.not-in-stock``), or may work and is not ``is_safe``
                (``card.may-be-operational``).
            TransitionError: it is condemned already, or its card was handed over.
        """

    def release(self, serial: Serial, *, account: AccountName, at: datetime) -> None:
        """Let stations take a held chip again.

        Raises:
            IssuerRefusedError: it is unknown (``chip.not-in-stock``), is not held (``chip.not-held``), or is held
                as a sample or as stolen.
        """

    def account(self, site: SiteCode) -> SiteAccount:
        """What the records say of a site now."""

    def chips_up_to(self, site: SiteCode, most: int) -> int:
        """How many chips a site answers for, counted no further than this."""

    def serials_in_hand(self, site: SiteCode) -> Iterator[tuple[Serial, StockClass]]:
        """Every chip that lies at the site, with its class, by serial."""

    def movements(
        self, site: SiteCode | None = None, *, limit: int, before: int | None = None
    ) -> tuple[Movement, ...]:
        """Movements from and to a site, or all; the newest first."""

    def oldest_unclosed(self, site: SiteCode) -> datetime | None:
        """When the first thing happened at the site that no closed day covers: a movement or a finished card."""


class StockActRepository(Protocol):
    """Closes of days, destructions and the stop list, within one transaction."""

    def store_close(self, close: DayClose) -> None:
        """Keep a count, or what became of it."""

    def close(self, close_id: DayCloseId) -> DayClose:
        """One count.

        Raises:
            IssuerDataError: there is none (``stock.count-unknown``).
        """

    def last_closed(self, site: SiteCode) -> DayClose | None:
        """The newest count of a site that was closed; ``None`` before the first."""

    def stolen(self, site: SiteCode) -> int:
        """How many chips went to the stop list for good from here."""

    def tallies(self) -> Mapping[SiteCode | None, SiteTally]:
        """What was destroyed and what is stopped, by site; ``None`` stands for chips that never came to any.

        Sites of which there is nothing to tell are left out.
        """

    def closes(
        self, sites: Collection[SiteCode], *, limit: int, behind: ActPosition | None = None
    ) -> tuple[DayClose, ...]:
        """The newest counts of these sites."""

    def note_missing(
        self, serials: Sequence[Serial], *, site: SiteCode, account: AccountName, at: datetime
    ) -> None:
        """The journal says of these chips that a count did not find them."""

    def store_destruction(
        self, destruction: Destruction, serials: Sequence[Serial] | None = None
    ) -> None:
        """Keep a destruction with its chips, or what became of it."""

    def destruction(self, destruction_id: DestructionId) -> tuple[Destruction, tuple[Serial, ...]]:
        """One destruction and its chips by serial.

        Raises:
            IssuerDataError: there is none (``stock.destruction-unknown``).
        """

    def destructions(
        self, sites: Collection[SiteCode], *, limit: int, behind: ActPosition | None = None
    ) -> tuple[Destruction, ...]:
        """The newest destructions at these sites."""

    def waiting_for_destruction(self, serials: Sequence[Serial]) -> frozenset[Serial]:
        """Those of the chips that stand in a destruction without its second witness."""

    def mark_destroyed(
        self, serials: Sequence[Serial], *, account: AccountName, at: datetime
    ) -> None:
        """The chips exist no more."""

    def store_stop(self, stop: Stop) -> None:
        """Keep a report, or what became of it; the chip, where it is in the stock, is held, condemned or let go."""

    def stop(self, serial: Serial) -> Stop:
        """The live line of a chip.

        Raises:
            IssuerDataError: it is not on the stop list (``stop.unknown``).
        """

    def stopped(self, serials: Sequence[Serial]) -> frozenset[Serial]:
        """Those of the chips that are on the stop list, reported or confirmed."""

    def stops(
        self,
        sites: Collection[SiteCode],
        *,
        with_unknown: bool,
        states: Sequence[StopState] = (),
        limit: int,
        behind: StopPosition | None = None,
    ) -> tuple[Stop, ...]:
        """The newest lines of chips of these sites; with those of chips that never came, where that is said."""
