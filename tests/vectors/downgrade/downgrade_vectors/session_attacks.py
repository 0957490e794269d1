"""The session and the wire: answers that are not protected, not in turn or not of this command; lengths that are denied."""

from collections.abc import Callable
from dataclasses import replace

from conformance_vectors.bench import CardDraft
from downgrade_vectors.bench import (
    Attack,
    Interceptor,
    Middle,
    Transmit,
    answering,
    changing,
    is_plain,
    nth_protected,
)

from card_layout.atr import LifeCycle, encode_atr
from simulators.card.operating_system import VirtualCard
from simulators.image import CardImage

_READ_BINARY, _SELECT = 0xB0, 0xA4
_TURN = 4
"""Which protected READ BINARY is meddled with: one in the middle of the files, after the chip was proven."""


def at_a_file(act: Middle) -> Callable[[], Interceptor]:
    return lambda: Interceptor(nth_protected(_READ_BINARY, _TURN), act)


def unwrapped(response: bytes) -> bytes:
    """The status word alone, in plain."""
    return response[-2:]


def replayed() -> Interceptor:
    """The answer to the command before comes again."""
    last = b""

    def act(command: bytes, transmit: Transmit) -> bytes:
        transmit(command)
        return last

    class Replaying(Interceptor):
        def __call__(self, command: bytes, transmit: Transmit) -> bytes:
            nonlocal last
            answer = super().__call__(command, transmit)
            last = answer
            return answer

    return Replaying(nth_protected(_READ_BINARY, _TURN), act)


def sent_twice(command: bytes, transmit: Transmit) -> bytes:
    """The card gets the command twice: its counter runs ahead of the terminal's."""
    first = transmit(command)
    transmit(command)
    return first


def swallowed(_command: bytes, _transmit: Transmit) -> bytes:
    """The card never gets the command, and somebody says that all is well."""
    return b"\x90\x00"


def status_word_changed(response: bytes) -> bytes:
    """The outer status word says that the file is not there; the protected one stays."""
    return response[:-2] + b"\x6a\x82"


def bit_turned(response: bytes) -> bytes:
    return response[:8] + bytes((response[8] ^ 1,)) + response[9:]


def cut_short(response: bytes) -> bytes:
    return response[: len(response) // 2] + response[-2:]


def denying_extended() -> Interceptor:
    """Whatever is longer than a short APDU is answered 6700, as by a reader that carries no others."""
    return Interceptor(
        lambda commands: len(commands[-1]) > 5 and commands[-1][4] == 0,
        answering(b"\x67\x00"),
        for_ever=True,
    )


def with_atr(atr: bytes) -> Callable[[], CardDraft]:
    return lambda: CardDraft(image=lambda image: replace(image, atr=atr))


def in_state(state: LifeCycle) -> bytes:
    return encode_atr(state, extended_lengths=True)


class CardWithoutShortIdentifiers(VirtualCard):
    """A chip that reads the file that is selected, and none by short identifier."""

    def __init__(self, image: CardImage) -> None:
        files = {path: replace(file, short_identifier=None) for path, file in image.files.items()}
        super().__init__(replace(image, files=files))


def refusing_short_identifiers() -> Interceptor:
    """READ BINARY with a short identifier in P1 is answered 6A86 before there is a session."""
    return Interceptor(
        lambda commands: (
            is_plain(commands[-1]) and commands[-1][1] == _READ_BINARY and commands[-1][2] & 0x80
        ),
        answering(b"\x6a\x86"),
        for_ever=True,
    )


SESSION_ATTACKS: dict[str, Attack] = {
    "answer-in-plain": Attack(card=CardDraft, middle=at_a_file(changing(unwrapped))),
    "answer-in-plain-not-found": Attack(card=CardDraft, middle=at_a_file(answering(b"\x6a\x82"))),
    "answer-in-plain-6987": Attack(card=CardDraft, middle=at_a_file(answering(b"\x69\x87"))),
    "answer-in-plain-6988": Attack(card=CardDraft, middle=at_a_file(answering(b"\x69\x88"))),
    "answer-in-plain-6d00": Attack(card=CardDraft, middle=at_a_file(answering(b"\x6d\x00"))),
    "answer-in-plain-with-content": Attack(
        card=CardDraft, middle=at_a_file(answering(b"\x61\x03\x5f\x1f\x00\x90\x00"))
    ),
    "answer-replayed": Attack(card=CardDraft, middle=replayed),
    "command-sent-twice": Attack(card=CardDraft, middle=at_a_file(sent_twice)),
    "command-swallowed": Attack(card=CardDraft, middle=at_a_file(swallowed)),
    "status-word-changed": Attack(card=CardDraft, middle=at_a_file(changing(status_word_changed))),
    "answer-altered": Attack(card=CardDraft, middle=at_a_file(changing(bit_turned))),
    "answer-cut-short": Attack(card=CardDraft, middle=at_a_file(changing(cut_short))),
    "answer-never-ending": Attack(
        card=CardDraft,
        middle=lambda: Interceptor(
            lambda commands: (
                nth_protected(_READ_BINARY, _TURN)(commands) or commands[-1][1] == 0xC0
            ),
            answering(bytes(8) + b"\x61\x08"),
            for_ever=True,
        ),
    ),
    "application-answered-in-plain": Attack(
        card=CardDraft,
        middle=lambda: Interceptor(nth_protected(_SELECT), answering(b"\x90\x00")),
    ),
    "extended-lengths-denied": Attack(card=CardDraft, middle=denying_extended),
    "extended-lengths-hidden": Attack(card=lambda: CardDraft(files={"EF.ATR/INFO": None})),
    "short-identifiers-unknown": Attack(card=CardDraft, middle=refusing_short_identifiers),
    "state-personalised": Attack(card=with_atr(in_state(LifeCycle.PERSONALISED))),
    "state-initialised": Attack(card=with_atr(in_state(LifeCycle.INITIALISED))),
    "state-terminated": Attack(card=with_atr(in_state(LifeCycle.TERMINATED))),
    "state-untold": Attack(card=with_atr(bytes.fromhex("3B80800101"))),
    "state-malformed": Attack(card=with_atr(bytes.fromhex("3B8780018073942" + "1C081050500"))),
}
