"""One wrong certificate or CRL for every rule about them; everything else in it is right."""

from lint_vectors.drafts import (
    COUNTRY,
    CSCA_NAME,
    FALSE,
    KEY_IDENTIFIER,
    SIGNER_NAME,
    TRUE,
    ExtensionDraft,
    algorithm,
    alternative_name,
    attribute,
    authority_key_identifier,
    bits,
    crl,
    csca_link,
    csca_root,
    distribution_points,
    document_signer,
    document_types,
    generalized,
    integer,
    key,
    key_info,
    key_usage,
    master_list_signer,
    name,
    octets,
    oid,
    other_certificate,
    public_key,
    revoked_entry,
    seq,
    tagged,
    usage_period,
    utc,
)

from card_layout import tlv
from card_layout.curves import EcPublicKey, NamedCurve

RSA = "1.2.840.113549.1.1.1"
EC = "1.2.840.10045.2.1"
SHA_256 = "2.16.840.1.101.3.4.2.1"
SHA_384 = "2.16.840.1.101.3.4.2.2"
NULL = b"\x05\x00"
MODULUS = 2**2047 + 2**1024 + 1


def rsa_key(modulus: int = MODULUS, exponent: int = 65537, parameters: bytes = NULL) -> bytes:
    return key_info(RSA, parameters, seq(integer(modulus), integer(exponent)))


def ec_key(
    *,
    a: bytes | None = None,
    generator: bytes | None = None,
    cofactor: bool = True,
    point: bytes | None = None,
) -> bytes:
    curve = NamedCurve.SECP256R1
    parameters = seq(
        integer(1),
        seq(oid("1.2.840.10045.1.1"), integer(curve.p)),
        seq(octets(curve.a.to_bytes(32, "big") if a is None else a), octets(curve.b.to_bytes(32))),
        octets(curve.generator if generator is None else generator),
        integer(curve.n),
        integer(1) if cofactor else b"",
    )
    return key_info(EC, parameters, signer_point() if point is None else point)


def signer_point() -> bytes:
    return EcPublicKey.from_cryptography(key("signer").public_key()).point


def other_generator() -> bytes:
    curve = NamedCurve.SECP256R1
    return b"\x04" + curve.g_x.to_bytes(32) + (curve.p - curve.g_y).to_bytes(32)


def compressed(point: bytes) -> bytes:
    return bytes((2 + (point[-1] & 1),)) + point[1:33]


def pss(hash_oid: str = SHA_256, mask: str = SHA_256, salt: int = 32, trailer: int = 1) -> bytes:
    parameters = [
        tagged(0xA0, algorithm(hash_oid)),
        tagged(0xA1, algorithm("1.2.840.113549.1.1.8", algorithm(mask))),
        tagged(0xA2, integer(salt)),
    ]
    if trailer != 1:
        parameters.append(tagged(0xA3, integer(trailer)))
    return algorithm("1.2.840.113549.1.1.10", seq(*parameters))


def named(*attributes: bytes) -> bytes:
    return name(*attributes, attribute("2.5.4.3", "Authority", 0x0C))


def odd_attribute(value: bytes) -> bytes:
    """A name with an attribute whose value is no text."""
    return name(COUNTRY, attribute("2.5.4.3", "Signer"), seq(oid("2.5.4.45"), value))


VALIDITY = utc("260101000000Z") + utc("360401000000Z")

