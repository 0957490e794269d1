"""Blocks of card numbers and sets of status indices that the instance above gives to us; what we have is left as it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.bundle import BundleIndexSet, BundleNumberBlock
from issuer.domain.card_number import CardNumber, CardNumberScheme
from issuer.domain.instances import Instance, Side, foreign_account
from issuer.domain.number_blocks import BlockId, NumberBlock
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import LIST_SIZE, StatusIndex
from issuer.errors import IssuerRefusedError
from issuer.services.allot_numbers import begin_numbers, check_block
from issuer.services.bundle_ports import IndexSet, OwnInstance
from issuer.services.number_ports import NumberMarkStore
from issuer.services.places import Places
from issuer.services.register_ports import RegisterTransaction
from issuer.services.status_ports import StatusMarkStore

__all__ = ["HandedDownTaking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedDownTaking:
    """Takes what is handed down within one transaction; ``now`` is aware UTC."""

    transaction: RegisterTransaction
    instance: Instance
    own: OwnInstance
    scheme: CardNumberScheme
    numbers: NumberMarkStore
    statuses: StatusMarkStore
    random_bytes: Callable[[int], bytes]
    now: datetime

    def take_block(self, stated: BundleNumberBlock) -> str:
        """A block is ours from now on; gives back what became of it.

        Raises:
            IssuerRefusedError: ``bundle.not-theirs``, ``numbers.other-committee``; a block of this key is another one
                (``bundle.block-differs``).
            IssuerDataError: ``numbers.range``, ``organisation.unknown``.
            ConflictError: it overlaps a block of ours (``numbers.block-overlaps``).
        """
        place = Places(self.transaction.organisations).of(stated.committee)
        self._require_above("a block of card numbers")
        if self.own.organisation not in place:
            raise IssuerRefusedError(
                f"a block of card numbers is for {stated.committee}, which is not ours",
                code="bundle.not-theirs",
            )
        first, last = CardNumber(stated.first), CardNumber(stated.last)
        check_block(self.transaction, self.scheme, stated.committee, first=first, last=last)
        known = self.transaction.exchange.number_block(BlockId(stated.block_id))
        if known is not None:
            if (known.first, known.last, known.committee) != (first, last, stated.committee):
                raise IssuerRefusedError(
                    f"block {stated.block_id} is known, and is another one",
                    code="bundle.block-differs",
                )
            return "unchanged"
        begin_numbers(self.transaction.numbers, self.numbers, self.random_bytes)
        self.transaction.numbers.grant(
            NumberBlock(
                block_id=BlockId(stated.block_id),
                committee=stated.committee,
                first=first,
                last=last,
                next=int(first),
                granted_at=self.now,
                granted_by=self._account(),
            )
        )
        return "new"

    def take_index_set(self, stated: BundleIndexSet) -> str:
        """A set is ours from now on: all other positions of its list are marked as if they had been drawn.

        Raises:
            IssuerRefusedError: ``bundle.not-theirs``; a list of another size (``bundle.list-size``).
            ConflictError: we have another set of this list.
        """
        self._require_above("a set of status indices")
        if stated.size != LIST_SIZE:
            raise IssuerRefusedError(
                f"a status list has {stated.size} positions, expected {LIST_SIZE}",
                code="bundle.list-size",
            )
        if self.transaction.exchange.find_set(stated.set_id) is not None:
            return "unchanged"
        ours = frozenset(stated.indices)
        self.statuses.begin(stated.list_id, size=stated.size)
        # Marking once more changes nothing, so a set that is taken again after a restored backup stays as used as it was.
        self.statuses.mark(
            [
                StatusIndex(list_id=stated.list_id, index=each)
                for each in range(stated.size)
                if each not in ours
            ],
            size=stated.size,
        )
        self.transaction.exchange.add_set(
            IndexSet(
                set_id=stated.set_id,
                list_id=stated.list_id,
                size=stated.size,
                instance=self.instance.name,
                is_received=True,
                indices=stated.indices,
                at=self.now,
                account=self._account(),
            )
        )
        return "new"

    def _require_above(self, what: str) -> None:
        if self.instance.side is not Side.ABOVE:
            raise IssuerRefusedError(
                f"instance {self.instance.name} is below, and hands down {what}",
                code="bundle.not-theirs",
            )

    def _account(self) -> AccountName:
        return foreign_account(self.instance.name, "system")
