"""A terminal's credentials as a directory: what `membercard-verifier inspect --terminal` takes.

certificates/   NAME.cvcert: the terminal's, its document verifier's, and the CVCA's certificates and links
keystore/       a keystore that holds the terminal's key: encrypted files, or a token that stays where it is
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pki.card_verifiable.authorisation import Role
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.credentials import MAX_CREDENTIAL_CERTIFICATES, TerminalCredentials
from pki.card_verifiable.structure import MAX_ENCODED_BYTES
from pki.durable import replace_file
from pki.errors import PkiDataError, PkiError, PkiRefusedError
from pki.keys.keystore import Keystore
from pki.keys.open import open_keystore, read_pin_file
from pki.keys.software import SoftwareKeystore
from pki.services.cv_issuer import cv_key_id

__all__ = ["export_terminal", "open_terminal", "read_certificates"]

_SUFFIX: Final = ".cvcert"
_CERTIFICATES: Final = "certificates"
_KEYSTORE: Final = "keystore"


def export_terminal(
    certificate: CvCertificate,
    *,
    chain: Iterable[CvCertificate],
    keystore: Keystore,
    keystore_directory: Path,
    directory: Path,
) -> TerminalCredentials:
    """Write the directory, once everything in it is known to belong together.

    Of ``chain`` the CVCA's certificates and links are taken, and those of the terminal's document verifier. The key is
    copied as it lies in its keystore, under the same PIN; where ``directory`` is the home of the keystore, it stays.

    Raises:
        PkiRefusedError: ``terminal.key-not-exportable``: the key is in a token, and the directory is another;
            and as ``TerminalCredentials.from_certificates``.
        PkiDataError: a signature or a key is wrong.
        KeystoreError: the terminal's key is not here.
        PkiError: ``file.unwritable``.
    """
    body = certificate.body
    above = [
        item
        for item in chain
        if item.body.authorisation.role is Role.CVCA
        or (
            item.body.authorisation.role.is_document_verifier
            and item.body.holder_reference == body.authority_reference
        )
    ]
    key_id = cv_key_id(body.holder_reference)
    credentials = TerminalCredentials.from_certificates(
        (certificate, *above), signer=keystore.signer(key_id)
    )
    is_home = directory.resolve() == keystore_directory.parent.resolve()
    if not is_home and not isinstance(keystore, SoftwareKeystore):
        raise PkiRefusedError(
            f"the key of {body.holder_reference.text} is in a token and stays there",
            code="terminal.key-not-exportable",
            hint=f"give --out {keystore_directory.parent}, the home that the token belongs to",
        )
    try:
        folder = directory / _CERTIFICATES
        folder.mkdir(parents=True, exist_ok=True)
        if not is_home and isinstance(keystore, SoftwareKeystore):
            keystore.copy_key(key_id, directory / _KEYSTORE)
        kept = {f"{item.body.file_name}{_SUFFIX}" for item in (certificate, *above)}
        for item in (*above, certificate):
            replace_file(folder / f"{item.body.file_name}{_SUFFIX}", item.to_bytes(), mode=0o644)
        # What an earlier export left would make two terminals of one directory.
        for path in folder.glob(f"*{_SUFFIX}"):
            if path.name not in kept:
                path.unlink()
    except OSError as error:
        raise PkiError(
            f"{directory} cannot be written: {error.strerror}", code="file.unwritable"
        ) from error
    return credentials


@contextmanager
def open_terminal(directory: Path, *, pin_file: Path) -> Iterator[TerminalCredentials]:
    """The credentials in a directory, judged as a whole; the key can be used until the context ends.

    Raises:
        PkiError: whatever is wrong with the directory, its certificates or its key.
    """
    certificates = read_certificates(directory / _CERTIFICATES)
    own = [item for item in certificates if item.body.authorisation.role is Role.TERMINAL]
    if len(own) != 1:
        raise PkiRefusedError(
            f"{directory} holds {len(own)} certificates of terminals, expected one",
            code="terminal.credentials-incomplete",
        )
    keystore = open_keystore(directory / _KEYSTORE, pin=read_pin_file(pin_file))
    try:
        yield TerminalCredentials.from_certificates(
            certificates, signer=keystore.signer(cv_key_id(own[0].body.holder_reference))
        )
    finally:
        keystore.close()


def read_certificates(directory: Path) -> list[CvCertificate]:
    """Every ``.cvcert`` of a directory, in the order of their names; other files are left alone.

    Raises:
        PkiError: ``file.unreadable``.
        PkiDataError: one is no CV certificate; ``terminal.credentials-incomplete``: there are too many.
    """
    found: list[CvCertificate] = []
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == _SUFFIX)
        if len(paths) > MAX_CREDENTIAL_CERTIFICATES:
            raise PkiDataError(
                f"{directory} holds {len(paths)} certificates, expected at most {MAX_CREDENTIAL_CERTIFICATES}",
                code="terminal.credentials-incomplete",
            )
        for path in paths:
            # A pipe would never end: nothing is waited for.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                encoded = file.read(MAX_ENCODED_BYTES + 1)
            try:
                found.append(CvCertificate.from_bytes(encoded))
            except PkiDataError as error:
                raise PkiDataError(f"{path}: {error}", code=error.code) from error
    except OSError as error:
        raise PkiError(
            f"{error.filename or directory} cannot be read: {error.strerror}",
            code="file.unreadable",
        ) from error
    return found