ENCODING = {
    "lint.encoding.nesting": lambda: document_signer().having(
        subject=odd_attribute(b"\x30\x01\x05")
    ),
    "lint.encoding.definite-lengths": lambda: document_signer().having(
        validity=b"\x30\x80" + VALIDITY + b"\x00\x00"
    ),
    "lint.encoding.shortest-lengths": lambda: document_signer().having(
        validity=b"\x30\x81" + bytes((len(VALIDITY),)) + VALIDITY
    ),
    "lint.encoding.booleans": lambda: document_signer().critical("keyUsage", b"\x01\x01\x01"),
    "lint.encoding.integers": lambda: document_signer().having(serial=b"\x02\x02\x00\x11"),
    "lint.encoding.bit-strings": lambda: document_signer().having(
        subject=odd_attribute(b"\x03\x02\x04\xff")
    ),
    "lint.encoding.set-order": lambda: document_signer().having(
        subject=seq(
            tlv.encode(
                0x31,
                attribute("2.5.4.10", "State") + COUNTRY + attribute("2.5.4.3", "Signer"),
            )
        )
    ),
    "lint.extension.default-not-encoded": lambda: document_signer().critical(
        "subjectAltName", FALSE
    ),
    "lint.extension.value-encoding": lambda: document_signer().plus(
        "2.5.29.14", b"\x04\x81\x14" + KEY_IDENTIFIER
    ),
    "lint.extension.unique": lambda: (
        document_signer().plus("1.2.3.4", label="one").plus("1.2.3.4", label="two")
    ),
    "lint.extension.malformed": lambda: document_signer().plus("2.5.29.14", integer(1)),
}

FIELDS = {
    "lint.certificate.version-3": lambda: document_signer().having(
        version=tagged(0xA0, integer(1))
    ),
    "lint.certificate.serial-number-positive": lambda: document_signer().having(serial=integer(0)),
    "lint.certificate.serial-number-length": lambda: document_signer().having(
        serial=integer(2**160)
    ),
    "lint.certificate.issuer-unique-id-absent": lambda: document_signer().having(
        unique_ids=tagged(0x81, b"\x00\x01")
    ),
    "lint.certificate.subject-unique-id-absent": lambda: document_signer().having(
        unique_ids=tagged(0x82, b"\x00\x01")
    ),
    "lint.certificate.extensions-not-empty": lambda: other_certificate().having(extensions={}),
    "lint.key.algorithm": lambda: document_signer().having(
        public_key=key_info("1.3.101.112", b"", bytes(32))
    ),
    "lint.key.malformed": lambda: document_signer().having(
        public_key=key_info(RSA, NULL, seq(integer(MODULUS)))
    ),
    "lint.key.rsa-parameters-null": lambda: document_signer().having(
        public_key=rsa_key(parameters=b"")
    ),
    "lint.key.rsa-numbers": lambda: document_signer().having(public_key=rsa_key(exponent=1)),
    "lint.key.length": lambda: document_signer().having(public_key=rsa_key(2**1023 + 1)),
    "lint.key.parameters-explicit": lambda: document_signer().having(
        public_key=public_key(key("signer"), explicit=False)
    ),
    "lint.key.parameters-named": document_signer,
    "lint.key.curve-known": lambda: document_signer().having(
        public_key=ec_key(generator=other_generator())
    ),
    "lint.key.cofactor-present": lambda: document_signer().having(
        public_key=ec_key(cofactor=False)
    ),
    "lint.key.field-elements": lambda: document_signer().having(
        public_key=ec_key(a=NamedCurve.SECP256R1.a.to_bytes(33, "big"))
    ),
    "lint.key.points-uncompressed": lambda: document_signer().having(
        public_key=ec_key(point=compressed(signer_point()))
    ),
    "lint.key.point-on-curve": lambda: document_signer().having(
        public_key=ec_key(point=signer_point()[:-1] + bytes((signer_point()[-1] ^ 1,)))
    ),
}

SIGNATURES = {
    "lint.signature.algorithms-equal": lambda: document_signer().having(
        inner_algorithm=algorithm("1.2.840.10045.4.3.3")
    ),
    "lint.signature.algorithm-allowed": lambda: document_signer().algorithms(
        algorithm("1.3.101.112")
    ),
    "lint.signature.hash-allowed": lambda: document_signer().algorithms(
        algorithm("1.2.840.10045.4.1")
    ),
    "lint.signature.ecdsa-parameters-absent": lambda: document_signer().algorithms(
        algorithm(parameters=NULL)
    ),
    "lint.signature.rsa-parameters-null": lambda: document_signer().algorithms(
        algorithm("1.2.840.113549.1.1.11")
    ),
    "lint.signature.pss-hashes-equal": lambda: document_signer().algorithms(pss(mask=SHA_384)),
    "lint.signature.pss-salt-length": lambda: document_signer().algorithms(pss(salt=20)),
    "lint.signature.pss-trailer": lambda: document_signer().algorithms(pss(trailer=2)),
    "lint.signature.whole-octets": lambda: document_signer().having(
        signature=bytes(72), unused_bits=1
    ),
    "lint.signature.ecdsa-value": lambda: document_signer().having(signature=seq(integer(1))),
    "lint.csca-root.self-signature": lambda: csca_root().having(signing_key="other"),
}

