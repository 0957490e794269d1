"""What makes a security key of the console one of the PKI's operators, too: its challenge, and their certificate.

Nothing here is believed of the PKI: whether a credential is enrolled, and whose a certificate is, the signer judges.
"""

import re
from datetime import datetime
from typing import Final

from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.second_factor_ports import RelyingParty
from pki.certificates import extensions as ext
from pki.certificates.certificate import load_certificate
from pki.certificates.names import TEST_WORD, common_name_of
from pki.certificates.profile import ProfileKind
from pki.errors import PkiDataError
from pki.signed.credential_challenge import CredentialChallenge

__all__ = ["check_asked_for_us", "check_operator", "operator_of"]

_OPERATOR: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?", re.ASCII)
_BEFORE_NAME: Final = "operator "
"""So the common name of an operator's certificate begins."""

_MAX_CERTIFICATE_BYTES: Final = 2048


def check_asked_for_us(
    challenge: CredentialChallenge, relying_party: RelyingParty, now: datetime
) -> None:
    """Let pass a challenge of the PKI for a credential that signs in this console.

    Raises:
        IssuerRefusedError: ``webauthn.origin-differs``, ``webauthn.challenge-expired``.
    """
    asked = (challenge.origin, challenge.rp_id)
    if asked != (relying_party.origin, relying_party.rp_id):
        raise IssuerRefusedError(
            f"the challenge is for {challenge.origin[:100]!r}, expected {relying_party.origin}",
            code="webauthn.origin-differs",
            hint=f"membercard-pki operator credential challenge NAME --origin {relying_party.origin}",
        )
    if now > challenge.expires:
        raise IssuerRefusedError(
            f"the challenge ended at {challenge.expires:%Y-%m-%d %H:%M:%S}Z, got {now:%Y-%m-%d %H:%M:%S}Z",
            code="webauthn.challenge-expired",
        )


def check_operator(name: str) -> str:
    """The name of an operator.

    Raises:
        IssuerDataError: ``operator.name-invalid``.
    """
    if not _OPERATOR.fullmatch(name):
        raise IssuerDataError(
            f"an operator's name of {len(name)} characters, expected a plain word",
            code="operator.name-invalid",
        )
    return name


def operator_of(certificate: bytes) -> str:
    """The name in an operator's certificate (DER).

    Raises:
        IssuerDataError: it is none (``operator.certificate-invalid``).
    """
    if len(certificate) > _MAX_CERTIFICATE_BYTES:
        raise _invalid(f"a certificate of {len(certificate)} bytes")
    try:
        found = load_certificate(certificate)
        purposes = ext.decode_extended_key_usage(found.extensions)
        words = common_name_of(found.subject).removeprefix(f"{TEST_WORD} ")
    except PkiDataError as error:
        raise _invalid("a file that is no certificate") from error
    if purposes != frozenset(ProfileKind.OPERATOR.extended_key_usage):
        raise _invalid("a certificate of another kind")
    return check_operator(words.removeprefix(_BEFORE_NAME))


def _invalid(what: str) -> IssuerDataError:
    return IssuerDataError(
        f"{what} came, expected an operator's certificate",
        code="operator.certificate-invalid",
        hint="membercard-pki operator certificate NAME --out FILE",
    )
