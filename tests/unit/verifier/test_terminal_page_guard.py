"""The local page answers itself and nobody else: other hosts, other origins, other browsers, other sites' forms."""

import json
import re
from datetime import datetime

import pytest

from pki.certificates.trust import TrustAnchors
from simulators.card.operating_system import VirtualCard
from simulators.testing import TEST_CAN
from tests.unit.verifier.local_browser import LocalBrowser, denial, websocket_answers
from tests.unit.verifier.terminal_desk import PICTURE, Desk
from verifier.api.app import create_app
from verifier.api.guard import MAX_BODY_BYTES
from verifier.api.pairing import COOKIE, PagePairing
from verifier.api.ports import PageServices, ProgramRight
from verifier.api.refusals import REFUSALS
from verifier.api.streams import Streams
from verifier.inspection.codes import CODES
from verifier.inspection.policy import Policy
from verifier.services.inspect_card import InspectionRules
from verifier.services.terminal_state import Stage

HOST = "127.0.0.1:24831"
ORIGIN = f"http://{HOST}"


class Office:
    """A desk with its page, and a browser that may be paired."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.tokens: list[str] = []
        self.pairing = PagePairing(self.tokens.append)
        services = PageServices(
            terminal=desk.terminal,
            terminal_name="terminal-1",
            purpose="inspection",
            version="1",
            reader_names=lambda: ("pluggable",),
            program_of=self.program_of,
        )
        self.app = create_app(
            services,
            pairing=self.pairing,
            streams=Streams(desk.terminal),
            authorities=frozenset({HOST, "localhost:24831"}),
        )
        self.browser = LocalBrowser(self.app, base_url=ORIGIN, headers={"accept": "text/html"})

    @staticmethod
    def program_of(token: str) -> ProgramRight | None:
        return ProgramRight(name="x", may_see_holder=False) if token == "right" else None

    def pair(self) -> dict[str, str]:
        """Pair the browser; gives the headers of the page's own requests."""
        assert self.browser.get(f"/pair/{self.tokens[-1]}").status_code == 200
        html = self.browser.get("/").text
        found = re.search(r"hx-headers='([^']*)'", html)
        assert found is not None
        return {**json.loads(found[1]), "origin": ORIGIN, "hx-request": "true"}


@pytest.fixture
def office(anchors: TrustAnchors, policy: Policy, now: datetime) -> Office:
    desk = Desk(InspectionRules(anchors=anchors, policy=policy), now=now)
    desk.look()
    return Office(desk)


def test_the_page_opens_by_its_one_time_address_and_only_once(office: Office) -> None:
    first = office.tokens[-1]
    paired = office.browser.get(f"/pair/{first}")
    cookie = paired.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert office.browser.get("/").status_code == 200
    again = LocalBrowser(office.app, base_url=ORIGIN).get(f"/pair/{first}")
    assert (again.status_code, again.json()["code"]) == (401, "terminal.pairing-used")
    assert len(office.tokens) == 2
    assert office.tokens[0] != office.tokens[1]


@pytest.mark.parametrize("path", ["/", "/events", "/portrait/1.png", "/static/terminal.js", "/x"])
def test_a_browser_that_is_not_paired_is_told_so(office: Office, path: str) -> None:
    refusal = office.browser.get(path)
    assert refusal.status_code == 401
    assert "terminal.not-paired" in refusal.text
    office.browser.cookies.set(COOKIE, "guessed")
    assert office.browser.get(path).status_code == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:24831", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.example:24831", ""],
)  # fmt: skip
def test_another_host_is_refused_even_with_the_cookie(office: Office, host: str) -> None:
    office.pair()
    refusal = office.browser.get("/", headers={"host": host})
    assert refusal.status_code == 421
    assert "terminal.host-refused" in refusal.text
    # The pairing address is no exception: a rebound name must not get a cookie.
    assert (
        office.browser.get(f"/pair/{office.tokens[-1]}", headers={"host": host}).status_code == 421
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:24831"},
        {"origin": "http://127.0.0.1:24832"},
        {"origin": "http://localhost:24831"},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"origin": ORIGIN, "sec-fetch-site": "same-site"},
        {"origin": ""},
    ],
)
def test_another_origin_is_refused_even_with_cookie_and_token(
    office: Office, headers: dict[str, str]
) -> None:
    own = office.pair()
    refusal = office.browser.post("/dismiss", headers={**own, **headers})
    assert refusal.status_code == 403
    assert "terminal.origin-refused" in refusal.text
    assert office.browser.get("/", headers={**headers}).status_code == 403
    assert office.browser.post("/dismiss", headers=own).status_code == 204


def test_a_change_without_an_origin_is_refused(office: Office) -> None:
    own = office.pair()
    del own["origin"]
    assert office.browser.post("/dismiss", headers=own).status_code == 403


@pytest.mark.parametrize("token", [None, "", "0" * 64])
@pytest.mark.parametrize("path", ["/password", "/holder", "/again", "/dismiss"])
def test_a_change_without_the_pages_token_is_refused(
    office: Office, path: str, token: str | None
) -> None:
    own = office.pair()
    del own["X-CSRF-Token"]
    if token is not None:
        own["X-CSRF-Token"] = token
    refusal = office.browser.post(path, headers=own)
    assert refusal.status_code == 403
    assert "terminal.csrf-refused" in refusal.text


def test_the_token_of_another_browser_does_not_count(office: Office) -> None:
    own = office.pair()
    other = LocalBrowser(office.app, base_url=ORIGIN)
    other.get(f"/pair/{office.tokens[-1]}")
    assert other.post("/dismiss", headers=own).status_code == 403


