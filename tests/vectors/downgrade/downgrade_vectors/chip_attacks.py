"""Chip and active authentication, EF.CardSecurity: chips that are not the original, or prove less than was signed."""

from collections.abc import Callable
from dataclasses import replace

from conformance_vectors.bench import CardDraft
from conformance_vectors.chip_cases import CardWithOldKeys, mapped, signing_ecdsa
from conformance_vectors.reading_cases import basic_access
from conformance_vectors.security_infos_drafts import (
    P256,
    chip_info,
    chip_key,
    data_group_14,
    issued_key,
    key,
    mapping,
    pace_info,
    point,
    proving,
    public_key,
    with_keys,
)
from conformance_vectors.security_objects import data_group_hashes
from downgrade_vectors.bench import (
    Attack,
    Interceptor,
    Outcome,
    answering,
    changing,
    nth_protected,
)
from lint_vectors import drafts

from card_layout.curves import NamedCurve
from simulators.faults import Fault, FaultKind
from simulators.image import EcKey, SessionAlgorithm
from verifier.inspection.snapshot import ChipOutcome

_MSE, _GENERAL_AUTHENTICATE, _INTERNAL_AUTHENTICATE = 0x22, 0x86, 0x88
_P384 = NamedCurve.SECP384R1
_TRIPLE_DES, _AES_128, _AES_256 = 1, 2, 4


def weak() -> EcKey:
    return key(P256, 1)


def strong() -> EcKey:
    return key(_P384, 2)


def two_keys(*held: EcKey) -> CardDraft:
    """Two keys are signed, the smaller named first; the chip holds these."""
    infos = (
        chip_info(key_id=1),
        chip_info(key_id=2),
        chip_key(public_key(weak()), 1),
        chip_key(public_key(strong()), 2),
    )
    return proving(*infos, keys=held)


def two_ciphers(*algorithms: SessionAlgorithm) -> CardDraft:
    """One key is signed for AES-128 and AES-256; the chip does these with it."""
    infos = (chip_info(), chip_info(cipher=_AES_256), chip_key(public_key(weak())))
    return proving(*infos, keys=(replace(weak(), algorithms=algorithms),))


def triple_des_beside(cipher: int | None) -> Callable[[], CardDraft]:
    """3DES is signed for the chip's key, alone or beside a cipher of AES; the session is one of PACE."""

    def card() -> CardDraft:
        infos = [chip_info(cipher=_TRIPLE_DES), chip_key(public_key(weak()))]
        if cipher is not None:
            infos.append(chip_info(cipher=cipher))
        algorithms = (SessionAlgorithm.TRIPLE_DES, SessionAlgorithm.AES_128)
        return proving(*infos, keys=(replace(weak(), algorithms=algorithms),))

    return card


def bac_with(*algorithms: SessionAlgorithm) -> Callable[[], CardDraft]:
    """Opened by basic access control; AES and 3DES are signed for the chip's key, which does these."""

    def card() -> CardDraft:
        right = basic_access()
        before = right.image
        held = with_keys(replace(weak(), algorithms=algorithms))
        infos = (chip_info(cipher=_TRIPLE_DES), chip_info(), chip_key(public_key(weak())))
        return right.having(
            files={**right.files, "EF.DG14": data_group_14(*infos)},
            image=lambda image: held(before(image)),
        )

    return card


def clone() -> CardDraft:
    """Another chip with the same data: it has a key of its own under the number that was signed."""
    own = replace(issued_key(), private_scalar=key(P256, 9).private_scalar)
    return CardDraft(image=with_keys(own))


def clone_that_refuses() -> CardDraft:
    return CardDraft(image=with_keys())


def hiding(number: int, draft: Callable[[], CardDraft] = CardDraft) -> Callable[[], CardDraft]:
    """A data group that was signed and is named is not on the card."""

    def card() -> CardDraft:
        right = draft()
        digest = right.security_object.digest(right.contents()[f"EF.DG{number}"])
        listed = right.security_object.having(
            lds_hashes=lambda hashed: data_group_hashes(
                dict(sorted({**hashed, number: digest}.items()))
            )
        )
        common_data = right.contents()["EF.COM"]
        return right.having(
            files={**right.files, f"EF.DG{number}": None, "EF.COM": common_data},
            security_object=listed,
        )

    return card


