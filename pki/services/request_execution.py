"""Carrying out what was asked for and approved: once, by whoever has home and PIN, with the people's names on record.

The database says who approved; the journal says who these people are now. Both must agree, and the journal gets the
request's digest and names before anything is done. A request is used up by that, whatever happens next.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pki.card_verifiable.authorisation import FileRights
from pki.certificates.operator_certificates import check_operator_certificate
from pki.certificates.operator_roles import OperatorRole, decode_roles
from pki.certificates.profile import load_certificate_profile
from pki.errors import PkiRefusedError
from pki.keys.algorithms import elliptic_curve_key
from pki.services.authority import AuthorityService
from pki.services.operator_identity import ASKING_ROLES, DECIDING_ROLES
from pki.services.operator_requests import OperatorRequest, RequestState
from pki.services.operators import OperatorService
from pki.services.recorder import Recorder
from pki.services.request_contents import RequestContent, RequestKind
from pki.services.service_authority import (
    ServiceAuthorityService,
    ServiceRequest,
    public_key_of_request,
)
from pki.services.state import EntryKind
from pki.services.terminals import TerminalService

__all__ = ["Outcome", "RequestExecution"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: a certificate or a list, or nothing but a record."""

    request_id: uuid.UUID
    kind: RequestKind
    content: bytes | None


class RequestExecution:
    """The services of one home, for requests of all kinds."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        authority: AuthorityService,
        terminals: TerminalService,
        operators: OperatorService,
    ) -> None:
        self._recorder = recorder
        self._authority = authority
        self._services = ServiceAuthorityService(authority)
        self._terminals = terminals
        self._operators = operators

    def carry_out(self, request: OperatorRequest) -> Outcome:
        """Check who is behind it, record that it is taken, do it.

        Raises:
            PkiRefusedError: ``request.taken``, ``request.before-restore``, ``request.not-approved``,
                ``request.approvals-missing``: nothing was done; or whatever the act itself refuses: the request is used up, ask anew.
            PkiDataError: the same.
            KeystoreError, RecordError: what was done is in the journal.
        """
        self._check_due(request)
        self._recorder.record(
            EntryKind.REQUEST_TAKEN,
            request=str(request.id),
            request_kind=request.content.kind.value,
            digest=request.content.digest.hex(),
            requester=request.requester,
            approvers=",".join(request.approvers),
        )
        act = self._acts[request.content.kind]
        return Outcome(
            request_id=request.id, kind=request.content.kind, content=act(request.content)
        )

    def _check_due(self, request: OperatorRequest) -> None:
        if str(request.id) in self._recorder.state.authorisations.taken_requests:
            raise PkiRefusedError(
                f"request {request.id} was carried out, or was about to be",
                code="request.taken",
                hint="membercard-pki journal verify; then ask anew where nothing came of it",
            )
        restored_at = self._recorder.state.restores.restored_at
        if restored_at is not None and request.requested_at <= restored_at:
            raise PkiRefusedError(
                f"request {request.id} is from before the home was restored at {restored_at:%Y-%m-%d %H:%M:%S}Z: "
                "whether it was carried out is unknown",
                code="request.before-restore",
                hint="ask anew where it is still wanted",
            )
        now = self._recorder.now()
        state = request.at(now)
        if state is not RequestState.APPROVED:
            raise PkiRefusedError(
                f"request {request.id} is {state.value}, expected an approved one",
                code="request.not-approved",
            )
        self._check_standing(request.requester, ASKING_ROLES, now)
        approvers = set(request.approvers) - {request.requester}
        if len(approvers) < request.content.approvals:
            raise PkiRefusedError(
                f"{len(approvers)} different people approved, expected {request.content.approvals}",
                code="request.approvals-missing",
            )
        for name in request.approvers:
            self._check_standing(name, DECIDING_ROLES, now)

    def _check_standing(self, name: str, roles: frozenset[OperatorRole], now: datetime) -> None:
        """Whoever left in between does not stand behind it any more."""
        people = self._recorder.state.authorisations
        record = people.operators.get(name)
        if record is None or record.certificate is None or record.revoked_at is not None:
            raise PkiRefusedError(
                f"{name} is no operator in good standing", code="request.approvals-missing"
            )
        certificate = check_operator_certificate(record.certificate, roots=people.roots, now=now)
        if not decode_roles(certificate.extensions) & roles:
            raise PkiRefusedError(
                f"{name} has none of the roles {sorted(roles)}", code="request.approvals-missing"
            )

    @property
    def _acts(self) -> Mapping[RequestKind, Callable[[RequestContent], bytes | None]]:
        return {
            RequestKind.CRL_ISSUE: lambda content: self._authority.issue_crl(
                lifetime=timedelta(days=content.number("days"))
            ),
            RequestKind.SIGNER_CREATE: self._create_signer,
            RequestKind.SIGNER_REVOKE: self._revoke_signer,
            RequestKind.SERVICE_ISSUE: self._issue_service,
            RequestKind.SERVICE_REVOKE: self._revoke_service,
            RequestKind.OPERATOR_ENROL: self._enrol,
            RequestKind.OPERATOR_REVOKE: self._revoke_operator,
            RequestKind.TERMINAL_ISSUE: self._issue_terminal,
            RequestKind.TERMINAL_BLOCK: self._block_terminal,
        }

    def _create_signer(self, content: RequestContent) -> bytes | None:
        profile = load_certificate_profile(content.text("profile"))
        return self._authority.create_signer(content.text("signer"), profile=profile).certificate

    def _revoke_signer(self, content: RequestContent) -> bytes:
        self._authority.revoke_signer(content.text("signer"), reason=content.text("reason"))
        return self._authority.issue_crl()

    def _issue_service(self, content: RequestContent) -> bytes:
        return self._services.issue(
            ServiceRequest(
                service_id=content.text("service"),
                common_name=content.text("name"),
                host_names=content.texts("hosts"),
                certification_request=content.octets("request"),
            ),
            profile=load_certificate_profile("service"),
        )

    def _revoke_service(self, content: RequestContent) -> bytes:
        self._services.revoke(content.text("service"), reason=content.text("reason"))
        return self._services.issue_crl()

    def _enrol(self, content: RequestContent) -> bytes | None:
        public_key = public_key_of_request(content.octets("request"))
        roles = frozenset(OperatorRole(role) for role in content.texts("roles"))
        return self._operators.enrol(
            content.text("operator"), elliptic_curve_key(public_key), roles
        ).certificate

    def _revoke_operator(self, content: RequestContent) -> None:
        self._operators.revoke(content.text("operator"), reason=content.text("reason"))

    def _issue_terminal(self, content: RequestContent) -> bytes:
        files = FileRights.of(content.numbers("files"))
        return self._terminals.issue_terminal(content.octets("request"), files=files).to_bytes()

    def _block_terminal(self, content: RequestContent) -> None:
        self._terminals.block_terminal(content.text("holder"), reason=content.text("reason"))
