"""policy.toml: strict, documented, and never less than the proof that the data is genuine."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.certificates.anchor_scope import NO_SCOPE, TrustPurpose
from simulators.trust_directory import TEST_POLICY
from verifier.errors import TrustError
from verifier.inspection.checks import CheckName
from verifier.inspection.policy import DATA_CHECKS, MAX_POLICY_BYTES, Policy

DOCS = Path(__file__).resolve().parents[3] / "docs"


def documented_example() -> str:
    (example,) = re.findall(
        r"```toml\n(.*?)```", (DOCS / "policy.md").read_text("utf-8"), re.DOTALL
    )
    return str(example)


def schema() -> Any:
    return json.loads((DOCS / "policy.schema.json").read_text("utf-8"))


NOT_REQUIRED = {
    CheckName.TERMINAL_AUTHENTICATION,
    CheckName.PROTECTED_DATA_GROUPS,
    CheckName.PORTRAIT,
}
"""What a terminal may do, and whether it can show a picture, says nothing about the card (SPEC.md, 9.21 to 9.23)."""


def test_the_documented_policy_demands_every_check() -> None:
    policy = Policy.from_bytes(documented_example().encode())
    assert policy.required_checks() == frozenset(CheckName) - NOT_REQUIRED
    assert not policy.allow_test_authorities
    assert policy.states == {"VNM": "VN"}


@pytest.mark.parametrize("text", [documented_example(), TEST_POLICY])
def test_the_policies_at_hand_fit_the_published_schema(text: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(text))


def test_the_schema_knows_every_check_and_the_ones_that_no_purpose_can_leave_out() -> None:
    purposes = schema()["properties"]["purposes"]["additionalProperties"]
    checks = purposes["properties"]["required_checks"]
    assert checks["items"]["enum"] == [check.value for check in CheckName]
    assert [item["contains"]["const"] for item in checks["allOf"]] == [c.value for c in DATA_CHECKS]


def test_a_policy_without_any_key_is_empty() -> None:
    for data in (b"", b"# nothing\n"):
        policy = Policy.from_bytes(data)
        assert policy == Policy()
        assert policy.required_checks() == frozenset()


def edited(old: str, new: str) -> str:
    assert old in TEST_POLICY
    return TEST_POLICY.replace(old, new)


@pytest.mark.parametrize(
    "text",
    [
        edited("format = 1", "format = 2"),
        edited("format = 1", "format = true"),
        edited("format = 1\n", ""),
        edited("format = 1", "format = 1\nallow_everything = true"),
        edited("allow_test_authorities = true", 'allow_test_authorities = "true"'),
        edited("allow_test_authorities = true", "allow_test_authority = true"),
        edited("format = 1", 'format = 1\nallow_bac = "true"'),
        edited("format = 1", "format = 1\nallow_bac = 1"),
        edited("format = 1", "format = 1\nallow_other_signatures = 1"),
        edited('document_codes = ["CM"]', 'document_codes = "CM"'),
        edited('document_codes = ["CM"]', "document_codes = []"),
        edited('document_codes = ["CM"]', 'document_codes = ["CM", "CM"]'),
        edited('document_codes = ["CM"]', 'document_codes = ["CMX"]'),
        edited("[12, 13]", "[12, 12]"),
        edited("[12, 13]", "[32]"),
        edited("[12, 13]", "[true]"),
        edited("[12, 13]", "12"),
        edited('default_purpose = "inspection"', 'default_purpose = "party"'),
        edited('default_purpose = "inspection"', "default_purpose = 1"),
        edited('VNM = "VN"', 'vnm = "VN"'),
        edited('VNM = "VN"', 'VNM = "VNM"'),
        edited('VNM = "VN"', ""),
        edited('"signer.revocation", ', ""),
        edited('"signer.revocation", ', '"signer.revocation", "signer.revocation", '),
        edited('"status.reference"', '"status.reverence"'),
        edited("[purposes.inspection]", "[purposes.inspection]\nsince = 1"),
        TEST_POLICY.split("[purposes", maxsplit=1)[0],
        "format = 1 = 2",
        "a" * (MAX_POLICY_BYTES + 1),
        "a = " + "[" * 20_000,
    ],
)
def test_a_policy_that_is_not_as_documented_is_refused(text: str) -> None:
    with pytest.raises(TrustError) as caught:
        Policy.from_bytes(text.encode())
    assert caught.value.code == "policy.malformed"


FINGERPRINT = "0123456789abcdef" * 4
ANCHOR = f"""
[[anchors]]
certificate = "sha256:{FINGERPRINT}"
purposes = ["documents", "master-lists"]
states = ["VNM"]
document_codes = ["CM"]
"""
LISTS_ALONE = f"""
[[anchors]]
certificate = "sha256:{FINGERPRINT}"
purposes = ["stop-lists"]
"""


def test_an_anchor_is_bound_to_what_the_policy_says() -> None:
    text = TEST_POLICY + ANCHOR
    jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(text))
    scopes = Policy.from_bytes(text.encode()).scopes
    scope = scopes.named[FINGERPRINT]
    assert scope.purposes == {TrustPurpose.DOCUMENTS, TrustPurpose.MASTER_LISTS}
    assert (scope.states, scope.document_codes) == ({"VNM"}, {"CM"})
    assert scopes.otherwise == NO_SCOPE


def test_an_anchor_for_lists_alone_has_neither_states_nor_codes() -> None:
    text = TEST_POLICY + LISTS_ALONE
    jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(text))
    scope = Policy.from_bytes(text.encode()).scopes.named[FINGERPRINT]
    assert (scope.states, scope.document_codes) == (frozenset(), frozenset())


def test_without_bindings_everybody_is_there_for_documents_and_stop_lists_and_for_no_master_list() -> (
    None
):
    scopes = Policy.from_bytes(TEST_POLICY.encode()).scopes
    assert not scopes.named
    assert scopes.otherwise.purposes == {
        TrustPurpose.DOCUMENTS,
        TrustPurpose.STOP_LISTS,
        TrustPurpose.STATUS_LISTS,
        TrustPurpose.TRUST_BUNDLES,
    }


@pytest.mark.parametrize(
    "text",
    [
        ANCHOR + ANCHOR,
        ANCHOR.replace("sha256:", "sha1:"),
        ANCHOR.replace("0123", "012"),
        ANCHOR.replace("abcdef", "ABCDEF"),
        ANCHOR.replace("master-lists", "everything"),
        ANCHOR.replace('["documents", "master-lists"]', "[]"),
        ANCHOR.replace('"VNM"', '"D"'),
        ANCHOR.replace('"CM"', '"I"'),
        ANCHOR.replace('["CM"]', '["CM", "CM"]'),
        ANCHOR.replace('states = ["VNM"]\n', ""),
        ANCHOR.replace("states", "stats"),
        LISTS_ALONE + 'states = ["VNM"]\n',
        'anchors = "all"\n',
    ],
)
def test_a_binding_that_is_not_as_documented_is_refused(text: str) -> None:
    with pytest.raises(TrustError) as caught:
        Policy.from_bytes((TEST_POLICY + text if "[[" in text else text + TEST_POLICY).encode())
    assert caught.value.code == "policy.malformed"


def test_the_old_way_in_is_shut_unless_the_policy_opens_it() -> None:
    assert not Policy.from_bytes(TEST_POLICY.encode()).allow_bac
    for value, expected in (("true", True), ("false", False)):
        text = edited("format = 1", f"format = 1\nallow_bac = {value}")
        jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(text))
        assert Policy.from_bytes(text.encode()).allow_bac is expected


def test_other_signatures_are_refused_unless_the_policy_takes_them() -> None:
    assert not Policy.from_bytes(TEST_POLICY.encode()).allow_other_signatures
    for value, expected in (("true", True), ("false", False)):
        text = edited("format = 1", f"format = 1\nallow_other_signatures = {value}")
        jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(text))
        assert Policy.from_bytes(text.encode()).allow_other_signatures is expected


@given(data=st.binary(max_size=100))
def test_any_bytes_are_a_policy_or_an_error_of_their_own(data: bytes) -> None:
    code, policy = "policy.malformed", Policy()
    try:
        policy = Policy.from_bytes(data)
    except TrustError as error:
        code = error.code
    assert code == "policy.malformed"
    assert policy.required_checks() == frozenset()


@pytest.mark.parametrize("value", ["0", "36501", "true", '"365"', "1.5"])
def test_a_retention_that_is_no_number_of_days_is_refused(value: str) -> None:
    text = f"journal_days = {value}\n" + TEST_POLICY
    with pytest.raises(TrustError) as refusal:
        Policy.from_bytes(text.encode())
    assert refusal.value.code == "policy.malformed"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(text))


def test_the_retention_of_the_journal_is_a_year_unless_the_policy_says_otherwise() -> None:
    assert Policy.from_bytes(TEST_POLICY.encode()).journal_days == 365
    assert Policy.from_bytes(b"journal_days = 30\n" + TEST_POLICY.encode()).journal_days == 30
