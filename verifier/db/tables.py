"""The tables of a terminal's own database: records of inspections, and the head of their chain.

They are SQLAlchemy's tables without its object mapper, which alone takes a quarter of a second to load: a terminal is
ready within two.
"""

from typing import Final

import sqlalchemy as sa

from pki.sql.columns import NAMING_CONVENTION

__all__ = ["HEAD_ID", "JOURNAL_HEAD", "JOURNAL_RECORDS", "METADATA"]

METADATA: Final = sa.MetaData(naming_convention=NAMING_CONVENTION)
"""Every table of the terminal; constraints are named, so that migrations can name them."""

HEAD_ID: Final = 1

# Whoever owns the file may change it; the database itself refuses to change a record, and deletes only what the head has
# let go of. ``at`` counts seconds since 1970, and is what retention goes by.
JOURNAL_RECORDS: Final = sa.Table(
    "journal_records",
    METADATA,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    sa.CheckConstraint("sequence > 0", name="sequence"),
)

# One row, which only ever moves forward. ``dropped`` is the last record that was let go of, 0 where none was.
JOURNAL_HEAD: Final = sa.Table(
    "journal_head",
    METADATA,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("terminal", sa.String(80), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    sa.Column("dropped", sa.Integer, nullable=False),
    sa.Column("dropped_digest", sa.LargeBinary(32), nullable=False),
    sa.CheckConstraint("id = 1", name="id"),
)
