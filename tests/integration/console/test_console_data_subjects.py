"""A person's rights in the console: what is held, who was given it, and a deletion by two people with its proof."""

import html
import json
import os
import re
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.uploads.sealed_proofs import PROOF_GRACE, PROOF_LIFETIME, SealedProofs
from tests.integration.console.conftest import SEALER
from tests.integration.console.strict_page import StrictPage
from tests.integration.console.test_console_decisions import stepped_up
from tests.integration.console.test_console_exchange_walk import Drawn
from tests.integration.console.test_console_member_acts import PDF, SCRIPT, key


@pytest.fixture
def dao(office_on_either: Any) -> str:
    (member,) = office_on_either.add_members(names=("Đỗ Thị Đào",), organisation="C-011")
    return str(member)


def number_of(office: Any, member: str) -> str:
    return str(office.client("lan").get(f"/v1/members/{member}").json()["record_number"])


def propose(client: Any, member: str, *, evidence: bytes | None = PDF, **fields: str) -> Any:
    typed = {"once": key(), "ground": "ordered-by-authority", "reference": "lệnh 7"} | fields
    files: dict[str, Any] = {name: (None, text) for name, text in typed.items()}
    if evidence is not None:
        files["evidence"] = ("order.pdf", evidence, "application/pdf")
    return client.send("POST", f"/members/{member}/data/deletion", files=files)


def confirm(client: Any, member: str, number: str, *, once: str | None = None) -> Any:
    fields = {"once": once or key(), "record_number": number}
    return client.post(f"/members/{member}/data/deletion/confirm", fields)


