"""Seeds that authorities sign: certificates, lists, bundles, and what leads from one to the next."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.files.security_infos import SecurityInfos
from card_layout.files.terminal_authentication_info import TerminalAuthenticationInfo
from pki.card_verifiable.request import AuthenticatedRequest, CertificateRequest
from pki.certificates.public_keys import key_identifier
from pki.keys.software import SoftwareSigner
from pki.signed.authorisation import BatchAuthorisation, OperatorAssertion
from pki.signed.card_states import CardState
from pki.signed.card_states_file import write_states_file
from pki.signed.chip_keys import ChipKeyTerms, StaticKeys, seal_chip_keys
from pki.signed.master_list_writing import PreparedMasterList
from pki.signed.security_object import StatusReference
from pki.signed.status_list import StatusList
from pki.signed.status_list_delta import StatusListDelta
from pki.signed.stop_list import prepare_stop_list
from pki.signed.trust_bundle import TrustBundle, prepare_trust_bundle, write_bundle_draft
from pki.signed.trust_bundle_delta import TrustBundleDelta
from simulators.authority import SignerKind, TestAuthority
from simulators.variants import _card_security
from tests.unit.verifier.status_office import StatusOffice
from tests.unit.verifier.terminal_hierarchy import Hierarchy, reference

_WEEK = timedelta(days=7)


def seeds_of_lists(
    authority: TestAuthority, hierarchy: Hierarchy, *, now: datetime
) -> Iterator[tuple[str, bytes]]:
    """Target and bytes; ``base:NAME`` is what deltas are applied to."""
    yield from _certificates(authority, hierarchy, now=now)
    yield from _requests(hierarchy)
    stop_office = StatusOffice(authority=authority, profile="stop-list-signer")
    stop_list = prepare_stop_list(
        signer_certificate=stop_office.certificate,
        public_key=stop_office.key.public_key(),
        number=1,
        this_update=now,
        next_update=now + _WEEK,
        stopped={2**90: now, 2**91 + 1: now},
    ).sign(SoftwareSigner(stop_office.key))
    yield "stop-list", stop_list
    master_office = StatusOffice(authority=authority, profile="master-list-signer")
    yield (
        "master-list",
        PreparedMasterList.compose(
            signer_certificate=master_office.certificate,
            authority_certificate=authority.root.certificate,
            public_key=master_office.key.public_key(),
            listed=(authority.root.certificate,),
            signing_time=now,
        ).sign(SoftwareSigner(master_office.key)),
    )
    office = StatusOffice(authority=authority)
    card = StatusReference(list_id=bytes(8), index=200)
    lists = [
        office.sign(card, CardState.VALID, at=now),
        office.sign(card, CardState.LOST, at=now + timedelta(hours=1), number=2),
    ]
    yield "base:status-list", lists[0]
    yield from (("status-list", each) for each in lists)
    first, second = (StatusList.from_bytes(each) for each in lists)
    yield "status-list-delta", StatusListDelta.between(first, second).to_bytes()
    yield "card-states", write_states_file(second.states)
    yield from _bundles(authority, lists, now=now)
    yield from _authorisations(now=now)


def _certificates(
    authority: TestAuthority, hierarchy: Hierarchy, *, now: datetime
) -> Iterator[tuple[str, bytes]]:
    for certified in (authority.root, *authority.signers.values()):
        yield "certificate", certified.certificate
        yield "lint", certified.certificate
    revoked = authority.revocation_list(now=now)
    yield "certificate-list", revoked
    yield "lint", revoked
    for certificate in (hierarchy.root(), hierarchy.link(1), hierarchy.terminal()):
        yield "card-verifiable", certificate.to_bytes()
        yield "lint", certificate.to_bytes()
    infos = SecurityInfos(infos=(TerminalAuthenticationInfo(),))
    yield "card-security", _card_security(infos, authority.signers[SignerKind.CURRENT]).to_bytes()


def _requests(hierarchy: Hierarchy) -> Iterator[tuple[str, bytes]]:
    holder = reference("GATE1")
    signer = hierarchy.signer(holder)
    request = CertificateRequest.make(
        signer, holder_reference=holder, authority_reference=reference("OFFICES")
    )
    vouched = AuthenticatedRequest.make(request, signer=signer, reference=holder)
    yield "terminal-request", request.to_bytes()
    yield "terminal-request", vouched.to_bytes()


def _bundles(
    authority: TestAuthority, lists: list[bytes], *, now: datetime
) -> Iterator[tuple[str, bytes]]:
    office = StatusOffice(authority=authority, profile="trust-bundle-signer")
    bundles = []
    for number, status in enumerate(lists, start=1):
        files = {
            "csca/csca-1.cer": authority.root.certificate,
            "policy.toml": b"format = 1\n",
            "status/csca-1.status": status,
        }
        start = now + timedelta(hours=number)
        bundles.append(
            prepare_trust_bundle(
                signer_certificate=office.certificate,
                public_key=office.key.public_key(),
                number=number,
                this_update=start,
                next_update=start + _WEEK,
                files=files,
            ).sign(SoftwareSigner(office.key))
        )
        yield "trust-bundle", bundles[-1]
        yield "trust-bundle-draft", write_bundle_draft(files)
    yield "base:trust-bundle", bundles[0]
    first, second = (TrustBundle.from_bytes(each) for each in bundles)
    yield "trust-bundle-delta", TrustBundleDelta.between(first, second).to_bytes()


def _authorisations(*, now: datetime) -> Iterator[tuple[str, bytes]]:
    key = ec.generate_private_key(ec.SECP256R1())
    terms = BatchAuthorisation(
        batch=bytes(range(16)), signer_id="ds-1", cards=10, until=now + _WEEK
    ).signed_with(SoftwareSigner(key), certificate=bytes(40))
    assertion = OperatorAssertion(
        certificate=bytes(40),
        credential_id=bytes(16),
        authenticator_data=bytes(37),
        client_data=b'{"type":"webauthn.get","challenge":"AAAA","origin":"https://pki.example"}',
        signature=bytes(70),
    )
    for signatures in (terms.signatures, (assertion,)):
        yield (
            "batch-authorisation",
            BatchAuthorisation(
                batch=bytes(range(16)),
                signer_id="ds-1",
                cards=10,
                until=now + _WEEK,
                signatures=signatures,
            ).to_bytes(),
        )
    serial = bytes(range(10))
    sealed = seal_chip_keys(
        ChipKeyTerms(
            batch=bytes(range(16)),
            station=bytes(range(32)),
            not_after=now,
            chips=1,
            key_versions=(0x30,),
            current_version=0x30,
        ),
        {serial: (StaticKeys(key_version=0x30, enc=bytes(16), mac=bytes(16), dek=bytes(16)),)},
        station_key=key.public_key(),
        recipient=key_identifier(key.public_key()),
        random_bytes=bytes,
    )
    yield "sealed-chip-keys", sealed.to_bytes()
