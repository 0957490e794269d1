"""What a policy imports of a list: only what it names, only for what it says, never over what people trust."""

import json
import re
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.certificates.anchor_policy import combine_anchors, read_anchors
from pki.certificates.anchor_scope import AnchorScope, TrustDemand, TrustPurpose
from pki.certificates.authority_path import fingerprint
from pki.certificates.import_policy import ImportPolicy
from pki.certificates.imported_anchors import ImportedAnchors
from pki.certificates.master_list_signer import ListAuthorities
from pki.certificates.profile import load_certificate_profile
from pki.errors import PkiDataError, PkiError
from pki.services.authority import AuthorityRequest
from pki.services.master_list_import import DirectoryContents, ImportPlan, plan_import
from pki.services.master_list_reading import verify_master_list

DOCS = Path(__file__).resolve().parents[3] / "docs"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HEAD = 'format = 1\nname = "trial"\ncountry = "VN"\nmax_age_days = 30\nrequire_crl = false\n'
TRAVEL = """
[[rules]]
country = "VN"
purposes = ["travel-documents"]
states = ["VNM"]
document_codes = ["P"]
"""
MEMBER = """
[[rules]]
country = "VN"
certificates = ["sha256:{0}"]
purposes = ["documents", "stop-lists"]
states = ["VNM"]
document_codes = ["CM"]
"""
TRAVEL_SCOPE = AnchorScope(
    purposes=frozenset({TrustPurpose.TRAVEL_DOCUMENTS}),
    states=frozenset({"VNM"}),
    document_codes=frozenset({"P"}),
)


def documented_example() -> str:
    (example,) = re.findall(
        r"```toml\n(.*?)```", (DOCS / "master-lists.md").read_text("utf-8"), re.DOTALL
    )
    return str(example)


def schema() -> Any:
    return json.loads((DOCS / "import.schema.json").read_text("utf-8"))


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def policy_of(text: str = HEAD + TRAVEL) -> ImportPolicy:
    return ImportPolicy.from_bytes(text.encode())


def plan(
    office: Any,
    *listed: bytes,
    policy: str = HEAD + TRAVEL,
    present: DirectoryContents | None = None,
    signed: datetime = NOW - DAY,
) -> ImportPlan:
    report = verify_master_list(
        office.make(*listed, at=signed),
        trusted=ListAuthorities.from_bytes(given=[office.authority.certificate]),
        at=NOW,
    )
    return plan_import(report, policy_of(policy), present=present or DirectoryContents())


def left(found: ImportPlan) -> dict[str, str]:
    return {item.fingerprint: item.code for item in found.left_out}


@pytest.mark.parametrize(
    "text", [documented_example(), HEAD + TRAVEL, HEAD + MEMBER.format("0" * 64)]
)
def test_policies_at_hand_are_read_and_fit_the_published_schema(text: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(text))
    assert policy_of(text).rules


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 1", "format = 2"),
        ("format = 1", "format = true"),
        ('name = "trial"', 'name = "../trial"'),
        ('name = "trial"', "name = 1"),
        ('country = "VN"\nmax', 'country = "vn"\nmax'),
        ("max_age_days = 30", "max_age_days = 0"),
        ("max_age_days = 30", "max_age_days = true"),
        ("require_crl = false", 'require_crl = "no"'),
        ("require_crl = false\n", ""),
        ("require_crl = false", "require_crl = false\nextra = 1"),
        (TRAVEL, ""),
        (TRAVEL, "\nrules = []\n"),
        ('purposes = ["travel-documents"]', 'purposes = ["travel-document"]'),
        ('purposes = ["travel-documents"]', 'purposes = ["travel-documents", "documents"]'),
        ('purposes = ["travel-documents"]', 'purposes = ["documents"]'),
        ('purposes = ["travel-documents"]', 'purposes = ["master-lists"]'),
        ('purposes = ["travel-documents"]', "purposes = []"),
        ('states = ["VNM"]\n', ""),
        ('states = ["VNM"]', 'states = ["vnm"]'),
        ('document_codes = ["P"]', 'document_codes = ["PPP"]'),
        ('document_codes = ["P"]', 'document_codes = ["P", "P"]'),
        ('document_codes = ["P"]', 'document_codes = ["P"]\ncertificates = ["sha256:00"]'),
        ('document_codes = ["P"]', 'document_codes = ["P"]\nextra = 1'),
    ],
)
def test_program_and_schema_refuse_the_same_policies(old: str, new: str) -> None:
    text = (HEAD + TRAVEL).replace(old, new, 1)
    assert text != HEAD + TRAVEL
    assert code_of(lambda: policy_of(text)) == "policy.malformed"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(text))


