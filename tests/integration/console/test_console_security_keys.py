"""Security keys in the console: a real browser with a virtual authenticator, and what a form alone cannot do."""

import asyncio
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
import uvicorn
from fastapi import APIRouter, Depends
from playwright.sync_api import Page, expect, sync_playwright
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from issuer.api.answering_errors import is_file
from issuer.api.app import bounded
from issuer.api.gate import Caller, Demand, Services
from issuer.bootstrap_second_factors import second_factors_of
from issuer.domain.rights import Right
from issuer.services.oidc_login import OidcLogin
from issuer.settings import PeopleSettings
from tests.integration.console.conftest import PASSWORD
from tests.integration.console.identity_provider import Provider
from tests.integration.console.strict_page import StrictPage

# A busy machine takes longer than the five seconds that Playwright waits by itself.
expect.set_options(timeout=60_000)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = os.environ.get("MEMBERCARD_SCREENSHOTS")


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=30)


@contextmanager
def visit(address: str) -> Iterator[Page]:
    """A browser with a security key of its own that somebody touches at once."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(base_url=address, locale="vi-VN")
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        devtools = context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "usb",
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        yield page
        browser.close()
        assert complaints == []


def log_in(page: Page, account: str) -> None:
    page.get_by_label("Tài khoản").fill(account)
    page.get_by_label("Mật khẩu đăng nhập").fill(PASSWORD)
    page.get_by_role("button", name="Đăng nhập").click()


def picture(page: Page, name: str) -> None:
    if PICTURES is not None:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def add_weighty_page(office: Any) -> None:
    """A page whose use case demands a right that needs the second factor."""
    router = APIRouter()

    @router.get("/weighty")
    def weighty(services: Services, caller: Caller = Depends(Demand(Right.DECIDE))) -> str:  # noqa: B008, FAST002 - as FastAPI reads it
        caller.actor.demand(Right.DECIDE, place=(), now=services.now())
        return "decided"

    @router.get("/papers")
    def papers(_: Caller = Depends(Demand(Right.DECIDE))) -> HTMLResponse:  # noqa: B008, FAST002 - as above
        return HTMLResponse('<a href="/papers/file">Bản kiểm tra</a>')

    @router.get("/papers/file", dependencies=[Depends(is_file)])
    def paper(services: Services, caller: Caller = Depends(Demand(Right.DECIDE))) -> Response:  # noqa: B008, FAST002 - as above
        caller.actor.demand(Right.DECIDE, place=(), now=services.now())
        disposition = 'attachment; filename="paper.csv"'
        return Response("a", media_type="text/csv", headers={"Content-Disposition": disposition})

    office.app.include_router(router)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_a_key_is_registered_asked_for_at_the_log_in_and_before_what_weighs(
    office: Any,
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        origin = f"http://localhost:{listener.getsockname()[1]}"
        factors = second_factors_of(
            office.register, PeopleSettings(console_origin=origin), log_in=office.services.log_in
        )
        office = office.with_services(second_factors=factors)
        add_weighty_page(office)
        with serving(bounded(office.app), listener), visit(origin) as page:
            # 1. A file that needs the key leads back to the page that it was asked for on.
            page.goto("/papers")
            log_in(page, "minh")
            page.get_by_role("link", name="Bản kiểm tra").click()
            expect(page).to_have_url(f"{origin}/second-factor?next=%2Fpapers")
            # What weighs leads to the key that is not there yet, and from there back.
            page.goto("/weighty")
            expect(page).to_have_url(f"{origin}/second-factor?next=%2Fweighty")
            page.get_by_role("button", name="Dùng khóa bảo mật").click()
            expect(page.locator("[data-problem] code")).to_have_text("second-factor.missing")
            page.get_by_role("main").get_by_role("link", name="Đăng ký khóa bảo mật").click()
            page.locator("#label").fill("khóa xanh")
            page.get_by_role("button", name="Đăng ký", exact=True).click()
            expect(page).to_have_url(f"{origin}/second-factor?next=/weighty")
            page.get_by_role("button", name="Dùng khóa bảo mật").click()
            expect(page.locator("body")).to_have_text('"decided"')
            page.goto("/papers")
            with page.expect_download() as given:
                page.get_by_role("link", name="Bản kiểm tra").click()
            assert given.value.suggested_filename == "paper.csv"
            # 2. The key stands in one's own settings; its own authenticator is not registered twice.
            page.goto("/security-keys")
            expect(page.get_by_role("cell", name="khóa xanh", exact=True)).to_be_visible()
            picture(page, "security-keys")
            page.locator("#label").fill("khóa xanh lần nữa")
            page.get_by_role("button", name="Đăng ký", exact=True).click()
            own = page.get_by_role("region", name="Đăng ký khóa bảo mật")
            expect(own.locator("[data-problem] code")).to_have_text("InvalidStateError")
            # 3. At the next log-in it is asked for before anything else, and one goes on where one wanted to.
            page.get_by_role("button", name="Đăng xuất").click()
            page.goto("/organisations")
            log_in(page, "minh")
            expect(page).to_have_url(f"{origin}/second-factor?next=%2Forganisations")
            picture(page, "second-factor")
            page.get_by_role("button", name="Dùng khóa bảo mật").click()
            expect(page).to_have_url(f"{origin}/organisations")
            # 4. It is removed, which needs it, too.
            page.goto("/security-keys")
            page.get_by_role("button", name="Gỡ bỏ").click()
            expect(page.get_by_text("Đồng chí chưa có khóa bảo mật nào.")).to_be_visible()
    actions = [each.action for each in office.trail() if each.account == "minh"]
    assert actions.count("second-factor.registered") == 1
    assert actions.count("session.stepped-up") == 2
    assert actions.count("second-factor.removed") == 1


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_whoever_comes_back_from_another_site_has_a_session_at_once(office: Any) -> None:
    """The session's cookie is not sent where another site leads to: the page between is ours."""
    with socket.socket() as ours, socket.socket() as theirs:
        for each in (ours, theirs):
            each.bind(("127.0.0.1", 0))
            each.listen()
        origin = f"http://localhost:{ours.getsockname()[1]}"
        elsewhere = f"http://127.0.0.1:{theirs.getsockname()[1]}"

        async def provider(scope: Scope, receive: Receive, send: Send) -> None:
            state = parse_qs(scope["query_string"].decode())["state"][0]
            await RedirectResponse(f"{origin}/login/oidc?state={state}&code=c0de")(
                scope, receive, send
            )

        login = OidcLogin(
            provider=Provider("lan", elsewhere=f"{elsewhere}/?state="),
            log_in=office.services.log_in,
            random_bytes=secrets.token_bytes,
        )
        office = office.with_services(oidc=login)
        with (
            serving(bounded(office.app), ours),
            serving(provider, theirs),
            visit(origin) as page,
        ):
            page.goto("/organisations")
            picture(page, "login-oidc")
            page.get_by_role("link", name="Đăng nhập bằng tài khoản của cơ quan").click()
            expect(page).to_have_url(f"{origin}/organisations")
            expect(page.get_by_role("heading", level=1)).to_have_text("Tổ chức đảng")


