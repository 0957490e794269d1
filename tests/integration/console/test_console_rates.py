"""Whoever asks too often waits, by session and by address, before anything is looked up."""

from typing import Any

from issuer.identity.memory_rates import MemoryRequestRates
from issuer.services.request_rates import RateKind
from tests.integration.console.strict_page import StrictPage


def limited(office: Any, **limits: int) -> Any:
    per_minute = {kind: limits.get(kind.value, 1_000_000) for kind in RateKind}
    return office.with_services(rates=MemoryRequestRates(per_minute))


def test_a_session_that_asks_too_often_is_told_when_to_come_again(office: Any) -> None:
    strict = limited(office, session=3)
    client, other = strict.client("lan", is_program=True), strict.client("minh", is_program=True)
    found = [client.get("/v1/organisations").status_code for _ in range(4)]
    assert found == [200, 200, 200, 429]
    refused = client.get("/v1/organisations")
    assert refused.json()["code"] == "request.too-many"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    # Somebody else at the same address goes on.
    assert other.get("/v1/organisations").status_code == 200


def test_the_console_tells_it_on_a_page(office: Any) -> None:
    client = limited(office, session=1).client("lan")
    assert client.get("/organisations").status_code == 200
    refused = client.get("/organisations")
    assert refused.status_code == 429
    StrictPage(refused.text)
    assert "Wait a minute, then go on." in refused.text


def test_guessed_tokens_are_counted_before_they_are_looked_up(office: Any) -> None:
    strict = limited(office, address=2)
    client = strict.client(None)
    guess = {"authorization": "Bearer " + "A" * 43}
    found = [client.get("/v1/organisations", **guess).status_code for _ in range(4)]
    assert found == [401, 401, 429, 429]
    # What needs no session is counted with it, but for the questions of machines.
    assert client.get("/login").status_code == 429
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code == 200
