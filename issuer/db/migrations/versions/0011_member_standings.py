"""Members of one standing are listed without sorting."""

from alembic import op

revision = "0011_member_standings"
down_revision = "0010_data_subjects"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index in the order of the list."""
    op.create_index("ix_members_standing_sort_key_id", "members", ["standing", "sort_key", "id"])


def downgrade() -> None:
    """Such lists are sorted again."""
    op.drop_index("ix_members_standing_sort_key_id", "members")
