"""Bind members whose requests are decided to initialised chips, and draw what is drawn for a card."""

from dataclasses import dataclass

from card_layout.profile import CardProfile
from issuer.domain.card import REFERENCE_BYTES, CardReference
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip import Serial
from issuer.domain.status_allotment import (
    LIST_ID_BYTES,
    LIST_SIZE,
    RandomBytes,
    StatusIndex,
    StatusListRoom,
    draw_index,
)
from issuer.errors import ConflictError
from issuer.services.production_ports import CardLedger, MemberToBind, NewCard
from issuer.services.status_ports import StatusMarkStore

__all__ = ["BindingReport", "bind_cards"]

_MAX_DRAWS = 100
"""An index is drawn among those that are left, so a hundred draws in a row that all repeat mean a broken source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingReport:
    """How many cards were bound, and what is left over on either side."""

    bound: tuple[CardReference, ...]
    members_left: int
    chips_left: int


def bind_cards(
    *,
    ledger: CardLedger,
    profile: CardProfile,
    random_bytes: RandomBytes,
    marks: StatusMarkStore,
    limit: int | None = None,
    list_size: int = LIST_SIZE,
) -> BindingReport:
    """Bind as many as there are members and chips for, one transaction a card.

    Raises:
        ConflictError: another process bound the same meanwhile (``card.already-bound``), or the random
            source repeats itself (``card.draw-repeated``).
    """
    members = ledger.members_to_bind()
    chips = ledger.chips_to_bind()
    pairs = list(zip(members, chips, strict=False))[:limit]
    bound: list[CardReference] = []
    status_list: StatusListRoom | None = None
    taken: set[int] = set()
    for member, serial in pairs:
        if status_list is None or len(taken) == status_list.size:
            status_list = ledger.status_list_to_fill(
                size=list_size, draw_list_id=lambda: random_bytes(LIST_ID_BYTES), marks=marks
            )
            taken = set(status_list.taken)
        bound.append(
            _bind_with_draws(
                ledger,
                member,
                serial,
                profile=profile,
                status_list=status_list,
                taken=taken,
                random_bytes=random_bytes,
                marks=marks,
            )
        )
    return BindingReport(
        bound=tuple(bound),
        members_left=len(members) - len(bound),
        chips_left=len(chips) - len(bound),
    )


def _bind_with_draws(
    ledger: CardLedger,
    member: MemberToBind,
    serial: Serial,
    *,
    profile: CardProfile,
    status_list: StatusListRoom,
    taken: set[int],
    random_bytes: RandomBytes,
    marks: StatusMarkStore,
) -> CardReference:
    """Draw, and draw again where the ledger knows one of the numbers; the card's index is ``taken`` then.

    The index is marked outside the database before the card is bound: a database restored from an old backup never
    gives it to another card.
    """
    attempt = 0
    while True:
        attempt += 1
        card = NewCard(
            reference=CardReference(random_bytes(REFERENCE_BYTES)),
            member_id=member.member_id,
            request_id=member.request_id,
            serial=serial,
            ordinal=member.ordinal,
            profile=profile.name,
            status=StatusIndex(
                list_id=status_list.list_id,
                index=draw_index(random_bytes, size=status_list.size, taken=taken),
            ),
            secrets=CardSecrets.draw(random_bytes),
        )
        marks.mark([card.status], size=status_list.size)
        try:
            ledger.bind(card)
        except ConflictError as error:
            if error.code != "card.draw-repeated" or attempt == _MAX_DRAWS:
                raise
        else:
            taken.add(card.status.index)
            return card.reference
