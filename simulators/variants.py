"""Issued cards of other kinds than ours: other mappings, curves, ciphers, keys and ways in (SPEC.md, 5.6 to 5.10).

Passports and identity cards in the field differ in these points; a terminal that reads them all is tested with
cards that have them all. Production cards are never of a variant.
"""

from dataclasses import dataclass, replace

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ObjectIdentifier

from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.files.card_access import CardAccess
from card_layout.files.card_security import CardSecurity
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.data_group_15 import ActiveAuthenticationKey
from card_layout.files.data_groups import TAG_OF_GROUP
from card_layout.files.security_infos import (
    ActiveAuthenticationInfo,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfo,
    SecurityInfos,
)
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.profile import AccessRule, CardProfile, FileProfile
from pki.certificates.certificate import load_certificate
from pki.signed.security_object import SecurityObject
from pki.signed.signed_frame import UnsignedFrame, attribute
from pki.signed.structures import ID_CONTENT_TYPE, ID_MESSAGE_DIGEST
from simulators.authority import CertifiedKey, SignerKind, TestAuthority
from simulators.card.pace_offers import Mapping, PaceOffer
from simulators.image import CardImage, EcKey, ImageFile, ReadRule
from simulators.image_keys import HashAlgorithm, RsaKey, SessionAlgorithm, SigningEcKey
from simulators.issued_image import sign_image

__all__ = ["ChipVariant", "draw_rsa_key", "draw_signing_key", "in_variant"]

_SMARTCARD = "0.4.0.127.0.7.2.2"
_ID_SECURITY_OBJECT = ObjectIdentifier("0.4.0.127.0.7.3.2.1")
_CARD_ACCESS = "3F00/011C"
_CARD_SECURITY = "3F00/011D"
_SIGNING_KEY_FILE = "EF.DG15"
_RSA_EXPONENT = 65537
_CIPHER_ARC = {
    SessionAlgorithm.TRIPLE_DES: 1,
    SessionAlgorithm.AES_128: 2,
    SessionAlgorithm.AES_192: 3,
    SessionAlgorithm.AES_256: 4,
}
_PLAIN_ECDSA = {
    HashAlgorithm.SHA_224: "0.4.0.127.0.7.1.1.4.1.2",
    HashAlgorithm.SHA_256: "0.4.0.127.0.7.1.1.4.1.3",
    HashAlgorithm.SHA_384: "0.4.0.127.0.7.1.1.4.1.4",
    HashAlgorithm.SHA_512: "0.4.0.127.0.7.1.1.4.1.5",
}
"""ecdsa-plain-SHAn (TR-03111, 5.2.1.1), by which ActiveAuthenticationInfo names the hash."""


@dataclass(frozen=True, kw_only=True)
class ChipVariant:
    """What a card's chip can do.

    Attributes:
        offers: what EF.CardAccess offers; without any the card has no PACE.
        chip_keys: the keys of chip authentication, each with a number of its own.
        signing_key: the key of active authentication; with it the card has EF.DG15.
        basic_access_control: whether the MRZ opens it without PACE.
        pin: opens it under PACE as well, with ``puk`` to unblock it.
    """

    offers: tuple[PaceOffer, ...] = ()
    chip_keys: tuple[EcKey, ...] = ()
    signing_key: SigningEcKey | RsaKey | None = None
    basic_access_control: bool = False
    pin: str | None = None
    puk: str | None = None


def draw_signing_key(
    curve: NamedCurve, hash_algorithm: HashAlgorithm = HashAlgorithm.SHA_256
) -> SigningEcKey:
    """A new key of active authentication with ECDSA."""
    private_key = ec.generate_private_key(curve.to_cryptography())
    return SigningEcKey(
        curve=curve,
        private_scalar=private_key.private_numbers().private_value,
        hash_algorithm=hash_algorithm,
    )


def draw_rsa_key(bits: int, hash_algorithm: HashAlgorithm = HashAlgorithm.SHA_1) -> RsaKey:
    """A new key of active authentication with RSA and the exponent 65537."""
    numbers = rsa.generate_private_key(_RSA_EXPONENT, bits).private_numbers()
    return RsaKey(
        modulus=numbers.public_numbers.n,
        private_exponent=numbers.d,
        hash_algorithm=hash_algorithm,
    )


def in_variant(
    image: CardImage,
    variant: ChipVariant,
    *,
    profile: CardProfile,
    authority: TestAuthority,
    signer: SignerKind = SignerKind.CURRENT,
) -> CardImage:
    """The issued card with another chip: its holder's data stay, what depends on the chip is made and signed anew.

    Args:
        image: a card that ``issue_image`` made.
        variant: what its chip shall be able to do.
        profile: the profile that the card was issued with.
        authority: signs the new EF.SOD and, where a mapping asks for it, EF.CardSecurity.
        signer: with which of its document signers.
    """
    earlier = SecurityObject.from_bytes(
        SecurityObjectFile.from_bytes(image.files[profile.file("EF.SOD").path].data).content_info
    )
    if earlier.signing_time is None or earlier.status_reference is None:
        raise ValueError("the card's security object lacks its signing time or status reference")
    grown = _with_signing_key(profile) if variant.signing_key is not None else profile
    changed = replace(
        image,
        secrets=replace(
            image.secrets,
            basic_access_control=variant.basic_access_control,
            pin=variant.pin,
            puk=variant.puk,
        ),
        keys=replace(
            image.keys,
            chip_authentication=variant.chip_keys,
            active_authentication=variant.signing_key,
        ),
        files=_files(image, variant, profile=grown, key=authority.signers[signer]),
    )
    return sign_image(
        changed,
        profile=grown,
        authority=authority,
        signer=signer,
        signing_time=earlier.signing_time,
        status_reference=earlier.status_reference,
    )


