"""The numbers of a member are nobody else's."""

from typing import Final

from issuer.domain.member import MemberId, MemberStatement
from issuer.errors import IssuerRefusedError
from issuer.services.register_ports import MemberNumbers, RegisterTransaction

__all__ = ["require_free_numbers"]

_UNIQUE: Final = (
    ("record-number", "record_number"),
    ("citizen-number", "citizen_number"),
    ("earlier-card-number", "earlier_card_number"),
)


def require_free_numbers(
    transaction: RegisterTransaction, member_id: MemberId, statement: MemberStatement
) -> None:
    """Let pass a statement whose numbers no other member of the register has.

    Raises:
        IssuerRefusedError: ``record-number.taken``, ``citizen-number.taken``, ``earlier-card-number.taken``.
    """
    numbers = MemberNumbers(
        record_number=statement.record_number,
        citizen_number=statement.citizen_number,
        earlier_card_number=statement.earlier_card_number,
    )
    for holder in transaction.members.holders_of([numbers]):
        if holder.member_id == member_id:
            continue
        for subject, attribute in _UNIQUE:
            number = getattr(statement, attribute)
            if number is not None and getattr(holder.statement, attribute) == number:
                raise IssuerRefusedError(
                    f"another member of the register has this {subject.replace('-', ' ')}",
                    code=f"{subject}.taken",
                )
