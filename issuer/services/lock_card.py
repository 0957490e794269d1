"""Judge a written card and lock it; or find out that it was locked already (SPEC.md 8.7, 8.8)."""

from collections.abc import Callable

from card_layout.atr import LifeCycle
from card_layout.transport.connection import CardConnection
from issuer.domain.card import Card
from issuer.domain.card_job import CardJob
from issuer.domain.chip import Serial
from issuer.domain.chip_keys import ChipKeySet
from issuer.domain.chip_plan import SetStatus
from issuer.domain.production_errors import CardRejectedError
from issuer.errors import IssuerError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.production_ports import ChipDialect, QualityControl, StationLedger
from issuer.services.visit_progress import VisitStage

__all__ = ["control_and_lock", "find_locked_card"]


def control_and_lock(
    connection: CardConnection,
    job: CardJob,
    *,
    keys_for: Callable[[Serial, int], ChipKeySet],
    dialect: ChipDialect,
    quality_control: QualityControl,
    ledger: StationLedger,
    on_stage: Callable[[VisitStage], None] = lambda _stage: None,
) -> None:
    """From a written card to an issued one; ``on_stage`` is told where it is.

    1. The card is read as a terminal reads it, and every byte compared. A card that fails is read once more,
       because a card is not condemned for one disturbed answer.
    2. That it is going to be locked is recorded.
    3. It is reset and locked; the lock is the last write.
    4. It is reset and has to refuse personalisation and writing.
    5. It is recorded as issued.

    Raises:
        CardRejectedError: it is not what was signed, or stays open to writing.
        IssuerRefusedError: another chip answers (``chip.exchanged``).
        TransportError, AccessError, CardRefusedError: broken off; the next visit finds out how far it came.
    """
    on_stage(VisitStage.QUALITY_CONTROL)
    try:
        quality_control.read_back(connection, job)
    except CardRejectedError:
        quality_control.read_back(connection, job)
    on_stage(VisitStage.LOCK)
    ledger.intend_lock(job.reference)
    connection.reset()
    opened = dialect.open(connection, keys_for=keys_for)
    if opened.serial != job.serial:
        raise IssuerRefusedError(
            f"the chip is {opened.serial.hex().upper()}, expected {job.serial.hex().upper()}",
            code="chip.exchanged",
        )
    opened.execute(SetStatus(life_cycle=LifeCycle.OPERATIONAL))
    on_stage(VisitStage.PROVE_LOCK)
    dialect.prove_locked(connection)
    ledger.record_issued(job.reference)


def find_locked_card(
    connection: CardConnection, *, quality_control: QualityControl, ledger: StationLedger
) -> Card:
    """The record of an operational card whose lock was not yet proven.

    Such a card has no personalisation channel any more and tells no serial. It can only be one of those whose
    lock was intended and not proven; which of them, shows by its CAN opening it, its key being proven and
    every byte being as signed.

    One of them whose data cannot be opened keeps no other from being found.

    Raises:
        IssuerRefusedError: it is none of them (``card.already-issued``): finished long ago, or not ours; or it may be
            one whose data cannot be opened, with the code of that.
        KeystoreError: the station's key is not to be had.
        TransportError: broken off.
    """
    unopened: IssuerError | None = None
    for card in ledger.locking_cards():
        try:
            job = ledger.load_job(card.reference)
        except (IssuerRefusedError, IssuerUnavailableError) as error:
            unopened = unopened or error
            continue
        try:
            quality_control.read_back(connection, job)
        except CardRejectedError:
            # It is another card, which may even have the same CAN by chance.
            continue
        return card
    if unopened is not None:
        raise IssuerRefusedError(
            f"the card is operational, and what some cards that wait for their lock hold cannot be read: {unopened}",
            code=unopened.code,
        ) from unopened
    raise IssuerRefusedError(
        "the card is operational and not one that waits for its lock", code="card.already-issued"
    )
