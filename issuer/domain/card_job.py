"""What a station needs to make one card: everything that is written, and what the chip must answer to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from card_layout.curves import EcPublicKey
from issuer.domain.card import CardReference
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip import Serial

__all__ = ["CardJob"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardJob:
    """One signed card, decrypted for the station that makes it.

    Attributes:
        profile: the name of the card profile for which it was signed.
        contents: every file of the application by name (``EF.DG1``), exactly as signed, EF.SOD included.
        mrz_information: 24 characters, the MRZ password (SPEC.md 3.6).
        chip_key: the key that the chip made; quality control has it proven.
    """

    reference: CardReference
    serial: Serial
    profile: str
    secrets: CardSecrets = field(repr=False)
    mrz_information: str = field(repr=False)
    contents: Mapping[str, bytes] = field(repr=False)
    chip_key: EcPublicKey = field(repr=False)
