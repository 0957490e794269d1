"""The signer as a process: what it signs, what it refuses, and that no client stops the others."""

import contextlib
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pki.errors import PkiError
from pki.keys.algorithms import HashAlgorithm
from pki.signed.security_object import SecurityObject
from pki.signer_service.frames import frame
from pki.signer_service.protocol import SignRequest, read_signed
from pki.signer_service.serving import open_listener

Home = Any
Card = Callable[..., Any]


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def raw_connection(home: Home) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    connection.connect(str(home.socket))
    return connection


def read_answer(connection: socket.socket) -> bytes:
    """One whole frame's content."""
    with connection.makefile("rb", buffering=0) as file:
        content = b""
        length = int.from_bytes(file.read(4) or b"", "big")
        while len(content) < length:
            part = file.read(length - len(content))
            assert part
            content += part
        return content


@pytest.mark.parametrize(
    "fixture", ["signer_home", pytest.param("token_home", marks=pytest.mark.hsm)]
)
def test_cards_are_signed_recorded_and_counted(
    fixture: str, request: pytest.FixtureRequest, card: Card
) -> None:
    home = request.getfixturevalue(fixture)
    authorisation = home.authorise(20)
    home.start()
    cards = [card() for _ in range(12)]
    with home.client(authorisation) as signer:
        assert signer.hash_algorithm is HashAlgorithm.SHA256
        assert (signer.authorised.cards, signer.authorised.signed) == (20, 0)
        signed = signer.sign_many(cards)
        assert signer.sign_many([]) == []
    entries = home.entries()
    for asked, content_info, entry in zip(cards, signed, entries, strict=True):
        found = SecurityObject.from_bytes(content_info)
        found.verify_signature()
        assert found.file_hashes == asked.file_hashes
        assert found.signing_time == asked.signing_time
        assert found.status_reference == asked.status_reference
        assert entry.fields["reference"] == asked.reference.hex()
        assert entry.fields["digest"] == HashAlgorithm.SHA256.digest(found.signed_attributes).hex()
        assert entry.fields["batch"] == signer.authorised.batch.hex()
    with home.client(authorisation) as signer:
        assert signer.authorised.signed == 12
    assert home.stop() == (0, "")
    assert not home.socket.exists()


def test_every_refusal_has_its_code_and_the_next_card_is_signed(
    signer_home: Home, card: Card
) -> None:
    authorisation = signer_home.authorise(3)
    signer_home.start()
    with signer_home.client(authorisation) as signer:
        signer.sign(card(1))
        assert code_of(lambda: signer.sign(card(1))) == "signing.reference-used"
        assert code_of(lambda: signer.sign_many([card(2), card(2)])) == "signing.reference-used"
        assert code_of(lambda: signer.sign(card(3, re_signing_of="x"))) == "signing.request-invalid"
        late = card(3).signing_time - timedelta(hours=1)
        assert code_of(lambda: signer.sign(card(3, signing_time=late))) == "signing.time-differs"
        short = {1: bytes(20), 2: bytes(20)}
        assert code_of(lambda: signer.sign(card(3, file_hashes=short))) == "signing.request-invalid"
        batch = [card(number) for number in range(3, 6)]
        assert code_of(lambda: signer.sign_many(batch)) == "authorisation.overdrawn"
        too_many = [card() for _ in range(501)]
        assert code_of(lambda: signer.sign_many(too_many)) == "signing.request-invalid"
        signer.sign(card(1, re_signing_of="the answer was lost"))
        signer.sign(card(2))
        assert code_of(lambda: signer.sign(card(3))) == "authorisation.overdrawn"
    assert [entry.fields["re_signing_of"] for entry in signer_home.entries()] == [
        None, "the answer was lost", None,
    ]  # fmt: skip


def test_the_count_of_an_authorisation_survives_restarts(signer_home: Home, card: Card) -> None:
    authorisation = signer_home.authorise(3)
    signer_home.start()
    with signer_home.client(authorisation) as signer:
        signer.sign_many([card(1), card(2)])
    signer_home.kill()
    signer_home.start()
    with signer_home.client(authorisation) as signer:
        assert signer.authorised.signed == 2
        assert code_of(lambda: signer.sign_many([card(3), card(4)])) == "authorisation.overdrawn"
        assert code_of(lambda: signer.sign(card(1))) == "signing.reference-used"
        signer.sign(card(3))


def test_a_batch_that_nobody_authorised_is_refused(signer_home: Home, card: Card) -> None:
    signer_home.start()
    with raw_connection(signer_home) as connection:
        connection.sendall(frame(SignRequest(batch=bytes(16), cards=[card()]).to_bytes()))
        assert (
            code_of(lambda: read_signed(read_answer(connection), expected=1))
            == "authorisation.unknown"
        )
    assert signer_home.entries() == []


