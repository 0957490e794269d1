"""DG14, DG15, EF.CardSecurity: chip authentication, active authentication and what is signed for them."""

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

from conformance_vectors.bench import CardDraft, Case, accepted, refused
from conformance_vectors.data_group_drafts import frame, with_length
from conformance_vectors.security_infos_drafts import (
    CHIP,
    P256,
    chip_info,
    chip_key,
    data_group_14,
    issued_key,
    key,
    mapping,
    pace_info,
    proving,
    public_key,
)
from conformance_vectors.security_objects import rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lint_vectors.drafts import integer, oid, seq

from card_layout import tlv
from card_layout.curves import NamedCurve
from simulators.card import active_authentication
from simulators.card.operating_system import VirtualCard
from simulators.faults import Fault, FaultKind
from simulators.image import (
    ActiveAuthenticationKey,
    CardImage,
    HashAlgorithm,
    RsaKey,
    SigningEcKey,
)

MALFORMED = "data-group.malformed"
MISSING = "data-group.missing"
NOT_PERFORMED = "chip-authentication.not-performed"
NOT_PROVEN = "chip.not-proven"
CARD_SECURITY = "card-security.not-proven"
PLAIN_SHA_256 = "0.4.0.127.0.7.1.1.4.1.3"


def right_infos() -> tuple[bytes, bytes, bytes]:
    return pace_info(), chip_info(), chip_key(public_key(issued_key()))


def group_14(content: bytes, signed_as: bytes | None = None) -> Callable[[], CardDraft]:
    return lambda: CardDraft(
        files={"EF.DG14": content},
        signed_as={"EF.DG14": content if signed_as is None else signed_as},
    )


def infos(make: Callable[[], tuple[bytes, ...]]) -> Callable[[], CardDraft]:
    """A card whose DG14 holds these infos; they are made when the vector is run."""
    return lambda: CardDraft(files={"EF.DG14": data_group_14(*make())})


def right_14() -> bytes:
    return data_group_14(*right_infos())


def several(count: int) -> Callable[[], CardDraft]:
    """A chip with several keys, and DG14 with an info for each."""

    def card() -> CardDraft:
        keys = tuple(key(P256, number) for number in range(1, count + 1))
        listed = [chip_info(key_id=of.key_id) for of in keys]
        listed += [chip_key(public_key(of), of.key_id) for of in keys]
        return proving(*listed, keys=keys)

    return card


def off_the_curve() -> bytes:
    """The chip's key with one bit of its point changed."""
    right = public_key(issued_key())
    return right[:-1] + bytes((right[-1] ^ 1,))


def other_parameters() -> bytes:
    """The chip's key on a curve that nobody knows: P-256 with another b."""
    right = public_key(issued_key())
    b = P256.b.to_bytes(32, "big")
    return right.replace(b, b[:-1] + bytes((b[-1] ^ 1,)))


class CardWithOldKeys(VirtualCard):
    """A chip that takes chip authentication and goes on with the session that it had."""

    def process(self, command: bytes) -> bytes:
        reading = self._volatile.reading
        before = reading.session
        answer = super().process(command)
        if before is not None and reading.session is not None:
            reading.session = before
        return answer


class CardWithWrongTrailer(VirtualCard):
    """A chip whose signature ends with a byte that names no hash."""

    def process(self, command: bytes) -> bytes:
        wrong = {HashAlgorithm.SHA_1: b"\xbd"}
        with patch.dict(active_authentication._TRAILERS, wrong):
            return super().process(command)


def refusing(status_word: int) -> CardDraft:
    """A chip that refuses the choice of its key with this status word."""
    fault = Fault(
        kind=FaultKind.INSTRUCTION_REFUSED, instruction=0x22, p1=0x41, status_word=status_word
    )
    return CardDraft(image=lambda image: replace(image, faults=(fault,)))


def signing(
    private: ActiveAuthenticationKey, subject_public_key_info: bytes, *more: bytes
) -> CardDraft:
    """A chip with DG15 that signs; DG14 holds ``more``, which names the algorithm."""

    def with_key(image: CardImage) -> CardImage:
        return replace(image, keys=replace(image.keys, active_authentication=private))

    return CardDraft(
        files={
            "EF.DG14": data_group_14(*right_infos(), *more),
            "EF.DG15": tlv.encode(0x6F, subject_public_key_info),
        },
        image=with_key,
    )


