"""Write one signed card to the chip for which it was signed (SPEC.md 8.6)."""

from card_layout.profile import CardProfile
from issuer.domain.card_job import CardJob
from issuer.domain.chip_plan import personalisation_plan
from issuer.errors import IssuerRefusedError
from issuer.services.production_ports import OpenedChip, StationLedger

__all__ = ["personalise_card"]


def personalise_card(
    opened: OpenedChip, job: CardJob, *, profile: CardProfile, ledger: StationLedger
) -> None:
    """Write everything, from the start or once more after a tear.

    The plan is made before the intent is recorded, because a file that fits no chip must not begin a card.

    Raises:
        IssuerRefusedError: the job is for another chip (``chip.exchanged``).
        TransportError, AccessError, CardRefusedError: as ``OpenedChip.execute``.
    """
    if opened.serial != job.serial:
        raise IssuerRefusedError(
            f"the chip is {opened.serial.hex().upper()}, expected {job.serial.hex().upper()}",
            code="chip.exchanged",
        )
    plan = personalisation_plan(
        profile,
        reference=job.reference,
        secrets=job.secrets,
        mrz_information=job.mrz_information,
        contents=job.contents,
    )
    ledger.begin_personalisation(job.reference)
    for step in plan:
        opened.execute(step)
    ledger.record_personalised(job.reference)
