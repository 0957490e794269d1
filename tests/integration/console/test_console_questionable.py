"""Questionable rows in the console: beside whom they resemble, and decided once, with a reason."""

import uuid
from typing import Any

import pytest

from issuer.domain.list_row import Cell, Finding
from issuer.domain.member import PortraitDigest
from issuer.domain.member_change import CHANGEABLE, field_text
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.import_ports import ImportChunk, QuestionableContent
from tests.integration.console.conftest import member
from tests.integration.console.strict_page import StrictPage

DOUBT = Finding(
    row=2, column="full_name", code="member.alike", sentence="the register has somebody alike"
)
PICTURE = b"\xff\xd8 the row's portrait"


def cells_of(name: str, number: int, organisation: str = "P-01") -> dict[str, Cell]:
    statement = member(number, name, organisation).statement
    cells: dict[str, Cell] = {each.value: field_text(statement, each) for each in CHANGEABLE}
    return cells | {
        "earlier_card_number": f"97.{number:06}", "portrait": "a.jpg",
        "primary_name": None, "secondary_name": None,
    }  # fmt: skip


def add_rows(
    office: Any,
    *names: str,
    organisation: str = "P-01",
    digest: bytes = bytes(32),
    **changes: Cell,
) -> int:
    """An import whose rows all wait; its number."""
    rows = range(2, 2 + len(names))
    cells = [
        cells_of(name, 900 + digest[0] * 50 + row, organisation) | changes
        for row, name in zip(rows, names, strict=True)
    ]
    now = office.services.now()
    with office.register.writing() as transaction:
        record = transaction.imports.begin(
            list_digest=digest, account=AccountName("lan"), at=now, row_count=len(names)
        )
        chunk = ImportChunk(
            outcomes=[
                RowOutcome(row=row, result=RowResult.QUESTIONABLE, findings=(DOUBT,))
                for row in rows
            ],
            holding=frozenset(rows),
            contents={
                row: QuestionableContent(
                    cells=each, portrait=PICTURE, source=PortraitDigest(bytes(32))
                )
                for row, each in zip(rows, cells, strict=True)
            },
            organisations={row: OrganisationCode(organisation) for row in rows},
        )
        record = transaction.imports.store(record, chunk)
        record = transaction.imports.finish(record, at=now)
    return int(record.number)


def test_a_row_stands_beside_whom_it_resembles_with_both_portraits(office: Any) -> None:
    (known,) = office.add_members(names=["Nguyễn Thị Hòa"])
    number = add_rows(office, "Nguyễn Thị Hoà")
    client = office.client("lan")
    rows = client.get("/questionable")
    here = f"/questionable/{number}/2"
    assert here in StrictPage(rows.text).links()
    assert "the register has somebody alike" in rows.text
    assert "có thể trùng người" in client.get("/questionable", **{"accept-language": "vi"}).text
    answer = client.get(here)
    page = StrictPage(answer.text)
    pictures = [each["src"] for tag, each in page.tags if tag == "img"]
    assert f"{here}/portrait" in pictures
    assert f"/v1/members/{known}/portrait" in pictures
    # Born on the same day, of another number: what differs is marked, what does not is not.
    assert answer.text.count('class="differs"') >= 2
    assert "03/02/1990" in answer.text
    portrait = client.get(f"{here}/portrait")
    assert (portrait.content, portrait.headers["content-type"]) == (PICTURE, "image/jpeg")
    reads = [each for each in office.trail() if each.account == "lan"]
    assert {"import.row-read", "member.read"} <= {each.action for each in reads}
    assert uuid.UUID(known).hex in {each.subject_id for each in reads}


