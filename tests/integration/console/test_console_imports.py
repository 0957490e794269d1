"""A list comes in by the console or the API, is taken by an operation, and its report says what to put right."""

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from issuer.domain.list_row import Finding
from issuer.errors import IssuerDataError
from issuer.services.import_outcome import ImportSummary, RowOutcome, RowResult
from issuer.services.import_ports import ImportChunk
from issuer.services.import_uploads import ImportWork
from issuer.services.operation_ports import OperationKind
from issuer.services.operations import OperationWork
from issuer.services.upload_ports import UploadedFile, UploadId
from tests.integration.console.strict_page import StrictPage
from tests.integration.console.test_console_decisions import stepped_up

KEY = "0123456789abcdef"
FINDING = Finding(row=3, column="birth_date", code="date.impossible", sentence="no such day")


def files(*portraits: str, content: bytes = b"full_name\n") -> list[Any]:
    found: list[Any] = [("list", ("Danh sách.csv", content))]
    return found + [("portraits", (name, b"picture")) for name in portraits]


class Importing:
    """Notes what a list of two rows came to, without looking at any."""

    def __init__(self, office: Any) -> None:
        self.office = office
        self.seen: list[tuple[bytes, list[str]]] = []
        self.mappings: list[bytes | None] = []

    @contextmanager
    def open_list(self, path: Path, mapping: Path | None) -> Iterator[Any]:
        self.mappings.append(None if mapping is None else mapping.read_bytes())
        if path.read_bytes() == b"broken":
            raise IssuerDataError("not these columns", code="file.columns")
        yield SimpleNamespace(path=path)

    @contextmanager
    def open_import(self, directory: Path) -> Iterator[Any]:
        yield SimpleNamespace(
            run=lambda source, **more: self.run(source, directory, **more), outcomes=self.outcomes
        )

    def run(self, source: Any, directory: Path, *, actor: Any, progress: Any) -> Any:
        names = sorted(each.name for each in directory.iterdir())
        self.seen.append((source.path.read_bytes(), names))
        progress(SimpleNamespace(rows_done=1, row_count=2))
        outcomes = (
            RowOutcome(row=2, result=RowResult.TAKEN),
            RowOutcome(row=3, result=RowResult.REFUSED, findings=(FINDING,)),
        )
        now = self.office.services.now()
        with self.office.register.writing() as transaction:
            record = transaction.imports.begin(
                list_digest=bytes(32), account=actor.account, at=now, row_count=2
            )
            chunk = ImportChunk(outcomes=outcomes, holding=frozenset({2}))
            record = transaction.imports.store(record, chunk)
            record = transaction.imports.finish(record, at=now)
        assert record.summary == ImportSummary(taken=1, refused=1)
        return record

    def outcomes(self, record: Any) -> Any:
        with self.office.register.reading() as transaction:
            yield from transaction.imports.outcomes(record.number)

    def work(self, operation: str) -> None:
        office = self.office
        work = ImportWork(
            register=office.register,
            uploads=office.services.uploads,
            open_list=self.open_list,
            open_import=self.open_import,
            write_correction=lambda path, _source, outcomes: path.write_bytes(
                b"PK correction of %d rows" % sum(bool(each.findings) for each in outcomes)
            ),
            corrections=office.services.imports.corrections,
        )
        OperationWork(
            ledger=office.services.operations.ledger,
            works={OperationKind.IMPORT_MEMBERS: work},
            clock=office.services.now,
        ).work(operation)


def send(client: Any, upload: list[Any], key: str = KEY) -> Any:
    return client.send("POST", "/v1/imports", files=upload, headers={"Idempotency-Key": key})


