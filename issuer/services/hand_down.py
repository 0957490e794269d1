"""Use case: hand blocks of card numbers and sets of status indices to an instance below, which alone gives them out.

What is handed down counts as given out here: it is in the marks outside the database before the register knows of it, so
a register that was restored from an older backup hands it to nobody else.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.card_number import CardNumber, CardNumberScheme
from issuer.domain.instances import Instance, InstanceName, Side
from issuer.domain.number_blocks import BlockId, NumberBlock, NumberMark, Span
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.domain.status_allotment import (
    LIST_ID_BYTES,
    LIST_SIZE,
    RandomBytes,
    StatusIndex,
    draw_index,
)
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.allot_numbers import begin_numbers, check_block, current_mark
from issuer.services.bundle_ports import IndexSet, OwnInstance
from issuer.services.enrol_instances import known_instance
from issuer.services.number_ports import NumberMarkStore, NumberState
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction
from issuer.services.status_ports import StatusMarkStore

__all__ = ["MAX_SET_INDICES", "HandingDown"]

MAX_SET_INDICES: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HandingDown:
    """Hands down; ``clock`` gives aware UTC."""

    register: Register
    own: OwnInstance
    numbers: NumberMarkStore
    statuses: StatusMarkStore
    scheme: CardNumberScheme
    clock: Callable[[], datetime]
    random_bytes: RandomBytes
    new_id: Callable[[], uuid.UUID]

    def hand_numbers(
        self,
        name: InstanceName,
        committee: OrganisationCode,
        *,
        first: CardNumber,
        last: CardNumber,
        actor: Actor,
    ) -> NumberBlock:
        """Hand a block of new numbers to an instance, for a committee of its own.

        Raises:
            IssuerRefusedError: ``right.missing``, ``instance.not-enrolled``, ``instance.wrong-place``,
                ``numbers.other-committee``; some of the numbers may have been given out (``numbers.block-spent``).
            IssuerDataError: ``instance.unknown``, ``numbers.range``, ``organisation.unknown``.
            ConflictError: ``numbers.block-overlaps``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            instance = self._require_below(transaction, name)
            places = Places(transaction.organisations)
            place = places.of(committee)
            actor.demand(Right.ALLOT_NUMBERS, place=place, now=now)
            if not instance.is_believed_for(place):
                raise IssuerRefusedError(
                    f"committee {committee} is not one of instance {name}",
                    code="instance.wrong-place",
                )
            check_block(transaction, self.scheme, committee, first=first, last=last)
            span = Span(int(first), int(last) + 1)
            mark = self._locked_mark(transaction)
            if any(each.overlaps(span) for each in mark.spent):
                raise IssuerRefusedError(
                    f"some of the numbers from {self.scheme.display(first)} to {self.scheme.display(last)} "
                    "may have been given out",
                    code="numbers.block-spent",
                )
            block = NumberBlock(
                block_id=BlockId(self.new_id()),
                committee=committee,
                first=first,
                last=last,
                next=span.end,
                granted_at=now,
                granted_by=actor.account,
                held_by=name,
            )
            transaction.numbers.grant(block)
            spent = mark.with_spent([span])
            self.numbers.write(spent)
            transaction.numbers.store_state(
                NumberState(register_id=spent.register_id, allotments=spent.allotments)
            )
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="numbers.handed-down",
                    subject=AuditSubject.NUMBER_BLOCK,
                    subject_id=block.block_id.hex,
                    organisation=committee,
                    details={"first": first, "last": last, "instance": name},
                )
            )
        return block

    def hand_indices(
        self, name: InstanceName, count: int, *, actor: Actor, size: int = LIST_SIZE
    ) -> IndexSet:
        """Hand a set of random positions of a status list to an instance.

        Several instances have sets of one list, so that a list does not tell where its cards were issued. No card is
        bound here to a position of such a list.

        Raises:
            IssuerRefusedError: ``right.missing``, ``instance.not-enrolled``, ``instance.wrong-place``.
            IssuerDataError: ``instance.unknown``, ``status.set-size``.
        """
        if not 1 <= count <= min(MAX_SET_INDICES, size):
            raise IssuerDataError(
                f"got a set of {count} indices, expected 1 to {min(MAX_SET_INDICES, size)}",
                code="status.set-size",
            )
        now = self.clock()
        with self.register.writing() as transaction:
            instance = self._require_below(transaction, name)
            place = Places(transaction.organisations).of(instance.organisation)
            actor.demand(Right.ALLOT_NUMBERS, place=place, now=now)
            list_id, taken = self._room(transaction, name, count, size)
            drawn: list[int] = []
            for _ in range(count):
                index = draw_index(self.random_bytes, size=size, taken=taken)
                taken.add(index)
                drawn.append(index)
            self.statuses.mark(
                [StatusIndex(list_id=list_id, index=each) for each in drawn], size=size
            )
            index_set = IndexSet(
                set_id=self.new_id(),
                list_id=list_id,
                size=size,
                instance=name,
                is_received=False,
                indices=tuple(sorted(drawn)),
                at=now,
                account=actor.account,
            )
            transaction.exchange.add_set(index_set)
            transaction.audit.append(
                AuditRecord(
                    at=now,
                    account=actor.account,
                    action="status.handed-down",
                    subject=AuditSubject.BUNDLE,
                    subject_id=index_set.set_id.hex,
                    organisation=instance.organisation,
                    details={"list": list_id.hex(), "count": count, "instance": name},
                )
            )
        return index_set

    def _room(
        self, transaction: RegisterTransaction, name: InstanceName, count: int, size: int
    ) -> tuple[bytes, set[int]]:
        """A list of instances in which this one has no set yet, with room; a new one where there is none."""
        given = transaction.exchange.lists_given_to(name)
        for list_id, taken in transaction.exchange.shared_lists(size=size).items():
            drawn = self.statuses.drawn(list_id, size=size)
            # A list without its mark was begun before the database was restored: nobody knows what was drawn since.
            if list_id in given or drawn is None or size - len(taken | drawn) < count:
                continue
            return list_id, {*taken, *drawn}
        list_id = self.random_bytes(LIST_ID_BYTES)
        self.statuses.begin(list_id, size=size)
        return list_id, set()

    def _locked_mark(self, transaction: RegisterTransaction) -> NumberMark:
        """The mark of card numbers, behind the lock of everybody who gives numbers out."""
        state = begin_numbers(transaction.numbers, self.numbers, self.random_bytes)
        return current_mark(self.numbers, state)

    def _require_below(self, transaction: RegisterTransaction, name: InstanceName) -> Instance:
        instance = known_instance(transaction, name, lock=True)
        instance.require_enrolled()
        if instance.side is not Side.BELOW:
            raise IssuerRefusedError(
                f"instance {name} is above {self.own.name}", code="instance.wrong-place"
            )
        return instance
