"""The dossier of a card: everything that ever happened to it and to its chip, and where its keys were made.

It holds nothing secret and nothing of what the card bears about its member, but for the number that is printed on it.
"""

import enum
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from issuer.domain.card import Card
from issuer.domain.card_number import CardNumber
from issuer.domain.card_validity import CardValidity
from issuer.domain.decisions import DecisionId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import CardRequest
from pki.signed.card_states import CardState as ListedState

__all__ = ["CardDossier", "ChipFacts", "DossierEvent", "DossierRoom", "SignatureFacts"]


class DossierRoom(enum.StrEnum):
    """Whose record an event stands in."""

    REQUEST = "request"
    PRODUCTION = "production"
    BATCH = "batch"
    STOCK = "stock"
    VALIDITY = "validity"


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierEvent:
    """One thing that happened.

    Attributes:
        at: when (aware UTC).
        room: whose record it stands in.
        what: the event's word there.
        account: by whose word, where somebody said it.
        station: at which station, where it was one.
        code: the reason, where the record has a code for it.
        detail: what else the record says; a person's words among it.
    """

    at: datetime
    room: DossierRoom
    what: str
    account: str | None = None
    station: str | None = None
    code: str | None = None
    detail: str | None = field(default=None, repr=False)

    @property
    def word(self) -> str:
        """The event's word alone, without what it changed."""
        return self.what.partition(" ")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipFacts:
    """Where the chip came from, and where its key was made.

    Attributes:
        delivery: how its delivery was called.
        received_at: when it came into the stock.
        key_curve: the curve of its key; ``None`` while it has none.
        key_digest: SHA-256 of the public point.
        key_origin: ``chip-key.made-on-chip`` or ``chip-key.injected``.
        key_recorded_at: when.
        key_station: at which station.
    """

    delivery: str
    received_at: datetime
    key_curve: str | None
    key_digest: bytes | None
    key_origin: str | None
    key_recorded_at: datetime | None
    key_station: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureFacts:
    """What was signed, and by which key; all but the digest is ``None`` where it cannot be read.

    Attributes:
        file_digest: SHA-256 of EF.SOD.
        signed_at: as the security object says.
        signer_serial: of the document signer's certificate.
        signer_digest: SHA-256 of that certificate.
    """

    file_digest: bytes
    signed_at: datetime | None = None
    signer_serial: int | None = None
    signer_digest: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardDossier:
    """One card.

    Attributes:
        card: the card.
        card_number: what is printed on it.
        organisation: where its member is recorded now.
        request: by which request it was made.
        decisions: in which decisions that stood.
        validity: what it counts as, and why.
        published_as: what the last status list says.
        valid_until: its last day; ``None`` where its files were never made.
        chip: its chip.
        signature: its signature; ``None`` before it is signed.
        events: everything that happened, in order of time.
        taken_at: when the dossier was put together.
    """

    card: Card
    card_number: CardNumber | None = field(repr=False)
    organisation: OrganisationCode
    request: CardRequest
    decisions: tuple[DecisionId, ...]
    validity: CardValidity
    published_as: ListedState
    valid_until: date | None
    chip: ChipFacts
    signature: SignatureFacts | None
    events: tuple[DossierEvent, ...]
    taken_at: datetime

    def document(self) -> dict[str, Any]:
        """As a JSON document."""
        card, chip, validity = self.card, self.chip, self.validity
        return {
            "taken_at": _text(self.taken_at),
            "reference": card.reference.hex(),
            "card_number": self.card_number,
            "member_id": card.member_id.hex,
            "organisation": self.organisation,
            "ordinal": card.ordinal,
            "profile": card.profile,
            "valid_until": _text(self.valid_until),
            "request": {
                "request_id": self.request.request_id.hex,
                "kind": self.request.kind.value,
                "reason": None if self.request.reason is None else self.request.reason.value,
                "decisions": [each.hex for each in self.decisions],
            },
            "making": {
                "state": card.state.value,
                "bound_at": _text(card.bound_at),
                "issued_at": _text(card.issued_at),
                "handed_over_at": _text(card.handed_over_at),
                "handed_over_to": card.handed_over_to,
                "condemned_for": card.condemned_for,
            },
            "status": {
                "list": card.status.list_id.hex(),
                "index": card.status.index,
                "counts_as": validity.state.label,
                "published_as": self.published_as.label,
                "ended_for": None if validity.end is None else validity.end.value,
                "report": None if validity.report is None else validity.report.value,
                "reported_by": validity.reported_by,
            },
            "chip": {
                "serial": card.serial.hex().upper(),
                "delivery": chip.delivery,
                "received_at": _text(chip.received_at),
                "key_curve": chip.key_curve,
                "key_sha256": _hex(chip.key_digest),
                "key_origin": chip.key_origin,
                "key_recorded_at": _text(chip.key_recorded_at),
                "key_station": chip.key_station,
            },
            "signature": None
            if self.signature is None
            else {
                "signed_at": _text(self.signature.signed_at),
                "signer_serial": None
                if self.signature.signer_serial is None
                else f"{self.signature.signer_serial:x}",
                "signer_sha256": _hex(self.signature.signer_digest),
                "file_sha256": self.signature.file_digest.hex(),
            },
            "events": [
                {
                    "at": _text(each.at),
                    "room": each.room.value,
                    "what": each.what,
                    "account": each.account,
                    "station": each.station,
                    "code": each.code,
                    "detail": each.detail,
                }
                for each in self.events
            ],
        }


def _text(value: datetime | date | None) -> str | None:
    return None if value is None else value.isoformat()


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
