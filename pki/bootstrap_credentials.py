"""Puts operators' WebAuthn credentials together from a home; only commands that enrol them import it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pki.bootstrap import open_authority
from pki.durable import create_file
from pki.errors import PkiRefusedError, RecordError
from pki.home import Home
from pki.services.credential_state import CredentialRecord
from pki.services.operator_credentials import OperatorCredentials
from pki.services.operator_page import OperatorPage
from pki.services.recorder import Recorder
from pki.services.registration_judging import MAX_REGISTRATION_BYTES, LibraryRegistrationJudge
from pki.signed.credential_challenge import CredentialChallenge

__all__ = [
    "configure_page",
    "enrol_credential",
    "make_challenge",
    "operator_credentials",
    "read_registration",
    "revoke_credential",
]


def configure_page(home: Home, *, origin: str, rp_id: str | None) -> OperatorPage:
    """Say where the page for operators is, for the challenges that are made from now on.

    Raises:
        PkiRefusedError: ``webauthn.origin-invalid``.
        RecordError: ``home.missing``, ``home.unusable``.
    """
    page = OperatorPage.checked(origin=origin, rp_id=rp_id)
    home.change(replace(home.settings(), operator_page=page))
    return page


def make_challenge(
    home: Home,
    operator: str,
    *,
    out: Path,
    pin_file: Path | None,
    elsewhere: OperatorPage | None = None,
) -> CredentialChallenge:
    """Make a challenge and write its file, over no other one.

    Args:
        home: the home.
        operator: for whom.
        out: the file.
        pin_file: the home's PIN.
        elsewhere: the page on which the credential will sign, where it is not the home's own.

    Raises:
        PkiRefusedError: ``webauthn.not-configured``, and as ``OperatorCredentials.challenge``.
        RecordError: ``webauthn.unwritable``; it is not recorded.
    """
    page = elsewhere or home.settings().operator_page
    if page is None:
        raise PkiRefusedError(
            "this home does not know where the page for operators is",
            code="webauthn.not-configured",
            hint="membercard-pki operator credential configure --origin https://HOST",
        )
    with _open(home, pin_file) as credentials:
        challenge = credentials.challenge(operator, page)
    try:
        create_file(out, challenge.to_bytes(), mode=0o644)
    except OSError as error:
        raise RecordError(
            f"challenge {out} cannot be written: {error.strerror}", code="webauthn.unwritable"
        ) from error
    return challenge


def enrol_credential(
    home: Home, operator: str, *, registration: Path, pin_file: Path | None
) -> CredentialRecord:
    """Enrol a credential for an operator; see ``OperatorCredentials.enrol``."""
    content = read_registration(registration)
    with _open(home, pin_file) as credentials:
        return credentials.enrol(operator, content)


def revoke_credential(
    home: Home, operator: str, *, credential_id: bytes, reason: str, pin_file: Path | None
) -> CredentialRecord:
    """Revoke a credential; see ``OperatorCredentials.revoke``."""
    with _open(home, pin_file) as credentials:
        return credentials.revoke(operator, credential_id, reason=reason)


def operator_credentials(recorder: Recorder) -> OperatorCredentials:
    """The credentials of a home that is open."""
    return OperatorCredentials(
        recorder=recorder, judge=LibraryRegistrationJudge(), random_bytes=secrets.token_bytes
    )


def read_registration(path: Path) -> bytes:
    """The bytes of a registration's file.

    Raises:
        RecordError: ``webauthn.unreadable``.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_REGISTRATION_BYTES + 1)
    except OSError as error:
        raise RecordError(
            f"registration {path} cannot be read: {error.strerror}", code="webauthn.unreadable"
        ) from error


@contextmanager
def _open(home: Home, pin_file: Path | None) -> Iterator[OperatorCredentials]:
    with open_authority(home, pin_file=pin_file) as authority:
        yield operator_credentials(authority.recorder)
