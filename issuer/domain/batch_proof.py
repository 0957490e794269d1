"""The proof of a batch: what every card will show, in the order of the sheet, and the digest that two people compare.

The digest of a line covers everything about the person that is written to the card or printed on it, and nothing
else; the digest of the proof covers the batch, the profile and every line. A line is digested as a JSON array, so
that no two different lines give the same bytes.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from issuer.domain.batch import BatchId
from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberStatement, PortraitDigest
from issuer.domain.requests import RequestId, RequestKind

__all__ = ["ProofLine", "proof_digest"]

_LINE_PREFIX: Final = b"membercard batch proof line v1\x00"
_PROOF_PREFIX: Final = b"membercard batch proof v1\x00"
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofLine:
    """One card as it is going to be.

    Attributes:
        request_id: by which request.
        card_number: the number it shows.
        kind, ordinal: of what kind it is, and which of the member's cards.
        statement: what is stated of the member.
        portrait: the digest of the picture.
        organisation_name, issuing_committee: the names that the card holds.
    """

    request_id: RequestId
    card_number: CardNumber = field(repr=False)
    kind: RequestKind
    ordinal: int
    statement: MemberStatement = field(repr=False)
    portrait: PortraitDigest
    organisation_name: str
    issuing_committee: str

    @property
    def digest(self) -> bytes:
        """32 bytes that no other line has."""
        statement = self.statement
        recognised = statement.recognition_date
        fields = (
            self.request_id.hex,
            self.card_number,
            self.kind.value,
            self.ordinal,
            statement.record_number,
            statement.citizen_number,
            statement.name.full,
            statement.name.primary,
            statement.name.secondary,
            statement.birth_date.isoformat(),
            statement.sex.value,
            statement.place_of_birth,
            statement.home_town,
            statement.ethnic_group,
            statement.admission_date.isoformat(),
            None if recognised is None else recognised.isoformat(),
            statement.organisation_code,
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
