"""What goes between the ledger of cards and whoever has them signed."""

from dataclasses import dataclass, field
from datetime import date

from card_layout.curves import EcPublicKey
from issuer.domain.card import CardReference
from issuer.domain.card_job import CardJob
from issuer.domain.card_secrets import CardSecrets
from issuer.domain.chip import Serial
from issuer.domain.member import PortraitDigest
from issuer.domain.status_allotment import StatusIndex

__all__ = ["CardToSign", "JobToKeep", "KeptPicture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardToSign:
    """A bound card as far as its files and its signature need it.

    Attributes:
        chip_key: ``None`` where the chip made none.
        is_prepared: whether its files are kept, so that the signer may know it.
    """

    reference: CardReference
    serial: Serial
    profile: str
    status: StatusIndex
    secrets: CardSecrets = field(repr=False)
    chip_key: EcPublicKey | None = field(repr=False)
    is_prepared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPicture:
    """The portrait on a card, as the store of portraits keeps it: ``image`` is the JPEG with this digest."""

    digest: PortraitDigest
    image: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobToKeep:
    """What is kept of a card before the signer is asked: what will be written, and its last day.

    The picture is not kept once more where it lies in the store of portraits; without one the files are kept whole.
    """

    job: CardJob
    valid_until: date
    picture: KeptPicture | None = None
