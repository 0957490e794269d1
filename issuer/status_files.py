"""Status lists on their way: from the PKI that signs them, into the home and the trust directory of terminals."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from issuer.errors import IssuerUnavailableError
from pki.bounded_files import read_bounded
from pki.certificates.anchor_scope import AnchorScopes
from pki.certificates.trust import TrustAnchors
from pki.durable import replace_file
from pki.errors import PkiDataError
from pki.services.authority import AUTHORITY_KEY_ID
from pki.services.open_status_lists import issue_status
from pki.signed.card_states import CardStates
from pki.signed.status_list import MAX_STATUS_LIST_BYTES, StatusList
from pki.signer_service.status_client import issue_status_over_socket
from pki.trust_directory import TrustDirectory

__all__ = ["ProcessStatusIssuer", "SocketStatusIssuer", "StatusFolders"]

_NAME: Final = f"{AUTHORITY_KEY_ID}.status"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatusIssuer:
    """Opens the authority's home in this process: where no signer process runs."""

    home: Path
    pin_file: Path | None

    def issue(self, states: CardStates, *, days: int) -> bytes:
        """See ``StatusListIssuer.issue``."""
        return issue_status(
            self.home, states, lifetime=timedelta(days=days), pin_file=self.pin_file
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketStatusIssuer:
    """Asks the signer process."""

    path: Path

    def issue(self, states: CardStates, *, days: int) -> bytes:
        """See ``StatusListIssuer.issue``."""
        return issue_status_over_socket(self.path, states, days=days)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFolders:
    """Implements ``StatusShelf``: ``kept`` is the issuer's own copy, ``trust`` a trust directory, where there is one."""

    kept: Path
    trust: Path | None

    def current(self) -> bytes | None:
        """See ``StatusShelf.current``."""
        path = self.kept / _NAME
        try:
            return read_bounded(path, MAX_STATUS_LIST_BYTES) if path.exists() else None
        except (OSError, PkiDataError) as error:
            raise IssuerUnavailableError(
                f"{path} cannot be read", code="status.unreadable"
            ) from error

    def admit(self, der: bytes) -> StatusList:
        """See ``StatusShelf.admit``."""
        if self.trust is None:
            return StatusList.from_bytes(der)
        directory = TrustDirectory(self.trust)
        anchors = TrustAnchors.from_bytes(
            certificates=directory.certificates(), crls=directory.crls()
        )
        bound = directory.policy_anchors()
        return anchors.admit_status_list(
            der, scopes=None if bound is None else AnchorScopes(named=bound)
        )

    def put(self, der: bytes, *, number: int, delta: bytes | None) -> None:
        """See ``StatusShelf.put``; the copy here comes first, so that what terminals have is known here."""
        folders = [self.kept, *([] if self.trust is None else [self.trust / "status"])]
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
                if delta is not None:
                    replace_file(folder / f"{AUTHORITY_KEY_ID}-{number}.delta", delta, mode=0o644)
                replace_file(folder / _NAME, der, mode=0o644)
        except OSError as error:
            raise IssuerUnavailableError(
                f"the status list is signed and cannot be put into {folder}: {error.strerror}",
                code="status.unwritable",
                hint="membercard-issuer status publish, once there is room",
            ) from error