def test_member_cards_are_named_by_fingerprint_or_not_at_all() -> None:
    text = HEAD + MEMBER.format("0" * 64)
    assert policy_of(text).rules[0].certificates == {"0" * 64}
    without = re.sub(r"certificates = .*\n", "", text)
    with pytest.raises(PkiDataError, match="fingerprint"):
        policy_of(without)


def test_what_no_rule_names_is_not_imported(list_office: Any) -> None:
    found = plan(list_office, policy=HEAD + TRAVEL.replace('"VN"', '"DE"'))
    assert (found.record.anchors, found.certificates, found.not_named) == ({}, (), 1)
    assert found.left_out == ()


def test_a_travel_authority_is_never_one_for_member_cards(list_office: Any) -> None:
    text = HEAD + TRAVEL.replace('["P"]', '["P", "CM"]')
    (scope,) = plan(list_office, policy=text).record.anchors.values()
    for code in ("CM", "P"):
        demand = TrustDemand(purpose=TrustPurpose.DOCUMENTS, state="VNM", document_code=code)
        assert not scope.admits(demand)
    assert scope.admits(
        TrustDemand(purpose=TrustPurpose.TRAVEL_DOCUMENTS, state="VNM", document_code="P")
    )
    assert not scope.admits(
        TrustDemand(purpose=TrustPurpose.TRAVEL_DOCUMENTS, state="D", document_code="P")
    )


def test_the_first_rule_that_is_about_a_certificate_counts(list_office: Any) -> None:
    name = fingerprint(list_office.authority.certificate)
    found = plan(list_office, policy=HEAD + MEMBER.format(name) + TRAVEL)
    assert found.record.anchors[name].purposes == {
        TrustPurpose.DOCUMENTS,
        TrustPurpose.STOP_LISTS,
    }
    found = plan(list_office, policy=HEAD + TRAVEL + MEMBER.format(name))
    assert found.record.anchors == {name: TRAVEL_SCOPE}


def test_added_changed_removed_and_kept_are_told_exactly(
    list_office: Any, make_authority: Any
) -> None:
    one, two, three = (make_authority(common_name=f"TEST {n}").certificate for n in "123")
    first = plan(list_office, one, two)
    assert (set(first.added), first.removed, first.changed, first.kept) == (
        {fingerprint(one), fingerprint(two)}, (), (), 0
    )  # fmt: skip
    special = MEMBER.format(fingerprint(one)).replace('"documents", ', "")
    special = re.sub(r"(states|document_codes) = .*\n", "", special)
    second = plan(
        list_office,
        one,
        three,
        policy=HEAD + special + TRAVEL,
        present=DirectoryContents(previous=first.record),
        signed=NOW - DAY + timedelta(seconds=1),
    )
    assert second.added == (fingerprint(three),)
    assert second.removed == (fingerprint(two),)
    assert second.changed == (fingerprint(one),)
    assert second.kept == 0


def test_no_list_from_before_the_last_is_imported(list_office: Any, make_authority: Any) -> None:
    before = plan(list_office).record
    present = DirectoryContents(previous=before)
    assert plan(list_office, signed=NOW - DAY + timedelta(seconds=1), present=present).kept == 1
    for moment in (NOW - 2 * DAY, NOW - DAY):
        # Another list of the same second is no newer one, either.
        other = make_authority(common_name="TEST another").certificate
        action = partial(plan, list_office, other, signed=moment, present=present)
        assert code_of(action) == "master-list.older"


