"""What every keystore keeps to, run by both of them (SPEC.md, 8.2)."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from card_layout.curves import NamedCurve
from pki.errors import KeystoreError
from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.keystore import AgreementKeystore, Keystore
from pki.keys.open import (
    KeystoreKind,
    create_keystore,
    create_pin_file,
    keystore_warning,
    open_keystore,
    read_pin_file,
)
from pki.keys.signer import Signer
from pki.keys.token_library import find_softhsm
from pki.signed.certification_request import encode_certification_request

PIN = "correct horse battery staple"
MASTER = bytes(range(32))
Opener = Callable[[], Keystore]


@pytest.fixture(
    params=[KeystoreKind.FILE, pytest.param(KeystoreKind.PKCS11, marks=pytest.mark.hsm)]
)
def kind(request: pytest.FixtureRequest) -> KeystoreKind:
    if request.param is KeystoreKind.PKCS11 and find_softhsm() is None:
        pytest.skip("SoftHSM2 and python-pkcs11 are not both installed")
    assert isinstance(request.param, KeystoreKind)
    return request.param


@pytest.fixture
def keystore(kind: KeystoreKind, tmp_path: Path) -> Iterator[AgreementKeystore]:
    keystore = create_keystore(tmp_path / "keystore", kind=kind, pin=PIN)
    yield keystore
    keystore.close()


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(KeystoreError) as caught:
        action()
    return caught.value.code


def verify(signer: Signer, message: bytes, signature: bytes) -> None:
    hash_algorithm = signer.algorithm.hash_algorithm.to_cryptography()
    assert isinstance(signer.public_key, ec.EllipticCurvePublicKey)
    signer.public_key.verify(signature, message, ec.ECDSA(hash_algorithm))


def test_a_keystore_keeps_to_the_port(keystore: Keystore) -> None:
    assert isinstance(keystore, Keystore)
    assert keystore.key_ids() == ()


@pytest.mark.parametrize("curve", list(NamedCurve))
def test_a_key_signs_what_its_public_key_verifies(keystore: Keystore, curve: NamedCurve) -> None:
    keystore.create_signing_key(key_id="ds-1", curve=curve)
    signer = keystore.signer("ds-1")
    assert isinstance(signer, Signer)
    assert signer.public_key.curve.name == curve.to_cryptography().name
    verify(signer, b"a message", signer.sign(b"a message"))


def test_an_rsa_key_signs_with_rsassa_pss_and_is_still_there_after_opening_again(
    keystore: Keystore, tmp_path: Path
) -> None:
    keystore.create_rsa_signing_key(key_id="ds-rsa", bits=3072)
    signer = keystore.signer("ds-rsa")
    assert isinstance(signer, Signer)
    assert signer.algorithm is SignatureAlgorithm.RSA_PSS_SHA256
    assert isinstance(signer.public_key, rsa.RSAPublicKey)
    assert (signer.public_key.key_size, signer.public_key.public_numbers().e) == (3072, 65537)
    # Verified by the library with everything spelt out, so that a wrong mask or salt would show.
    signer.public_key.verify(
        signer.sign(b"a message"),
        b"a message",
        padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32),
        hashes.SHA256(),
    )
    keystore.close()
    again = open_keystore(tmp_path / "keystore", pin=PIN)
    assert again.signer("ds-rsa").public_key == signer.public_key
    again.destroy("ds-rsa")
    assert again.key_ids() == ()
    again.close()


@pytest.mark.parametrize("bits", [0, 1024, 2048, 3071, 8192])
def test_an_rsa_key_of_another_length_is_refused(keystore: Keystore, bits: int) -> None:
    action = lambda: keystore.create_rsa_signing_key(key_id="ds-1", bits=bits)  # noqa: E731 - one of many alike
    assert code_of(action) == "keystore.key-invalid"
    assert keystore.key_ids() == ()


def test_keys_are_still_there_after_the_keystore_was_opened_again(
    keystore: Keystore, tmp_path: Path
) -> None:
    keystore.create_signing_key(key_id="ds-1", curve=NamedCurve.SECP256R1)
    keystore.create_master_key(key_id="master")
    public_key = keystore.signer("ds-1").public_key
    derived = keystore.derive("master", label=b"l", context=b"c", length=16)
    keystore.close()
    again = open_keystore(tmp_path / "keystore", pin=PIN)
    assert again.key_ids() == ("ds-1", "master")
    signer = again.signer("ds-1")
    assert signer.public_key == public_key
    verify(signer, b"m", signer.sign(b"m"))
    assert again.derive("master", label=b"l", context=b"c", length=16) == derived
    again.close()


def test_a_home_that_was_moved_still_opens(keystore: Keystore, tmp_path: Path) -> None:
    keystore.create_signing_key(key_id="ds-1", curve=NamedCurve.SECP256R1)
    keystore.close()
    (tmp_path / "keystore").rename(tmp_path / "moved")
    again = open_keystore(tmp_path / "moved", pin=PIN)
    assert again.key_ids() == ("ds-1",)
    again.close()


def test_derivation_is_sp_800_108_with_aes_cmac(keystore: Keystore) -> None:
    keystore.import_master_key(key_id="transport", value=MASTER)
    label, context = b"membercard transport enc", bytes(10)
    for length in (16, 24, 32, 1, 64):
        # [i] || Label || 00 || Context || [L], computed here without the product's own function.
        expected = b""
        for counter in range(1, 5):
            mac = CMAC(AES(MASTER))
            mac.update(counter.to_bytes(4, "big") + label + b"\x00" + context)
            mac.update((length * 8).to_bytes(4, "big"))
            expected += mac.finalize()
        derived = keystore.derive("transport", label=label, context=context, length=length)
        assert derived == expected[:length]


def test_different_serials_labels_and_master_keys_give_different_keys(keystore: Keystore) -> None:
    keystore.create_master_key(key_id="a")
    keystore.create_master_key(key_id="b")
    derived = {
        keystore.derive(key_id, label=label, context=context, length=16)
        for key_id in ("a", "b")
        for label in (b"enc", b"mac")
        for context in (b"1", b"2")
    }
    assert len(derived) == 8


@pytest.mark.parametrize("length", [0, -1, 65])
def test_a_derived_length_out_of_range_is_refused(keystore: Keystore, length: int) -> None:
    keystore.create_master_key(key_id="a")
    assert (
        code_of(lambda: keystore.derive("a", label=b"l", context=b"", length=length))
        == "keystore.derivation-invalid"
    )


def test_a_label_with_a_zero_byte_is_refused(keystore: Keystore) -> None:
    keystore.create_master_key(key_id="a")
    assert (
        code_of(lambda: keystore.derive("a", label=b"l\x00m", context=b"", length=16))
        == "keystore.derivation-invalid"
    )


def test_random_bytes_are_as_many_as_were_asked_for_and_never_the_same(
    keystore: AgreementKeystore,
) -> None:
    for count in (1, 16, 333):
        assert len(keystore.random_bytes(count)) == count
    assert len({keystore.random_bytes(16) for _ in range(50)}) == 50
    keystore.close()
    assert code_of(lambda: keystore.random_bytes(16)) == "keystore.closed"


def test_an_identifier_is_given_once(keystore: Keystore) -> None:
    keystore.create_signing_key(key_id="x", curve=NamedCurve.SECP256R1)
    for action in (
        lambda: keystore.create_signing_key(key_id="x", curve=NamedCurve.SECP256R1),
        lambda: keystore.create_master_key(key_id="x"),
        lambda: keystore.import_master_key(key_id="x", value=MASTER),
    ):
        assert code_of(action) == "keystore.key-exists"
    assert keystore.key_ids() == ("x",)


@pytest.mark.parametrize("key_id", ["", "A", "../x", "x/y", "x" * 65, ".x", "x.", "-x", "é", "x\n"])
def test_an_identifier_that_is_no_plain_word_is_refused(keystore: Keystore, key_id: str) -> None:
    for action in (
        lambda: keystore.create_master_key(key_id=key_id),
        lambda: keystore.create_signing_key(key_id=key_id, curve=NamedCurve.SECP256R1),
        lambda: keystore.signer(key_id),
        lambda: keystore.derive(key_id, label=b"l", context=b"c", length=16),
        lambda: keystore.destroy(key_id),
    ):
        assert code_of(action) == "keystore.key-id-invalid"
    assert keystore.key_ids() == ()


def test_an_unknown_key_and_a_key_of_the_other_kind_are_refused(keystore: Keystore) -> None:
    assert code_of(lambda: keystore.signer("nobody")) == "keystore.key-unknown"
    assert code_of(lambda: keystore.destroy("nobody")) == "keystore.key-unknown"
    keystore.create_master_key(key_id="m")
    keystore.create_signing_key(key_id="s", curve=NamedCurve.SECP256R1)
    kinds = {"keystore.key-unknown", "keystore.key-damaged"}
    assert code_of(lambda: keystore.signer("m")) in kinds
    assert code_of(lambda: keystore.derive("s", label=b"l", context=b"c", length=16)) in kinds


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_master_key_of_another_length_is_refused(keystore: Keystore, size: int) -> None:
    action = lambda: keystore.import_master_key(key_id="m", value=bytes(size))  # noqa: E731 - one of many alike
    assert code_of(action) == "keystore.key-invalid"


def test_a_destroyed_key_is_gone_and_its_name_is_free(keystore: Keystore) -> None:
    keystore.create_signing_key(key_id="ds-1", curve=NamedCurve.SECP256R1)
    before = keystore.signer("ds-1").public_key
    keystore.destroy("ds-1")
    assert keystore.key_ids() == ()
    assert code_of(lambda: keystore.signer("ds-1")) == "keystore.key-unknown"
    keystore.create_signing_key(key_id="ds-1", curve=NamedCurve.SECP256R1)
    assert keystore.signer("ds-1").public_key != before


def test_a_closed_keystore_does_nothing_more(keystore: Keystore) -> None:
    keystore.create_master_key(key_id="m")
    keystore.close()
    keystore.close()
    assert code_of(keystore.key_ids) == "keystore.closed"
    assert (
        code_of(lambda: keystore.derive("m", label=b"l", context=b"c", length=16))
        == "keystore.closed"
    )


def test_a_wrong_pin_opens_nothing(keystore: Keystore, tmp_path: Path) -> None:
    keystore.close()
    code = code_of(lambda: open_keystore(tmp_path / "keystore", pin="another PIN"))
    assert code in {"keystore.pin-wrong", "keystore.passphrase-wrong"}


def test_a_second_keystore_in_the_same_place_is_refused(
    keystore: Keystore, kind: KeystoreKind, tmp_path: Path
) -> None:
    keystore.create_master_key(key_id="m")
    for other in KeystoreKind:
        action = lambda other=other: create_keystore(tmp_path / "keystore", kind=other, pin=PIN)  # noqa: E731 - one of many alike
        assert code_of(action) == "keystore.exists"
    assert keystore.key_ids() == ("m",)
    assert (keystore_warning(tmp_path / "keystore") is None) == (kind is KeystoreKind.PKCS11)


def test_two_keystores_are_used_by_turns_in_one_process(
    keystore: Keystore, kind: KeystoreKind, tmp_path: Path
) -> None:
    other = create_keystore(tmp_path / "other", kind=kind, pin=PIN)
    keystore.create_signing_key(key_id="ds-1", curve=NamedCurve.SECP256R1)
    other.create_master_key(key_id="m")
    signer = keystore.signer("ds-1")
    first = other.derive("m", label=b"l", context=b"c", length=16)
    for _ in range(3):
        verify(signer, b"m", signer.sign(b"m"))
        assert other.derive("m", label=b"l", context=b"c", length=16) == first
    other.close()
    verify(signer, b"m", signer.sign(b"m"))
    assert keystore.key_ids() == ("ds-1",)


def test_threads_get_right_answers(keystore: Keystore) -> None:
    keystore.create_signing_key(key_id="ds-1", curve=NamedCurve.SECP256R1)
    keystore.create_master_key(key_id="m")
    signer = keystore.signer("ds-1")
    expected = keystore.derive("m", label=b"l", context=b"c", length=16)
    answers: list[bool] = []

    def work() -> None:
        for _ in range(10):
            verify(signer, b"m", signer.sign(b"m"))
            derived = keystore.derive("m", label=b"l", context=b"c", length=16)
            answers.append(derived == expected)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 40


def test_nothing_on_the_disk_shows_a_key_or_is_open_to_others(
    keystore: Keystore, tmp_path: Path
) -> None:
    keystore.import_master_key(key_id="m", value=MASTER)
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert paths
    for path in paths:
        content = path.read_bytes()
        assert MASTER not in content
        assert MASTER.hex().encode() not in content
        assert PIN.encode() not in content
        assert path.stat().st_mode & 0o077 == 0, path


def test_auto_takes_the_token_where_there_is_one(tmp_path: Path) -> None:
    keystore = create_keystore(tmp_path / "keystore", kind=KeystoreKind.AUTO, pin=PIN)
    keystore.close()
    is_token = keystore_warning(tmp_path / "keystore") is None
    assert is_token == (find_softhsm() is not None)


@pytest.mark.hsm
def test_a_private_key_in_the_token_cannot_be_read(tmp_path: Path) -> None:
    if find_softhsm() is None:
        pytest.skip("SoftHSM2 and python-pkcs11 are not both installed")
    from pkcs11 import Attribute, ObjectClass, PKCS11Error  # noqa: PLC0415 - the extra may be absent

    from pki.keys.pkcs11 import Pkcs11Keystore  # noqa: PLC0415 - the same

    keystore = create_keystore(tmp_path / "keystore", kind=KeystoreKind.PKCS11, pin=PIN)
    assert isinstance(keystore, Pkcs11Keystore)
    keystore.create_signing_key(key_id="ds-1", curve=NamedCurve.SECP256R1)
    keystore.import_master_key(key_id="m", value=MASTER)
    with keystore._use() as session:
        secret = [
            item
            for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY)
            for item in session.get_objects({Attribute.CLASS: kind})
        ]
        assert len(secret) == 2
        for item in secret:
            with pytest.raises(PKCS11Error):
                item[Attribute.VALUE]
            with pytest.raises(PKCS11Error):
                item[Attribute.EXTRACTABLE] = True
    keystore.close()


def test_a_token_without_its_library_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token.json").write_text(
        '{"format": 1, "module": "/nowhere.so", "token_label": "membercard"}'
    )
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    for name in ("pki.keys.pkcs11", "pki.keys.token_keystore"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    action = lambda: open_keystore(tmp_path, pin=PIN)  # noqa: E731 - one of many alike
    assert code_of(action) == "keystore.no-token-library"
    assert find_softhsm() is None


@pytest.mark.hsm
@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format": 2, "module": "x", "token_label": "y"}']
)
def test_a_damaged_description_of_a_token_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "token.json").write_text(content)
    assert code_of(lambda: open_keystore(tmp_path, pin=PIN)) == "keystore.damaged"


@pytest.mark.hsm
def test_a_token_library_that_is_none_is_refused(tmp_path: Path) -> None:
    if find_softhsm() is None:
        pytest.skip("SoftHSM2 and python-pkcs11 are not both installed")
    library = tmp_path / "library.so"
    library.write_text("not a library")
    (tmp_path / "token.json").write_text(
        f'{{"format": 1, "module": "{library}", "token_label": "membercard"}}'
    )
    action = lambda: open_keystore(tmp_path, pin=PIN)  # noqa: E731 - one of many alike
    assert code_of(action) == "keystore.module-unusable"


def test_a_swapped_or_altered_key_file_is_refused(tmp_path: Path) -> None:
    keystore = create_keystore(tmp_path / "k", kind=KeystoreKind.FILE, pin=PIN)
    keystore.create_master_key(key_id="a")
    keystore.create_master_key(key_id="b")
    first, second = (tmp_path / "k" / f"{name}.key" for name in "ab")
    second.write_bytes(first.read_bytes())
    action = lambda: keystore.derive("b", label=b"l", context=b"c", length=16)  # noqa: E731 - used four times
    assert code_of(action) == "keystore.key-damaged"
    for content in (b"", b"{}", b"[1]", b"[" * 4000, first.read_bytes()[:-9]):
        second.write_bytes(content)
        assert code_of(action) in {"keystore.key-damaged", "keystore.damaged"}


def test_a_pin_file_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "pki.pin"
    pin = create_pin_file(path)
    assert len(pin) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert create_pin_file(path) == pin == read_pin_file(path)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"two\nlines of text", b"caf\xc3\xa9 is not ascii"]
)
def test_a_pin_file_that_holds_no_pin_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pin"
    path.write_bytes(content)
    path.chmod(0o600)
    assert code_of(lambda: read_pin_file(path)) == "keystore.pin-file"


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_a_pin_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pin"
    path.write_text(PIN)
    path.chmod(0o644)
    assert code_of(lambda: read_pin_file(path)) == "keystore.pin-file"
    assert code_of(lambda: read_pin_file(tmp_path / "none")) == "keystore.pin-file"


@pytest.mark.parametrize("curve", list(NamedCurve))
def test_an_agreement_key_agrees_with_a_peer_and_signs_its_request(
    keystore: AgreementKeystore, curve: NamedCurve
) -> None:
    assert isinstance(keystore, AgreementKeystore)
    keystore.create_agreement_key(key_id="station", curve=curve)
    own = keystore.signer("station")
    assert isinstance(own.public_key, ec.EllipticCurvePublicKey)
    peer = ec.generate_private_key(curve.to_cryptography())
    shared = peer.exchange(ec.ECDH(), own.public_key)
    assert keystore.agree("station", peer.public_key()) == shared
    request = x509.load_der_x509_csr(encode_certification_request(own, common_name="Trạm 1"))
    assert request.is_signature_valid
    assert request.public_key() == own.public_key
    assert request.subject.rfc4514_string() == "CN=Trạm 1"


def test_an_agreement_key_refuses_what_it_cannot_do(keystore: AgreementKeystore) -> None:
    keystore.create_agreement_key(key_id="station", curve=NamedCurve.SECP256R1)
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    assert code_of(lambda: keystore.agree("station", other)) == "keystore.key-invalid"
    peer = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert code_of(lambda: keystore.agree("nobody", peer)) == "keystore.key-unknown"
    again = lambda: keystore.create_agreement_key(key_id="station", curve=NamedCurve.SECP256R1)  # noqa: E731 - one of many alike
    assert code_of(again) == "keystore.key-exists"


def test_an_agreement_leaves_nothing_behind(keystore: AgreementKeystore) -> None:
    keystore.create_agreement_key(key_id="station", curve=NamedCurve.SECP256R1)
    for _ in range(3):
        keystore.agree("station", ec.generate_private_key(ec.SECP256R1()).public_key())
    assert keystore.key_ids() == ("station",)


def test_the_check_value_names_a_master_key_without_telling_it(
    keystore: AgreementKeystore,
) -> None:
    keystore.import_master_key(key_id="m", value=MASTER)
    mac = CMAC(AES(MASTER))
    mac.update(bytes(16))
    assert keystore.check_value("m") == mac.finalize()[:5]
    keystore.create_master_key(key_id="drawn")
    assert keystore.check_value("drawn") != keystore.check_value("m")
    assert code_of(lambda: keystore.check_value("nobody")) == "keystore.key-unknown"


@pytest.mark.hsm
def test_a_token_key_for_agreement_cannot_be_read(tmp_path: Path) -> None:
    if find_softhsm() is None:
        pytest.skip("SoftHSM2 and python-pkcs11 are not both installed")
    from pkcs11 import Attribute, ObjectClass, PKCS11Error  # noqa: PLC0415 - the extra may be absent

    from pki.keys.pkcs11 import Pkcs11Keystore  # noqa: PLC0415 - the same

    keystore = create_keystore(tmp_path / "keystore", kind=KeystoreKind.PKCS11, pin=PIN)
    assert isinstance(keystore, Pkcs11Keystore)
    keystore.create_agreement_key(key_id="station", curve=NamedCurve.SECP256R1)
    with keystore._use() as session:
        (private,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
        assert private[Attribute.SENSITIVE] is True
        with pytest.raises(PKCS11Error):
            private[Attribute.VALUE]
        with pytest.raises(PKCS11Error):
            private[Attribute.EXTRACTABLE] = True
    keystore.close()
