"""What the API says of finished cards, and what programs ask of them."""

from datetime import date, datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from issuer.domain.card import CardState
from issuer.domain.card_dossier import CardDossier, DossierRoom
from issuer.domain.card_validity import EndReason
from issuer.domain.requests import ReissueReason, RequestKind
from issuer.services.card_validity_ports import CardRecord
from pki.signed.card_states import CardState as ListedState

__all__ = [
    "CardDocument",
    "DossierDocument",
    "DossierEventDocument",
    "FoundCardDocument",
    "RemarkBody",
    "ReportBody",
]

MAX_REMARK_CHARACTERS: Final = 400
_LABELS: Final = [each.label for each in ListedState]
Remark = Annotated[
    str,
    Field(
        default="",
        max_length=MAX_REMARK_CHARACTERS,
        description="What is to be known of it, in a line; kept with the card.",
    ),
]
CountsAs = Annotated[
    str, Field(description="In the words of status lists.", json_schema_extra={"enum": _LABELS})
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RemarkBody(_Body):
    """What somebody says of an act."""

    remark: Remark


class ReportBody(_Body):
    """What is reported of a card."""

    reason: EndReason = Field(examples=["lost"])
    remark: Remark


class FoundCardDocument(BaseModel):
    """The card that is called so."""

    reference: str = Field(examples=["0123456789abcdef0123456789abcdef"])


class CardDocument(BaseModel):
    """What a card counts as after an act."""

    reference: str
    counts_as: CountsAs
    ended_for: EndReason | None = None
    report: EndReason | None = Field(
        default=None, description="What waits for a second person's word."
    )
    reported_by: str | None = None

    @classmethod
    def of(cls, record: CardRecord) -> "CardDocument":
        """The document of a card."""
        validity = record.validity
        return cls(
            reference=record.card.reference.hex(),
            counts_as=validity.state.label,
            ended_for=validity.end,
            report=validity.report,
            reported_by=validity.reported_by,
        )


class _RequestPart(_Body):
    request_id: str
    kind: RequestKind
    reason: ReissueReason | None
    decisions: list[str]


class _MakingPart(_Body):
    state: CardState
    bound_at: datetime
    issued_at: datetime | None
    handed_over_at: datetime | None
    handed_over_to: str | None
    condemned_for: str | None


class _StatusPart(_Body):
    list: str
    index: int = Field(ge=0)
    counts_as: CountsAs
    published_as: CountsAs
    ended_for: EndReason | None
    report: EndReason | None
    reported_by: str | None


class _ChipPart(_Body):
    serial: str
    delivery: str
    received_at: datetime
    key_curve: str | None
    key_sha256: str | None
    key_origin: str | None
    key_recorded_at: datetime | None
    key_station: str | None


class _SignaturePart(_Body):
    signed_at: datetime | None
    signer_serial: str | None
    signer_sha256: str | None
    file_sha256: str


class DossierEventDocument(_Body):
    """One thing that happened."""

    at: datetime
    room: DossierRoom
    what: str
    account: str | None
    station: str | None
    code: str | None
    detail: str | None


class DossierDocument(_Body):
    """Everything that ever happened to a card; of its member an identifier and the card number."""

    taken_at: datetime
    reference: str
    card_number: str | None
    member_id: str
    organisation: str
    ordinal: int = Field(ge=1)
    profile: str
    valid_until: date | None
    request: _RequestPart
    making: _MakingPart
    status: _StatusPart
    chip: _ChipPart
    signature: _SignaturePart | None
    events: list[DossierEventDocument]

    @classmethod
    def of(cls, dossier: CardDossier) -> "DossierDocument":
        """The document of a dossier; a field that only one of the two knows does not pass."""
        return cls.model_validate(dossier.document())
