"""Decided requests for every member of a home: for tests that are about cards, and not about who decides on them."""

from datetime import UTC, datetime
from pathlib import Path

from issuer.bootstrap import open_register_home
from tests.contract.decided_requests import decide_for


def decide_for_every_member(home: Path) -> None:
    """Each member who has no request gets a decided one, with a card number of its own."""
    with open_register_home(home) as opened, opened.register.writing() as transaction:
        behind = None
        while True:
            page = transaction.members.page(limit=500, behind=behind)
            for member in page.members:
                decide_for(
                    transaction,
                    [member.member_id],
                    organisation=member.statement.organisation_code,
                    at=datetime.now(UTC),
                )
            if page.end is None:
                return
            behind = page.end
