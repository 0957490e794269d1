"""Secrets that are known beforehand are looked for wherever they must not be: processes, output, files, core files."""

import base64
import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pki.keys.open import open_keystore

Home = Any

PROGRAM = Path(sys.executable).with_name("membercard-pki")
COMPONENTS = (b"canary of custodian an, 32 bytes", b"canary of custodian binh, 32 by.")
WHOLE = bytes(a ^ b for a, b in zip(*COMPONENTS, strict=True))
SERIALS = [number.to_bytes(10, "big") for number in range(1, 4)]


def spellings(secret: bytes) -> set[bytes]:
    """How a secret may look in a file or in text."""
    hexadecimal = secret.hex()
    return {
        secret,
        hexadecimal.encode(),
        hexadecimal.upper().encode(),
        base64.b64encode(secret).rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
        repr(secret)[2:-1].encode(),
    }


def traces(content: bytes, secrets: dict[str, bytes]) -> set[str]:
    return {
        name
        for name, secret in secrets.items()
        if any(spelling in content for spelling in spellings(secret))
    }


def check_value(key: bytes) -> str:
    from pki.keys.keystore import master_key_check_value  # noqa: PLC0415 - one helper

    return master_key_check_value(key).hex()


def family(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [process, *(each for word in children.split() for each in family(int(word)))]


def shown_by(process: int) -> bytes:
    """Command line and environment, as far as they can be read at all: a protected process shows neither to others."""
    shown = b""
    for name in ("cmdline", "environ"):
        with contextlib.suppress(PermissionError, ProcessLookupError, FileNotFoundError):
            shown += Path(f"/proc/{process}/{name}").read_bytes()
    return shown


def test_the_search_finds_every_spelling_of_a_secret() -> None:
    secret = COMPONENTS[0]
    for spelling in spellings(secret):
        assert traces(b"before " + spelling + b" after", {"it": secret}) == {"it"}
    assert traces(b"nothing", {"it": secret}) == set()


@pytest.mark.parametrize(
    "fixture", ["signer_home", pytest.param("token_home", marks=pytest.mark.hsm)]
)
def test_known_secrets_show_nowhere(
    fixture: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    home = request.getfixturevalue(fixture)
    directory = home.directory
    secrets: dict[str, bytes] = {
        "component of an": COMPONENTS[0],
        "component of binh": COMPONENTS[1],
        "transport master key": WHOLE,
        "PIN": (directory / "pki.pin").read_bytes().strip(),
    }
    words = [str(PROGRAM), "--home", str(home.home), "master-key", "import"]
    words += ["--check-value", check_value(WHOLE)]
    held: list[Path] = []
    for name, component in zip(("an", "binh"), COMPONENTS, strict=True):
        path = directory / f"{name}.component"
        path.touch(mode=0o600)
        path.write_text(component.hex())
        held.append(path)
        words += ["--custodian", name, "--component", str(path)]
        words += ["--component-check-value", check_value(component)]
    # The files that hold them are found, so that a search that finds nothing means something.
    assert traces(held[0].read_bytes(), secrets) == {"component of an"}

    seen = b""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        while command.poll() is None:
            seen += b"".join(shown_by(each) for each in family(command.pid))
            time.sleep(0.01)
        out, errors = command.communicate()
    assert command.returncode == 0, errors
    assert b"transport-1" in out
    assert b"master-key" in seen
    seen += out + errors

    assert home.pki("master-key", "create") == 0
    station = open_station(home)
    path = directory / "chips.json"
    create = ("--cards", "1", "--chips", "3", "--until", "8h", "--out", str(path))
    assert home.pki("authorisation", "create", *create) == 0
    for name in ("an", "binh"):
        pin = ("--operator", name, "--operator-pin-file", str(directory / f"{name}.pin"))
        assert home.pki("authorisation", "sign", str(path), *pin) == 0
    secrets |= {
        f"PIN of {name}": (directory / f"{name}.pin").read_bytes().strip()
        for name in ("an", "binh")
    }
    keystore = open_keystore(home.home / "keystore", pin=secrets["PIN"].decode())
    for master, label in (("transport-1", b"transport"), ("personalisation-1", b"personalisation")):
        for serial in SERIALS:
            for name in (b"enc", b"mac", b"dek"):
                secrets[f"{master} {name.decode()} {serial.hex()}"] = keystore.derive(
                    master, label=b"membercard " + label + b" " + name, context=serial, length=16
                )
    keystore.close()

    home.start()
    processes = family(home.process.pid)
    assert len(processes) == 2
    with home.client(path.read_bytes()) as signer:
        sealed = signer.wrap(SERIALS, station=station)
        with contextlib.suppress(Exception):
            signer.wrap(SERIALS, station=station)
        seen += sealed + b"".join(shown_by(each) for each in processes)
    status, said = home.stop()
    assert status == 0
    seen += said.encode()
    captured = capfd.readouterr()
    seen += captured.out.encode() + captured.err.encode()
    assert traces(seen, secrets) == set()

    own = {*held, *(directory / f"{name}.pin" for name in ("pki", "an", "binh"))}
    files = [each for each in directory.rglob("*") if each.is_file() and each not in own]
    assert any(each.name == "journal.jsonl" for each in files)
    for file in files:
        assert traces(file.read_bytes(), secrets) == set(), file


def open_station(home: Home) -> bytes:
    """The certificate of a station whose key is thrown away."""
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - one helper

    from pki.keys.software import SoftwareSigner  # noqa: PLC0415 - the same
    from pki.signed.certification_request import (  # noqa: PLC0415 - the same
        encode_certification_request,
    )

    key = SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))
    request = home.directory / "s.csr"
    request.write_bytes(encode_certification_request(key, common_name="Station"))
    out = home.directory / "s.cer"
    issue = ("--station", "--id", "s", "--name", "Station", "--request", str(request))
    assert home.pki("service", "issue", *issue, "--out", str(out)) == 0
    return bytes(out.read_bytes())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, in which children may leave core files of any length."""
    directory = tmp_path / "place"
    directory.mkdir()
    monkeypatch.chdir(directory)
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield directory
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def abort(process: int) -> bool:
    """Send SIGABRT to a child of ours and say whether it left a core file, as the kernel tells."""
    os.kill(process, signal.SIGABRT)
    _, status = os.waitpid(process, 0)
    assert os.WTERMSIG(status) == signal.SIGABRT
    return os.WCOREDUMP(status)


def leaves_a_core_file(preparation: str) -> bool:
    """Whether a process leaves one that did this first, and whose limit was raised from outside after it."""
    script = f"{preparation}; print(flush=True); import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        _, hard = resource.prlimit(child.pid, resource.RLIMIT_CORE)
        resource.prlimit(child.pid, resource.RLIMIT_CORE, (hard, hard))
        left = abort(child.pid)
        child.returncode = -signal.SIGABRT
    return left


def core_files(directory: Path) -> list[Path]:
    return [each for each in directory.rglob("core*") if each.is_file()]


@pytest.mark.skipif(
    sys.platform != "linux", reason="core files are looked for as Linux writes them"
)
def test_an_aborted_signer_leaves_no_core_file(signer_home: Home, place: Path) -> None:
    # Without protection there is one: else this test would say nothing.
    if not leaves_a_core_file("pass"):
        pytest.skip("this system writes no core files even where the limit allows them")
    for file in core_files(place):
        file.unlink()
    # The limit, raised again from outside, is not the only lock.
    protect = "from pki.keys.process_protection import protect_memory; protect_memory()"
    assert not leaves_a_core_file(protect)

    signer_home.start()
    for process in family(signer_home.process.pid):
        limits = Path(f"/proc/{process}/limits").read_text(encoding="ascii")
        line = next(each for each in limits.splitlines() if each.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"]
    _, keys = family(signer_home.process.pid)
    os.kill(keys, signal.SIGABRT)
    status, _ = signer_home.finish()
    assert status == 2
    signer_home.start()
    process = signer_home.process
    assert not abort(process.pid)
    process.returncode = -signal.SIGABRT
    process.stdout.close()
    process.stderr.close()
    signer_home.process = None
    assert core_files(place) == []
    assert core_files(signer_home.directory) == []