def test_a_header_that_stands_twice_counts_as_neither(office: Office) -> None:
    own = office.pair()
    twice = [*own.items(), ("origin", ORIGIN)]
    assert office.browser.post("/dismiss", headers=twice).status_code == 403


def test_reading_is_no_way_to_change_anything(office: Office) -> None:
    office.pair()
    for path in ("/password", "/holder", "/again", "/dismiss"):
        assert office.browser.get(path).status_code == 405


def test_what_comes_in_is_bounded(office: Office) -> None:
    own = office.pair()
    refusal = office.browser.post("/password", headers=own, content=b"x" * (MAX_BODY_BYTES + 1))
    assert refusal.status_code == 413
    assert "terminal.too-long" in refusal.text
    assert office.browser.get("/?lang=" + "v" * 600).status_code == 413
    assert (
        office.browser.post("/password", headers=own, data={"typed": "1" * 300}).status_code == 400
    )


def test_every_answer_forbids_other_pages_to_use_it(office: Office) -> None:
    office.pair()
    for path in ("/", "/static/terminal.js", "/nothing"):
        headers = office.browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_has_no_script_and_no_style_of_its_own(office: Office) -> None:
    office.pair()
    html = office.browser.get("/").text
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert "<style" not in html
    assert re.findall(r"\s(?:on[a-z]+|style)=", html) == []
    assert re.findall(r"https?://", html) == []


def test_both_languages_are_whole(office: Office) -> None:
    office.pair()
    assert '<html lang="vi">' in office.browser.get("/?lang=vi").text
    assert '<html lang="vi">' in office.browser.get("/").text
    assert '<html lang="en">' in office.browser.get("/?lang=en").text
    assert '<html lang="en">' in office.browser.get("/").text


def test_what_is_typed_is_taken_or_told_to_be_wrong_and_never_quoted(
    office: Office, virtual_card: VirtualCard
) -> None:
    own = office.pair()
    office.desk.insert(virtual_card)
    wrong = office.browser.post("/password", headers=own, data={"typed": "12345<script>"})
    assert wrong.status_code == 422
    assert "input.malformed" in wrong.text
    assert "12345" not in wrong.text
    assert (
        office.browser.post("/password", headers=own, data={"typed": TEST_CAN}).status_code == 204
    )
    assert office.desk.look().stage is Stage.RESULT
    late = office.browser.post("/password", headers=own, data={"typed": TEST_CAN})
    assert late.status_code == 409


def test_the_portrait_is_gone_with_its_card(office: Office, virtual_card: VirtualCard) -> None:
    office.pair()
    office.desk.insert(virtual_card)
    assert office.browser.get("/portrait/1.png").status_code == 404
    office.desk.give(TEST_CAN)
    shown = office.browser.get("/portrait/1.png")
    assert (shown.content, shown.headers["cache-control"]) == (PICTURE, "no-store")
    assert office.browser.get("/portrait/2.png").status_code == 404
    office.desk.remove()
    assert office.browser.get("/portrait/1.png").status_code == 404


@pytest.mark.parametrize("answer", ["compared-yes", "no", "not-done"])
def test_the_clerks_answer_is_recorded(
    office: Office, virtual_card: VirtualCard, answer: str
) -> None:
    own = office.pair()
    office.desk.insert(virtual_card)
    office.desk.give(TEST_CAN)
    data = {"presentation": "1", "answer": answer}
    assert office.browser.post("/holder", headers=own, data=data).status_code == 204
    assert office.desk.terminal.state.answer == answer
    data["answer"] = "accepted"
    assert office.browser.post("/holder", headers=own, data=data).status_code == 400


def test_only_the_last_paired_browsers_are_kept(office: Office) -> None:
    cookies = [office.pairing.redeem(office.tokens[-1]) for _ in range(9)]
    assert [office.pairing.admits(cookie) for cookie in cookies] == [False] + [True] * 8


@pytest.mark.parametrize("code", list(REFUSALS))
def test_every_refusal_is_explained(code: str) -> None:
    assert code in CODES


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("/v1/terminal", {}, "terminal.program-unknown"),
        ("/v1/terminal", {"authorization": "Bearer wrong"}, "terminal.program-unknown"),
        ("/v1/terminal", {"authorization": "Basic right"}, "terminal.program-unknown"),
        (
            "/v1/terminal",
            {"authorization": "Bearer right", "origin": ORIGIN},
            "terminal.origin-refused",
        ),
        (
            "/v1/terminal",
            {"authorization": "Bearer right", "origin": "http://evil.example"},
            "terminal.origin-refused",
        ),
        (
            "/v1/terminal",
            {"authorization": "Bearer right", "host": "evil.example:24831"},
            "terminal.host-refused",
        ),
        ("/events", {"authorization": "Bearer right"}, "terminal.origin-refused"),
    ],
)
def test_a_stranger_at_the_interface_is_turned_away_before_a_word_is_said(
    office: Office, path: str, headers: dict[str, str], code: str
) -> None:
    status, problem = denial(
        websocket_answers(office.app, path, headers={"host": HOST, **headers}, expected=2)
    )
    assert (status, problem["code"]) == (REFUSALS[code][0], code)


def test_a_paired_program_is_let_in_without_a_cookie(office: Office) -> None:
    headers = {"host": HOST, "authorization": "Bearer right"}
    accepted, first, second = websocket_answers(
        office.app, "/v1/terminal", headers=headers, expected=3
    )
    assert accepted["type"] == "websocket.accept"
    assert [json.loads(message["text"])["msg"] for message in (first, second)] == ["INFO", "READER"]
