"""What people do with a card in its member's hand, under one name an act; and which of it goes, as things stand."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from issuer.domain.card import CardReference
from issuer.domain.card_dossier import CardDossier
from issuer.domain.card_validity import (
    REPORTS,
    CardValidity,
    EndReason,
    ValidityEvent,
    ValidityStep,
    apply,
)
from issuer.domain.rights import AccountName, Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.card_lifecycle import CardLifecycle
from issuer.services.card_validity_ports import CardRecord
from issuer.services.places import place_of
from issuer.services.register_ports import Register

__all__ = ["CardAct", "CardActs", "OpenActs"]


class CardAct(enum.StrEnum):
    """What somebody may do with a card."""

    REPORT = "report"
    CONFIRM = "confirm"
    SUSPEND = "suspend"
    RESUME = "resume"
    COLLECT = "collect"
    GIVE_BACK = "give-back"
    RETURN = "return"

    @property
    def right(self) -> Right:
        """Whose it is."""
        return Right.REVOKE_CARDS if self in _REVOKING else Right.REPORT_CARDS


_REVOKING: Final = frozenset({CardAct.CONFIRM, CardAct.SUSPEND, CardAct.RESUME})
_EVENTS: Final[Mapping[CardAct, ValidityEvent]] = MappingProxyType(
    {
        CardAct.CONFIRM: ValidityEvent.CONFIRMED,
        CardAct.SUSPEND: ValidityEvent.SUSPENDED,
        CardAct.COLLECT: ValidityEvent.COLLECTED,
        CardAct.GIVE_BACK: ValidityEvent.GIVEN_BACK,
        CardAct.RETURN: ValidityEvent.COLLECTED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenActs:
    """What goes now, for whoever asked; ``reasons`` are those that a report may have."""

    acts: tuple[CardAct, ...]
    reasons: tuple[EndReason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardActs:
    """The acts of ``CardLifecycle`` by their names."""

    register: Register
    lifecycle: CardLifecycle

    def open_for(self, dossier: CardDossier, *, actor: Actor) -> OpenActs:
        """What the actor may do with this card, and what would not be refused as the dossier has it.

        It only says what is offered: each act is judged again when it is taken, with the second factor.
        """
        with self.register.reading() as transaction:
            place = place_of(transaction.organisations, dossier.organisation)
        reasons = tuple(
            each
            for each in EndReason
            if each in REPORTS
            and _goes(dossier.validity, ValidityEvent.REPORTED, actor.account, each)
        )
        return OpenActs(
            acts=tuple(
                each
                for each in CardAct
                if actor.may(each.right, place=place)
                and (
                    bool(reasons)
                    if each is CardAct.REPORT
                    else _goes(dossier.validity, _event(each, dossier.validity), actor.account)
                )
            ),
            reasons=reasons,
        )

    def take(
        self,
        act: CardAct,
        reference: CardReference,
        *,
        actor: Actor,
        remark: str,
        reason: EndReason | None = None,
    ) -> CardRecord:
        """Take an act; ``reason`` belongs to a report and to nothing else.

        Raises:
            IssuerDataError: ``card.report-reason``: there is no such report; ``card.remark``.
            IssuerRefusedError: as the act of ``CardLifecycle``.
        """
        if act is CardAct.REPORT:
            if reason not in REPORTS or reason is None:
                raise IssuerDataError(
                    f"got reason {reason}, expected one of {', '.join(sorted(REPORTS))}",
                    code="card.report-reason",
                )
            return self.lifecycle.report(reference, reason, actor=actor, remark=remark)
        if reason is not None:
            raise IssuerDataError(
                f"got reason {reason}, expected none for {act}", code="card.report-reason"
            )
        return self._others()[act](reference, actor=actor, remark=remark)

    def _others(self) -> Mapping[CardAct, Callable[..., CardRecord]]:
        return {
            CardAct.CONFIRM: self.lifecycle.confirm,
            CardAct.SUSPEND: self.lifecycle.suspend,
            CardAct.RESUME: self.lifecycle.resume,
            CardAct.COLLECT: self.lifecycle.collect,
            CardAct.GIVE_BACK: self.lifecycle.give_back,
            CardAct.RETURN: self.lifecycle.take_back,
        }


def _event(act: CardAct, validity: CardValidity) -> ValidityEvent:
    if act is CardAct.RESUME:
        return ValidityEvent.RESUMED if validity.report is None else ValidityEvent.REJECTED
    return _EVENTS[act]


def _goes(
    validity: CardValidity,
    event: ValidityEvent,
    account: AccountName,
    reason: EndReason | None = None,
) -> bool:
    try:
        apply(validity, ValidityStep(event=event, account=account, reason=reason))
    except IssuerRefusedError:
        return False
    return True
