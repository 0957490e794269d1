"""The terminal as a clerk tries it: a real browser, the real PC/SC stack, cards that are put in and taken out."""

import json
import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page

from simulators.faults import Fault, FaultKind
from simulators.image import Timing
from tests.e2e.terminal_office import (
    CAN,
    FORGED_CAN,
    TerminalOffice,
    paired_page,
    record_steps,
    require_reader_and_browser,
    shown_steps,
    stage,
    until,
)
from verifier.api.texts import STEPS
from verifier.services.terminal_state import ReadingStep

pytestmark = pytest.mark.pcsc

_KEPT = ("insert-card", "reading", "accepted", "refused")
"""The pictures of docs/terminal.md."""


@pytest.fixture
def office(tmp_path: Path) -> TerminalOffice:
    require_reader_and_browser()
    return TerminalOffice.open(tmp_path)


def look(office: TerminalOffice, page: Page, name: str) -> None:
    """For people: what the page looks like; with MEMBERCARD_SCREENSHOTS the pictures of the documentation are made anew."""
    path = office.folder / f"{name}.png"
    page.screenshot(path=path)
    kept = os.environ.get("MEMBERCARD_SCREENSHOTS")
    if kept is not None and name in _KEPT:
        with Image.open(path) as picture:
            small = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
        small.save(Path(kept) / f"{name}.png", optimize=True)


def test_a_clerk_inspects_cards_with_six_digits_each(office: TerminalOffice) -> None:
    # So slow that whoever looks sees how far it is, whatever else this machine does.
    slow = replace(
        office.genuine,
        timing=Timing.CHIP,
        faults=(Fault(kind=FaultKind.DELAY, at=20, milliseconds=4000),),
    )
    with office.terminal() as address, paired_page(address) as watched:
        page = watched.page
        stage(page, "insert-card")
        look(office, page, "insert-card")
        page.click("#camera")
        page.focus("#typed")

        # An accepted card, with its portrait beside the live picture.
        with office.card(slow):
            stage(page, "enter-password")
            look(office, page, "enter-can")
            record_steps(page)
            page.keyboard.type(CAN)
            page.wait_for_selector(f".steps .now:has-text('{STEPS[ReadingStep.FILES].vi}')")
            look(office, page, "reading")
            stage(page, "result")
            steps = [text.vi for text in STEPS.values()]
            shown = shown_steps(page)
            assert shown == sorted(shown, key=steps.index)
            assert page.text_content(".verdict h2") == "CHẤP NHẬN"
            assert office.name in (page.text_content("dl") or "")
            until(page, "document.querySelector('.faces img').naturalWidth > 100")
            page.wait_for_selector("#live video")
            until(page, "document.querySelector('#live video').videoWidth > 0")
            assert page.evaluate("document.body.dataset.heard") == "accepted"
            # An answer by keyboard alone; the page says no such thing by itself.
            assert page.query_selector('[aria-pressed="true"][data-key]') is None
            page.wait_for_timeout(900)
            page.keyboard.press("1")
            page.wait_for_selector('.compared-yes[aria-pressed="true"]')
            until(page, "document.querySelector('#live video').videoWidth > 0")
            look(office, page, "accepted")
            portrait = page.evaluate("document.querySelector('.faces img').src")

        # Taking it out clears everything that was of the card.
        stage(page, "insert-card")
        assert office.name not in page.content()
        assert page.query_selector("img, video") is None
        assert (
            page.evaluate("address => fetch(address).then(answer => answer.status)", portrait)
            == 404
        )
        watched.complaints.clear()

        # A copy on another chip.
        with office.card(office.forged):
            stage(page, "enter-password")
            page.keyboard.type("000000")
            page.wait_for_selector('.notice:has-text("access.wrong-password")')
            page.keyboard.type(FORGED_CAN)
            stage(page, "result")
            assert page.text_content(".verdict h2") == "TỪ CHỐI"
            assert "chip.not-proven" in (page.text_content(".codes") or "")
            assert page.query_selector("img, dl, .answers") is None
            look(office, page, "refused")
        stage(page, "insert-card")
        assert watched.complaints == []
        assert {urlsplit(each).netloc for each in watched.addresses} == {urlsplit(address).netloc}
    listed = json.loads(office.call("journal", "list", "--format", "json").stdout)
    assert [record.get("verdict", record.get("holder")) for record in reversed(listed)] == [
        "accepted", "compared-yes", "unreadable", "refused",
    ]  # fmt: skip
    assert office.name not in json.dumps(listed, ensure_ascii=False)
    assert office.call("journal", "verify").stdout.startswith("4:")


def test_a_scanner_gives_the_zone_line_by_line_before_the_card(office: TerminalOffice) -> None:
    zone = office.genuine.files["A0000002471001/0101"].data[5:].decode()
    with office.terminal() as address, paired_page(address, locale="en-GB") as watched:
        page = watched.page
        stage(page, "insert-card")
        for line in (zone[:30], zone[30:60], zone[60:]):
            page.keyboard.type(line)
            page.keyboard.press("Enter")
        page.wait_for_selector('h2:has-text("Number taken")')
        assert page.query_selector("#typed") is None
        with office.card(office.genuine):
            stage(page, "result")
            assert page.text_content(".verdict h2") == "ACCEPTED"
            page.keyboard.press("Escape")
            stage(page, "remove-card")
            assert office.name not in page.content()
        stage(page, "insert-card")
        assert watched.complaints == []


def test_a_page_whose_terminal_is_gone_shows_nothing_of_the_card(office: TerminalOffice) -> None:
    with office.card(office.genuine), ExitStack() as opened:
        with office.terminal() as address:
            page = opened.enter_context(paired_page(address)).page
            stage(page, "enter-password")
            page.keyboard.type(CAN)
            stage(page, "result")
            assert office.name in page.content()
        # The card is still in, and nobody is left who would say that it is taken out.
        stage(page, "disconnected")
        assert office.name not in page.content()