NAMES = {
    "lint.name.country-present": lambda: document_signer().names(named()),
    "lint.name.country-two-letters": lambda: document_signer().names(
        named(attribute("2.5.4.6", "VNM"))
    ),
    "lint.name.country-upper-case": lambda: document_signer().names(
        named(attribute("2.5.4.6", "vn"))
    ),
    "lint.name.country-printable-string": lambda: document_signer().names(
        named(attribute("2.5.4.6", "VN", 0x0C))
    ),
    "lint.name.serial-number-printable-string": lambda: document_signer().names(
        named(COUNTRY, attribute("2.5.4.5", "1", 0x0C))
    ),
    "lint.name.directory-string": lambda: document_signer().names(
        named(COUNTRY, attribute("2.5.4.10", "State", 0x14))
    ),
    "lint.name.characters": lambda: document_signer().names(
        named(COUNTRY, attribute("2.5.4.10", "State_1"))
    ),
    "lint.name.text-length": lambda: document_signer().names(
        named(COUNTRY, attribute("2.5.4.10", "x" * 65))
    ),
    "lint.name.common-name-present": lambda: document_signer().names(name(COUNTRY)),
    "lint.name.countries-equal": lambda: document_signer().having(
        subject=named(attribute("2.5.4.6", "DE"))
    ),
    "lint.time.utc-through-2049": lambda: document_signer().having(
        not_after=generalized("20360401000000Z")
    ),
    "lint.time.zulu": lambda: document_signer().having(not_after=utc("360401000000+0000")),
    "lint.time.seconds-present": lambda: document_signer().having(not_after=utc("3604010000Z")),
    "lint.time.no-fraction": lambda: document_signer().having(
        not_after=generalized("20510401000000.5Z")
    ),
    "lint.time.calendar": lambda: document_signer().having(not_after=utc("361301000000Z")),
    "lint.time.validity-order": lambda: document_signer().having(not_before=utc("370101000000Z")),
}

PRESENT = {
    "lint.csca.subject-key-identifier-present": lambda: csca_root().without("subjectKeyIdentifier"),
    "lint.certificate.authority-key-identifier-present": lambda: document_signer().without(
        "authorityKeyIdentifier"
    ),
    "lint.certificate.key-usage-present": lambda: document_signer().without("keyUsage"),
    "lint.certificate.private-key-usage-period-present": lambda: document_signer().without(
        "privateKeyUsagePeriod"
    ),
    "lint.certificate.subject-alternative-name-present": lambda: document_signer().without(
        "subjectAltName"
    ),
    "lint.certificate.issuer-alternative-name-present": lambda: document_signer().without(
        "issuerAltName"
    ),
    "lint.csca.basic-constraints-present": lambda: csca_root().without("basicConstraints"),
    "lint.certificate.distribution-points-present": lambda: document_signer().without(
        "cRLDistributionPoints"
    ),
    "lint.master-list-signer.extended-key-usage-present": lambda: master_list_signer().without(
        "extKeyUsage"
    ),
    "lint.document-signer.document-types-present": lambda: document_signer().without(
        "documentTypeList"
    ),
}

EXTENDED_KEY_USAGE = seq(oid("1.3.6.1.5.5.7.3.2"))
TYPES = document_types(tlv.encode(0x13, b"CM"))

