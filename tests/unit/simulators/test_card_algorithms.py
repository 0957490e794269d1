"""PACE, secure messaging and chip authentication over every curve and key length (9303-11, 9.5.1 and 9.8)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from card_layout.curves import NamedCurve
from card_layout.files.card_access import CardAccess
from card_layout.files.security_infos import PaceInfo, SecurityInfos
from simulators.card.operating_system import VirtualCard
from simulators.card.points import Point
from simulators.image import CardImage, EcKey, ImageFile, ReadRule, SessionAlgorithm

CAN = b"123456"
SCALAR = 0x1234567
ALGORITHMS = [SessionAlgorithm.AES_128, SessionAlgorithm.AES_192, SessionAlgorithm.AES_256]
ARCS = {SessionAlgorithm.AES_128: 2, SessionAlgorithm.AES_192: 3, SessionAlgorithm.AES_256: 4}


def offering(image: CardImage, *offers: tuple[int, SessionAlgorithm, NamedCurve]) -> CardImage:
    """The card with these PACEInfos."""
    infos = tuple(
        PaceInfo(
            protocol=f"0.4.0.127.0.7.2.2.4.{mapping}.{ARCS[algorithm]}",
            parameter_id=curve.pace_parameter_id,
        )
        for mapping, algorithm, curve in offers
    )
    data = CardAccess(security_infos=SecurityInfos(infos=infos)).to_bytes()
    file = ImageFile(data=data, read=ReadRule.ALWAYS, short_identifier=0x1C, capacity=512)
    return image.with_file("3F00/011C", file)


@pytest.mark.parametrize("curve", NamedCurve)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_curve_opens_and_proves_with_every_key_length(
    operational: CardImage,
    open_terminal: Callable[[VirtualCard], Any],
    curve: NamedCurve,
    algorithm: SessionAlgorithm,
) -> None:
    key = EcKey(curve=curve, private_scalar=SCALAR, key_id=1, algorithms=(algorithm,))
    image = offering(operational, (2, algorithm, curve))
    image = replace(image, keys=replace(image.keys, chip_authentication=(key,)))
    terminal = open_terminal(VirtualCard(image))
    assert terminal.pace(CAN, algorithm=algorithm, curve=curve)
    terminal.select_application()
    assert b"EF.DG1" in terminal.read(1)
    public = Point.generator(curve).times(SCALAR)
    terminal.prove_chip((public.x, public.y), curve, algorithm, key_id=1)
    assert terminal.status == "9000"
    assert b"EF.DG14" in terminal.read(14)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_wrong_password_is_told_at_the_last_step_whatever_the_algorithm(
    operational: CardImage,
    open_terminal: Callable[[VirtualCard], Any],
    algorithm: SessionAlgorithm,
) -> None:
    card = VirtualCard(offering(operational, (2, algorithm, NamedCurve.SECP256R1)))
    terminal = open_terminal(card)
    assert terminal.pace(b"123457", algorithm=algorithm) == {}
    assert terminal.status == "6300"
    assert card.image.secrets.wrong_passwords == 1


def test_the_card_offers_what_its_card_access_says_and_nothing_else(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    card = VirtualCard(
        offering(
            operational,
            (2, SessionAlgorithm.AES_128, NamedCurve.SECP256R1),
            (2, SessionAlgorithm.AES_256, NamedCurve.SECP384R1),
        )
    )
    for algorithm in ALGORITHMS:
        for curve in NamedCurve:
            offered = (algorithm, curve) in (
                (SessionAlgorithm.AES_128, NamedCurve.SECP256R1),
                (SessionAlgorithm.AES_256, NamedCurve.SECP384R1),
            )
            terminal = open_terminal(card)
            assert bool(terminal.pace(CAN, algorithm=algorithm, curve=curve)) is offered
            assert terminal.status == ("9000" if offered else "6A80")


def test_parameters_may_be_left_out_only_where_there_is_one_set(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    set_at = bytes.fromhex("800A04007F00070202040202830102")
    one = (2, SessionAlgorithm.AES_128, NamedCurve.SECP256R1)
    other = (2, SessionAlgorithm.AES_128, NamedCurve.BRAINPOOLP256R1)
    for offers, status in (((one,), "9000"), ((one, other), "6A88")):
        terminal = open_terminal(VirtualCard(offering(operational, *offers)))
        terminal.plain("0022C1A4", set_at, le=False)
        assert terminal.status == status


def test_a_key_serves_only_the_algorithms_that_it_names(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    curve = NamedCurve.SECP256R1
    keys = tuple(
        EcKey(curve=curve, private_scalar=SCALAR + number, key_id=number, algorithms=algorithms)
        for number, algorithms in enumerate(
            [(SessionAlgorithm.AES_128,), (SessionAlgorithm.AES_192, SessionAlgorithm.AES_256)]
        )
    )
    image = replace(operational, keys=replace(operational.keys, chip_authentication=keys))
    for key in keys:
        for algorithm in ALGORITHMS:
            terminal = open_terminal(VirtualCard(image))
            terminal.pace(CAN)
            terminal.select_application()
            public = Point.generator(curve).times(key.private_scalar)
            terminal.prove_chip((public.x, public.y), curve, algorithm, key_id=key.key_id)
            assert terminal.status == ("9000" if algorithm in key.algorithms else "6A80")
            assert terminal.read(1)
            assert terminal.status == "9000"


def test_a_token_that_is_wrong_in_one_bit_opens_nothing(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    terminal = open_terminal(VirtualCard(operational))
    assert terminal.pace(CAN, token_flaw=0x01) == {}
    assert terminal.status == "6300"
    terminal.select_application()
    assert terminal.read(1) == b""
    assert terminal.status == "6982"


@pytest.mark.parametrize("curve", NamedCurve)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_integrated_mapping_opens_the_card(
    operational: CardImage,
    open_terminal: Callable[[VirtualCard], Any],
    curve: NamedCurve,
    algorithm: SessionAlgorithm,
) -> None:
    terminal = open_terminal(VirtualCard(offering(operational, (4, algorithm, curve))))
    objects = terminal.pace(CAN, mapping=4, algorithm=algorithm, curve=curve)
    assert list(objects) == [0x86]
    terminal.select_application()
    assert b"EF.DG1" in terminal.read(1)


@pytest.mark.parametrize("curve", NamedCurve)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_chip_authentication_mapping_opens_the_card_and_proves_its_key(
    operational: CardImage,
    open_terminal: Callable[[VirtualCard], Any],
    curve: NamedCurve,
    algorithm: SessionAlgorithm,
) -> None:
    key = EcKey(curve=curve, private_scalar=SCALAR, key_id=1)
    image = offering(operational, (6, algorithm, curve), (2, algorithm, curve))
    image = replace(image, keys=replace(image.keys, chip_authentication=(key,)))
    image = image.with_file(
        "3F00/011D", ImageFile(data=b"CARD SECURITY", short_identifier=0x1D, capacity=64)
    )
    terminal = open_terminal(VirtualCard(image))
    assert terminal.plain("00B09D00") == b""
    assert terminal.status == "6982"
    objects = terminal.pace(CAN, mapping=6, algorithm=algorithm, curve=curve)
    assert list(objects) == [0x86, 0x8A]
    assert terminal.read(0x1D) == b"CARD SECURITY"
    proven = terminal.open_chip_authentication_data(objects[0x8A])
    size = (curve.n.bit_length() + 7) // 8
    assert len(proven) == size
    public = Point.generator(curve).times(SCALAR)
    mapped = public.times(int.from_bytes(proven, "big"))
    assert mapped.to_bytes() == terminal.chip_mapping_key
    # Generic mapping with the same card proves nothing.
    assert list(open_terminal(terminal.card).pace(CAN, algorithm=algorithm, curve=curve)) == [0x86]
