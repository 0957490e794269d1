"""SP 800-108 in counter mode with AES-CMAC: the library against NIST's vectors, and our keystores against the library.

NIST's vectors (CAVS 14.4, "CMAC_AES256", counter of 32 bits before the fixed data, shipped in the package
cryptography-vectors as KDF/nist-800-108-KBKDF-CTR.txt) hand the fixed data over whole, so they cannot go through a
keystore, which composes them itself. Two steps make one chain: they show that the library's KBKDF is right, and it
then judges what keystores derive.
"""

from importlib import resources
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode
from hypothesis import given
from hypothesis import strategies as st

from pki.keys.keystore import master_key_check_value
from pki.keys.open import KeystoreKind, create_keystore
from pki.keys.token_library import find_softhsm
from simulators.blank import derive_card_key

SECTION = {"PRF": "CMAC_AES256", "CTRLOCATION": "BEFORE_FIXED", "RLEN": "32_BITS"}
MASTER = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
"""The AES-256 key of SP 800-38B, appendix D.3."""


def nist_cases() -> list[dict[str, str]]:
    """The cases of the one section that is ours."""
    text = (resources.files("cryptography_vectors") / "KDF/nist-800-108-KBKDF-CTR.txt").read_text()
    section: dict[str, str] = {}
    cases: list[dict[str, str]] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            name, _, value = line[1:-1].partition("=")
            section[name] = value
        elif "=" in line:
            name, _, value = (part.strip() for part in line.partition("="))
            if name == "COUNT":
                cases.append(dict(section))
            if cases:
                cases[-1][name] = value
    return [case for case in cases if SECTION.items() <= case.items()]


def test_the_library_gives_nists_keys() -> None:
    cases = nist_cases()
    assert len(cases) >= 10
    for case in cases:
        kdf = KBKDFCMAC(
            algorithm=AES, mode=Mode.CounterMode, length=int(case["L"]) // 8, rlen=4, llen=None,
            location=CounterLocation.BeforeFixed, label=None, context=None,
            fixed=bytes.fromhex(case["FixedInputData"]),
        )  # fmt: skip
        assert kdf.derive(bytes.fromhex(case["KI"])).hex() == case["KO"].lower()


def by_library(label: bytes, context: bytes, length: int) -> bytes:
    return KBKDFCMAC(
        algorithm=AES, mode=Mode.CounterMode, length=length, rlen=4, llen=4,
        location=CounterLocation.BeforeFixed, label=label, context=context, fixed=None,
    ).derive(MASTER)  # fmt: skip


@pytest.mark.parametrize(
    "kind", [KeystoreKind.FILE, pytest.param(KeystoreKind.PKCS11, marks=pytest.mark.hsm)]
)
def test_keystores_derive_what_the_library_derives(kind: KeystoreKind, tmp_path: Path) -> None:
    if kind is KeystoreKind.PKCS11 and find_softhsm() is None:
        pytest.skip("SoftHSM2 and python-pkcs11 are not both installed")
    keystore = create_keystore(tmp_path / "k", kind=kind, pin="correct horse battery")
    keystore.import_master_key(key_id="m", value=MASTER)

    @given(
        st.binary(max_size=40).filter(lambda label: b"\x00" not in label),
        st.binary(max_size=40),
        st.integers(1, 64),
    )
    def compare(label: bytes, context: bytes, length: int) -> None:
        derived = keystore.derive("m", label=label, context=context, length=length)
        assert derived == by_library(label, context, length)

    compare()
    # SP 800-38B, D.3, gives CIPH_K(0) and no CMAC of a zero block; both hands calculate it.
    assert keystore.check_value("m") == master_key_check_value(MASTER)
    keystore.close()


def test_the_chip_makers_side_derives_the_same_keys() -> None:
    serial = bytes(range(10))
    for name in ("enc", "mac", "dek"):
        label = f"membercard transport {name}"
        found = derive_card_key(MASTER, label=label, serial=serial)
        assert found == by_library(label.encode(), serial, 16)
