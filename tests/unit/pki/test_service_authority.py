"""Services and operators: certificates that TLS takes, under a root that no card is signed below."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store

from pki.certificates.certificate import load_certificate, load_certificate_list
from pki.certificates.profile import load_certificate_profile
from pki.certificates.trust import Authority, TrustAnchors
from pki.errors import PkiError
from pki.services.authority import AuthorityRequest
from pki.services.known_keys import check_key_is_new
from pki.services.service_authority import ServiceAuthorityService, ServiceRequest

CSCA = load_certificate_profile("csca")
ROOT = load_certificate_profile("service-authority")
SERVICE = load_certificate_profile("service")
OPERATOR = load_certificate_profile("operator")
REQUEST = AuthorityRequest(
    name="Trial", country="VN", is_test=True, distribution_point="http://pki.example/csca-1.crl"
)
KEY = ec.generate_private_key(ec.SECP256R1())


def certification_request(key: Any = KEY, encoding: Encoding = Encoding.PEM) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "what it would like to be")])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, algorithm).public_bytes(encoding)


def wanted(service_id: str = "api", **changes: Any) -> ServiceRequest:
    values: dict[str, Any] = {
        "service_id": service_id,
        "common_name": "Card API",
        "host_names": ("pki.example", "api.pki.example"),
        "certification_request": certification_request(),
    }
    return ServiceRequest(**(values | changes))


def operator(service_id: str = "lan") -> ServiceRequest:
    return wanted(service_id, common_name="Nguyễn Thị Lan", host_names=())


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@pytest.fixture
def office(memory_office: Any) -> Any:
    with memory_office.open() as service:
        service.create_authority(REQUEST, profile=CSCA)
        services = ServiceAuthorityService(service)
        services.create_root(profile=ROOT)
        services.issue_crl()
    return memory_office


def issue(office: Any, request: ServiceRequest, profile: Any = SERVICE) -> bytes:
    with office.open() as service:
        return ServiceAuthorityService(service).issue(request, profile=profile)


def test_the_library_that_terminals_use_for_tls_verifies_a_service(office: Any) -> None:
    certificate = x509.load_der_x509_certificate(issue(office, wanted()))
    root = x509.load_der_x509_certificate(office.shelf.certificates["service-root-1"])
    verifier = (
        PolicyBuilder()
        .store(Store([root]))
        .time(office.now + timedelta(days=1))
        .build_server_verifier(x509.DNSName("api.pki.example"))
    )
    assert verifier.verify(certificate, []) == [certificate, root]
    # OpenSSL reads both as well.
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=root.public_bytes(Encoding.DER))
    assert context.cert_store_stats()["x509_ca"] >= 1


def test_what_stands_in_a_certificate_is_decided_here_and_not_in_the_request(office: Any) -> None:
    certificate = x509.load_der_x509_certificate(
        issue(office, wanted(certification_request=certification_request(encoding=Encoding.DER)))
    )
    assert certificate.subject.rfc4514_string() == "CN=TEST Card API,C=VN"
    assert certificate.public_key() == KEY.public_key()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pki.example", "api.pki.example"]


def test_an_operator_can_be_a_client_and_no_server(office: Any) -> None:
    certificate = x509.load_der_x509_certificate(issue(office, operator(), OPERATOR))
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_the_root_has_a_key_of_its_own_and_is_no_authority_of_cards(office: Any) -> None:
    root = office.shelf.certificates["service-root-1"]
    assert (
        load_certificate(root).public_key
        != load_certificate(office.shelf.certificates["csca-1"]).public_key
    )
    assert code_of(lambda: Authority.from_bytes(root)) == "trust.authority-invalid"
    assert (
        code_of(lambda: TrustAnchors.from_bytes(certificates=[root], crls=()))
        == "trust.authority-invalid"
    )
    with office.open() as service:
        service.issue_crl()
    assert [item.name for item in office.anchors().authorities] == ["C=VN, CN=TEST Trial CSCA"]


def test_a_revoked_operator_is_in_the_roots_own_list(office: Any) -> None:
    certificate = load_certificate(issue(office, operator(), OPERATOR))
    with office.open() as service:
        services = ServiceAuthorityService(service)
        services.revoke("lan", reason="left the office")
        assert code_of(lambda: services.revoke("lan", reason="again")) == "service.revoked"
        assert code_of(lambda: services.revoke("huy", reason="x")) == "service.unknown"
        crl = load_certificate_list(services.issue_crl())
        assert service.state.crl_number == 0
    assert crl.revoked == {certificate.serial_number: office.now}
    root = load_certificate(office.shelf.certificates["service-root-1"])
    assert crl.verify_by(root.public_key)
    assert office.shelf.crls["service-root-1"] == crl.der


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"host_names": ()}, "certificate.request-invalid"),
        ({"host_names": ("Pki.Example",)}, "certificate.request-invalid"),
        ({"host_names": ("*.example",)}, "certificate.request-invalid"),
        ({"host_names": ("a..b",)}, "certificate.request-invalid"),
        ({"host_names": ("x",) * 17}, "certificate.request-invalid"),
        ({"host_names": (".".join(["a" * 63] * 5),)}, "certificate.request-invalid"),
        ({"common_name": "x" * 65}, "certificate.name-invalid"),
        ({"service_id": "Api"}, "keystore.key-id-invalid"),
        ({"certification_request": b""}, "service.request-malformed"),
        ({"certification_request": b"-----BEGIN x"}, "service.request-malformed"),
        ({"certification_request": bytes(20_000)}, "service.request-malformed"),
        (
            {
                "certification_request": certification_request(
                    ec.generate_private_key(ec.SECP384R1())
                )
            },
            "certificate.request-invalid",
        ),
        (
            {"certification_request": certification_request(ed25519.Ed25519PrivateKey.generate())},
            "service.request-malformed",
        ),
    ],
)
def test_a_request_that_cannot_be_is_refused_and_gives_no_certificate(
    office: Any, changes: dict[str, Any], code: str
) -> None:
    assert code_of(lambda: issue(office, wanted(**changes))) == code
    assert office.entries("service-certificate.intended") == []


def test_a_request_that_somebody_else_signed_is_refused(office: Any) -> None:
    request = certification_request(encoding=Encoding.DER)
    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    own = KEY.public_key().public_numbers()
    forged = request.replace(own.x.to_bytes(32, "big"), point.x.to_bytes(32, "big")).replace(
        own.y.to_bytes(32, "big"), point.y.to_bytes(32, "big")
    )
    assert forged != request
    action = lambda: issue(office, wanted(certification_request=forged))  # noqa: E731 - one of many alike
    assert code_of(action) == "service.request-malformed"


def test_names_are_given_once_and_operators_have_no_host(office: Any) -> None:
    issue(office, wanted())
    assert code_of(lambda: issue(office, wanted())) == "service.exists"
    assert code_of(lambda: issue(office, wanted("x"), OPERATOR)) == "certificate.request-invalid"
    assert code_of(lambda: issue(office, wanted("y"), CSCA)) == "certificate.request-invalid"
    with office.open() as service:
        services = ServiceAuthorityService(service)
        action = lambda: services.create_root(profile=ROOT)  # noqa: E731 - one of many alike
        assert code_of(action) == "service.authority-exists"


def test_without_a_root_or_an_authority_there_is_nothing(memory_office: Any) -> None:
    with memory_office.open() as service:
        services = ServiceAuthorityService(service)
        assert code_of(lambda: services.create_root(profile=ROOT)) == "authority.missing"
        service.create_authority(REQUEST, profile=CSCA)
        assert code_of(lambda: services.create_root(profile=CSCA)) == "certificate.request-invalid"
        assert code_of(services.issue_crl) == "service.authority-missing"
        action = lambda: services.issue(wanted(), profile=SERVICE)  # noqa: E731 - one of many alike
        assert code_of(action) == "service.authority-missing"


def test_a_root_past_its_keys_use_certifies_nobody(office: Any) -> None:
    office.now += timedelta(days=55 * 31)
    assert code_of(lambda: issue(office, wanted())) == "authority.key-usage-period"


def test_a_key_that_has_a_certificate_is_nobody_elses(office: Any) -> None:
    issue(office, wanted())
    assert code_of(lambda: issue(office, operator(), OPERATOR)) == "key.duplicate"
    with office.open() as service:
        assert set(service.state.services) == {"api"}


def test_a_token_that_draws_a_key_twice_is_found_out(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with office.open() as service:
        state = service.state
        root = load_certificate(state.authority_certificate).public_key
        for known in (root, load_certificate(state.service_authority_certificate).public_key):
            assert code_of(lambda known=known: check_key_is_new(known, state)) == "key.duplicate"
        check_key_is_new(KEY.public_key(), state)
        keystore = service.keys._keystore

        def draw_the_first_key_again(*, key_id: str, curve: object) -> None:
            assert curve is not None
            keystore.keys[key_id] = keystore.keys[state.authority_id]

        monkeypatch.setattr(keystore, "create_signing_key", draw_the_first_key_again)
        assert (
            code_of(
                lambda: service.create_signer(
                    "ds-1", profile=load_certificate_profile("document-signer")
                )
            )
            == "key.duplicate"
        )
        assert "ds-1" not in service.state.signers
