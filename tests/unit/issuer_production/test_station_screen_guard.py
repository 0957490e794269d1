"""A station's screen answers itself and nobody else: other hosts, other origins, other browsers, other sites' forms."""

import json
import re
from typing import Any

import pytest

from issuer.api.station_screen.app import create_screen_app
from issuer.api.station_screen.pairing import ScreenPairing
from issuer.api.station_screen.ports import ScreenServices
from issuer.api.station_screen.refusals import REFUSALS
from issuer.api.station_screen.streams import ScreenStreams
from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.production_events import StationName
from issuer.domain.rights import AccountName
from issuer.stations.operator import StationOperator
from pki.web.local_page import MAX_BODY_BYTES
from tests.unit.issuer_production.test_station_screen_state import NOW, a_screen
from tests.unit.verifier.local_browser import LocalBrowser

PORT = 24841
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"
CHANGES = ("/suspend", "/go-on", "/reject", "/print-again", "/close-day", "/stop")
SERIAL = "00000000000000000001"


class Worker:
    """What is asked of the workers."""

    def __init__(self) -> None:
        self.is_suspended = False
        self.is_stopped = False

    def suspend(self) -> None:
        self.is_suspended = True

    def resume(self) -> None:
        self.is_suspended = False

    def stop(self) -> None:
        self.is_stopped = True

    def go_on(self, reader: str) -> bool:
        return reader != "left"


class Bench:
    """A screen, and a browser that may be paired."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.worker = Worker()
        self.pairing = ScreenPairing(self.tokens.append, port=PORT)
        screen = a_screen()
        nobody: Any = None
        self.app = create_screen_app(
            ScreenServices(
                name=StationName("station-1"),
                screen=screen,
                operator=StationOperator(
                    account=AccountName("anna"),
                    screen=screen,
                    controls=nobody,
                    day=nobody,
                    station_of=lambda: self.worker,  # type: ignore[arg-type,return-value]
                ),
                display_number=CommitteeBlockScheme().display,
                now=lambda: NOW,
            ),
            pairing=self.pairing,
            streams=ScreenStreams(screen),
            authorities=frozenset({HOST, f"localhost:{PORT}"}),
        )
        self.browser = LocalBrowser(self.app, base_url=ORIGIN, headers={"accept": "text/html"})

    def pair(self) -> dict[str, str]:
        """Pair the browser; gives the headers of the page's own requests."""
        assert self.browser.get(f"/pair/{self.tokens[-1]}").status_code == 200
        found = re.search(r"hx-headers='([^']*)'", self.browser.get("/").text)
        assert found is not None
        return {**json.loads(found[1]), "origin": ORIGIN, "hx-request": "true"}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_page_opens_by_its_one_time_address_and_only_once(bench: Bench) -> None:
    first = bench.tokens[-1]
    cookie = bench.browser.get(f"/pair/{first}").headers["set-cookie"]
    assert cookie.startswith(f"membercard-station-{PORT}=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert bench.browser.get("/").status_code == 200
    again = LocalBrowser(bench.app, base_url=ORIGIN).get(f"/pair/{first}")
    assert again.status_code == 401
    assert "screen.pairing-used" in again.text
    assert len(set(bench.tokens)) == 2


@pytest.mark.parametrize("path", ["/", "/events", "/static/station.js", "/x"])
def test_a_browser_that_is_not_paired_is_told_so(bench: Bench, path: str) -> None:
    refusal = bench.browser.get(path)
    assert refusal.status_code == 401
    assert "screen.not-paired" in refusal.text
    bench.browser.cookies.set(bench.pairing.cookie, "guessed")
    assert bench.browser.get(path).status_code == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80", f"127.0.0.1.evil.example:{PORT}", ""],
)  # fmt: skip
def test_another_host_is_refused_even_with_the_cookie(bench: Bench, host: str) -> None:
    bench.pair()
    for path in ("/", f"/pair/{bench.tokens[-1]}"):
        refusal = bench.browser.get(path, headers={"host": host})
        assert refusal.status_code == 421
        assert "screen.host-refused" in refusal.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"https://127.0.0.1:{PORT}"},
        {"origin": "http://127.0.0.1:24831"},
        {"origin": f"http://localhost:{PORT}"},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"origin": ORIGIN, "sec-fetch-site": "same-site"},
        {"origin": ""},
    ],
)
def test_another_origin_is_refused_even_with_cookie_and_token(
    bench: Bench, headers: dict[str, str]
) -> None:
    own = bench.pair()
    refusal = bench.browser.post("/suspend", headers={**own, **headers})
    assert refusal.status_code == 403
    assert "screen.origin-refused" in refusal.text
    assert bench.browser.get("/", headers={**headers}).status_code == 403
    assert not bench.worker.is_suspended
    assert bench.browser.post("/suspend", headers=own).status_code == 200
    assert bench.worker.is_suspended


