"""Logging in by the word of an OpenID provider: a small one of our own, on the loopback interface."""

import base64
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from issuer.bootstrap_web_people import oidc_login_of
from issuer.domain.rights import AccountName, Role
from issuer.domain.session import Face, LoginMethod
from issuer.errors import IssuerDataError, IssuerError, IssuerUnavailableError
from issuer.identity.oidc_provider import OidcClient, OpenIdProvider
from issuer.services.oidc_login import OidcAttempt, OidcLogin
from issuer.services.register_ports import Register
from issuer.settings import OidcSettings, load_settings
from tests.unit.issuer.people_stage import Stage, role

SECRET = "client secret: +%&é"
REDIRECT = "https://register.example/login/oidc"


@dataclass
class Provider:
    """It remembers what the browser asked for, and says whatever a test wants it to say."""

    url: str = ""
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "1"}))
    published: ECKey | None = None
    now: int = 0
    changes: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "ES256", "kid": "1"})
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)

    def browser(self, url: str) -> tuple[str, str]:
        """Somebody logs in at the provider and is sent back with this state and code."""
        parts = urllib.parse.urlsplit(url)
        assert url.startswith(f"{self.url}/authorise?")
        self.asked = dict(urllib.parse.parse_qsl(parts.query))
        assert self.asked["redirect_uri"] == REDIRECT
        assert self.asked["response_type"] == "code"
        return self.asked["state"], "the code"

    def token(self) -> str:
        claims = {
            "iss": self.url, "aud": "register", "sub": "17", "nonce": self.asked["nonce"],
            "iat": self.now, "exp": self.now + 300, "preferred_username": "an",
        } | self.changes  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        key: Any = self.key
        if self.header["alg"] == "HS256":
            # The mistake of old libraries: the public key as a secret that everybody knows.
            key = OctKey.import_key(json.dumps(self.key.as_dict(private=False)))
        return jwt.encode(self.header, claims, key, algorithms=[self.header["alg"]])

    def answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        self.tried.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            found = {
                "issuer": self.url, "authorization_endpoint": f"{self.url}/authorise",
                "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys",
            }  # fmt: skip
            return 200, json.dumps(found | self.metadata).encode()
        if path == "/keys":
            keys = KeySet([self.published or self.key])
            return 200, json.dumps(keys.as_dict(private=False)).encode()
        if path == "/token":
            return self.redeem(form, authorization)
        return 404, b"{}"

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        name, secret = (urllib.parse.unquote_plus(each) for each in pair.split(":"))
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(form["code_verifier"].encode()).digest()
        )
        is_good = (
            (name, secret) == ("register", SECRET)
            and form["code"] == "the code"
            and form["grant_type"] == "authorization_code"
            and form["redirect_uri"] == REDIRECT
            and challenge.decode().rstrip("=") == self.asked["code_challenge"]
            and self.asked["code_challenge_method"] == "S256"
        )
        if not is_good:
            return 400, b'{"error": "invalid_grant"}'
        return 200, json.dumps({"id_token": self.token(), "access_token": "x"}).encode()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._reply(dict(urllib.parse.parse_qsl(content)))

        def _reply(self, form: dict[str, str]) -> None:
            status, content = made.answer(self.path, form, self.headers.get("Authorization", ""))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", content.decode())
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def stage(empty_register: Register, provider: Provider) -> Stage:
    made = Stage(register=empty_register)
    made.people.create(
        AccountName("an"), actor=made.administrator(), assignments=[role(Role.CLERK)]
    )
    provider.now = int(made.clock.now.timestamp())
    return made


@pytest.fixture
def login(stage: Stage, provider: Provider) -> OidcLogin:
    client = OidcClient(
        issuer=provider.url,
        client_id="register",
        client_secret=SECRET,
        redirect_uri=REDIRECT,
        account_claim="preferred_username",
    )
    numbers = iter(range(1, 256))
    return OidcLogin(
        provider=OpenIdProvider(client, clock=stage.clock),
        log_in=stage.log_in,
        random_bytes=lambda length: bytes([next(numbers)]) * length,
    )


def code_of(act: Callable[[], object]) -> str | None:
    try:
        act()
    except IssuerError as error:
        # A text that tells the secret is a code that no test expects.
        return "secret told" if SECRET in str(error) else error.code
    return None


