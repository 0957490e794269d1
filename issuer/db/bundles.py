"""Instances, bundles, links and conflicts in the database."""

import json
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import DATABASE_FAILURES, database_error
from issuer.db.bundle_seals import BundleSeals
from issuer.db.bundle_tables import BundleRow, InstanceRow, LinkedMemberRow, LinkedRequestRow
from issuer.db.member_rows import MemberRow
from issuer.db.organisations import OrganisationRow
from issuer.db.request_tables import RequestEventRow, RequestRow
from issuer.domain.instances import (
    ExchangeCertificates,
    Instance,
    InstanceName,
    InstanceState,
    Side,
)
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import CardRequest, RequestEvent, RequestId
from issuer.domain.rights import AccountName
from issuer.errors import ConflictError, IssuerDataError
from issuer.services.bundle_ports import BundlePosition, BundleRecord, Direction, LinkedMember

__all__ = ["SqlExchangeRepository", "organisation_id_of"]

_LOOKUP_SIZE = 500


class SqlExchangeRepository:
    """Implements ``ExchangeRepository`` within one session, but for conflicts."""

    def __init__(self, session: Session, seals: Callable[[], BundleSeals]) -> None:
        self._session = session
        self._seals = seals

    def instances(self) -> tuple[Instance, ...]:
        """See ``ExchangeRepository.instances``."""
        rows = self._session.execute(_SELECT.order_by(InstanceRow.name))
        return tuple(_instance(row, code) for row, code in rows)

    def find_instance(self, name: InstanceName, *, lock: bool = False) -> Instance | None:
        """See ``ExchangeRepository.find_instance``."""
        query = _SELECT.where(InstanceRow.name == name).execution_options(populate_existing=True)
        if lock:
            query = query.with_for_update(of=InstanceRow)
        row = self._session.execute(query).one_or_none()
        return None if row is None else _instance(*row)

    def add_instance(self, instance: Instance) -> None:
        """See ``ExchangeRepository.add_instance``."""
        values = {
            "name": instance.name,
            "side": instance.side.value,
            "organisation_id": organisation_id_of(self._session, instance.organisation),
            **_changing(instance),
        }
        self._insert(sa.insert(InstanceRow), [values])

    def store_instance(self, instance: Instance) -> None:
        """See ``ExchangeRepository.store_instance``."""
        try:
            self._session.execute(
                sa.update(InstanceRow)
                .where(InstanceRow.name == instance.name)
                .values(**_changing(instance))
                .execution_options(synchronize_session=False)
            )
        except DATABASE_FAILURES as error:
            raise database_error(error) from error

    def add_record(self, record: BundleRecord) -> None:
        """See ``ExchangeRepository.add_record``."""
        values = {
            "instance": record.instance,
            "direction": record.direction.value,
            "sequence": record.sequence,
            "digest": record.digest,
            "at": record.at,
            "account": record.account,
            "counts": json.dumps(dict(record.counts), sort_keys=True),
        }
        self._insert(sa.insert(BundleRow), [values])

    def find_record(
        self, instance: InstanceName, direction: Direction, sequence: int
    ) -> BundleRecord | None:
        """See ``ExchangeRepository.find_record``."""
        row = self._session.get(BundleRow, (instance, direction.value, sequence))
        return None if row is None else _record(row)

    def records(
        self,
        instances: Collection[InstanceName],
        *,
        limit: int,
        behind: BundlePosition | None = None,
    ) -> tuple[BundleRecord, ...]:
        """See ``ExchangeRepository.records``."""
        order = (BundleRow.at, BundleRow.instance, BundleRow.direction, BundleRow.sequence)
        query = (
            sa.select(BundleRow)
            .where(BundleRow.instance.in_(list(instances)))
            .order_by(*(each.desc() for each in order))
            .limit(limit)
        )
        if behind is not None:
            query = query.where(
                sa.tuple_(*order)
                < sa.tuple_(
                    sa.literal(behind.at, BundleRow.at.type),
                    sa.literal(behind.instance),
                    sa.literal(behind.direction.value),
                    sa.literal(behind.sequence),
                )
            )
        return tuple(_record(row) for row in self._session.scalars(query))

    def linked_members(
        self, instance: InstanceName, remote_ids: Collection[MemberId]
    ) -> Mapping[MemberId, LinkedMember]:
        """See ``ExchangeRepository.linked_members``."""
        found: dict[MemberId, LinkedMember] = {}
        for part in _parts(remote_ids):
            for row in self._session.scalars(
                sa.select(LinkedMemberRow)
                .where(LinkedMemberRow.instance == instance, LinkedMemberRow.remote_id.in_(part))
                .execution_options(populate_existing=True)
            ):
                remote_id = MemberId(row.remote_id)
                found[remote_id] = LinkedMember(
                    instance=instance,
                    remote_id=remote_id,
                    member_id=MemberId(row.member_id),
                    version=row.version,
                    cells=self._seals().open_cells(instance, remote_id, row.sealed),
                )
        return found

    def remote_ids(
        self, instance: InstanceName, member_ids: Collection[MemberId]
    ) -> Mapping[MemberId, MemberId]:
        """See ``ExchangeRepository.remote_ids``."""
        found: dict[MemberId, MemberId] = {}
        for part in _parts(member_ids):
            for member_id, remote_id in self._session.execute(
                sa.select(LinkedMemberRow.member_id, LinkedMemberRow.remote_id)
                .where(LinkedMemberRow.instance == instance, LinkedMemberRow.member_id.in_(part))
                .order_by(LinkedMemberRow.remote_id)
            ):
                found[MemberId(member_id)] = MemberId(remote_id)
        return found

    def link_member(self, link: LinkedMember) -> None:
        """See ``ExchangeRepository.link_member``."""
        row = self._session.get(LinkedMemberRow, (link.instance, link.remote_id))
        if row is None:
            row = LinkedMemberRow(instance=link.instance, remote_id=link.remote_id, seen_in=0)
            self._session.add(row)
        row.member_id = link.member_id
        row.version = link.version
        row.sealed = self._seals().seal_cells(link.instance, link.remote_id, link.cells)
        self._session.flush()

    def saw_members(
        self, instance: InstanceName, remote_ids: Collection[MemberId], sequence: int
    ) -> None:
        """See ``ExchangeRepository.saw_members``."""
        for part in _parts(remote_ids):
            self._session.execute(
                sa.update(LinkedMemberRow)
                .where(LinkedMemberRow.instance == instance, LinkedMemberRow.remote_id.in_(part))
                .values(seen_in=sequence)
                .execution_options(synchronize_session=False)
            )

    def unseen_members(self, instance: InstanceName, *, since: int) -> tuple[LinkedMember, ...]:
        """See ``ExchangeRepository.unseen_members``."""
        unseen = self._session.scalars(
            sa.select(LinkedMemberRow.remote_id)
            .join(MemberRow, MemberRow.id == LinkedMemberRow.member_id)
            .where(
                LinkedMemberRow.instance == instance,
                LinkedMemberRow.seen_in < since,
                MemberRow.erased_at.is_(None),
            )
        ).all()
        found = self.linked_members(instance, [MemberId(each) for each in unseen])
        return tuple(found[each] for each in sorted(found))

    def reported_versions(self, instance: InstanceName) -> Mapping[RequestId, int]:
        """See ``ExchangeRepository.reported_versions``."""
        rows = self._session.execute(
            sa.select(LinkedRequestRow.request_id, LinkedRequestRow.reported_version)
            .join(RequestRow, RequestRow.id == LinkedRequestRow.request_id)
            .where(LinkedRequestRow.instance == instance)
            .order_by(RequestRow.created_at, RequestRow.id)
        )
        return {RequestId(request_id): version for request_id, version in rows}

    def report_requests(self, instance: InstanceName, versions: Mapping[RequestId, int]) -> None:
        """See ``ExchangeRepository.report_requests``."""
        for request_id, version in versions.items():
            row = self._session.get(LinkedRequestRow, (instance, request_id))
            if row is None:
                row = LinkedRequestRow(instance=instance, request_id=request_id)
                self._session.add(row)
            row.reported_version = version
        self._session.flush()

    def forget_reports(self, instance: InstanceName) -> None:
        """See ``ExchangeRepository.forget_reports``."""
        self._session.execute(
            sa.update(LinkedRequestRow)
            .where(LinkedRequestRow.instance == instance)
            .values(reported_version=0)
        )

    def hand_over(self, request_ids: Collection[RequestId], to: InstanceName | None) -> None:
        """See ``ExchangeRepository.hand_over``."""
        for part in _parts(request_ids):
            self._session.execute(
                sa.update(RequestRow)
                .where(RequestRow.id.in_(part))
                .values(held_by=to)
                .execution_options(synchronize_session=False)
            )

    def take_in(self, request: CardRequest, events: Sequence[RequestEvent]) -> None:
        """See ``ExchangeRepository.take_in``."""
        changing = {
            "state": request.state.value,
            "version": request.version,
            "card_number": request.card_number,
            "held_by": request.held_by,
        }
        try:
            known = self._session.connection().execute(
                sa.update(RequestRow).where(RequestRow.id == request.request_id).values(**changing)
            )
        except DATABASE_FAILURES as error:
            raise database_error(error) from error
        if not known.rowcount:
            values = {
                "id": request.request_id,
                "member_id": request.member_id,
                "organisation_id": organisation_id_of(self._session, request.organisation_code),
                "kind": request.kind.value,
                "reason": None if request.reason is None else request.reason.value,
                "ordinal": request.ordinal,
                "created_at": request.created_at,
                **changing,
            }
            self._insert(sa.insert(RequestRow), [values])
        self._insert(
            sa.insert(RequestEventRow),
            [
                {
                    "request_id": request.request_id,
                    "at": event.at,
                    "account": event.account,
                    "kind": event.kind.value,
                    "remark": event.remark,
                }
                for event in events
            ],
        )

    def _insert(self, statement: sa.Insert, values: Sequence[Mapping[str, object]]) -> None:
        if not values:
            return
        try:
            self._session.execute(statement, values)
        except DATABASE_FAILURES as error:
            translated = database_error(error)
            if isinstance(translated, ConflictError) and "name" in values[0]:
                raise ConflictError(
                    f"there is an instance {values[0]['name']} already", code="instance.exists"
                ) from error
            raise translated from error