def test_the_same_list_may_come_again_under_another_policy(list_office: Any) -> None:
    der = list_office.make(at=NOW - DAY)
    trusted = ListAuthorities.from_bytes(given=[list_office.authority.certificate])
    report = verify_master_list(der, trusted=trusted, at=NOW)
    before = plan_import(report, policy_of(), present=DirectoryContents()).record
    present = DirectoryContents(previous=before)
    again = plan_import(report, policy_of(HEAD + TRAVEL.replace('"P"', '"ID"')), present=present)
    assert len(again.changed) == 1


def test_a_list_that_is_too_old_or_of_another_state_is_refused(list_office: Any) -> None:
    assert (
        code_of(
            lambda: plan(
                list_office, policy=(HEAD + TRAVEL).replace("= 30", "= 1"), signed=NOW - 2 * DAY
            )
        )
        == "master-list.too-old"
    )
    text = HEAD.replace('"VN"', '"DE"') + TRAVEL
    assert code_of(lambda: plan(list_office, policy=text)) == "master-list.country"


def test_nothing_of_a_list_is_imported_whose_signer_is_not_believed(
    list_office: Any, make_authority: Any
) -> None:
    report = verify_master_list(
        list_office.make(),
        trusted=ListAuthorities.from_bytes(given=[make_authority().certificate]),
        at=NOW,
    )
    assert (
        code_of(lambda: plan_import(report, policy_of(), present=DirectoryContents()))
        == "master-list.signer-untrusted"
    )


def test_an_import_never_touches_what_people_trust(list_office: Any) -> None:
    root = list_office.authority.certificate
    name = fingerprint(root)
    found = plan(list_office, present=DirectoryContents(certificates=(root,)))
    assert left(found) == {name: "master-list.already-trusted"}
    assert found.record.anchors == {}
    bound = {name: AnchorScope(purposes=frozenset({TrustPurpose.DOCUMENTS}))}
    found = plan(list_office, present=DirectoryContents(anchors=bound))
    assert left(found) == {name: "master-list.already-trusted"}


def test_what_a_terminal_could_not_use_is_left_out_with_a_reason(
    list_office: Any, make_authority: Any
) -> None:
    expired = make_authority(common_name="TEST old", start=NOW - 6000 * DAY).certificate
    wanted = MEMBER.format("f" * 64)
    found = plan(
        list_office, expired, list_office.certificate, b"\x30\x00", policy=HEAD + wanted + TRAVEL
    )
    assert left(found) == {
        fingerprint(expired): "master-list.not-valid",
        fingerprint(list_office.certificate): "trust.authority-invalid",
        "f" * 64: "master-list.not-listed",
    }
    assert found.not_named == 1


def test_a_link_comes_with_its_root_or_not_at_all(memory_office: Any, list_office: Any) -> None:

    with memory_office.open() as service:
        profile = load_certificate_profile("csca")
        request = AuthorityRequest(
            name="Trial", country="VN", is_test=True, distribution_point="http://pki.example/a.crl"
        )
        service.create_authority(request, profile=profile)
        service.roll_over(profile=profile)
    first, second = memory_office.state.authorities.values()
    whole = plan(list_office, second.link, second.certificate, first.certificate)
    assert len(whole.record.anchors) == 3
    assert [item.is_link for item in whole.certificates] == [False, False, True]
    # The next root stands for itself; the link has nobody who signed it.
    torn = plan(list_office, second.link, second.certificate)
    assert left(torn) == {fingerprint(second.link): "master-list.link-unproven"}


def test_more_than_terminals_read_is_refused_as_a_whole(list_office: Any) -> None:
    present = DirectoryContents(imported=256)
    assert code_of(lambda: plan(list_office, present=present)) == "master-list.too-many"


TEXTS = st.text(max_size=40)
SCOPES = st.one_of(
    st.just(TRAVEL_SCOPE),
    st.just(AnchorScope(purposes=frozenset({TrustPurpose.MASTER_LISTS}))),
)


