"""Operators under the root of services and operators: one certificate for TLS and for authorisations."""

import secrets
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pki.certificates.certificate import load_certificate, load_certificate_list
from pki.certificates.operator_certificates import check_operator_certificate
from pki.certificates.operator_roles import OperatorRole, decode_roles
from pki.certificates.profile import load_certificate_profile
from pki.errors import PkiError
from pki.keys.software import SoftwareSigner
from pki.services.authorising import accept_authorisation
from pki.services.authority import AuthorityRequest
from pki.services.operators import OperatorService
from pki.services.service_authority import ServiceAuthorityService, ServiceRequest
from pki.services.state import EntryKind
from pki.signed.authorisation import BatchAuthorisation

OFFICER = frozenset({OperatorRole.OFFICER})
YEAR = timedelta(days=365)
REQUEST = AuthorityRequest(
    name="Trial", country="VN", is_test=True, distribution_point="http://pki.example/csca.crl"
)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def operators(service: Any) -> OperatorService:
    return OperatorService(
        certification=ServiceAuthorityService(service), recorder=service.recorder
    )


@pytest.fixture
def office(memory_office: Any) -> Any:
    with memory_office.open() as service:
        service.create_authority(REQUEST, profile=load_certificate_profile("csca"))
        service.create_signer("ds-1", profile=load_certificate_profile("document-signer"))
    return memory_office


def enrol(office: Any, name: str, key: Any, roles: frozenset[OperatorRole] = frozenset()) -> bytes:
    with office.open() as service:
        certificate = operators(service).enrol(name, key.public_key(), roles).certificate
        assert certificate is not None
        return bytes(certificate)


def pem(path: Path, der: bytes) -> Path:
    path.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    return path


def test_the_first_operator_has_the_root_of_services_made_and_the_next_uses_it(office: Any) -> None:
    first = load_certificate(enrol(office, "an", ec.generate_private_key(ec.SECP256R1())))
    root = office.shelf.certificates["service-root-1"]
    second = load_certificate(
        enrol(office, "binh", ec.generate_private_key(ec.SECP384R1()), OFFICER)
    )
    assert office.shelf.certificates["service-root-1"] == root
    assert first.issuer == second.issuer == load_certificate(root).subject
    judged = check_operator_certificate(second.der, roots=[root], now=office.now)
    assert decode_roles(judged.extensions) == OFFICER
    assert decode_roles(first.extensions) == frozenset()
    assert first.serial_number != second.serial_number


def test_the_roots_list_has_revoked_operators_and_services_alike(office: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    lost = load_certificate(enrol(office, "an", key))
    enrol(office, "binh", ec.generate_private_key(ec.SECP256R1()))
    with office.open() as service:
        operators(service).revoke("an", reason="has left")
        crl = load_certificate_list(ServiceAuthorityService(service).issue_crl())
    assert set(crl.revoked) == {lost.serial_number}


def test_a_tls_server_takes_an_operators_certificate_and_the_page_has_one_of_the_same_root(
    office: Any, tmp_path: Path
) -> None:
    office.now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    certificate = enrol(office, "an", key, OFFICER)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    wanted = ServiceRequest(
        service_id="page",
        common_name="Page",
        host_names=("pki.example",),
        certification_request=request.sign(server_key, hashes.SHA256()).public_bytes(Encoding.DER),
    )
    with office.open() as service:
        server_certificate = ServiceAuthorityService(service).issue(
            wanted, profile=load_certificate_profile("service")
        )
    root = pem(tmp_path / "root.pem", office.shelf.certificates["service-root-1"])
    server = context(
        ssl.PROTOCOL_TLS_SERVER, tmp_path / "server", server_certificate, server_key, root
    )
    server.verify_mode = ssl.CERT_REQUIRED
    client = context(ssl.PROTOCOL_TLS_CLIENT, tmp_path / "client", certificate, key, root)
    assert handshake(client, server) == certificate
    # The other way round it is no server's.
    wrong = context(ssl.PROTOCOL_TLS_SERVER, tmp_path / "wrong", certificate, key, root)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, wrong)


