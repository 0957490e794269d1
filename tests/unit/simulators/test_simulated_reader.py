"""The in-process reader and its hopper keep to the port of card_layout; the image on disk is always whole."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.errors import CardError, NoCardError
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.transport.connection import CardConnection, CardReader
from issuer.personalisation.scp03 import Scp03Session
from issuer.personalisation.scp03_keys import Scp03Keys
from simulators.card.operating_system import VirtualCard
from simulators.connection import HopperReader, SimulatedReader, open_reader
from simulators.errors import ImageError
from simulators.faults import Fault, FaultKind
from simulators.hopper import Hopper, find_images
from simulators.image import CardImage

Maker = Callable[..., CardImage]
READ = bytes.fromhex("00B0810000")
KEYS = Scp03Keys(enc=b"e" * 16, mac=b"m" * 16, dek=b"d" * 16)


def test_reader_and_connection_keep_to_the_port(operational: CardImage, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    operational.save(path)
    reader = open_reader(str(path))
    assert isinstance(reader, CardReader)
    assert reader.name == f"sim:{path}"
    assert reader.is_card_present()
    connection = reader.connect()
    assert isinstance(connection, CardConnection)
    assert connection.atr == operational.atr


def test_no_image_is_no_card(tmp_path: Path) -> None:
    reader = open_reader(str(tmp_path / "none.json"))
    assert not reader.is_card_present()
    with pytest.raises(NoCardError) as caught:
        reader.connect()
    assert caught.value.code == "transport.no-card"
    broken = tmp_path / "broken.json"
    broken.write_text("{}", encoding="utf-8")
    with pytest.raises(NoCardError, match="field required"):
        open_reader(str(broken)).connect()


@pytest.mark.parametrize("rest", ["", "{}/*.json", "{}"])
def test_a_name_without_images_is_no_reader(tmp_path: Path, rest: str) -> None:
    with pytest.raises(NoCardError) as caught:
        open_reader(rest.format(tmp_path))
    assert caught.value.code == "transport.no-reader"


def plan(channel: CardChannel) -> None:
    """Personalisation, small: a reference, passwords, a file over several commands, the end."""
    session = Scp03Session.open(channel, keys_for=lambda _: KEYS)

    def send(header: str, data: bytes = b"") -> None:
        ins, p1, p2 = bytes.fromhex(header)
        session.require(CommandApdu(cla=0, ins=ins, p1=p1, p2=p2, data=data))

    send("DA0102", b"r" * 16)
    passwords = tlv.encode(0x81, b"T22000129364081251010318") + tlv.encode(0x82, b"654321")
    send("DA0101", tlv.encode(0xA0, passwords))
    send("A4040C", bytes.fromhex("A0000002471001"))
    send("A4020C", bytes.fromhex("0102"))
    for offset in range(0, 1200, 400):
        p1, p2 = divmod(offset, 256)
        send(f"D6{p1:02X}{p2:02X}", bytes((offset // 400 + 1,)) * 400)
    send("F08015")


@pytest.fixture
def initialised(make_image: Maker) -> CardImage:
    return replace(make_image(LifeCycle.INITIALISED), card_reference=None)


def states_of(initialised: CardImage) -> list[CardImage]:
    """The memory before the plan and after each command that changes it."""
    states = [initialised]
    plan(CardChannel(SimulatedReader(VirtualCard(initialised, store=states.append)).connect()))
    return states


@pytest.mark.parametrize(
    "kind", [FaultKind.TEAR_BEFORE, FaultKind.TEAR_DURING, FaultKind.TEAR_AFTER]
)
def test_a_tear_at_any_command_leaves_the_image_of_before_or_after_it(
    initialised: CardImage, tmp_path: Path, kind: FaultKind
) -> None:
    states = states_of(initialised)
    assert len(states) == 7
    path = tmp_path / "card.json"
    found: list[int] = []
    for number in range(1, 100):
        initialised.save(path)
        reader = SimulatedReader(path, faults=(Fault(kind=kind, at=number),))
        connection = reader.connect()
        try:
            plan(CardChannel(connection))
        except CardError:
            on_disk = CardImage.load(path)
            assert on_disk in states
            found.append(states.index(on_disk))
            assert list(tmp_path.iterdir()) == [path]
            # Put in again, the card says the state that it was left in.
            assert reader.connect().atr == on_disk.atr
        else:
            assert CardImage.load(path) == states[-1]
            break
    else:
        pytest.fail("the plan never ended")
    assert found == sorted(found)
    last = len(states) - 1
    expected = set(range(last)) if kind is FaultKind.TEAR_BEFORE else set(range(last + 1))
    # A card torn after its very last answer has done everything: nobody notices.
    assert set(found) | {last} == expected | {last}


def test_a_card_that_cannot_store_refuses_and_keeps_what_it_had(initialised: CardImage) -> None:
    def full(_image: CardImage) -> None:
        raise ImageError("no space", code="image.unwritable")

    card = VirtualCard(initialised, store=full)
    channel = CardChannel(SimulatedReader(card).connect())
    session = Scp03Session.open(channel, keys_for=lambda _: KEYS)
    command = CommandApdu(cla=0, ins=0xDA, p1=1, p2=2, data=b"r" * 16)
    assert session.transmit(command).status_word == 0x6581
    assert card.image == initialised


def fill(directory: Path, image: CardImage, count: int) -> None:
    for number in range(count):
        replace(image, serial=bytes((number,)) * 10).save(directory / f"{number:04d}.json")
    (directory / "delivery.csv").write_text("serial,image\n", encoding="utf-8")


def serial_in(reader: CardReader) -> int:
    """Which of the cards of ``fill`` is in; it counts as used then."""
    connection = reader.connect()
    answer = connection.transmit(bytes.fromhex("8050000008") + bytes(8) + b"\x00")
    connection.close()
    return answer[0]


@pytest.mark.parametrize("pattern", ["{}", "{}/*.json", "{}/000[0-2].json"])
def test_a_hopper_gives_one_card_after_another(
    blank: CardImage, tmp_path: Path, pattern: str
) -> None:
    fill(tmp_path, blank, 3)
    reader = open_reader(pattern.format(tmp_path))
    assert isinstance(reader, HopperReader)
    assert isinstance(reader, CardReader)
    for number in range(3):
        assert reader.is_card_present()
        assert serial_in(reader) == number
        assert not reader.is_card_present()
    assert not reader.is_card_present()
    with pytest.raises(NoCardError, match="empty"):
        reader.connect()


def test_a_card_that_was_not_used_stays_in_the_hoppers_reader(
    blank: CardImage, tmp_path: Path
) -> None:
    fill(tmp_path, blank, 2)
    reader = open_reader(str(tmp_path))
    reader.connect().close()
    assert reader.is_card_present()
    connection = reader.connect()
    connection.transmit(READ)
    assert reader.is_card_present()
    with pytest.raises(NoCardError):
        reader.connect()
    connection.close()
    # Nobody looked while the card was swapped: the next one is in all the same.
    assert serial_in(reader) == 1


def test_a_card_torn_in_a_hopper_is_followed_by_the_next(blank: CardImage, tmp_path: Path) -> None:
    fill(tmp_path, blank, 2)
    first = replace(blank, faults=(Fault(kind=FaultKind.TEAR_AFTER, at=1),))
    first.save(tmp_path / "0000.json")
    reader = open_reader(str(tmp_path))
    reader.connect().transmit(READ)
    assert not reader.is_card_present()
    assert serial_in(reader) == 1


def test_images_are_found_in_name_order(blank: CardImage, tmp_path: Path) -> None:
    fill(tmp_path, blank, 4)
    names = [path.name for path in find_images(f"{tmp_path}/*[13].json,{tmp_path}/0000.json")]
    assert names == ["0001.json", "0003.json", "0000.json"]
    assert len(find_images(str(tmp_path))) == 4
    for wrong in ("", f"{tmp_path},", f"{tmp_path}/none.json"):
        with pytest.raises(ImageError) as caught:
            find_images(wrong)
        assert caught.value.code == "image.not-found"


def test_an_empty_hopper_has_no_card() -> None:
    hopper = Hopper(())
    assert hopper.current is None
    hopper.advance()
    assert hopper.current is None
