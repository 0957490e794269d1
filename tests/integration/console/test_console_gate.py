"""Nobody passes without saying who they are, without the right, or on behalf of another site."""

from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute

from issuer.api.gate import (
    SESSION_COOKIE,
    AnySession,
    Demand,
    NoSession,
    all_routes,
    check_routes,
    declarations,
)
from issuer.domain.rights import Right
from issuer.domain.session import Face, SessionToken

PASSWORD = "mật khẩu của cô Lan"

OPEN = {
    "/health/live", "/health/ready", "/v1/openapi.json", "/static/{name}", "/login", "/language",
    "/login/oidc/begin", "/login/oidc", "/v1/stations/messages",
}  # fmt: skip
"""Whoever adds a route for everybody says so here, too."""


def routes(office: Any) -> list[APIRoute]:
    return [each for each in all_routes(office.app.routes) if isinstance(each, APIRoute)]


def test_every_route_names_its_right_or_says_why_there_is_none(office: Any) -> None:
    found = list(all_routes(office.app.routes))
    assert len(found) > 12
    for route in found:
        (declaration,) = declarations(route)
        if isinstance(declaration, (AnySession, NoSession)):
            assert len(declaration.reason) > 10
        else:
            assert isinstance(declaration, Demand)


def test_only_these_routes_ask_for_no_session(office: Any) -> None:
    found = {each.path for each in routes(office) if isinstance(declarations(each)[0], NoSession)}
    assert found == OPEN


def _reader(_caller: Annotated[object, Depends(Demand(Right.READ_MEMBERS))]) -> None: ...
def _nobody() -> None: ...
def _two(
    _caller: Annotated[object, Depends(Demand(Right.READ_MEMBERS))],
    _other: Annotated[object, Depends(AnySession("a second one"))],
) -> None: ...


@pytest.mark.parametrize("endpoint", [_nobody, _two])
def test_an_application_with_a_route_that_says_nothing_or_two_things_is_not_built(
    endpoint: Any,
) -> None:
    app = FastAPI(openapi_url=None)
    router = APIRouter()
    router.add_api_route("/fine", _reader)
    app.include_router(router)
    check_routes(app)
    router.add_api_route("/hole", endpoint)
    with pytest.raises(TypeError, match="/hole"):
        check_routes(app)


def test_a_router_cannot_hide_its_declaration() -> None:
    app = FastAPI(openapi_url=None)
    router = APIRouter(dependencies=[Depends(AnySession("for all of them"))])
    router.add_api_route("/x", _nobody)
    app.include_router(router)
    with pytest.raises(TypeError, match="dependencies"):
        check_routes(app)


def test_without_a_session_every_other_route_is_closed(office: Any) -> None:
    client = office.client(None)
    seen = 0
    for route in routes(office):
        if route.path in OPEN:
            continue
        path = route.path.replace("{", "").replace("}", "")
        for method in route.methods:
            response = client.send(method, path)
            assert response.status_code in {303, 401, 422}, (method, path)
            if response.status_code == 303:
                assert response.headers["location"].startswith("/login")
            seen += 1
    assert seen > 6


def test_without_the_right_a_route_is_closed_and_says_which(office: Any) -> None:
    client = office.client("nobody", is_program=True)
    closed = 0
    for route in routes(office):
        (declaration,) = declarations(route)
        if isinstance(declaration, Demand) and "GET" in route.methods and "{" not in route.path:
            response = client.get(route.path)
            assert response.status_code == 403, route.path
            assert "right.missing" in response.text
            closed += 1
    assert closed >= 1


@pytest.mark.parametrize("token", ["", "x" * 300, "not-a-session", "\u00e9"])
def test_a_token_that_is_none_opens_nothing(office: Any, token: str) -> None:
    client = office.client(None)
    response = client.get("/v1/session", authorization=f"Bearer {token}".encode())
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    response = client.get("/v1/session", authorization="Basic bGFuOmxhbg==")
    assert response.status_code == 401


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://console.example"}, False),
        ({"origin": "https://console.example"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
    ],
)
def test_changes_are_asked_for_by_our_own_pages_alone(
    office: Any, headers: dict[str, str], passes: Any
) -> None:
    client = office.client("lan")
    response = client.post("/logout", {}, **headers)
    assert response.status_code == (303 if passes else 403)
    assert (client.get("/v1/session").status_code == 401) is passes


