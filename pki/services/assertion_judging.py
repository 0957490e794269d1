"""Judging WebAuthn assertions over authorisations (W3C Web Authentication, 7.2): steps that each have a code."""

from typing import Final

from pki.errors import PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.keys.webauthn_keys import check_webauthn_key, verify_webauthn_signature
from pki.services.credential_state import CredentialRecord, CredentialState
from pki.signed.authorisation import OperatorAssertion
from pki.signed.webauthn import AuthenticatorData, CeremonyType, ClientData

__all__ = ["check_ceremony", "check_presence", "judge_assertion"]

_HINT: Final = "sign again on the page for operators"


def judge_assertion(
    assertion: OperatorAssertion,
    *,
    operator: str,
    digest: bytes,
    credentials: CredentialState,
    accepted_counter: int | None = None,
) -> int:
    """The counter of an assertion that holds.

    Args:
        assertion: what stands in the authorisation.
        operator: whose certificate is named.
        digest: the authorisation's, which must be the challenge.
        credentials: what is enrolled.
        accepted_counter: the counter with which this credential signed this authorisation as it was accepted;
            ``None`` where it was not.

    Raises:
        WebauthnError: ``webauthn.malformed``.
        PkiRefusedError: ``webauthn.credential-unknown``, ``webauthn.credential-of-another``,
            ``webauthn.credential-revoked``, ``webauthn.type-differs``, ``webauthn.challenge-differs``,
            ``webauthn.origin-differs``, ``webauthn.framed``, ``webauthn.rp-id-differs``, ``webauthn.user-absent``,
            ``webauthn.user-unverified``, ``webauthn.signature-wrong``, ``webauthn.counter-back``,
            ``webauthn.key-unsuitable``.
    """
    # 1. The credential is enrolled with the certificate that is named.
    record = credentials.credentials.get(assertion.credential_id)
    if record is None:
        raise PkiRefusedError(
            f"credential {assertion.credential_id[:16].hex()} is not enrolled",
            code="webauthn.credential-unknown",
        )
    certificate_digest = HashAlgorithm.SHA256.digest(assertion.certificate)
    if record.operator != operator or record.certificate_digest != certificate_digest:
        raise PkiRefusedError(
            f"the credential is operator {record.operator}'s, and the certificate {operator}'s",
            code="webauthn.credential-of-another",
        )
    if record.revoked_at is not None:
        raise PkiRefusedError(
            f"the credential of operator {operator} was revoked at {record.revoked_at:%Y-%m-%d %H:%M:%S}Z",
            code="webauthn.credential-revoked",
        )
    # 2. What the browser says: an assertion, over this authorisation, on our page.
    check_ceremony(
        ClientData.from_bytes(assertion.client_data),
        ceremony=CeremonyType.GET,
        challenge=digest,
        origin=record.origin,
    )
    # 3. What the authenticator says: for us, somebody touched it, and it knew who.
    said = AuthenticatorData.of_assertion(assertion.authenticator_data)
    check_presence(
        rp_id_hash=said.rp_id_hash,
        rp_id=record.rp_id,
        is_present=said.is_user_present,
        is_verified=said.is_user_verified,
    )
    # 4. The signature, by the enrolled key.
    key = check_webauthn_key(record.public_key, record.algorithm)
    message = assertion.authenticator_data + HashAlgorithm.SHA256.digest(assertion.client_data)
    if not verify_webauthn_signature(key, message=message, signature=assertion.signature):
        raise PkiRefusedError(
            f"the assertion of operator {operator} does not hold over these bytes",
            code="webauthn.signature-wrong",
        )
    # 5. The counter, last: what is not signed is not believed.
    if said.counter != accepted_counter:
        _check_counter(said.counter, record)
    return said.counter


def check_ceremony(
    said: ClientData, *, ceremony: CeremonyType, challenge: bytes, origin: str
) -> None:
    """What the browser says is what was asked for.

    Raises:
        PkiRefusedError: ``webauthn.type-differs``, ``webauthn.challenge-differs``, ``webauthn.origin-differs``,
            ``webauthn.framed``.
    """
    if said.ceremony != ceremony.value:
        raise PkiRefusedError(
            f"client data are of type {said.ceremony[:40]!r}, expected {ceremony.value}",
            code="webauthn.type-differs",
        )
    if said.challenge != challenge:
        raise PkiRefusedError(
            f"the challenge is {said.challenge[:32].hex()}, expected {challenge.hex()}",
            code="webauthn.challenge-differs",
            hint=_HINT,
        )
    if said.origin != origin:
        raise PkiRefusedError(
            f"the page was of {said.origin[:100]!r}, expected {origin}",
            code="webauthn.origin-differs",
        )
    if said.is_framed:
        raise PkiRefusedError(
            "the page stood inside a page of another origin, expected it by itself",
            code="webauthn.framed",
        )


def check_presence(*, rp_id_hash: bytes, rp_id: str, is_present: bool, is_verified: bool) -> None:
    """The authenticator answered for us, to a person whom it knew.

    Raises:
        PkiRefusedError: ``webauthn.rp-id-differs``, ``webauthn.user-absent``, ``webauthn.user-unverified``.
    """
    if rp_id_hash != HashAlgorithm.SHA256.digest(rp_id.encode()):
        raise PkiRefusedError(
            f"the authenticator answered for another relying party, expected {rp_id}",
            code="webauthn.rp-id-differs",
        )
    if not is_present:
        raise PkiRefusedError("nobody touched the authenticator", code="webauthn.user-absent")
    if not is_verified:
        raise PkiRefusedError(
            "the authenticator did not check who touched it",
            code="webauthn.user-unverified",
            hint="set a PIN or a fingerprint on the authenticator",
        )


def _check_counter(counter: int, record: CredentialRecord) -> None:
    # 7.2: an authenticator that does not count says 0 for ever.
    if (counter or record.counter) and counter <= record.counter:
        raise PkiRefusedError(
            f"the authenticator counted {counter}, expected more than {record.counter}: "
            "there may be a copy of it, or a later authorisation came first",
            code="webauthn.counter-back",
            hint=_HINT,
        )
