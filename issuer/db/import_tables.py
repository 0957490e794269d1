"""Tables of imports."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime

__all__ = ["ImportChunkRow", "ImportRow", "ImportRowRow"]


class ImportRow(Base):
    """One import; of one list at most one is unfinished."""

    __tablename__ = "imports"
    __table_args__ = (
        sa.CheckConstraint("last_row >= 0 AND row_count >= 0", name="rows"),
        sa.Index(
            "ix_imports_unfinished",
            "list_digest",
            unique=True,
            sqlite_where=sa.text("finished_at IS NULL"),
            postgresql_where=sa.text("finished_at IS NULL"),
        ),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    list_digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    account: Mapped[str] = mapped_column(sa.String(200))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    row_count: Mapped[int]
    last_row: Mapped[int]
    taken: Mapped[int]
    already_present: Mapped[int]
    refused: Mapped[int]
    questionable: Mapped[int]
    has_checked_faces: Mapped[bool]


class ImportChunkRow(Base):
    """Rows that ended together: one letter each, from ``first_row`` on without a gap."""

    __tablename__ = "import_chunks"

    number: Mapped[int] = mapped_column(sa.ForeignKey("imports.number"), primary_key=True)
    first_row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    results: Mapped[bytes] = mapped_column(sa.LargeBinary)


class ImportRowRow(Base):
    """One row that was refused or is questionable; what a questionable one states is sealed, and goes when decided."""

    __tablename__ = "import_rows"
    __table_args__ = (
        sa.CheckConstraint(
            "state IS NULL OR state IN ('waiting', 'accepted', 'refused', 'replaced')", name="state"
        ),
        sa.CheckConstraint(
            "(state IS NOT NULL AND state = 'waiting') = (content IS NOT NULL)", name="content"
        ),
        sa.Index("ix_import_rows_state_number_row", "state", "number", "row"),
        sa.Index("ix_import_rows_content_digest", "content_digest"),
        sa.Index("ix_import_rows_likeness_digest", "likeness_digest"),
        sa.Index("ix_import_rows_person_digest", "person_digest"),
    )

    number: Mapped[int] = mapped_column(sa.ForeignKey("imports.number"), primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    findings: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str | None] = mapped_column(sa.String(16))
    organisation_code: Mapped[str | None] = mapped_column(sa.String(32))
    content: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    content_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    likeness_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    person_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    decided_by: Mapped[str | None] = mapped_column(sa.String(200))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(sa.String(500))
    member_id: Mapped[uuid.UUID | None]