def altered_14(*infos: bytes) -> CardDraft:
    """EF.DG14 was exchanged on the card, and the signature is about the right one."""
    right = CardDraft().contents()["EF.DG14"]
    return CardDraft(
        files={"EF.DG14": data_group_14(pace_info(), *infos)}, signed_as={"EF.DG14": right}
    )


def both_proofs(*held: EcKey) -> CardDraft:
    """Chip and active authentication are signed; the chip holds these keys of the former."""
    right = signing_ecdsa()()
    before = right.image
    return right.having(image=lambda image: with_keys(*held)(before(image)))


def signature_alone() -> CardDraft:
    right = signing_ecdsa()()
    announced = drafts.seq(
        drafts.oid("2.23.136.1.1.5"), drafts.integer(1), drafts.oid("0.4.0.127.0.7.1.1.4.1.3")
    )
    return right.having(
        files={**right.files, "EF.DG14": data_group_14(pace_info(), announced)},
    )


def signature_of_another() -> CardDraft:
    right = signing_ecdsa()()
    before = right.image

    def other(image: object) -> object:
        made = before(image)
        private = replace(
            made.keys.active_authentication, private_scalar=key(P256, 8).private_scalar
        )
        return replace(made, keys=replace(made.keys, active_authentication=private))

    return right.having(image=other)


def refusing(instruction: int, p1: int | None, status_word: int) -> Callable[[], CardDraft]:
    fault = Fault(
        kind=FaultKind.INSTRUCTION_REFUSED,
        instruction=instruction,
        p1=p1,
        status_word=status_word,
    )
    return lambda: CardDraft(image=lambda image: replace(image, faults=(fault,)))


def not_signing() -> CardDraft:
    right = signing_ecdsa()()
    before = right.image
    fault = Fault(
        kind=FaultKind.INSTRUCTION_REFUSED,
        instruction=_INTERNAL_AUTHENTICATE,
        status_word=0x6D00,
    )
    return right.having(image=lambda image: replace(before(image), faults=(fault,)))


def without_card_security() -> CardDraft:
    right = mapping()
    return right.having(files={**right.files, "EF.CardSecurity": None})


def altered_card_security() -> CardDraft:
    right = mapping()
    content = right.files["EF.CardSecurity"]
    return right.having(
        files={**right.files, "EF.CardSecurity": content[:-1] + bytes((content[-1] ^ 1,))}
    )


def card_security_of_another_signer() -> CardDraft:
    """EF.SOD was signed by a signer of the same authority, and of another certificate."""
    right = mapping()
    signer = drafts.document_signer().having(serial=drafts.integer(2**70 + 9))
    return right.having(security_object=right.security_object.having(signer=signer))


def mapped_by_another_key() -> CardDraft:
    """The chip's key of the mapping is none that is signed."""
    return mapping().having(image=with_keys(key(P256, 7)))


def unspoken_key() -> CardDraft:
    """The only signed key lies on a curve that is not spoken."""
    right = public_key(issued_key())
    named = NamedCurve.SECP256R1.b.to_bytes(32, "big")
    other = right.replace(named, named[:-1] + bytes((named[-1] ^ 1,)))
    return proving(chip_info(), chip_key(other), keys=())


def must_have_proven(*expected: Callable[[], EcKey]) -> Callable[[Outcome], None]:
    """The key that counts is this one."""

    def look(outcome: Outcome) -> None:
        chip = outcome.snapshot.chip
        assert chip.outcome is ChipOutcome.PROVEN
        right = point(expected[0]()).to_subject_public_key_info(explicit=False)
        assert chip.public_key == right

    return look


def must_not_have_been_proven(outcome: Outcome) -> None:
    assert outcome.snapshot.chip.outcome is not ChipOutcome.PROVEN


def session_lost() -> Interceptor:
    """Somebody between answers the command that proves the chip in plain."""
    return Interceptor(nth_protected(_GENERAL_AUTHENTICATE), answering(b"\x69\x88"))


