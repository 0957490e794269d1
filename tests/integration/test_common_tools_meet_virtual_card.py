"""The card is a good citizen of PC/SC: programs that know nothing of it can look at it (OpenSC, pcsc-tools)."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from card_layout.atr import LifeCycle, encode_atr
from card_layout.transport.readers import (
    list_readers,
    open_reader,
    wait_for_card,
    wait_for_removal,
)
from simulators.hopper import Hopper
from simulators.image import CardImage, ImageFile, ReadRule
from simulators.vpcd import Serving, VirtualIcc

pytestmark = [pytest.mark.pcsc, pytest.mark.xdist_group("vpcd")]

READER = "Virtual PCD 00 00"
ATR = encode_atr(LifeCycle.OPERATIONAL, extended_lengths=True)
CARD_ACCESS = bytes.fromhex("31143012060A04007F0007020204020202010202010C")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.json"
    files = {
        "3F00/011C": ImageFile(
            data=CARD_ACCESS, read=ReadRule.ALWAYS, short_identifier=0x1C, capacity=64
        )
    }
    CardImage(
        profile="membercard-1-icao",
        state=LifeCycle.OPERATIONAL,
        serial=bytes(10),
        atr=ATR,
        applications={bytes.fromhex("A0000002471001"): 0x0100},
        files=files,
    ).save(path)
    return path


@contextmanager
def inserted(path: Path) -> Iterator[int]:
    """The card in the first slot; gives the number of its reader."""
    if READER not in list_readers():
        pytest.skip(f"pcscd does not run here with vsmartcard-vpcd: no reader {READER!r}")
    reader = open_reader(READER)
    # pcscd notices only at its next look that a card of the test before is gone.
    if not wait_for_removal(reader, timeout_seconds=5):
        pytest.skip(f"somebody else's card is in {READER!r}")
    stop = threading.Event()
    slot = VirtualIcc(slot=0, hopper=Hopper([path]), report=lambda _: None, stop=stop)
    service = Serving([slot], stop=stop)
    thread = threading.Thread(target=lambda: service.run(until_empty=True))
    thread.start()
    try:
        assert wait_for_card(reader, timeout_seconds=10)
        yield list_readers().index(READER)
    finally:
        service.end()
        thread.join(10)
        assert not thread.is_alive()


def run(name: str, *arguments: str) -> str:
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    finished = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    return finished.stdout + finished.stderr


def test_opensc_tool_tells_the_atr_and_exchanges_apdus(image: Path) -> None:
    with inserted(image) as number:
        answer = run("opensc-tool", "--reader", str(number), "--atr")
        assert ATR.hex() == "".join(answer.strip().splitlines()[-1].split(":")).lower()
        exchanged = run(
            "opensc-tool",
            "--reader",
            str(number),
            "--card-driver",
            "default",
            "--send-apdu",
            "00A4020C02011C",
            "--send-apdu",
            "00B0000000",
        )
    assert "SW1=0x90, SW2=0x00" in exchanged
    assert CARD_ACCESS[:8].hex(" ").upper() in exchanged


def test_pcsc_scan_finds_the_card_and_its_atr(image: Path) -> None:
    with inserted(image):
        program = shutil.which("pcsc_scan")
        if program is None:
            pytest.skip("pcsc_scan is not installed")
        found = run("timeout", "--signal=INT", "6", program, "-n")
    assert READER in found
    assert ATR.hex(" ").upper() in found
