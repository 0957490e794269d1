"""The tables of the central service. Times are whole seconds since 1970; no table holds anything of a person."""

from typing import Final

import sqlalchemy as sa

from pki.sql.columns import NAMING_CONVENTION

__all__ = ["ALARMS", "GAPS", "INSPECTIONS", "INSPECTION_CODES", "JOURNALS", "METADATA", "TERMINALS"]

METADATA: Final = sa.MetaData(naming_convention=NAMING_CONVENTION)

TERMINALS: Final = sa.Table(
    "terminals",
    METADATA,
    sa.Column("holder", sa.String(11), primary_key=True),
    sa.Column("organisation", sa.String(64), nullable=False),
    sa.Column("enrolled_at", sa.BigInteger, nullable=False),
    sa.Column("blocked_at", sa.BigInteger, nullable=True),
    sa.Column("blocked_because", sa.String(200), nullable=True),
    sa.Column("seen_at", sa.BigInteger, nullable=True),
    sa.Column("said_at", sa.BigInteger, nullable=True),
    sa.Column("version", sa.String(40), nullable=True),
    sa.Column("bundle_number", sa.BigInteger, nullable=True),
    sa.Column("journal_sequence", sa.BigInteger, nullable=True),
)

# One row a journal: how far it was uploaded. It stays when the records are let go of.
JOURNALS: Final = sa.Table(
    "journals",
    METADATA,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("holder", sa.String(11), sa.ForeignKey("terminals.holder"), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
)

# ``card`` and ``chip`` are pseudonyms under the key of ``period``; they mean nothing once it is destroyed.
INSPECTIONS: Final = sa.Table(
    "inspections",
    METADATA,
    sa.Column("journal", sa.String(80), sa.ForeignKey("journals.name"), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    sa.Column("holder", sa.String(11), nullable=False),
    sa.Column("organisation", sa.String(64), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("purpose", sa.String(64), nullable=True),
    sa.Column("verdict", sa.String(16), nullable=True),
    sa.Column("assurance", sa.String(16), nullable=True),
    sa.Column("about", sa.BigInteger, nullable=True),
    sa.Column("answer", sa.String(16), nullable=True),
    sa.Column("period", sa.String(7), nullable=True),
    sa.Column("card", sa.LargeBinary(32), nullable=True),
    sa.Column("chip", sa.LargeBinary(32), nullable=True),
    sa.Index("ix_inspections_card_at", "card", "at"),
    sa.Index("ix_inspections_chip", "chip"),
    sa.Index("ix_inspections_holder_at", "holder", "at"),
)

INSPECTION_CODES: Final = sa.Table(
    "inspection_codes",
    METADATA,
    sa.Column("journal", sa.String(80), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("code", sa.String(80), primary_key=True, index=True),
    sa.ForeignKeyConstraint(
        ["journal", "sequence"],
        ["inspections.journal", "inspections.sequence"],
        ondelete="CASCADE",
    ),
)

# Records that a terminal had let go of before they were uploaded.
GAPS: Final = sa.Table(
    "journal_gaps",
    METADATA,
    sa.Column("journal", sa.String(80), sa.ForeignKey("journals.name"), primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("noticed_at", sa.BigInteger, nullable=False),
)

# ``subject`` makes the same finding once; ``details`` is JSON for people.
ALARMS: Final = sa.Table(
    "alarms",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("code", sa.String(80), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False, index=True),
    sa.Column("holder", sa.String(11), nullable=False),
    sa.Column("organisation", sa.String(64), nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("noticed_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("code", "subject"),
)