_SELECT = sa.select(InstanceRow, OrganisationRow.code).join(
    OrganisationRow, InstanceRow.organisation_id == OrganisationRow.id
)


def organisation_id_of(session: Session, code: OrganisationCode) -> uuid.UUID:
    """The row of an organisation.

    Raises:
        IssuerDataError: there is none (``organisation.unknown``).
    """
    found = session.scalar(sa.select(OrganisationRow.id).where(OrganisationRow.code == code))
    if found is None:
        raise IssuerDataError(
            f"organisation {code} is not in the register", code="organisation.unknown"
        )
    return found


def _parts(values: Iterable[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    wanted = sorted(set(values))
    for start in range(0, len(wanted), _LOOKUP_SIZE):
        yield wanted[start : start + _LOOKUP_SIZE]


def _changing(instance: Instance) -> dict[str, object]:
    return {
        "signer_certificate": instance.certificates.signer,
        "receiver_certificate": instance.certificates.receiver,
        "state": instance.state.value,
        "proposed_by": instance.proposed_by,
        "proposed_at": instance.proposed_at,
        "confirmed_by": instance.confirmed_by,
        "suspended_by": instance.suspended_by,
        "sent": instance.sent,
        "received": instance.received,
        "acknowledged": instance.acknowledged,
        "lost_since": instance.lost_since,
        "has_lost": instance.has_lost,
        "version": instance.version,
    }


def _instance(row: InstanceRow, code: str) -> Instance:
    return Instance(
        name=InstanceName(row.name),
        side=Side(row.side),
        organisation=OrganisationCode(code),
        certificates=ExchangeCertificates(
            signer=row.signer_certificate, receiver=row.receiver_certificate
        ),
        state=InstanceState(row.state),
        proposed_by=AccountName(row.proposed_by),
        proposed_at=row.proposed_at,
        confirmed_by=None if row.confirmed_by is None else AccountName(row.confirmed_by),
        suspended_by=None if row.suspended_by is None else AccountName(row.suspended_by),
        sent=row.sent,
        received=row.received,
        acknowledged=row.acknowledged,
        lost_since=row.lost_since,
        has_lost=row.has_lost,
        version=row.version,
    )


def _record(row: BundleRow) -> BundleRecord:
    return BundleRecord(
        instance=InstanceName(row.instance),
        direction=Direction(row.direction),
        sequence=row.sequence,
        digest=row.digest,
        at=row.at,
        account=AccountName(row.account),
        counts={str(name): int(count) for name, count in json.loads(row.counts).items()},
    )