def test_an_authorisation_by_one_is_refused(signer_home: Home, tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    signer_home.pki("authorisation", "create", "--cards", "1", "--until", "1h", "--out", str(path))
    pin_file = str(signer_home.directory / "an.pin")
    sign = ("--operator", "an", "--operator-pin-file", pin_file)
    assert signer_home.pki("authorisation", "sign", str(path), *sign) == 0
    assert signer_home.pki("authorisation", "sign", str(path), *sign) == 1
    signer_home.start()
    refused = code_of(lambda: signer_home.client(path.read_bytes()))
    assert refused == "authorisation.signatures-missing"


def test_requests_sent_ahead_are_answered_in_order(signer_home: Home, card: Card) -> None:
    authorisation = signer_home.authorise(50)
    signer_home.start()
    with signer_home.client(authorisation) as signer:
        batch = signer.authorised.batch
        signer.sign(card(0))
    groups = [[card(10 * group + number) for number in range(group + 1)] for group in range(6)]
    groups[3] = [card(0)]
    with raw_connection(signer_home) as connection:
        for group in groups:
            connection.sendall(frame(SignRequest(batch=batch, cards=group).to_bytes()))
        for number, group in enumerate(groups):
            answer = read_answer(connection)
            if number in {0, 3}:
                refused = code_of(lambda answer=answer: read_signed(answer, expected=1))
                assert refused == "signing.reference-used"
                continue
            for asked, signed in zip(group, read_signed(answer, expected=len(group)), strict=True):
                assert SecurityObject.from_bytes(signed).file_hashes == asked.file_hashes


def test_what_waits_behind_a_refused_request_is_not_forgotten(
    signer_home: Home, card: Card
) -> None:
    authorisation = signer_home.authorise(50)
    signer_home.start()
    with signer_home.client(authorisation) as signer:
        batch = signer.authorised.batch
        signer.sign(card(0))
    # The refused one has its answer before the first one is signed: both leave together, and make room.
    numbers = (1, 0, 2, 3, 0, 0, 0, 4)
    with raw_connection(signer_home) as connection:
        requests = (SignRequest(batch=batch, cards=[card(number)]) for number in numbers)
        connection.sendall(b"".join(frame(request.to_bytes()) for request in requests))
        for number in numbers:
            answer = read_answer(connection)
            if number == 0:
                refused = code_of(lambda answer=answer: read_signed(answer, expected=1))
                assert refused == "signing.reference-used"
            else:
                assert len(read_signed(answer, expected=1)) == 1


@pytest.mark.parametrize(
    "fixture", ["signer_home", pytest.param("token_home", marks=pytest.mark.hsm)]
)
def test_eight_clients_at_once_meet_no_error(
    fixture: str, request: pytest.FixtureRequest, card: Card
) -> None:
    signer_home = request.getfixturevalue(fixture)
    authorisation = signer_home.authorise(8 * 6 * 20)
    signer_home.start()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with signer_home.client(authorisation) as signer:
                for _ in range(6):
                    cards = [card() for _ in range(20)]
                    for asked, signed in zip(cards, signer.sign_many(cards), strict=True):
                        found = SecurityObject.from_bytes(signed)
                        found.verify_signature()
                        assert found.file_hashes == asked.file_hashes
        except BaseException as error:  # noqa: BLE001 - told to the test below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    state = signer_home.state()
    assert state.signers["ds-1"].objects_signed == 8 * 6 * 20
    (batch,) = state.authorisations.batches.values()
    assert batch.signed == batch.cards == 8 * 6 * 20


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(4),
        b"\xff" * 4,
        frame(b"{}"),
        frame(b"\x00" * 1000),
        frame(b'{"version":9}'),
        frame(b'{"version":1,"operation":"sign-digest","digest":"00"}'),
    ],
)
def test_a_client_that_sends_rubbish_is_told_and_dropped(
    signer_home: Home, card: Card, rubbish: bytes
) -> None:
    authorisation = signer_home.authorise(1)
    signer_home.start()
    with raw_connection(signer_home) as connection:
        connection.sendall(rubbish)
        code = code_of(lambda: read_signed(read_answer(connection), expected=1))
        assert code.startswith("protocol.")
        assert connection.recv(1) == b""
    with signer_home.client(authorisation) as signer:
        signer.sign(card())


def test_clients_that_hang_do_not_stop_others(signer_home: Home, card: Card) -> None:
    authorisation = signer_home.authorise(1100)
    signer_home.start()
    with signer_home.client(authorisation) as signer:
        batch = signer.authorised.batch
    whole = frame(SignRequest(batch=batch, cards=[card() for _ in range(250)]).to_bytes())
    with (
        raw_connection(signer_home),
        raw_connection(signer_home) as torn,
        raw_connection(signer_home) as deaf,
        signer_home.client(authorisation) as signer,
    ):
        torn.sendall(whole[:-1])
        # Asks for more than its socket holds, and reads nothing of it.
        deaf.setblocking(False)
        deaf.send(whole)
        for _ in range(5):
            signer.sign(card())


