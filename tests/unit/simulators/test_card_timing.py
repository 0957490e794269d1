"""The timing profile of a chip: every command takes its time, and nothing else changes."""

from dataclasses import replace

from simulators.card.operating_system import VirtualCard
from simulators.card.timing import answer_seconds
from simulators.image import CardImage, Timing

READ = bytes.fromhex("00B0810000")


def test_a_card_with_the_timing_of_a_chip_waits_before_each_answer(operational: CardImage) -> None:
    slept: list[float] = []
    fast = VirtualCard(operational, sleep=slept.append)
    fast.power_on()
    answer = fast.process(READ)
    assert slept == []
    slow = VirtualCard(replace(operational, timing=Timing.CHIP), sleep=slept.append)
    slow.power_on()
    assert slow.process(READ) == answer
    assert slow.process(b"") == b"\x67\x00"
    assert len(slept) == 2
    assert slept[0] > slept[1] > 0.004


def test_longer_transfers_writes_and_points_take_longer(
    operational: CardImage, blank: CardImage
) -> None:
    short = answer_seconds(READ, bytes(2), blank, blank)
    assert answer_seconds(READ, bytes(258), blank, blank) > short
    assert answer_seconds(READ, bytes(2), blank, operational) > short
    authenticate = bytes.fromhex("10860000027C0000")
    assert answer_seconds(authenticate, bytes(71), blank, blank) > 0.04
    assert answer_seconds(bytes.fromhex("84478000"), bytes(2), blank, blank) > 0.1
