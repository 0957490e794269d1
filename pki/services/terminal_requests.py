"""A terminal's own side: its keys, and the requests that ask for their certificates."""

from card_layout.curves import EcPublicKey, NamedCurve
from pki.card_verifiable.authorisation import Role
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.references import HolderReference
from pki.card_verifiable.request import AuthenticatedRequest, CertificateRequest
from pki.errors import PkiRefusedError
from pki.keys.algorithms import elliptic_curve_key
from pki.keys.keystore import Keystore
from pki.services.cv_issuer import cv_key_id, next_reference
from pki.services.key_room import KeyRoom
from pki.services.recorder import Recorder
from pki.services.state import EntryKind

__all__ = ["TerminalRequestService"]


class TerminalRequestService:
    """Keys and requests of the terminals that live in one keystore."""

    def __init__(self, *, keystore: Keystore, recorder: Recorder) -> None:
        self._keystore = keystore
        self._recorder = recorder

    def request_first(
        self,
        *,
        country: str,
        mnemonic: str,
        curve: NamedCurve,
        authority: HolderReference | None = None,
    ) -> CertificateRequest:
        """Make a key and a request that a person must vouch for.

        Raises:
            PkiRefusedError: ``terminal-request.holder-invalid``, ``cv-certificate.sequence-exhausted``.
            PkiDataError: ``cv-certificate.malformed``: the country.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        reference = next_reference(self._recorder, country=country, mnemonic=mnemonic)
        request = self._sign(reference, curve=curve, authority=authority)
        self._recorder.record(
            EntryKind.TERMINAL_REQUEST_MADE,
            holder=reference.text,
            request=request.to_bytes().hex(),
        )
        return request

    def request_next(self, earlier: CvCertificate) -> AuthenticatedRequest:
        """Make the next key, and a request for which the key of the certificate given vouches.

        Raises:
            PkiRefusedError: ``terminal-request.not-a-terminal``, ``signing.key-mismatch``.
            KeystoreError: the earlier key is not here; it is unfinished, or not begun.
            RecordError: it is unfinished, or not begun.
        """
        body = earlier.body
        if body.authorisation.role is not Role.TERMINAL:
            raise PkiRefusedError(
                f"{body.holder_reference.text} is a {body.authorisation.role.label}, expected a terminal",
                code="terminal-request.not-a-terminal",
            )
        signer = self._keystore.signer(cv_key_id(body.holder_reference))
        key = EcPublicKey.from_cryptography(elliptic_curve_key(signer.public_key))
        if key.point != body.public_key.point:
            raise PkiRefusedError(
                f"the key of {body.holder_reference.text} is not the one in its certificate",
                code="signing.key-mismatch",
            )
        used = self._recorder.state.card_verifiable.used_references(body.holder_reference.holder)
        latest = max(
            (*used, body.holder_reference), key=lambda reference: reference.sequence_number
        )
        reference = self._recorder.state.restores.reference_after(
            latest, latest, now=self._recorder.now()
        )
        request = AuthenticatedRequest.make(
            self._sign(reference, curve=key.curve, authority=body.authority_reference),
            signer=signer,
            reference=body.holder_reference,
        )
        self._recorder.record(
            EntryKind.TERMINAL_REQUEST_MADE,
            holder=reference.text,
            request=request.to_bytes().hex(),
        )
        return request

    def _sign(
        self, reference: HolderReference, *, curve: NamedCurve, authority: HolderReference | None
    ) -> CertificateRequest:
        keys = KeyRoom(keystore=self._keystore, recorder=self._recorder)
        signer = keys.create(cv_key_id(reference), curve=curve)
        self._recorder.record(EntryKind.TERMINAL_REQUEST_INTENDED, holder=reference.text)
        return CertificateRequest.make(
            signer, holder_reference=reference, authority_reference=authority
        )
