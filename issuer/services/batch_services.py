"""The use cases of batches that the console and the API reach, in one hand."""

from dataclasses import dataclass

from issuer.services.batch_operations import BatchOperations
from issuer.services.control_batches import BatchControl
from issuer.services.deliver_batches import BatchDelivery
from issuer.services.fill_batches import BatchFilling
from issuer.services.freeze_batches import BatchFreezing
from issuer.services.open_batches import BatchOpening
from issuer.services.read_batches import ReadingOfBatches
from issuer.services.write_batch_papers import BatchPapers

__all__ = ["BatchServices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchServices:
    """Every use case of batches; signing as an operation."""

    opening: BatchOpening
    operations: BatchOperations
    filling: BatchFilling
    freezing: BatchFreezing
    reading: ReadingOfBatches
    control: BatchControl
    delivery: BatchDelivery
    papers: BatchPapers