def test_what_waits_is_listed_page_by_page(
    office_on_either: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("issuer.api.pages.subject_pages._PAGE", 2)
    office = office_on_either
    members = office.add_members(5)
    (elsewhere,) = office.add_members(1, organisation="P-02")
    for member in members:
        assert propose(office.client("hoa"), member).status_code == 303
    assert propose(office.client("lan"), elsewhere).status_code == 303
    for name, wanted in (("hoa", members), ("lan", [*members, elsewhere])):
        client, address, found = office.client(name), "/deletions", list[str]()
        while address:
            page = client.get(address).text
            StrictPage(page)
            shown = re.findall(r'class="row" href="/members/([0-9a-f-]+)/data"', page)
            assert 1 <= len(shown) <= 2
            found += shown
            following = re.search(r'rel="next" href="([^"]+)"', page)
            address = "" if following is None else html.unescape(following[1])
        assert sorted(found) == sorted(wanted)
    assert office.client("hoa").get("/deletions?cursor=x").status_code == 400


def test_one_proposes_another_deletes_and_the_proof_is_fetched(
    office_on_either: Any, dao: str
) -> None:
    office = office_on_either
    clerk, number = office.client("hoa"), number_of(office, dao)
    assert "Personal data" in clerk.get(f"/members/{dao}").text
    page = clerk.get(f"/members/{dao}/data")
    assert "What is destroyed for ever" in page.text
    done = propose(clerk, dao)
    assert (done.status_code, done.headers["location"]) == (
        303, f"/members/{dao}/data?done=proposed",
    )  # fmt: skip
    # Whoever proposed is offered no confirmation; a decider shows the key first, and then types the number.
    assert "deletion/confirm" not in clerk.get(f"/members/{dao}/data").text
    late = office.client("minh")
    assert f"/second-factor?next=/members/{dao}/data" in late.get(f"/members/{dao}/data").text
    assert f"/members/{dao}/data" in late.get("/deletions").text
    refused = confirm(late, dao, number)
    assert (refused.status_code, refused.headers["location"][:14]) == (303, "/second-factor")
    decider = stepped_up(office, "minh")
    assert f"Type the record number {number}" in decider.get(f"/members/{dao}/data").text
    assert decider.get(f"/members/{dao}/data/deletion/document").content == PDF
    wrong = confirm(decider, dao, "000000XX")
    assert (wrong.status_code, "<code>subject.number-differs</code>" in wrong.text) == (422, True)
    assert clerk.get(f"/members/{dao}").status_code == 200
    once = key()
    for _ in range(2):
        gone = confirm(decider, dao, f" {number.lower()} ", once=once)
        assert (gone.status_code, gone.headers["location"]) == (303, f"/deletions/{dao}")
    assert clerk.get(f"/members/{dao}").status_code == 404
    assert clerk.get(f"/members/{dao}/data").status_code == 404
    # The proof is for whoever confirmed it, and for nobody else.
    assert "No proof waits here for you." in clerk.get(f"/deletions/{dao}").text
    assert clerk.post(f"/deletions/{dao}/proof", {}).status_code == 404
    assert "Download the proof" in decider.get(f"/deletions/{dao}").text
    proof = decider.post(f"/deletions/{dao}/proof", {})
    assert proof.headers["content-disposition"].startswith("attachment")
    document = json.loads(proof.content)
    deleted = [each for each in office.trail() if each.action == "subject.deleted"]
    assert [each.details["digest"] for each in deleted] == [document["digest"]]
    assert document["destroyed"]["documents"] == 1
    assert (deleted[0].account, deleted[0].details["proposed_by"]) == ("minh", "hoa")


def test_nobody_deletes_alone_or_elsewhere(office_on_either: Any, dao: str) -> None:
    office = office_on_either
    number = number_of(office, dao)
    both = office.add_person("both", Role.CLERK, Role.DECIDER)
    assert propose(office.client(both), dao).status_code == 303
    own = confirm(stepped_up(office, both), dao, number)
    assert (own.status_code, "<code>right.same-person</code>" in own.text) == (403, True)
    elsewhere = office.add_person("elsewhere", Role.CLERK, Role.DECIDER, organisation="P-02")
    other = stepped_up(office, elsewhere)
    assert other.get(f"/members/{dao}/data").status_code == 404
    assert confirm(other, dao, number).status_code == 404
    assert propose(other, dao).status_code == 404
    assert other.post(
        f"/members/{dao}/data/deletion/withdraw", {"once": key()}
    ).status_code == 404  # fmt: skip
    assert dao not in other.get("/deletions").text
    endorser = office.client(office.add_person("endorser", Role.ENDORSER))
    assert endorser.get(f"/members/{dao}/data").status_code == 404
    assert "Personal data" not in endorser.get(f"/members/{dao}").text
    assert endorser.get("/deletions").status_code == 403
    assert confirm(office.client("lan"), dao, number).status_code == 403
    assert office.client("lan").get(f"/members/{dao}").status_code == 200


def test_whoever_has_one_right_here_and_another_elsewhere_takes_part_with_the_one_that_is_here(
    office: Any,
) -> None:
    (dao,) = office.add_members(1, organisation="C-011")
    assert propose(office.client("hoa"), dao).status_code == 303
    mixed = office.add_person("mixed", Role.CLERK, organisation="P-02")
    with office.register.writing() as transaction:
        account = transaction.people.get(AccountName(mixed))
        here = Assignment(role=Role.DECIDER, organisation=OrganisationCode("P-01"))
        transaction.people.replace(replace(account, assignments=(*account.assignments, here)))
    client = stepped_up(office, mixed)
    assert client.get(f"/members/{dao}/data/deletion/document").content == PDF
    done = client.post(f"/members/{dao}/data/deletion/withdraw", {"once": key()})
    assert done.headers["location"] == f"/members/{dao}/data?done=withdrawn"
    assert "the proposal is withdrawn" in client.get(done.headers["location"]).text


REFUSED: tuple[tuple[dict[str, str], bytes | None, str], ...] = (
    ({"ground": "membership-ended"}, None, "subject.still-member"),
    ({"ground": "ordered-by-authority"}, None, "subject.order-missing"),
    ({"ground": "recorded-in-error", "reference": " "}, None, "disclosure.reference"),
    ({"ground": "recorded-in-error", "reference": "x" * 300}, None, "disclosure.reference"),
    ({}, b"MZ a program", "evidence.kind"),
)


def test_a_deletion_that_cannot_be_is_told_with_what_was_typed(office: Any) -> None:
    (member,) = office.add_members(1)
    client = office.client("lan")
    for typed, evidence, code in REFUSED:
        page = propose(client, member, evidence=evidence, **typed)
        assert page.status_code in {409, 422}, code
        assert f"<code>{code}</code>" in page.text
        assert typed.get("reference", "lệnh 7") in page.text
    unknown = propose(client, member, ground="<b>")
    assert (unknown.status_code, "api.request-invalid" in unknown.text) == (422, True)


def test_disclosures_are_written_down_once_and_shown(office_on_either: Any, dao: str) -> None:
    client = office_on_either.client("lan")
    fields = {
        "once": key(), "recipient": "Ủy ban Kiểm tra", "ground": "inspection",
        "reference": "12-CV", "what": "họ tên",
    }  # fmt: skip
    address = f"/members/{dao}/data/disclosures"
    for _ in range(2):
        assert client.post(address, fields).status_code == 303
    page = client.get(f"/members/{dao}/data")
    assert page.text.count("12-CV") == 1
    for recipient in (" ", SCRIPT):
        odd = client.post(address, fields | {"once": key(), "recipient": recipient})
        assert (odd.status_code, "<code>disclosure.recipient</code>" in odd.text) == (422, True)
        assert 'value="12-CV"' in odd.text
        assert SCRIPT not in odd.text
    # A decider deletes, and serves nobody: the log is not theirs to read.
    assert "12-CV" not in office_on_either.client("minh").get(f"/members/{dao}/data").text
    assert office_on_either.client("minh").post(address, fields).status_code == 403


def test_an_extract_takes_the_key_and_stands_in_the_log(office: Any) -> None:
    (member,) = office.add_members(names=("Đỗ Thị Đào",))
    address, fields = f"/members/{member}/data/extract", {"reference": "đơn 7", "kind": "json"}
    plain = office.client("lan")
    assert "/second-factor?next=" in plain.get(f"/members/{member}/data").text
    refused = plain.post(address, fields)
    assert (refused.status_code, refused.headers["location"][:14]) == (303, "/second-factor")
    subjects = replace(office.services.subjects, portraits=Drawn())
    client = stepped_up(office.with_services(subjects=subjects), "lan")
    found = client.post(address, fields)
    assert found.headers["content-disposition"] == (f'attachment; filename="extract-{member}.json"')
    assert found.headers["cache-control"] == "no-store"
    assert json.loads(found.content)["statement"]["name"]["full"] == "Đỗ Thị Đào"
    assert client.post(address, fields | {"kind": "pdf"}).content.startswith(b"%PDF-")
    page = client.get(f"/members/{member}/data")
    assert page.text.count("đơn 7") == 2
    assert "everything that is held" in page.text
    empty = client.post(address, fields | {"reference": ""})
    assert (empty.status_code, "<code>disclosure.reference</code>" in empty.text) == (422, True)
    assert client.post(address, fields | {"kind": "exe"}).status_code == 422
    assert office.client("minh").post(address, fields).status_code == 403


def test_a_proof_that_cannot_be_kept_deletes_nothing(office: Any, tmp_path: Path) -> None:
    (member,) = office.add_members(1)
    propose(office.client("hoa"), member)
    (tmp_path / "deletion-proofs").write_bytes(b"no folder")
    answer = confirm(stepped_up(office, "minh"), member, number_of(office, member))
    assert (answer.status_code, "upload.unavailable" in answer.text) == (503, True)
    assert office.client("hoa").get(f"/members/{member}").status_code == 200


def test_a_proof_is_sealed_for_one_account_and_goes_an_hour_after_it_was_fetched(
    office: Any, tmp_path: Path
) -> None:
    now = office.services.now()
    clock = [now]
    proofs = SealedProofs(tmp_path / "proofs", lambda: SEALER, lambda: clock[0])
    member = MemberId(uuid.UUID(int=5))
    minh, son = AccountName("minh"), AccountName("son")
    proofs.keep(member, minh, b"a proof with its salt")
    (file,) = (tmp_path / "proofs").iterdir()
    assert b"salt" not in file.read_bytes()
    assert (proofs.has(member, minh), proofs.has(member, son)) == (True, False)
    clock[0] = now + timedelta(days=10)
    assert proofs.fetch(member, minh) == b"a proof with its salt"
    clock[0] += PROOF_GRACE - timedelta(minutes=1)
    assert proofs.fetch(member, minh) == b"a proof with its salt"
    # To fetch it again does not put it off.
    clock[0] += timedelta(minutes=2)
    with pytest.raises(IssuerRefusedError) as gone:
        proofs.fetch(member, minh)
    assert gone.value.code == "subject.proof-gone"
    assert not file.exists()
    clock[0] = now
    proofs.keep(member, minh, b"another")
    clock[0] = now + PROOF_LIFETIME + timedelta(minutes=1)
    assert not proofs.has(member, minh)
    if os.getuid() != 0:
        (tmp_path / "proofs").chmod(0o500)
        with pytest.raises(IssuerUnavailableError):
            proofs.keep(member, minh, b"x")
        (tmp_path / "proofs").chmod(0o700)


def test_the_page_of_a_persons_data_speaks_vietnamese(office: Any) -> None:
    (member,) = office.add_members(1)
    client = office.client("lan")
    client.headers["accept-language"] = "vi"
    page = client.get(f"/members/{member}/data")
    assert "Những gì bị hủy vĩnh viễn" in page.text
    assert "Dữ liệu đã cung cấp cho ai" in page.text
