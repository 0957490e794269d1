"""A terminal is confirmed in the console by whoever has just shown their security key there."""

from typing import Any

from issuer.domain.rights import Right
from issuer.domain.second_factor import SecondFactor
from issuer.domain.session import Face
from pki.keys.webauthn_keys import CoseAlgorithm
from tests.integration.console.conftest import PASSWORD, Office
from tests.integration.console.strict_page import StrictPage
from tests.integration.console.test_console_decisions import stepped_up

PAGE = "/security-keys/terminal"


def give_key(office: Office, name: str) -> None:
    with office.register.writing() as transaction:
        transaction.people.add_second_factor(
            SecondFactor(
                credential_id=name.encode(),
                account_id=transaction.people.get(name).account_id,
                label="khóa xanh",
                algorithm=CoseAlgorithm.ES256,
                public_key=b"key",
                counter=0,
                created_at=office.services.now(),
            )
        )


def test_the_code_of_a_terminal_is_typed_where_the_key_was_shown(office: Any) -> None:
    terminal = office.services.log_in
    client = stepped_up(office, "minh")
    give_key(office, "minh")
    opened = terminal.log_in("minh", PASSWORD, face=Face.COMMAND_LINE)
    code = office.services.terminals.begin(opened.token).text
    form = client.get(PAGE)
    StrictPage(form.text)
    assert "The code on the terminal" in form.text
    wrong = client.post(PAGE, {"code": "AAAA-0000"})
    StrictPage(wrong.text)
    assert (wrong.status_code, "terminal-code.unknown" in wrong.text) == (409, True)
    done = client.post(PAGE, {"code": code})
    StrictPage(done.text)
    assert "It is confirmed" in done.text
    actor = terminal.authenticate(opened.token, face=Face.COMMAND_LINE).actor
    actor.demand(Right.DECIDE, place=(), now=office.services.now())


def test_whoever_has_not_shown_a_key_is_asked_for_it_first(office: Any) -> None:
    asked = office.client("minh").get(PAGE)
    assert asked.headers["location"] == "/second-factor?next=%2Fsecurity-keys%2Fterminal"
