"""The central service: who is answered, what is judged, and that no client's word is taken for a proof."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pki.card_verifiable.authorisation import Role
from pki.signed.card_states import CardState
from simulators.authority import TestAuthority
from simulators.trust_directory import TEST_POLICY
from tests.unit.verifier.centre_stage import HOLDER, Stage, open_stage
from tests.unit.verifier.status_office import reference_of
from tests.unit.verifier.terminal_hierarchy import Hierarchy, reference
from verifier.centre.errors import CentreError
from verifier.centre.inspections import without_claims
from verifier.inspection.snapshot import CardSnapshot, ChipEvidence, ChipOutcome

HEALTH = json.dumps({"version": "0.1.0", "bundle_number": 3, "journal_sequence": 12}).encode()
SELF = "/v1/terminals/self/health"


@pytest.fixture
def stage(
    tmp_path: Path, test_pki: TestAuthority, now: datetime, accepted_snapshot: CardSnapshot
) -> Iterator[Stage]:
    with open_stage(
        tmp_path,
        authority=test_pki,
        now=now,
        reference=reference_of(accepted_snapshot),
        state=CardState.SUSPENDED,
    ) as opened:
        yield opened


def code_of(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_a_terminal_that_is_enrolled_is_heard_of(stage: Stage) -> None:
    answer = stage.signed("POST", SELF, HEALTH)
    assert answer.status_code == 200, answer.text
    assert answer.json()["newest_bundle"] == 1
    found = stage.centre.register.find(HOLDER)
    assert found is not None
    assert found.health is not None
    assert (found.health.bundle_number, found.health.journal_sequence) == (3, 12)
    assert found.seen_at == stage.clock()
    assert found.clock_offset_seconds == 0


def test_an_older_word_does_not_replace_a_later_one(stage: Stage, now: datetime) -> None:
    stage.signed("POST", SELF, HEALTH)
    older = json.dumps({"version": "0.0.1"}).encode()
    assert stage.signed("POST", SELF, older, at=now - timedelta(minutes=1)).status_code == 200
    found = stage.centre.register.find(HOLDER)
    assert found is not None
    assert found.health is not None
    assert found.health.version == "0.1.0"


def test_who_does_not_sign_is_not_heard(stage: Stage) -> None:
    answer = stage.ask("POST", SELF, content=HEALTH, headers={"content-type": "application/json"})
    assert code_of(answer) == (401, "centre.signature-missing")
    assert answer.headers["www-authenticate"] == "Signature"


def test_what_was_signed_for_another_address_body_or_method_counts_for_nothing(
    stage: Stage,
) -> None:
    wrong = (401, "centre.signature-invalid")
    for target in ("https://evil.example" + SELF, f"https://centre.example{SELF}?x=1"):
        assert code_of(stage.signed("POST", SELF, HEALTH, target=target)) == wrong
    stage.changes = lambda headers: {
        **headers,
        "content-digest": "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:",
    }
    assert code_of(stage.signed("POST", SELF, HEALTH)) == (401, "centre.signature-malformed")


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_request_counts_no_more_and_a_future_one_not_yet(
    stage: Stage, now: datetime, minutes: int
) -> None:
    answer = stage.signed("POST", SELF, HEALTH, at=now + timedelta(minutes=minutes))
    assert code_of(answer) == (401, "centre.request-stale")


@pytest.mark.parametrize(
    "header", ["membercard-certificates", "content-digest", "signature-input", "signature"]
)
def test_half_a_signature_is_none(stage: Stage, header: str) -> None:
    stage.changes = lambda headers: {key: headers[key] for key in headers if key != header}
    assert code_of(stage.signed("POST", SELF, HEALTH)) == (401, "centre.signature-malformed")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("signature-input", 'terminal=("@method");created=1;keyid="VNGATE100001";tag="x"'),
        ("signature", "terminal=:!!!!:"),
        ("signature", "other=:AAAA:"),
        ("membercard-certificates", ":AAAA:"),
        ("membercard-certificates", ", ".join([":AAAA:"] * 9)),
        ("membercard-certificates", ":" + "A" * 13000 + ":"),
    ],
)
def test_other_headers_than_agreed_are_refused(stage: Stage, header: str, value: str) -> None:
    stage.changes = lambda headers: {**headers, header: value}
    assert code_of(stage.signed("POST", SELF, HEALTH)) == (401, "centre.signature-malformed")


def test_a_terminal_of_another_root_is_nobody(stage: Stage, now: datetime) -> None:
    other = Hierarchy(day=now.date())
    stage.chain = (other.office(), other.terminal())
    stage.credentials = other.credentials(other.root(), *stage.chain)
    assert code_of(stage.signed("POST", SELF, HEALTH)) == (401, "centre.signature-invalid")


def test_a_document_verifier_is_no_terminal(stage: Stage) -> None:
    stage.chain = stage.chain[:1]
    assert code_of(stage.signed("POST", SELF, HEALTH)) == (401, "centre.signature-invalid")


def test_an_expired_certificate_signs_nothing(stage: Stage, now: datetime) -> None:
    expired = stage.hierarchy.terminal(end=now.date() - timedelta(days=1))
    stage.chain = (stage.chain[0], expired)
    stage.credentials = stage.hierarchy.credentials(stage.hierarchy.root(), *stage.chain)
    assert code_of(stage.signed("POST", SELF, HEALTH)) == (401, "centre.signature-invalid")


def test_a_key_that_is_named_and_not_certified_is_refused(stage: Stage) -> None:
    stage.changes = lambda headers: {
        **headers,
        "signature-input": headers["signature-input"].replace("VNGATE100001", "VNGATE200001"),
    }
    assert code_of(stage.signed("POST", SELF, HEALTH)) == (401, "centre.signature-invalid")


def test_a_certified_terminal_that_is_not_enrolled_or_blocked_is_refused(stage: Stage) -> None:
    gate = reference("GATE2")
    certificate = stage.hierarchy.certificate(gate, reference("OFFICES"), Role.TERMINAL)
    before = (stage.chain, stage.credentials)
    stage.chain = (stage.chain[0], certificate)
    stage.credentials = stage.hierarchy.credentials(stage.hierarchy.root(), *stage.chain)
    assert code_of(stage.signed("POST", SELF, HEALTH)) == (403, "centre.terminal-unknown")
    stage.chain, stage.credentials = before
    assert stage.signed("POST", SELF, HEALTH).status_code == 200
    stage.centre.register.block(HOLDER, reason="stolen", now=stage.clock())
    assert code_of(stage.signed("POST", SELF, HEALTH)) == (403, "centre.terminal-blocked")
    # Bundles are for everybody; whoever signs as a blocked terminal gets nothing at all.
    assert code_of(stage.signed("GET", "/v1/readiness")) == (403, "centre.terminal-blocked")


def test_a_terminal_is_enrolled_once_and_blocked_once(stage: Stage, now: datetime) -> None:
    register = stage.centre.register
    for action, code in (
        (lambda: register.enrol(HOLDER, organisation="x", now=now), "centre.terminal-exists"),
        (lambda: register.block("VNNONE", reason="x", now=now), "centre.terminal-unknown"),
    ):
        with pytest.raises(CentreError) as caught:
            action()
        assert caught.value.code == code


def test_the_status_of_a_card_is_for_enrolled_terminals(
    stage: Stage, accepted_snapshot: CardSnapshot
) -> None:
    place = reference_of(accepted_snapshot)
    question = {"list_id": place.list_id.hex(), "index": place.index}
    body = json.dumps(question).encode()
    json_type = {"content-type": "application/json"}
    assert code_of(stage.ask("POST", "/v1/card-status", content=body, headers=json_type)) == (
        401,
        "centre.signature-missing",
    )
    assert stage.signed("POST", "/v1/card-status", body).json()["state"] == "suspended"
    beyond = json.dumps({**question, "index": 2**40}).encode()
    answer = stage.signed("POST", "/v1/card-status", beyond).json()
    assert answer["state"] is None
    assert answer["list_number"] == 1


def test_a_signed_snapshot_is_judged_with_all_its_evidence(
    stage: Stage, accepted_snapshot: CardSnapshot
) -> None:
    answer = stage.signed("POST", "/v1/inspections", accepted_snapshot.to_json().encode())
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["assurance"] == "data-and-chip"
    assert report["codes"] == ["status.suspended"]


def test_an_unsigned_snapshot_never_proves_a_chip(
    stage: Stage, accepted_snapshot: CardSnapshot
) -> None:
    """The client says that the chip has proven itself: that is a claim, and is left out."""
    assert accepted_snapshot.chip.outcome is ChipOutcome.PROVEN
    answer = stage.ask(
        "POST",
        "/v1/inspections",
        content=accepted_snapshot.to_json().encode(),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["assurance"] == "data"
    assert report["verdict"] == "refused"
    assert "chip-authentication.not-performed" in report["codes"]
    assert "holder" not in report


def test_what_is_left_of_an_unsigned_snapshot_is_what_others_signed(
    accepted_snapshot: CardSnapshot,
) -> None:
    left = without_claims(accepted_snapshot)
    assert left.chip == ChipEvidence()
    assert (left.active_authentication, left.terminal, left.portrait) == (None, None, None)
    assert left.files == accepted_snapshot.files


def test_a_purpose_without_the_chip_may_accept_the_data_alone(
    tmp_path: Path, test_pki: TestAuthority, now: datetime, accepted_snapshot: CardSnapshot
) -> None:
    policy = TEST_POLICY.replace('  "chip.authentication",\n', "").replace(
        '"chip.authentication", ', ""
    )
    assert "chip.authentication" not in policy
    with open_stage(tmp_path, authority=test_pki, now=now, policy=policy) as stage:
        report = stage.ask(
            "POST",
            "/v1/inspections",
            content=accepted_snapshot.to_json().encode(),
            headers={"content-type": "application/json"},
        ).json()
    assert (report["verdict"], report["assurance"]) == ("accepted", "data")


def test_an_old_reading_is_not_passed_off_as_a_new_one(
    stage: Stage, accepted_snapshot: CardSnapshot, now: datetime
) -> None:
    old = replace(accepted_snapshot, read_at=now - timedelta(minutes=11))
    answer = stage.signed("POST", "/v1/inspections", old.to_json().encode())
    assert code_of(answer) == (422, "centre.reading-old")


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (b"{", "application/json", (422, "snapshot.malformed")),
        (b"\xff", "application/json", (400, "centre.body-malformed")),
        (b"{}", "text/plain", (415, "centre.media-type")),
        (b" " * (4 * 1024 * 1024 + 1), "application/json", (413, "centre.body-too-large")),
    ],
)
def test_a_body_that_is_no_snapshot_is_refused(
    stage: Stage, body: bytes, media_type: str, expected: tuple[int, str]
) -> None:
    answer = stage.ask(
        "POST", "/v1/inspections", content=body, headers={"content-type": media_type}
    )
    assert code_of(answer) == expected


def test_a_body_of_two_types_is_refused(stage: Stage) -> None:
    types = [("content-type", "text/plain"), ("content-type", "application/json")]
    answer = stage.ask("POST", "/v1/inspections", content=b"{}", headers=types)
    assert code_of(answer) == (400, "centre.request-malformed")


def test_an_unknown_purpose_is_refused(stage: Stage, accepted_snapshot: CardSnapshot) -> None:
    answer = stage.ask(
        "POST",
        "/v1/inspections?purpose=nothing",
        content=accepted_snapshot.to_json().encode(),
        headers={"content-type": "application/json"},
    )
    assert code_of(answer) == (422, "policy.unknown-purpose")


@pytest.mark.parametrize(
    ("method", "path", "more", "expected"),
    [
        ("GET", "/v1/nothing", {}, (404, "centre.not-found")),
        ("PUT", "/v1/health", {}, (405, "centre.method")),
        ("GET", "/v1/health?a=1&a=2", {}, (400, "centre.request-malformed")),
        ("GET", "/v1/health?" + "a" * 3000, {}, (400, "centre.request-malformed")),
        ("GET", "/v1/health", {"content": b"x"}, (400, "centre.request-malformed")),
        ("GET", "/v1/bundles/..%2F..%2Fcentre.sqlite", {}, (404, "centre.not-found")),
        ("GET", "/v1/bundles/centre.sqlite", {}, (422, "centre.request-invalid")),
        ("GET", "/v1/bundles/none.bundle", {}, (404, "centre.not-found")),
    ],
)
def test_what_is_not_described_is_a_problem(
    stage: Stage, method: str, path: str, more: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert code_of(stage.ask(method, path, **more)) == expected


def test_health_and_readiness_tell_which_bundle_counts(stage: Stage, now: datetime) -> None:
    assert stage.ask("GET", "/v1/health").json() == {"status": "alive"}
    assert stage.ask("HEAD", "/v1/health").content == b""
    ready = {"status": "ready", "bundle_number": 1, "stale": False}
    assert stage.ask("GET", "/v1/readiness").json() == ready
    stage.clock.time = now + timedelta(days=31)
    assert stage.ask("GET", "/v1/readiness").json()["stale"] is True


def test_a_file_has_an_entity_tag_and_ranges(stage: Stage) -> None:
    content = bytes(range(256))
    (stage.places.files / "1-a.bundle").write_bytes(content)
    whole = stage.ask("GET", "/v1/bundles/1-a.bundle")
    assert whole.content == content
    tag = whole.headers["etag"]
    assert "immutable" in whole.headers["cache-control"]
    again = stage.ask("GET", "/v1/bundles/1-a.bundle", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    for value, begin, end in (("bytes=250-", 250, 255), ("bytes=10-19", 10, 19)):
        part = stage.ask("GET", "/v1/bundles/1-a.bundle", headers={"range": value, "if-range": tag})
        assert part.status_code == 206
        assert part.content == content[begin : end + 1]
        assert part.headers["content-range"] == f"bytes {begin}-{end}/256"
    other = {"range": "bytes=250-", "if-range": '"another"'}
    assert stage.ask("GET", "/v1/bundles/1-a.bundle", headers=other).content == content
    beyond = stage.ask("GET", "/v1/bundles/1-a.bundle", headers={"range": "bytes=256-"})
    assert code_of(beyond) == (416, "centre.range")


def test_a_rightly_signed_request_that_names_another_key_is_refused(stage: Stage) -> None:
    class Liar:
        holder_reference = reference("GATE2")
        sign = stage.credentials.sign

    stage.credentials = Liar()  # type: ignore[assignment]
    answer = stage.signed("POST", SELF, HEALTH)
    assert code_of(answer) == (401, "centre.signature-invalid")
    assert "is not that of the certificate" in answer.json()["detail"]
