"""The card judges chains that our own PKI made: composed, signed and encoded by code that it does not share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import NamedCurve
from pki.card_verifiable.authorisation import FileRights, Role
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import JudgedCertificate
from pki.card_verifiable.issue import (
    compose_below,
    compose_root,
    sign_certificate,
    validity_from,
)
from pki.card_verifiable.public_key import CvPublicKey, sign_plainly
from pki.card_verifiable.references import HolderReference
from pki.keys.software import SoftwareSigner
from simulators.card.operating_system import VirtualCard
from simulators.card.trust_points import current_date
from simulators.image import CardImage

DAY = date(2026, 11, 21)
FILES = FileRights.of([13])


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A judged certificate of the PKI with its key, as the tests' terminal shows it."""

    judged: JudgedCertificate
    signer: SoftwareSigner

    @property
    def reference(self) -> bytes:
        return self.judged.holder_reference.to_bytes()

    @property
    def authority(self) -> bytes:
        return self.judged.certificate.body.authority_reference.to_bytes()

    @property
    def certificate(self) -> bytes:
        return self.judged.certificate.to_bytes()

    def sign(self, message: bytes) -> bytes:
        return sign_plainly(self.signer, message)


def new_signer(curve: NamedCurve) -> SoftwareSigner:
    return SoftwareSigner(ec.generate_private_key(curve.to_cryptography()))


def make_root(curve: NamedCurve) -> Holder:
    signer = new_signer(curve)
    key = CvPublicKey.of(signer, explicit=True)
    body = compose_root(
        reference=HolderReference.from_text("VNROOT00001"),
        public_key=key,
        files=FILES,
        validity=validity_from(DAY, Role.CVCA),
        access_bits=3,
    )
    certificate = sign_certificate(
        body, signer=signer, key=key.on(curve), algorithm=signer.algorithm
    )
    return Holder(judged=JudgedCertificate.trusted(certificate, on=DAY), signer=signer)


def make_below(issuer: Holder, role: Role, name: str, curve: NamedCurve) -> Holder:
    signer = new_signer(curve)
    body = compose_below(
        issuer.judged,
        role=role,
        reference=HolderReference.from_text(name),
        public_key=CvPublicKey.of(signer, explicit=True),
        files=FILES,
        validity=validity_from(DAY, role, not_after=issuer.judged.certificate.body.expiration_date),
        access_bits=1,
    )
    certificate: CvCertificate = sign_certificate(
        body,
        signer=issuer.signer,
        key=issuer.judged.public_key,
        algorithm=issuer.signer.algorithm,
    )
    return Holder(judged=issuer.judged.follow(certificate, on=DAY), signer=signer)


@pytest.mark.parametrize("curve", [NamedCurve.SECP256R1, NamedCurve.BRAINPOOLP384R1])
def test_a_chain_of_our_pki_opens_what_our_pki_says_it_grants(
    guarded: CardImage, meet: Callable[..., Any], curve: NamedCurve
) -> None:
    root = make_root(curve)
    link = make_below(root, Role.CVCA, "VNROOT00002", curve)
    verifier = make_below(link, Role.DOCUMENT_VERIFIER, "VNOFFICES00001", curve)
    gate = make_below(verifier, Role.TERMINAL, "VNGATE00001", curve)
    card = VirtualCard(replace(guarded, trust_points=(root.certificate,), current_date=None))
    terminal = meet(card)
    assert terminal.present_chain(link, verifier, gate) == ["9000"] * 3
    assert terminal.prove_terminal(gate) == "9000"
    assert gate.judged.rights.files.data_groups == {13}
    assert gate.judged.rights.access_bits == 1
    granted = {}
    for number in (3, 4, 13):
        terminal.read(number)
        granted[number] = terminal.status
    assert granted == {3: "9000", 4: "6982", 13: "9000"}
    assert card.image.trust_points == (link.certificate, root.certificate)
    assert current_date(card.image) == f"{DAY:%Y%m%d}"
