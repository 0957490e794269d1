"""Puts the signing of batches behind the console together: the signer process, by its socket in the settings."""

import functools
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from card_layout.profile import load_profile
from issuer.bootstrap import RegisterHome
from issuer.bootstrap_card_signing import card_signing, require_signer_process
from issuer.db.card_ledger import SqlCardLedger
from issuer.errors import IssuerRefusedError
from issuer.services.batch_desk import BatchDesk
from issuer.services.production_ports import CardLedger
from issuer.services.sign_batches import BatchSigning
from issuer.services.sign_cards import CardSigning
from pki.signed.authorisation import BatchAuthorisation
from pki.signer_service.client import SocketDocumentSigner

__all__ = ["SignerProcess"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerProcess:
    """Implements ``SignerOfCards``."""

    opened: RegisterHome

    def require(self) -> None:
        """See ``SignerOfCards.require``."""
        require_signer_process(load_profile(self.opened.settings.card_profile))
        path = self._socket()
        try:
            is_there = stat.S_ISSOCK(path.stat().st_mode)
        except OSError:
            is_there = False
        if not is_there:
            # Nothing was begun, so whoever asked under a key may ask under it again.
            raise IssuerRefusedError(
                f"no signer process serves at {path}",
                code="signer.unreachable",
                hint="membercard-pki --home DIR signer serve --socket PATH",
            )

    def signing(self) -> BatchSigning:
        """See ``SignerOfCards.signing``."""
        self.require()
        cards = SqlCardLedger(self.opened.database, _now, self.opened.card_vault())
        return BatchSigning(
            desk=BatchDesk(register=self.opened.register, clock=_now),
            cards=cards,
            open_signer=functools.partial(self._connected, cards),
        )

    @contextmanager
    def _connected(
        self, cards: CardLedger, authorisation: BatchAuthorisation | None
    ) -> Iterator[CardSigning]:
        if authorisation is None:
            raise ValueError("the signer process signs under an authorisation")
        profile = load_profile(self.opened.settings.card_profile)
        with SocketDocumentSigner(self._socket(), authorisation=authorisation.to_bytes()) as signer:
            yield card_signing(
                self.opened,
                cards=cards,
                signer=signer,
                profile=profile,
                authorisation=authorisation.digest,
            )

    def _socket(self) -> Path:
        path = self.opened.settings.card_signer_socket
        if path is None:
            raise IssuerRefusedError(
                "the settings do not say where the signer process is",
                code="signing.no-signer",
                hint="[signing] signer_socket in settings.toml",
            )
        return path


def _now() -> datetime:
    return datetime.now(UTC)
