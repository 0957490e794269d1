"""The terminal's own directory: what it shows to chips that keep files for terminals with a right (SPEC.md, 5.11)."""

import logging
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from card_layout.errors import CardDataError
from pki.card_verifiable.credentials import TerminalChain, TerminalCredentials
from pki.card_verifiable.references import HolderReference
from pki.errors import KeystoreError, PkiError
from pki.services.terminal_export import open_terminal, read_certificates
from verifier.errors import TrustError
from verifier.trust.changes import fingerprint_of

__all__ = ["CredentialsSource", "CurrentCredentials", "open_credentials"]

logger = logging.getLogger(__name__)

_CERTIFICATES: Final = "certificates"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsSource:
    """Where the certificates and the key are, and the PIN that opens the key."""

    directory: Path
    pin_file: Path


@contextmanager
def open_credentials(source: CredentialsSource) -> Iterator[TerminalCredentials]:
    """The credentials of a directory that `membercard-pki terminal export` wrote; nothing is used of a broken one.

    Raises:
        TrustError: ``terminal.missing``, ``terminal.malformed``, ``terminal.key-unavailable``.
    """
    directory = source.directory
    if not (directory / _CERTIFICATES).is_dir():
        raise TrustError(
            f"terminal directory {str(directory)!r} is not there or holds no certificates",
            code="terminal.missing",
            hint="give --terminal the directory that `membercard-pki terminal export` wrote",
        )
    with ExitStack() as opened:
        try:
            credentials = opened.enter_context(open_terminal(directory, pin_file=source.pin_file))
        except KeystoreError as error:
            raise TrustError(
                f"{directory}: {error}", code="terminal.key-unavailable", hint=error.hint
            ) from error
        except (PkiError, CardDataError) as error:
            raise TrustError(
                f"{directory}: {error} [{error.code}]", code="terminal.malformed"
            ) from error
        yield credentials


class CurrentCredentials:
    """The credentials of a directory as it is when the next chain is asked for: a running terminal is renewed, too.

    Where the directory has changed and cannot be used, what was there before goes on being shown until it ends.
    """

    def __init__(self, source: CredentialsSource) -> None:
        """Open it.

        Raises:
            TrustError: as ``open_credentials``.
        """
        self._source = source
        self._opened = ExitStack()
        self._seen = fingerprint_of(source.directory / _CERTIFICATES)
        self._held = self._opened.enter_context(open_credentials(source))

    @property
    def holder_reference(self) -> HolderReference:
        """Of the terminal's key."""
        return self._held.holder_reference

    def chain_from(self, trust_points: Collection[bytes], *, on: date) -> TerminalChain:
        """See ``TerminalCredentials.chain_from``."""
        self._renew()
        return self._held.chain_from(trust_points, on=on)

    @property
    def held(self) -> TerminalCredentials:
        """What is shown now."""
        return self._held

    def own_chain(self, *, on: date) -> TerminalChain:
        """The chain below one of the CVCAs that this directory holds itself.

        Raises:
            PkiRefusedError: as ``TerminalCredentials.chain_from``.
            TrustError: ``terminal.malformed``.
        """
        try:
            certificates = read_certificates(self._source.directory / _CERTIFICATES)
        except PkiError as error:
            raise TrustError(str(error), code="terminal.malformed") from error
        roots = [item.body.holder_reference for item in certificates if item.body.is_self_signed]
        return self.chain_from([item.to_bytes() for item in roots], on=on)

    def sign(self, message: bytes) -> bytes:
        """See ``TerminalCredentials.sign``."""
        return self._held.sign(message)

    def close(self) -> None:
        """Let go of the key."""
        self._opened.close()

    def _renew(self) -> None:
        found = fingerprint_of(self._source.directory / _CERTIFICATES)
        if found == self._seen:
            return
        self._seen = found
        opened = ExitStack()
        try:
            held = opened.enter_context(open_credentials(self._source))
        except TrustError as error:
            opened.close()
            logger.warning("the terminal's new certificates are not used: %s", error.code)
            return
        self._opened.close()
        self._opened, self._held = opened, held
