"""AES-CMAC as secure messaging uses it (kept context, copied) against Wycheproof."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

WYCHEPROOF = (
    Path(__file__).resolve().parents[2].parent
    / "shared"
    / "vectors"
    / "wycheproof"
    / "aes_cmac_test.json"
)


@pytest.mark.skipif(not WYCHEPROOF.exists(), reason=f"{WYCHEPROOF} is not beside the checkout")
def test_a_copied_context_gives_the_macs_of_wycheproof() -> None:
    groups = json.loads(WYCHEPROOF.read_text(encoding="utf-8"))["testGroups"]
    judged = {"valid": 0, "invalid": 0}
    for group in groups:
        if group["keySize"] not in (128, 192, 256):
            continue
        for case in group["tests"]:
            kept = CMAC(AES(bytes.fromhex(case["key"])))
            copy = kept.copy()
            copy.update(bytes.fromhex(case["msg"]))
            computed = copy.finalize()[: group["tagSize"] // 8]
            is_equal = computed == bytes.fromhex(case["tag"])
            assert is_equal == (case["result"] == "valid"), case["tcId"]
            judged[case["result"]] += 1
    assert judged["valid"] > 50
    assert judged["invalid"] > 50
