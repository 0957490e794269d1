"""The cards that the vectors speak to: all files, DG3 and DG4 among them, and the hierarchies that they trust."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from chip_vectors import biometric_files, cv_certificates
from chip_vectors.cv_certificates import CVCA, DG3, DG4, DG13, DOMESTIC, FOREIGN, TERMINAL, Draft
from chip_vectors.driver import APPLICATION, CURVE, Affine, Driver, multiply, require

from card_layout import der, tlv
from card_layout.atr import LifeCycle, encode_atr
from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.files.atr_info import AtrInfo
from card_layout.files.card_access import CardAccess
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfos,
)
from simulators.image import (
    CardImage,
    EcKey,
    ImageFile,
    Keys,
    ReadRule,
    Secrets,
    SigningEcKey,
    file_path,
)

CAN_TEXT: Final = "123456"
INFORMATION: Final = "T22000129364081251010318"
TODAY: Final = "20260101"
"""The card's current date when it is put in."""

EF_CVCA, EF_COM = 0x011C, 0x011E
DG3_FILE, DG4_FILE, DG13_FILE, DG14_FILE = 0x0103, 0x0104, 0x010D, 0x010E
CVCA_FILE_BYTES: Final = 36
_CHIP_SCALAR: Final = 0x6A3C5F9D27B1E8840C71D35A92F6047B8E1D60C4A7F35B2901DEC8467F90A315
_TERMINAL_AUTHENTICATION: Final = "0.4.0.127.0.7.2.2.2"

CONTENTS: Final[Mapping[int, bytes]] = {
    EF_COM: bytes.fromhex("601A5F0104303130385F36063034303030305C0861756B6C6D6E6376"),
    0x0101: tlv.encode(0x61, tlv.encode(0x5F1F, b"I<" + b"<" * 88)),
    DG3_FILE: biometric_files.data_group(biometric_files.FINGER_TAG, 0x09, 0x0A),
    DG4_FILE: biometric_files.data_group(biometric_files.IRIS_TAG, 0x01, None),
    DG13_FILE: tlv.encode(0x6D, b"the record of a member" * 30),
}


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """One country's certificates: a root, its next key with the link to it, verifiers and a terminal below each."""

    root: Draft
    verifier: Draft
    foreign_verifier: Draft
    terminal: Draft
    foreign_terminal: Draft


def hierarchy(
    *, verifier_rights: int = DG3 | DG4, terminal_rights: int = DG3 | DG4, files: int | None = DG13
) -> Hierarchy:
    """All right; effective dates after ``TODAY``, so that a valid chain moves the card's date."""
    return Hierarchy(
        root=ROOT,
        verifier=verifier(rights=verifier_rights, files=files),
        foreign_verifier=verifier(
            reference="XXVERIFYX0001", role=FOREIGN, rights=verifier_rights, files=files
        ),
        terminal=terminal(rights=terminal_rights, files=files),
        foreign_terminal=terminal(
            reference="XXTERMINX0001",
            authority="XXVERIFYX0001",
            rights=terminal_rights,
            files=files,
        ),
    )


def verifier(
    *,
    reference: str = "VNVERIFYV0001",
    authority: str = "VNCVCATV00001",
    role: int = DOMESTIC,
    rights: int = DG3 | DG4,
    files: int | None = DG13,
    effective: str = "20260201",
    expires: str = "20260430",
    algorithm: str = cv_certificates.ECDSA_SHA_256,
    curve: NamedCurve = NamedCurve.SECP256R1,
    signing_curve: NamedCurve = NamedCurve.SECP256R1,
    signing_algorithm: str = cv_certificates.ECDSA_SHA_256,
) -> Draft:
    """A document verifier's certificate."""
    return cv_certificates.certificate(
        reference=reference,
        authority=authority,
        role=role,
        rights=rights,
        files=files,
        effective=effective,
        expires=expires,
        curve=curve,
        algorithm=algorithm,
        signing_curve=signing_curve,
        signing_algorithm=signing_algorithm,
    )


def terminal(
    *,
    reference: str = "VNTERMINV0001",
    authority: str = "VNVERIFYV0001",
    rights: int = DG3 | DG4,
    files: int | None = DG13,
    effective: str = "20260210",
    expires: str = "20260309",
    algorithm: str = cv_certificates.ECDSA_SHA_256,
    curve: NamedCurve = NamedCurve.SECP256R1,
) -> Draft:
    """A terminal's certificate."""
    return cv_certificates.certificate(
        reference=reference,
        authority=authority,
        role=TERMINAL,
        rights=rights,
        files=files,
        effective=effective,
        expires=expires,
        curve=curve,
        signing_curve=curve,
        algorithm=algorithm,
        signing_algorithm=algorithm,
    )


