"""Who gets a card: the rules, each by itself, with a code and a sentence for whoever does not keep to it.

Directive 51-CT/TW gives cards to valid official members of full standing; an exchange takes the earlier card. The
rules are judged when a request is drafted and proposed, when it is put into a decision, and when that is confirmed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberId, PortraitDigest, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId, RequestKind

__all__ = [
    "RULES",
    "STANDINGS_WITH_CARD",
    "Asking",
    "Candidate",
    "EligibilityFinding",
    "EligibilityRule",
    "findings",
    "has_earlier_card_for_exchange",
    "has_earlier_card_for_re_issue",
    "has_no_card_for_new_issue",
    "has_no_other_live_request",
    "has_portrait",
    "has_valid_record",
    "is_not_suspended",
    "is_of_full_standing",
    "is_official",
    "is_recorded_where_asked",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A member as far as the rules need to know them.

    Attributes:
        member_id: who.
        organisation_code: where they are recorded.
        standing: what they are in the organisation.
        recognised_on: when they became an official member; ``None`` where that is not recorded.
        held_card_number: the number of the card that they hold or held last; ``None`` where there never was one.
        cards_before: how many cards they had, as far as the register knows.
        open_doubts: how many questions about the record nobody has answered.
        portrait: the picture for the card; ``None`` where the record names none.
        live_request: the request that is open for them, ``None`` where there is none.
    """

    member_id: MemberId
    organisation_code: OrganisationCode
    standing: Standing
    recognised_on: date | None
    portrait: PortraitDigest | None
    held_card_number: CardNumber | None = field(default=None, repr=False)
    cards_before: int = 0
    open_doubts: int = 0
    live_request: RequestId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityFinding:
    """One rule that is not kept: the code is stable, the sentence is for people and names nobody."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is asked for, and when.

    Attributes:
        kind: what.
        today: on which day the rules are judged.
        request_id: by which request; ``None`` before it is drafted.
        organisation_code: whose matter it is; ``None`` before it is drafted.
    """

    kind: RequestKind
    today: date
    request_id: RequestId | None = None
    organisation_code: OrganisationCode | None = None


EligibilityRule = Callable[[Candidate, Asking], EligibilityFinding | None]
"""One rule: ``None`` where it is kept."""

STANDINGS_WITH_CARD: Final = frozenset({Standing.OFFICIAL, Standing.EXEMPT, Standing.ABROAD})
"""Those of whom, by their standing, no rule below speaks: they get cards."""

_FULL_STANDING: Final = frozenset({*STANDINGS_WITH_CARD, Standing.PROBATIONARY, Standing.SUSPENDED})
"""Those who are members here. On probation and suspended ones are, too: rules of their own speak of them."""


def is_official(candidate: Candidate, asking: Asking) -> EligibilityFinding | None:
    """Probation is over, and the recognition as an official member has come (``eligibility.not-official``)."""
    if candidate.standing is Standing.PROBATIONARY:
        return EligibilityFinding(
            code="eligibility.not-official",
            sentence="the member is on probation, expected an official member",
        )
    if candidate.recognised_on is None:
        return EligibilityFinding(
            code="eligibility.not-official",
            sentence="the record has no date of official recognition",
        )
    if candidate.recognised_on > asking.today:
        return EligibilityFinding(
            code="eligibility.not-official",
            sentence=f"official recognition is on {candidate.recognised_on}, which lies ahead",
        )
    return None


def has_valid_record(candidate: Candidate, _asking: Asking) -> EligibilityFinding | None:
    """Nobody doubts the record (``eligibility.record-doubtful``)."""
    if candidate.open_doubts:
        return EligibilityFinding(
            code="eligibility.record-doubtful",
            sentence=f"the record has {candidate.open_doubts} open questions, expected none",
        )
    return None


def has_portrait(candidate: Candidate, _asking: Asking) -> EligibilityFinding | None:
    """There is a picture for the card (``eligibility.no-portrait``)."""
    if candidate.portrait is None:
        return EligibilityFinding(
            code="eligibility.no-portrait", sentence="the record has no portrait"
        )
    return None


def is_of_full_standing(candidate: Candidate, _asking: Asking) -> EligibilityFinding | None:
    """The person is a member here, and was not struck off or expelled (``eligibility.no-full-standing``)."""
    if candidate.standing not in _FULL_STANDING:
        return EligibilityFinding(
            code="eligibility.no-full-standing",
            sentence=f"the member is {candidate.standing}, expected a member of full standing",
        )
    return None


def is_not_suspended(candidate: Candidate, _asking: Asking) -> EligibilityFinding | None:
    """Suspended members get no card while that lasts (``eligibility.suspended``)."""
    if candidate.standing is Standing.SUSPENDED:
        return EligibilityFinding(
            code="eligibility.suspended", sentence="the member is suspended from activities"
        )
    return None


def has_earlier_card_for_exchange(
    candidate: Candidate, asking: Asking
) -> EligibilityFinding | None:
    """What is exchanged must be there (``eligibility.no-earlier-card``)."""
    return _earlier_card(candidate, asking, RequestKind.EXCHANGE)


def has_earlier_card_for_re_issue(
    candidate: Candidate, asking: Asking
) -> EligibilityFinding | None:
    """What is made once more must have been made once (``eligibility.no-earlier-card``)."""
    return _earlier_card(candidate, asking, RequestKind.RE_ISSUE)


def has_no_card_for_new_issue(candidate: Candidate, asking: Asking) -> EligibilityFinding | None:
    """Whoever has a card exchanges it (``eligibility.has-card``)."""
    if asking.kind is RequestKind.NEW_ISSUE and candidate.held_card_number is not None:
        return EligibilityFinding(
            code="eligibility.has-card",
            sentence="the member holds a card, so it is exchanged or made once more",
        )
    return None


def has_no_other_live_request(candidate: Candidate, asking: Asking) -> EligibilityFinding | None:
    """One request at a time (``eligibility.other-request``)."""
    if candidate.live_request is not None and candidate.live_request != asking.request_id:
        return EligibilityFinding(
            code="eligibility.other-request",
            sentence=f"request {candidate.live_request} for the same member is open",
        )
    return None


def is_recorded_where_asked(candidate: Candidate, asking: Asking) -> EligibilityFinding | None:
    """Who moved meanwhile gets the card through the new organisation (``eligibility.moved``)."""
    if asking.organisation_code not in (None, candidate.organisation_code):
        return EligibilityFinding(
            code="eligibility.moved",
            sentence=f"the member is recorded in {candidate.organisation_code} now, "
            f"expected {asking.organisation_code}",
        )
    return None


RULES: Final[tuple[EligibilityRule, ...]] = (
    is_official,
    is_of_full_standing,
    is_not_suspended,
    has_valid_record,
    has_portrait,
    has_earlier_card_for_exchange,
    has_earlier_card_for_re_issue,
    has_no_card_for_new_issue,
    is_recorded_where_asked,
    has_no_other_live_request,
)
"""All of them, in the order in which they are told."""


def findings(candidate: Candidate, asking: Asking) -> tuple[EligibilityFinding, ...]:
    """Every rule that is not kept; empty where the member gets a card."""
    return tuple(found for rule in RULES if (found := rule(candidate, asking)) is not None)


def _earlier_card(
    candidate: Candidate, asking: Asking, kind: RequestKind
) -> EligibilityFinding | None:
    if asking.kind is kind and candidate.held_card_number is None:
        return EligibilityFinding(
            code="eligibility.no-earlier-card",
            sentence=f"the record names no earlier card, which {kind} takes",
        )
    return None
