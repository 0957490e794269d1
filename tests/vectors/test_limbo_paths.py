"""Paths after the cases of x509-limbo, made anew here: every vector has one reason, and the id of the case beside it.

The settings are RFC 5280's profile, and neither Doc 9303's nor its limit of one certificate. Where an id has no
counterpart in x509-limbo, it begins with ``own::``.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from asn1crypto import core as asn1_core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificates.path import PathProfile, PathRules, PathValidator
from pki.errors import PkiError

NOW = datetime(2024, 3, 15, tzinfo=UTC)
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
UNKNOWN = x509.ObjectIdentifier("1.3.6.1.4.1.55738.666.1")
DNS, URI, EMAIL, IP, DIRECTORY = (
    x509.DNSName,
    x509.UniformResourceIdentifier,
    x509.RFC822Name,
    x509.IPAddress,
    x509.DirectoryName,
)
Change = tuple[x509.ExtensionType, bool] | None


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def subject(self) -> x509.Name:
        return self.certificate.subject


@dataclass(frozen=True)
class Scene:
    leaf: Issued | bytes
    anchors: tuple[Issued, ...]
    pool: tuple[Issued, ...] = ()
    crls: tuple[bytes, ...] | None = None
    at: datetime = NOW
    rules: dict[str, Any] = field(default_factory=dict)


CASES: dict[str, tuple[str | None, Callable[[], Scene]]] = {}


def case(identity: str, code: str | None) -> Callable[[Callable[[], Scene]], Callable[[], Scene]]:
    def register(function: Callable[[], Scene]) -> Callable[[], Scene]:
        assert identity not in CASES
        CASES[identity] = (code, function)
        return function

    return register


@cache
def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    """One key a name, for all vectors."""
    assert name
    return ec.generate_private_key(ec.SECP256R1())


def named(text: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(text) if text else x509.Name([])


def usage(*, sign: bool = False, digital: bool = False, crl: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(digital, False, False, False, False, sign, crl, False, False)


def san(*names: x509.GeneralName, critical: bool = False) -> Change:
    return (x509.SubjectAlternativeName(names), critical)


def constraints(
    permitted: list[x509.GeneralName] | None = None,
    excluded: list[x509.GeneralName] | None = None,
    *,
    critical: bool = True,
) -> Change:
    return (x509.NameConstraints(permitted, excluded), critical)


def issue(
    subject: str,
    issuer: Issued | None = None,
    *,
    ca: bool = True,
    length: int | None = None,
    key: str | None = None,
    issuer_name: str | None = None,
    not_before: datetime = START,
    not_after: datetime = END,
    serial: int = 7,
    hash_algorithm: hashes.HashAlgorithm | None = None,
    **changes: Change,
) -> Issued:
    own = key_of(key or subject or "empty")
    signing = own if issuer is None else issuer.key
    extensions: dict[str, Change] = {
        "constraints": (x509.BasicConstraints(ca, length), True) if ca else None,
        "usage": (usage(sign=True, crl=True) if ca else usage(digital=True), True),
        "ski": (x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False),
        "aki": (x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), False),
        "san": None if ca else san(DNS("example.com")),
    }
    if issuer_name is not None:
        above = named(issuer_name)
    else:
        above = named(subject) if issuer is None else issuer.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(above)
        .public_key(own.public_key())
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    for change in (extensions | changes).values():
        if change is not None:
            builder = builder.add_extension(change[0], critical=change[1])
    return Issued(builder.sign(signing, hash_algorithm or hashes.SHA256()), own)


def root(**changes: Any) -> Issued:
    return issue("CN=root", **changes)


def leaf(issuer: Issued, **changes: Any) -> Issued:
    return issue("CN=leaf", issuer, ca=False, **changes)


def altered(issued: Issued, signer: Issued, alter: Callable[[Any], None]) -> bytes:
    """The certificate with something in it that the builder would not write, and a signature that holds."""
    parsed = asn1_x509.Certificate.load(issued.der)
    alter(parsed["tbs_certificate"])
    content = parsed["tbs_certificate"].dump(force=True)
    parsed["signature_value"] = asn1_core.OctetBitString(
        signer.key.sign(content, ec.ECDSA(hashes.SHA256()))
    )
    return parsed.dump(force=True)


_FIRST: Change = (x509.CRLNumber(1), False)


def crl(
    signer: Issued,
    *revoked: tuple[int, datetime],
    key: str | None = None,
    issuer: x509.Name | None = None,
    this_update: datetime = NOW - timedelta(days=1),
    next_update: datetime = NOW + timedelta(days=30),
    number: Change = _FIRST,
    extra: Change = None,
) -> bytes:
    signing = signer.key if key is None else key_of(key)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.subject if issuer is None else issuer)
        .last_update(this_update)
        .next_update(next_update)
    )
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    for change in ((aki, False), number, extra):
        if change is not None:
            builder = builder.add_extension(change[0], critical=change[1])
    for serial, moment in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(signing, hashes.SHA256()).public_bytes(Encoding.DER)


def one_step(*, leaf_changes: dict[str, Any] | None = None, **root_changes: Any) -> Scene:
    above = root(**root_changes)
    return Scene(leaf(above, **(leaf_changes or {})), (above,))


def two_steps(*, leaf_changes: dict[str, Any] | None = None, **changes: Any) -> Scene:
    above = root()
    middle = issue("CN=middle", above, **changes)
    return Scene(leaf(middle, **(leaf_changes or {})), (above,), (middle,))


def simple(identity: str, code: str | None, build: Callable[..., Scene], **changes: Any) -> None:
    case(identity, code)(lambda: build(**changes))


# rfc5280: names, extensions, authorities
PROFILE, MALFORMED = "path.profile", "certificate.malformed"
NO_AUTHORITY, UNKNOWN_ISSUER = "path.not-an-authority", "path.issuer-unknown"
CRITICAL: Change = (x509.UnrecognizedExtension(UNKNOWN, b""), True)
NO_USAGE: Change = (usage(digital=True), False)
simple("rfc5280::ca-empty-subject", PROFILE, lambda: Scene(*empty_root()))
simple(
    "rfc5280::unknown-critical-extension-ee",
    "path.critical-extension",
    one_step,
    leaf_changes={"unknown": CRITICAL},
)
simple(
    "rfc5280::unknown-critical-extension-root",
    "path.critical-extension",
    one_step,
    unknown=CRITICAL,
)
simple(
    "rfc5280::unknown-critical-extension-intermediate",
    "path.critical-extension",
    two_steps,
    unknown=CRITICAL,
)
simple(
    "rfc5280::intermediate-ca-without-ca-bit",
    NO_AUTHORITY,
    two_steps,
    constraints=(x509.BasicConstraints(False, None), True),
    usage=None,
)
simple(
    "rfc5280::intermediate-ca-missing-basic-constraints",
    NO_AUTHORITY,
    two_steps,
    constraints=None,
    usage=None,
)
simple("rfc5280::root-missing-basic-constraints", PROFILE, one_step, constraints=None)
simple(
    "rfc5280::root-non-critical-basic-constraints",
    PROFILE,
    one_step,
    constraints=(x509.BasicConstraints(True, None), False),
)
simple("rfc5280::root-inconsistent-ca-extensions", "path.key-usage", one_step, usage=NO_USAGE)
simple("rfc5280::ica-ku-keycertsign", PROFILE, two_steps, length=0, usage=NO_USAGE)
simple(
    "rfc5280::leaf-ku-keycertsign",
    PROFILE,
    one_step,
    leaf_changes={
        "constraints": (x509.BasicConstraints(False, None), True),
        "usage": (usage(digital=True, sign=True), False),
    },
)
AIA = x509.AuthorityInformationAccess(
    [x509.AccessDescription(x509.OID_CA_ISSUERS, DNS("example.com"))]
)
simple("rfc5280::ee-aia", None, one_step, leaf_changes={"aia": (AIA, False)})
simple(
    "rfc5280::ee-critical-aia-invalid",
    "path.critical-extension",
    one_step,
    leaf_changes={"aia": (AIA, True)},
)
simple("rfc5280::no-keyusage", None, one_step, leaf_changes={"usage": None})
simple("rfc5280::no-basicconstraints", None, one_step)
simple(
    "rfc5280::aki::critical-aki",
    PROFILE,
    one_step,
    aki=(x509.AuthorityKeyIdentifier(b"key", None, None), True),
)
simple("rfc5280::aki::leaf-missing-aki", PROFILE, one_step, leaf_changes={"aki": None})
simple("rfc5280::aki::intermediate-missing-aki", PROFILE, two_steps, aki=None)
simple("rfc5280::aki::self-signed-root-missing-aki", None, one_step, aki=None)
simple(
    "own::aki::leaf-names-another-key",
    "path.key-identifier",
    one_step,
    leaf_changes={"aki": (x509.AuthorityKeyIdentifier(b"another key", None, None), False)},
)
simple(
    "rfc5280::ski::critical-ski", PROFILE, one_step, ski=(x509.SubjectKeyIdentifier(b"key"), True)
)
simple("rfc5280::ski::root-missing-ski", PROFILE, one_step, ski=None)
simple("rfc5280::ski::intermediate-missing-ski", PROFILE, two_steps, ski=None)
simple(
    "rfc5280::pc::ica-noncritical-pc",
    PROFILE,
    two_steps,
    policy=(x509.PolicyConstraints(3, None), False),
)
simple(
    "own::pc::explicit-policy-without-policies",
    "path.policy",
    two_steps,
    policy=(x509.PolicyConstraints(0, None), True),
)
simple(
    "rfc5280::san::malformed",
    MALFORMED,
    one_step,
    leaf_changes={
        "san": (
            x509.UnrecognizedExtension(x509.OID_SUBJECT_ALTERNATIVE_NAME, b"example.com"),
            False,
        )
    },
)
simple("rfc5280::serial::serial-number-too-long", MALFORMED, lambda: with_serial(1 << 168))
simple("rfc5280::serial::serial-number-zero", PROFILE, lambda: with_serial(0))
simple("rfc5280::serial::serial-number-negative", PROFILE, lambda: with_serial(-5))
CLIENT: Change = (x509.ExtendedKeyUsage([x509.OID_CLIENT_AUTH]), False)
SERVER = {"extended_key_usage": "1.3.6.1.5.5.7.3.1"}
case("rfc5280::eku::ee-wrong-eku", "path.extended-key-usage")(
    lambda: with_rules(one_step(leaf_changes={"eku": CLIENT}), SERVER)
)
case("rfc5280::eku::ee-without-eku", None)(lambda: with_rules(one_step(), SERVER))


def with_rules(scene: Scene, rules: dict[str, Any]) -> Scene:
    return Scene(scene.leaf, scene.anchors, scene.pool, scene.crls, scene.at, rules)


def empty_root() -> tuple[Issued, tuple[Issued]]:
    above = issue("", key="empty")
    return leaf(above), (above,)


def with_serial(number: int) -> Scene:
    above = root()

    def alter(content: Any) -> None:
        content["serial_number"] = number

    return Scene(altered(leaf(above), above, alter), (above,))


@case("rfc5280::ee-empty-issuer", UNKNOWN_ISSUER)
def ee_empty_issuer() -> Scene:
    above = root()
    return Scene(leaf(above, issuer_name=""), (above,))


@case("rfc5280::chain-untrusted-root", UNKNOWN_ISSUER)
def chain_untrusted_root() -> Scene:
    above = root()
    middle = issue("CN=middle", above)
    return Scene(leaf(middle), (issue("CN=unrelated"),), (middle, above))


@case("rfc5280::duplicate-extensions", MALFORMED)
def duplicate_extensions() -> Scene:
    above = root()

    def alter(content: Any) -> None:
        content["extensions"].append(content["extensions"][0].copy())

    return Scene(altered(leaf(above), above, alter), (above,))


@case("rfc5280::mismatching-signature-algorithm", MALFORMED)
def mismatching_signature_algorithm() -> Scene:
    above = root()

    def alter(content: Any) -> None:
        content["signature"]["algorithm"] = "sha512_ecdsa"

    return Scene(altered(leaf(above), above, alter), (above,))


@case("rfc5280::san::noncritical-with-empty-subject", PROFILE)
def noncritical_with_empty_subject() -> Scene:
    above = root()
    return Scene(issue("", above, ca=False), (above,))


@case("rfc5280::aki::cross-signed-root-missing-aki", PROFILE)
def cross_signed_root_missing_aki() -> Scene:
    above = issue("CN=crossed", issue("CN=signer"), aki=None)
    return Scene(leaf(above), (above,))


# rfc5280::validity
def valid_at(at: datetime, **periods: tuple[int, int]) -> Scene:
    def period(name: str) -> dict[str, datetime]:
        first, last = periods.get(name, (2016, 2026))
        return {
            "not_before": datetime(first, 1, 1, tzinfo=UTC),
            "not_after": datetime(last, 1, 1, tzinfo=UTC),
        }

    above = root(**period("root"))
    middle = issue("CN=middle", above, **period("middle"))
    return Scene(leaf(middle, **period("leaf")), (above,), (middle,), at=at)


MOMENT = datetime(2022, 1, 1, tzinfo=UTC)
simple("rfc5280::validity::expired-root", "path.expired", valid_at, at=MOMENT, root=(2016, 2020))
simple(
    "rfc5280::validity::expired-intermediate",
    "path.expired",
    valid_at,
    at=MOMENT,
    middle=(2016, 2020),
)
simple("rfc5280::validity::expired-leaf", "path.expired", valid_at, at=MOMENT, leaf=(2018, 2021))
simple("rfc5280::validity::notbefore-exact", None, valid_at, at=datetime(2016, 1, 1, tzinfo=UTC))
simple(
    "rfc5280::validity::notbefore-fractional",
    "path.not-yet-valid",
    valid_at,
    at=datetime(2015, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
)
simple("rfc5280::validity::notafter-exact", None, valid_at, at=datetime(2026, 1, 1, tzinfo=UTC))
simple(
    "rfc5280::validity::notafter-fractional",
    None,
    valid_at,
    at=datetime(2026, 1, 1, 0, 0, 0, 5_000, tzinfo=UTC),
)
simple(
    "own::validity::a-second-after",
    "path.expired",
    valid_at,
    at=datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC),
)


# rfc5280::nc
NC = "path.name-constraint"
V4, V6 = ipaddress.IPv4Network("192.0.2.0/24"), ipaddress.IPv6Network("::1/128")
FOO, NOT_FOO = DIRECTORY(named("CN=foo")), DIRECTORY(named("CN=not-foo"))


def constrained(
    names: Change,
    permitted: Any = None,
    excluded: Any = None,
    *,
    subject: str = "",
    critical: bool = True,
) -> Scene:
    above = root(nc=constraints(permitted, excluded, critical=critical))
    if not subject and names is not None:
        names = (names[0], True)
    return Scene(issue(subject, above, ca=False, san=names, key="leaf"), (above,))


HERE = DNS("example.com")
for identity, code, scene in (
    ("permitted-dns-mismatch", NC, {"names": san(DNS("not-example.com")), "permitted": [HERE]}),
    ("permitted-dns-match", None, {"names": san(HERE), "permitted": [HERE]}),
    (
        "permitted-dns-match-noncritical",
        PROFILE,
        {"names": san(HERE), "permitted": [HERE], "critical": False},
    ),
    (
        "permitted-dns-match-more",
        None,
        {"names": san(DNS("foo.bar.example.com")), "permitted": [HERE]},
    ),
    (
        "excluded-dns-match-second",
        NC,
        {"names": san(HERE, DNS("no.example.com")), "excluded": [DNS("no.example.com")]},
    ),
    (
        "permitted-ip-mismatch",
        NC,
        {"names": san(IP(ipaddress.ip_address("192.0.3.1"))), "permitted": [IP(V4)]},
    ),
    (
        "excluded-ipv4-match",
        NC,
        {"names": san(IP(ipaddress.ip_address("192.0.2.1"))), "excluded": [IP(V4)]},
    ),
    (
        "excluded-ipv6-match",
        NC,
        {"names": san(IP(ipaddress.ip_address("::1"))), "excluded": [IP(V6)]},
    ),
    (
        "permitted-ipv4-match",
        None,
        {"names": san(IP(ipaddress.ip_address("192.0.2.1"))), "permitted": [IP(V4)]},
    ),
    (
        "permitted-ipv6-match",
        None,
        {"names": san(IP(ipaddress.ip_address("::1"))), "permitted": [IP(V6)]},
    ),
    (
        "permitted-dn-mismatch",
        NC,
        {"names": san(NOT_FOO), "permitted": [FOO], "subject": "CN=not-foo"},
    ),
    ("excluded-dn-match", NC, {"names": san(FOO), "excluded": [FOO], "subject": "CN=foo"}),
    ("permitted-dn-match", None, {"names": san(FOO), "permitted": [FOO], "subject": "CN=foo"}),
    (
        "permitted-dn-match-subject-san-mismatch",
        NC,
        {"names": san(FOO), "permitted": [FOO], "subject": "CN=not-foo"},
    ),
    (
        "excluded-dn-match-sub-mismatch",
        NC,
        {"names": san(NOT_FOO), "excluded": [FOO], "subject": "CN=foo"},
    ),
    (
        "excluded-match-permitted-and-excluded",
        NC,
        {"names": san(HERE), "permitted": [HERE], "excluded": [HERE]},
    ),
    ("permitted-different-constraint-type", None, {"names": san(HERE), "permitted": [IP(V4)]}),
    ("excluded-different-constraint-type", None, {"names": san(HERE), "excluded": [IP(V4)]}),
    (
        "nc-permits-invalid-dns-san",
        MALFORMED,
        {"names": san(DNS(".example.com")), "permitted": [HERE]},
    ),
    ("nc-permits-invalid-ip-san", MALFORMED, {"names": san(IP(V4)), "permitted": [IP(V4)]}),
    (
        "nc-permits-invalid-email-san",
        MALFORMED,
        {
            "names": san(EMAIL._init_without_validation("a@b@example.com")),
            "permitted": [EMAIL("example.com")],
        },
    ),
    (
        "nc-permits-email-exact",
        None,
        {"names": san(EMAIL("foo@example.com")), "permitted": [EMAIL("foo@example.com")]},
    ),
    (
        "nc-permits-email-domain",
        None,
        {"names": san(EMAIL("foo@example.com")), "permitted": [EMAIL("example.com")]},
    ),
    (
        "email-domain-of-a-subdomain",
        NC,
        {"names": san(EMAIL("foo@sub.example.com")), "permitted": [EMAIL("example.com")]},
    ),
):
    simple(f"rfc5280::nc::{identity}", code, constrained, **scene)
OTHER = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.55738.666.3"), b"\x05\x00")
simple(
    "rfc5280::nc::nc-forbids-othername",
    NC,
    constrained,
    names=san(HERE, OTHER),
    permitted=[HERE],
    excluded=[OTHER],
)
simple(
    "rfc5280::nc::nc-forbids-othername-noop",
    None,
    constrained,
    names=san(HERE),
    permitted=[HERE],
    excluded=[OTHER],
)
simple(
    "own::nc::permitted-uri-match",
    None,
    constrained,
    names=san(URI("https://a.example.com/x")),
    permitted=[URI(".example.com")],
)
simple(
    "own::nc::uri-with-an-address-satisfies-nothing",
    NC,
    constrained,
    names=san(URI("https://192.0.2.1/x")),
    excluded=[URI("example.com")],
)
simple(
    "own::nc::dn-compared-without-case-and-spaces",
    None,
    constrained,
    names=san(DIRECTORY(named("CN=FOO  bar"))),
    permitted=[DIRECTORY(named("CN=foo Bar"))],
)
simple(
    "cve::cve-2025-61727",
    NC,
    constrained,
    names=san(DNS("*.example.com")),
    permitted=[HERE],
    excluded=[DNS("bar.example.com")],
)
simple(
    "cve::cve-2025-61727-nc-permits-variant",
    NC,
    constrained,
    names=san(DNS("*.example.com")),
    permitted=[DNS("foo.example.com")],
)
EE_NC = constraints([HERE], critical=False)
simple("rfc5280::nc::not-allowed-in-ee-noncritical", PROFILE, one_step, leaf_changes={"nc": EE_NC})
simple(
    "rfc5280::nc::not-allowed-in-ee-critical",
    PROFILE,
    one_step,
    leaf_changes={"nc": constraints([HERE])},
)
simple("rfc5280::nc::excluded-dns-match", NC, two_steps, nc=constraints(None, [HERE]))


def raw_constraint(value: x509.GeneralName, names: Change) -> Scene:
    extension = x509.NameConstraints([DNS("unrelated.example")], None)
    extension._permitted_subtrees = [value]
    above = root(nc=(extension, True))
    return Scene(leaf(above, san=names), (above,))


for identity, value in (
    ("invalid-dnsname-wildcard", DNS("*.example.com")),
    ("invalid-dnsname-leading-period", DNS(".example.com")),
    ("invalid-ipv4-address", IP(ipaddress.ip_address("127.0.0.1"))),
    ("invalid-ipv6-address", IP(ipaddress.ip_address("::1"))),
    ("invalid-email-address", EMAIL._init_without_validation("a@b@example.com")),
):
    simple(f"rfc5280::nc::{identity}", MALFORMED, raw_constraint, value=value, names=san(HERE))


@case("rfc5280::nc::permitted-self-issued", None)
def permitted_self_issued() -> Scene:
    other = san(DNS("not-example.com"))
    above = issue("CN=same", san=other, nc=constraints([HERE]))
    middle = issue("CN=same", above, key="second", san=other)
    return Scene(leaf(middle), (above,), (middle,))


@case("rfc5280::nc::excluded-self-issued-leaf", NC)
def excluded_self_issued_leaf() -> Scene:
    above = root(nc=constraints([HERE]))
    middle = issue("CN=same", above)
    end = issue("CN=same", middle, key="end", ca=False, san=san(DNS("not-example.com")))
    return Scene(end, (above,), (middle,))


def narrowing(first: Change, second: Change, names: Change, between: Change = None) -> Scene:
    above = root()
    one = issue("CN=one", above, nc=first)
    two = issue("CN=two", one, nc=second, san=between)
    return Scene(leaf(two, san=names), (above,), (one, two))


A, B = DNS("foo.example.com"), DNS("bar.example.com")
simple(
    "rfc5280::nc::restrictive-permits-in-intermediates-narrows",
    NC,
    narrowing,
    first=constraints([A, B]),
    second=constraints([B]),
    names=san(A),
)
simple(
    "rfc5280::nc::restrictive-permits-in-intermediates-widens",
    NC,
    narrowing,
    first=constraints([B]),
    second=constraints([A, B]),
    names=san(A),
)
simple(
    "rfc5280::nc::intermediate-with-san-rejected-by-intermediate-nc",
    NC,
    narrowing,
    first=constraints([A], [B]),
    second=None,
    names=san(A),
    between=san(B),
)


@case("rfc5280::nc::nc-forbids-alternate-chain-ica", None)
def nc_forbids_alternate_chain() -> Scene:
    trusted, discarded = root(), issue("CN=discarded")
    one = issue("CN=one", trusted, nc=constraints([A], [B]))
    bad = issue("CN=two", discarded, san=san(B))
    good = issue("CN=two", one)
    return Scene(leaf(bad, san=san(A)), (trusted,), (one, bad, good))


@case("rfc5280::nc::nc-forbids-same-chain-ica", None)
def nc_forbids_same_chain() -> Scene:
    first, second = root(), issue("CN=root two")
    one = issue("CN=one", first, nc=constraints(None, [B]))
    bad, good = issue("CN=two", one, san=san(B)), issue("CN=two", second, san=san(A))
    return Scene(leaf(bad, san=san(A)), (first, second), (one, bad, good))


# pathlen
def lengths(*values: int | None, same: tuple[int, ...] = (), last_is_leaf: bool = True) -> Scene:
    above = root()
    chain = [above]
    for index, value in enumerate(values):
        name = f"CN=ca {index - 1 if index in same else index}"
        chain.append(issue(name, chain[-1], length=value, key=f"ca {index}"))
    end = leaf(chain[-1]) if last_is_leaf else chain.pop()
    return Scene(end, (above,), tuple(chain[1:]))


simple("pathlen::ee-with-intermediate-pathlen-0", None, lambda: lengths(0))
simple("pathlen::ee-with-intermediate-pathlen-1", None, lambda: lengths(1))
simple("pathlen::ee-with-intermediate-pathlen-2", None, lambda: lengths(2))
simple(
    "pathlen::validation-ignores-pathlen-in-leaf", None, lambda: lengths(0, 0, last_is_leaf=False)
)
simple("pathlen::intermediate-violates-pathlen-0", "path.length-exceeded", lambda: lengths(0, 0))
simple("pathlen::intermediate-pathlen-may-increase", None, lambda: lengths(1, 2))
simple("pathlen::intermediate-pathlen-too-long", "path.length-exceeded", lambda: lengths(1, 0, 0))
simple("pathlen::self-issued-certs-pathlen", None, lambda: lengths(1, 1, 0, same=(1,)))
case("own::pathlen::longer-than-the-setting", "path.too-long")(
    lambda: with_rules(lengths(None, None), {"max_path_length": 2})
)


# crl
def listed(code: str | None, identity: str, /, **changes: Any) -> None:
    def build() -> Scene:
        above = root(**changes.pop("above", {}))
        end = leaf(above, **changes.pop("end", {}))
        return Scene(end, (above,), crls=(crl(above, *changes.pop("revoked", ()), **changes),))

    case(identity, code)(build)


REVOKED, NO_LIST = "path.revoked", "path.revocation-unknown"
PAST, FUTURE = NOW - timedelta(days=40), NOW + timedelta(days=40)
POINT = [URI("http://example.com/partition.crl")]


def point(names: list[x509.GeneralName]) -> Change:
    return (x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)]), False)


def scope(names: list[x509.GeneralName] | None = None, **marks: bool) -> Change:
    known = (
        "only_contains_user_certs",
        "only_contains_ca_certs",
        "indirect_crl",
        "only_contains_attribute_certs",
    )
    values = {mark: marks.get(mark, False) for mark in known}
    return (x509.IssuingDistributionPoint(names, None, only_some_reasons=None, **values), True)


listed(REVOKED, "rfc5280::crl::revoked-certificate-with-crl", revoked=((7, PAST),))
listed(None, "rfc5280::crl::certificate-not-on-crl", revoked=((8, PAST), (9, PAST)))
listed(NO_LIST, "rfc5280::crl::crlnumber-missing", number=None)
listed(NO_LIST, "rfc5280::crl::crlnumber-critical", number=(x509.CRLNumber(5), True))
listed(NO_LIST, "rfc5280::crl::issuer-missing-crlsign", above={"usage": (usage(sign=True), True)})
listed(None, "rfc5280::crl::issuer-no-keyusage-extension", above={"usage": None})
listed(None, "rfc5280::crl::issuer-valid-crlsign-and-keycertsign")
listed(NO_LIST, "crl::structure::crl-invalid-signature", key="somebody")
listed(None, "crl::structure::crl-empty")
listed(NO_LIST, "crl::structure::crl-unknown-critical-extension", extra=CRITICAL)
listed(
    None,
    "crl::structure::crl-unknown-noncritical-extension",
    extra=(x509.UnrecognizedExtension(UNKNOWN, b""), False),
)
listed(MALFORMED, "crl::structure::crl-duplicate-revoked-serial", revoked=((9, PAST), (9, PAST)))
listed(NO_LIST, "crl::temporal::this-update-in-future", this_update=NOW + timedelta(days=1))
listed(
    NO_LIST,
    "crl::temporal::next-update-in-past",
    this_update=PAST,
    next_update=NOW - timedelta(days=1),
)
listed(REVOKED, "crl::temporal::revocation-date-in-future", revoked=((7, FUTURE),))
listed(
    REVOKED,
    "crl::temporal::revocation-date-before-not-before",
    revoked=((7, START - timedelta(days=9)),),
)
listed(
    REVOKED,
    "own::crl::an-old-list-still-revokes",
    revoked=((7, PAST),),
    this_update=PAST,
    next_update=PAST + timedelta(days=1),
)
listed(
    NO_LIST,
    "crl::idp::idp-cdp-scope-mismatch",
    extra=scope([URI("http://example.com/other.crl")]),
    end={"cdp": point(POINT)},
)
listed(None, "crl::idp::idp-cdp-scope-match", extra=scope(POINT), end={"cdp": point(POINT)})
listed(
    NO_LIST,
    "crl::idp::idp-only-contains-ca-certs-ee-target",
    extra=scope(only_contains_ca_certs=True),
)
listed(NO_LIST, "crl::idp::idp-present-certificate-missing-cdp", extra=scope(POINT))
listed(
    NO_LIST,
    "crl::idp::idp-only-contains-attribute-certs",
    extra=scope(only_contains_attribute_certs=True),
)
listed(NO_LIST, "own::crl::indirect-lists-prove-nothing", extra=scope(indirect_crl=True))


@case("crl::structure::crl-very-large", None)
def very_large() -> Scene:
    above = root()
    return Scene(leaf(above), (above,), crls=(crl(above, *((9 + i, PAST) for i in range(2000))),))


@case("crl::idp::idp-only-contains-user-certs-ca-target", NO_LIST)
def only_users() -> Scene:
    above = root()
    middle = issue("CN=middle", above)
    lists = (crl(above, extra=scope(only_contains_user_certs=True)), crl(middle))
    return Scene(leaf(middle), (above,), (middle,), crls=lists)


@case("crl::structure::crl-wrong-signing-key", NO_LIST)
def wrong_signing_key() -> Scene:
    one, two = root(), issue("CN=root two")
    return Scene(leaf(one), (one, two), crls=(crl(two, issuer=one.subject),))


@case("own::crl::a-namesake-under-another-anchor-signs-no-list-of-ours", NO_LIST)
def namesake() -> Scene:
    above, other = root(), issue("CN=other")
    imitation = issue("CN=root", other, key="namesake")
    lists = (crl(imitation), crl(other))
    return Scene(leaf(above), (above, other), (imitation,), crls=lists)


@case("rfc5280::crl::certificate-serial-on-crl-different-issuer", None)
def serial_of_another_issuer() -> Scene:
    one, two = root(), issue("CN=root two")
    return Scene(leaf(one), (one, two), crls=(crl(one), crl(two, (7, PAST))))


# pathological, cve
@case("pathological::multiple-chains-expired-intermediate", None)
def chain_of_pain() -> Scene:
    one, two = root(), issue("CN=root two")
    expired = issue("CN=root", two, key="CN=root", not_after=START + timedelta(days=9))
    return Scene(leaf(one), (one, two), (expired,))


def crossed(*names: str) -> list[Issued]:
    """Authorities of which each signed every other one."""
    every = [issue(name, key=name) for name in names]
    return [
        issue(str(one.subject.rfc4514_string()), other, key=name)
        for name, one in zip(names, every, strict=True)
        for other in every
        if other is not one
    ]


case("pathological::intermediate-cycle-distinct-cas", UNKNOWN_ISSUER)(lambda: cycle(8))
case("pathological::intermediate-cycle-distinct-cas-max-depth", UNKNOWN_ISSUER)(lambda: cycle(255))


def cycle(depth: int) -> Scene:
    one, two = crossed("CN=cycle one", "CN=cycle two")
    return Scene(leaf(one), (root(),), (one, two), rules={"max_path_length": depth})


@case("pathological::intermediate-cycle-same-logical-ca", "path.signature-invalid")
def same_logical_authority() -> Scene:
    one, two = issue("CN=same", key="one"), issue("CN=same", key="two")
    first, second = issue("CN=same", two, key="one"), issue("CN=same", one, key="two")
    return Scene(leaf(first), (root(),), (first, second))


@case("cve::cve-2024-0567", None)
def mutually_cross_signed() -> Scene:
    pool = crossed("CN=root", "CN=b", "CN=c")
    below = issue("CN=a1", root())
    return Scene(leaf(below), (root(),), (*pool, below))


def graph(width: int, *, is_rooted: bool = False) -> Scene:
    names = [f"CN=node {index}" for index in range(width)]
    pool = crossed(*names)
    anchor = root()
    if is_rooted:
        pool.append(issue(names[0], anchor, key=names[0]))
    return Scene(leaf(pool[-1]), (anchor,), tuple(pool), rules={"max_path_length": 40})


case("own::pathological::ten-authorities-that-all-signed-each-other", "path.work-exceeded")(
    lambda: graph(10)
)


@case("own::pathological::many-keys-of-one-name", "path.work-exceeded")
def many_keys() -> Scene:
    above = issue("CN=same", key="true")
    pool = tuple(issue("CN=same", above, key=f"key {index}") for index in range(300))
    # Without an identifier of its issuer's key every one of them may have signed it.
    end = leaf(issue("CN=same", key="nobody's"), aki=None)
    return Scene(end, (root(),), pool, rules={"profile": PathProfile.PATH_ALONE})


@case("own::pathological::four-hundred-names-and-constraints", "path.work-exceeded")
def many_constraints() -> Scene:
    bases = [DNS(f"a{i}.example.com") for i in range(400)]
    above = root(nc=constraints(None, list(bases)))
    middle = issue("CN=middle", above)
    names = san(*(DNS(f"b{i}.example.com") for i in range(400)))
    return Scene(leaf(middle, san=names), (above,), (middle,))


@case("own::signature-of-another-key", "path.signature-invalid")
def another_key() -> Scene:
    imitated = issue("CN=root", key="imitation")
    return Scene(leaf(imitated, aki=root_identifier()), (root(),))


def root_identifier() -> Change:
    key = key_of("CN=root").public_key()
    return (x509.AuthorityKeyIdentifier.from_issuer_public_key(key), False)


def validate(scene: Scene) -> int:
    settings: dict[str, Any] = {
        "max_path_length": 16,
        "profile": PathProfile.RFC_5280,
        "require_revocation": scene.crls is not None,
    }
    validator = PathValidator.from_bytes(
        anchors=[(item.der, None) for item in scene.anchors],
        rules=PathRules(**(settings | scene.rules)),
        intermediates=[item.der for item in scene.pool],
        lists=scene.crls or (),
    )
    end = scene.leaf if isinstance(scene.leaf, bytes) else scene.leaf.der
    return validator.validate(end, at=scene.at).signature_checks


def test_there_are_as_many_vectors_as_were_restated() -> None:
    restated = [name for name in CASES if not name.startswith("own::")]
    assert len(restated) >= 100


@pytest.mark.parametrize("identity", CASES)
def test_a_vector_ends_for_its_one_reason(identity: str) -> None:
    code, build = CASES[identity]
    scene = build()
    if code is None:
        assert validate(scene) <= 64
        return
    with pytest.raises(PkiError) as caught:
        validate(scene)
    assert caught.value.code == code, str(caught.value)