def test_the_pages_of_security_keys_are_well_formed(office: Any) -> None:
    client = office.client("lan")
    for path in ("/second-factor", "/security-keys", "/second-factor?next=%2Fmembers"):
        response = client.get(path)
        assert response.status_code == 200
        StrictPage(response.text)
    assert "/security-keys" in StrictPage(client.get("/").text).links()


@pytest.mark.parametrize("response", ["", "{}", "null", "x" * 20_000, '{"id":"AA","rawId":"AA"}'])
def test_what_no_authenticator_says_opens_nothing(office: Any, response: str) -> None:
    client = office.client("lan")
    # Without a challenge, and with one.
    for asked in (False, True):
        if asked:
            options = client.send("POST", "/v1/session/registration-options")
            assert options.status_code == 200
            assert options.json()["authenticatorSelection"]["userVerification"] == "required"
        for path in ("/second-factor", "/security-keys"):
            answer = client.post(path, {"response": response, "label": "x", "next": "/members"})
            assert answer.status_code in {409, 422}
            assert "set-cookie" not in answer.headers
            assert 'role="alert"' in answer.text
            StrictPage(answer.text)
    assert not [each for each in office.trail() if each.action.startswith("second-factor.")]


def test_a_key_that_is_not_there_cannot_be_asked_for_or_removed(office: Any) -> None:
    client = office.client("lan")
    asked = client.send("POST", "/v1/session/assertion-options")
    assert (asked.status_code, asked.json()["code"]) == (409, "second-factor.missing")
    wrong = client.post("/security-keys/remove", {"credential": "zz"})
    assert wrong.status_code == 422
    sent = client.post("/security-keys/remove", {"credential": secrets.token_hex(16)})
    # Removing needs the second factor first.
    assert sent.headers["location"] == "/second-factor?next=%2F"


def test_the_first_key_is_registered_soon_after_the_log_in_or_not_at_all(office: Any) -> None:
    client = office.client("lan")
    factors = office.services.second_factors
    late = office.services.now() + timedelta(minutes=6)
    later = office.with_services(
        second_factors=type(factors)(
            register=factors.register,
            log_in=factors.log_in,
            judge=factors.judge,
            clock=lambda: late,
            random_bytes=factors.random_bytes,
        )
    )
    token = client.cookies
    stranger = later.client("lan")
    stranger.cookies = token
    refused = stranger.send("POST", "/v1/session/registration-options")
    assert (refused.status_code, refused.json()["code"]) == (409, "second-factor.log-in-again")


def test_without_an_origin_in_the_settings_there_are_no_security_keys(office: Any) -> None:
    client = office.with_services(second_factors=None).client("lan")
    page = client.get("/security-keys")
    assert page.status_code == 409
    assert "second-factor.no-origin" in page.text
    StrictPage(page.text)


@pytest.mark.parametrize(
    ("referer", "target"),
    [
        ("https://console.example/people?x=1", "/people?x=1"), ("https://evil.example/x", "/"), ("", "/"),
        ("https://console.example//evil.example", "/"), ("https://[", "/"),
    ],
)  # fmt: skip
def test_whoever_sent_a_form_that_needs_the_key_comes_back_to_the_form(
    office: Any, referer: str, target: str
) -> None:
    client = office.client("lan")
    fields = {"credential": secrets.token_hex(16)}
    sent = client.post("/security-keys/remove", fields, referer=referer)
    assert sent.status_code == 303
    assert sent.headers["location"] == f"/second-factor?next={quote(target, safe='')}"
