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
from typing import Final, NamedTuple

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


class PersonOnCard(NamedTuple):
    """What of a member's statement stands on a card (SPEC.md 3.6, 3.8, 3.10), and nothing else of it.

    A tuple, because ten thousand are made in a row.
    """

    record_number: RecordNumber
    citizen_number: CitizenNumber
    full_name: str
    primary_name: str
    secondary_name: str
    birth_date: date
    sex: Sex
    place_of_birth: str
    home_town: str
    ethnic_group: str
    admission_date: date
    recognition_date: date | None
    organisation_code: OrganisationCode

    def __repr__(self) -> str:
        """Where they are recorded; the rest is nobody's business."""
        return f"PersonOnCard(organisation_code={self.organisation_code!r})"


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
