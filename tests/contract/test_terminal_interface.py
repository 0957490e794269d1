"""The local interface for programs over a real server: every message keeps to the published schema, in both directions."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from pki.certificates.trust import TrustAnchors
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.image import CardImage
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import TEST_POLICY
from tests.unit.verifier.terminal_desk import Desk
from verifier.api.app import create_app
from verifier.api.messages import schema
from verifier.api.pairing import PagePairing
from verifier.api.ports import PageServices
from verifier.api.serving import MAX_MESSAGE_BYTES
from verifier.api.streams import Streams
from verifier.bootstrap_page import program_right
from verifier.inspection.codes import CODES
from verifier.inspection.policy import Policy
from verifier.services.inspect_card import InspectionRules
from verifier.trust.terminal_home import TerminalHome

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "terminal-interface.schema.json").read_text("utf-8"))
NOW = TEST_TIME + timedelta(days=1)


def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**SCHEMA, "anyOf": [{"$ref": f"#/$defs/{name}"}]})


MESSAGE = validator("Message")
COMMAND = validator("Command")


class Station:
    """A desk behind a real server, and programs that are paired with it."""

    def __init__(self, desk: Desk, home: TerminalHome) -> None:
        self.desk = desk
        self.home = home
        self.port = 0

    @contextmanager
    def serving(self) -> Iterator[None]:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        services = PageServices(
            terminal=self.desk.terminal,
            terminal_name="terminal-1",
            purpose="inspection",
            version="0",
            reader_names=lambda: ("another", "pluggable"),
            program_of=lambda token: program_right(self.home, token),
        )
        app = create_app(
            services,
            pairing=PagePairing(lambda _token: None),
            streams=Streams(self.desk.terminal),
            authorities=frozenset({f"127.0.0.1:{self.port}"}),
        )
        config = uvicorn.Config(
            app, ws="websockets-sansio", ws_max_size=MAX_MESSAGE_BYTES, log_level="critical", lifespan="off"
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join()
            listener.close()

    def token(self, name: str, *, holder: bool = False) -> str:
        return self.home.pair(name, may_see_holder=holder, now=NOW)

    @contextmanager
    def program(self, token: str) -> Iterator["Program"]:
        headers = {"Authorization": f"Bearer {token}"}
        address = f"ws://127.0.0.1:{self.port}/v1/terminal"
        with connect(address, additional_headers=headers, origin=None) as connection:
            program = Program(connection)
            assert program.hear()["msg"] == "INFO"
            assert program.hear()["msg"] == "READER"
            yield program


class Program:
    """One connection; every message is held against the schema."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def say(self, command: str, **members: Any) -> None:
        message = {"cmd": command, **members}
        COMMAND.validate(message)
        self.connection.send(json.dumps(message))

    def hear(self) -> dict[str, Any]:
        message = json.loads(self.connection.recv())
        MESSAGE.validate(message)
        for code in (message.get("reason"), *message.get("codes", ())):
            assert code is None or code in CODES
        assert isinstance(message, dict)
        return message

    def hear_until(self, name: str) -> dict[str, Any]:
        while True:
            message = self.hear()
            if message["msg"] == name:
                return message
            assert message["msg"] in {"READER", "PROGRESS"}, message


@pytest.fixture
def station(test_pki: TestAuthority, tmp_path: Path) -> Iterator[Station]:
    anchors = TrustAnchors.from_bytes(
        certificates=(test_pki.root.certificate,), crls=(test_pki.revocation_list(now=NOW),)
    )
    policy = Policy.from_bytes(TEST_POLICY.encode())
    desk = Desk(InspectionRules(anchors=anchors, policy=policy), now=NOW)
    desk.look()
    home = TerminalHome(tmp_path / "home")
    home.prepare()
    station = Station(desk, home)
    with station.serving():
        yield station


def test_the_published_schema_is_that_of_the_program() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert schema() == SCHEMA, "write it anew, as docs/terminal-interface.md says"