@given(
    signer=TEXTS,
    seconds=st.integers(0, 4_000_000_000),
    anchors=st.dictionaries(st.binary(min_size=32, max_size=32).map(bytes.hex), SCOPES, max_size=4),
)
def test_imported_anchors_are_read_back_as_they_were_written(
    signer: str, seconds: int, anchors: dict[str, AnchorScope]
) -> None:
    written = ImportedAnchors(
        name="trial",
        list_fingerprint="a" * 64,
        signing_time=datetime.fromtimestamp(seconds, UTC),
        authority="b" * 64,
        signer="".join(each if each.isprintable() else "?" for each in signer),
        anchors=anchors,
    )
    data = written.to_bytes()
    assert ImportedAnchors.from_bytes(data) == written
    assert ImportedAnchors.from_bytes(data).to_bytes() == data


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 1", "format = 2"),
        ('name = "trial"', 'name = "Trial"'),
        ("signing_time = ", "signing_time = 1 # "),
        ('sha256 = "sha256:', 'sha256 = "'),
        ("[list]", "[other]"),
        ("signer = ", "extra = 1\nsigner = "),
        ("Z\n", "\n"),
        ('signer = "x"', "signer = 1"),
    ],
)
def test_imported_anchors_that_somebody_changed_are_malformed(old: str, new: str) -> None:
    data = ImportedAnchors(
        name="trial", list_fingerprint="a" * 64, signing_time=NOW, authority="b" * 64, signer="x", anchors={}
    ).to_bytes()  # fmt: skip
    changed = data.decode().replace(old, new, 1).encode()
    assert changed != data
    assert code_of(lambda: ImportedAnchors.from_bytes(changed)) == "policy.malformed"


@given(data=st.binary(max_size=200))
def test_any_bytes_are_imported_anchors_or_a_data_error(data: bytes) -> None:
    for read in (ImportedAnchors.from_bytes, ImportPolicy.from_bytes):
        with pytest.raises(PkiDataError):
            read(data)


def test_one_binding_is_for_member_cards_or_for_travel_documents() -> None:
    both = {
        "certificate": f"sha256:{'a' * 64}",
        "purposes": ["documents", "travel-documents"],
        "states": ["VNM"],
        "document_codes": ["CM"],
    }
    known = {"states": {"VNM"}, "document_codes": {"CM"}}
    with pytest.raises(PkiDataError, match="one of them"):
        read_anchors([both], **known)
    assert read_anchors([{**both, "purposes": ["documents"]}], **known)


def test_bindings_of_one_certificate_add_up_and_never_contradict() -> None:
    lists = AnchorScope(purposes=frozenset({TrustPurpose.MASTER_LISTS}))
    member = AnchorScope(
        purposes=frozenset({TrustPurpose.DOCUMENTS}),
        states=frozenset({"VNM"}),
        document_codes=frozenset({"CM"}),
    )
    both = combine_anchors({"a": lists}, [{"a": TRAVEL_SCOPE}, {"a": TRAVEL_SCOPE}])
    assert both is not None
    assert both["a"].purposes == {TrustPurpose.MASTER_LISTS, TrustPurpose.TRAVEL_DOCUMENTS}
    assert both["a"].states == {"VNM"}
    assert (
        code_of(lambda: combine_anchors({"a": member}, [{"a": TRAVEL_SCOPE}])) == "policy.malformed"
    )
    assert code_of(lambda: combine_anchors(None, [{"a": TRAVEL_SCOPE}])) == "policy.malformed"
    assert combine_anchors(None, [{}]) is None


def test_docs_list_exactly_the_codes_of_master_lists() -> None:
    code = re.compile(r"master-list\.[a-z-]+")
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((DOCS.parent / "pki").rglob("*.py"))
        if "lint" not in path.parts
    )
    given_codes = set(re.findall(rf'"({code.pattern})"', sources)) - {
        "master-list.intended",
        "master-list.issued",
    }
    # One place chooses between two endings.
    given_codes |= {"master-list.algorithm-not-allowed", "master-list.malformed"}
    given_codes |= {"master-list.signer-revoked", "master-list.revocation-unknown"}
    page = (DOCS / "master-lists.md").read_text(encoding="utf-8")
    rows = "".join(line.partition(" | ")[0] for line in page.splitlines() if line.startswith("| `"))
    assert set(re.findall(rf"`({code.pattern})`", rows)) == given_codes


def test_a_number_too_long_to_be_converted_is_no_policy() -> None:
    assert code_of(lambda: policy_of(f"format = {'1' * 4301}\n")) == "policy.malformed"