def signing_rsa(hash_algorithm: HashAlgorithm) -> Callable[[], CardDraft]:
    def card() -> CardDraft:
        numbers = rsa_key().private_numbers()
        private = RsaKey(
            modulus=numbers.public_numbers.n,
            private_exponent=numbers.d,
            hash_algorithm=hash_algorithm,
        )
        public = rsa_key().public_key()
        encoded = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return signing(private, encoded)

    return card


def signing_ecdsa(algorithm: str = PLAIN_SHA_256) -> Callable[[], CardDraft]:
    def card() -> CardDraft:
        own = key(P256, 7)
        private = SigningEcKey(curve=P256, private_scalar=own.private_scalar)
        announced = seq(oid("2.23.136.1.1.5"), integer(1), oid(algorithm))
        return signing(private, public_key(own), announced)

    return card


def group_15(change: Callable[[bytes], bytes], *, framed: bool = False) -> Callable[[], CardDraft]:
    """A chip that signs, whose DG15 is changed before it is signed."""

    def card() -> CardDraft:
        right = signing_ecdsa()()
        spoilt = change(right.files["EF.DG15"])
        read = frame(spoilt) if framed else spoilt
        return right.having(files={**right.files, "EF.DG15": spoilt}, signed_as={"EF.DG15": read})

    return card


def mapped(*changed: str) -> Callable[[], CardDraft]:
    """A chip proven by PACE whose EF.CardSecurity differs in the parts that are named."""

    def card() -> CardDraft:
        own = chip_key(public_key(key(P256)))
        offer = pace_info(CHIP)
        signed = {
            "more": (offer, pace_info(CHIP, 4), chip_info(), own),
            "less": (chip_info(), own),
            "different": (pace_info(CHIP, 3), chip_info(), own),
            "other key": (offer, chip_info(), chip_key(public_key(key(P256, 2)))),
            "no key": (offer, chip_info()),
            "other curve": (
                offer,
                chip_info(),
                chip_key(public_key(key(NamedCurve.BRAINPOOLP256R1))),
            ),
        }[changed[0]]
        return mapping(signed=signed)

    return card


CHIP_AUTHENTICATION_CASES: dict[str, Case] = {
    "ISO7816_D_02": accepted(CardDraft, "chip authentication over an elliptic curve"),
    "ISO7816_D_03": accepted(several(1), "DG14 names one key by its number"),
    "ISO7816_D_04": accepted(several(2), "DG14 names two keys by their numbers"),
    "ISO7816_D_05": accepted(several(3), "DG14 names three keys by their numbers"),
    "ISO7816_D_06": refused(
        infos(lambda: (pace_info(), chip_info(key_id=9), chip_key(public_key(issued_key()), 9))),
        NOT_PERFORMED,
        reason="DG14 names the chip's key by a number that the chip does not know",
    ),
    "ISO7816_D_08": refused(
        infos(lambda: (pace_info(), chip_info(), chip_key(off_the_curve()))),
        MALFORMED,
        reason="the signed key of the chip is a point beside its curve",
    ),
    "ISO7816_D_09": refused(
        lambda: CardDraft(chip=CardWithOldKeys),
        NOT_PROVEN,
        reason="the chip goes on under the old session keys after chip authentication",
    ),
    "ISO7816_D_12": refused(
        infos(lambda: (pace_info(), chip_info(), chip_key(other_parameters()))),
        NOT_PERFORMED,
        reason="the domain parameters of the signed key are those of no curve",
    ),
    "ISO7816_D_13": refused(
        infos(lambda: (pace_info(), chip_info(key_id=1), chip_key(public_key(issued_key()), 2))),
        NOT_PERFORMED,
        reason="DG14 gives protocol and key two different numbers",
    ),
    "ISO7816_D_14": accepted(
        lambda: proving(
            chip_info(),
            chip_key(public_key(key(NamedCurve.BRAINPOOLP512R1))),
            keys=(key(NamedCurve.BRAINPOOLP512R1),),
        ),
        "chip authentication on a card that announces extended lengths, with a key of 512 bits",
    ),
    "ISO7816_D_15": refused(
        lambda: tuple(refusing(word) for word in (0x6A80, 0x6A86, 0x6A88, 0x6985, 0x6300)),
        NOT_PERFORMED,
        reason="the chip refuses the number of its key with one of five status words",
    ),
    "LDS_F_01": refused(
        group_14(b"\x6f" + right_14()[1:]), MALFORMED, reason="DG14 begins with tag 6F"
    ),
    "LDS_F_02": refused(
        group_14(with_length(right_14(), -1), frame(with_length(right_14(), -1))),
        MALFORMED,
        reason="the length of DG14 is one byte too small",
    ),
    "LDS_F_03": refused(
        group_14(with_length(right_14(), 1)),
        MALFORMED,
        MISSING,
        reason="the length of DG14 is one byte too large",
    ),
    "LDS_F_04": refused(
        infos(lambda: (pace_info(), chip_info(cipher=9), chip_key(public_key(issued_key())))),
        NOT_PERFORMED,
        reason="DG14 announces chip authentication by an object identifier that nobody specified",
    ),
    "LDS_F_05": refused(
        infos(lambda: (pace_info(), chip_info(protocol=b""), chip_key(public_key(issued_key())))),
        MALFORMED,
        reason="the info on chip authentication names no protocol",
    ),
    "LDS_F_06": refused(
        infos(
            lambda: (pace_info(), chip_info(version=integer(3)), chip_key(public_key(issued_key())))
        ),
        NOT_PERFORMED,
        reason="the info on chip authentication has version 3",
    ),
    "LDS_F_07": refused(
        infos(
            lambda: (
                pace_info(),
                chip_info(version=b"", key_id=None),
                chip_key(public_key(issued_key()), None),
            )
        ),
        MALFORMED,
        reason="the info on chip authentication has no version",
    ),
}

