"""EF.SOD: one vector for every part of the signed structure that is missing or wrong."""

from collections.abc import Callable
from dataclasses import replace

from conformance_vectors.bench import POLICY, CardDraft, Case, accepted, refused, signed
from conformance_vectors.security_objects import (
    MESSAGE_DIGEST,
    SIGNING_TIME_OID,
    SecurityObjectDraft,
    data_group_hash,
    data_group_hashes,
    ecdsa,
    in_octets,
)
from lint_vectors.drafts import CSCA_NAME, algorithm, integer, octets, oid, seq, sets, tagged, utc

from card_layout import tlv

MALFORMED = "security-object.malformed"
NOT_ALLOWED = "security-object.algorithm-not-allowed"
INVALID = "security-object.signature-invalid"
MD5 = "1.2.840.113549.2.5"
MD5_WITH_RSA = "1.2.840.113549.1.1.4"
OTHERS = replace(POLICY, allow_other_signatures=True)

Change = Callable[[bytes], bytes]


def file_with(change: Change) -> Callable[[], CardDraft]:
    """A card whose finished EF.SOD is changed."""
    return lambda: CardDraft(security_object_file=change)


def shorter(content: bytes) -> bytes:
    """The outer length counts one byte less than there is."""
    return _with_length(content, -1)


def longer(content: bytes) -> bytes:
    """The outer length counts one byte more than there is."""
    return _with_length(content, 1)


def _with_length(content: bytes, more: int) -> bytes:
    header = tlv.read_header(content)
    length = (header.length + more).to_bytes(header.size - 1, "big")
    if header.size == 2:
        return content[:1] + length + content[2:]
    return content[:2] + length[1:] + content[header.size :]


def hashes_with(change: Callable[[dict[int, bytes]], list[bytes]]) -> Callable[[], CardDraft]:
    """A card whose list of hashes is made by ``change``."""
    return signed(lds_hashes=change)


def without_number_of_group_2(hashed: dict[int, bytes]) -> list[bytes]:
    return [
        seq(octets(digest)) if number == 2 else data_group_hash(number, digest)
        for number, digest in hashed.items()
    ]


def without_group_1(hashed: dict[int, bytes]) -> list[bytes]:
    return data_group_hashes({n: digest for n, digest in hashed.items() if n != 1})


def resigned_hashes() -> CardDraft:
    """A card whose DG12 was exchanged: hash list and message digest fit it, the signature is the old one."""
    other = (
        CardDraft().contents()["EF.DG12"].replace(b"membercard-simulator", b"membercard-forgeries")
    )
    old = ecdsa().sign(b"what the signer really signed")
    draft = SecurityObjectDraft(signature=lambda _content: octets(old))
    return CardDraft(files={"EF.DG12": other}, security_object=draft)


def without_file_12(tag_list: tuple[int, ...]) -> Callable[[], CardDraft]:
    return lambda: CardDraft(files={"EF.DG12": None}, tag_list=tag_list)


def with_lds_digest(name: str) -> Callable[[], CardDraft]:
    """The files are hashed with another hash than is signed."""

    class OtherDigest(SecurityObjectDraft):
        def lds_content(self, files: dict[int, bytes]) -> bytes:
            return SecurityObjectDraft(scheme=ecdsa(name)).lds_content(files)

    return lambda: CardDraft(security_object=OtherDigest(), policy=OTHERS)


LISTED = (0x61, 0x75, 0x6B, 0x6C, 0x6D, 0x6E)
KEY_IDENTIFIER = tagged(0x80, bytes(range(20)))

