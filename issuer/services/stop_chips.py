"""Use case: the stop list, on which chips stand that were stolen or are missing.

One person reports a chip, and no station takes it from then on; another one confirms the report, which is final, or
lifts it because the chip was found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from issuer.domain.card import CardState
from issuer.domain.chip import Serial
from issuer.domain.rights import Actor, Right
from issuer.domain.stock_account import FIRST_STORE, Site
from issuer.domain.stock_acts import Stop, StopReason, StopState
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.register_ports import RegisterTransaction
from issuer.services.stock_desk import StockDesk, distinct
from issuer.services.stock_ports import ChipStanding, StopPosition
from issuer.services.stock_room import chip_record

__all__ = ["StopList"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopList:
    """Reports, confirms, lifts."""

    desk: StockDesk

    def report(
        self, serials: Sequence[Serial], *, reason: StopReason, actor: Actor
    ) -> tuple[Stop, ...]:
        """Put chips on the stop list, all or none; also such as never came to the stock.

        Raises:
            IssuerDataError: ``stock.serials-malformed``.
            IssuerRefusedError: ``right.missing``; ``stop.not-in-hand``: the chip was destroyed, or is a card in its
                member's hand, whose loss is reported as such.
            ConflictError: ``stop.repeated``.
        """
        chosen = distinct(serials)
        now = self.desk.clock()
        stops: list[Stop] = []
        with self.desk.register.writing() as transaction:
            standings = transaction.stock.standings(chosen)
            listed = transaction.stock_acts.stopped(chosen)
            for serial in chosen:
                standing = standings.get(serial)
                site = self._site(transaction, standing)
                # A chip that never came belongs to no site: then whoever watches over the first store reports it.
                self.desk.demand(
                    transaction,
                    actor,
                    Right.WRITE_STOCK,
                    site or transaction.stock.site(FIRST_STORE),
                )
                if serial in listed:
                    raise ConflictError(
                        f"chip {serial.hex().upper()} is on the stop list", code="stop.repeated"
                    )
                if standing is not None:
                    _require_in_reach(standing)
                stop = Stop(
                    serial=serial,
                    reason=reason,
                    state=StopState.REPORTED,
                    site=None if standing is None else standing.site,
                    reported_by=actor.account,
                    reported_at=now,
                )
                transaction.stock_acts.store_stop(stop)
                transaction.audit.append(
                    chip_record("stop-reported", serial, site, actor=actor, at=now)
                )
                stops.append(stop)
        return tuple(stops)

    def confirm(self, serials: Sequence[Serial], *, actor: Actor) -> tuple[Stop, ...]:
        """As another person, confirm that the chips are gone: they, and the cards on them, are condemned for good.

        Raises:
            IssuerDataError: ``stop.unknown``.
            IssuerRefusedError: ``right.*``.
            ConflictError: ``stop.concluded``.
        """
        return self._conclude(serials, StopState.CONFIRMED, actor)

    def lift(self, serials: Sequence[Serial], *, actor: Actor) -> tuple[Stop, ...]:
        """As another person, say that the chips were found where they belong.

        Raises:
            IssuerDataError: ``stop.unknown``.
            IssuerRefusedError: ``right.*``.
            ConflictError: ``stop.concluded``: what was confirmed never comes back.
        """
        return self._conclude(serials, StopState.LIFTED, actor)

    def newest(
        self,
        *,
        actor: Actor,
        limit: int,
        states: Sequence[StopState] = (),
        behind: StopPosition | None = None,
    ) -> tuple[Stop, ...]:
        """The newest lines of the sites that the actor sees, and of chips that never came."""
        with self.desk.register.reading() as transaction:
            seen = self.desk.readable(transaction, actor)
            return transaction.stock_acts.stops(
                seen, with_unknown=FIRST_STORE in seen, states=states, limit=limit, behind=behind
            )

    def _conclude(
        self, serials: Sequence[Serial], state: StopState, actor: Actor
    ) -> tuple[Stop, ...]:
        chosen = distinct(serials)
        now = self.desk.clock()
        stops: list[Stop] = []
        with self.desk.register.writing() as transaction:
            found = [transaction.stock_acts.stop(serial) for serial in chosen]
            sites = transaction.stock.locked_sites({each.site or FIRST_STORE for each in found})
            # For their locks: whoever works with several of these chips takes them in the same order.
            transaction.stock.standings(chosen)
            for serial, stop in zip(chosen, found, strict=True):
                site = sites[stop.site or FIRST_STORE]
                self.desk.demand(transaction, actor, Right.DESTROY_CARDS, site)
                concluded = stop.concluded(state, actor.account, now)
                transaction.stock_acts.store_stop(concluded)
                transaction.audit.append(
                    chip_record(
                        f"stop-{state.value}",
                        serial,
                        None if stop.site is None else site,
                        actor=actor,
                        at=now,
                    )
                )
                stops.append(concluded)
        return tuple(stops)

    @staticmethod
    def _site(transaction: RegisterTransaction, standing: ChipStanding | None) -> Site | None:
        return None if standing is None else transaction.stock.site(standing.site)


def _require_in_reach(standing: ChipStanding) -> None:
    if standing.is_destroyed or standing.card_state is CardState.HANDED_OVER:
        raise IssuerRefusedError(
            f"chip {standing.serial.hex().upper()} is not in our hands any more",
            code="stop.not-in-hand",
            hint="the loss of a member's card is reported by: cards report",
        )
