"""Print jobs as files of a folder, each sealed to the printer's certificate: nobody else opens what stands on a card."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from issuer.domain.card_job import CardJob
from issuer.errors import IssuerUnavailableError
from issuer.stations.job_codec import job_to_bytes
from pki.durable import create_file
from pki.errors import PkiError
from pki.signed.sealed_envelope import sealed_to

__all__ = ["FolderPrintQueue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPrintQueue:
    """Implements ``PrintQueue``: ``SERIAL-COPY.print``, whole or not there at all.

    Attributes:
        directory: the folder; the printer takes files out of it.
        certificate: of the key that the printer opens jobs with, issued for a station.
    """

    directory: Path
    certificate: bytes = field(repr=False)
    random_bytes: Callable[[int], bytes] = os.urandom

    def hand_over(self, job: CardJob, *, copy: int) -> None:
        """See ``PrintQueue.hand_over``."""
        path = self.directory / f"{job.serial.hex().upper()}-{copy}.print"
        try:
            create_file(
                path,
                sealed_to(self.certificate, job_to_bytes(job), random_bytes=self.random_bytes),
            )
        except FileExistsError:
            # The same copy, handed over before we were cut off.
            return
        except (OSError, PkiError) as error:
            raise IssuerUnavailableError(
                f"the print job of chip {job.serial.hex().upper()} cannot be handed over: "
                f"{type(error).__name__}",
                code="print.unavailable",
                hint="print it again when the folder is there",
            ) from error
