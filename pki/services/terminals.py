"""Certificates for terminals: the first one on a person's word, later ones on the word of the key before."""

from typing import Final

from pki.card_verifiable.authorisation import FileRights, Role
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import JudgedCertificate
from pki.card_verifiable.issue import compose_below, validity_from
from pki.card_verifiable.references import HolderReference
from pki.card_verifiable.request import AuthenticatedRequest, CertificateRequest, read_request
from pki.errors import PkiRefusedError
from pki.services.cv_issuer import CvIssuer
from pki.services.state import EntryKind

__all__ = ["TerminalService"]

_MAX_REASON_CHARACTERS: Final = 200


class TerminalService:
    """What a document verifier does for its terminals."""

    def __init__(self, issuer: CvIssuer) -> None:
        self._issuer = issuer

    def issue_terminal(
        self, request: bytes, *, files: FileRights, verifier: HolderReference | None = None
    ) -> CvCertificate:
        """Certify a terminal whose request a person vouches for: a new one, or one whose certificates all ended.

        Raises:
            PkiDataError: the request is malformed or its signature wrong.
            PkiRefusedError: ``terminal-request.authenticated``, ``terminal.exists``, ``terminal.blocked``, and as
                the request deserves.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        found = read_request(request)
        if isinstance(found, AuthenticatedRequest):
            raise PkiRefusedError(
                f"request is vouched for by {found.authenticator_reference.text}",
                code="terminal-request.authenticated",
                hint="membercard-pki terminal renew",
            )
        holder = found.body.holder_reference.holder
        for record in self._issuer.state.issued(role=Role.TERMINAL, holder=holder):
            if record.certificate is not None and (
                record.certificate.body.expiration_date >= self._issuer.today
            ):
                raise PkiRefusedError(
                    f"{holder} has a certificate that is valid until "
                    f"{record.certificate.body.expiration_date}",
                    code="terminal.exists",
                    hint="let the terminal vouch for its request with its key, then: terminal renew",
                )
        asked = found.body.authority_reference
        issuer = self._issuer.judge_verifier(
            verifier, holder=None if asked is None else asked.holder
        )
        return self._certify(found, issuer=issuer, files=files)

    def renew_terminal(
        self, request: bytes, *, verifier: HolderReference | None = None
    ) -> CvCertificate:
        """Certify a terminal's next key for which its newest certified key vouches; rights stay, or shrink.

        Raises:
            PkiDataError: the request is malformed or one of its signatures wrong.
            PkiRefusedError: ``terminal-request.not-authenticated``, ``terminal.unknown``, ``terminal.superseded``,
                ``terminal.blocked``, ``cv-certificate.expired``, and as the request deserves.
            KeystoreError, RecordError: it is unfinished, or not begun.
        """
        found = read_request(request)
        if isinstance(found, CertificateRequest):
            raise PkiRefusedError(
                f"no earlier key vouches for the request of {found.body.holder_reference.text}",
                code="terminal-request.not-authenticated",
                hint="a person may vouch for it: membercard-pki terminal issue",
            )
        earlier = self._in_good_standing(found)
        body = earlier.certificate.body
        found.verify(earlier.public_key, body.public_key.algorithm)
        # A terminal stays with its document verifier, whose key may be a later one by now.
        issuer = self._issuer.judge_verifier(verifier, holder=body.authority_reference.holder)
        return self._certify(
            found.request, issuer=issuer, files=body.file_rights & issuer.rights.files
        )

    def renew_again(self, request: bytes) -> CvCertificate:
        """As ``renew_terminal``, for terminals that may have lost an answer: the same key gets what it got before.

        Raises:
            PkiDataError, PkiRefusedError, KeystoreError, RecordError: as ``renew_terminal``.
        """
        found = read_request(request)
        if isinstance(found, AuthenticatedRequest):
            body = found.request.body
            record = self._issuer.state.find(body.holder_reference, role=Role.TERMINAL)
            if record is not None and record.certificate is not None:
                key = found.request.verify()
                self._check_standing(body.holder_reference.holder)
                if record.point == key.point:
                    return record.certificate
        return self.renew_terminal(request)

    def block_terminal(self, holder: str, *, reason: str) -> None:
        """Take a terminal's good standing: it gets no more certificates; the one it has ends by itself.

        Raises:
            PkiRefusedError: ``terminal.unknown``, ``terminal.blocked``, ``signing.request-invalid``.
            RecordError: it is not recorded.
        """
        if not self._issuer.state.issued(role=Role.TERMINAL, holder=holder):
            raise PkiRefusedError(f"there is no terminal {holder[:20]!r}", code="terminal.unknown")
        self._check_standing(holder)
        if not (1 <= len(reason) <= _MAX_REASON_CHARACTERS and reason.isprintable()):
            raise PkiRefusedError(
                f"reason has {len(reason)} characters, expected 1 to {_MAX_REASON_CHARACTERS} printable ones",
                code="signing.request-invalid",
            )
        self._issuer.recorder.record(EntryKind.TERMINAL_BLOCKED, holder=holder, reason=reason)

    def _certify(
        self, request: CertificateRequest, *, issuer: JudgedCertificate, files: FileRights
    ) -> CvCertificate:
        body = request.body
        key = request.verify()
        self._check_standing(body.holder_reference.holder)
        self._issuer.check_holder(body.holder_reference, Role.TERMINAL)
        if body.extensions:
            raise PkiRefusedError(
                "request asks for extensions, expected none: rights are given, not asked for",
                code="terminal-request.extensions",
            )
        asked = body.authority_reference
        # The request may name an earlier key of the same document verifier (TR-03110-3, C.2.2).
        if asked is not None and asked.holder != issuer.holder_reference.holder:
            raise PkiRefusedError(
                f"request is for {asked.text}, not for {issuer.holder_reference.text}",
                code="terminal-request.authority-differs",
            )
        if key.curve is not issuer.public_key.curve:
            raise PkiRefusedError(
                f"request is for a key on {key.curve.label}, expected {issuer.public_key.curve.label}",
                code="terminal-request.curve-differs",
            )
        if any(record.point == key.point for record in self._issuer.state.records):
            raise PkiRefusedError(
                "the key of the request was certified before", code="terminal-request.key-used"
            )
        used = [
            record.holder_reference
            for record in self._issuer.state.records
            if record.holder_reference.holder == body.holder_reference.holder
        ]
        if not all(body.holder_reference.is_later_than(reference) for reference in used):
            raise PkiRefusedError(
                f"sequence number {body.holder_reference.sequence_number} of "
                f"{body.holder_reference.holder} is not later than all that were used",
                code="terminal-request.reference-used",
            )
        certificate = self._issuer.sign(
            compose_below(
                issuer,
                role=Role.TERMINAL,
                reference=body.holder_reference,
                public_key=body.public_key,
                files=files,
                validity=validity_from(
                    self._issuer.today,
                    Role.TERMINAL,
                    not_after=issuer.certificate.body.expiration_date,
                ),
            ),
            issuer=issuer,
        )
        self._issuer.publish(certificate)
        return certificate

    def _in_good_standing(self, request: AuthenticatedRequest) -> JudgedCertificate:
        """The certificate whose key vouches: the holder's own, its newest, still valid, and not blocked."""
        reference = request.authenticator_reference
        record = self._issuer.state.find(reference, role=Role.TERMINAL)
        if record is None or record.certificate is None:
            raise PkiRefusedError(
                f"there is no terminal's certificate {reference.text}", code="terminal.unknown"
            )
        asked = request.request.body.holder_reference
        if asked.holder != reference.holder:
            raise PkiRefusedError(
                f"{reference.text} vouches for {asked.text}, expected a key of its own holder",
                code="terminal-request.holder-differs",
            )
        self._check_standing(reference.holder)
        newest = self._issuer.state.issued(role=Role.TERMINAL, holder=reference.holder)[-1]
        if newest is not record:
            raise PkiRefusedError(
                f"{reference.text} was followed by {newest.holder_reference.text}",
                code="terminal.superseded",
            )
        return self._issuer.judge(record)

    def _check_standing(self, holder: str) -> None:
        block = self._issuer.state.blocked.get(holder)
        if block is not None:
            raise PkiRefusedError(
                f"{holder} was blocked at {block.blocked_at:%Y-%m-%d %H:%M:%S}Z",
                code="terminal.blocked",
            )
