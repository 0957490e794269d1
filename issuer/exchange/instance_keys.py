"""Our keys for bundles, in the issuer's keystore, and the certificates that the service root issued for them."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from issuer.domain.instances import ExchangeCertificates, InstanceName
from issuer.errors import IssuerRefusedError
from issuer.services.bundle_ports import OpenedBundle
from issuer.stations.exchange_keys import KeystoreCalls
from pki.certificates.certificate import load_certificate
from pki.certificates.exchange_certificates import judge_exchange_certificate
from pki.certificates.profile import ProfileKind
from pki.keys.algorithms import PublicKey
from pki.signed.sealed_message import MessagePurpose, open_sealed, sign_and_seal

__all__ = ["RECEIVING_KEY_ID", "SIGNING_KEY_ID", "CertifiedInstanceKeys"]

SIGNING_KEY_ID: Final = "instance-signer"
"""The key that signs our bundles."""

RECEIVING_KEY_ID: Final = "instance"
"""The key to which others seal theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedInstanceKeys:
    """Implements ``ExchangeKeys``; the keystore is asked for one act at a time.

    Attributes:
        keystore: the keystore, whoever owns it.
        own: our certificates.
        root: the certificate of the service authority that is trusted.
    """

    keystore: KeystoreCalls
    own: ExchangeCertificates
    root: bytes = field(repr=False)

    def seal(self, content: bytes, *, receiver_certificate: bytes, at: datetime) -> bytes:
        """See ``ExchangeKeys.seal``."""
        return self.keystore.call(
            lambda keystore: sign_and_seal(
                content,
                purpose=MessagePurpose.INSTANCE_BUNDLE,
                signer=keystore.signer(SIGNING_KEY_ID),
                signer_certificate=self.own.signer,
                receiver_certificate=receiver_certificate,
                signing_time=at,
                random_bytes=secrets.token_bytes,
            )
        )

    def open(self, sealed: bytes) -> OpenedBundle:
        """See ``ExchangeKeys.open``."""
        found = self.keystore.call(
            lambda keystore: open_sealed(
                sealed,
                purpose=MessagePurpose.INSTANCE_BUNDLE,
                own_certificate=self.own.receiver,
                agree=lambda sender: keystore.agree(RECEIVING_KEY_ID, sender),
            )
        )
        return OpenedBundle(content=found.content, signer_certificate=found.signer_certificate)

    def judge(
        self, signer_certificate: bytes, *, receiver: bytes, name: InstanceName, now: datetime
    ) -> None:
        """See ``ExchangeKeys.judge``."""
        for der, kind in (
            (signer_certificate, ProfileKind.INSTANCE_SIGNER),
            (receiver, ProfileKind.INSTANCE),
        ):
            judge_exchange_certificate(der, kind=kind, root=self.root, name=name, now=now)

    def require_own_keys(self) -> None:
        """Refuse certificates that are for other keys than ours.

        Raises:
            IssuerRefusedError: ``instance.other-key``.
            KeystoreError: there is no such key.
        """
        for key_id, der in (
            (SIGNING_KEY_ID, self.own.signer),
            (RECEIVING_KEY_ID, self.own.receiver),
        ):
            if self._public_key(key_id) != load_certificate(der).public_key:
                raise IssuerRefusedError(
                    f"the certificate is for another key than {key_id} of this register",
                    code="instance.other-key",
                )

    def _public_key(self, key_id: str) -> PublicKey:
        return self.keystore.call(lambda keystore: keystore.signer(key_id).public_key)
