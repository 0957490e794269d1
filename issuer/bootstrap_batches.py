"""Puts batches together: their use cases over the register of a home."""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime

from card_layout.profile import load_profile
from issuer.bootstrap import RegisterHome
from issuer.bootstrap_keys import open_issuer_keystore
from issuer.domain.status_allotment import RandomBytes
from issuer.keystore_random import KeystoreRandom, draw_pool
from issuer.services.batch_desk import BatchDesk
from issuer.services.control_batches import BatchControl
from issuer.services.deliver_batches import BatchDelivery
from issuer.services.fill_batches import BatchFilling
from issuer.services.freeze_batches import BatchFreezing
from issuer.services.open_batches import BatchOpening
from issuer.services.read_batches import ReadingOfBatches
from issuer.services.write_batch_papers import BatchPapers
from issuer.storage.status_mark_files import FileStatusMarkStore

__all__ = ["BatchOffice", "batches_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOffice:
    """Every use case of batches but signing, which needs a signer."""

    desk: BatchDesk
    opening: BatchOpening
    filling: BatchFilling
    freezing: BatchFreezing
    reading: ReadingOfBatches
    control: BatchControl
    delivery: BatchDelivery
    papers: BatchPapers


def batches_of(opened: RegisterHome, *, random_bytes: RandomBytes | None = None) -> BatchOffice:
    """The use cases over the register of a home; secrets are drawn by its keystore, unless it is open elsewhere.

    Raises:
        CardDataError: the card profile of the settings cannot be loaded.
    """
    desk = BatchDesk(register=opened.register, clock=_now)
    return BatchOffice(
        desk=desk,
        opening=BatchOpening(desk=desk),
        filling=BatchFilling(desk=desk),
        freezing=BatchFreezing(
            desk=desk,
            profile=load_profile(opened.settings.card_profile).name,
            random_bytes=random_bytes or KeystoreRandom(lambda: _draw_pool(opened)),
            marks=FileStatusMarkStore(opened.settings.status_marks_in(opened.home)),
        ),
        reading=ReadingOfBatches(desk=desk),
        control=BatchControl(desk=desk),
        delivery=BatchDelivery(desk=desk),
        papers=BatchPapers(desk=desk),
    )


def _draw_pool(opened: RegisterHome) -> bytes:
    with contextlib.closing(open_issuer_keystore(opened.home, opened.settings)) as keystore:
        return draw_pool(keystore)


def _now() -> datetime:
    return datetime.now(UTC)
