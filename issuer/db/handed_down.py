"""Blocks of card numbers and sets of status indices that were handed to another instance, or by one to us."""

import struct
import uuid
from collections.abc import Collection, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import DATABASE_FAILURES, database_error, insert_unless_there
from issuer.db.bundle_tables import StatusIndexSetRow
from issuer.db.number_blocks import block_of_row
from issuer.db.organisations import OrganisationRow
from issuer.db.production_tables import StatusListRow
from issuer.db.request_tables import NumberBlockRow
from issuer.domain.card_number import CardNumber
from issuer.domain.instances import InstanceName
from issuer.domain.number_blocks import BlockId, NumberBlock
from issuer.domain.rights import AccountName
from issuer.services.bundle_ports import HandedBlock, HandedSet, IndexSet

__all__ = ["SqlHandedDown", "given_lists"]

_INDEX_BYTES: Final = 4


class SqlHandedDown:
    """What ``ExchangeRepository`` says of blocks and sets, within one session."""

    def __init__(self, session: Session) -> None:
        self._database = session

    def numbers_to_tell(self, instance: InstanceName) -> tuple[NumberBlock, ...]:
        """See ``ExchangeRepository.numbers_to_tell``."""
        query = _BLOCKS.where(
            NumberBlockRow.held_by == instance, NumberBlockRow.is_told.is_(False)
        ).order_by(NumberBlockRow.first)
        return tuple(block_of_row(row, code) for row, code in self._database.execute(query))

    def number_block(self, block_id: BlockId) -> NumberBlock | None:
        """See ``ExchangeRepository.number_block``."""
        row = self._database.execute(_BLOCKS.where(NumberBlockRow.id == block_id)).one_or_none()
        return None if row is None else block_of_row(*row)

    def block_of(self, number: CardNumber) -> NumberBlock | None:
        """See ``ExchangeRepository.block_of``."""
        query = _BLOCKS.where(
            NumberBlockRow.first <= int(number), NumberBlockRow.last >= int(number)
        )
        row = self._database.execute(query).one_or_none()
        return None if row is None else block_of_row(*row)

    def sets_to_tell(self, instance: InstanceName) -> tuple[IndexSet, ...]:
        """See ``ExchangeRepository.sets_to_tell``."""
        query = _SETS.where(
            StatusIndexSetRow.instance == instance,
            StatusIndexSetRow.is_received.is_(False),
            StatusIndexSetRow.is_told.is_(False),
        ).order_by(StatusIndexSetRow.at, StatusIndexSetRow.id)
        return tuple(_index_set(row, size) for row, size in self._database.execute(query))

    def blocks_of(self, instance: InstanceName) -> tuple[HandedBlock, ...]:
        """See ``ExchangeRepository.blocks_of``."""
        query = _BLOCKS.where(NumberBlockRow.held_by == instance).order_by(NumberBlockRow.first)
        return tuple(
            HandedBlock(block=block_of_row(row, code), is_told=row.is_told)
            for row, code in self._database.execute(query)
        )

    def sets_of(self, instance: InstanceName) -> tuple[HandedSet, ...]:
        """See ``ExchangeRepository.sets_of``."""
        rows = self._database.execute(
            sa.select(
                StatusIndexSetRow.list_id,
                sa.func.length(StatusIndexSetRow.indices),
                StatusIndexSetRow.at,
                StatusIndexSetRow.account,
                StatusIndexSetRow.is_told,
            )
            .where(StatusIndexSetRow.instance == instance, StatusIndexSetRow.is_received.is_(False))
            .order_by(StatusIndexSetRow.at, StatusIndexSetRow.id)
        )
        return tuple(
            HandedSet(
                list_id=list_id,
                count=size // _INDEX_BYTES,
                at=at,
                account=AccountName(account),
                is_told=is_told,
            )
            for list_id, size, at, account, is_told in rows
        )

    def shared_lists(self, *, size: int) -> Mapping[bytes, frozenset[int]]:
        """See ``ExchangeRepository.shared_lists``."""
        lists = self._database.scalars(
            sa.select(StatusListRow.list_id)
            .where(StatusListRow.is_shared, StatusListRow.size == size)
            .order_by(StatusListRow.created_at, StatusListRow.list_id)
            .with_for_update()
        ).all()
        found: dict[bytes, set[int]] = {each: set() for each in lists}
        for row in self._database.scalars(
            sa.select(StatusIndexSetRow).where(StatusIndexSetRow.list_id.in_(lists))
        ):
            found[row.list_id].update(_positions(row))
        return {each: frozenset(taken) for each, taken in found.items()}

    def lists_given_to(self, instance: InstanceName) -> frozenset[bytes]:
        """See ``ExchangeRepository.lists_given_to``."""
        return frozenset(
            self._database.scalars(
                sa.select(StatusIndexSetRow.list_id).where(StatusIndexSetRow.instance == instance)
            )
        )

    def told(self, ids: Collection[uuid.UUID]) -> None:
        """See ``ExchangeRepository.told``."""
        for table in (NumberBlockRow, StatusIndexSetRow):
            self._database.execute(
                sa.update(table)
                .where(table.id.in_(list(ids)))
                .values(is_told=True)
                .execution_options(synchronize_session=False)
            )

    def forget_told(self, instance: InstanceName) -> None:
        """See ``ExchangeRepository.forget_told``."""
        for column, table in (
            (NumberBlockRow.held_by, NumberBlockRow),
            (StatusIndexSetRow.instance, StatusIndexSetRow),
        ):
            self._database.execute(
                sa.update(table)
                .where(column == instance)
                .values(is_told=False)
                .execution_options(synchronize_session=False)
            )

    def find_set(self, set_id: uuid.UUID) -> IndexSet | None:
        """See ``ExchangeRepository.find_set``."""
        row = self._database.execute(_SETS.where(StatusIndexSetRow.id == set_id)).one_or_none()
        return None if row is None else _index_set(*row)

    def add_set(self, index_set: IndexSet) -> None:
        """See ``ExchangeRepository.add_set``."""
        insert_unless_there(
            self._database,
            StatusListRow,
            {
                "list_id": index_set.list_id,
                "size": index_set.size,
                "created_at": index_set.at,
                "is_shared": not index_set.is_received,
            },
        )
        try:
            self._database.execute(
                sa.insert(StatusIndexSetRow).values(
                    id=index_set.set_id,
                    list_id=index_set.list_id,
                    instance=index_set.instance,
                    is_received=index_set.is_received,
                    is_told=False,
                    indices=b"".join(
                        each.to_bytes(_INDEX_BYTES, "big") for each in index_set.indices
                    ),
                    at=index_set.at,
                    account=index_set.account,
                )
            )
        except DATABASE_FAILURES as error:
            raise database_error(error) from error


def given_lists(session: Session) -> tuple[bytes, ...]:
    """The status lists of which sets were handed to this register; where there are any, no other list is begun here."""
    return tuple(
        session.scalars(
            sa.select(StatusIndexSetRow.list_id).where(StatusIndexSetRow.is_received.is_(True))
        )
    )


_BLOCKS = sa.select(NumberBlockRow, OrganisationRow.code).join(
    OrganisationRow, NumberBlockRow.committee_id == OrganisationRow.id
)
_SETS = sa.select(StatusIndexSetRow, StatusListRow.size).join(
    StatusListRow, StatusIndexSetRow.list_id == StatusListRow.list_id
)


def _index_set(row: StatusIndexSetRow, size: int) -> IndexSet:
    return IndexSet(
        set_id=row.id,
        list_id=row.list_id,
        size=size,
        instance=InstanceName(row.instance),
        is_received=row.is_received,
        indices=_positions(row),
        at=row.at,
        account=AccountName(row.account),
    )


def _positions(row: StatusIndexSetRow) -> tuple[int, ...]:
    """Four bytes each."""
    return struct.unpack(f">{len(row.indices) // _INDEX_BYTES}I", row.indices)