ACTIVE_AUTHENTICATION_CASES: dict[str, Case] = {
    **{
        f"ISO7816_F_{number}": accepted(
            signing_rsa(hash_algorithm),
            f"active authentication with RSA and {hash_algorithm.value.upper()}",
        )
        for number, hash_algorithm in (
            ("01", HashAlgorithm.SHA_1),
            ("04", HashAlgorithm.SHA_224),
            ("05", HashAlgorithm.SHA_256),
            ("06", HashAlgorithm.SHA_384),
            ("07", HashAlgorithm.SHA_512),
        )
    },
    "ISO7816_F_02": accepted(signing_ecdsa(), "active authentication with ECDSA and SHA-256"),
    "ISO7816_F_08": refused(
        lambda: signing_rsa(HashAlgorithm.SHA_1)().having(chip=CardWithWrongTrailer),
        NOT_PROVEN,
        reason="the recovered message of active authentication ends with a trailer that names no hash",
    ),
    "ISO7816_F_09": refused(
        signing_ecdsa("1.2.3.4"),
        NOT_PROVEN,
        reason="DG14 names active authentication's algorithm by an identifier that is none",
    ),
    "LDS_I_01": refused(
        group_15(lambda data: b"\x70" + data[1:]), MALFORMED, reason="DG15 begins with tag 70"
    ),
    "LDS_I_02": refused(
        group_15(lambda data: with_length(data, -1), framed=True),
        MALFORMED,
        reason="the length of DG15 is one byte too small",
    ),
    "LDS_I_03": refused(
        group_15(lambda data: with_length(data, 1)),
        MALFORMED,
        MISSING,
        reason="the length of DG15 is one byte too large",
    ),
}

CARD_SECURITY_CASES: dict[str, Case] = {
    "ISO7816_G_34": accepted(
        mapping, "PACE with chip authentication mapping, and everything signed"
    ),
    "ISO7816_G_38": refused(
        lambda: mapping(options=data_group_14()),
        MALFORMED,
        reason="after chip authentication mapping DG14 holds no SecurityInfo",
    ),
    "ISO7816_G_39": refused(
        mapped("other key"),
        NOT_PROVEN,
        reason="EF.CardSecurity holds another key than the one that PACE proved",
    ),
    "ISO7816_G_40": refused(
        mapped("no key"), NOT_PROVEN, reason="EF.CardSecurity holds no key of the chip"
    ),
    "ISO7816_G_41": accepted(
        lambda: tuple(mapping(curve) for curve in NamedCurve),
        "chip authentication mapping over each of six curves",
    ),
    "LDS_J_01": refused(
        mapped("more"),
        CARD_SECURITY,
        reason="EF.CardSecurity offers one way into PACE more than EF.CardAccess",
    ),
    "LDS_J_02": refused(
        mapped("less"), CARD_SECURITY, reason="EF.CardSecurity lacks the PACEInfo of EF.CardAccess"
    ),
    "LDS_J_03": refused(
        mapped("different"),
        CARD_SECURITY,
        reason="EF.CardSecurity offers another PACE than EF.CardAccess",
    ),
    "LDS_J_04": refused(
        mapped("other curve"),
        NOT_PROVEN,
        reason="the key in EF.CardSecurity lies on another curve than PACE's",
    ),
}