def whole(login: OidcLogin, provider: Provider) -> str | None:
    """Both halves, as one browser goes through them."""

    def go() -> None:
        begun = login.begin()
        state, code = provider.browser(begun.url)
        attempt = OidcAttempt.from_text(begun.attempt.text)
        login.finish(attempt, state=state, code=code)

    return code_of(go)


def test_whoever_the_provider_knows_logs_in_to_an_account_that_there_is(
    login: OidcLogin, provider: Provider, stage: Stage
) -> None:
    begun = login.begin()
    state, code = provider.browser(begun.url)
    opened = login.finish(begun.attempt, state=state, code=code)
    present = stage.log_in.authenticate(opened.token, face=Face.CONSOLE)
    assert (present.actor.account, present.session.method) == ("an", LoginMethod.OIDC)
    assert present.actor.assignments == (role(Role.CLERK),)
    assert present.actor.stepped_up_at is None
    assert stage.actions()[-1] == "session.opened"


def test_what_the_browser_carries_tells_neither_verifier_nor_nonce(login: OidcLogin) -> None:
    begun = login.begin()
    attempt = begun.attempt
    assert attempt.verifier not in begun.url
    assert attempt.text not in begun.url
    assert attempt.text not in repr(begun)
    assert len({attempt.state, attempt.nonce, attempt.verifier, attempt.text}) == 4
    assert login.begin().attempt.state != attempt.state


def test_an_answer_is_for_the_browser_that_began(login: OidcLogin, provider: Provider) -> None:
    mine, others = login.begin(), login.begin()
    state, code = provider.browser(others.url)
    before = len(provider.tried)
    refused = code_of(lambda: login.finish(mine.attempt, state=state, code=code))
    assert refused == "oidc.state-differs"
    assert len(provider.tried) == before, "the code was not even shown"
    # A code that was made for another browser's challenge is none for this one.
    refused = code_of(lambda: login.finish(mine.attempt, state=mine.attempt.state, code=code))
    assert refused == "oidc.code-refused"


@pytest.mark.parametrize("text", ["", "00", "Z" * 64, "AB" * 32, "ab" * 33])
def test_a_cookie_that_we_did_not_make_begins_nothing(text: str) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        OidcAttempt.from_text(text)
    assert refusal.value.code == "oidc.attempt-malformed"


@pytest.mark.parametrize("code", [None, "", "x" * 5000])
def test_without_a_code_nobody_is_known(login: OidcLogin, code: str | None) -> None:
    attempt = login.begin().attempt
    refused = code_of(lambda: login.finish(attempt, state=attempt.state, code=code))
    assert refused == "oidc.provider-refused"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"aud": "another"},
        {"aud": ["register", "another"]},
        {"aud": None},
        {"azp": "another"},
        {"nonce": "0" * 64},
        {"nonce": None},
        {"exp": None},
        {"exp": 1},
        {"iat": None},
        {"iat": 2**40},
        {"nbf": 2**40},
        {"sub": None},
        {"preferred_username": None},
        {"preferred_username": 17},
    ],
    ids=str,
)
def test_a_token_that_says_something_else_is_refused(
    login: OidcLogin, provider: Provider, changes: dict[str, Any]
) -> None:
    provider.changes = changes
    assert whole(login, provider) == "oidc.token-refused"
    provider.changes = {}
    assert whole(login, provider) is None


@pytest.mark.parametrize("alg", ["none", "HS256"])
def test_a_token_without_a_signature_by_a_published_key_is_refused(
    login: OidcLogin, provider: Provider, alg: str
) -> None:
    if alg == "none":
        head, body, _ = "", "", ""
        claims = {"iss": provider.url, "aud": "register", "preferred_username": "an"}
        head, body = (
            base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=")
            for each in ({"alg": "none"}, claims)
        )
        provider.answers["/token"] = (200, json.dumps({"id_token": f"{head}.{body}."}).encode())
    else:
        provider.header = {"alg": "HS256", "kid": "1"}
    assert whole(login, provider) == "oidc.token-refused"