SECURITY_OBJECT_CASES: dict[str, Case] = {
    "LDS_H_17": refused(
        file_with(lambda sod: b"\x78" + sod[1:]), MALFORMED, reason="EF.SOD begins with tag 78"
    ),
    "LDS_H_18": refused(
        file_with(shorter), MALFORMED, reason="the length of EF.SOD is one byte too small"
    ),
    "LDS_H_19": refused(
        file_with(longer), MALFORMED, reason="the length of EF.SOD is one byte too large"
    ),
    "LDS_H_20": refused(signed(version=integer(2)), MALFORMED, reason="SignedData has version 2"),
    "LDS_H_21": refused(signed(version=b""), MALFORMED, reason="SignedData has no version"),
    "LDS_H_22": refused(
        signed(digest_algorithms=sets(algorithm(MD5))),
        NOT_ALLOWED,
        reason="SignedData lists MD5 as its digest algorithm",
    ),
    "LDS_H_23": refused(
        signed(digest_algorithms=b""),
        MALFORMED,
        reason="SignedData has no list of digest algorithms",
    ),
    "LDS_H_24": refused(
        signed(content_type=oid("2.23.136.1.1.2")),
        MALFORMED,
        reason="the encapsulated content type is that of a master list",
    ),
    "LDS_H_25": refused(
        signed(content_type=b""), MALFORMED, reason="the encapsulated content has no type"
    ),
    "LDS_H_26": refused(
        signed(signer_version=integer(2)), MALFORMED, reason="SignerInfo has version 2"
    ),
    "LDS_H_27": refused(signed(signer_version=b""), MALFORMED, reason="SignerInfo has no version"),
    "LDS_H_28": refused(
        signed(signer_identifier=seq(CSCA_NAME, integer(4711))),
        INVALID,
        reason="SignerInfo names another serial number than the certificate carried has",
    ),
    "LDS_H_29": refused(
        signed(signer_version=integer(3), signer_identifier=tagged(0x80, bytes(20))),
        MALFORMED,
        reason="SignerInfo of version 3 with a subject key identifier that no certificate has; this profile "
        "(SPEC.md, 7.4) takes issuer and serial number only",
    ),
    "LDS_H_30": refused(
        signed(signer_digest=algorithm(MD5)),
        NOT_ALLOWED,
        reason="SignerInfo names MD5 as its digest algorithm",
    ),
    "LDS_H_31": refused(
        signed(signer_digest=b""), MALFORMED, reason="SignerInfo has no digest algorithm"
    ),
    "LDS_H_32": refused(
        signed(message_digest=bytes(32)),
        INVALID,
        reason="the signed message digest is not that of the content",
    ),
    "LDS_H_33": refused(
        signed(attributes={MESSAGE_DIGEST: None}), MALFORMED, reason="there is no message digest"
    ),
    "LDS_H_34": refused(
        signed(attributes={SIGNING_TIME_OID: utc("260301080000Z")}),
        "security-object.signing-time-in-future",
        reason="the signing time lies six weeks ahead",
    ),
    "LDS_H_35": refused(
        signed(attributes={SIGNING_TIME_OID: None}),
        "security-object.signing-time-missing",
        reason="there is no signing time, which this profile wants",
    ),
    "LDS_H_36": refused(
        signed(signature_algorithm=algorithm(MD5_WITH_RSA, b"\x05\x00")),
        NOT_ALLOWED,
        reason="SignerInfo names MD5 with RSA as its signature algorithm",
    ),
    "LDS_H_37": refused(
        signed(signature=in_octets(lambda content: ecdsa().sign(content + b"x"))),
        INVALID,
        reason="the signature is one of the signer over something else",
    ),
    "LDS_H_38": refused(
        signed(signature=lambda _content: b""), MALFORMED, reason="SignerInfo has no signature"
    ),
    "LDS_H_39": refused(
        signed(lds_version=integer(2)), MALFORMED, reason="LDSSecurityObject has version 2"
    ),
    "LDS_H_40": refused(
        signed(lds_version=b""), MALFORMED, reason="LDSSecurityObject has no version"
    ),
    "LDS_H_41": refused(
        signed(lds_digest=algorithm(MD5)),
        NOT_ALLOWED,
        reason="LDSSecurityObject names MD5 as the hash of the files",
    ),
    "LDS_H_42": refused(
        signed(lds_digest=b""), MALFORMED, reason="LDSSecurityObject names no hash of the files"
    ),
    "LDS_H_43": refused(
        hashes_with(lambda hashed: data_group_hashes({**hashed, 2: bytes(32)})),
        "data-group.altered",
        reason="the listed hash of DG2 is another",
    ),
    "LDS_H_44": refused(
        hashes_with(without_group_1),
        "data-group.not-covered",
        "common-data.inconsistent",
        reason="no hash of DG1 is listed, which is on the card and named in EF.COM",
    ),
    "LDS_H_45": refused(
        hashes_with(
            lambda hashed: data_group_hashes(dict(sorted({**hashed, 10: bytes(32)}.items())))
        ),
        "data-group.missing",
        "common-data.inconsistent",
        reason="a hash of DG10 is listed, which is neither on the card nor in EF.COM",
    ),
    "LDS_H_46": refused(
        hashes_with(lambda hashed: data_group_hashes({**hashed, 17: bytes(32)})),
        MALFORMED,
        reason="a hash is listed for data group 17",
    ),
    "LDS_H_47": refused(
        hashes_with(without_number_of_group_2), MALFORMED, reason="the hash of DG2 has no number"
    ),
    "LDS_H_69": refused(
        resigned_hashes,
        INVALID,
        reason="DG12 was exchanged and every hash made to fit: only the signature tells",
    ),
    "LDS_H_74": accepted(
        with_lds_digest("sha512"),
        "the files are hashed with SHA-512, what is signed with SHA-256, as a policy with allow_other_signatures takes",
    ),
    "LDS_H_84": refused(
        signed(signer_version=integer(3)),
        MALFORMED,
        reason="SignerInfo of version 3 names its signer as version 1 does (RFC 5652, 5.3)",
    ),
    "LDS_H_85": refused(
        signed(signer_identifier=KEY_IDENTIFIER),
        MALFORMED,
        reason="SignerInfo of version 1 names its signer as version 3 does (RFC 5652, 5.3)",
    ),
    "LDS_H_86": accepted(signed(), "LDSSecurityObject of version 1 states LDS 1.8"),
    "LDS_H_87": refused(
        signed(lds_version=integer(0)),
        MALFORMED,
        reason="LDSSecurityObject of version 0 states LDS 1.8, which only version 1 can",
    ),
    "LDS_H_88": refused(
        signed(version_info=b""),
        MALFORMED,
        reason="LDSSecurityObject of version 1 has no version information, as LDS 1.7 has none",
    ),
    "LDS_H_89": refused(
        signed(version_info=seq(tlv.encode(0x13, b"0109"), tlv.encode(0x13, b"040000"))),
        MALFORMED,
        reason="LDSSecurityObject states LDS 1.9, which nobody has specified: not believed",
    ),
    "LDS_H_90": refused(
        lambda: CardDraft(tag_list=(0x61, 0x75, 0x6B, 0x6D, 0x6E)),
        "common-data.inconsistent",
        reason="EF.SOD lists DG12, EF.COM does not",
    ),
    "LDS_H_91": refused(
        without_file_12(LISTED),
        "common-data.inconsistent",
        reason="EF.COM names DG12, EF.SOD does not, and there is no such file",
    ),
    "LDS_H_92": refused(
        lambda: CardDraft(tag_list=(0x61, 0x75, 0x6A, 0x6B, 0x6D, 0x6E)),
        "common-data.inconsistent",
        reason="EF.COM names DG10 instead of the DG12 that EF.SOD lists",
    ),
}
