"""EF.CardAccess and PACE: the only things that a terminal believes before anything is signed or protected."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

from conformance_vectors.bench import CardDraft
from conformance_vectors.reading_cases import basic_access, with_basic_access
from conformance_vectors.security_infos_drafts import (
    CHIP,
    GENERIC,
    INTEGRATED,
    card_access,
    chip_info,
    chip_key,
    data_group_14,
    issued_key,
    mapping,
    pace_info,
    public_key,
    unknown_info,
)
from downgrade_vectors.bench import (
    ZONE,
    Attack,
    Interceptor,
    Outcome,
    answering,
    is_plain,
    nth_plain,
)
from lint_vectors.drafts import integer, oid, seq

from card_layout import tlv
from card_layout.errors import TransportError
from card_layout.files.security_infos import PaceInfo
from verifier.inspection.snapshot import AccessPath

_READ_BINARY, _MSE, _GENERAL_AUTHENTICATE = 0xB0, 0x22, 0x86
_PACE = "0.4.0.127.0.7.2.2.4"
AES_128, AES_256 = 2, 4
P256, BRAINPOOL_P256, P384 = 12, 13, 15
STRONG = pace_info(GENERIC, AES_256, P256)
WEAK = pace_info(GENERIC, AES_128, P256)
FINITE_FIELD = seq(oid(f"{_PACE}.1.2"), integer(2), integer(2))
TRIPLE_DES = seq(oid(f"{_PACE}.2.1"), integer(2), integer(P256))


def signed_14(*infos: bytes) -> bytes:
    """EF.DG14 with these PACEInfos beside the chip's own key."""
    return data_group_14(*infos, chip_info(), chip_key(public_key(issued_key())))


def offering(*announced: bytes, signed: tuple[bytes, ...]) -> Callable[[], CardDraft]:
    """EF.CardAccess announces one thing, and the signed EF.DG14 says another; the chip goes along."""
    return lambda: CardDraft(
        files={"EF.CardAccess": card_access(*announced), "EF.DG14": signed_14(*signed)}
    )


def both_ways(draft: CardDraft) -> CardDraft:
    """The chip can be opened by basic access control, too, and the terminal has the zone that does it."""
    before = draft.image
    return draft.having(password=ZONE, image=lambda image: with_basic_access(before(image)))


def tempting(*announced: bytes, signed: tuple[bytes, ...] = (WEAK,)) -> Callable[[], CardDraft]:
    return lambda: both_ways(offering(*announced, signed=signed)())


def hidden() -> CardDraft:
    return both_ways(CardDraft(files={"EF.CardAccess": None, "EF.DG14": signed_14(WEAK)}))


def in_raw_order(*infos: bytes) -> bytes:
    """A SET in the order given, as chips in the field have them."""
    return tlv.encode(0x31, b"".join(infos))


def reordered(*infos: bytes) -> Callable[[], CardDraft]:
    return lambda: CardDraft(
        files={"EF.CardAccess": in_raw_order(*infos), "EF.DG14": signed_14(*infos)}
    )


def must_have_used(info: bytes) -> Callable[[Outcome], None]:
    def look(outcome: Outcome) -> None:
        assert PaceInfo.from_bytes(outcome.snapshot.access.pace_info or b"").to_bytes() == info

    return look


def must_have_used_bac(outcome: Outcome) -> None:
    assert outcome.snapshot.access.path is AccessPath.BAC


def refusing_card_access(status_word: str) -> Callable[[], Interceptor]:
    """Whoever asks for EF.CardAccess before there is a session gets this status word."""
    return lambda: Interceptor(
        lambda commands: is_plain(commands[-1]) and commands[-1][1] == _READ_BINARY,
        answering(bytes.fromhex(status_word)),
        for_ever=True,
    )


def _failing(number: int, status_word: str) -> Callable[[], Interceptor]:
    """Step 0 is MSE:Set AT, 1 to 4 are the four of GENERAL AUTHENTICATE."""
    fits = nth_plain(_GENERAL_AUTHENTICATE, number) if number else nth_plain(_MSE)
    return lambda: Interceptor(fits, answering(bytes.fromhex(status_word)))


def _silent(number: int) -> Callable[[], Interceptor]:
    def lose(_command: bytes, _transmit: object) -> bytes:
        raise TransportError("the card did not answer")

    fits = nth_plain(_GENERAL_AUTHENTICATE, number) if number else nth_plain(_MSE)
    return lambda: Interceptor(fits, lose)


def _tempting_card() -> CardDraft:
    return both_ways(offering(WEAK, signed=(WEAK,))())


def _without_14() -> CardDraft:
    return CardDraft(files={"EF.DG14": None})


def _bac_named_and_not_needed() -> CardDraft:
    return both_ways(offering(STRONG, signed=(STRONG,))())