def test_a_token_by_another_key_is_refused_and_new_keys_are_read_next_time(
    login: OidcLogin, provider: Provider
) -> None:
    assert whole(login, provider) is None
    provider.key = ECKey.generate_key("P-256", {"kid": "2"})
    provider.header = {"alg": "ES256", "kid": "2"}
    assert whole(login, provider) == "oidc.token-refused"
    assert whole(login, provider) is None
    provider.published = ECKey.generate_key("P-256", {"kid": "2"})
    assert whole(login, provider) is None, "its keys are kept for a while"
    provider.key = ECKey.generate_key("P-256", {"kid": "2"})
    assert [whole(login, provider) for _ in range(2)] == ["oidc.token-refused"] * 2


def test_a_name_that_no_account_has_gets_none(
    login: OidcLogin, provider: Provider, stage: Stage
) -> None:
    for name in ("nobody", "An", "", "an\x00", "root'--"):
        provider.changes = {"preferred_username": name}
        assert whole(login, provider) == "login.refused"
    provider.changes = {}
    stage.people.disable(AccountName("an"), actor=stage.actor(stage.account("root")))
    assert whole(login, provider) == "login.refused"
    with stage.register.reading() as transaction:
        assert len(transaction.people.page(limit=9)) == 3


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/.well-known/openid-configuration", (500, b"{}")),
        ("/.well-known/openid-configuration", (302, b"http://127.0.0.1:1/")),
        ("/.well-known/openid-configuration", (200, b"no json")),
        ("/.well-known/openid-configuration", (200, b"[]")),
        ("/.well-known/openid-configuration", (200, b'{"x": "' + b"y" * 300_000 + b'"}')),
        ("/.well-known/openid-configuration", (200, b"[" * 100_000)),
        ("/keys", (200, b'{"keys": 17}')),
        ("/keys", (200, b'{"keys": [{"kty": "what"}]}')),
        ("/keys", (404, b"{}")),
        ("/token", (500, b"{}")),
        ("/token", (302, b"http://127.0.0.1:1/")),
        ("/token", (200, b"{}")),
        ("/token", (200, b'{"id_token": 17}')),
    ],
    ids=str,
)
def test_a_provider_that_answers_nonsense_is_unavailable(
    login: OidcLogin, provider: Provider, path: str, answer: tuple[int, bytes]
) -> None:
    provider.answers[path] = answer
    assert whole(login, provider) == "oidc.unavailable"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://other.example/token"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://[bad"},
    ],
    ids=str,
)
def test_a_provider_that_points_somewhere_else_is_unavailable(
    login: OidcLogin, provider: Provider, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    assert whole(login, provider) == "oidc.unavailable"


def test_a_provider_that_is_not_there_is_unavailable(stage: Stage) -> None:
    client = OidcClient(
        issuer="http://127.0.0.1:1", client_id="register", client_secret=SECRET,
        redirect_uri=REDIRECT, account_claim="sub",
    )  # fmt: skip
    assert SECRET not in repr(client)
    provider = OpenIdProvider(client, clock=stage.clock)
    assert code_of(lambda: provider.authorisation_url(OidcAttempt(bytes(32)))) == "oidc.unavailable"


def test_the_settings_name_a_provider_wholly_or_not_at_all(
    tmp_path: Path, stage: Stage, provider: Provider
) -> None:
    assert oidc_login_of(OidcSettings(), home=tmp_path, log_in=stage.log_in) is None
    path = tmp_path / "settings.toml"
    path.write_text(f'[oidc]\nissuer = "{provider.url}"\n')
    with pytest.raises(IssuerUnavailableError) as refusal:
        load_settings(tmp_path)
    assert refusal.value.code == "settings.malformed"
    path.write_text(
        f'[oidc]\nissuer = "{provider.url}"\nclient_id = "register"\n'
        f'client_secret_file = "oidc.secret"\nredirect_uri = "{REDIRECT}"\n'
    )
    settings = load_settings(tmp_path).oidc
    (tmp_path / "oidc.secret").write_text(SECRET + "\n")
    (tmp_path / "oidc.secret").chmod(0o644)
    refused = code_of(lambda: oidc_login_of(settings, home=tmp_path, log_in=stage.log_in))
    assert refused == "password-file.exposed"
    (tmp_path / "oidc.secret").chmod(0o600)
    made = oidc_login_of(settings, home=tmp_path, log_in=stage.log_in)
    assert made is not None
    assert made.begin().url.startswith(f"{provider.url}/authorise?")