ABSENT = {
    "lint.certificate.policy-mappings-absent": lambda: document_signer().plus("2.5.29.33"),
    "lint.certificate.subject-directory-attributes-absent": lambda: document_signer().plus(
        "2.5.29.9"
    ),
    "lint.certificate.name-constraints-absent": lambda: document_signer().plus("2.5.29.30"),
    "lint.certificate.policy-constraints-absent": lambda: document_signer().plus("2.5.29.36"),
    "lint.certificate.inhibit-any-policy-absent": lambda: document_signer().plus("2.5.29.54"),
    "lint.certificate.freshest-crl-absent": lambda: document_signer().plus("2.5.29.46"),
    "lint.certificate.netscape-certificate-type-absent": lambda: document_signer().plus(
        "2.16.840.1.113730.1.1"
    ),
    "lint.signer.basic-constraints-absent": lambda: document_signer().plus("2.5.29.19", seq()),
    "lint.csca.extended-key-usage-absent": lambda: csca_root().plus(
        "2.5.29.37", EXTENDED_KEY_USAGE
    ),
    "lint.document-signer.extended-key-usage-absent": lambda: document_signer().plus(
        "2.5.29.37", EXTENDED_KEY_USAGE
    ),
    "lint.signer.name-change-absent": lambda: document_signer().plus("2.23.136.1.1.6.1"),
    "lint.certificate.document-types-absent": lambda: csca_root().plus("2.23.136.1.1.6.2", TYPES),
}

CRITICALITY = {
    "lint.certificate.key-usage-critical": lambda: document_signer().critical("keyUsage", b""),
    "lint.csca.basic-constraints-critical": lambda: csca_root().critical("basicConstraints", b""),
    "lint.master-list-signer.extended-key-usage-critical": lambda: master_list_signer().critical(
        "extKeyUsage", b""
    ),
    "lint.certificate.authority-key-identifier-not-critical": lambda: document_signer().critical(
        "authorityKeyIdentifier", TRUE
    ),
    "lint.certificate.subject-key-identifier-not-critical": lambda: csca_root().critical(
        "subjectKeyIdentifier", TRUE
    ),
    "lint.certificate.private-key-usage-period-not-critical": lambda: document_signer().critical(
        "privateKeyUsagePeriod", TRUE
    ),
    "lint.certificate.policies-not-critical": lambda: document_signer().critical(
        "certificatePolicies", TRUE
    ),
    "lint.certificate.subject-alternative-name-not-critical": lambda: document_signer().critical(
        "subjectAltName", TRUE
    ),
    "lint.certificate.issuer-alternative-name-not-critical": lambda: document_signer().critical(
        "issuerAltName", TRUE
    ),
    "lint.certificate.distribution-points-not-critical": lambda: document_signer().critical(
        "cRLDistributionPoints", TRUE
    ),
    "lint.certificate.authority-information-access-not-critical": lambda: document_signer().plus(
        "1.3.6.1.5.5.7.1.1", critical=TRUE
    ),
    "lint.certificate.subject-information-access-not-critical": lambda: document_signer().plus(
        "1.3.6.1.5.5.7.1.11", critical=TRUE
    ),
    "lint.csca.name-change-not-critical": lambda: csca_root().plus(
        "2.23.136.1.1.6.1", critical=TRUE
    ),
    "lint.document-signer.document-types-not-critical": lambda: document_signer().critical(
        "documentTypeList", TRUE
    ),
    "lint.certificate.private-extension-not-critical": lambda: document_signer().plus(
        "1.2.3.4", critical=TRUE
    ),
}

POINT = b"http://pki.example/csca.crl"

