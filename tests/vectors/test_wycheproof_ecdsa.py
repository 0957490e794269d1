"""Project Wycheproof's ECDSA vectors against the one place where certificates and CRLs are verified.

Provenance: C2SP/wycheproof, testvectors_v1, as they stand beside the checkout with their licence.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from card_layout.curves import EcPublicKey
from pki.certificates.certificate import Certificate
from pki.keys.algorithms import SignatureAlgorithm

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "wycheproof"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def load(name: str) -> list[dict[str, Any]]:
    path = VECTORS / name
    if not path.is_file():
        pytest.skip(f"{name} does not stand beside the checkout")
    groups: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["testGroups"]
    assert groups
    return groups


@pytest.mark.parametrize(
    ("name", "algorithm", "expected_valid"),
    [
        ("ecdsa_secp256r1_sha256_test.json", SignatureAlgorithm.ECDSA_SHA256, 150),
        ("ecdsa_secp384r1_sha384_test.json", SignatureAlgorithm.ECDSA_SHA384, 150),
    ],
)
def test_every_vector_is_judged_as_published(
    name: str, algorithm: SignatureAlgorithm, expected_valid: int
) -> None:
    verdicts = {True: 0, False: 0}
    for group in load(name):
        info = bytes.fromhex(group["publicKeyDer"])
        public_key = EcPublicKey.from_subject_public_key_info(info).to_cryptography()
        for vector in group["tests"]:
            signed = Certificate(
                der=b"",
                signed_content=bytes.fromhex(vector["msg"]),
                serial_number=1,
                signature_algorithm=algorithm,
                issuer=b"",
                subject=b"",
                not_before=MOMENT,
                not_after=MOMENT,
                public_key=public_key,
                public_key_info=info,
                extensions={},
                signature=bytes.fromhex(vector["sig"]),
            )
            is_valid = signed.verify_by(public_key)
            assert is_valid == (vector["result"] == "valid"), (name, vector["tcId"])
            verdicts[is_valid] += 1
    assert verdicts[True] >= expected_valid
    assert verdicts[False] >= 100