def answer_altered() -> Interceptor:
    """One bit of the answer to chip authentication is turned."""
    return Interceptor(
        nth_protected(_GENERAL_AUTHENTICATE),
        changing(lambda response: bytes((response[0] ^ 0x10,)) + response[1:]),
    )


CHIP_ATTACKS: dict[str, Attack] = {
    "clone-with-a-key-of-its-own": Attack(card=clone, look=must_not_have_been_proven),
    "clone-where-the-chip-is-not-required": Attack(card=clone, look=must_not_have_been_proven),
    "clone-that-refuses": Attack(card=clone_that_refuses, look=must_not_have_been_proven),
    "clone-that-refuses-where-not-required": Attack(
        card=clone_that_refuses, look=must_not_have_been_proven
    ),
    **{
        f"chip-authentication-answered-{status_word:04x}": Attack(
            card=refusing(_MSE, 0x41, status_word), look=must_not_have_been_proven
        )
        for status_word in (0x6A80, 0x6A88, 0x6985, 0x6D00, 0x6E00, 0x6300)
    },
    "chip-authentication-session-lost": Attack(card=CardDraft, middle=session_lost),
    "chip-authentication-answer-altered": Attack(card=CardDraft, middle=answer_altered),
    "chip-goes-on-with-old-keys": Attack(card=lambda: CardDraft(chip=CardWithOldKeys)),
    "strong-key-given-up": Attack(card=lambda: two_keys(weak()), look=must_have_proven(weak)),
    "weak-key-named-first": Attack(
        card=lambda: two_keys(weak(), strong()), look=must_have_proven(strong)
    ),
    "strong-cipher-given-up": Attack(
        card=lambda: two_ciphers(SessionAlgorithm.AES_128), look=must_have_proven(weak)
    ),
    "weak-cipher-named-first": Attack(
        # A terminal that tried AES-128 first would be refused, and note that it fell back.
        card=lambda: two_ciphers(SessionAlgorithm.AES_256),
        look=must_have_proven(weak),
    ),
    "triple-des-alone-after-pace": Attack(card=triple_des_beside(None)),
    "triple-des-beside-aes-after-pace": Attack(
        card=triple_des_beside(_AES_128), look=must_have_proven(weak)
    ),
    "aes-given-up-after-bac": Attack(
        card=bac_with(SessionAlgorithm.TRIPLE_DES), look=must_have_proven(weak)
    ),
    "triple-des-named-first-after-bac": Attack(
        card=bac_with(SessionAlgorithm.TRIPLE_DES, SessionAlgorithm.AES_128),
        look=must_have_proven(weak),
    ),
    "chip-authentication-never-signed": Attack(card=lambda: proving(keys=())),
    "chip-authentication-struck-out": Attack(card=altered_14),
    "chip-key-exchanged": Attack(
        card=lambda: altered_14(chip_info(), chip_key(public_key(key(P256, 9)))).having(
            image=with_keys(replace(key(P256, 9), key_id=1))
        )
    ),
    "options-hidden": Attack(card=hiding(14)),
    "options-not-listed": Attack(
        card=lambda: CardDraft(unlisted=frozenset({"EF.DG14"})),
    ),
    "chip-key-on-unspoken-curve": Attack(card=unspoken_key),
    "signature-instead-of-chip-authentication": Attack(card=both_proofs),
    "signature-alone-as-signed": Attack(card=signature_alone),
    "signature-refused": Attack(card=not_signing),
    "signature-by-another-key": Attack(card=signature_of_another),
    "signature-key-hidden": Attack(card=hiding(15, signing_ecdsa())),
    "signature-key-not-listed": Attack(
        card=lambda: signing_ecdsa()().having(unlisted=frozenset({"EF.DG15"}))
    ),
    "card-security-missing": Attack(card=without_card_security),
    "card-security-altered": Attack(card=altered_card_security),
    "card-security-of-another-signer": Attack(card=card_security_of_another_signer),
    "card-security-offers-less": Attack(card=mapped("less")),
    "card-security-with-another-key": Attack(card=mapped("other key")),
    "mapping-by-another-key": Attack(card=mapped_by_another_key),
}