def test_a_change_without_an_origin_is_refused(bench: Bench) -> None:
    own = bench.pair()
    del own["origin"]
    assert bench.browser.post("/stop", headers=own).status_code == 403
    assert not bench.worker.is_stopped


@pytest.mark.parametrize("token", [None, "", "0" * 64])
@pytest.mark.parametrize("path", CHANGES)
def test_a_change_without_the_pages_token_is_refused(
    bench: Bench, path: str, token: str | None
) -> None:
    own = bench.pair()
    del own["X-CSRF-Token"]
    if token is not None:
        own["X-CSRF-Token"] = token
    refusal = bench.browser.post(path, headers=own)
    assert refusal.status_code == 403
    assert "screen.csrf-refused" in refusal.text


def test_the_token_of_another_browser_does_not_count(bench: Bench) -> None:
    own = bench.pair()
    other = LocalBrowser(bench.app, base_url=ORIGIN)
    other.get(f"/pair/{bench.tokens[-1]}")
    assert other.post("/suspend", headers=own).status_code == 403


def test_a_header_that_stands_twice_counts_as_neither(bench: Bench) -> None:
    own = bench.pair()
    assert (
        bench.browser.post("/suspend", headers=[*own.items(), ("origin", ORIGIN)]).status_code
        == 403
    )


def test_reading_is_no_way_to_change_anything(bench: Bench) -> None:
    bench.pair()
    assert {bench.browser.get(path).status_code for path in CHANGES} == {405}


def test_what_comes_in_is_bounded_and_has_its_form(bench: Bench) -> None:
    own = bench.pair()
    long = bench.browser.post("/reject", headers=own, content=b"x" * (MAX_BODY_BYTES + 1))
    assert long.status_code == 413
    assert bench.browser.get("/?lang=" + "v" * 600).status_code == 413
    for form in (
        {"serial": "1", "reason": "bent"},
        {"serial": SERIAL, "reason": "because"},
        {"serial": SERIAL},
    ):
        answer = bench.browser.post("/reject", headers=own, data=form)
        assert (answer.status_code, answer.content) == (400, b"")
    assert bench.browser.post("/go-on", headers=own, data={"reader": "0"}).status_code == 400


def test_every_answer_forbids_other_pages_to_use_it(bench: Bench) -> None:
    bench.pair()
    for path in ("/", "/static/station.js", "/nothing"):
        headers = bench.browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_has_no_script_and_no_style_of_its_own(bench: Bench) -> None:
    bench.pair()
    html = bench.browser.get("/").text
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert "<style" not in html
    assert " style=" not in html
    assert "http://" not in html
    assert "https://" not in html


def test_what_cannot_be_done_is_said_in_the_readers_language(bench: Bench) -> None:
    own = bench.pair()
    answer = bench.browser.post("/go-on", headers=own, data={"reader": "1"})
    assert answer.status_code == 409
    assert "Đầu đọc này không bị dừng." in answer.text
    assert "station.reader-works" in answer.text
    english = {**own, "accept-language": "en"}
    answer = bench.browser.post("/go-on", headers=english, data={"reader": "2"})
    assert "There is no such reader." in answer.text


def test_every_refusal_is_said_in_both_languages() -> None:
    codes = set(REFUSALS)
    assert len(codes) == 7
    assert all(code.startswith("screen.") for code in codes)
