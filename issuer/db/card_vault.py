"""What opens the rows of cards: the keys of production, and the store where the pictures on them lie.

A picture is most of a card's contents. It is kept once, in the store of portraits, and named in the contents by its
digest, by which it is checked whenever it is read. Its file stays for as long as a card that is not in its member's hands
needs it, whatever portrait the member has by then (``SubjectRepository.files_to_destroy``).
"""

from dataclasses import dataclass, field
from typing import Final

from issuer.db.card_contents import CardContents
from issuer.db.sealing import Sealer
from issuer.domain.card import CardReference
from issuer.domain.card_job import CardJob
from issuer.services.register_ports import PortraitStore
from issuer.services.signing_values import KeptPicture

__all__ = ["CardVault"]

_CONTENTS: Final = "card contents"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardVault:
    """The keys under which secrets and contents of cards are sealed, and the store of portraits."""

    sealer: Sealer = field(repr=False)
    portraits: PortraitStore = field(repr=False)

    def seal_contents(self, job: CardJob, picture: KeptPicture | None = None) -> bytes:
        """What is kept of a card before the signer is asked, as its row holds it; without ``picture``, which lies elsewhere."""
        contents = CardContents(mrz_information=job.mrz_information, files=job.contents)
        return self.sealer.seal(contents.to_bytes(picture), purpose=_CONTENTS, row=job.reference)

    def open_contents(self, sealed: bytes, reference: CardReference) -> CardContents:
        """What ``seal_contents`` sealed, whole.

        Raises:
            IssuerUnavailableError: ``production.seal-broken``, ``production.contents-damaged``,
                ``portrait-store.unavailable``.
            IssuerRefusedError: the picture is gone (``portrait.lost``) or another one (``portrait.altered``).
        """
        plain = self.sealer.open(sealed, purpose=_CONTENTS, row=reference)
        return CardContents.from_bytes(plain, self.portraits.get)
