"""A CVCA with its keys, an office and a terminal, made for a test."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import NamedCurve
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.security_infos import SecurityInfos
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.files.terminal_authentication_info import TerminalAuthenticationInfo
from card_layout.files.trust_points import TrustPoints
from card_layout.profile import CardProfile, load_profile
from pki.card_verifiable.authorisation import (
    CertificateExtension,
    FileRights,
    HolderAuthorisation,
    Role,
    TerminalType,
)
from pki.card_verifiable.certificate import CertificateBody, CvCertificate
from pki.card_verifiable.credentials import TerminalCredentials
from pki.card_verifiable.public_key import CvPublicKey, sign_plainly
from pki.card_verifiable.references import HolderReference
from pki.keys.software import SoftwareSigner
from pki.signed.security_object import SecurityObject
from simulators.authority import TestAuthority
from simulators.image import CardImage, ImageFile
from simulators.issued_image import sign_image
from simulators.testing import TEST_TIME

DAY = TEST_TIME.date()
DEFAULT = load_profile("membercard-1")
RECORD = frozenset({13})


def reference(mnemonic: str, number: int = 1) -> HolderReference:
    return HolderReference(country="VN", mnemonic=mnemonic, sequence_number=f"{number:05}")


@dataclass(kw_only=True)
class Hierarchy:
    """Keys by reference; everything is valid for two months around ``day`` unless a test says otherwise."""

    curve: NamedCurve = NamedCurve.SECP256R1
    mnemonic: str = "MEMBER"
    day: date = DAY
    signers: dict[HolderReference, SoftwareSigner] = field(default_factory=dict)

    def signer(self, holder: HolderReference) -> SoftwareSigner:
        if holder not in self.signers:
            key = ec.generate_private_key(self.curve.to_cryptography())
            self.signers[holder] = SoftwareSigner(key)
        return self.signers[holder]

    def certificate(
        self,
        holder: HolderReference,
        authority: HolderReference,
        role: Role,
        *,
        groups: Iterable[int] | None = RECORD,
        bits: int = 0,
        begin: date | None = None,
        end: date | None = None,
    ) -> CvCertificate:
        body = CertificateBody(
            authority_reference=authority,
            public_key=CvPublicKey.of(self.signer(holder), explicit=role is Role.CVCA),
            holder_reference=holder,
            authorisation=HolderAuthorisation(
                terminal_type=TerminalType.INSPECTION_SYSTEM, role=role, access_bits=bits
            ),
            effective_date=begin or self.day - timedelta(days=10),
            expiration_date=end or self.day + timedelta(days=50),
            extensions=()
            if groups is None
            else (CertificateExtension.granting(FileRights.of(groups)),),
        )
        return CvCertificate(
            body=body, signature=sign_plainly(self.signer(authority), body.to_bytes())
        )

    def cvca(self, number: int) -> HolderReference:
        return reference(self.mnemonic, number)

    def root(self, number: int = 1, **changes: Any) -> CvCertificate:
        return self.certificate(self.cvca(number), self.cvca(number), Role.CVCA, **changes)

    def link(self, number: int) -> CvCertificate:
        return self.certificate(self.cvca(number + 1), self.cvca(number), Role.CVCA)

    def office(self, under: int = 1, **changes: Any) -> CvCertificate:
        return self.certificate(
            reference("OFFICES"), self.cvca(under), Role.DOCUMENT_VERIFIER, **changes
        )

    def terminal(self, **changes: Any) -> CvCertificate:
        return self.certificate(reference("GATE1"), reference("OFFICES"), Role.TERMINAL, **changes)

    def credentials(self, *certificates: CvCertificate) -> TerminalCredentials:
        """A store; by default of one root, the office and the terminal."""
        held = certificates or (self.root(), self.office(), self.terminal())
        return TerminalCredentials.from_certificates(
            held, signer=self.signer(held[-1].body.holder_reference)
        )


def protected_card(
    image: CardImage,
    *trust_points: CvCertificate,
    authority: TestAuthority,
    current_date: date = DAY - timedelta(days=5),
    profile: CardProfile = DEFAULT,
    signing_time: datetime = TEST_TIME,
) -> CardImage:
    """An issued card of ``membercard-1`` that trusts these keys, the newest first."""
    options_path = profile.file("EF.DG14").path
    options = SecurityOptions.from_bytes(image.files[options_path].data)
    infos = options.security_infos.infos
    if not options.security_infos.terminal_authentication_infos:
        infos = (*infos, TerminalAuthenticationInfo())
    references = tuple(item.body.holder_reference.to_bytes() for item in trust_points)
    changed = replace(
        image,
        trust_points=tuple(item.to_bytes() for item in trust_points),
        current_date=f"{current_date:%Y%m%d}",
    )
    trust_file = profile.file("EF.CVCA")
    files = {
        options_path: SecurityOptions(security_infos=SecurityInfos(infos=infos)).to_bytes(),
        trust_file.path: TrustPoints(references=references).to_bytes(),
    }
    for path, content in files.items():
        before = changed.files.get(path)
        file = (
            ImageFile(data=content, short_identifier=0x1C, capacity=36)
            if before is None
            else replace(before, data=content)
        )
        changed = changed.with_file(path, file)
    signed = SecurityObject.from_bytes(_content_info(image, profile))
    if signed.status_reference is None:
        raise AssertionError("the card has no status reference")
    return sign_image(
        changed,
        profile=profile,
        authority=authority,
        signing_time=signing_time,
        status_reference=signed.status_reference,
    )


def _content_info(image: CardImage, profile: CardProfile) -> bytes:
    return SecurityObjectFile.from_bytes(image.files[profile.file("EF.SOD").path].data).content_info
