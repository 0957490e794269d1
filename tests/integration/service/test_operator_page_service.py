"""The page for operators behind the API, and credentials from challenge to revocation on the command line."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pki.bootstrap import read_state
from tests.integration.service.conftest import Caller, ServiceHome
from tests.unit.pki.authenticator import Authenticator

Call = Callable[[str | None], Caller]


@pytest.fixture
def enrolled(service_home: ServiceHome) -> tuple[ServiceHome, Authenticator]:
    """Em, who has no role, has a credential."""
    configure = ("operator", "credential", "configure", "--origin", "https://pki.example")
    assert service_home.pki(*configure) == 0
    authenticator = Authenticator()
    enrol(service_home, "em", authenticator)
    return service_home, authenticator


def enrol(home: ServiceHome, name: str, authenticator: Authenticator) -> None:
    challenge, registration = home.directory / "challenge", home.directory / "registration"
    words = ("operator", "credential", "challenge", name, "--out", str(challenge))
    assert home.pki(*words) == 0
    asked = json.loads(challenge.read_bytes())
    challenge.unlink()
    assert (asked["operator"], asked["origin"], asked["rp_id"]) == (
        name, "https://pki.example", "pki.example",
    )  # fmt: skip
    registration.write_bytes(authenticator.register(bytes.fromhex(asked["challenge"])))
    assert home.pki("operator", "credential", "enrol", name, str(registration)) == 0


def test_an_operator_without_a_role_sees_their_own_credentials_until_they_are_revoked(
    enrolled: tuple[ServiceHome, Authenticator], call: Call
) -> None:
    home, authenticator = enrolled
    found = call("em").get("/v1/operator").json()
    assert found == {
        "name": "em",
        "roles": [],
        "certificate": home.certificate("em").hex(),
        "credentials": [
            {
                "id": authenticator.credential_id.hex(),
                "origin": "https://pki.example",
                "rp_id": "pki.example",
            }
        ],
    }
    assert call("an").get("/v1/operator").json()["credentials"] == []
    assert call(None).get("/v1/operator").status_code == 401
    begin = authenticator.credential_id.hex()[:8]
    revoke = ("operator", "credential", "revoke", "em", "--id", begin, "--reason", "lost")
    assert home.pki(*revoke) == 0
    assert home.pki(*revoke) == 1
    assert call("em").get("/v1/operator").json()["credentials"] == []
    assert home.pki("operator", "revoke", "em", "--reason", "has left") == 0
    assert call("em").get("/v1/operator").json()["code"] == "operator.revoked"


def test_credentials_are_listed_and_their_make_is_not_attested(
    enrolled: tuple[ServiceHome, Authenticator], capfd: pytest.CaptureFixture[str]
) -> None:
    home, authenticator = enrolled
    capfd.readouterr()
    assert home.pki("operator", "credential", "list", "--format", "json") == 0
    (listed,) = json.loads(capfd.readouterr().out)
    assert (listed["id"], listed["state"]) == (authenticator.credential_id.hex(), "usable")
    assert listed["attestation"].startswith("none")
    assert home.pki("operator", "credential", "list") == 0


def test_the_settings_of_the_home_keep_the_page_and_everything_else(
    enrolled: tuple[ServiceHome, Authenticator],
) -> None:
    home, authenticator = enrolled
    before = home.home.settings()
    configure = ("operator", "credential", "configure", "--origin", "https://other.example")
    assert home.pki(*configure) == 0
    after = home.home.settings()
    assert after.operator_page is not None
    assert after.operator_page.origin == "https://other.example"
    assert (after.pin_file, after.root_keystore) == (before.pin_file, before.root_keystore)
    # What was enrolled keeps the place of its enrolment.
    credentials = read_state(home.home).authorisations.credentials.credentials
    assert credentials[authenticator.credential_id].origin == "https://pki.example"
    assert home.pki("operator", "credential", "configure", "--origin", "http://pki.example") == 1


def test_what_cannot_be_is_refused_before_anything_is_made(
    service_home: ServiceHome, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def refusal(*words: object) -> str:
        capfd.readouterr()
        assert service_home.pki(*(str(word) for word in words)) in {1, 2}
        return re.findall(r"\[([a-z.-]+)\]", capfd.readouterr().err)[-1]

    out = tmp_path / "challenge"
    challenge = ("operator", "credential", "challenge", "an", "--out", out)
    assert refusal(*challenge) == "webauthn.not-configured"
    configure = ("operator", "credential", "configure", "--origin", "https://pki.example")
    assert service_home.pki(*configure) == 0
    assert service_home.pki(*(str(word) for word in challenge)) == 0
    assert refusal(*challenge) == "webauthn.unwritable"
    missing = ("operator", "credential", "enrol", "an", tmp_path / "missing")
    assert refusal(*missing) == "webauthn.unreadable"
    bad = tmp_path / "bad"
    bad.write_bytes(Authenticator().register(bytes(32)))
    new = ("operator", "enrol", "huy", "--operator-pin-file", tmp_path / "huy.pin")
    assert refusal(*new, "--credential", bad) == "webauthn.challenge-unknown"
    assert "huy" not in read_state(service_home.home).authorisations.operators
    assert not (tmp_path / "huy.pin").exists()


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/operator", "text/html; charset=utf-8"),
        ("/operator/operator.css", "text/css; charset=utf-8"),
        ("/operator/operator.js", "text/javascript; charset=utf-8"),
    ],
)
def test_the_page_runs_nothing_but_its_own_script_and_nobody_frames_it(
    call: Call, path: str, media_type: str
) -> None:
    answer = call(None).get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert {policy[each] for each in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert {policy[each] for each in ("frame-ancestors", "base-uri", "form-action")} == {"'none'"}
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", answer.text)


def test_every_text_of_the_page_is_there_in_both_languages(call: Call) -> None:
    script = call(None).get("/operator/operator.js").text
    texts: dict[str, Any] = {}
    for language, end in (("vi", "  en: {"), ("en", "\n};")):
        begin = script.index(f"  {language}: {{\n") + len(language) + 5
        block = script[begin : script.index(end, begin)]
        texts[language] = set(re.findall(r'(?:^ +|", )(\w+): "', block, re.MULTILINE))
    assert texts["vi"] == texts["en"]
    page = call(None).get("/operator").text
    assert set(re.findall(r'data-text="(\w+)"', page)) <= texts["vi"]
    assert len(texts["vi"]) > 30
