"""What a transparency log tells about a card's signature: SPEC.md, 9.25.

The proof comes from outside like the card, and may be anybody's; the policy for logs is the terminal's own.
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from card_layout.errors import CardDataError
from card_layout.files.security_object_file import SecurityObjectFile
from pki.errors import PkiError
from pki.record.transparency_evidence import known_since
from pki.record.transparency_policy import LogPolicy
from pki.signed.security_object import SecurityObject
from verifier.inspection.checks import CheckFailedError
from verifier.inspection.snapshot import CardSnapshot

__all__ = ["LogEvidence", "digest_of_signature"]

_MALFORMED: Final = "inclusion-proof.malformed"

_CODES: Final = MappingProxyType(
    {
        "log.signature-wrong": "inclusion-proof.untrusted",
        "log.other-origin": "inclusion-proof.untrusted",
        "log.quorum-missing": "inclusion-proof.cosignatures-missing",
        "log.proof-wrong": "inclusion-proof.wrong",
        "log.other-record": "inclusion-proof.other-signature",
    }
)
"""Why a proof is not taken; whatever stands here not is a file that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvidence:
    """A proof file, as it was brought, and the logs and witnesses that are believed; nothing where there is neither."""

    log_policy: LogPolicy | None = None
    proof: bytes | None = field(default=None, repr=False)

    def known_since(self, security_object: SecurityObject) -> datetime | None:
        """When witnesses had seen this very signature; ``None`` where nobody brought a proof.

        Raises:
            CheckFailedError: the proof is not one of it (``inclusion-proof.*``).
        """
        if self.proof is None:
            return None
        if self.log_policy is None:
            raise CheckFailedError(
                "inclusion-proof.untrusted",
                "There is a proof, and the trust directory names no log (log/log.policy).",
            )
        try:
            return known_since(self.proof, policy=self.log_policy, digest=_digest(security_object))
        except PkiError as error:
            text = str(error)
            raise CheckFailedError(
                _CODES.get(error.code, _MALFORMED), f"{text[:1].upper()}{text[1:]}."
            ) from error


def digest_of_signature(snapshot: CardSnapshot) -> bytes | None:
    """By what a proof is found: the SHA-256 hash of the signed attributes in EF.SOD; ``None`` for a card without."""
    evidence = snapshot.files.get("EF.SOD")
    if evidence is None or evidence.content is None:
        return None
    try:
        file = SecurityObjectFile.from_bytes(evidence.content)
        return _digest(SecurityObject.from_bytes(file.content_info))
    except (CardDataError, PkiError):
        # 9.3 is the step that says what is wrong with it.
        return None


def _digest(security_object: SecurityObject) -> bytes:
    return sha256(security_object.signed_attributes).digest()
