"""How long a real chip takes: the figures of a common dual-interface chip, for stations that want a rehearsal."""

from simulators.image import CardImage

__all__ = ["answer_seconds"]

_COMMAND_SECONDS = 0.004
_BIT_SECONDS = 1 / 424_000
_WRITTEN_BYTE_SECONDS = 0.000_011
_POINT_MULTIPLICATION_SECONDS = 0.040
_KEY_PAIR_SECONDS = 0.100

_GENERAL_AUTHENTICATE = 0x86
_GENERATE_KEY_PAIR = 0x47


def answer_seconds(command: bytes, answer: bytes, before: CardImage, after: CardImage) -> float:
    """Transfer, processing and writing of one command, in seconds."""
    seconds = _COMMAND_SECONDS + 8 * (len(command) + len(answer)) * _BIT_SECONDS
    if before is not after:
        seconds += _WRITTEN_BYTE_SECONDS * len(command)
    instruction = command[1] if len(command) > 1 else None
    if instruction == _GENERAL_AUTHENTICATE and len(answer) > 32:
        seconds += _POINT_MULTIPLICATION_SECONDS
    if instruction == _GENERATE_KEY_PAIR:
        seconds += _KEY_PAIR_SECONDS
    return seconds