def authority(
    number: int,
    *,
    signed_by: int | None = None,
    effective: str = "20251201",
    expires: str = "20281130",
    curve: NamedCurve = NamedCurve.SECP256R1,
    algorithm: str = cv_certificates.ECDSA_SHA_256,
    signing_curve: NamedCurve = NamedCurve.SECP256R1,
    signing_algorithm: str = cv_certificates.ECDSA_SHA_256,
) -> Draft:
    """The root's key of a number: self-signed, or a link from another number."""
    signer = number if signed_by is None else signed_by
    return cv_certificates.certificate(
        reference=f"VNCVCATV{number:05d}",
        authority=f"VNCVCATV{signer:05d}",
        role=CVCA,
        files=0xFFFF,
        effective=effective,
        expires=expires,
        curve=curve,
        algorithm=algorithm,
        signing_curve=curve if signed_by is None else signing_curve,
        signing_algorithm=algorithm if signed_by is None else signing_algorithm,
    )


ROOT: Final = authority(1)


def chip_public_key() -> Affine:
    """Of chip authentication."""
    return multiply(_CHIP_SCALAR, (CURVE.g_x, CURVE.g_y))


def security_infos() -> bytes:
    """DG14's content; terminal authentication's info is written here by hand (TR-03110-3, A.1.1.3)."""
    x, y = chip_public_key()
    point = b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
    infos = SecurityInfos(
        infos=(
            PaceInfo(parameter_id=12),
            ChipAuthenticationInfo(key_id=1),
            ChipAuthenticationPublicKeyInfo(
                public_key=EcPublicKey(curve=CURVE, point=point), key_id=1
            ),
        )
    ).to_bytes()
    terminal_info = tlv.encode(
        0x30,
        tlv.encode(0x06, der.encode_object_identifier(_TERMINAL_AUTHENTICATION))
        + tlv.encode(0x02, b"\x01"),
    )
    members = [item.to_bytes() for item in tlv.parse(infos, expected_tag=0x31).children()]
    return tlv.encode(0x31, b"".join(sorted((*members, terminal_info))))


def trust_point_file(*references: bytes) -> bytes:
    """EF.CVCA's content: one or two references, zeros behind them (TR-03110-3, A.2.2)."""
    encoded = b"".join(tlv.encode(0x42, reference) for reference in references)
    return encoded + bytes(CVCA_FILE_BYTES - len(encoded))


def document(
    *, has_pace: bool = True, has_bac: bool = False, trust_points: tuple[Draft, ...] = (ROOT,)
) -> CardImage:
    """An operational card; DG3, DG4 and DG13 are for terminals, the other files for the password."""
    card_access = CardAccess(security_infos=SecurityInfos(infos=(PaceInfo(parameter_id=12),)))
    atr_info = AtrInfo(
        capabilities=bytes.fromhex("9421C0"), max_command_bytes=4096, max_response_bytes=4096
    )
    free = {0x2F01: atr_info.to_bytes()} | ({0x011C: card_access.to_bytes()} if has_pace else {})
    references = tuple(item.reference for item in trust_points)
    application = {
        **CONTENTS,
        DG14_FILE: tlv.encode(0x6E, security_infos()),
        EF_CVCA: trust_point_file(*references[:2]),
    }
    files = {
        file_path(None, identifier): ImageFile(
            data=data,
            read=ReadRule.ALWAYS,
            short_identifier=identifier & 0x1F,
            capacity=len(data),
        )
        for identifier, data in free.items()
    }
    for identifier, data in application.items():
        is_gated = identifier in (DG3_FILE, DG4_FILE, DG13_FILE)
        files[file_path(APPLICATION, identifier)] = ImageFile(
            data=data,
            read=ReadRule.TERMINAL if is_gated else ReadRule.PASSWORD,
            short_identifier=identifier & 0x1F,
            capacity=len(data),
        )
    return CardImage(
        profile="vectors of TR-03105-3.2",
        state=LifeCycle.OPERATIONAL,
        serial=bytes(10),
        atr=encode_atr(LifeCycle.OPERATIONAL, extended_lengths=True),
        applications={APPLICATION: 0x0100},
        files=files,
        secrets=Secrets(can=CAN_TEXT, mrz_information=INFORMATION, basic_access_control=has_bac),
        keys=Keys(
            chip_authentication=(EcKey(curve=CURVE, private_scalar=_CHIP_SCALAR, key_id=1),),
            active_authentication=SigningEcKey(curve=CURVE, private_scalar=_CHIP_SCALAR >> 1),
        ),
        trust_points=tuple(item.to_bytes() for item in trust_points),
        current_date=TODAY,
    )


def with_content(image: CardImage, identifier: int, data: bytes) -> CardImage:
    """The same card with another content of one file of the application."""
    path = file_path(APPLICATION, identifier)
    return image.with_file(path, replace(image.files[path], data=data, capacity=len(data)))


def read_to_end(terminal: Driver, identifier: int) -> bytes:
    """A file of the current DF, byte by byte as long as the card gives some."""
    require(terminal.select_file(identifier), 0x9000)
    content = b""
    while True:
        answer = terminal.send(f"00B0{len(content):04X}", le=256)
        if answer.status == 0x6B00:
            return content
        assert require(answer, 0x9000).data
        content += answer.data
