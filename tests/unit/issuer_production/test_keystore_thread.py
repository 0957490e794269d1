import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from card_layout.profile import PersonalisationProfile
from issuer.domain.chip import Serial
from issuer.personalisation.chip_keys import KeystoreThread, MasterKeyChipKeys
from pki.errors import KeystoreError
from pki.keys.keystore import AgreementKeystore
from pki.keys.open import KeystoreKind, create_keystore
from simulators.blank import derive_card_key, transport_keys

MASTERS = {"transport": bytes(range(32)), "personalisation": bytes(range(32, 64))}
SERIAL = Serial(bytes.fromhex("00112233445566778899"))


class TokenOfOneThread:
    """A keystore that, like a PKCS#11 library, stands only the thread that opened it."""

    def __init__(self) -> None:
        self._owner = threading.get_ident()
        self.is_closed = False

    def derive(self, key_id: str, *, label: bytes, context: bytes, length: int) -> bytes:
        self._require_owner()
        assert length == 16
        return derive_card_key(MASTERS[key_id], label=label.decode(), serial=context)

    def close(self) -> None:
        self._require_owner()
        self.is_closed = True

    def _require_owner(self) -> None:
        assert threading.get_ident() == self._owner


def test_the_keys_of_a_chip_are_those_that_its_maker_derived() -> None:
    thread = KeystoreThread(TokenOfOneThread)  # type: ignore[arg-type]  # only what is used here
    keys = MasterKeyChipKeys(thread).key_set(SERIAL, 0xFF)
    expected = transport_keys(MASTERS["transport"], SERIAL)
    assert (keys.enc, keys.mac, keys.dek) == (expected.enc, expected.mac, expected.dek)
    thread.close()


@pytest.mark.parametrize("bits", [128, 192, 256])
def test_keys_of_every_length_are_those_that_the_chip_maker_derived(
    tmp_path: Path, bits: int
) -> None:
    """A keystore of the PKI on one side, the simulator's own derivation on the other (SPEC.md, 8.2)."""

    def opened() -> AgreementKeystore:
        keystore = create_keystore(tmp_path / "keys", kind=KeystoreKind.FILE, pin="2" * 20)
        keystore.import_master_key(key_id="transport", value=MASTERS["transport"])
        return keystore

    lengths = PersonalisationProfile(key_bytes=16, transport_key_bytes=bits // 8)
    thread = KeystoreThread(opened)
    keys = MasterKeyChipKeys(thread, lengths=lengths).key_set(SERIAL, 0xFF)
    thread.close()
    expected = transport_keys(MASTERS["transport"], SERIAL, bits // 8)
    assert len(keys.enc) == bits // 8
    assert (keys.enc, keys.mac, keys.dek) == (expected.enc, expected.mac, expected.dek)


def test_every_call_from_many_workers_runs_in_the_one_thread() -> None:
    thread = KeystoreThread(TokenOfOneThread)  # type: ignore[arg-type]  # only what is used here
    chip_keys = MasterKeyChipKeys(thread)
    with ThreadPoolExecutor(max_workers=8) as workers:
        found = list(workers.map(lambda _: chip_keys.key_set(SERIAL, 0x30), range(50)))
    assert len({keys.enc for keys in found}) == 1
    thread.close()
    thread.close()


def test_what_opening_raises_is_raised_and_no_thread_stays() -> None:
    def fail() -> TokenOfOneThread:
        raise KeystoreError("there is none", code="keystore.missing")

    with pytest.raises(KeystoreError):
        KeystoreThread(fail)  # type: ignore[arg-type]  # only what is used here
    assert not [each for each in threading.enumerate() if each.name.startswith("keystore")]


def test_keys_do_not_show_themselves() -> None:
    thread = KeystoreThread(TokenOfOneThread)  # type: ignore[arg-type]  # only what is used here
    keys = MasterKeyChipKeys(thread).key_set(SERIAL, 0x30)
    thread.close()
    assert keys.enc.hex() not in repr(keys)
    assert repr(keys.enc) not in repr(keys)
