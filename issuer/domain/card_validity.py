"""What a finished card counts as, from its hand-over to its end; pure rules over ``pki.signed.card_states.CardState``.

Until it is handed over, a card counts for nothing. From then on it is in force, unless something holds it: a report, an
office's word, its member's standing, an organisation that took it in. A report holds at once, by the word of one
person; it becomes an end by another person's. What has ended never counts again, whatever is found or said later.

    not handed over ──> valid <──> data stale
          │               │ ^
          │     held: suspended
          v               v
      replaced, lost, revoked
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from issuer.domain.rights import AccountName, two_different_people
from issuer.errors import IssuerRefusedError
from pki.signed.card_states import CardState, may_follow

__all__ = [
    "REPORTS",
    "CardValidity",
    "EndReason",
    "ValidityEvent",
    "ValidityStep",
    "apply",
]


class EndReason(enum.StrEnum):
    """Why a card ends."""

    LOST = "lost"
    STOLEN = "stolen"
    DAMAGED = "damaged"
    RETURNED = "returned"
    """Its holder gave it back for good."""

    MEMBER_DECEASED = "member-deceased"
    MEMBER_EXPELLED = "member-expelled"
    MEMBER_STRUCK_OFF = "member-struck-off"
    SIGNER_COMPROMISED = "signer-compromised"
    REPLACED = "replaced"
    EXPIRED = "expired"
    CONDEMNED = "condemned"
    RECORD_DELETED = "record-deleted"
    """The register no longer knows whose it is."""

    @property
    def state(self) -> CardState:
        """What a card counts as that has ended for this reason."""
        return _END_STATES[self]


REPORTS: Final = frozenset(EndReason) - {
    EndReason.REPLACED,
    EndReason.EXPIRED,
    EndReason.CONDEMNED,
    EndReason.RECORD_DELETED,
}
"""What one person reports and another one confirms; the others follow from an act of two, or from the calendar."""

_END_STATES: Final[Mapping[EndReason, CardState]] = MappingProxyType(
    {
        **dict.fromkeys(EndReason, CardState.REVOKED),
        EndReason.LOST: CardState.LOST,
        EndReason.STOLEN: CardState.LOST,
        EndReason.REPLACED: CardState.REPLACED,
    }
)


class ValidityEvent(enum.StrEnum):
    """What may happen to a card's validity; the card's changes are kept under these names."""

    HANDED_OVER = "handed-over"
    REPORTED = "reported"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    ENDED = "ended"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    MEMBER_BARRED = "member-barred"
    """The member's standing does not let them use a card."""

    MEMBER_RESTORED = "member-restored"
    DATA_CHANGED = "data-changed"
    """The register says something else than the card by now."""

    COLLECTED = "collected"
    """Its organisation took it in."""

    GIVEN_BACK = "given-back"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidityStep:
    """An event, by whose word; ``reason`` for a report and an end."""

    event: ValidityEvent
    account: AccountName
    reason: EndReason | None = None

    def __post_init__(self) -> None:
        if (self.reason is not None) != (self.event in _WITH_REASON):
            raise ValueError(f"{self.event} with reason {self.reason}")
        if self.event is ValidityEvent.REPORTED and self.reason not in REPORTS:
            raise ValueError(f"{self.reason} is nothing that is reported")
        if self.event is ValidityEvent.ENDED and self.reason in REPORTS:
            raise ValueError(f"{self.reason} is reported by one and confirmed by another")