def test_a_list_is_taken_and_its_report_told(office: Any) -> None:
    client = office.client("lan", is_program=True)
    importing = Importing(office)
    answer = send(client, files("a.jpg", "thư mục/b.jpg"))
    assert answer.status_code == 202
    operation = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/operations/{operation}"
    importing.work(operation)
    assert importing.seen == [(b"full_name\n", ["a.jpg", "b.jpg"])]
    done = client.get(f"/v1/operations/{operation}").json()
    assert done["state"] == "done"
    number = done["counts"]["import"]
    assert client.get(f"/v1/imports/{number}").json() == {
        "number": number, "rows": 2, "taken": 1, "already_present": 0, "refused": 1,
        "questionable": 0, "is_finished": True,
    }  # fmt: skip
    found = client.get(f"/v1/imports/{number}/findings").json()
    assert found == {
        "findings": [{"row": 3, "result": "refused", "column": "birth_date",
                      "code": "date.impossible", "reason": "no such day"}],
        "next": None,
    }  # fmt: skip
    assert client.get(f"/v1/imports/{number}/findings?after=3").json()["findings"] == []
    report = client.get(f"/v1/imports/{number}/report")
    rows = list(csv.reader(io.StringIO(report.content.decode("utf-8-sig"))))
    assert rows[1] == ["3", "refused", "birth_date", "date.impossible", "no such day"]
    assert "attachment" in report.headers["content-disposition"]
    other = office.client("hoa", is_program=True)
    for path in ("", "/findings", "/report"):
        response = other.get(f"/v1/imports/{number}{path}")
        assert (response.status_code, response.json()["code"]) == (404, "import.unknown")
    page = office.client("lan").get(f"/operations/{operation}").text
    StrictPage(page)
    assert "date.impossible" in page
    StrictPage(office.client("lan").get("/imports").text)


def test_a_mapping_comes_along_with_the_list(office: Any) -> None:
    client = office.client("lan", is_program=True)
    importing = Importing(office)
    mapped = [*files("mapping"), ("mapping", ("province.toml", b"format = 1\n"))]
    answer = send(client, mapped)
    assert answer.status_code == 202
    # The same list read in another way is another import, and the same files under the same key are not.
    assert send(client, mapped).json() == answer.json()
    assert send(client, files("mapping")).json()["code"] == "idempotency.key-reused"
    importing.work(answer.json()["id"])
    assert importing.mappings == [b"format = 1\n"]
    assert importing.seen == [(b"full_name\n", ["mapping"])]
    second = send(client, files(), key=KEY[::-1])
    importing.work(second.json()["id"])
    assert importing.mappings[1:] == [None]


def test_the_files_are_gone_when_the_work_has_ended(office: Any, tmp_path: Path) -> None:
    client = office.client("lan", is_program=True)
    importing = Importing(office)
    for number, content in enumerate((b"full_name\n", b"broken")):
        answer = send(client, files("a.jpg", content=content), key=f"{KEY}{number}")
        folder = tmp_path / "uploads"
        (kept,) = folder.iterdir()
        assert kept.stat().st_mode & 0o077 == 0
        importing.work(answer.json()["id"])
        assert list(folder.iterdir()) == []
    failed = client.get(answer.headers["location"]).json()
    assert (failed["state"], failed["code"]) == ("failed", "file.columns")
    text = office.client("lan").get(f"/operations/{failed['id']}").text
    StrictPage(text)
    assert "Use the columns of the template" in text


def test_the_same_files_under_the_same_key_are_imported_once(office: Any, tmp_path: Path) -> None:
    client = office.client("lan", is_program=True)
    first = send(client, files("a.jpg"))
    again = send(client, files("a.jpg"))
    assert (again.status_code, again.json()) == (202, first.json())
    assert len(list((tmp_path / "uploads").iterdir())) == 1
    other = send(client, files("b.jpg"))
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key-reused")
    assert len(list((tmp_path / "uploads").iterdir())) == 1
    assert len(client.get("/v1/operations").json()["operations"]) == 1


@pytest.mark.parametrize(
    ("upload", "code"),
    [
        ([("portraits", ("a.jpg", b"x"))], "api.request-invalid"),
        ([*files(), *files()], "api.request-invalid"),
        ([*files(), ("more", ("x", b"x"))], "api.request-invalid"),
        ([*files(), *[("mapping", ("m.toml", b"x"))] * 2], "api.request-invalid"),
        ([("mapping", ("m.toml", b"x"))], "api.request-invalid"),
        (files("a.jpg", "a.jpg"), "upload.name-repeated"),
        (files("x/.."), "upload.name"),
        (files("a" * 300), "upload.name"),
    ],
)
def test_uploads_that_are_none_leave_nothing_behind(
    office: Any, tmp_path: Path, upload: list[Any], code: str
) -> None:
    answer = send(office.client("lan", is_program=True), upload)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    folder = tmp_path / "uploads"
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_body_that_is_no_form_is_refused(office: Any) -> None:
    client = office.client("lan", is_program=True)
    for media_type, body, status in (
        ("multipart/form-data; boundary=x", b"nothing of the kind", 400),
        ("multipart/form-data", b"--x\r\n", 400),
        ("application/json", b"{}", 415),
    ):
        answer = client.send(
            "POST", "/v1/imports", content=body,
            headers={"Idempotency-Key": KEY, "content-type": media_type},
        )  # fmt: skip
        assert answer.status_code == status, media_type
    assert send(office.client("minh", is_program=True), files()).json()["code"] == "right.missing"


