"""A station's screen in a real browser, its readers behind the real pcscd: a card that is left in, one that is pulled out.

With ``MEMBERCARD_SCREENSHOTS=docs/stations`` the picture of docs/stations.md is made anew.
"""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from card_layout.errors import TransportError
from card_layout.transport.readers import list_readers, open_reader, wait_for_removal
from simulators.faults import Fault, FaultKind
from simulators.hopper import Hopper
from simulators.image import CardImage
from simulators.vpcd import FIRST_PORT, VirtualIcc
from tests.integration.production.screen_stage import ScreenStage
from tests.integration.production.station_stage import Stations, prepared
from tests.integration.production.test_station_screen_in_the_browser import (
    CHROMIUM,
    browser,
    paired,
    panel,
    picture,
)

__all__ = ["browser"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.pcsc,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]


class Slot:
    """One reader of the virtual driver; a card stays in until it is taken out, as people leave one."""

    def __init__(self, number: int, folder: Path) -> None:
        self.name = f"Virtual PCD 00 0{number}"
        self.number = number
        self._folder = folder
        self._icc: VirtualIcc | None = None
        self._thread: threading.Thread | None = None

    def put(self, image: CardImage, *faults: Fault) -> Path:
        """The file of the card, which tells how far it has come."""
        self.take()
        path = self._folder / f"{image.serial.hex()}.json"
        replace(image, faults=faults).save(path)
        self._icc = VirtualIcc(
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


def test_an_operator_sees_what_happens_in_real_readers(
    browser: Browser, workshop: Any, stations: Stations, slots: tuple[Slot, Slot]
) -> None:
    under_test = stations.here("station-1")
    first, second = (card.image for card in prepared(workshop, under_test, 2))
    left, right = slots
    readers = [open_reader(slot.name) for slot in slots]
    stage = ScreenStage(workshop, under_test, readers=readers)
    with stage.served() as addresses, stage.working():
        watched = paired(browser, addresses[-1])
        page = watched.page
        for number, slot in enumerate(slots, start=1):
            expect(panel(page, number, "empty")).to_contain_text(slot.name)
        page.keyboard.press("Shift")

        # One card is made and stays in; the other is pulled out in the middle.
        left.put(first)
        torn = right.put(second, Fault(kind=FaultKind.TEAR_AFTER, at=12))
        green = panel(page, 1, "good")
        expect(green.locator(".number")).to_have_text("98.000001")
        red = panel(page, 2, "bad")
        expect(red).to_contain_text("Trao đổi với chip bị ngắt giữa chừng")
        expect(red).to_contain_text("Đặt lại chip")
        picture(page, "screen-over-pcsc")

        # It is put in again, and goes on; nothing is told of the card that was left in.
        right.put(CardImage.load(torn))
        expect(panel(page, 2, "good").locator(".number")).to_have_text("98.000002")
        expect(panel(page, 1, "good").locator(".number")).to_have_text("98.000001")
        expect(page.locator(".made dd")).to_have_text("2")
        assert page.locator(".last li").count() == 2

        # A finished card that comes back is green no more, and changes nothing.
        left.take()
        right.take()
        # pcscd looks two times a second: a card that is back sooner was never out for it.
        expect(panel(page, 2, "good")).to_contain_text("Đầu đọc trống")
        right.put(CardImage.load(torn))
        refused = panel(page, 2, "bad")
        expect(refused.locator("code")).to_have_text("card.already-issued")
        right.take()
        page.keyboard.press("d")
        page.keyboard.press("Enter")
        expect(page.locator(".banner")).to_contain_text("Đã đóng sổ ngày: 2 thẻ, 0 bị loại")
    assert [each for each in watched.complaints if "net::" not in each] == []