def _files(
    image: CardImage, variant: ChipVariant, *, profile: CardProfile, key: CertifiedKey
) -> dict[str, ImageFile]:
    """The card's files, with those that tell what the chip can do made anew."""
    files = dict(image.files)

    def put(path: str, data: bytes, short_identifier: int, read: ReadRule) -> None:
        files[path] = ImageFile(
            data=data, read=read, short_identifier=short_identifier, capacity=len(data)
        )

    options = _security_options(variant)
    if options:
        infos = SecurityInfos(infos=options)
        data = SecurityOptions(security_infos=infos).to_bytes()
        put(profile.file("EF.DG14").path, data, 0x0E, ReadRule.PASSWORD)
    else:
        del files[profile.file("EF.DG14").path]
    if variant.offers:
        offered = SecurityInfos(infos=tuple(_pace_info(offer) for offer in variant.offers))
        data = CardAccess(security_infos=offered).to_bytes()
        put(_CARD_ACCESS, data, 0x1C, ReadRule.ALWAYS)
    else:
        del files[_CARD_ACCESS]
    if any(offer.mapping is Mapping.CHIP_AUTHENTICATION for offer in variant.offers):
        data = _card_security(SecurityInfos(infos=options), key).to_bytes()
        put(_CARD_SECURITY, data, 0x1D, ReadRule.PASSWORD)
    if variant.signing_key is not None:
        data = ActiveAuthenticationKey(
            subject_public_key_info=_subject_public_key_info(variant.signing_key)
        ).to_bytes()
        put(profile.file(_SIGNING_KEY_FILE).path, data, 0x0F, ReadRule.PASSWORD)
    groups = sorted(
        file.data_group
        for file in profile.files
        if file.data_group is not None and file.path in files
    )
    common = CommonData(data_group_tags=tuple(TAG_OF_GROUP[group] for group in groups))
    path = profile.file("EF.COM").path
    files[path] = replace(files[path], data=common.to_bytes())
    return files


def _security_options(variant: ChipVariant) -> tuple[SecurityInfo, ...]:
    """What EF.DG14 says: the offers again, the keys, and how each is used."""
    infos: list[SecurityInfo] = [_pace_info(offer) for offer in variant.offers]
    for key in variant.chip_keys:
        infos.extend(
            ChipAuthenticationInfo(
                protocol=f"{_SMARTCARD}.3.2.{_CIPHER_ARC[algorithm]}", key_id=key.key_id
            )
            for algorithm in key.algorithms
        )
        infos.append(
            ChipAuthenticationPublicKeyInfo(
                public_key=EcPublicKey.from_cryptography(
                    ec.derive_private_key(
                        key.private_scalar, key.curve.to_cryptography()
                    ).public_key()
                ),
                key_id=key.key_id,
            )
        )
    if isinstance(variant.signing_key, SigningEcKey):
        infos.append(
            ActiveAuthenticationInfo(
                signature_algorithm=_PLAIN_ECDSA[variant.signing_key.hash_algorithm]
            )
        )
    return tuple(infos)


def _pace_info(offer: PaceOffer) -> PaceInfo:
    return PaceInfo(
        protocol=f"{_SMARTCARD}.4.{offer.mapping.value}.{_CIPHER_ARC[offer.algorithm]}",
        parameter_id=offer.parameter_id,
    )


def _card_security(infos: SecurityInfos, key: CertifiedKey) -> CardSecurity:
    """The same infos, under the document signer's signature (9303-11, 9.2.11)."""
    certificate = load_certificate(key.certificate)
    content = infos.to_bytes()
    algorithm = key.signer.algorithm
    unsigned = UnsignedFrame(
        algorithm=algorithm,
        content_type=_ID_SECURITY_OBJECT,
        content=content,
        certificate=key.certificate,
        issuer=certificate.issuer,
        serial_number=certificate.serial_number,
        attributes=asn1.SetOf(
            [
                attribute(ID_CONTENT_TYPE, _ID_SECURITY_OBJECT),
                attribute(ID_MESSAGE_DIGEST, algorithm.hash_algorithm.digest(content)),
            ]
        ),
    )
    return CardSecurity(content_info=unsigned.finish(key.signer.sign(unsigned.to_be_signed)))


def _subject_public_key_info(key: SigningEcKey | RsaKey) -> bytes:
    if isinstance(key, SigningEcKey):
        private_key = ec.derive_private_key(key.private_scalar, key.curve.to_cryptography())
        public_key = EcPublicKey.from_cryptography(private_key.public_key())
        return public_key.to_subject_public_key_info(explicit=True)
    numbers = rsa.RSAPublicNumbers(_RSA_EXPONENT, key.modulus)
    return numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _with_signing_key(profile: CardProfile) -> CardProfile:
    """The profile with EF.DG15 beside its other files."""
    application = profile.application_identifier.hex().upper()
    file = FileProfile(
        name=_SIGNING_KEY_FILE,
        path=f"{application}/010F",
        file_identifier=0x010F,
        short_identifier=0x0F,
        tag=TAG_OF_GROUP[15],
        data_group=15,
        capacity=1024,
        read=AccessRule.PASSWORD,
    )
    return replace(profile, files=(*profile.files, file))