def test_an_inspection_from_the_first_word_to_the_result(
    station: Station, virtual_card: VirtualCard, synthetic_member: SyntheticMember
) -> None:
    with station.program(station.token("attendance")) as program:
        program.say("GET_INFO")
        assert program.hear()["interface"] == 1
        program.say("GET_READER_LIST")
        assert program.hear()["readers"] == [
            {"name": "another", "watched": False},
            {"name": "pluggable", "watched": True},
        ]
        program.say("RUN_INSPECTION")
        assert program.hear() == {"msg": "INSERT_CARD", "reason": None}
        station.desk.insert(virtual_card)
        assert program.hear()["card"] is True
        assert program.hear() == {"msg": "ENTER_CAN", "reason": None, "wait_seconds": 0.0}
        program.say("SET_CAN", value=TEST_CAN)
        assert program.hear() == {"msg": "PROGRESS", "phase": "connect", "files": 0}
        station.desk.look()
        phases = []
        while (message := program.hear())["msg"] == "PROGRESS":
            phases.append(message["phase"])
        assert list(dict.fromkeys(phases)) == ["connect", "access", "chip", "files", "judge"]
        assert message["msg"] == "RESULT"
        assert (message["verdict"], message["assurance"]) == ("accepted", "data-and-chip")
        assert (message["reason"], message["codes"], message["record"]) == (None, [], 1)
        # This program was paired for verdicts, and for no names.
        assert message["holder"] is None
        assert synthetic_member.name.full not in json.dumps(message, ensure_ascii=False)
        program.say("SET_HOLDER", answer="compared-yes")
        assert program.hear() == {"msg": "HOLDER", "answer": "compared-yes"}
        station.desk.remove()
        assert program.hear()["card"] is False


def test_a_program_that_is_paired_for_it_is_told_whose_card_it_is(
    station: Station, virtual_card: VirtualCard, synthetic_member: SyntheticMember
) -> None:
    with station.program(station.token("desk", holder=True)) as program:
        program.say("RUN_INSPECTION")
        program.hear_until("INSERT_CARD")
        program.say("SET_CAN", value=TEST_CAN)
        program.say("GET_INFO")
        assert program.hear()["msg"] == "INFO"
        station.desk.insert(virtual_card)
        result = program.hear_until("RESULT")
        assert result["holder"]["full_name"] == synthetic_member.name.full


def test_a_wrong_can_is_asked_for_again_and_then_slowed_down(
    station: Station, virtual_card: VirtualCard
) -> None:
    with station.program(station.token("x")) as program:
        program.say("RUN_INSPECTION")
        program.hear_until("INSERT_CARD")
        station.desk.insert(virtual_card)
        program.hear_until("ENTER_CAN")
        for wait in (0.0, 0.0, 2.0):
            program.say("SET_CAN", value="000000")
            assert program.hear()["msg"] == "PROGRESS"
            station.desk.look()
            again = program.hear_until("ENTER_CAN")
            assert (again["reason"], again["wait_seconds"]) == ("access.wrong-password", wait)
        program.say("SET_CAN", value=TEST_CAN)
        refusal = program.hear()
        assert refusal == {
            "msg": "BAD_STATE",
            "error": "SET_CAN",
            "reason": "terminal.wait",
            "wait_seconds": 2.0,
        }


def test_the_reader_that_is_unplugged_is_told_and_the_inspection_goes_on(
    station: Station, issued_card: CardImage
) -> None:
    with station.program(station.token("x")) as program:
        program.say("RUN_INSPECTION")
        program.hear_until("INSERT_CARD")
        station.desk.reader.is_plugged = False
        station.desk.look()
        gone = program.hear()
        assert (gone["msg"], gone["attached"], gone["reason"]) == (
            "READER",
            False,
            "transport.lost",
        )
        station.desk.reader.is_plugged = True
        station.desk.insert(VirtualCard(issued_card))
        assert program.hear()["attached"] is True
        assert program.hear()["msg"] == "ENTER_CAN"
        program.say("SET_CAN", value=TEST_CAN)
        program.hear()
        station.desk.reader.unplug_at = 10
        station.desk.look()
        result = program.hear_until("RESULT")
        assert (result["verdict"], result["reason"]) == ("unreadable", "transport.lost")


def test_what_does_not_fit_is_a_bad_state(station: Station, virtual_card: VirtualCard) -> None:
    with station.program(station.token("one")) as one, station.program(station.token("two")) as two:
        for command, members in (
            ("SET_CAN", {"value": TEST_CAN}),
            ("SET_MRZ", {"value": "1/2/3"}),
            ("CANCEL", {}),
            ("SET_HOLDER", {"answer": "no"}),
        ):
            one.say(command, **members)
            answer = one.hear()
            expected = "BAD_COMMAND" if command == "SET_MRZ" else "BAD_STATE"
            assert (answer["msg"], answer["error"]) == (expected, command)
        one.say("RUN_INSPECTION")
        assert one.hear()["msg"] == "INSERT_CARD"
        one.say("RUN_INSPECTION")
        assert one.hear()["reason"] == "terminal.bad-state"
        two.say("RUN_INSPECTION")
        assert two.hear()["reason"] == "terminal.busy"
        two.say("CANCEL")
        assert two.hear()["reason"] == "terminal.bad-state"
        one.say("CANCEL")
        cancelled = one.hear()
        assert (cancelled["verdict"], cancelled["reason"]) == (None, "terminal.cancelled")
        two.say("RUN_INSPECTION")
        assert two.hear()["msg"] == "INSERT_CARD"
        station.desk.insert(virtual_card)
        two.hear_until("ENTER_CAN")
        station.desk.give(TEST_CAN)
        assert two.hear_until("RESULT")["verdict"] == "accepted"
        # While a result lies there nobody begins.
        one.hear_until("READER")
        one.say("RUN_INSPECTION")
        assert one.hear()["reason"] == "terminal.bad-state"


