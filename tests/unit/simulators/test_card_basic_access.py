"""Basic access control and 3DES secure messaging, for images that enable them (9303-11, 4.3 and 9.8)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from simulators.card import basic_access, triple_des
from simulators.card.operating_system import VirtualCard
from simulators.card.points import Point
from simulators.image import CardImage, EcKey, SessionAlgorithm, Timing

INFORMATION = "T22000129364081251010318"
SCALAR = 0x7654321
CURVE = NamedCurve.SECP256R1


@pytest.fixture
def bac_image(operational: CardImage) -> CardImage:
    return replace(operational, secrets=replace(operational.secrets, basic_access_control=True))


@pytest.fixture
def terminal(bac_image: CardImage, open_terminal: Callable[[VirtualCard], Any]) -> Any:
    terminal = open_terminal(VirtualCard(bac_image))
    terminal.select_application()
    return terminal


def test_the_mrz_opens_the_card_and_protects_what_is_read(terminal: Any) -> None:
    terminal.basic_access(INFORMATION)
    assert terminal.status == "9000"
    assert b"EF.DG1" in terminal.read(1)
    terminal.send("00A4020C", bytes.fromhex("010C"), le=False)
    assert b"EF.DG12" in terminal.send("00B00000")
    assert terminal.send("00B0830000") == b""


def test_a_card_without_it_does_not_know_the_commands(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    terminal = open_terminal(VirtualCard(operational))
    terminal.select_application()
    terminal.basic_access(INFORMATION)
    assert terminal.status == "6D00"
    terminal.plain("00820000", bytes(40))
    assert terminal.status == "6D00"


@pytest.mark.parametrize(
    ("flaws", "information"),
    [
        ({"mac_flaw": 1}, INFORMATION),
        ({"nonce_flaw": 1}, INFORMATION),
        ({"mac_flaw": 1, "nonce_flaw": 1}, INFORMATION),
        ({}, "L898902C<369080619406236"),
    ],
)
def test_every_wrong_cryptogram_takes_the_same_operations_to_the_same_answer(
    terminal: Any,
    monkeypatch: pytest.MonkeyPatch,
    flaws: dict[str, int],
    information: str,
) -> None:
    names = ("derive_key", "retail_mac", "decrypt_cbc", "bytes_eq", "encrypt_cbc")
    called: list[str] = []

    def recorded(name: str) -> Callable[..., Any]:
        original = getattr(basic_access, name)

        def record(*arguments: Any) -> Any:
            called.append(name)
            return original(*arguments)

        return record

    with monkeypatch.context() as patched:
        for name in names:
            patched.setattr(basic_access, name, recorded(name))
        terminal.basic_access(information, **flaws)
    assert terminal.status == "6300"
    assert called == [
        "derive_key",
        "derive_key",
        "retail_mac",
        "bytes_eq",
        "decrypt_cbc",
        "bytes_eq",
    ]
    assert terminal.card.image.secrets.wrong_passwords == 1
    terminal.read(1)
    assert terminal.status == "6982"
    terminal.basic_access(INFORMATION)
    assert terminal.status == "9000"
    assert terminal.card.image.secrets.wrong_passwords == 0


def test_a_nonce_serves_for_the_next_command_alone(terminal: Any) -> None:
    for between in ("00A4000C", "00B09E0000", "00820000"):
        terminal.select_application()
        terminal.plain("00840000")
        assert terminal.status == "9000"
        terminal.plain(between, le=False)
        terminal.select_application()
        terminal.plain("00820000", bytes(40))
        assert terminal.status == "6985"
    assert terminal.card.image.secrets.wrong_passwords == 0


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("0084000008", "9000"),
        ("0084000000", "9000"),
        ("0084000009", "6700"),
        ("00840000", "6700"),
        ("008400000108", "6700"),
        ("0084010008", "6A86"),
        ("0082000008" + "00" * 8, "6985"),
        ("0082000128" + "00" * 40, "6A86"),
    ],
)
def test_the_form_of_the_commands(terminal: Any, command: str, status: str) -> None:
    assert terminal.card.process(bytes.fromhex(command))[-2:].hex().upper() == status


def test_it_belongs_to_the_application_and_to_no_session(
    bac_image: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    terminal = open_terminal(VirtualCard(bac_image))
    terminal.basic_access(INFORMATION)
    assert terminal.status == "6985"
    assert terminal.pace(b"123456")
    terminal.select_application()
    assert terminal.send("00840000") == b""
    assert terminal.status == "6985"


@pytest.mark.parametrize("state", [LifeCycle.BLANK, LifeCycle.PERSONALISING])
def test_it_opens_nothing_before_quality_control(
    bac_image: CardImage, open_terminal: Callable[[VirtualCard], Any], state: LifeCycle
) -> None:
    terminal = open_terminal(VirtualCard(bac_image.with_state(state)))
    terminal.select_application()
    terminal.basic_access(INFORMATION)
    assert terminal.status == "6985"


def test_wrong_attempts_slow_the_card_down(
    bac_image: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    slept: list[float] = []
    card = VirtualCard(replace(bac_image, timing=Timing.CHIP), sleep=slept.append)
    terminal = open_terminal(card)
    terminal.select_application()
    for _ in range(3):
        terminal.basic_access(INFORMATION, mac_flaw=1)
    assert [seconds for seconds in slept if seconds in (0, 1, 2)] == [0, 1, 2]


def test_a_flaw_in_the_session_ends_it(terminal: Any) -> None:
    terminal.basic_access(INFORMATION)
    terminal.mac_key = bytes(16)
    answer = terminal.plain("0CB08100", bytes.fromhex("9701008E080000000000000000"))
    assert (answer, terminal.status) == (b"", "6988")
    terminal.algorithm = None
    terminal.read(1)
    assert terminal.status == "6982"


@pytest.mark.parametrize("key_id", [None, 7])
def test_chip_authentication_with_set_kat_starts_new_triple_des_keys(
    bac_image: CardImage, open_terminal: Callable[[VirtualCard], Any], key_id: int | None
) -> None:
    key = EcKey(
        curve=CURVE,
        private_scalar=SCALAR,
        key_id=7,
        algorithms=(SessionAlgorithm.TRIPLE_DES,),
    )
    image = replace(bac_image, keys=replace(bac_image.keys, chip_authentication=(key,)))
    public = Point.generator(CURVE).times(SCALAR)
    terminal = open_terminal(VirtualCard(image))
    terminal.select_application()
    terminal.prove_chip_with_triple_des((public.x, public.y), CURVE, key_id)
    assert terminal.status == "6982"
    terminal.basic_access(INFORMATION)
    terminal.prove_chip_with_triple_des((public.x, public.y), CURVE, key_id)
    assert terminal.status == "9000"
    assert b"EF.DG1" in terminal.read(1)
    # Set AT is for AES, and this key is not.
    terminal.prove_chip((public.x, public.y), CURVE, "aes-128", key_id)
    assert terminal.status == "6A80"


@pytest.mark.parametrize(
    ("data", "status"),
    [("", "6A80"), ("9100", "6A80"), ("910104", "6A80"), ("9100840109", "6A88"), ("8401", "6A80")],
)
def test_set_kat_refuses_what_it_cannot_use_and_keeps_the_session(
    bac_image: CardImage, open_terminal: Callable[[VirtualCard], Any], data: str, status: str
) -> None:
    key = EcKey(curve=CURVE, private_scalar=5, key_id=1, algorithms=(SessionAlgorithm.TRIPLE_DES,))
    image = replace(bac_image, keys=replace(bac_image.keys, chip_authentication=(key,)))
    terminal = open_terminal(VirtualCard(image))
    terminal.select_application()
    terminal.basic_access(INFORMATION)
    terminal.send("002241A6", bytes.fromhex(data), le=False)
    assert terminal.status == status
    assert terminal.read(1)


def test_a_key_for_aes_alone_is_not_used_with_triple_des(terminal: Any) -> None:
    terminal.basic_access(INFORMATION)
    public = Point.generator(CURVE).times(0x1234567)
    terminal.prove_chip_with_triple_des((public.x, public.y), CURVE, None)
    assert terminal.status == "6A80"


def test_the_retail_mac_of_one_block_is_triple_des_of_it() -> None:
    key = bytes(range(16))
    assert triple_des.retail_mac(key, b"") == triple_des.encrypt_cbc(key, b"\x80" + bytes(7))
