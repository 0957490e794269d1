"""How long a real chip takes: transfer, processing, writing and cryptography of one command (docs/performance.md)."""

from simulators.image import CardImage, RsaKey, Timing, TimingFigures

__all__ = ["PROFILES", "answer_seconds", "figures_of"]

PROFILES = {
    Timing.CHIP: TimingFigures(
        bits_per_second=424_000,
        command_milliseconds=4.0,
        written_byte_microseconds=11.0,
        multiplication_milliseconds=40.0,
        key_pair_milliseconds=100.0,
        rsa_milliseconds=200.0,
    ),
    Timing.CONTACTLESS_FAST: TimingFigures(
        bits_per_second=848_000,
        command_milliseconds=4.0,
        written_byte_microseconds=11.0,
        multiplication_milliseconds=24.0,
        key_pair_milliseconds=24.0,
        rsa_milliseconds=53.0,
    ),
    Timing.CONTACTLESS_SLOW: TimingFigures(
        bits_per_second=106_000,
        command_milliseconds=4.0,
        written_byte_microseconds=11.0,
        multiplication_milliseconds=127.0,
        key_pair_milliseconds=285.0,
        rsa_milliseconds=500.0,
    ),
}
"""The figures of the named profiles; their sources stand in docs/performance.md."""

_MSE = 0x22
_GENERAL_AUTHENTICATE = 0x86
_INTERNAL_AUTHENTICATE = 0x88
_VERIFY_CERTIFICATE = 0x2A
_EXTERNAL_AUTHENTICATE = 0x82
_GENERATE_KEY_PAIR = 0x47

_SECURE = 0x0C
_VERDICTS = (b"\x90\x00", b"\x63\x00")
"""Status words that follow a signature that was looked at; other refusals come before that."""

_MULTIPLICATIONS_OF_A_VERIFICATION = 2

_LONGER_THAN_A_TOKEN = 32
"""Answers that hold a point are longer, those that hold a nonce or a token are not."""


def figures_of(image: CardImage) -> TimingFigures | None:
    """The figures that hold for a card; ``None`` where it answers as fast as it can."""
    timing = image.timing
    return timing if isinstance(timing, TimingFigures) else PROFILES.get(timing)


def answer_seconds(command: bytes, answer: bytes, before: CardImage, after: CardImage) -> float:
    """What the card's figures account for, in seconds; nothing where it has none.

    Cryptography is counted by the instruction that is seen on the wire: under secure messaging each GENERAL
    AUTHENTICATE counts as one multiplication, in plain those whose answer holds a point. Of a command chain the last
    part alone is answered by a verdict, and it alone counts.
    """
    figures = figures_of(before)
    if figures is None:
        return 0.0
    seconds = figures.command_milliseconds / 1_000
    seconds += 8 * (len(command) + len(answer)) / figures.bits_per_second
    if before is not after:
        seconds += figures.written_byte_microseconds * len(command) / 1_000_000
    instruction = command[1] if len(command) > 1 else None
    gives_point = instruction == _GENERAL_AUTHENTICATE and len(answer) > _LONGER_THAN_A_TOKEN
    sets_key_agreement = instruction == _MSE and command[3:4] == b"\xa6"
    if gives_point or sets_key_agreement:
        seconds += figures.multiplication_milliseconds / 1_000
    elif _verifies_signature(command, answer):
        seconds += _MULTIPLICATIONS_OF_A_VERIFICATION * figures.multiplication_milliseconds / 1_000
    elif instruction == _INTERNAL_AUTHENTICATE:
        is_rsa = isinstance(before.keys.active_authentication, RsaKey)
        cost = figures.rsa_milliseconds if is_rsa else figures.multiplication_milliseconds
        seconds += cost / 1_000
    elif instruction == _GENERATE_KEY_PAIR:
        seconds += figures.key_pair_milliseconds / 1_000
    return seconds


def _verifies_signature(command: bytes, answer: bytes) -> bool:
    """Whether terminal authentication looked at a signature; EXTERNAL AUTHENTICATE in other classes is symmetric."""
    return (
        command[:1] == bytes((_SECURE,))
        and command[1] in (_VERIFY_CERTIFICATE, _EXTERNAL_AUTHENTICATE)
        and answer[-2:] in _VERDICTS
    )