def test_people_bring_a_list_by_the_form(office: Any) -> None:
    client = office.client("lan")
    page = client.get("/imports").text
    StrictPage(page)
    once = page.partition('name="once" value="')[2].partition('"')[0]
    sent = client.send("POST", "/imports", files=files("a.jpg"), data={"once": once})
    again = client.send("POST", "/imports", files=files("a.jpg"), data={"once": once})
    assert sent.status_code == again.status_code == 303
    assert sent.headers["location"] == again.headers["location"]
    text = client.get(sent.headers["location"]).text
    StrictPage(text)
    assert "data-events" in text
    assert 'http-equiv="refresh"' in text
    without = client.send("POST", "/imports", files=files(), data={"once": "x"})
    assert without.status_code == 422
    assert client.get("/imports/template").content.startswith(b"PK")


def test_an_upload_is_found_by_its_own_name_alone(office: Any) -> None:
    uploads = office.services.uploads
    for name in ("../../etc", "x", "0" * 32):
        with pytest.raises(Exception, match="upload"), uploads.open(UploadId(name)):
            pass
    for name in ("a\u0007.jpg", "", "..", "x\\.."):
        listed = UploadedFile(name="list.csv", content=io.BytesIO(b"x"))
        portrait = UploadedFile(name=name, content=io.BytesIO(b"x"))
        with pytest.raises(IssuerDataError) as caught:
            uploads.put(listed, [portrait])
        assert caught.value.code == "upload.name"


def test_rows_to_correct_are_downloaded_by_whoever_brought_the_list_for_two_weeks(
    office: Any, tmp_path: Path
) -> None:
    client = office.client("lan", is_program=True)
    operation = send(client, files("a.jpg")).json()["id"]
    assert client.get("/v1/imports/1/correction").json()["code"] == "import.unknown"
    Importing(office).work(operation)
    number = client.get(f"/v1/operations/{operation}").json()["counts"]["import"]
    path = f"/v1/imports/{number}/correction"
    # It takes the second factor, which no token of the command line brings; a browser comes back to where it was.
    assert client.get(path).json()["code"] == "right.step-up-needed"
    page_of_it = f"/operations/{operation}"
    asked = office.client("lan").get(
        f"/imports/{number}/correction", referer=f"https://console.example{page_of_it}"
    )
    assert asked.status_code == 303
    assert asked.headers["location"] == f"/second-factor?next={quote(page_of_it, safe='')}"
    assert "import.correction-downloaded" not in [each.action for each in office.trail()]
    browser = stepped_up(office, "lan")
    found = browser.get(path)
    assert found.content == b"PK correction of 1 rows"
    assert "correction-" in found.headers["content-disposition"]
    assert [each.action for each in office.trail()].count("import.correction-downloaded") == 1
    page = browser.get(page_of_it)
    StrictPage(page.text)
    assert f"/imports/{number}/correction" in StrictPage(page.text).links()
    # Whoever else imports lists does not have it, and nobody reads it from the disk.
    assert office.client("hoa").get(path).json()["code"] == "import.unknown"
    (kept,) = (tmp_path / "corrections").iterdir()
    assert b"correction" not in kept.read_bytes()
    old = (office.services.now() - timedelta(days=15)).timestamp()
    os.utime(kept, (old, old))
    assert (browser.get(path).status_code, browser.get(path).json()["code"]) == (
        404,
        "correction.gone",
    )
    assert not kept.exists()
    assert f"/imports/{number}/correction" not in browser.get(f"/operations/{operation}").text
