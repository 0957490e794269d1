"""What a migration does where rows cannot be carried over."""

import sqlalchemy as sa
from alembic import op

from issuer.errors import IssuerRefusedError

__all__ = ["require_empty"]


def require_empty(table: str) -> None:
    """Let pass only a table without rows.

    Raises:
        IssuerRefusedError: it has one (``database.not-convertible``); the whole upgrade is undone.
    """
    if op.get_bind().scalar(sa.select(sa.literal(1)).select_from(sa.table(table)).limit(1)):
        raise IssuerRefusedError(
            f"table {table} has rows that this upgrade cannot convert",
            code="database.not-convertible",
            hint="take the lists into a new home directory: membercard-issuer members import",
        )
