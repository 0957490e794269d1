"""What explanations are made of: single facts, and the evidence and rules that they are found in."""

from dataclasses import dataclass, field
from datetime import datetime

from card_layout.files.security_object_file import SecurityObjectFile
from pki.certificates.trust import DocumentSignerCertificate, TrustAnchors, load_signer
from pki.signed.security_object import SecurityObject
from verifier.inspection.messages import FactName, Language, word
from verifier.inspection.policy import Policy
from verifier.inspection.snapshot import CardSnapshot, FileOutcome

__all__ = ["Fact", "Material"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that a step looked at."""

    name: FactName
    value: str

    def to_json(self, language: Language) -> dict[str, str]:
        """As programs get it."""
        return {
            "fact": self.name.value,
            "label": self.name.text.within(language),
            "value": word(self.value, language),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What an inspection was made from."""

    snapshot: CardSnapshot = field(repr=False)
    policy: Policy
    trust: TrustAnchors = field(repr=False)
    now: datetime

    def security_object(self) -> SecurityObject:
        """EF.SOD, decoded as the policy lets it be.

        Raises:
            CardError: there is none, or the file is malformed.
            PkiError: it is no security object.
        """
        file = SecurityObjectFile.from_bytes(self.snapshot.content("EF.SOD") or b"")
        return SecurityObject.from_bytes(
            file.content_info, allow_others=self.policy.allow_other_signatures
        )

    def signer(self) -> DocumentSignerCertificate:
        """The certificate that EF.SOD carries.

        Raises:
            CardError: there is none.
            PkiError: it breaks its profile.
        """
        return load_signer(self.security_object().signer_certificate)

    def names_of(self, *outcomes: FileOutcome) -> str:
        """The files that were asked for with one of these outcomes."""
        return ", ".join(
            name for name, item in self.snapshot.files.items() if item.outcome in outcomes
        )
