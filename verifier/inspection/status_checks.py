"""The check of the card's own status: SPEC.md, 9.27.

A card that no list knows is never taken for valid. What a list says against a card counts however old the list is: a
card that is lost stays so. That nothing speaks against a card is only believed of a list that is young enough.
"""

from datetime import datetime
from typing import Final

from pki.certificates.authority_certificate import Authority
from pki.certificates.trust import TrustAnchors
from pki.signed.card_states import CardState
from pki.signed.status_list import StatusList
from verifier.inspection.checks import CheckFailedError, CheckName, CheckNotPerformedError
from verifier.inspection.examination import Examination
from verifier.inspection.status_rules import NewerCards

__all__ = ["check_card_status", "newest_status_list"]

_STALE_DATA: Final = "status.data-stale"
_AGING: Final = "trust.aging"
_NEWER: Final = "status.newer-than-list"


def newest_status_list(trust: TrustAnchors, authority: Authority) -> StatusList | None:
    """The status list with the highest number whose signer the card's authority certified, under whichever key."""
    own = [
        item
        for item in trust.status_lists
        if item.signer.certificate.issuer == authority.certificate.subject
    ]
    return max(own, key=lambda item: (item.number, item.this_update), default=None)


def check_card_status(examination: Examination) -> str:
    """9.27: the newest status list of the card's authority says nothing against the card, and is young enough."""
    examination.require(CheckName.STATUS_REFERENCE)
    reference = examination.security_object.status_reference
    found = newest_status_list(examination.trust, examination.authority)
    if reference is None or found is None:
        raise CheckNotPerformedError(
            "status.no-list", "The trust directory holds no status list of the card's authority."
        )
    state = found.find(reference.list_id, reference.index)
    if state not in (None, CardState.VALID, CardState.DATA_STALE):
        raise CheckFailedError(
            f"status.{state.label}",
            f"Status list {found.number} of {_time(found.this_update)} says that the card is {_words(state)}.",
        )
    is_aging = _check_age(examination, found)
    is_newer = state is None
    if is_newer:
        _check_newer(examination, found)
    for code, holds in (
        (_STALE_DATA, state is CardState.DATA_STALE),
        (_NEWER, is_newer),
        (_AGING, is_aging),
    ):
        if holds:
            examination.notes.append(code)
    if is_newer:
        return f"The card was signed after status list {found.number} was made, which the policy lets pass."
    return (
        f"Status list {found.number} of {_time(found.this_update)} says nothing against the card."
    )


def _check_age(examination: Examination, found: StatusList) -> bool:
    """Whether the list is old enough to be told of.

    Raises:
        CheckNotPerformedError: it is too old, or the clock is wrong.
    """
    rules = examination.policy.status_rules(examination.purpose)
    now = examination.now
    age = now - found.this_update
    if now < found.this_update:
        raise CheckNotPerformedError(
            "status.list-in-future",
            f"Status list {found.number} was made at {_time(found.this_update)}, after {_time(now)}.",
        )
    if age > rules.usable:
        raise CheckNotPerformedError(
            "trust.stale",
            f"Status list {found.number} of {_time(found.this_update)} is older than the policy allows.",
        )
    return age > rules.fresh or now > found.next_update


def _check_newer(examination: Examination, found: StatusList) -> None:
    """A card that the list does not know passes only as one that is newer, and only where policy says so."""
    if examination.signing_time <= found.this_update:
        raise CheckFailedError(
            "status.unknown",
            f"Status list {found.number} was made after the card was signed, and does not know it.",
        )
    rules = examination.policy.status_rules(examination.purpose)
    if rules.newer_cards is not NewerCards.NOTE:
        raise CheckFailedError(
            _NEWER,
            f"The card was signed after status list {found.number} was made, which does not know it.",
        )


def _words(state: CardState) -> str:
    return state.label.replace("-", " ")


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
