"""PIN and PUK: counters, suspending and resuming, blocking and unblocking (TR-03110-2, 3.3; docs/card-image.md)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from simulators.card.operating_system import VirtualCard
from simulators.image import CardImage, Timing

PIN, PUK, CAN = b"24680", b"1357913579", b"123456"
Opener = Callable[[VirtualCard], Any]


@pytest.fixture
def with_pin(operational: CardImage) -> CardImage:
    return tries(operational, pin=PIN.decode(), puk=PUK.decode())


def tries(image: CardImage, **changes: Any) -> CardImage:
    return replace(image, secrets=replace(image.secrets, **changes))


def try_pin(card: VirtualCard, open_terminal: Opener, pin: bytes) -> tuple[str, Any]:
    terminal = open_terminal(card)
    terminal.pace(pin, reference=3)
    return terminal.status, terminal


def test_the_pin_opens_what_the_can_opens(with_pin: CardImage, open_terminal: Opener) -> None:
    status, terminal = try_pin(VirtualCard(with_pin), open_terminal, PIN)
    assert status == "9000"
    terminal.select_application()
    assert b"EF.DG1" in terminal.read(1)


def test_a_card_without_pin_or_puk_knows_neither(
    operational: CardImage, open_terminal: Opener
) -> None:
    for reference in (0, 3, 4, 5):
        terminal = open_terminal(VirtualCard(operational))
        assert terminal.pace(PIN, reference=reference) == {}
        assert terminal.status == "6A88"
    terminal.plain("002C0303", le=False)
    assert terminal.status == "6D00"


def test_wrong_pins_are_counted_in_the_image_and_a_right_one_resets_the_count(
    with_pin: CardImage, open_terminal: Opener
) -> None:
    card = VirtualCard(with_pin)
    assert try_pin(card, open_terminal, b"00000")[0] == "63C2"
    assert card.image.secrets.pin_tries_left == 2
    assert try_pin(card, open_terminal, PIN)[0] == "9000"
    assert card.image.secrets.pin_tries_left == 3
    assert card.image.secrets.wrong_passwords == 0


def test_the_last_try_is_suspended_until_the_can_was_given(
    with_pin: CardImage, open_terminal: Opener
) -> None:
    card = VirtualCard(with_pin)
    assert [try_pin(card, open_terminal, b"00000")[0] for _ in range(2)] == ["63C2", "63C1"]
    for pin in (b"00000", PIN):
        assert try_pin(card, open_terminal, pin)[0] == "6985"
        assert card.image.secrets.pin_tries_left == 1
    terminal = open_terminal(card)
    assert terminal.pace(CAN)
    assert terminal.pace(PIN, reference=3)
    assert card.image.secrets.pin_tries_left == 3
    terminal.select_application()
    assert b"EF.DG1" in terminal.read(1)


def test_a_wrong_pin_after_the_can_blocks_it_and_ends_the_session(
    with_pin: CardImage, open_terminal: Opener
) -> None:
    card = VirtualCard(tries(with_pin, pin_tries_left=1))
    terminal = open_terminal(card)
    assert terminal.pace(CAN)
    assert terminal.pace(b"00000", reference=3) == {}
    assert terminal.status == "63C0"
    assert card.image.secrets.pin_tries_left == 0
    terminal.read(1)
    assert terminal.status == "6988"
    for pin in (b"00000", PIN):
        assert try_pin(card, open_terminal, pin)[0] == "6983"
    terminal = open_terminal(card)
    assert terminal.pace(CAN)
    assert terminal.pace(PIN, reference=3) == {}
    assert terminal.status == "6983"


def test_only_the_session_of_the_can_resumes(with_pin: CardImage, open_terminal: Opener) -> None:
    information = with_pin.secrets.mrz_information
    assert information is not None
    card = VirtualCard(tries(with_pin, pin_tries_left=1))
    terminal = open_terminal(card)
    assert terminal.pace(PUK, reference=4)
    assert terminal.pace(PIN, reference=3) == {}
    assert terminal.status == "6985"
    # The CAN itself cannot be given again in its session, nor the PIN in its own.
    terminal = open_terminal(card)
    assert terminal.pace(CAN)
    assert terminal.pace(CAN) == {}
    assert terminal.status == "6985"


def test_the_puk_opens_nothing_but_unblocks_the_pin(
    with_pin: CardImage, open_terminal: Opener
) -> None:
    card = VirtualCard(tries(with_pin, pin_tries_left=0))
    terminal = open_terminal(card)
    assert terminal.pace(PUK, reference=4)
    terminal.select_application()
    terminal.read(1)
    assert terminal.status == "6982"
    terminal.send("002C0303", le=False)
    assert terminal.status == "9000"
    assert card.image.secrets.pin_tries_left == 3
    assert try_pin(card, open_terminal, PIN)[0] == "9000"


@pytest.mark.parametrize("password", [(CAN, 2), (PIN, 3)])
def test_only_the_puk_unblocks(
    with_pin: CardImage, open_terminal: Opener, password: tuple[bytes, int]
) -> None:
    card = VirtualCard(tries(with_pin, pin_tries_left=2))
    terminal = open_terminal(card)
    terminal.plain("002C0303", le=False)
    assert terminal.status == "6982"
    assert terminal.pace(password[0], reference=password[1])
    terminal.send("002C0303", le=False)
    assert terminal.status == "6982"


@pytest.mark.parametrize(("header", "status"), [("002C0203", "6A86"), ("002C0304", "6A86")])
def test_other_forms_of_unblocking_are_refused(
    with_pin: CardImage, open_terminal: Opener, header: str, status: str
) -> None:
    terminal = open_terminal(VirtualCard(with_pin))
    assert terminal.pace(PUK, reference=4)
    terminal.send(header, le=False)
    assert terminal.status == status
    terminal.send("002C0303", b"\x00")
    assert terminal.status == "6700"


def test_ten_wrong_puks_block_it(with_pin: CardImage, open_terminal: Opener) -> None:
    card = VirtualCard(with_pin)
    found = []
    for _ in range(11):
        terminal = open_terminal(card)
        terminal.pace(b"0000000000", reference=4)
        found.append(terminal.status)
    assert found == [f"63C{number:X}" for number in range(9, -1, -1)] + ["6983"]
    terminal = open_terminal(card)
    terminal.pace(PUK, reference=4)
    assert terminal.status == "6983"


def test_a_try_is_spent_before_the_token_is_compared(
    with_pin: CardImage, open_terminal: Opener
) -> None:
    stored: list[int] = []
    card = VirtualCard(with_pin, store=lambda image: stored.append(image.secrets.pin_tries_left))
    assert try_pin(card, open_terminal, PIN)[0] == "9000"
    assert stored == [2, 3]


def test_data_that_is_no_token_spends_no_try(with_pin: CardImage, open_terminal: Opener) -> None:
    card = VirtualCard(with_pin)
    terminal = open_terminal(card)
    original = terminal.authenticate

    def spoil(tag: int | None, value: bytes = b"", *, last: bool = False) -> bytes:
        return bytes(original(0x81 if last else tag, value, last=last))

    terminal.authenticate = spoil
    terminal.pace(PIN, reference=3)
    assert terminal.status == "6A80"
    assert card.image.secrets.pin_tries_left == 3


def test_wrong_pins_do_not_slow_the_card_down(with_pin: CardImage, open_terminal: Opener) -> None:
    slept: list[float] = []
    card = VirtualCard(
        tries(replace(with_pin, timing=Timing.CHIP), wrong_passwords=7), sleep=slept.append
    )
    assert try_pin(card, open_terminal, b"00000")[0] == "63C2"
    assert max(slept) < 1
    open_terminal(card).pace(b"000000")
    assert max(slept) == 7