def context(
    protocol: int, path: Path, certificate: bytes, key: ec.EllipticCurvePrivateKey, root: Path
) -> ssl.SSLContext:
    made = ssl.SSLContext(protocol)
    made.load_verify_locations(root)
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    secret = path.with_suffix(".key")
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    made.load_cert_chain(pem(path.with_suffix(".pem"), certificate), secret)
    return made


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> bytes | None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="pki.example"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    while waiting:
        for end in tuple(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    return ends[1].getpeercert(binary_form=True)


def test_operators_of_a_root_of_their_own_still_count_and_new_ones_stand_under_the_one_root(
    office: Any,
) -> None:
    old_key = ec.generate_private_key(ec.SECP256R1())
    old_root, old = certificates_of_before(old_key, office.now)
    with office.open() as service:
        for kind, fields in (
            (EntryKind.OPERATOR_ROOT_INTENDED, {"key": "operators-1", "serial": "5", "digest": ""}),
            (EntryKind.OPERATOR_ROOT_ISSUED, {"key": "operators-1", "certificate": old_root.hex()}),
            (EntryKind.OPERATOR_INTENDED, {"operator": "an", "serial": "6", "digest": ""}),
            (EntryKind.OPERATOR_ENROLLED, {"operator": "an", "certificate": old.hex()}),
        ):
            service.recorder.record(kind, **fields)
    key = ec.generate_private_key(ec.SECP256R1())
    new = enrol(office, "binh", key)
    authorisation = BatchAuthorisation(
        batch=secrets.token_bytes(16),
        signer_id="ds-1",
        cards=1,
        until=office.now + timedelta(hours=1),
    )
    signed = authorisation.signed_with(SoftwareSigner(old_key), certificate=old)
    signed = signed.signed_with(SoftwareSigner(key), certificate=new)
    with office.open() as service:
        assert accept_authorisation(signed, service.recorder).operators == ("an", "binh")
        operators(service).revoke("an", reason="the old root ends")
        crl = load_certificate_list(ServiceAuthorityService(service).issue_crl())
        # It is none of the one root's.
        assert crl.revoked == {}
    root = office.shelf.certificates["service-root-1"]
    with pytest.raises(PkiError):
        check_operator_certificate(old, roots=[root], now=office.now)
    check_operator_certificate(old, roots=[root, old_root], now=office.now)


def certificates_of_before(key: ec.EllipticCurvePrivateKey, now: datetime) -> tuple[bytes, bytes]:
    """What the version before made: a root of operators alone, with a critical extended key usage below it."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "TEST operators")])
    usage: dict[str, bool] = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
         "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False
    )  # fmt: skip
    root = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(root_key.public_key())
        .serial_number(5)
        .not_valid_before(now)
        .not_valid_after(now + 5 * YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage | {"key_cert_sign": True}), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "TEST operator an")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(6)
        .not_valid_before(now)
        .not_valid_after(now + YEAR)
        .add_extension(x509.KeyUsage(**usage | {"digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    return root.public_bytes(Encoding.DER), certificate.public_bytes(Encoding.DER)


def test_a_root_whose_making_broke_off_certifies_nobody(office: Any) -> None:
    with office.open() as service:
        service.recorder.record(
            EntryKind.SERVICE_AUTHORITY_INTENDED, key="service-root-1", serial="5", digest=""
        )
    key = ec.generate_private_key(ec.SECP256R1())
    assert code_of(lambda: enrol(office, "an", key)) == "service.authority-missing"


def test_a_certificate_of_another_kind_is_no_operators(office: Any) -> None:
    enrol(office, "an", ec.generate_private_key(ec.SECP256R1()))
    root = office.shelf.certificates["service-root-1"]
    for certificate in (root, office.shelf.certificates["ds-1"], b"0\x00"):
        assert (
            code_of(
                lambda value=certificate: check_operator_certificate(
                    value, roots=[root], now=office.now
                )
            )
            == "operator.certificate-invalid"
        )