EXTENSIONS = {
    "lint.authority-key-identifier.key-identifier-present": lambda: document_signer().value(
        "authorityKeyIdentifier", seq()
    ),
    "lint.authority-key-identifier.issuer-and-serial-number": lambda: document_signer().value(
        "authorityKeyIdentifier", seq(tagged(0x80, KEY_IDENTIFIER), tagged(0x82, b"\x01"))
    ),
    "lint.csca-root.authority-key-identifier-own": lambda: csca_root().value(
        "authorityKeyIdentifier", authority_key_identifier(bytes(20))
    ),
    "lint.csca-link.authority-key-identifier-other": lambda: csca_link().value(
        "authorityKeyIdentifier", authority_key_identifier()
    ),
    "lint.certificate.subject-key-identifier-not-empty": lambda: document_signer().plus(
        "2.5.29.14", octets(b"")
    ),
    "lint.csca-root.names-equal": lambda: csca_root().having(subject=SIGNER_NAME),
    "lint.csca.key-usage-certificate-sign": lambda: csca_root().value("keyUsage", key_usage(6)),
    "lint.csca.key-usage-crl-sign": lambda: csca_root().value("keyUsage", key_usage(5)),
    "lint.csca.key-usage-others-absent": lambda: csca_root().value("keyUsage", key_usage(0, 5, 6)),
    "lint.signer.key-usage-digital-signature": lambda: document_signer().value(
        "keyUsage", b"\x03\x01\x00"
    ),
    "lint.signer.key-usage-others-absent": lambda: document_signer().value(
        "keyUsage", key_usage(0, 1)
    ),
    "lint.certificate.key-usage-shortest": lambda: document_signer().value(
        "keyUsage", bits(b"\x80", 3)
    ),
    "lint.private-key-usage-period.bounds-present": lambda: document_signer().value(
        "privateKeyUsagePeriod", seq()
    ),
    "lint.private-key-usage-period.generalized-time": lambda: document_signer().value(
        "privateKeyUsagePeriod", usage_period("260101000000Z")
    ),
    "lint.private-key-usage-period.order": lambda: document_signer().value(
        "privateKeyUsagePeriod", usage_period("20270101000000Z")
    ),
    "lint.private-key-usage-period.within-validity": lambda: document_signer().having(
        not_after=utc("260201000000Z")
    ),
    "lint.document-signer.key-use": lambda: document_signer().value(
        "privateKeyUsagePeriod", usage_period(end="20260501000000Z")
    ),
    "lint.csca.key-use": lambda: csca_root().value(
        "privateKeyUsagePeriod", usage_period(end="20320101000000Z")
    ),
    "lint.certificate.policies-unique": lambda: document_signer().value(
        "certificatePolicies", seq(seq(oid("1.2.3.4")), seq(oid("1.2.3.4")))
    ),
    "lint.csca.basic-constraints-authority": lambda: csca_root().value(
        "basicConstraints", seq(integer(0))
    ),
    "lint.csca.path-length-present": lambda: csca_root().value("basicConstraints", seq(TRUE)),
    "lint.csca.path-length-zero": lambda: csca_root().value(
        "basicConstraints", seq(TRUE, integer(1))
    ),
    "lint.master-list-signer.extended-key-usage-purpose": lambda: master_list_signer().value(
        "extKeyUsage", EXTENDED_KEY_USAGE
    ),
    "lint.distribution-points.name-present": lambda: document_signer().value(
        "cRLDistributionPoints", seq(seq())
    ),
    "lint.distribution-points.scheme": lambda: document_signer().value(
        "cRLDistributionPoints", distribution_points(b"ftp://pki.example/csca.crl")
    ),
    "lint.distribution-points.reasons-absent": lambda: document_signer().value(
        "cRLDistributionPoints", distribution_points(POINT, tagged(0x81, b"\x06\x40"))
    ),
    "lint.distribution-points.issuer-absent": lambda: document_signer().value(
        "cRLDistributionPoints", distribution_points(POINT, tagged(0xA2, tagged(0xA4, CSCA_NAME)))
    ),
    "lint.document-types.version": lambda: document_signer().value(
        "documentTypeList", document_types(tlv.encode(0x13, b"CM"), version=1)
    ),
    "lint.document-types.not-empty": lambda: document_signer().value(
        "documentTypeList", document_types()
    ),
    "lint.document-types.printable-string": lambda: document_signer().value(
        "documentTypeList", document_types(tlv.encode(0x0C, b"CM"))
    ),
    "lint.document-types.size": lambda: document_signer().value(
        "documentTypeList", document_types(tlv.encode(0x13, b"CMX"))
    ),
    "lint.csca-link.name-change-present": lambda: csca_link().having(subject=SIGNER_NAME),
}

LOCALITY = attribute("2.5.4.7", "CHN")

