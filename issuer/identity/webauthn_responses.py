"""What browsers and authenticators say, judged with the steps that the PKI judges its operators by (WebAuthn, 7.1, 7.2)."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException

from issuer.domain.second_factor import SecondFactor
from issuer.errors import IssuerDataError, IssuerError, IssuerRefusedError
from issuer.services.second_factor_ports import (
    AssertionParts,
    RegisteredCredential,
    RelyingParty,
)
from pki.errors import PkiDataError, PkiError
from pki.keys.algorithms import HashAlgorithm
from pki.keys.webauthn_keys import check_webauthn_key, verify_webauthn_signature
from pki.services.assertion_judging import check_ceremony, check_presence
from pki.services.credential_state import ChallengeRecord
from pki.services.registration_judging import LibraryRegistrationJudge
from pki.signed.webauthn import (
    MAX_CREDENTIAL_ID_BYTES,
    MAX_WEBAUTHN_SIGNATURE_BYTES,
    AuthenticatorData,
    CeremonyType,
    ClientData,
)

__all__ = ["WebauthnResponses"]

_MAX_RESPONSE_BYTES: Final = 16_384


class WebauthnResponses:
    """See ``issuer.services.second_factor_ports.WebauthnJudge``."""

    def __init__(self, relying_party: RelyingParty) -> None:
        self._relying_party = relying_party
        self._registrations = LibraryRegistrationJudge()

    @property
    def relying_party(self) -> RelyingParty:
        """See ``WebauthnJudge``."""
        return self._relying_party

    def judge_registration(self, response: bytes, *, challenge: bytes) -> RegisteredCredential:
        """See ``WebauthnJudge``."""
        expected = ChallengeRecord(
            challenge=challenge,
            operator="",
            origin=self._relying_party.origin,
            rp_id=self._relying_party.rp_id,
            # How long the challenge holds is judged by whoever made it.
            expires=datetime.max.replace(tzinfo=UTC),
        )
        with _in_our_words():
            found = self._registrations.judge(response, expected)
        return RegisteredCredential(
            credential_id=found.credential_id,
            algorithm=found.algorithm,
            public_key=found.public_key,
            counter=found.counter,
        )

    def read_assertion(self, response: bytes) -> AssertionParts:
        """See ``WebauthnJudge``."""
        if len(response) > _MAX_RESPONSE_BYTES:
            raise _malformed(f"an assertion has {len(response)} bytes")
        try:
            found = parse_authentication_credential_json(json.loads(response))
            parts = AssertionParts(
                credential_id=found.raw_id,
                authenticator_data=found.response.authenticator_data,
                client_data=found.response.client_data_json,
                signature=found.response.signature,
            )
        except (
            WebAuthnException,
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            RecursionError,
        ) as error:
            raise _malformed("an assertion is not what navigator.credentials.get gives") from error
        if not 1 <= len(parts.credential_id) <= MAX_CREDENTIAL_ID_BYTES:
            raise _malformed(f"a credential's id has {len(parts.credential_id)} bytes")
        if len(parts.signature) > MAX_WEBAUTHN_SIGNATURE_BYTES:
            raise _malformed(f"a signature has {len(parts.signature)} bytes")
        return parts

    def judge_assertion(
        self, assertion: AssertionParts, *, challenge: bytes, factor: SecondFactor
    ) -> int:
        """See ``WebauthnJudge``."""
        with _in_our_words():
            # 1. What the browser says: an assertion, over this challenge, on our page.
            check_ceremony(
                ClientData.from_bytes(assertion.client_data),
                ceremony=CeremonyType.GET,
                challenge=challenge,
                origin=self._relying_party.origin,
            )
            # 2. What the authenticator says: for us, somebody touched it, and it knew who.
            said = AuthenticatorData.of_assertion(assertion.authenticator_data)
            check_presence(
                rp_id_hash=said.rp_id_hash,
                rp_id=self._relying_party.rp_id,
                is_present=said.is_user_present,
                is_verified=said.is_user_verified,
            )
            key = check_webauthn_key(factor.public_key, factor.algorithm)
        # 3. The signature, by the registered key.
        signed = assertion.authenticator_data + HashAlgorithm.SHA256.digest(assertion.client_data)
        if not verify_webauthn_signature(key, message=signed, signature=assertion.signature):
            raise IssuerRefusedError(
                "the assertion does not hold over these bytes", code="webauthn.signature-wrong"
            )
        # 4. The counter, last: what is not signed is not believed. One that does not count says 0 for ever.
        if (said.counter or factor.counter) and said.counter <= factor.counter:
            raise IssuerRefusedError(
                f"the authenticator counted {said.counter}, expected more than {factor.counter}: "
                "there may be a copy of it",
                code="webauthn.counter-back",
            )
        return said.counter


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    """The PKI's refusals as the issuer's, with their codes."""
    try:
        yield
    except PkiError as error:
        kind: type[IssuerError] = (
            IssuerDataError if isinstance(error, PkiDataError) else IssuerRefusedError
        )
        # The PKI's hints speak of its own page.
        raise kind(str(error), code=error.code) from error


def _malformed(sentence: str) -> IssuerDataError:
    return IssuerDataError(sentence, code="webauthn.malformed")
