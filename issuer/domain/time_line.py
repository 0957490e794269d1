"""Time lines that come from elsewhere: whether they can have happened, and what they add to what is known."""

from collections.abc import Sequence
from dataclasses import replace

from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import (
    RequestEvent,
    RequestEventKind,
    RequestState,
    next_request_state,
    steps_taken_by,
)
from issuer.domain.rights import two_different_people
from issuer.errors import IssuerRefusedError

__all__ = ["check_hands", "new_events", "state_after"]


def state_after(events: Sequence[RequestEvent]) -> RequestState:
    """The state to which a whole time line leads.

    Raises:
        IssuerRefusedError: it cannot have happened so (``bundle.time-line``).
    """
    if not events or events[0].kind is not RequestEventKind.DRAFTED:
        raise _impossible("it does not begin with a draft")
    state = RequestState.DRAFT
    # Their times prove nothing: the clocks of two offices differ.
    for event in events[1:]:
        try:
            state = next_request_state(state, event.kind)
        except IssuerRefusedError as error:
            raise _impossible(str(error)) from error
    return state


def new_events(
    known: Sequence[RequestEvent], claimed: Sequence[RequestEvent]
) -> tuple[RequestEvent, ...]:
    """What a claimed time line adds to the known one; nothing where it is the beginning of it.

    Raises:
        IssuerRefusedError: they went different ways (``bundle.both-moved``).
    """
    for ours, theirs in zip(known, claimed, strict=False):
        # A remark is blanked where somebody's record is deleted; the step stays.
        if replace(ours, remark="") != replace(theirs, remark=""):
            raise IssuerRefusedError(
                f"the request was {ours.kind} here and {theirs.kind} there: it went two ways",
                code="bundle.both-moved",
            )
    return tuple(claimed[len(known) :])


def check_hands(events: Sequence[RequestEvent], policy: RequestPolicy) -> None:
    """Whether different people took the steps, as our own rule wants it.

    Raises:
        IssuerRefusedError: ``request.same-hands``, ``right.same-person``.
    """
    for index, event in enumerate(events):
        taken = steps_taken_by(event.account, events[:index])
        policy.keep_apart(event.account, event.kind, taken=taken)
        if event.kind is RequestEventKind.DECIDED:
            tabled = next(
                each for each in reversed(events[:index]) if each.kind is RequestEventKind.TABLED
            )
            two_different_people(tabled.account, event.account, act="to decide")


def _impossible(reason: str) -> IssuerRefusedError:
    return IssuerRefusedError(
        f"the time line of a request cannot have happened: {reason}", code="bundle.time-line"
    )