_WITH_REASON: Final = frozenset({ValidityEvent.REPORTED, ValidityEvent.ENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class CardValidity:
    """All on which a card's state depends.

    Attributes:
        is_handed_over: whether its member has it, or had it.
        end: why it ended; ``None`` while it may count.
        report: what was reported and is neither confirmed nor rejected.
        reported_by: who did.
        is_suspended: whether an office suspended it.
        is_member_barred: whether the member's standing does not let them use a card.
        is_collected: whether its organisation has taken it in.
        is_stale: whether the register says something else than the card.
    """

    is_handed_over: bool = False
    end: EndReason | None = None
    report: EndReason | None = None
    reported_by: AccountName | None = None
    is_suspended: bool = False
    is_member_barred: bool = False
    is_collected: bool = False
    is_stale: bool = False

    @property
    def state(self) -> CardState:
        """What the card counts as, to the world."""
        if self.end is not None:
            return self.end.state
        if not self.is_handed_over:
            return CardState.NOT_HANDED_OVER
        if self.is_held:
            return CardState.SUSPENDED
        return CardState.DATA_STALE if self.is_stale else CardState.VALID

    @property
    def is_held(self) -> bool:
        """Whether something keeps the card from counting, for now."""
        return (
            self.report is not None
            or self.is_suspended
            or self.is_member_barred
            or self.is_collected
        )


def apply(validity: CardValidity, step: ValidityStep) -> CardValidity:
    """What a card's validity is after a step.

    Raises:
        IssuerRefusedError: it cannot happen now: ``card.ended``, ``card.held``, ``card.handed-over-before``,
            ``card.not-handed-over``, ``card.report-open``, ``card.not-reported``, ``card.suspended-before``,
            ``card.not-suspended``, ``card.collected-before``, ``card.not-collected``; ``right.same-person``.
    """
    return _RULES[step.event](validity, step)


def _hand_over(validity: CardValidity, _step: ValidityStep) -> CardValidity:
    _require_not_ended(validity)
    if validity.is_handed_over:
        raise IssuerRefusedError("the card was handed over before", code="card.handed-over-before")
    if validity.is_held:
        raise IssuerRefusedError(
            f"the card is held: {_hold(validity)}",
            code="card.held",
            hint="whatever holds it is to be settled first; until then nobody gets it",
        )
    return replace(validity, is_handed_over=True)


def _report(validity: CardValidity, step: ValidityStep) -> CardValidity:
    if validity.report is not None:
        raise IssuerRefusedError(
            f"it was reported that the card is {validity.report}, which nobody has judged yet",
            code="card.report-open",
            hint="membercard-issuer cards confirm, or cards resume where the report was wrong",
        )
    _require_may_end(validity, step.reason)
    return replace(validity, report=step.reason, reported_by=step.account)


def _judge_report(validity: CardValidity, step: ValidityStep) -> CardValidity:
    if validity.report is None or validity.reported_by is None:
        raise IssuerRefusedError(
            "nothing was reported of the card that waits for a second person",
            code="card.not-reported",
        )
    two_different_people(validity.reported_by, step.account, act="the end of a card")
    settled = replace(validity, report=None, reported_by=None)
    if step.event is ValidityEvent.REJECTED:
        return settled
    # What became final meanwhile may be final in another way now, or stays as it is.
    return replace(settled, end=validity.report) if _may_end(settled, validity.report) else settled


def _end(validity: CardValidity, step: ValidityStep) -> CardValidity:
    _require_may_end(validity, step.reason)
    return replace(validity, end=step.reason)


def _bar(validity: CardValidity, step: ValidityStep) -> CardValidity:
    return replace(validity, is_member_barred=step.event is ValidityEvent.MEMBER_BARRED)


def _outdate(validity: CardValidity, _step: ValidityStep) -> CardValidity:
    return replace(validity, is_stale=True)


def _suspend(validity: CardValidity, step: ValidityStep) -> CardValidity:
    is_suspended = step.event is ValidityEvent.SUSPENDED
    _require_not_ended(validity)
    if validity.is_suspended == is_suspended:
        raise (
            IssuerRefusedError("the card is suspended already", code="card.suspended-before")
            if is_suspended
            else IssuerRefusedError("no office suspended the card", code="card.not-suspended")
        )
    return replace(validity, is_suspended=is_suspended)


def _collect(validity: CardValidity, step: ValidityStep) -> CardValidity:
    is_collected = step.event is ValidityEvent.COLLECTED
    if not validity.is_handed_over:
        raise IssuerRefusedError(
            "the card was not handed over, so nobody can bring it", code="card.not-handed-over"
        )
    if validity.is_collected == is_collected:
        raise (
            IssuerRefusedError("the card was collected before", code="card.collected-before")
            if is_collected
            else IssuerRefusedError("the card was not collected", code="card.not-collected")
        )
    if not is_collected:
        # Whoever holds a dead card may take it for a living one.
        _require_not_ended(validity)
    return replace(validity, is_collected=is_collected)


def _require_may_end(validity: CardValidity, reason: EndReason | None) -> None:
    if reason is None or not _may_end(validity, reason):
        ended = "has not ended" if validity.end is None else f"has ended as {validity.end}"
        raise IssuerRefusedError(f"the card {ended}, and cannot end as {reason}", code="card.ended")


def _may_end(validity: CardValidity, reason: EndReason) -> bool:
    """Whether the end says something new: one final state takes the place of another, where lists allow it."""
    return validity.end is None or (
        validity.end.state is not reason.state and may_follow(validity.end.state, reason.state)
    )


def _require_not_ended(validity: CardValidity) -> None:
    if validity.end is not None:
        raise IssuerRefusedError(
            f"the card has ended as {validity.end}, and never counts again",
            code="card.ended",
            hint="the member asks for another card: membercard-issuer requests draft",
        )


def _hold(validity: CardValidity) -> str:
    if validity.report is not None:
        return f"reported as {validity.report}"
    if validity.is_suspended:
        return "suspended by an office"
    return "the member's standing" if validity.is_member_barred else "collected"


_RULES: Final[Mapping[ValidityEvent, Callable[[CardValidity, ValidityStep], CardValidity]]] = {
    ValidityEvent.HANDED_OVER: _hand_over,
    ValidityEvent.REPORTED: _report,
    ValidityEvent.CONFIRMED: _judge_report,
    ValidityEvent.REJECTED: _judge_report,
    ValidityEvent.ENDED: _end,
    ValidityEvent.SUSPENDED: _suspend,
    ValidityEvent.RESUMED: _suspend,
    ValidityEvent.MEMBER_BARRED: _bar,
    ValidityEvent.MEMBER_RESTORED: _bar,
    ValidityEvent.DATA_CHANGED: _outdate,
    ValidityEvent.COLLECTED: _collect,
    ValidityEvent.GIVEN_BACK: _collect,
}
