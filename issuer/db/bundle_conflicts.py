"""Conflicts with other instances in the database."""

from collections.abc import Callable, Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.bundle_seals import BundleSeals
from issuer.db.bundle_tables import BundleConflictRow
from issuer.db.bundles import SqlExchangeRepository, organisation_id_of
from issuer.db.handed_down import SqlHandedDown
from issuer.db.instance_reports import SqlInstanceReports
from issuer.db.organisation_queries import below as part_of_tree
from issuer.db.organisations import OrganisationRow
from issuer.domain.bundle import ConflictId, ConflictKind, ConflictState
from issuer.domain.instances import InstanceName
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.services.bundle_ports import Conflict, ConflictPosition

__all__ = ["SqlExchange"]


class SqlExchange(SqlExchangeRepository, SqlHandedDown, SqlInstanceReports):
    """Implements ``ExchangeRepository`` whole, within one session."""

    def __init__(self, session: Session, seals: Callable[[], BundleSeals]) -> None:
        SqlExchangeRepository.__init__(self, session, seals)
        SqlHandedDown.__init__(self, session)
        SqlInstanceReports.__init__(self, session)
        self._rows = session
        self._opened = seals

    def add_conflict(self, conflict: Conflict) -> None:
        """See ``ExchangeRepository.add_conflict``."""
        self._rows.execute(
            sa.delete(BundleConflictRow)
            .where(
                BundleConflictRow.instance == conflict.instance,
                BundleConflictRow.kind == conflict.kind.value,
                BundleConflictRow.subject_id == conflict.subject_id,
                BundleConflictRow.state == ConflictState.OPEN.value,
            )
            .execution_options(synchronize_session=False)
        )
        self._rows.add(
            BundleConflictRow(
                id=conflict.conflict_id,
                instance=conflict.instance,
                sequence=conflict.sequence,
                kind=conflict.kind.value,
                subject_id=conflict.subject_id,
                member_id=conflict.member_id,
                organisation_id=organisation_id_of(self._rows, conflict.organisation),
                code=conflict.code,
                sentence=conflict.sentence[:1000],
                columns=",".join(conflict.columns),
                sealed=self._opened().seal_content(conflict.conflict_id, conflict.content),
                found_at=conflict.found_at,
                state=conflict.state.value,
                reason="",
            )
        )
        self._rows.flush()

    def find_conflict(self, conflict_id: ConflictId, *, lock: bool = False) -> Conflict | None:
        """See ``ExchangeRepository.find_conflict``."""
        query = _SELECT.where(BundleConflictRow.id == conflict_id).execution_options(
            populate_existing=True
        )
        if lock:
            query = query.with_for_update(of=BundleConflictRow)
        row = self._rows.execute(query).one_or_none()
        return None if row is None else self._conflict(*row)

    def settle_conflict(self, conflict: Conflict) -> None:
        """See ``ExchangeRepository.settle_conflict``."""
        self._rows.execute(
            sa.update(BundleConflictRow)
            .where(BundleConflictRow.id == conflict.conflict_id)
            .values(
                sealed=(
                    self._opened().seal_content(conflict.conflict_id, conflict.content)
                    if conflict.content
                    else b""
                ),
                state=conflict.state.value,
                settled_by=conflict.settled_by,
                settled_at=conflict.settled_at,
                reason=conflict.reason,
            )
            .execution_options(synchronize_session=False)
        )

    def conflicts(
        self,
        *,
        below: Collection[OrganisationCode] | None,
        limit: int,
        behind: ConflictPosition | None = None,
    ) -> tuple[Conflict, ...]:
        """See ``ExchangeRepository.conflicts``."""
        query = (
            _SELECT.where(BundleConflictRow.state == ConflictState.OPEN.value)
            .order_by(BundleConflictRow.found_at, BundleConflictRow.id)
            .limit(limit)
        )
        if below is not None:
            query = query.where(BundleConflictRow.organisation_id.in_(part_of_tree(below)))
        if behind is not None:
            query = query.where(
                sa.tuple_(BundleConflictRow.found_at, BundleConflictRow.id)
                > sa.tuple_(
                    sa.literal(behind.found_at, BundleConflictRow.found_at.type),
                    sa.literal(behind.conflict_id, BundleConflictRow.id.type),
                )
            )
        return tuple(
            self._conflict(row, code, content=b"") for row, code in self._rows.execute(query)
        )

    def conflicts_with(self, instance: InstanceName) -> tuple[Conflict, ...]:
        """See ``ExchangeRepository.conflicts_with``."""
        query = _SELECT.where(
            BundleConflictRow.instance == instance,
            BundleConflictRow.state == ConflictState.OPEN.value,
        ).order_by(BundleConflictRow.found_at, BundleConflictRow.id)
        return tuple(self._conflict(row, code) for row, code in self._rows.execute(query))

    def refusals_to_tell(self, instance: InstanceName) -> tuple[Conflict, ...]:
        """See ``ExchangeRepository.refusals_to_tell``."""
        query = _SELECT.where(
            BundleConflictRow.instance == instance,
            BundleConflictRow.kind == ConflictKind.REQUEST.value,
            BundleConflictRow.state == ConflictState.REFUSED.value,
            BundleConflictRow.sealed != b"",
        ).order_by(BundleConflictRow.found_at, BundleConflictRow.id)
        return tuple(self._conflict(row, code) for row, code in self._rows.execute(query))

    def refusals_told(self, conflict_ids: Collection[ConflictId]) -> None:
        """See ``ExchangeRepository.refusals_told``."""
        self._rows.execute(
            sa.update(BundleConflictRow)
            .where(BundleConflictRow.id.in_(list(conflict_ids)))
            .values(sealed=b"")
            .execution_options(synchronize_session=False)
        )

    def _conflict(
        self, row: BundleConflictRow, code: str, *, content: bytes | None = None
    ) -> Conflict:
        """A row; what they state is opened unless it is said to be left out."""
        conflict_id = ConflictId(row.id)
        if content is None:
            content = self._opened().open_content(conflict_id, row.sealed)
        return Conflict(
            conflict_id=conflict_id,
            instance=InstanceName(row.instance),
            sequence=row.sequence,
            kind=ConflictKind(row.kind),
            subject_id=row.subject_id,
            member_id=None if row.member_id is None else MemberId(row.member_id),
            organisation=OrganisationCode(code),
            code=row.code,
            sentence=row.sentence,
            columns=tuple(row.columns.split(",")) if row.columns else (),
            content=content,
            found_at=row.found_at,
            state=ConflictState(row.state),
            settled_by=None if row.settled_by is None else AccountName(row.settled_by),
            settled_at=row.settled_at,
            reason=row.reason,
        )


_SELECT = sa.select(BundleConflictRow, OrganisationRow.code).join(
    OrganisationRow, BundleConflictRow.organisation_id == OrganisationRow.id
)
