"""The proof of a batch: what every card will show, in the order of the sheet, and the digest that two people compare.

The digest of a line covers everything about the person that is written to the card or printed on it, and nothing
else; the digest of the proof covers the batch, the profile and every line. A line is digested as a JSON array, so
that no two different lines give the same bytes.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from issuer.domain.batch import BatchId
from issuer.domain.card_number import CardNumber
from issuer.domain.member import PortraitDigest, Sex
from issuer.domain.organisation import OrganisationCode
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.requests import RequestId, RequestKind

__all__ = ["PersonOnCard", "ProofLine", "proof_digest"]

_LINE_PREFIX: Final = b"membercard batch proof line v1\x00"
_PROOF_PREFIX: Final = b"membercard batch proof v1\x00"
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonOnCard:
    """What of a member's statement stands on a card (SPEC.md 3.6, 3.8, 3.10), and nothing else of it."""

    record_number: RecordNumber = field(repr=False)
    citizen_number: CitizenNumber = field(repr=False)
    full_name: str = field(repr=False)
    primary_name: str = field(repr=False)
    secondary_name: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: Sex = field(repr=False)
    place_of_birth: str = field(repr=False)
    home_town: str = field(repr=False)
    ethnic_group: str = field(repr=False)
    admission_date: date = field(repr=False)
    recognition_date: date | None = field(repr=False)
    organisation_code: OrganisationCode


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofLine:
    """One card as it is going to be.

    Attributes:
        request_id: by which request.
        card_number: the number it shows.
        kind, ordinal: of what kind it is, and which of the member's cards.
        person: what is stated of the member.
        portrait: the digest of the picture.
        organisation_name, issuing_committee: the names that the card holds.
    """

    request_id: RequestId
    card_number: CardNumber = field(repr=False)
    kind: RequestKind
    ordinal: int
    person: PersonOnCard = field(repr=False)
    portrait: PortraitDigest
    organisation_name: str
    issuing_committee: str

    @property
    def digest(self) -> bytes:
        """32 bytes that no other line has."""
        person = self.person
        recognised = person.recognition_date
        fields = (
            self.request_id.hex,
            self.card_number,
            self.kind.value,
            self.ordinal,
            person.record_number,
            person.citizen_number,
            person.full_name,
            person.primary_name,
            person.secondary_name,
            person.birth_date.isoformat(),
            person.sex.value,
            person.place_of_birth,
            person.home_town,
            person.ethnic_group,
            person.admission_date.isoformat(),
            None if recognised is None else recognised.isoformat(),
            person.organisation_code,
            self.portrait.hex(),
            self.organisation_name,
            self.issuing_committee,
        )
        return hashlib.sha256(_LINE_PREFIX + _ENCODER.encode(fields).encode("ascii")).digest()


def proof_digest(batch_id: BatchId, profile: str, line_digests: Iterable[bytes]) -> bytes:
    """The digest of a whole proof: of these lines in this order, for cards of this profile."""
    digest = hashlib.sha256(_PROOF_PREFIX + batch_id.bytes)
    digest.update(hashlib.sha256(profile.encode()).digest())
    for each in line_digests:
        digest.update(each)
    return digest.digest()