def test_a_client_that_goes_away_leaves_a_record_and_no_trouble(
    signer_home: Home, card: Card
) -> None:
    authorisation = signer_home.authorise(1000)
    signer_home.start()
    with signer_home.client(authorisation) as signer:
        batch = signer.authorised.batch
    for _ in range(5):
        with raw_connection(signer_home) as connection:
            cards = [card() for _ in range(100)]
            connection.sendall(frame(SignRequest(batch=batch, cards=cards).to_bytes()))
            time.sleep(0.02)
    with signer_home.client(authorisation) as signer:
        signer.sign(card())
    state = signer_home.state()
    assert state.signers["ds-1"].objects_signed == len(signer_home.entries())


def test_only_allowed_users_are_served(signer_home: Home) -> None:
    authorisation = signer_home.authorise(1)
    signer_home.start("--allow-uid", str(os.geteuid() + 1))
    assert code_of(lambda: signer_home.client(authorisation)) == "protocol.peer-refused"


def test_the_socket_is_for_its_owner_alone(signer_home: Home) -> None:
    signer_home.start()
    assert stat.S_IMODE(signer_home.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(signer_home.socket.parent.stat().st_mode) == 0o700


def test_where_no_socket_can_be_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert code_of(lambda: open_listener(tmp_path / "s")) == "signer.socket-unusable"
    tmp_path.chmod(0o700)
    (tmp_path / "file").touch()
    assert code_of(lambda: open_listener(tmp_path / "file")) == "signer.socket-unusable"
    assert code_of(lambda: open_listener(tmp_path / ("x" * 100))) == "signer.socket-unusable"
    with open_listener(tmp_path / "s"):
        assert code_of(lambda: open_listener(tmp_path / "s")) == "signer.socket-in-use"
    # Nobody listens any more: what a killed signer leaves behind is taken over.
    open_listener(tmp_path / "s").close()


def test_a_home_has_one_signer_and_nobody_else_works_in_it(signer_home: Home) -> None:
    signer_home.start()
    assert signer_home.pki("crl", "issue") == 2
    second = subprocess.run(
        [
            str(Path(sys.executable).with_name("membercard-pki")), "--home", str(signer_home.home),
            "signer", "serve", "--socket", str(signer_home.socket.with_name("other")),
        ],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert second.returncode == 2
    assert "[record.locked]" in second.stderr


def test_a_home_without_a_signer_has_nothing_to_serve(signer_home: Home) -> None:
    assert signer_home.pki("signer", "revoke", "--id", "ds-1", "--reason", "lost") == 0
    with pytest.raises(AssertionError, match=r"signer\.unknown"):
        signer_home.start()


def test_without_a_signer_the_client_says_how_to_start_one(signer_home: Home) -> None:
    authorisation = signer_home.authorise(1)
    with pytest.raises(PkiError) as caught:
        signer_home.client(authorisation)
    assert caught.value.code == "signer.unreachable"
    assert "signer serve" in (caught.value.hint or "")


def test_when_the_keys_process_dies_the_signer_ends_and_says_so(
    signer_home: Home, card: Card
) -> None:
    authorisation = signer_home.authorise(10)
    signer_home.start()
    with signer_home.client(authorisation) as signer:
        signer.sign(card())
        (child,) = children_of(signer_home.process.pid)
        os.kill(child, 9)
        assert code_of(lambda: signer.sign(card())) in {
            "keystore.process-failed", "signer.unreachable",
        }  # fmt: skip
    status, errors = signer_home.finish()
    assert status == 2
    assert "[keystore.process-failed]" in errors
    signer_home.start()
    with signer_home.client(authorisation) as signer:
        signer.sign(card())


def children_of(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def test_the_pin_is_in_no_command_line_environment_or_output(signer_home: Home) -> None:
    signer_home.start()
    pin = (signer_home.directory / "pki.pin").read_bytes().strip()
    for process in (signer_home.process.pid, *children_of(signer_home.process.pid)):
        assert pin not in Path(f"/proc/{process}/cmdline").read_bytes()
        # A protected process shows its environment to nobody but the superuser.
        with contextlib.suppress(PermissionError):
            assert pin not in Path(f"/proc/{process}/environ").read_bytes()
        limits = Path(f"/proc/{process}/limits").read_text(encoding="ascii")
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
    status, errors = signer_home.stop()
    assert (status, errors) == (0, "")
