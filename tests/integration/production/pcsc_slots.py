"""The two readers of the virtual driver in the real PC/SC stack, into which a test puts cards and out of which it takes them."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from card_layout.errors import TransportError
from card_layout.transport.readers import list_readers, open_reader, wait_for_removal
from simulators.faults import Fault
from simulators.hopper import Hopper
from simulators.image import CardImage
from simulators.vpcd import FIRST_PORT, VirtualIcc

__all__ = ["Slot", "slots"]


class Slot:
    """One reader of the virtual driver; a card stays in until it is taken out, as people leave one."""

    def __init__(self, number: int, folder: Path) -> None:
        self.name = f"Virtual PCD 00 0{number}"
        self.number = number
        self._folder = folder
        self._icc: VirtualIcc | None = None
        self._thread: threading.Thread | None = None

    def put(self, image: CardImage, *faults: Fault, kind: type[VirtualIcc] = VirtualIcc) -> Path:
        """Put a card in; the file of the card, which tells how far it has come."""
        self.take()
        path = self._folder / f"{image.serial.hex()}.json"
        replace(image, faults=faults).save(path)
        self._icc = kind(
            slot=self.number,
            port=FIRST_PORT + self.number,
            hopper=Hopper([path]),
            report=lambda _line: None,
            stop=threading.Event(),
            stays=True,
        )
        self._thread = threading.Thread(target=self._icc.run)
        self._thread.start()
        return path

    def take(self) -> None:
        icc, self._icc = self._icc, None
        if icc is not None and self._thread is not None:
            icc.stop.set()
            icc.interrupt()
            self._thread.join()


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[tuple[Slot, Slot]]:
    try:
        names = list_readers()
    except TransportError as error:
        pytest.skip(f"there is no PC/SC: {error}")
    found = (Slot(0, tmp_path), Slot(1, tmp_path))
    for slot in found:
        if slot.name not in names:
            pytest.skip(f"pcscd does not run, or has no reader {slot.name!r} (vsmartcard-vpcd)")
        assert wait_for_removal(open_reader(slot.name), timeout_seconds=10)
    try:
        yield found
    finally:
        for slot in found:
            slot.take()
