"""A home with an authority, a signer and two operators, and the signer process over it."""

import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pki.cli import main
from pki.keys.token_library import find_softhsm
from pki.record.journal import JournalEntry, read_journal
from pki.services.document_signer import SigningRequest
from pki.services.state import PkiState
from pki.signed.security_object import StatusReference
from pki.signer_service.client import SocketDocumentSigner

OPERATORS = ("an", "binh")
PROGRAM = Path(sys.executable).with_name("membercard-pki")


class SignerHome:
    """A home in a directory of its own; its signer process is started and killed as often as a test likes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "pki"
        self.socket = directory / "run" / "s"
        self.process: subprocess.Popen[str] | None = None

    def pki(self, *words: str) -> int:
        return main(["--home", str(self.home), *words])

    def authorise(self, cards: int, *, signer: str = "ds-1") -> bytes:
        path = self.directory / f"{secrets.token_hex(4)}.json"
        create = ("--signer", signer, "--cards", str(cards), "--until", "8h", "--out", str(path))
        assert self.pki("authorisation", "create", *create) == 0
        for name in OPERATORS:
            pin = ("--operator", name, "--operator-pin-file", str(self.directory / f"{name}.pin"))
            assert self.pki("authorisation", "sign", str(path), *pin) == 0
        return path.read_bytes()

    def start(self, *words: str) -> float:
        """Start the signer process; give back how many seconds it took to be ready."""
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [
                str(PROGRAM), "--home", str(self.home), "signer", "serve",
                "--socket", str(self.socket), *words,
            ],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            raise AssertionError(self.finish())
        return time.monotonic() - begin

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.finish()

    def stop(self) -> tuple[int, str]:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.finish()

    def finish(self) -> tuple[int, str]:
        """Wait for the process's end; give back its status and what it said."""
        process, self.process = self.process, None
        assert process is not None
        _, errors = process.communicate(timeout=30)
        return process.returncode, errors

    def client(self, authorisation: bytes) -> SocketDocumentSigner:
        return SocketDocumentSigner(self.socket, authorisation=authorisation, timeout=30)

    def entries(self) -> list[JournalEntry]:
        """What is on record of cards."""
        return [
            entry
            for entry in read_journal(self.home / "journal.jsonl")
            if entry.kind == "security-object.signed"
        ]

    def state(self) -> PkiState:
        state = PkiState()
        for entry in read_journal(self.home / "journal.jsonl"):
            state.apply(entry)
        return state


def make_home(directory: Path, keystore: str) -> SignerHome:
    made = SignerHome(directory)
    create = ("--test", "--name", "Trial", "--keystore", keystore)
    assert made.pki("authority", "create", *create, "--pin-file", str(directory / "pki.pin")) == 0
    assert made.pki("signer", "create", "--id", "ds-1") == 0
    for name in OPERATORS:
        pin_file = str(directory / f"{name}.pin")
        assert made.pki("operator", "enrol", name, "--operator-pin-file", pin_file) == 0
    return made


def _request(number: int | None = None, **changes: Any) -> SigningRequest:
    reference = secrets.token_bytes(16) if number is None else number.to_bytes(16, "big")
    values: dict[str, Any] = {
        "reference": reference,
        "file_hashes": {group: secrets.token_bytes(32) for group in (1, 2, 11, 12, 13, 14)},
        "status_reference": StatusReference(list_id=bytes(8), index=5),
        "signing_time": datetime.now(UTC).replace(microsecond=0),
    }
    return SigningRequest(**values | changes)


@pytest.fixture
def card() -> Callable[..., SigningRequest]:
    """Makes one card's request; its reference is random unless a number is given."""
    return _request


@pytest.fixture(scope="session")
def template_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("home")
    make_home(directory, "file")
    return directory


@pytest.fixture(scope="session")
def template_token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_softhsm() is None:
        pytest.skip("SoftHSM2 and python-pkcs11 are not both installed")
    directory = tmp_path_factory.mktemp("token")
    make_home(directory, "pkcs11")
    return directory


def _copied(template: Path, directory: Path) -> Iterator[SignerHome]:
    target = directory / "h"
    shutil.copytree(template, target)
    target.chmod(0o700)
    settings = target / "pki" / "settings.toml"
    settings.write_text(settings.read_text().replace(str(template), str(target)))
    made = SignerHome(target)
    yield made
    if made.process is not None:
        made.kill()


@pytest.fixture
def signer_home(template_home: Path, tmp_path: Path) -> Iterator[SignerHome]:
    """With keys in encrypted files."""
    yield from _copied(template_home, tmp_path)


@pytest.fixture
def token_home(template_token: Path, tmp_path: Path) -> Iterator[SignerHome]:
    """With keys in SoftHSM2."""
    yield from _copied(template_token, tmp_path)
