"""EF.CardAccess and PACE: every step, with an answer of the chip that is wrong in one thing."""

from collections.abc import Callable
from dataclasses import replace

from conformance_vectors.bench import Answers, CardDraft, Case, accepted, refused, unreadable
from conformance_vectors.security_infos_drafts import (
    ALL_CURVES,
    ARCS,
    CHIP,
    GENERIC,
    INTEGRATED,
    SMARTCARD,
    card_access,
    mapping,
    opening,
    pace_info,
    unknown_info,
)
from lint_vectors.drafts import integer, oid, seq

from card_layout import tlv
from card_layout.curves import NamedCurve
from simulators.faults import Fault, FaultKind

FAILED = "access.pace-failed"
UNSUPPORTED = "access.pace-unsupported"
REQUIRED = "access.pace-required"
STEPS = {1: 0x80, 2: 0x82, 3: 0x84, 4: 0x86}
_MSE, _GENERAL_AUTHENTICATE = 0x22, 0x86

Change = Callable[[bytes, bytes], bytes]
"""Gives for what the terminal sent and the chip's data object the object that arrives."""


def at_step(
    step: int, change: Change, draft: Callable[[], CardDraft] = CardDraft
) -> Callable[[], CardDraft]:
    """A chip whose answer at one step of PACE is changed; ``change`` sees the objects inside 7C."""

    def meddle() -> Answers:
        passed = 0

        def answer(command: bytes, response: bytes) -> bytes:
            nonlocal passed
            if command[0] & 0x0C or command[1] != _GENERAL_AUTHENTICATE:
                return response
            passed += 1
            if passed != step or response[-2:] != b"\x90\x00":
                return response
            sent = tlv.parse(command[5 : 5 + command[4]], expected_tag=0x7C).value
            return change(sent, tlv.parse(response[:-2], expected_tag=0x7C).value)

        return answer

    return lambda: draft().having(answers=meddle)


def wrapped(content: bytes) -> bytes:
    return tlv.encode(0x7C, content) + b"\x90\x00"


def retagged(tag: int) -> Change:
    """The first object has another tag."""

    def change(_sent: bytes, content: bytes) -> bytes:
        first, *rest = tlv.parse_all(content)
        return wrapped(tlv.encode(tag, first.value) + b"".join(item.to_bytes() for item in rest))

    return change


def status(word: int) -> Change:
    return lambda _sent, _content: word.to_bytes(2, "big")


def nothing(_sent: bytes, _content: bytes) -> bytes:
    return wrapped(b"")


def flipped(position: int) -> Change:
    """One bit of the first object's value is changed."""

    def change(_sent: bytes, content: bytes) -> bytes:
        first, *rest = tlv.parse_all(content)
        value = bytearray(first.value)
        value[position] ^= 1
        return wrapped(
            tlv.encode(first.tag, bytes(value)) + b"".join(item.to_bytes() for item in rest)
        )

    return change


def echoed(sent: bytes, _content: bytes) -> bytes:
    """The terminal's own key comes back."""
    return wrapped(tlv.encode(0x84, tlv.parse(sent).value))


def with_data(change: Callable[[bytes], bytes]) -> Change:
    """The encrypted chip authentication data, tag 8A, are changed."""

    def answer(_sent: bytes, content: bytes) -> bytes:
        token, data = tlv.parse_all(content)
        return wrapped(token.to_bytes() + change(data.value))

    return answer


def more_data(_sent: bytes, content: bytes) -> bytes:
    return wrapped(content + tlv.encode(0x8A, bytes(48)))


def each_component(step: int) -> Callable[[], tuple[CardDraft, ...]]:
    """Three cards: the form byte, the x or the y of the chip's point is changed."""
    return lambda: tuple(at_step(step, flipped(position))() for position in (0, 16, 48))


def offer(curve: NamedCurve, kind: int = GENERIC, cipher: int = 2) -> CardDraft:
    return opening(pace_info(kind, cipher, curve.pace_parameter_id))


def access(content: bytes) -> Callable[[], CardDraft]:
    return lambda: CardDraft(files={"EF.CardAccess": content}, policy=ALL_CURVES)


def refusing_template() -> CardDraft:
    fault = Fault(kind=FaultKind.INSTRUCTION_REFUSED, instruction=_MSE, p1=0xC1, status_word=0x6A80)
    return CardDraft(image=lambda image: replace(image, faults=(fault,)))


def integrated() -> CardDraft:
    return opening(pace_info(INTEGRATED))


