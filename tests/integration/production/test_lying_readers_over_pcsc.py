"""Readers that lie behind the real pcscd: what the service passes on is no more believed than what a reader says itself."""

from typing import Any

import pytest

from card_layout.atr import LifeCycle
from card_layout.transport.readers import open_reader, wait_for_card, wait_for_removal
from issuer.services.visit_chip import StationTask, Visit, VisitResult
from simulators.image import CardImage
from simulators.vpcd import VirtualIcc
from tests.integration.production.pcsc_slots import Slot, slots
from tests.integration.production.station_stage import Stations, prepared

__all__ = ["slots"]

pytestmark = [pytest.mark.slow, pytest.mark.pcsc]

SET_STATUS = 0xF0
SECONDS = 10


def answered(connection: Any, answer: bytes) -> bool:
    connection.sendall(len(answer).to_bytes(2, "big") + answer)
    return True


class SaysYes(VirtualIcc):
    """All is well, whatever is asked; the chip is never told."""

    def _answer(self, connection: Any, *_: Any) -> bool:  # type: ignore[override]  # this is the lie
        return answered(connection, b"\x90\x00")


class SaysNo(VirtualIcc):
    """As a locked card answers, from the first command on."""

    def _answer(self, connection: Any, *_: Any) -> bool:  # type: ignore[override]  # this is the lie
        return answered(connection, b"\x6d\x00")


class DropsTheLock(VirtualIcc):
    """Passes everything on but the last write, and says that it was carried out."""

    last_writes = 0

    def _answer(self, connection: Any, card: Any, exchange: Any, command: bytes) -> bool:  # type: ignore[override]
        if command[1] == SET_STATUS:
            self.last_writes += 1
            if self.last_writes == 2:
                return answered(connection, b"\x90\x00")
        return VirtualIcc._answer(connection, card, exchange, command)


class Truncates(VirtualIcc):
    """Gives back what the chip says, but for the last byte."""

    def _answer(self, connection: Any, card: Any, exchange: Any, command: bytes) -> bool:  # type: ignore[override]
        if not card.is_powered:
            card.power_on()
        return answered(connection, exchange.transmit(command)[:-1])


def visit(workshop: Any, station: Any, slot: Slot) -> Any:
    reader = open_reader(slot.name)
    assert wait_for_card(reader, timeout_seconds=SECONDS)
    connection = reader.connect()
    try:
        return Visit(workshop.bench(StationTask.RUN, station.ledger), connection).run()
    finally:
        connection.close()
        slot.take()
        assert wait_for_removal(reader, timeout_seconds=SECONDS)


@pytest.mark.parametrize("kind", [SaysYes, SaysNo, DropsTheLock, Truncates])
def test_a_reader_that_lies_to_pcscd_makes_no_card_and_the_chip_goes_on_in_an_honest_one(
    workshop: Any, stations: Stations, slots: tuple[Slot, Slot], kind: type[VirtualIcc]
) -> None:
    station = stations.here()
    [card] = prepared(workshop, station)
    slot = slots[0]
    path = slot.put(card.image, kind=kind)
    lied = visit(workshop, station, slot)
    assert lied.result is not VisitResult.DONE
    assert lied.code
    assert CardImage.load(path).state is not LifeCycle.OPERATIONAL
    assert station.ledger.hand_in()
    for record in workshop.stock.chips():
        if record.chip.held is not None:
            workshop.stock.release(record.chip.serial)
    slot.put(CardImage.load(path))
    assert visit(workshop, station, slot).result is VisitResult.DONE
    assert CardImage.load(path).state is LifeCycle.OPERATIONAL
    assert station.ledger.hand_in()