def test_people_come_in_go_on_to_where_they_wanted_and_out_again(office: Any) -> None:
    client = office.client(None)
    sent = client.get("/keyboard?x=1")
    assert sent.headers["location"] == "/login?next=%2Fkeyboard%3Fx%3D1"
    page = client.get(sent.headers["location"])
    assert 'value="/keyboard?x=1"' in page.text
    wrong = client.post("/login", {"account": "lan", "password": "x", "next": "/keyboard?x=1"})
    assert wrong.status_code == 401
    assert "login.refused" in wrong.text
    assert "set-cookie" not in wrong.headers
    right = client.post(
        "/login",
        {"account": "lan", "password": PASSWORD, "next": "/keyboard?x=1"},
    )
    assert (right.status_code, right.headers["location"]) == (303, "/keyboard?x=1")
    cookie = right.headers["set-cookie"]
    assert cookie.startswith(f"{SESSION_COOKIE}=")
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert client.get("/keyboard").status_code == 200
    out = client.post("/logout", {})
    assert out.headers["location"] == "/login"
    assert client.get("/keyboard").status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\/evil",
        "/\tevil",
        "",
        "x",
        "/đ",
    ],
)
def test_nobody_is_sent_to_another_site_after_logging_in(office: Any, target: str) -> None:
    fields = {"account": "lan", "password": PASSWORD, "next": target}
    response = office.client(None).post("/login", fields)
    assert response.headers["location"] == "/"


def test_whoever_got_a_password_from_somebody_else_sets_their_own_first(office: Any) -> None:
    client = office.client(None)
    client.post("/login", {"account": "newcomer", "password": PASSWORD})
    sent = client.get("/members?x=1")
    assert sent.headers["location"] == "/password?next=%2Fmembers%3Fx%3D1"
    assert client.get("/v1/session").json()["code"] == "api.session-restricted"
    page = client.get(sent.headers["location"])
    assert 'value="/members?x=1"' in page.text
    new = "một câu chỉ mình tôi biết"
    fields = {"old": PASSWORD, "new": new, "again": "khác", "next": "/keyboard"}
    assert "password.differs" in client.post("/password", fields).text
    assert "login.refused" in client.post("/password", fields | {"old": "x", "again": new}).text
    assert (
        "password.too-short" in client.post("/password", fields | {"new": "ab", "again": "ab"}).text
    )
    assert client.get("/keyboard").status_code == 303
    done = client.post("/password", fields | {"again": new})
    assert (done.status_code, done.headers["location"]) == (303, "/keyboard")
    assert client.get("/keyboard").status_code == 200


def test_whoever_tries_too_often_waits_as_long_as_is_said(office: Any) -> None:
    client = office.client(None)
    for _ in range(6):
        client.post("/login", {"account": "lan", "password": "x"})
    late = client.post("/login", {"account": "lan", "password": PASSWORD})
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) >= 1
    assert "login.too-many-attempts" in late.text


def test_a_password_of_the_command_line_is_no_second_factor_over_http(office: Any) -> None:
    opened = office.services.log_in.log_in("van", PASSWORD, face=Face.COMMAND_LINE)
    # The same token, in a command on the server, is within its five minutes.
    there = office.services.log_in.authenticate(opened.token, face=Face.COMMAND_LINE)
    assert there.actor.stepped_up_at is not None
    client = office.client(None)
    client.headers["authorization"] = f"Bearer {opened.token.text}"
    assert client.get("/v1/session").json()["stepped_up_at"] is None
    before = len(office.trail())
    answer = client.post("/people/hoa", {"act": "disable"})
    assert answer.status_code in (303, 403)
    assert len(office.trail()) == before
    # What a key was shown for counts: the session has another time then than that of its log-in.
    fresh = SessionToken(bytes(range(32)))
    with office.register.writing() as transaction:
        session = transaction.sessions.find(opened.token.digest).session
        shown = session.stepped_up(fresh, office.services.now() + timedelta(microseconds=1))
        transaction.sessions.replace(opened.token.digest, shown)
    client.headers["authorization"] = f"Bearer {fresh.text}"
    assert client.get("/v1/session").json()["stepped_up_at"] is not None
