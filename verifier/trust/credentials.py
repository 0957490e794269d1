"""The terminal's own directory: what it shows to chips that keep files for terminals with a right (SPEC.md, 5.11)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from card_layout.errors import CardDataError
from pki.card_verifiable.credentials import TerminalCredentials
from pki.errors import KeystoreError, PkiError
from pki.services.terminal_export import open_terminal
from verifier.errors import TrustError

__all__ = ["CredentialsSource", "open_credentials"]


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
    if not (directory / "certificates").is_dir():
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
