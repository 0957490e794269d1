"""EF.CardAccess, EF.CardSecurity and DG14 from raw SecurityInfos, and cards whose chip goes with them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

from conformance_vectors.bench import POLICY, CardDraft, issued_image
from conformance_vectors.security_objects import (
    CONTENT_TYPE,
    SIGNING_TIME_OID,
    STATUS_REFERENCE,
    SecurityObjectDraft,
)
from cryptography.hazmat.primitives.asymmetric import ec
from lint_vectors.drafts import integer, oid, seq, sets

from card_layout import tlv
from card_layout.curves import EcPublicKey, NamedCurve
from simulators.image import CardImage, EcKey, SessionAlgorithm

SMARTCARD = "0.4.0.127.0.7.2.2"
SECURITY_OBJECT = "0.4.0.127.0.7.3.2.1"
GENERIC, INTEGRATED, CHIP = 2, 4, 6
ARCS = {SessionAlgorithm.AES_128: 2, SessionAlgorithm.AES_192: 3, SessionAlgorithm.AES_256: 4}
ALL_CURVES = replace(
    POLICY, pace_parameter_ids=frozenset(curve.pace_parameter_id for curve in NamedCurve)
)
P256 = NamedCurve.SECP256R1


def pace_info(mapping: int = GENERIC, cipher: int = 2, parameter_id: int = 12) -> bytes:
    return seq(oid(f"{SMARTCARD}.4.{mapping}.{cipher}"), integer(2), integer(parameter_id))


def chip_info(
    *,
    protocol: bytes | None = None,
    version: bytes | None = None,
    key_id: int | None = 1,
    cipher: int = 2,
) -> bytes:
    return seq(
        oid(f"{SMARTCARD}.3.2.{cipher}") if protocol is None else protocol,
        integer(1) if version is None else version,
        b"" if key_id is None else integer(key_id),
    )


def chip_key(public_key: bytes, key_id: int | None = 1) -> bytes:
    number = b"" if key_id is None else integer(key_id)
    return seq(oid(f"{SMARTCARD}.1.2"), public_key, number)


def unknown_info() -> bytes:
    return seq(oid("1.3.6.1.4.1.32473.51.99"), integer(1))


@cache
def key(curve: NamedCurve, number: int = 1) -> EcKey:
    """A key of the chip, one for each curve and number."""
    private = ec.generate_private_key(curve.to_cryptography())
    return EcKey(
        curve=curve,
        private_scalar=private.private_numbers().private_value,
        key_id=number,
        algorithms=(SessionAlgorithm.AES_128, SessionAlgorithm.AES_192, SessionAlgorithm.AES_256),
    )


def point(of: EcKey) -> EcPublicKey:
    private = ec.derive_private_key(of.private_scalar, of.curve.to_cryptography())
    return EcPublicKey.from_cryptography(private.public_key())


def public_key(of: EcKey) -> bytes:
    return point(of).to_subject_public_key_info(explicit=True)


def issued_key() -> EcKey:
    (found,) = issued_image().keys.chip_authentication
    return found


def card_access(*infos: bytes) -> bytes:
    return sets(*infos)


def data_group_14(*infos: bytes) -> bytes:
    return tlv.encode(0x6E, sets(*infos))


def card_security(*infos: bytes) -> bytes:
    """EF.CardSecurity, signed by the signer of EF.SOD."""
    draft = SecurityObjectDraft(
        content_type=oid(SECURITY_OBJECT),
        attributes={
            CONTENT_TYPE: oid(SECURITY_OBJECT),
            SIGNING_TIME_OID: None,
            STATUS_REFERENCE: None,
        },
    )
    return draft.content_info(sets(*infos))


def with_keys(*keys: EcKey) -> Callable[[CardImage], CardImage]:
    return lambda image: replace(image, keys=replace(image.keys, chip_authentication=keys))


def opening(*infos: bytes, more: Iterable[bytes] = ()) -> CardDraft:
    """A card with these PACEInfos in EF.CardAccess and, signed, in DG14; ``more`` stands in EF.CardAccess alone."""
    own = issued_key()
    return CardDraft(
        files={
            "EF.CardAccess": card_access(*infos, *more),
            "EF.DG14": data_group_14(*infos, chip_info(), chip_key(public_key(own))),
        },
        policy=ALL_CURVES,
    )


def proving(*infos: bytes, keys: tuple[EcKey, ...]) -> CardDraft:
    """A card whose DG14 holds these infos beside the PACEInfo, with a chip that has these keys."""
    return CardDraft(files={"EF.DG14": data_group_14(pace_info(), *infos)}, image=with_keys(*keys))


def mapping(
    curve: NamedCurve = P256,
    *,
    cipher: int = 2,
    signed: tuple[bytes, ...] | None = None,
    options: bytes | None = None,
) -> CardDraft:
    """A card that proves its key in PACE; ``signed`` is what its EF.CardSecurity says."""
    own = key(curve)
    offer = pace_info(CHIP, cipher, curve.pace_parameter_id)
    infos = (offer, chip_info(), chip_key(public_key(own)))
    return CardDraft(
        files={
            "EF.CardAccess": card_access(offer),
            "EF.CardSecurity": card_security(*(infos if signed is None else signed)),
            "EF.DG14": data_group_14(*infos) if options is None else options,
        },
        image=with_keys(own),
        policy=ALL_CURVES,
    )
