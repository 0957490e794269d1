"""Use cases: what people say of a card after its hand-over, and what becomes of it.

Whoever hears of it says so, and the card counts for nothing from then on; that it never will again takes another
person, who has the right to revoke. Every act stands in the card's changes and in the audit trail.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from issuer.domain.card import CardReference
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.rights import Actor, Right
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import IssuerDataError
from issuer.services.card_validity_ports import CardRecord
from issuer.services.places import place_of
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["CardLifecycle", "remark_of"]

_REMARK_CHARACTERS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLifecycle:
    """Everything that these acts need from the world; ``clock`` gives aware UTC."""

    register: Register
    clock: Callable[[], datetime]

    def report(
        self, reference: CardReference, reason: EndReason, *, actor: Actor, remark: str
    ) -> CardRecord:
        """Say that a card is lost, stolen, damaged, ...: it is suspended at once, and waits for a second person.

        Raises:
            IssuerDataError: ``card.remark``.
            IssuerRefusedError: ``right.missing`` (``cards.report``, where the member is recorded);
                ``card.unknown``; ``card.report-open``; ``card.ended``.
        """
        return self._take(
            reference,
            _Act(
                event=ValidityEvent.REPORTED, actor=actor, remark=remark_of(remark), reason=reason
            ),
        )

    def confirm(self, reference: CardReference, *, actor: Actor, remark: str = "") -> CardRecord:
        """The second person's word: what was reported is so, and the card never counts again.

        Raises:
            IssuerDataError: ``card.remark``.
            IssuerRefusedError: ``right.missing`` (``cards.revoke``), ``right.step-up-needed``,
                ``right.same-person``; ``card.unknown``; ``card.not-reported``.
        """
        return self._take(
            reference, _Act(event=ValidityEvent.CONFIRMED, actor=actor, remark=remark_of(remark))
        )

    def suspend(self, reference: CardReference, *, actor: Actor, remark: str) -> CardRecord:
        """Let a card count for nothing, for now.

        Raises:
            IssuerDataError: ``card.remark``.
            IssuerRefusedError: as ``confirm``; ``card.ended``; ``card.suspended-before``.
        """
        return self._take(
            reference, _Act(event=ValidityEvent.SUSPENDED, actor=actor, remark=remark_of(remark))
        )

    def resume(self, reference: CardReference, *, actor: Actor, remark: str) -> CardRecord:
        """Take back what holds a card: a report that was wrong (by another person), else an office's suspension.

        Whatever else holds it goes on: its member's standing, and an organisation that has it.

        Raises:
            IssuerDataError: ``card.remark``.
            IssuerRefusedError: as ``confirm``; ``card.ended``; ``card.not-suspended``: nothing of the kind holds it.
        """
        text = remark_of(remark)
        with self.register.writing() as transaction:
            record = transaction.cards.get(reference)
            event = (
                ValidityEvent.RESUMED if record.validity.report is None else ValidityEvent.REJECTED
            )
            return self._in(transaction, record, _Act(event=event, actor=actor, remark=text))

    def collect(self, reference: CardReference, *, actor: Actor, remark: str = "") -> CardRecord:
        """The member's organisation took the card in: while it has it, the card counts for nothing.

        Raises:
            IssuerDataError: ``card.remark``.
            IssuerRefusedError: as ``report``; ``card.not-handed-over``; ``card.collected-before``.
        """
        return self._take(
            reference, _Act(event=ValidityEvent.COLLECTED, actor=actor, remark=remark_of(remark))
        )

    def give_back(self, reference: CardReference, *, actor: Actor, remark: str = "") -> CardRecord:
        """The organisation gave a collected card back to its member; a card that has ended is given to nobody.

        Raises:
            IssuerDataError: ``card.remark``.
            IssuerRefusedError: as ``report``; ``card.not-collected``; ``card.ended``.
        """
        return self._take(
            reference, _Act(event=ValidityEvent.GIVEN_BACK, actor=actor, remark=remark_of(remark))
        )

    def take_back(self, reference: CardReference, *, actor: Actor, remark: str = "") -> CardRecord:
        """The member gave the card back for good, or somebody brought one that had ended.

        One in force is reported as returned, and waits for a second person; an ended one stays what it is.

        Raises:
            IssuerDataError: ``card.remark``.
            IssuerRefusedError: as ``collect``.
        """
        text = remark_of(remark)
        with self.register.writing() as transaction:
            collected = _Act(event=ValidityEvent.COLLECTED, actor=actor, remark=text)
            record = self._in(transaction, transaction.cards.get(reference), collected)
            if record.validity.end is None and record.validity.report is None:
                returned = _Act(
                    event=ValidityEvent.REPORTED,
                    actor=actor,
                    remark=text,
                    reason=EndReason.RETURNED,
                )
                record = self._in(transaction, record, returned)
            return record

    def _take(self, reference: CardReference, act: "_Act") -> CardRecord:
        with self.register.writing() as transaction:
            return self._in(transaction, transaction.cards.get(reference), act)

    def _in(self, transaction: RegisterTransaction, record: CardRecord, act: "_Act") -> CardRecord:
        now = self.clock()
        place = place_of(transaction.organisations, record.organisation)
        act.actor.demand(act.right, place=place, now=now)
        step = ValidityStep(event=act.event, account=act.actor.account, reason=act.reason)
        return transaction.cards.take(record.card.reference, step, at=now, remark=act.remark)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """One event, who asks for it, and what they wrote."""

    event: ValidityEvent
    actor: Actor
    remark: str = field(repr=False)
    reason: EndReason | None = None

    @property
    def right(self) -> Right:
        return Right.REPORT_CARDS if self.event in _REPORTING else Right.REVOKE_CARDS


_REPORTING: Final = frozenset(
    {ValidityEvent.REPORTED, ValidityEvent.COLLECTED, ValidityEvent.GIVEN_BACK}
)


def remark_of(text: str) -> str:
    """What a person wrote, in one line.

    Raises:
        IssuerDataError: ``card.remark``.
    """
    if not text:
        return ""
    try:
        clean = clean_text(text, max_bytes=4 * _REMARK_CHARACTERS)
    except IssuerDataError as error:
        raise IssuerDataError(f"the remark: {error}", code="card.remark") from error
    if len(clean) > _REMARK_CHARACTERS:
        raise IssuerDataError(
            f"the remark has {len(clean)} characters, expected at most {_REMARK_CHARACTERS}",
            code="card.remark",
        )
    return clean