def test_an_accepted_row_becomes_a_member_and_a_refused_one_does_not(office: Any) -> None:
    number = add_rows(office, "Trần Văn Bình", "Lê Thị Cúc")
    client = office.client("lan")
    done = client.post(
        f"/questionable/{number}/2", {"decision": "accept", "reason": "two people, seen both"}
    )
    assert (done.status_code, done.headers["location"]) == (303, "/questionable")
    client.post(f"/questionable/{number}/3", {"decision": "refuse", "reason": "the same person"})
    names = client.get("/members").text
    assert "Trần Văn Bình" in names
    assert "Lê Thị Cúc" not in names
    assert f"/questionable/{number}" not in client.get("/questionable").text
    # Once: the second decision finds nothing to decide on.
    again = client.post(f"/questionable/{number}/2", {"decision": "refuse", "reason": "no"})
    assert again.status_code == 409
    assert "questionable.decided" in again.text
    assert client.get(f"/questionable/{number}/2").status_code == 409
    actions = [each.action for each in office.trail()]
    assert actions.count("import.row-accepted") == 1
    assert actions.count("import.row-refused") == 1


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "two\nlines"])
def test_a_decision_says_why(office: Any, reason: str) -> None:
    number = add_rows(office, "Trần Văn Bình")
    client = office.client("lan")
    answer = client.post(f"/questionable/{number}/2", {"decision": "accept", "reason": reason})
    assert answer.status_code == 422
    assert "questionable.reason" in answer.text
    StrictPage(answer.text)
    nothing = client.post(f"/questionable/{number}/2", {"decision": "maybe", "reason": "why"})
    assert nothing.status_code == 422
    assert "api.request-invalid" in nothing.text
    assert f"/questionable/{number}/2" in client.get("/questionable").text


def test_rows_and_likenesses_of_another_part_of_the_tree_are_not_shown(office: Any) -> None:
    office.add_members(names=["Phạm Văn Dũng"], organisation="P-02")
    ours = add_rows(office, "Phạm Văn Dũng")
    theirs = add_rows(office, "Vũ Thị Én", organisation="P-02", digest=b"\x01" * 32)
    client = office.client("hoa")
    listed = StrictPage(client.get("/questionable").text).links()
    assert f"/questionable/{ours}/2" in listed
    assert f"/questionable/{theirs}/2" not in listed
    page = client.get(f"/questionable/{ours}/2").text
    assert "It resembles 1 member of another part of the register." in page
    assert "/v1/members/" not in page
    unknown = client.get("/questionable/999/2")
    for path in (f"/questionable/{theirs}/2", f"/questionable/{theirs}/2/portrait"):
        hidden = client.get(path)
        assert (hidden.status_code, "questionable.unknown" in hidden.text) == (404, True)
        assert hidden.status_code == unknown.status_code
    refused = client.post(f"/questionable/{theirs}/2", {"decision": "accept", "reason": "why not"})
    assert refused.status_code == 404
    with office.register.reading() as transaction:
        assert transaction.imports.doubts(limit=9).rows[-1].decision is None


def test_rows_come_page_by_page(office: Any) -> None:
    number = add_rows(office, *[f"Nguyễn Văn {chr(65 + each % 26)}n" for each in range(55)])
    client = office.client("lan")
    first = StrictPage(client.get("/questionable").text).links()
    (following,) = [each for each in first if each.startswith("/questionable?cursor=")]
    second = StrictPage(client.get(following).text).links()
    seen = [each for each in (*first, *second) if each.startswith(f"/questionable/{number}/")]
    assert len(seen) == len(set(seen)) == 55
    assert office.client("hoa").get(following).status_code == 400


def test_without_the_right_no_row_is_shown(office: Any) -> None:
    number = add_rows(office, "Trần Văn Bình")
    for path in ("/questionable", f"/questionable/{number}/2"):
        assert office.client("tuan").get(path).status_code == 403


def test_a_row_that_breaks_a_rule_by_now_is_shown_as_it_came(office: Any) -> None:
    number = add_rows(office, "Trần Văn Bình", citizen_number="12<b>")
    client = office.client("lan")
    page = client.get(f"/questionable/{number}/2").text
    assert "breaks a rule by now" in page
    assert "12&lt;b&gt;" in page
    StrictPage(page)
    refused = client.post(f"/questionable/{number}/2", {"decision": "accept", "reason": "why"})
    assert refused.status_code == 409
    assert "citizen-number.malformed" in refused.text