PACE_CASES: dict[str, Case] = {
    "ISO7816_G_01": accepted(lambda: opening(pace_info()), "PACE with generic mapping"),
    "ISO7816_G_02": accepted(
        lambda: tuple(offer(curve) for curve in NamedCurve),
        "PACE with generic mapping over each of six curves; finite-field domains are not spoken",
    ),
    "ISO7816_G_03": accepted(
        lambda: tuple(offer(curve, INTEGRATED) for curve in NamedCurve),
        "PACE with integrated mapping over each of six curves; finite-field domains are not spoken",
    ),
    "ISO7816_G_04": accepted(
        lambda: tuple(
            offer(NamedCurve.SECP256R1, kind, cipher)
            for kind in (GENERIC, INTEGRATED)
            for cipher in ARCS.values()
        ),
        "PACE with each of three key lengths of AES and two mappings; 3DES is not spoken",
    ),
    "ISO7816_G_05": accepted(
        lambda: opening(pace_info(), more=(unknown_info(),)),
        "EF.CardAccess holds an info of an unknown protocol beside its PACEInfo",
    ),
    "ISO7816_G_06": accepted(
        lambda: opening(pace_info(), pace_info(GENERIC, 4, 15), pace_info(INTEGRATED, 2, 13)),
        "EF.CardAccess offers three ways into PACE, of which the terminal takes one",
    ),
    "ISO7816_G_08": refused(
        refusing_template, FAILED, reason="the chip refuses MSE:Set AT of PACE with 6A80"
    ),
    "ISO7816_G_09": unreadable(
        at_step(1, flipped(0)),
        "access.wrong-password",
        reason="the encrypted nonce is changed on its way: the chip then refuses the token, which looks like a wrong password",
    ),
    "ISO7816_G_10": refused(
        at_step(1, status(0x6A80)), FAILED, reason="the chip answers 6A80 at the first step of PACE"
    ),
    "ISO7816_G_11": refused(
        at_step(1, retagged(0x90)), FAILED, reason="the nonce comes in tag 90 instead of 80"
    ),
    "ISO7816_G_12": refused(
        at_step(2, status(0x6A80)),
        FAILED,
        reason="the chip answers 6A80 at the second step of PACE",
    ),
    "ISO7816_G_13": refused(
        at_step(2, retagged(0x92)), FAILED, reason="the mapping data come in tag 92 instead of 82"
    ),
    "ISO7816_G_14": refused(
        at_step(2, nothing), FAILED, reason="generic mapping is answered without mapping data"
    ),
    "ISO7816_G_15": refused(
        at_step(2, nothing, integrated),
        FAILED,
        reason="integrated mapping is answered without a data object",
    ),
    "ISO7816_G_16": refused(
        each_component(2), FAILED, reason="the form, x or y of the chip's mapping key is changed"
    ),
    "ISO7816_G_18": refused(
        at_step(3, status(0x6A80)), FAILED, reason="the chip answers 6A80 at the third step of PACE"
    ),
    "ISO7816_G_19": refused(
        at_step(3, retagged(0x94)), FAILED, reason="the ephemeral key comes in tag 94 instead of 84"
    ),
    "ISO7816_G_20": refused(
        at_step(3, nothing), FAILED, reason="key agreement is answered without a key"
    ),
    "ISO7816_G_21": refused(
        each_component(3), FAILED, reason="the form, x or y of the chip's ephemeral key is changed"
    ),
    "ISO7816_G_23": refused(
        at_step(3, echoed), FAILED, reason="the chip sends the terminal's own ephemeral key back"
    ),
    "ISO7816_G_24": refused(
        at_step(4, status(0x6A80)), FAILED, reason="the chip answers 6A80 at the last step of PACE"
    ),
    "ISO7816_G_25": refused(
        at_step(4, retagged(0x96)), FAILED, reason="the token comes in tag 96 instead of 86"
    ),
    "ISO7816_G_26": refused(at_step(4, flipped(0)), FAILED, reason="the chip's token is wrong"),
    "ISO7816_G_27": refused(
        access(card_access(pace_info())[:-1]),
        "access.card-access-malformed",
        reason="the last byte of EF.CardAccess is missing",
    ),
    "ISO7816_G_28": refused(
        access(card_access(pace_info(parameter_id=31))),
        UNSUPPORTED,
        reason="the PACEInfo names domain parameters 31, which are none",
    ),
    "ISO7816_G_29": refused(
        at_step(4, with_data(lambda data: data), mapping),
        FAILED,
        reason="the encrypted chip authentication data come without their tag 8A",
    ),
    "ISO7816_G_30": refused(
        at_step(4, with_data(lambda data: tlv.encode(0x8A, integer(0) + data)), mapping),
        FAILED,
        reason="tag 8A holds an INTEGER before the encrypted chip authentication data",
    ),
    "ISO7816_G_31": refused(
        at_step(4, with_data(lambda data: tlv.encode(0x8A, bytes(len(data)))), mapping),
        FAILED,
        reason="the encrypted chip authentication data are zeros",
    ),
    "ISO7816_G_32": refused(
        at_step(4, with_data(lambda data: tlv.encode(0x8B, data)), mapping),
        FAILED,
        reason="the encrypted chip authentication data come in tag 8B instead of 8A",
    ),
    "ISO7816_G_33": refused(
        at_step(4, with_data(lambda _data: tlv.encode(0x8A, b"")), mapping),
        FAILED,
        reason="tag 8A is empty",
    ),
    "ISO7816_G_35": refused(
        at_step(4, more_data),
        FAILED,
        reason="tag 8A comes with generic mapping, which has no such data (9303-11, 4.4.3.5)",
    ),
    "ISO7816_G_36": refused(
        access(card_access(seq(oid(f"{SMARTCARD}.4.{CHIP}.9"), integer(2), integer(12)))),
        REQUIRED,
        reason="EF.CardAccess offers chip authentication mapping with a cipher that there is not",
    ),
    "ISO7816_G_37": refused(
        access(card_access(seq(oid(f"{SMARTCARD}.4.7.2"), integer(2), integer(12)))),
        REQUIRED,
        reason="EF.CardAccess offers a mapping that there is not",
    ),
}
