"""Every page is well-formed and usable without seeing it; the files around it are what they are taken for."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from issuer.api.pages.shell_pages import STATIC_FILES
from tests.integration.console.strict_page import PageError, StrictPage

ROOT = Path(__file__).resolve().parents[3]
API = ROOT / "issuer" / "api"
HTMX_SHA256 = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
"""htmx 2.0.11 as its makers published it."""

PAGES = ["/", "/keyboard", "/password", "/members", "/members?name=nguyen", "/organisations",
         "/organisations/T", "/organisations/C-011", "/nothing"]  # fmt: skip


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_pages_are_well_formed_and_say_what_they_are(office: Any, path: str, language: str) -> None:
    office.add_members(3)
    response = office.client("lan").get(path, **{"accept-language": language})
    assert response.status_code == (404 if path == "/nothing" else 200)
    assert response.headers["content-language"] == language
    page = StrictPage(response.text)
    assert ("html", {"lang": language}) in page.tags
    assert "#content" in page.links()


def test_the_page_of_logging_in_and_one_s_problems_are_well_formed(office: Any) -> None:
    client = office.client(None)
    StrictPage(client.get("/login").text)
    wrong = client.post("/login", {"account": "lan", "password": "x"})
    StrictPage(wrong.text)
    assert 'role="alert"' in wrong.text


@pytest.mark.parametrize(
    "fault",
    [
        "<p>", "<p></b>", "<br/>", '<p style="x"></p>', '<b onclick="x"></b>', "<script>x</script>",
        '<i id="a"></i><i id="a"></i>', '<input id="q">', "<img src='/x'>", '<a href="//evil"></a>x'.replace("//evil", "https://evil"),
        "<h1>two</h1>", "<table></table>", "<th></th>",
    ],
)  # fmt: skip
def test_the_strict_reading_finds_faults(fault: str) -> None:
    fine = '<!doctype html><html lang="vi"><title>x</title><main><h1>x</h1>{}</main></html>'
    StrictPage(fine.format(""))
    with pytest.raises(PageError):
        StrictPage(fine.format(fault))


def test_every_link_of_the_pages_leads_somewhere(office: Any) -> None:
    office.add_members(3)
    client = office.client("lan")
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen or path.startswith("#"):
            continue
        seen.add(path)
        response = client.get(path)
        assert response.status_code == 200, path
        if response.headers["content-type"].startswith("text/html"):
            waiting += StrictPage(response.text).links()
    assert len(seen) > 8


def test_names_are_shown_as_text_whatever_they_hold(office: Any) -> None:
    code = office.add_organisation('<script>alert("Đảng")</script> & "x"')
    text = office.client("lan").get(f"/organisations/{code}").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&#34;Đảng&#34;)&lt;/script&gt; &amp;" in text
    StrictPage(text)


def test_the_navigation_shows_what_one_may_do(office: Any) -> None:
    assert "/members" in StrictPage(office.client("lan").get("/").text).links()
    auditor = StrictPage(office.client("tuan").get("/").text).links()
    assert "/organisations" in auditor
    assert "/members" not in auditor
    response = office.client("tuan").get("/members")
    assert response.status_code == 403
    assert "right.missing" in response.text
    StrictPage(response.text)


def test_the_language_is_chosen_and_kept(office: Any) -> None:
    client = office.client("lan")
    chosen = client.post("/language", {"language": "vi", "next": "/members?name=x"})
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/members?name=x")
    assert 'lang="vi"' in client.get("/").text
    client.post("/language", {"language": "de", "next": "//evil.example"})
    assert 'lang="vi"' in client.get("/").text


def test_static_files_are_kept_for_ever_under_an_address_that_changes_with_them(
    office: Any,
) -> None:
    page = StrictPage(office.client("lan").get("/").text)
    addresses = {
        str(value)
        for _, attributes in page.tags
        for name in ("src", "href")
        if (value := attributes.get(name)) and "/static/" in str(value)
    }
    assert len(addresses) >= 4
    for address in addresses:
        response = office.client(None).get(address.partition("#")[0])
        digest = hashlib.sha256(response.content).hexdigest()[:16]
        assert address.partition("#")[0].endswith(f"?v={digest}")
        assert "immutable" in response.headers["cache-control"]
    assert office.client(None).get("/static/../gate.py").status_code == 404
    assert office.client(None).get("/static/htmx-LICENSE.txt").status_code == 404


def test_htmx_is_what_its_makers_published_and_comes_with_its_licence() -> None:
    file = API / "static" / "htmx-2.0.11.min.js"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == HTMX_SHA256
    assert "Zero-Clause BSD" in (API / "static" / "htmx-LICENSE.txt").read_text("utf-8")


def test_the_style_loads_nothing_from_anywhere_and_knows_both_schemes_and_paper() -> None:
    style = (API / "static" / "console.css").read_text("utf-8")
    assert "url(" not in style
    assert "@import" not in style
    for needed in (
        "prefers-color-scheme: dark",
        "@media print",
        ":focus-visible",
        "reduced-motion",
    ):
        assert needed in style


def test_the_wheel_holds_templates_style_and_words(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {
        f"issuer/api/{path.relative_to(API).as_posix()}"
        for folder in ("templates", "static", "catalogues")
        for path in (API / folder).iterdir()
    }
    assert len(wanted) > 15
    assert wanted <= names
    assert {f"issuer/api/static/{name}" for name in STATIC_FILES} <= wanted