def test_a_program_that_goes_leaves_the_terminal_to_others(station: Station) -> None:
    first, second = station.token("first"), station.token("second")
    with station.program(first) as program:
        program.say("RUN_INSPECTION")
        assert program.hear()["msg"] == "INSERT_CARD"
    with station.program(second) as program:
        while True:
            # The server notices the end of the other connection in its own time.
            program.say("RUN_INSPECTION")
            if program.hear()["msg"] == "INSERT_CARD":
                break


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "1", '"GET_INFO"', "{}", '{"cmd":1}', '{"cmd":"NO_SUCH"}',
        '{"cmd":"GET_INFO","more":1}', '{"cmd":"GET_INFO","cmd":"CANCEL"}', '{"cmd":"SET_CAN"}',
        '{"cmd":"SET_CAN","value":123456}', '{"cmd":"SET_CAN","value":"12345"}',
        '{"cmd":"SET_CAN","value":"１２３４５６"}', '{"cmd":"SET_CAN","value":"123456\\n"}',
        '{"cmd":"SET_HOLDER","answer":"accepted"}', '{"cmd":NaN}', "[" * 3000,
        '{"cmd":"RUN_INSPECTION","purpose":"everything"}',
    ],
)  # fmt: skip
def test_what_is_no_command_is_told_so_and_the_next_one_works(station: Station, text: str) -> None:
    with station.program(station.token("x")) as program:
        program.connection.send(text)
        answer = program.hear()
        assert (answer["msg"], answer["reason"]) == ("BAD_COMMAND", "terminal.bad-command")
        program.say("GET_INFO")
        assert program.hear()["msg"] == "INFO"


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_whatever_is_sent_is_answered_with_a_message_of_the_schema(
    shared_program: Program, noise: str | bytes
) -> None:
    shared_program.connection.send(noise)
    assert shared_program.hear()["msg"] == "BAD_COMMAND"


@pytest.fixture
def shared_program(station: Station) -> Iterator[Program]:
    with station.program(station.token("noise")) as program:
        yield program


def test_a_message_that_is_too_long_ends_the_connection(station: Station) -> None:
    with station.program(station.token("x")) as program:
        program.connection.send(" " * (MAX_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosedError) as end:
            program.hear()
        assert end.value.rcvd is not None
        assert end.value.rcvd.code == 1009


def test_a_program_that_was_unpaired_is_let_in_no_more(station: Station) -> None:
    token = station.token("x")
    with station.program(token):
        pass
    station.home.unpair("x")
    with pytest.raises(InvalidStatus) as refusal, station.program(token):
        pass
    assert refusal.value.response.status_code == 401
    assert json.loads(refusal.value.response.body or b"")["code"] == "terminal.program-unknown"


def test_a_browsers_page_is_no_program(station: Station) -> None:
    headers = {"Authorization": f"Bearer {station.token('x')}"}
    address = f"ws://127.0.0.1:{station.port}/v1/terminal"
    with (
        pytest.raises(InvalidStatus) as refusal,
        connect(address, additional_headers=headers, origin="http://127.0.0.1"),  # type: ignore[arg-type]
    ):
        pass
    assert refusal.value.response.status_code == 403


def test_only_the_digest_of_a_token_is_kept(station: Station) -> None:
    token = station.token("x")
    content = (station.home.directory / "programs.json").read_text()
    assert token not in content
    assert (station.home.directory / "programs.json").stat().st_mode & 0o077 == 0


def test_nobody_is_let_in_while_the_list_of_programs_is_broken(station: Station) -> None:
    token = station.token("x")
    (station.home.directory / "programs.json").write_text("{")
    with pytest.raises(InvalidStatus) as refusal, station.program(token):
        pass
    assert refusal.value.response.status_code == 401
