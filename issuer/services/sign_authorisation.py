"""Use case: sign a decision's batch authorisation with one's security key, its digest as the challenge.

The same credential is enrolled with the PKI for one of its operators; the signature goes into the file with the
operator's certificate, and the signer judges both.
"""

from dataclasses import dataclass, replace

from issuer.domain.decisions import DecisionId
from issuer.domain.rights import Actor, Right
from issuer.domain.second_factor import OperatorKey
from issuer.domain.session import Face, SessionToken
from issuer.errors import IssuerRefusedError
from issuer.services.authorise_batch import DecisionAuthorisation
from issuer.services.decision_desk import demand_right
from issuer.services.second_factors import AssertionOptions, SecondFactors, SignedDigest
from pki.signed.authorisation import BatchAuthorisation, OperatorAssertion

__all__ = ["AuthorisationSigning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorisationSigning:
    """Signs authorisations in the console."""

    second_factors: SecondFactors
    authorising: DecisionAuthorisation

    def begin(
        self, token: SessionToken, decision_id: DecisionId, digest: bytes, *, actor: Actor
    ) -> AssertionOptions:
        """What the page asks the security key: the digest that was shown, by a key that the PKI can know.

        Raises:
            IssuerRefusedError: ``right.missing``, ``decision.unknown``, ``authorisation.none-written``,
                ``authorisation.other-terms``, ``authorisation.signed-already``, ``authorisation.ended``,
                ``second-factor.no-operator-key``, and as ``SecondFactors.begin_assertion``.
        """
        self._signable(decision_id, digest, actor)
        keys = self._keys(token)
        self._check_unsigned(decision_id, keys, actor)
        options = self.second_factors.begin_assertion(token, digest=digest)
        return replace(options, allow=tuple(keys))

    def sign(self, token: SessionToken, response: bytes, *, digest: bytes) -> SignedDigest:
        """The digest signed; the session goes on under another token, whatever becomes of the signature.

        Raises:
            IssuerRefusedError, IssuerDataError: as ``SecondFactors.sign_digest``.
        """
        return self.second_factors.sign_digest(token, response, digest=digest)

    def attach(self, decision_id: DecisionId, signed: SignedDigest) -> BatchAuthorisation:
        """Put the signature into the authorisation.

        Raises:
            IssuerRefusedError: as ``begin``, and as ``DecisionAuthorisation.attach``.
            AuthorisationError: there are too many signatures.
        """
        token = signed.opened.token
        presence = self.second_factors.log_in.authenticate(token, face=Face.CONSOLE)
        authorisation = self._signable(decision_id, signed.digest, presence.actor)
        keys = self._keys(token)
        self._check_unsigned(decision_id, keys, presence.actor)
        key = keys.get(signed.assertion.credential_id)
        if key is None or key.certificate is None:
            raise _no_operator_key(presence.actor)
        assertion = OperatorAssertion(
            certificate=key.certificate,
            credential_id=signed.assertion.credential_id,
            authenticator_data=signed.assertion.authenticator_data,
            client_data=signed.assertion.client_data,
            signature=signed.assertion.signature,
        )
        content = replace(authorisation, signatures=(*authorisation.signatures, assertion))
        return self.authorising.attach(decision_id, content.to_bytes(), actor=presence.actor)

    def _signable(self, decision_id: DecisionId, digest: bytes, actor: Actor) -> BatchAuthorisation:
        """The authorisation that was shown, where it is still the newest one and has not ended."""
        authorisation = self.authorising.newest(decision_id, actor=actor)
        desk = self.authorising.desk
        if authorisation.digest != digest:
            raise IssuerRefusedError(
                "the authorisation is another one than what was shown",
                code="authorisation.other-terms",
            )
        if authorisation.until <= desk.clock():
            raise IssuerRefusedError(
                f"the authorisation ended at {authorisation.until:%Y-%m-%d %H:%M} UTC",
                code="authorisation.ended",
            )
        with desk.register.reading() as transaction:
            decision = transaction.decisions.get(decision_id)
            demand_right(
                desk,
                transaction,
                # The second factor is shown by signing: it need not have been shown before.
                replace(actor, stepped_up_at=desk.clock()),
                decision.committee,
                right=Right.SIGN_BATCHES,
            )
        return authorisation

    def _keys(self, token: SessionToken) -> dict[bytes, OperatorKey]:
        """One's own credentials that the PKI can know."""
        return {
            each.credential_id: each.operator_key
            for each in self.second_factors.list(token)
            if each.operator_key is not None and each.operator_key.certificate is not None
        }

    def _check_unsigned(
        self, decision_id: DecisionId, keys: dict[bytes, OperatorKey], actor: Actor
    ) -> None:
        if not keys:
            raise _no_operator_key(actor)
        signed_by = {
            each.certificate
            for each in self.authorising.newest(decision_id, actor=actor).signatures
        }
        if any(each.certificate in signed_by for each in keys.values()):
            raise IssuerRefusedError(
                f"account {actor.account} signed the authorisation already: a second person signs, too",
                code="authorisation.signed-already",
            )


def _no_operator_key(actor: Actor) -> IssuerRefusedError:
    return IssuerRefusedError(
        f"account {actor.account} has no security key with an operator's certificate",
        code="second-factor.no-operator-key",
        hint="register one for the PKI on the page of security keys",
    )
