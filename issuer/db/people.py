"""Accounts and their second factors in the database (SQLAlchemy)."""

import uuid
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import DATABASE_FAILURES, database_error
from issuer.db.organisation_queries import below
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.people_tables import AccountRow, AssignmentRow, SecondFactorRow
from issuer.domain.account import Account, AccountId, AccountState, PasswordHash
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.domain.second_factor import OperatorKey, SecondFactor
from issuer.errors import IssuerRefusedError
from pki.keys.webauthn_keys import CoseAlgorithm

__all__ = ["SqlAccountRepository", "account_of"]


class SqlAccountRepository:
    """See ``issuer.services.people_ports.AccountRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self) -> None:
        """See ``AccountRepository``."""
        is_sqlite = self._session.get_bind().dialect.name == "sqlite"
        # A transaction begins with its first statement; on SQLite it has the whole file to itself from then on.
        statement = "SELECT 1" if is_sqlite else "LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE"
        self._session.execute(sa.text(statement))

    def is_empty(self) -> bool:
        """See ``AccountRepository``."""
        return not self._session.scalar(sa.select(sa.exists(sa.select(AccountRow.id))))

    def find(self, name: AccountName) -> Account | None:
        """See ``AccountRepository``."""
        query = sa.select(AccountRow).where(AccountRow.name == name)
        rows = self._session.scalars(query.execution_options(populate_existing=True)).all()
        return next(iter(_accounts_of(self._session, rows)), None)

    def get(self, name: AccountName) -> Account:
        """See ``AccountRepository``."""
        found = self.find(name)
        if found is None:
            raise _unknown(name)
        return found

    def page(
        self,
        *,
        limit: int,
        behind: AccountName | None = None,
        within: Collection[OrganisationCode] | None = None,
    ) -> tuple[Account, ...]:
        """See ``AccountRepository``."""
        query = sa.select(AccountRow).order_by(AccountRow.name).limit(limit)
        if within is not None:
            part = sa.select(OrganisationRow.code).where(OrganisationRow.id.in_(below(within)))
            place = AssignmentRow.organisation
            inside = sa.select(AssignmentRow.account_id).where(place.in_(part))
            is_outside = sa.exists().where(
                AssignmentRow.account_id == AccountRow.id,
                sa.or_(place.is_(None), place.not_in(part)),
            )
            query = query.where(AccountRow.id.in_(inside), ~is_outside)
        if behind is not None:
            query = query.where(AccountRow.name > behind)
        return _accounts_of(self._session, self._session.scalars(query).all())

    def count_administrators(self) -> int:
        """See ``AccountRepository``."""
        query = (
            sa.select(sa.func.count())
            .select_from(AssignmentRow)
            .join(AccountRow, AccountRow.id == AssignmentRow.account_id)
            .where(
                AssignmentRow.role == Role.ADMINISTRATOR.value,
                AssignmentRow.organisation.is_(None),
                AccountRow.state == AccountState.ACTIVE.value,
            )
        )
        return self._session.scalar(query) or 0

    def add(self, account: Account) -> None:
        """See ``AccountRepository``."""
        identity = {
            "id": account.account_id,
            "name": account.name,
            "created_at": account.created_at,
        }
        self._write(sa.insert(AccountRow).values(identity | _state(account)))
        self._add_assignments(account)

    def replace(self, account: Account) -> None:
        """See ``AccountRepository``."""
        statement = sa.update(AccountRow).where(AccountRow.id == account.account_id)
        if not self._write(statement.values(_state(account))):
            raise _unknown(account.name)
        self._write(sa.delete(AssignmentRow).where(AssignmentRow.account_id == account.account_id))
        self._add_assignments(account)

    def second_factors(self, account_id: AccountId) -> tuple[SecondFactor, ...]:
        """See ``AccountRepository``."""
        rows = self._session.scalars(
            sa.select(SecondFactorRow)
            .where(SecondFactorRow.account_id == account_id)
            .order_by(SecondFactorRow.created_at, SecondFactorRow.credential_id)
            .execution_options(populate_existing=True)
        )
        return tuple(
            SecondFactor(
                credential_id=row.credential_id,
                account_id=AccountId(row.account_id),
                label=row.label,
                algorithm=CoseAlgorithm(row.algorithm),
                public_key=row.public_key,
                counter=row.counter,
                created_at=row.created_at,
                operator_key=_operator_key(row),
            )
            for row in rows
        )

    def has_credential(self, credential_id: bytes) -> bool:
        """See ``AccountRepository``."""
        found = sa.select(SecondFactorRow.credential_id)
        found = found.where(SecondFactorRow.credential_id == credential_id)
        return bool(self._session.scalar(sa.select(sa.exists(found))))

    def add_second_factor(self, factor: SecondFactor) -> None:
        """See ``AccountRepository``."""
        key = factor.operator_key
        self._write(
            sa.insert(SecondFactorRow).values(
                credential_id=factor.credential_id,
                account_id=factor.account_id,
                label=factor.label,
                algorithm=factor.algorithm.value,
                public_key=factor.public_key,
                counter=factor.counter,
                created_at=factor.created_at,
                operator=None if key is None else key.operator,
                operator_registration=None if key is None else key.registration,
                operator_certificate=None if key is None else key.certificate,
            )
        )

    def count_second_factor(self, credential_id: bytes, *, counter: int) -> None:
        """See ``AccountRepository``."""
        self._write(
            sa.update(SecondFactorRow)
            .where(SecondFactorRow.credential_id == credential_id)
            .values(counter=counter)
        )

    def certify_second_factor(self, credential_id: bytes, *, certificate: bytes) -> None:
        """See ``AccountRepository``."""
        self._write(
            sa.update(SecondFactorRow)
            .where(SecondFactorRow.credential_id == credential_id)
            .values(operator_certificate=certificate)
        )

    def remove_second_factor(self, account_id: AccountId, credential_id: bytes) -> bool:
        """See ``AccountRepository``."""
        return bool(
            self._write(
                sa.delete(SecondFactorRow).where(
                    SecondFactorRow.account_id == account_id,
                    SecondFactorRow.credential_id == credential_id,
                )
            )
        )

    def _add_assignments(self, account: Account) -> None:
        values = [
            {
                "id": uuid.uuid4(),
                "account_id": account.account_id,
                "position": position,
                "role": each.role.value,
                "organisation": each.organisation,
            }
            for position, each in enumerate(account.assignments)
        ]
        if values:
            self._write(sa.insert(AssignmentRow).values(values))

    def _write(self, statement: sa.Insert | sa.Update | sa.Delete) -> int:
        try:
            result: Any = self._session.execute(
                statement, execution_options={"synchronize_session": False}
            )
        except DATABASE_FAILURES as error:
            raise database_error(error) from error
        return int(result.rowcount)


def _accounts_of(session: Session, rows: Collection[AccountRow]) -> tuple[Account, ...]:
    """The accounts of these rows, with their assignments, in the same order."""
    query = (
        sa.select(AssignmentRow)
        .where(AssignmentRow.account_id.in_([row.id for row in rows]))
        .order_by(AssignmentRow.account_id, AssignmentRow.position)
        .execution_options(populate_existing=True)
    )
    assignments: dict[uuid.UUID, list[AssignmentRow]] = {}
    for each in session.scalars(query) if rows else ():
        assignments.setdefault(each.account_id, []).append(each)
    return tuple(account_of(row, assignments.get(row.id, [])) for row in rows)


def _operator_key(row: SecondFactorRow) -> OperatorKey | None:
    if row.operator is None or row.operator_registration is None:
        return None
    return OperatorKey(
        operator=row.operator,
        registration=row.operator_registration,
        certificate=row.operator_certificate,
    )


def account_of(row: AccountRow, assignments: Collection[AssignmentRow]) -> Account:
    """The account of a row; its assignments come in their order."""
    password = None
    if row.password_hash is not None and row.password_set_at is not None:
        password = PasswordHash(
            encoded=row.password_hash,
            set_at=row.password_set_at,
            is_provisional=bool(row.password_is_provisional),
        )
    return Account(
        account_id=AccountId(row.id),
        name=AccountName(row.name),
        state=AccountState(row.state),
        assignments=tuple(
            Assignment(
                role=Role(each.role),
                organisation=None
                if each.organisation is None
                else OrganisationCode(each.organisation),
            )
            for each in assignments
        ),
        password=password,
        created_at=row.created_at,
    )


def _state(account: Account) -> dict[str, Any]:
    password = account.password
    return {
        "state": account.state.value,
        "password_hash": None if password is None else password.encoded,
        "password_set_at": None if password is None else password.set_at,
        "password_is_provisional": None if password is None else password.is_provisional,
    }


def _unknown(name: AccountName) -> IssuerRefusedError:
    return IssuerRefusedError(f"there is no account {name[:64]!r}", code="account.unknown")
