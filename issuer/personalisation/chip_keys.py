"""Keys of chips, derived from master keys that stay in the issuer's keystore (SPEC.md 8.2)."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from card_layout.profile import PersonalisationProfile
from issuer.domain.chip import KEY_VERSION_PERSONALISATION, KEY_VERSION_TRANSPORT, Serial
from issuer.domain.chip_keys import ChipKeySet, key_label
from issuer.errors import IssuerRefusedError
from pki.keys.keystore import AgreementKeystore

__all__ = [
    "CARD_DATA_KEY_ID",
    "PERSONALISATION_KEY_ID",
    "TRANSPORT_KEY_ID",
    "KeystoreThread",
    "MasterKeyChipKeys",
]

TRANSPORT_KEY_ID = "transport"
"""The chip maker's master key, imported."""

PERSONALISATION_KEY_ID = "personalisation"
"""Our own master key for chips."""

CARD_DATA_KEY_ID = "card-data"
"""The master key under which members, and secrets and contents of cards, lie in the database."""

_DEFAULT_LENGTHS = PersonalisationProfile()
_MASTER_KEY_IDS = {
    KEY_VERSION_TRANSPORT: TRANSPORT_KEY_ID,
    KEY_VERSION_PERSONALISATION: PERSONALISATION_KEY_ID,
}

_T = TypeVar("_T")


class KeystoreThread:
    """Owns a keystore and does everything with it in one thread of its own.

    A PKCS#11 library stands only one thread and one session a process; the workers of a station are many.
    """

    def __init__(self, open_keystore: Callable[[], AgreementKeystore]) -> None:
        """Open the keystore in the new thread.

        Raises:
            PkiError: whatever opening raises.
        """
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keystore")
        self._closing = threading.Lock()
        self._is_closed = False
        try:
            self._keystore = self._executor.submit(open_keystore).result()
        except BaseException:
            self._executor.shutdown()
            raise

    def call(self, work: Callable[[AgreementKeystore], _T]) -> _T:
        """The result of ``work`` on the keystore; what it raises is raised here."""
        return self._executor.submit(work, self._keystore).result()

    def random_bytes(self, count: int) -> bytes:
        """From the keystore's generator: what is drawn for a card is drawn where its keys are."""
        return self.call(lambda keystore: keystore.random_bytes(count))

    def close(self) -> None:
        """Close keystore and thread; closing twice is harmless."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        self._executor.submit(self._keystore.close).result()
        self._executor.shutdown()


class MasterKeyChipKeys:
    """Implements ``ChipKeys``; safe to call from any thread."""

    def __init__(
        self,
        keystore: KeystoreThread,
        *,
        lengths: PersonalisationProfile = _DEFAULT_LENGTHS,
    ) -> None:
        """``lengths`` says how long the keys of chips are."""
        self._keystore = keystore
        self._lengths = lengths

    @property
    def personalisation_version(self) -> int:
        """The only one: a station's own keystore has one master key."""
        return KEY_VERSION_PERSONALISATION

    def key_set(self, serial: Serial, key_version: int) -> ChipKeySet:
        """See ``ChipKeys.key_set``."""
        label = key_label(key_version)
        master_key_id = _MASTER_KEY_IDS.get(key_version)
        if master_key_id is None:
            raise IssuerRefusedError(
                f"the chip holds keys of version {key_version:02X}, whose master key is not in this keystore",
                code="personalisation.key-version",
                hint="station ... --keys FILE",
            )

        is_transport = key_version == KEY_VERSION_TRANSPORT
        length = self._lengths.transport_key_bytes if is_transport else self._lengths.key_bytes

        def derive(keystore: AgreementKeystore) -> list[bytes]:
            return [
                keystore.derive(
                    master_key_id, label=label + b" " + name, context=serial, length=length
                )
                for name in (b"enc", b"mac", b"dek")
            ]

        enc, mac, dek = self._keystore.call(derive)
        return ChipKeySet(key_version=key_version, enc=enc, mac=mac, dek=dek)