ALTERNATIVE_NAMES = {
    "lint.subject-alternative-name.directory-name-present": lambda: document_signer().value(
        "subjectAltName", alternative_name(directory=False)
    ),
    "lint.issuer-alternative-name.directory-name-present": lambda: document_signer().value(
        "issuerAltName", alternative_name(directory=False)
    ),
    "lint.alternative-name.locality-present": lambda: document_signer().value(
        "subjectAltName", alternative_name(attribute("2.5.4.8", "HKG"))
    ),
    "lint.alternative-name.locality-code": lambda: document_signer().value(
        "subjectAltName", alternative_name(attribute("2.5.4.7", "Viet Nam"))
    ),
    "lint.alternative-name.state-code": lambda: document_signer().value(
        "subjectAltName", alternative_name(LOCALITY, attribute("2.5.4.8", "Hong Kong"))
    ),
    "lint.alternative-name.other-attributes-absent": lambda: document_signer().value(
        "subjectAltName", alternative_name(LOCALITY, attribute("2.5.4.10", "State"))
    ),
    "lint.alternative-name.contact-present": lambda: document_signer().value(
        "subjectAltName", alternative_name(email=None)
    ),
    "lint.csca-root.alternative-names-equal": lambda: csca_root().value(
        "issuerAltName", alternative_name(email=b"other@example.org")
    ),
}

CERTIFICATE_CASES = {
    **ENCODING,
    **FIELDS,
    **SIGNATURES,
    **NAMES,
    **PRESENT,
    **ABSENT,
    **CRITICALITY,
    **EXTENSIONS,
    **ALTERNATIVE_NAMES,
}


def with_entry(dotted: str, critical: bytes = b"") -> object:
    entry = revoked_entry(
        77, utc("260101000000Z"), ExtensionDraft(oid=dotted, value=NULL, critical=critical)
    )
    return crl().having(revoked=seq(entry))


CRL_CASES = {
    "lint.crl.version-2": lambda: crl().having(version=integer(0)),
    "lint.crl.next-update-present": lambda: crl().having(next_update=b""),
    "lint.crl.update-order": lambda: crl().having(next_update=utc("251201000000Z")),
    "lint.crl.ninety-days": lambda: crl().having(next_update=utc("260501000000Z")),
    "lint.crl.revoked-not-empty": lambda: crl().having(revoked=seq()),
    "lint.crl.serial-numbers-unique": lambda: crl().having(
        revoked=seq(revoked_entry(), revoked_entry())
    ),
    "lint.crl.revocation-date-form": lambda: crl().having(
        revoked=seq(revoked_entry(77, generalized("20260101000000Z")))
    ),
    "lint.crl.authority-key-identifier-present": lambda: crl().without("authorityKeyIdentifier"),
    "lint.crl.number-present": lambda: crl().without("cRLNumber"),
    "lint.crl.authority-key-identifier-not-critical": lambda: crl().critical(
        "authorityKeyIdentifier", TRUE
    ),
    "lint.crl.number-not-critical": lambda: crl().critical("cRLNumber", TRUE),
    "lint.crl.issuer-alternative-name-not-critical": lambda: crl().plus(
        "2.5.29.18", alternative_name(), TRUE
    ),
    "lint.crl.delta-indicator-absent": lambda: crl().plus("2.5.29.27", integer(1), TRUE),
    "lint.crl.issuing-distribution-point-absent": lambda: crl().plus("2.5.29.28", seq(), TRUE),
    "lint.crl.freshest-crl-absent": lambda: crl().plus("2.5.29.46"),
    "lint.crl.reason-code-absent": lambda: with_entry("2.5.29.21"),
    "lint.crl.hold-instruction-absent": lambda: with_entry("2.5.29.23"),
    "lint.crl.invalidity-date-absent": lambda: with_entry("2.5.29.24"),
    "lint.crl.certificate-issuer-absent": lambda: with_entry("2.5.29.29"),
    "lint.crl.number-not-negative": lambda: crl().value("cRLNumber", integer(-1)),
    "lint.crl.number-length": lambda: crl().value("cRLNumber", integer(2**160)),
    "lint.crl.private-extension-not-critical": lambda: crl().plus("1.2.3.4", critical=TRUE),
    "lint.crl.private-entry-extension-not-critical": lambda: with_entry("1.2.3.4", TRUE),
}
