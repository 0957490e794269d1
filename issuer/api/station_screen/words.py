"""What a station's screen says: each code as a sentence and what to do, for somebody who stands there with a card in hand."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from issuer.api.languages import message
from issuer.services.visit_progress import VisitStage
from issuer.stations.operator import RejectReason
from issuer.stations.screen_state import MadeKind, PanelKind

__all__ = ["BIG_WORDS", "CODES", "DONE", "MADE", "MADE_SHORT", "REASONS", "STAGES", "words_of"]

BIG_WORDS: Final[Mapping[PanelKind, str]] = MappingProxyType(
    {
        PanelKind.EMPTY: message("Put a chip in"),
        PanelKind.BUSY: message("Working"),
        PanelKind.GOOD: message("Done"),
        PanelKind.BAD: message("Stop"),
    }
)

STAGES: Final[Mapping[VisitStage, str]] = MappingProxyType(
    {
        VisitStage.IDENTIFY: message("Recognise the chip"),
        VisitStage.INITIALISE: message("Make the chip ready"),
        VisitStage.PERSONALISE: message("Write the card"),
        VisitStage.QUALITY_CONTROL: message("Read back and compare"),
        VisitStage.LOCK: message("Lock"),
        VisitStage.PROVE_LOCK: message("Prove the lock"),
    }
)

DONE: Final[Mapping[MadeKind, str]] = MappingProxyType(
    {
        MadeKind.CARD: message("Put the card into the box of finished cards."),
        MadeKind.BLANK: message("The chip is ready. Put it to the initialised ones."),
    }
)
"""Where to put what is good."""

_DESTROY: Final = message("Put it into the box of chips to be destroyed.")
_QUALITY: Final = message("Put it aside for the quality controller.")
_OFFICE: Final = message("Put it aside, and tell the office the code.")
_AGAIN: Final = message("Put the chip in again: it goes on where it stopped.")

_FILE_LEFT: Final = (
    message("A file with keys or card data that this station was given cannot be erased."),
    message("Have the file or its stick made writable, then close the day again."),
)

MADE: Final[Mapping[MadeKind, tuple[str, str]]] = MappingProxyType(
    {
        MadeKind.CONDEMNED: (message("The chip is rejected: it will never be a card."), _DESTROY),
        MadeKind.HELD: (message("The chip does not agree with our records."), _QUALITY),
        MadeKind.INTERRUPTED: (message("The exchange with the chip broke off."), _AGAIN),
        MadeKind.REFUSED: (message("The chip was not taken; nothing was changed."), _OFFICE),
    }
)
"""What is said of a code that has no sentence of its own, by how the visit ended."""

MADE_SHORT: Final[Mapping[MadeKind, str]] = MappingProxyType(
    {
        MadeKind.CARD: message("card"),
        MadeKind.BLANK: message("initialised"),
        MadeKind.CONDEMNED: message("rejected"),
        MadeKind.HELD: message("held"),
        MadeKind.INTERRUPTED: message("broken off"),
        MadeKind.REFUSED: message("not taken"),
    }
)

REASONS: Final[Mapping[RejectReason, str]] = MappingProxyType(
    {
        RejectReason.MISPRINTED: message("Printed badly"),
        RejectReason.MIXED_UP: message("Print and chip do not belong together"),
        RejectReason.SCRATCHED: message("Scratched or dirty"),
        RejectReason.BENT: message("Bent or broken"),
        RejectReason.CHIP_SILENT: message("The chip does not answer any more"),
        RejectReason.OTHER: message("Another reason"),
    }
)

CODES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "chip.not-in-stock": (
            message("This chip is not in our stock."),
            message("Put it aside for the storekeeper."),
        ),
        "chip.elsewhere": (
            message("The stock has this chip at another place."),
            message("Put it aside for the storekeeper."),
        ),
        "chip.stolen": (
            message("This chip is on the list of stolen chips."),
            message("Give it to nobody, and call the storekeeper at once."),
        ),
        "chip.sample": (
            message("This chip is a sample and becomes no card."),
            message("Put it back to the samples."),
        ),
        "chip.held": (
            message("This chip is held: somebody has to look at it first."),
            _QUALITY,
        ),
        "chip.unknown-kind": (
            message("This is no chip of ours."),
            message("Put in a chip of our stock."),
        ),
        "chip.terminated": (message("This chip was ended for good."), _DESTROY),
        "chip.not-bound": (
            message("The chip is ready, but it belongs to no member yet."),
            message("Put it to the initialised ones, and make the card when its batch is signed."),
        ),
        "card.not-signed": (
            message("The card is not signed yet."),
            message("Put it back, and make the card when its batch is signed."),
        ),
        "card.already-issued": (
            message("This card is finished already."),
            message("Put the card into the box of finished cards."),
        ),
        "card.condemned": (message("This card was rejected before."), _DESTROY),
        "card.rejected-by-operator": (
            message("You rejected this card; its member gets another one."),
            _DESTROY,
        ),
        "card.passed": (
            message("Quality control has passed this card, so no station rejects it."),
            message("Put it aside, and have it reported as damaged."),
        ),
        "station.claimed-elsewhere": (
            message("Another station has this chip."),
            message("Take it to that station."),
        ),
        "station.other-batch": (
            message("This card is of another batch."),
            message("Put it to the chips of its batch."),
        ),
        "station.not-in-bundle": (
            message("This station was given no order for this chip."),
            message("Put it aside, and ask the office for an order."),
        ),
        "station.link-lost": (
            message("The centre does not answer."),
            message("Go on with what is begun. Try again when the connection is back."),
        ),
        "station.clock-back": (
            message("The clock of this computer is wrong."),
            message("Have the clock set, then put the chip in again."),
        ),
        "station.clock-wrong": (
            message("The clock of this computer is wrong."),
            message("Have the clock set, then put the chip in again."),
        ),
        "station.journal-back": (
            message("This station's journal is an older copy: it must not go on."),
            message("Put no chip in any more, and call whoever looks after the stations."),
        ),
        "station.centre-back": (
            message("The office has lost a part of what this station told it."),
            message("Put no chip in any more, and call whoever looks after the stations."),
        ),
        "station.dismissed": (
            message("The office works with this station no more."),
            message("Put no chip in any more, and call whoever looks after the stations."),
        ),
        "trust-point.missing": (
            message("A certificate that the card needs is missing at this station."),
            _OFFICE,
        ),
        "personalisation.keys-not-given": (
            message("This station was given no keys for this chip."),
            _OFFICE,
        ),
        "personalisation.last-try": (
            message("This chip was given wrong keys too often: one more would end it."),
            _QUALITY,
        ),
        "reader.mute-chip": (
            message("The chip does not answer."),
            message("Put it in again, the contacts clean and the right way round."),
        ),
        "reader.lost": (
            message("The reader is not there."),
            message("Plug it in again: it goes on by itself."),
        ),
        "reader.given-up": (
            message("Several chips in a row were rejected on this reader."),
            message("Find the cause, then press G to let this reader go on."),
        ),
        "station.chip-in-work": (
            message("A chip is being worked on."),
            message("Wait until it is finished, then do it again."),
        ),
        "station.unfinished": (
            message("There are chips that were begun and not finished."),
            message("Put each in once more, or reject it; then close the day."),
        ),
        "station.not-claimed": (
            message("This station does not have that chip any more."),
            message("Ask the quality controller to reject it."),
        ),
        "station.reader-works": (message("This reader has not stopped."), ""),
        "station.no-such-reader": (message("There is no such reader."), ""),
        "station.not-running": (
            message("The station is being started."),
            message("Wait a moment."),
        ),
        "production.wrong-state": (message("That cannot be done any more with this card."), ""),
        "print.no-queue": (message("No printer is set for this station."), ""),
        "print.nothing": (
            message("There is no finished card of today to print again."),
            "",
        ),
        "print.unavailable": (
            message("The printer cannot be reached."),
            message("See to the printer, then do it again."),
        ),
        "station.keys-left": _FILE_LEFT,
        "station.orders-left": _FILE_LEFT,
        "station.journal-full": (
            message("The disk of this station is full."),
            message("Have room made on the disk, then start the station again."),
        ),
    }
)

_ELSE: Final = (message("That did not go."), _OFFICE)


def words_of(code: str | None, made: MadeKind | None) -> tuple[str, str]:
    """A sentence for a code and what to do, both still to be translated; what to do may be empty."""
    found = CODES.get(code or "")
    if found is not None:
        return found
    return MADE.get(made, _ELSE) if made is not None else _ELSE
