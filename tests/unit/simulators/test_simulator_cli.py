"""``membercard-simulator`` as people and programs call it: output, errors, exit status."""

import json
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from simulators import cli
from simulators.blank import transport_keys
from simulators.image import CardImage

PROGRAM = Path(sys.executable).parent / "membercard-simulator"


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    """Status, output and errors of one command line."""
    monkeypatch.setattr(sys, "argv", ["membercard-simulator", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    output = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, output.out, output.err


@pytest.fixture
def saved(operational: CardImage, tmp_path: Path) -> Path:
    path = tmp_path / "card.json"
    operational.save(path)
    return path


def test_blank_cards_come_with_a_delivery_list_and_their_transport_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key, out = tmp_path / "secrets" / "transport.key", tmp_path / "cards"
    words = ["blank", "create", "--count", "3", "--out", str(out), "--transport-key", str(key)]
    status, output, _ = run(monkeypatch, capsys, *words)
    assert status == 0
    assert "3 blank cards" in output
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    master = bytes.fromhex(key.read_text(encoding="ascii"))
    lines = (out / "delivery.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "serial,image"
    assert len(set(lines)) == 4
    for line in lines[1:]:
        serial, name = line.split(",")
        image = CardImage.load(out / name)
        assert image.serial.hex().upper() == serial
        assert image.keys.personalisation == transport_keys(master, image.serial)
        assert image.state.name == "BLANK"
    # A second delivery does not overwrite the first.
    status, _, errors = run(monkeypatch, capsys, *words)
    assert status == 2
    assert "[blank.exists]" in errors
    assert "hint:" in errors
    # With the same key file, another folder gets cards under the same master key.
    words[words.index(str(out))] = str(tmp_path / "more")
    status, output, _ = run(monkeypatch, capsys, *words, "--format", "json", "--seed", "7")
    assert json.loads(output)["cards"] == 3
    assert bytes.fromhex(key.read_text(encoding="ascii")) == master


def test_the_same_seed_gives_the_same_serials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lists = []
    for name in ("a", "b"):
        run(
            monkeypatch, capsys, "blank", "create", "--count", "2", "--seed", "1",
            "--out", str(tmp_path / name), "--transport-key", str(tmp_path / "key"),
        )  # fmt: skip
        lists.append((tmp_path / name / "delivery.csv").read_text(encoding="utf-8"))
    assert lists[0] == lists[1]


@pytest.mark.parametrize("content", ["", "00" * 31, "zz" * 32, "00" * 2000, "é"])
def test_a_transport_key_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: str,
) -> None:
    key = tmp_path / "key"
    key.write_text(content, encoding="utf-8")
    status, _, errors = run(
        monkeypatch, capsys, "blank", "create", "--count", "1",
        "--out", str(tmp_path / "out"), "--transport-key", str(key),
    )  # fmt: skip
    assert status == 2
    assert "[blank.transport-key-malformed]" in errors
    assert content[:8] not in errors or not content


def test_an_unknown_profile_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, _, errors = run(
        monkeypatch, capsys, "blank", "create", "--count", "1", "--profile", "nothing",
        "--out", str(tmp_path / "out"), "--transport-key", str(tmp_path / "key"),
    )  # fmt: skip
    assert status == 2
    assert "[profile." in errors
    assert not (tmp_path / "key").exists()


def test_showing_an_image_tells_no_secret_unless_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], saved: Path
) -> None:
    for words in ((), ("--format", "json")):
        status, output, _ = run(monkeypatch, capsys, "image", "show", str(saved), *words)
        assert status == 0
        assert "operational" in output
        assert "A0000002471001/0101" in output
        assert "123456" not in output
        assert (b"e" * 16).hex().upper() not in output.upper()
    _, output, _ = run(
        monkeypatch, capsys, "image", "show", str(saved), "--passwords", "--format", "json"
    )
    assert json.loads(output)["can"] == "123456"


def test_validating_tells_each_image_and_fails_for_one_that_is_none(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    saved: Path,
    tmp_path: Path,
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}", encoding="utf-8")
    status, output, _ = run(monkeypatch, capsys, "image", "validate", str(saved))
    assert (status, output) == (0, f"{saved}: good\n")
    status, output, _ = run(monkeypatch, capsys, "image", "validate", str(saved), str(broken))
    assert status == 1
    assert "[image.malformed]" in output
    status, output, _ = run(
        monkeypatch, capsys, "image", "validate", str(saved), str(broken), "--format", "json"
    )
    assert status == 1
    assert [finding["code"] for finding in json.loads(output)] == [None, "image.malformed"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("image",),
        ("image", "show"),
        ("nothing",),
        ("serve",),
        ("image", "show", "x", "--format", "xml"),
        ("blank", "create", "--count", "0", "--out", "x", "--transport-key", "y"),
        ("blank", "create", "--count", "many", "--out", "x", "--transport-key", "y"),
    ],
)
def test_wrong_usage_has_a_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    status, output, errors = run(monkeypatch, capsys, *words)
    assert status == 64
    if words in ((), ("image",)):
        assert "Usage" in output + errors
    else:
        assert errors.startswith("error: ")
        assert errors.endswith("[usage]\n")


@pytest.mark.parametrize(
    "words",
    [
        ("image", "show", "/nonexistent/card.json"),
        ("serve", "--slot", "/nonexistent/*.json"),
    ],
)
def test_what_cannot_be_read_ends_with_status_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    status, _, errors = run(monkeypatch, capsys, *words)
    assert status == 2
    assert "[image.not-found]" in errors


def test_serving_without_a_driver_tells_what_to_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], saved: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status, _, errors = run(
            monkeypatch, capsys,
            "serve", "--slot", str(saved), "--port", str(port), "--wait", "0",
        )  # fmt: skip
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert status == 2
    assert "[virtual-icc.no-reader]" in errors
    assert "hint: start pcscd" in errors


def test_one_image_is_in_one_slot_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], saved: Path
) -> None:
    status, _, errors = run(
        monkeypatch, capsys, "serve", "--slot", str(saved), "--slot", f"{saved.parent}/*.json"
    )
    assert status == 2
    assert "[image.in-two-slots]" in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_serving_cleanly(saved: Path, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        port = server.getsockname()[1]
        process = subprocess.Popen(
            [PROGRAM, "serve", "--slot", saved, "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            connection, _ = server.accept()
            with connection:
                assert process.stdout is not None
                assert process.stdout.readline() == f"slot 0 (port {port}): {saved}\n"
                process.send_signal(number)
                assert connection.recv(1) == b""
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        ("serve",),
        ("blank", "create"),
        ("image", "show"),
        ("image", "validate"),
        ("image", "forge"),
        ("population", "create"),
        ("authority", "export"),
    ],
)
def test_every_command_has_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    status, output, _ = run(monkeypatch, capsys, *words, "--help")
    assert status == 0
    assert "Examples" in output
    assert f"membercard-simulator {' '.join(words)}" in output


def test_every_two_slots_need_a_port_of_their_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    slots = [word for name in "abc" for word in ("--slot", str(tmp_path / f"{name}.json"))]
    status, _, error = run(monkeypatch, capsys, "serve", *slots)
    assert status == 64
    assert "3 slots, expected at most 2" in error