def _mapping_hidden() -> CardDraft:
    """A chip that proves itself in PACE, behind somebody who strikes that out of EF.CardAccess."""
    right = mapping(cipher=AES_128)
    both = (pace_info(CHIP), WEAK, chip_info(), chip_key(public_key(issued_key())))
    return right.having(
        files={
            **right.files,
            "EF.CardAccess": card_access(WEAK),
            "EF.DG14": data_group_14(*both),
        },
        image=lambda image: image,
    )


def _version_one() -> bytes:
    return seq(oid(f"{_PACE}.2.2"), integer(1), integer(P256))


ACCESS_ATTACKS: dict[str, Attack] = {
    "card-access-hidden": Attack(card=hidden),
    "card-access-hidden-from-can": Attack(
        card=lambda: replace(hidden(), password=CardDraft().password)
    ),
    "card-access-hidden-bac-allowed": Attack(card=hidden, look=must_have_used_bac),
    "card-access-hidden-parameters-unasked": Attack(card=hidden, look=must_have_used_bac),
    "card-access-answered-6a82": Attack(
        card=_tempting_card, middle=refusing_card_access("6A82"), look=must_have_used_bac
    ),
    "card-access-answered-6982": Attack(card=_tempting_card, middle=refusing_card_access("6982")),
    "card-access-answered-6986": Attack(card=_tempting_card, middle=refusing_card_access("6986")),
    "card-access-answered-6d00": Attack(card=_tempting_card, middle=refusing_card_access("6D00")),
    "card-access-unknown-only": Attack(card=tempting(unknown_info())),
    "card-access-unknown-added": Attack(
        card=offering(WEAK, unknown_info(), signed=(WEAK,)), look=must_have_used(WEAK)
    ),
    "card-access-malformed": Attack(
        card=lambda: both_ways(
            CardDraft(files={"EF.CardAccess": b"\x31\x03\x30\x01\x00", "EF.DG14": signed_14(WEAK)})
        )
    ),
    "strong-cipher-struck-out": Attack(
        card=offering(WEAK, signed=(STRONG, WEAK)), look=must_have_used(WEAK)
    ),
    "cipher-weaker-than-signed": Attack(card=offering(WEAK, signed=(STRONG,))),
    "weak-cipher-first": Attack(card=reordered(WEAK, STRONG), look=must_have_used(STRONG)),
    "strong-cipher-first": Attack(card=reordered(STRONG, WEAK), look=must_have_used(STRONG)),
    "curve-weaker-than-signed": Attack(
        card=offering(WEAK, signed=(pace_info(GENERIC, AES_128, P384),))
    ),
    "small-curve-first": Attack(
        card=reordered(WEAK, pace_info(GENERIC, AES_128, P384)),
        look=must_have_used(pace_info(GENERIC, AES_128, P384)),
    ),
    "chip-mapping-struck-out": Attack(card=_mapping_hidden),
    "generic-turned-into-integrated": Attack(card=offering(pace_info(INTEGRATED), signed=(WEAK,))),
    "integrated-turned-into-generic": Attack(card=offering(WEAK, signed=(pace_info(INTEGRATED),))),
    "parameters-changed-within-policy": Attack(
        card=offering(pace_info(GENERIC, AES_128, BRAINPOOL_P256), signed=(WEAK,))
    ),
    "parameters-outside-policy": Attack(
        card=tempting(
            pace_info(GENERIC, AES_128, P384), signed=(pace_info(GENERIC, AES_128, P384),)
        )
    ),
    "version-one-only": Attack(card=tempting(_version_one())),
    "finite-field-only": Attack(card=tempting(FINITE_FIELD, signed=(FINITE_FIELD,))),
    "finite-field-added": Attack(
        card=offering(WEAK, FINITE_FIELD, signed=(WEAK,)), look=must_have_used(WEAK)
    ),
    "triple-des-only": Attack(card=tempting(TRIPLE_DES, signed=(TRIPLE_DES,))),
    "triple-des-added": Attack(
        card=offering(WEAK, TRIPLE_DES, signed=(WEAK,)), look=must_have_used(WEAK)
    ),
    "offer-added": Attack(card=offering(WEAK, STRONG, signed=(WEAK,))),
    "nothing-signed-for-pace": Attack(card=offering(WEAK, signed=())),
    "options-never-issued": Attack(card=_without_14),
    "bac-named-and-not-needed": Attack(card=_bac_named_and_not_needed, look=must_have_used(STRONG)),
    "bac-only-and-unnamed": Attack(card=basic_access),
    "bac-only-and-named": Attack(card=basic_access, look=must_have_used_bac),
    **{
        f"pace-step-{step}-answered-{status_word.lower()}": Attack(
            card=_tempting_card, middle=_failing(step, status_word)
        )
        for step, status_word in (
            *product((0,), ("6300", "6985", "6A80", "6A88", "6D00", "6E00", "63C0", "9001")),
            *product((1, 2, 3), ("6300", "6985", "6A80", "6D00", "6E00", "9000")),
            *product((4,), ("6300", "6985", "6A80", "6D00", "6E00", "9000")),
        )
    },
    **{
        f"pace-step-{step}-unanswered": Attack(card=_tempting_card, middle=_silent(step))
        for step in range(5)
    },
}
