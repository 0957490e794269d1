"""Issuing Token Status Lists: the newest status list, once more, for those who verify with a library of their own."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from pki.certificates.profile import ProfileKind
from pki.errors import PkiRefusedError
from pki.services.authority import AuthorityService
from pki.services.issuance import DraftKind
from pki.services.list_signers import newest_signer
from pki.services.state import EntryKind
from pki.services.status_lists import StatusListShelf
from pki.signed.status_list import StatusList
from pki.signed.token_status_list import TokenStatusList, prepare_token, token_uri

__all__ = ["DEFAULT_TTL", "IssuedTokens", "StatusTokenService", "StatusTokenShelf"]

DEFAULT_TTL: Final = timedelta(hours=6)


class StatusTokenShelf(StatusListShelf, Protocol):
    """Where tokens are published."""

    def publish_status_token(self, list_id: bytes, token: bytes) -> None:
        """Publish the token of a list, over the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedTokens:
    """The tokens of one status list, one for each of its tables."""

    status_list: StatusList
    tokens: tuple[TokenStatusList, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusTokenService:
    """Says in tokens what the newest status list says: never anything else, and never for longer."""

    authority: AuthorityService
    shelf: StatusTokenShelf

    def issue(self, base: str, *, ttl: timedelta = DEFAULT_TTL) -> IssuedTokens:
        """Sign, record and publish one token for each list of positions.

        Args:
            base: the address below which the tokens are served; a card's is ``base/list-identifier``.
            ttl: after which time a verifier should fetch a token anew.

        Raises:
            PkiRefusedError: ``token-status-list.uri``, ``token-status-list.algorithm``; there is no status list, or it is
                over (``token-status-list.no-list``); ``status-list.no-signer``, ``issuance.lint-failed``.
            KeystoreError, RecordError: some are issued, and issuing again replaces them all.
        """
        recorder, cycle = self.authority.recorder, self.authority.cycle
        moment = recorder.now().replace(microsecond=0)
        newest = self._newest()
        if not newest.this_update <= moment < newest.next_update:
            raise PkiRefusedError(
                f"status list {newest.number} is current until {newest.next_update:%Y-%m-%d %H:%M}Z, "
                f"and it is {moment:%Y-%m-%d %H:%M}Z",
                code="token-status-list.no-list",
                hint="issue a new status list first: membercard-pki status-list issue",
            )
        found = newest_signer(self.authority.state, ProfileKind.STATUS_LIST_SIGNER, moment)
        if found is None:
            raise PkiRefusedError(
                "there is no status-list signer that may sign now", code="status-list.no-signer"
            )
        record, certificate = found
        signer = self.authority.keys.signer(record.signer_id, certificate.certificate.public_key)
        uris = {list_id: token_uri(base, list_id) for list_id in newest.states.tables}
        tokens = []
        for list_id, table in newest.states.tables.items():
            prepared = prepare_token(
                signer_certificate=certificate.der,
                public_key=signer.public_key,
                uri=uris[list_id],
                table=table,
                issued_at=moment,
                expires_at=newest.next_update,
                ttl=min(ttl, newest.next_update - moment),
            )
            fields: dict[str, str | int | None] = {
                "number": newest.number,
                "list": list_id.hex(),
                "signer": record.signer_id,
            }
            token = TokenStatusList.from_bytes(
                cycle.sign(
                    prepared,
                    signer=signer,
                    kind=DraftKind.STATUS_JWT,
                    issuer=certificate.der,
                    intent=(EntryKind.STATUS_JWT_INTENDED, fields),
                )
            )
            self.shelf.publish_status_token(list_id, token.token)
            tokens.append(token)
        return IssuedTokens(status_list=newest, tokens=tuple(tokens))

    def _newest(self) -> StatusList:
        last = self.authority.state.status_list
        der = None if last is None else self.shelf.kept_status_list(last.number)
        if der is None:
            raise PkiRefusedError(
                "there is no status list that tokens could repeat",
                code="token-status-list.no-list",
                hint="membercard-pki status-list issue",
            )
        return StatusList.from_bytes(der)
