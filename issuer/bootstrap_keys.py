"""The issuer's keystore, and the keys that seal what its database must not show."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from issuer.db.sealing import SEALING_KEY_BYTES, Sealer
from issuer.errors import IssuerRefusedError
from issuer.personalisation.chip_keys import CARD_DATA_KEY_ID
from issuer.settings import IssuerSettings
from pki.keys.keystore import AgreementKeystore
from pki.keys.open import open_keystore, read_pin_file

__all__ = [
    "KEYSTORE_DIRECTORY",
    "IssuerSealers",
    "derive_card_sealer",
    "derive_cursor_key",
    "derive_register_sealer",
    "open_issuer_keystore",
    "take_sealers",
]

KEYSTORE_DIRECTORY = "keystore"
"""Where the keystore lies within the home directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSealers:
    """What seals the register, and what seals the cards."""

    register: Sealer
    cards: Sealer


def open_issuer_keystore(home: Path, settings: IssuerSettings) -> AgreementKeystore:
    """The keystore of a home directory, open; whoever opens it closes it.

    Raises:
        IssuerRefusedError: there is none yet (``keystore.missing``).
        KeystoreError: it cannot be opened.
    """
    pin_file = settings.keystore.pin_file
    if pin_file is None:
        raise IssuerRefusedError(
            "the issuer has no keystore yet",
            code="keystore.missing",
            hint=f"membercard-issuer --home {home} keys create --pin-file FILE",
        )
    return open_keystore(home / KEYSTORE_DIRECTORY, pin=read_pin_file(pin_file))


def derive_card_sealer(keystore: AgreementKeystore) -> Sealer:
    """The keys of production: secrets and contents of cards, numbers of documents."""
    return _derive_sealer(keystore, encryption=b"card data", digests=b"digests")


def derive_register_sealer(keystore: AgreementKeystore) -> Sealer:
    """The keys of the register: the sealed columns of members, and the digests by which members are found."""
    return _derive_sealer(keystore, encryption=b"register", digests=b"register digests")


def derive_cursor_key(keystore: AgreementKeystore) -> bytes:
    """The key that seals cursors of lists: every process of the service has the same one."""
    return _derive(keystore, b"cursors")


def take_sealers(home: Path, settings: IssuerSettings) -> IssuerSealers:
    """Open the keystore, derive the keys of register and production, and close it again.

    One PKCS#11 library stands one session.

    Raises:
        IssuerRefusedError, KeystoreError: as ``open_issuer_keystore``.
    """
    with contextlib.closing(open_issuer_keystore(home, settings)) as keystore:
        return IssuerSealers(
            register=derive_register_sealer(keystore), cards=derive_card_sealer(keystore)
        )


def _derive_sealer(keystore: AgreementKeystore, *, encryption: bytes, digests: bytes) -> Sealer:
    return Sealer(
        encryption_key=_derive(keystore, encryption), digest_key=_derive(keystore, digests)
    )


def _derive(keystore: AgreementKeystore, purpose: bytes) -> bytes:
    return keystore.derive(
        CARD_DATA_KEY_ID,
        label=b"membercard issuer " + purpose,
        context=b"",
        length=SEALING_KEY_BYTES,
    )
