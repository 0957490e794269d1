"""Parts of the tree of organisations as queries: which rows belong to an organisation and all below it."""

import uuid
from collections.abc import Collection

import sqlalchemy as sa

from issuer.db.organisation_rows import OrganisationRow
from issuer.domain.organisation import OrganisationCode

__all__ = ["below"]


def below(roots: Collection[OrganisationCode]) -> sa.Select[uuid.UUID]:
    """The row ids of these organisations and of every organisation below them."""
    tree = (
        sa.select(OrganisationRow.id.label("id"))
        .where(OrganisationRow.code.in_(sorted(roots)))
        .cte("part_of_the_tree", recursive=True)
    )
    # UNION drops what was found before, so a circle of parents would end, too.
    tree = tree.union(
        sa.select(OrganisationRow.id).join(tree, OrganisationRow.parent_id == tree.c.id)
    )
    return sa.select(tree.c.id)
