"""PUT DATA 01 03: trust points and current date of a card in personalisation (SPEC.md, 8.3)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.channel import CardChannel, ExtendedLengths
from issuer.personalisation.scp03 import Scp03Session
from issuer.personalisation.scp03_keys import Scp03Keys
from simulators.card.operating_system import VirtualCard
from simulators.card.trust_points import CVCA_PATH
from simulators.connection import SimulatedReader
from simulators.errors import ImageError
from simulators.image import CardImage, ImageFile

CVCA, DOMESTIC = 0xC0, 0x80
DATE = tlv.encode(0x81, b"20260115")


@pytest.fixture(scope="session")
def unfinished(make_image: Callable[..., CardImage]) -> CardImage:
    """A card in personalisation whose EF.CVCA was created and is empty."""
    file = ImageFile(short_identifier=0x1C, capacity=36)
    return make_image(LifeCycle.PERSONALISING).with_file(CVCA_PATH, file)


def put(card: VirtualCard, data: bytes, p2: int = 3) -> int:
    """Open the channel and send one PUT DATA; gives the status word."""
    keys = Scp03Keys(enc=b"e" * 16, mac=b"m" * 16, dek=b"d" * 16)
    channel = CardChannel(SimulatedReader(card).connect())
    channel.extended = ExtendedLengths(max_command_bytes=4096, max_response_bytes=4096)
    session = Scp03Session.open(channel, keys_for=lambda _: keys)
    command = CommandApdu(cla=0, ins=0xDA, p1=1, p2=p2, data=data)
    return session.transmit(command).status_word


def trust(*certificates: bytes, date: bytes = DATE) -> bytes:
    return tlv.encode(0xA1, date + b"".join(certificates))


def test_the_chip_keeps_them_and_writes_ef_cvca_itself(
    unfinished: CardImage, hierarchy: Any
) -> None:
    card = VirtualCard(unfinished)
    assert put(card, trust(hierarchy.root.certificate)) == 0x9000
    assert card.image.trust_points == (hierarchy.root.certificate,)
    assert card.image.current_date == "20260115"
    assert card.image.files[CVCA_PATH].data == b"\x42\x0bVNROOT00001".ljust(36, b"\x00")
    again = VirtualCard(card.image)
    both = trust(hierarchy.link.certificate, hierarchy.root.certificate)
    assert put(again, both) == 0x9000
    assert again.image.trust_points == (hierarchy.link.certificate, hierarchy.root.certificate)
    expected = b"\x42\x0bVNROOT00002\x42\x0bVNROOT00001".ljust(36, b"\x00")
    assert again.image.files[CVCA_PATH].data == expected
    repeated = VirtualCard(again.image)
    assert put(repeated, both) == 0x9000
    assert repeated.image == again.image


def test_what_was_put_is_what_terminals_are_judged_by(
    unfinished: CardImage, hierarchy: Any, meet: Callable[..., Any]
) -> None:
    card = VirtualCard(unfinished)
    assert put(card, trust(hierarchy.root.certificate)) == 0x9000
    terminal = meet(VirtualCard(card.image.with_state(LifeCycle.OPERATIONAL)))
    assert terminal.read(0x1C) == card.image.files[CVCA_PATH].data
    assert terminal.present_chain(hierarchy.domestic, hierarchy.terminal) == ["9000", "9000"]
    assert terminal.prove_terminal(hierarchy.terminal) == "9000"


@pytest.mark.parametrize("state", list(LifeCycle))
def test_only_a_card_in_personalisation_takes_them(
    unfinished: CardImage, hierarchy: Any, state: LifeCycle
) -> None:
    if state in (LifeCycle.OPERATIONAL, LifeCycle.TERMINATED):
        # No channel opens any more: test_card_scp03.py looks at that.
        return
    card = VirtualCard(unfinished.with_state(state))
    expected = 0x9000 if state is LifeCycle.PERSONALISING else 0x6985
    assert put(card, trust(hierarchy.root.certificate)) == expected
    assert bool(card.image.trust_points) is (expected == 0x9000)


def test_a_card_without_ef_cvca_or_with_too_small_a_one_takes_none(
    unfinished: CardImage, hierarchy: Any
) -> None:
    data = trust(hierarchy.root.certificate)
    files = {path: file for path, file in unfinished.files.items() if path != CVCA_PATH}
    assert put(VirtualCard(replace(unfinished, files=files)), data) == 0x6A82
    small = replace(unfinished.files[CVCA_PATH], capacity=35)
    assert put(VirtualCard(unfinished.with_file(CVCA_PATH, small)), data) == 0x6A84


def spoiled(certificate: bytes) -> bytes:
    return certificate[:-1] + bytes((certificate[-1] ^ 1,))


def test_what_is_no_trust_point_is_refused_and_changes_nothing(
    unfinished: CardImage, hierarchy: Any, make_cv_holder: Callable[..., Any]
) -> None:
    root, link = hierarchy.root.certificate, hierarchy.link.certificate
    other = make_cv_holder("VNROOT00001", CVCA).certificate
    third = make_cv_holder("VNROOT00003", CVCA).certificate
    bare = make_cv_holder("VNROOT00004", CVCA, hierarchy.root, explicit=False).certificate
    for data in (
        b"",
        trust(),
        trust(root, date=b""),
        trust(root, link, third),
        trust(root, root),
        trust(root, other),
        trust(hierarchy.domestic.certificate),
        trust(bare),
        trust(spoiled(root)),
        trust(root[:-1]),
        trust(root) + b"\x00",
        tlv.encode(0xA1, root + DATE),
        tlv.encode(0xA0, DATE + root),
        *(
            trust(root, date=tlv.encode(0x81, date))
            for date in (
                b"",
                b"20260230",
                b"2026115",
                b"260115",
                b"19991231",
                b"2026 115",
                b"2026011\xb5",
            )
        ),
    ):
        card = VirtualCard(unfinished)
        assert put(card, data) == 0x6A80
        assert card.image == unfinished


def test_a_station_does_not_write_ef_cvca_itself(unfinished: CardImage) -> None:
    keys = Scp03Keys(enc=b"e" * 16, mac=b"m" * 16, dek=b"d" * 16)
    card = VirtualCard(unfinished)
    session = Scp03Session.open(
        CardChannel(SimulatedReader(card).connect()), keys_for=lambda _: keys
    )
    select = CommandApdu(cla=0, ins=0xA4, p1=4, p2=0x0C, data=bytes.fromhex("A0000002471001"))
    assert session.transmit(select).status_word == 0x9000
    update = CommandApdu(cla=0, ins=0xD6, p1=0x9C, p2=0, data=bytes(36))
    assert session.transmit(update).status_word == 0x6982
    assert card.image == unfinished


def test_memory_that_cannot_be_written_keeps_all_of_the_old(
    unfinished: CardImage, hierarchy: Any
) -> None:
    def fail(_image: CardImage) -> None:
        raise ImageError("no room", code="image.unwritable")

    card = VirtualCard(unfinished, store=fail)
    assert put(card, trust(hierarchy.root.certificate)) == 0x6581
    assert card.image == unfinished


def test_all_of_it_is_stored_at_once(unfinished: CardImage, hierarchy: Any) -> None:
    stored: list[CardImage] = []
    card = VirtualCard(unfinished, store=stored.append)
    assert put(card, trust(hierarchy.root.certificate)) == 0x9000
    assert stored == [card.image]


def test_a_card_with_an_empty_ef_cvca_is_not_personalised(
    unfinished: CardImage, hierarchy: Any
) -> None:
    def finish(card: VirtualCard) -> int:
        keys = Scp03Keys(enc=b"e" * 16, mac=b"m" * 16, dek=b"d" * 16)
        channel = CardChannel(SimulatedReader(card).connect())
        session = Scp03Session.open(channel, keys_for=lambda _: keys)
        return session.transmit(CommandApdu(cla=0, ins=0xF0, p1=0x80, p2=0x15)).status_word

    assert finish(VirtualCard(unfinished)) == 0x6985
    card = VirtualCard(unfinished)
    assert put(card, trust(hierarchy.root.certificate)) == 0x9000
    assert finish(VirtualCard(card.image)) == 0x9000
