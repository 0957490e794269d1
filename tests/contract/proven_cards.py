"""The line of a proof, made of a member as tests have them."""

from issuer.domain.batch_proof import PersonOnCard, ProofLine
from issuer.domain.card_number import CardNumber
from issuer.domain.member import Member
from issuer.domain.requests import RequestId, RequestKind

__all__ = ["proof_line"]


def proof_line(
    member: Member,
    *,
    request_id: RequestId,
    ordinal: int,
    card_number: CardNumber,
    organisation_name: str,
    kind: RequestKind = RequestKind.EXCHANGE,
) -> ProofLine:
    """The member's card as it is going to be."""
    said = member.statement
    return ProofLine(
        request_id=request_id,
        card_number=card_number,
        kind=kind,
        ordinal=ordinal,
        person=PersonOnCard(
            record_number=said.record_number,
            citizen_number=said.citizen_number,
            full_name=said.name.full,
            primary_name=said.name.primary,
            secondary_name=said.name.secondary,
            birth_date=said.birth_date,
            sex=said.sex,
            place_of_birth=said.place_of_birth,
            home_town=said.home_town,
            ethnic_group=said.ethnic_group,
            admission_date=said.admission_date,
            recognition_date=said.recognition_date,
            organisation_code=said.organisation_code,
        ),
        portrait=member.portrait,
        organisation_name=organisation_name,
        issuing_committee=organisation_name,
    )
