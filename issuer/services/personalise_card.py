"""Write one signed card to the chip for which it was signed (SPEC.md 8.6)."""

from collections.abc import Mapping
from datetime import date

from card_layout.files.trust_points import TrustPoints
from card_layout.profile import CardProfile
from issuer.domain.card_job import CardJob
from issuer.domain.chip_plan import TRUST_POINTS_FILE, PutTrustPoints, personalisation_plan
from issuer.errors import IssuerRefusedError
from issuer.services.production_ports import OpenedChip, StationLedger
from issuer.services.visit_progress import StepReport

__all__ = ["personalise_card"]


def personalise_card(
    opened: OpenedChip,
    job: CardJob,
    *,
    profile: CardProfile,
    ledger: StationLedger,
    trust_points: Mapping[bytes, bytes],
    today: date,
    on_step: StepReport = lambda _done, _steps: None,
) -> None:
    """Write everything, from the start or once more after a tear; ``on_step`` is told how far it is.

    The plan is made before the intent is recorded, because a file that fits no chip must not begin a card.
    ``trust_points`` are the CVCA certificates at hand by their reference; the job names the ones that it needs.

    Raises:
        IssuerRefusedError: the job is for another chip (``chip.exchanged``), or needs a trust point that is not
            at hand (``trust-point.missing``).
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
        trust_points=_trust_points(job, trust_points, today),
    )
    ledger.begin_personalisation(job.reference)
    for number, step in enumerate(plan, start=1):
        opened.execute(step)
        on_step(number, len(plan))
    ledger.record_personalised(job.reference)


def _trust_points(job: CardJob, known: Mapping[bytes, bytes], today: date) -> PutTrustPoints | None:
    """The certificates that the job's EF.CVCA names."""
    content = job.contents.get(TRUST_POINTS_FILE)
    if content is None:
        return None
    references = TrustPoints.from_bytes(content).references
    missing = [item.decode("iso-8859-1") for item in references if item not in known]
    if missing:
        raise IssuerRefusedError(
            f"the card is to trust {missing[0]}, whose certificate is not here",
            code="trust-point.missing",
            hint="membercard-issuer keys import-trust-point CVCA.cvcert",
        )
    return PutTrustPoints(
        certificates=tuple(known[item] for item in references), current_date=today
    )
