"""Judging registrations of WebAuthn credentials (W3C Web Authentication, 7.1), with the library that reads their CBOR.

This is for the command that enrols; the signer process reads no registrations and no CBOR.
"""

import json
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from webauthn import verify_registration_response
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import AttestationFormat, RegistrationCredential

from pki.errors import PkiRefusedError
from pki.keys.webauthn_keys import CoseAlgorithm, check_webauthn_key
from pki.services.assertion_judging import check_ceremony, check_presence
from pki.services.credential_state import ChallengeRecord
from pki.services.operator_credentials import NewCredential
from pki.signed.webauthn import MAX_CREDENTIAL_ID_BYTES, CeremonyType, ClientData, WebauthnError

__all__ = ["MAX_REGISTRATION_BYTES", "LibraryRegistrationJudge"]

MAX_REGISTRATION_BYTES: Final = 16384
_ALGORITHMS: Final = [COSEAlgorithmIdentifier(each.value) for each in CoseAlgorithm]


class LibraryRegistrationJudge:
    """See ``pki.services.operator_credentials.RegistrationJudge``."""

    def challenge_of(self, registration: bytes) -> bytes:
        """See ``RegistrationJudge``."""
        return _client_data(_read(registration)).challenge

    def judge(self, registration: bytes, challenge: ChallengeRecord) -> NewCredential:
        """See ``RegistrationJudge``.

        Raises:
            WebauthnError: ``webauthn.malformed``.
            PkiRefusedError: ``webauthn.type-differs``, ``webauthn.challenge-differs``, ``webauthn.origin-differs``,
                ``webauthn.framed``, ``webauthn.rp-id-differs``, ``webauthn.user-absent``,
                ``webauthn.user-unverified``, ``webauthn.attestation-refused``, ``webauthn.key-unsuitable``.
        """
        found = _read(registration)
        # 1. What the browser says, by our own reading.
        check_ceremony(
            _client_data(found),
            ceremony=CeremonyType.CREATE,
            challenge=challenge.challenge,
            origin=challenge.origin,
        )
        # 2. What the authenticator says.
        try:
            attested = parse_attestation_object(found.response.attestation_object)
            attestation = AttestationFormat(attested.fmt)
        except (WebAuthnException, ValueError, TypeError, LookupError, AttributeError) as error:
            raise WebauthnError("the attestation object cannot be read") from error
        said = attested.auth_data
        check_presence(
            rp_id_hash=said.rp_id_hash,
            rp_id=challenge.rp_id,
            is_present=said.flags.up,
            is_verified=said.flags.uv,
        )
        # 3. The make of the authenticator was not asked for; a statement that refers to certificates is not judged.
        is_plain = attestation is AttestationFormat.NONE or (
            attestation is AttestationFormat.PACKED and not attested.att_stmt.x5c
        )
        if not is_plain:
            raise PkiRefusedError(
                f"the attestation is of format {attestation.value} with certificates, "
                "expected none, or the credential's own",
                code="webauthn.attestation-refused",
                hint="ask the browser for no attestation, as the page for operators does",
            )
        # 4. Everything else, once more, by the library.
        try:
            verified = verify_registration_response(
                credential=found,
                expected_challenge=challenge.challenge,
                expected_rp_id=challenge.rp_id,
                expected_origin=challenge.origin,
                require_user_verification=True,
                supported_pub_key_algs=_ALGORITHMS,
            )
            decoded = decode_credential_public_key(verified.credential_public_key)
            key = decoded_public_key_to_cryptography(decoded)
            encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            algorithm = CoseAlgorithm(decoded.alg)
        except (WebAuthnException, ValueError, TypeError, LookupError, AttributeError) as error:
            raise PkiRefusedError(
                "the registration does not hold, or its key is of no kind that is taken here",
                code="webauthn.registration-refused",
            ) from error
        check_webauthn_key(encoded, algorithm)
        if not 1 <= len(verified.credential_id) <= MAX_CREDENTIAL_ID_BYTES:
            raise WebauthnError(f"a credential's id has {len(verified.credential_id)} bytes")
        return NewCredential(
            credential_id=verified.credential_id,
            algorithm=algorithm,
            public_key=encoded,
            counter=verified.sign_count,
            attestation=attestation.value,
        )


def _read(registration: bytes) -> RegistrationCredential:
    if len(registration) > MAX_REGISTRATION_BYTES:
        raise WebauthnError(
            f"registration has {len(registration)} bytes, expected at most {MAX_REGISTRATION_BYTES}"
        )
    try:
        document: dict[str, Any] = json.loads(registration)
        return parse_registration_credential_json(document)
    except (
        WebAuthnException,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        raise WebauthnError(
            "registration is not what navigator.credentials.create gives"
        ) from error


def _client_data(found: RegistrationCredential) -> ClientData:
    return ClientData.from_bytes(found.response.client_data_json)
