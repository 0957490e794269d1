"""Whatever stands in an address: an answer or a refusal, and never a fault of ours."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, urlencode

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from issuer.api.gate import all_routes
from issuer.domain.rights import Role
from tests.integration.console.conftest import Office

ODD: Final = ("", "\0")
ODDER: Final = (
    "x" * 300, "x" * 700, "x" * 3500, "-1", "0", "9" * 30, "2026-13-01", "Đ", "%", "true", " ",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "\u202e",
)  # fmt: skip
PLACES: Final = {
    "code": "P-01", "organisation": "P-01", "site": "tinh-uy", "name": "tinh-uy", "number": "1",
    "serial": "00" * 10, "language": "vi", "filename": "console.css", "account": "lan",
    "digest": "00" * 32,
}  # fmt: skip
UNKNOWN: Final = "6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"


def fields(dependant: Dependant) -> Iterator[str]:
    """Every name that a route reads from the query, those within models included."""
    for field in dependant.query_params:
        model = getattr(field.field_info.annotation, "model_fields", None)
        if model is None:
            yield field.alias
        else:
            yield from (each.alias or name for name, each in model.items())
    for each in dependant.dependencies:
        yield from fields(each)


def address(route: APIRoute, members: list[str]) -> str:
    known = {**PLACES, "member_id": members[0]}
    return re.sub(
        r"\{(\w+)(?::path)?\}",
        lambda found: quote(known.get(found[1], UNKNOWN), safe=""),
        route.path,
    )


def questions(office: Office) -> list[tuple[str, str]]:
    members = office.add_members(1)
    return [
        (address(route, members), name)
        for route in all_routes(office.app.routes)
        if isinstance(route, APIRoute)
        and "GET" in route.methods
        and not route.path.endswith("/events")
        for name in sorted(set(fields(route.dependant)))
    ]


def faults(office: Office, values: tuple[str, ...]) -> list[tuple[int, str]]:
    client = office.client(office.add_person("everybody", *Role))
    asked = questions(office)
    assert len({path for path, _ in asked}) > 60, "few routes read a query"
    found = []
    for path, name in asked:
        for value in values:
            answer = client.get(f"{path}?{urlencode({name: value})}")
            if answer.status_code >= 500:
                found.append((answer.status_code, f"{path}?{name}={value[:10]!r}"))
    return found


def test_an_empty_or_impossible_value_is_refused_and_is_no_fault(office_on_either: Office) -> None:
    assert faults(office_on_either, ODD) == []


@pytest.mark.slow
def test_no_value_of_a_query_is_a_fault(office_on_either: Office) -> None:
    assert faults(office_on_either, ODDER) == []


def test_addresses_with_a_nul_are_refused(office: Office) -> None:
    for path in ("/v1/members/%00", "/members?name=%00", "/v1/members?name=a%00b"):
        assert office.client("lan", is_program=True).get(path).status_code == 400


@pytest.mark.parametrize(
    "part",
    [
        'name="reason"\r\n\r\na\0b',
        'name="pho\0ne"\r\n\r\n0912345678',
        'name="evidence"; filename="a\0b.pdf"\r\n\r\n%PDF-1.7',
    ],
)
def test_a_nul_in_a_form_with_files_is_refused(office_on_either: Office, part: str) -> None:
    (member,) = office_on_either.add_members(1)
    client = office_on_either.client("hoa", is_program=True)
    answer = client.send(
        "POST", f"/v1/members/{member}/corrections",
        content=f"--x\r\nContent-Disposition: form-data; {part}\r\n--x--\r\n".encode(),
        headers={
            "content-type": "multipart/form-data; boundary=x",
            "If-Match": client.get(f"/v1/members/{member}").headers["etag"],
            "Idempotency-Key": "0123456789abcdef",
        },
    )  # fmt: skip
    assert answer.json() | {"code": "api.body-malformed"} == answer.json()
    assert "NUL" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [(r"\u0000", True), (r"a\\\u0000", True), (r"\\u0000", False), (r"\\\\u0000", False)],
)
def test_a_nul_in_json_is_refused_and_a_backslash_is_none(
    office: Office, text: str, *, is_refused: bool
) -> None:
    answer = office.client("lan", is_program=True).send(
        "POST", "/v1/reports/count", content=f'{{"remark": "{text}"}}'.encode(),
        headers={"content-type": "application/json"},
    )  # fmt: skip
    assert (answer.json()["code"] == "api.body-malformed") == is_refused
