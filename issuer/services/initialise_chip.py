"""Initialise a chip: our keys, its files, its own key pair (SPEC.md 8.5)."""

from card_layout.profile import CardProfile
from issuer.domain.card_files import master_file_contents
from issuer.domain.chip import KEY_VERSION_TRANSPORT
from issuer.domain.chip_key_strength import require_strong_key
from issuer.domain.chip_plan import initialisation_plan
from issuer.services.production_ports import ChipKeys, OpenedChip, StationLedger
from issuer.services.visit_progress import StepReport

__all__ = ["initialise_chip"]


def initialise_chip(
    opened: OpenedChip,
    *,
    profile: CardProfile,
    ledger: StationLedger,
    chip_keys: ChipKeys,
    on_step: StepReport = lambda _done, _steps: None,
) -> None:
    """Carry out the whole initialisation, from the start or once more after a tear; ``on_step`` is told how far it is.

    1. The intent is recorded, and a key of an earlier attempt forgotten.
    2. The plan is carried out; the key is judged and recorded as soon as the chip has answered with it, so that
       it is known before SET STATUS 03 makes it final.
    3. The chip is recorded as initialised.

    Raises:
        ConflictError: another chip made the same key (``chip.key-not-unique``).
        CardRejectedError: anybody could work the key out (``chip.key-weak``).
        CurveError: the key is no valid point.
        TransportError, AccessError, CardRefusedError: as ``OpenedChip.execute``.
    """
    plan = initialisation_plan(
        profile,
        master_file_contents=master_file_contents(profile),
        replace_keys_by=chip_keys.personalisation_version
        if opened.key_version == KEY_VERSION_TRANSPORT
        else None,
    )
    ledger.begin_initialisation(opened.serial)
    for number, step in enumerate(plan, start=1):
        public_key = opened.execute(step)
        if public_key is not None:
            require_strong_key(opened.serial, public_key)
            ledger.record_chip_key(opened.serial, public_key, origin=opened.key_origin)
        on_step(number, len(plan))
    ledger.finish_initialisation(opened.serial)
