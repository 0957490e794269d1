"""Whoever asked for long work, with the roles that they have when it is done."""

from datetime import datetime

from issuer.domain.rights import AccountName, Actor
from issuer.errors import IssuerRefusedError
from issuer.services.register_ports import Register

__all__ = ["actor_of_today"]


def actor_of_today(
    register: Register, name: AccountName, *, stepped_up_at: datetime | None = None
) -> Actor:
    """The account with its roles of now; ``stepped_up_at`` where their second factor was asked for with the work.

    Raises:
        IssuerRefusedError: the account was disabled (``right.missing``).
    """
    with register.reading() as transaction:
        account = transaction.people.get(name)
    if not account.is_active:
        raise IssuerRefusedError(f"account {name} was disabled", code="right.missing")
    return Actor(account=name, assignments=account.assignments, stepped_up_at=stepped_up_at)
