"""Jobs of a station in the same process as the database: sealed under the key of the card data, which is here."""

from dataclasses import dataclass
from typing import Final

from issuer.db.sealing import Sealer
from issuer.domain.card import CardReference
from issuer.domain.card_job import CardJob
from issuer.stations.job_codec import job_from_bytes, job_to_bytes

__all__ = ["LocalJobSeal"]

_PURPOSE: Final = "station job"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalJobSeal:
    """Implements ``JobSeal``."""

    sealer: Sealer

    def seal(self, job: CardJob) -> bytes:
        """See ``JobSeal.seal``."""
        return self.sealer.seal(job_to_bytes(job), purpose=_PURPOSE, row=job.reference)

    def open(self, sealed: bytes, reference: CardReference) -> CardJob:
        """See ``JobSeal.open``."""
        plain = self.sealer.open(sealed, purpose=_PURPOSE, row=reference)
        return job_from_bytes(plain, reference=reference)
