"""Logging in by another service's word: away with a cookie of the attempt, back to a page that goes on by itself."""

import secrets
from typing import Any
from urllib.parse import quote

import pytest

from issuer.api.gate import SESSION_COOKIE
from issuer.api.pages.oidc_pages import ATTEMPT_COOKIE
from issuer.services.oidc_login import OidcAttempt, OidcLogin
from tests.integration.console.identity_provider import ELSEWHERE, Provider
from tests.integration.console.strict_page import StrictPage


def browser(office: Any, provider: Provider) -> Any:
    login = OidcLogin(
        provider=provider, log_in=office.services.log_in, random_bytes=secrets.token_bytes
    )
    return office.with_services(oidc=login).client(None)


def begin(client: Any, target: str = "/members?name=x") -> str:
    """Go away; the state with which the provider sends back."""
    page = StrictPage(client.get("/login?next=" + quote(target, safe="")).text)
    (link,) = [each for each in page.links() if each.startswith("/login/oidc/begin")]
    sent = client.get(link)
    assert sent.status_code == 303
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=600"} <= set(
        sent.headers["set-cookie"].split("; ")
    )
    location = str(sent.headers["location"])
    assert location.startswith(ELSEWHERE)
    return location.removeprefix(ELSEWHERE)


def test_whoever_the_provider_knows_comes_in_and_goes_on_to_where_they_wanted(office: Any) -> None:
    client = browser(office, Provider())
    state = begin(client)
    back = client.get(f"/login/oidc?state={state}&code=c0de&iss=https%3A%2F%2Fid.example")
    assert back.status_code == 200
    page = StrictPage(back.text)
    assert ("meta", {"http-equiv": "refresh", "content": "0; url=/members?name=x"}) in page.tags
    assert "/members?name=x" in page.links()
    cookies = back.headers.get_list("set-cookie")
    assert any(
        each.startswith(f"{SESSION_COOKIE}=") and "SameSite=strict" in each for each in cookies
    )
    assert ATTEMPT_COOKIE not in client.cookies
    assert client.get("/v1/session").json()["account"] == "lan"
    # The same answer again finds no attempt.
    again = client.get(f"/login/oidc?state={state}&code=c0de")
    assert "oidc.attempt-malformed" in again.text


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("state={other}&code=c0de", "oidc.state-differs"),
        ("code=c0de", "oidc.state-differs"),
        ("state={state}&error=access_denied", "oidc.provider-refused"),
        ("state={state}&code=", "oidc.provider-refused"),
    ],
)
def test_an_answer_that_is_not_ours_or_says_no_opens_nothing(
    office: Any, query: str, code: str
) -> None:
    client = browser(office, Provider())
    state = begin(client)
    back = client.get("/login/oidc?" + query.format(state=state, other="0" * 64))
    assert back.status_code in {409, 422}
    assert code in back.text
    assert ATTEMPT_COOKIE not in client.cookies
    assert SESSION_COOKIE not in client.cookies
    StrictPage(back.text)


@pytest.mark.parametrize("name", ["stranger", "'; drop table", ""])
def test_the_provider_makes_no_accounts(office: Any, name: str) -> None:
    client = browser(office, Provider(name))
    back = client.get(f"/login/oidc?state={begin(client)}&code=c0de")
    assert back.status_code == 401
    assert "login.refused" in back.text
    assert SESSION_COOKIE not in client.cookies


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil"])
def test_nobody_is_sent_to_another_site_by_way_of_the_provider(office: Any, target: str) -> None:
    client = browser(office, Provider())
    back = client.get(f"/login/oidc?state={begin(client, target)}&code=c0de")
    assert "evil" not in back.text
    # Nor by a cookie that somebody put there.
    attempt = OidcAttempt(bytes(32))
    client.cookies.set(ATTEMPT_COOKIE, attempt.text + quote(target, safe=""))
    back = client.get(f"/login/oidc?state={attempt.state}&code=c0de")
    assert "evil" not in back.text


def test_a_provider_that_is_not_there_leaves_the_password(office: Any) -> None:
    client = browser(office, Provider(is_there=False))
    answer = client.get("/login/oidc/begin")
    assert answer.status_code == 503
    assert "oidc.unavailable" in answer.text
    assert 'name="password"' in answer.text
    StrictPage(answer.text)


def test_where_no_provider_is_named_nothing_leads_to_one(office: Any) -> None:
    client = office.client(None)
    assert "/login/oidc" not in client.get("/login").text
    for path in ("/login/oidc", "/login/oidc/begin"):
        assert client.get(path).status_code == 404
