"""The audit trail for programs: page by page, one record, where it ends, and the check as an operation."""

import hashlib
import json
import secrets
import uuid
from typing import Any

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import ChainedRecord
from issuer.domain.rights import AccountName, Role
from issuer.services.audit_office import AUDIT_TRAIL, CHECKPOINTED


def note(office: Any, action: str, **details: int | str) -> None:
    with office.register.writing() as transaction:
        transaction.audit.append(
            AuditRecord(
                at=office.services.now(),
                account=AccountName("system"),
                action=action,
                subject=AuditSubject.SERVICE,
                subject_id=AUDIT_TRAIL,
                details=details,
            )
        )


def test_an_auditor_reads_the_trail_page_by_page_and_no_names(office: Any) -> None:
    (member,) = office.add_members(names=["Nguyễn Thị Hòa"])
    for _ in range(5):
        office.client("lan").get(f"/members/{member}")
    client = office.client("tuan", is_program=True)
    path = (
        f"/v1/audit/records?limit=2&account=lan&subject=member&subject_id={uuid.UUID(member).hex}"
    )
    seen: list[Any] = []
    cursor = ""
    while True:
        page = client.get(path + cursor)
        assert "Nguyễn" not in page.text
        seen += page.json()["records"]
        if page.json().get("next") is None:
            break
        cursor = f"&cursor={page.json()['next']}"
    assert [each["action"] for each in seen] == ["member.read"] * 5
    numbers = [each["sequence"] for each in seen]
    assert numbers == sorted(numbers, reverse=True)
    one = client.get(f"/v1/audit/records/{numbers[0]}").json()
    assert one == seen[0]
    # The same cursor is none of another selection, nor of another account.
    other = client.get(f"/v1/audit/records?limit=2&account=hoa{cursor}").json()
    assert other["code"] == "api.cursor-invalid"


def test_a_program_can_recompute_the_chain_from_what_it_read(office: Any) -> None:
    for _ in range(3):
        office.client("lan")
    client = office.client("tuan", is_program=True)
    records = client.get("/v1/audit/records").json()["records"][::-1]
    head = client.get("/v1/audit/head").json()
    before = hashlib.sha256(
        b"membercard audit trail v1\x00" + bytes.fromhex(head["trail"])
    ).digest()
    for each in records:
        with office.register.reading() as transaction:
            stored: ChainedRecord = transaction.audit.at(each["sequence"])
        fields = [
            each["sequence"], stored.at.isoformat(timespec="microseconds"), each["account"],
            each["action"], each["subject"], each["subject_id"], each["organisation"], each["details"],
        ]  # fmt: skip
        text = json.dumps(fields, separators=(",", ":")).encode("ascii")
        before = hashlib.sha256(b"membercard audit record v1\x00" + before + text).digest()
        assert before.hex() == each["digest"]
    assert (head["sequence"], head["digest"]) == (len(records), before.hex())


def test_the_head_tells_the_last_checkpoint_behind_however_many_exports(office: Any) -> None:
    client = office.client("tuan", is_program=True)
    assert client.get("/v1/audit/head").json()["checkpoint"] is None
    for sequence in (1, 2):
        note(office, CHECKPOINTED, sequence=sequence, digest="ab" * 32, log_size=7)
    for _ in range(25):
        note(office, "audit.exported", records=3)
    head = client.get("/v1/audit/head").json()
    found = head["checkpoint"]
    assert (found["sequence"], found["digest"], found["log_size"]) == (2, "ab" * 32, 7)
    assert head["sequence"] == len(office.trail())
    note(office, CHECKPOINTED, sequence="?")
    broken = client.get("/v1/audit/head")
    assert (broken.status_code, broken.json()["code"]) == (503, "audit.unreadable")


def test_the_trail_is_checked_by_an_operation(office: Any) -> None:
    client = office.client("tuan", is_program=True)
    key = {"idempotency-key": secrets.token_urlsafe(24)}
    begun = client.send("POST", "/v1/audit/verification", headers=key)
    assert (begun.status_code, begun.json()["kind"]) == (202, "verify-audit")
    again = client.send("POST", "/v1/audit/verification", headers=key)
    assert again.headers["location"] == begun.headers["location"]
    assert client.get(begun.headers["location"]).json()["id"] == begun.json()["id"]


def test_a_question_that_is_none_is_refused(office: Any) -> None:
    client = office.client("tuan", is_program=True)
    for question in (
        "subject=nothing", "subject_id=x", "limit=0", "limit=201", "account=", "since=2026", "cursor=x",
        "subject=member&subject_id=" + "x" * 129,
    ):  # fmt: skip
        answer = client.get(f"/v1/audit/records?{question}")
        assert answer.json()["code"] in ("api.request-invalid", "api.cursor-invalid"), question


def test_who_is_no_auditor_sees_nothing_and_one_of_a_part_sees_its_part(office: Any) -> None:
    first, second = (office.add_members(1, organisation=each)[0] for each in ("P-01", "P-02"))
    for member in (first, second):
        office.client("lan").get(f"/members/{member}")
    paths = ("/v1/audit/records", "/v1/audit/records/1", "/v1/audit/head")
    for name in ("lan", "minh", "van", "nobody"):
        for path in paths:
            answer = office.client(name, is_program=True).get(path)
            assert (answer.status_code, answer.json()["code"]) == (403, "right.missing")
        sent = office.client(name).send(
            "POST", "/v1/audit/verification", headers={"idempotency-key": secrets.token_urlsafe(24)}
        )
        assert sent.json()["code"] == "right.missing"
    office.add_person("of-one", Role.AUDITOR, organisation="P-01")
    part = office.client("of-one", is_program=True)
    found = part.get("/v1/audit/records?subject=member").json()["records"]
    assert {each["subject_id"] for each in found} == {uuid.UUID(first).hex}
    assert part.get("/v1/audit/head").json()["code"] == "right.missing"
    whole = office.client("tuan", is_program=True)
    others = whole.get(f"/v1/audit/records?subject=member&subject_id={uuid.UUID(second).hex}")
    number = others.json()["records"][0]["sequence"]
    for wanted in (number, 10**9):
        hidden = part.get(f"/v1/audit/records/{wanted}")
        assert (hidden.status_code, hidden.json()["code"]) == (404, "audit.unknown-record")
