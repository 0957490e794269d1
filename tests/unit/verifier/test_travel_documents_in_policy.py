"""``travel-documents`` in policy.toml: read and documented, with codes of its own, and never beside ``documents``."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pki.certificates.anchor_policy import read_policy_anchors
from pki.certificates.anchor_scope import TrustDemand, TrustPurpose
from simulators.trust_directory import TEST_POLICY
from verifier.errors import TrustError
from verifier.inspection.policy import Policy

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "policy.schema.json"
NAME = "a" * 64
ANCHOR = f"""
[[anchors]]
certificate = "sha256:{NAME}"
purposes = ["travel-documents", "master-lists"]
states = ["D"]
document_codes = ["P", "ID"]
"""


def schema() -> Any:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))


def test_it_has_states_and_codes_that_are_none_of_member_cards() -> None:
    text = TEST_POLICY + ANCHOR
    schema().validate(tomllib.loads(text))
    policy = Policy.from_bytes(text.encode())
    assert policy.anchors is not None
    scope = policy.anchors[NAME]
    assert scope.states == {"D"}
    assert scope.document_codes == {"P", "ID"}
    member = TrustDemand(purpose=TrustPurpose.DOCUMENTS, state="D", document_code="P")
    assert not scope.admits(member)
    assert str(scope) == "master-lists, travel-documents (codes ID, P; states D)"


def test_both_products_read_the_same_bindings() -> None:
    text = (TEST_POLICY + ANCHOR).encode()
    assert read_policy_anchors(text) == Policy.from_bytes(text).anchors
    assert read_policy_anchors(TEST_POLICY.encode()) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"master-lists"', '"documents"'),
        ('states = ["D"]\n', ""),
        ('document_codes = ["P", "ID"]\n', ""),
        ('"travel-documents"', '"travel-document"'),
        ('["travel-documents", "master-lists"]', '["master-lists"]'),
        ('["D"]', '["d"]'),
    ],
)
def test_program_and_schema_refuse_the_same(old: str, new: str) -> None:
    text = TEST_POLICY + ANCHOR.replace(old, new, 1)
    with pytest.raises(TrustError) as caught:
        Policy.from_bytes(text.encode())
    assert caught.value.code == "policy.malformed"
    with pytest.raises(jsonschema.ValidationError):
        schema().validate(tomllib.loads(text))
