"""The service listens where only this machine or the proxy reaches it, and ends as it was told."""

import asyncio
import gc
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant

from issuer.api.app import match_every_route
from issuer.api.listeners import loopback_listener, unix_listener
from issuer.cli import main
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from tests.integration.everybody import log_in_everybody

PROGRAM = Path(sys.executable).with_name("membercard-issuer")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    pin = folder / "pin"
    pin.write_text(secrets.token_hex(16))
    pin.chmod(0o600)
    home = folder / "home"
    assert main(["--home", str(home), "database", "upgrade"]) == 0
    log_in_everybody(home)
    keys = ("keys", "create", "--keystore", "file", "--pin-file", str(pin))
    assert main(["--home", str(home), *keys]) == 0
    return home


@contextmanager
def served(home: Path, *words: str) -> Iterator[str]:
    process = subprocess.Popen(
        [str(PROGRAM), "--home", str(home), "serve", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready:
            _, errors = process.communicate(timeout=60)
            raise AssertionError(errors)
        yield ready.removeprefix("ready: ").strip()
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


@pytest.mark.timeout(120)
def test_what_a_duty_has_to_tell_is_a_line_of_the_log(home: Path, tmp_path: Path) -> None:
    """One that fails at once does so before clients can connect; whoever waits for "ready" reads nothing else."""
    mark = home / "audit" / "head.json"
    mark.parent.mkdir(exist_ok=True)
    mark.write_bytes(b"{}")
    os.utime(mark, (0, 0))
    process = subprocess.Popen(
        [str(PROGRAM), "--home", str(home), "serve", "--socket", str(tmp_path / "s")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        told = next(line for line in process.stderr if "job.failed" in line)
        assert json.loads(told)["code"] == "audit.mark-malformed"
        assert process.stdout is not None
        ready = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        shutil.rmtree(mark.parent)
    assert (ready, rest) == (f"ready: {tmp_path / 's'}\n", ""), errors
    assert process.returncode == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_behind_a_proxy_the_service_is_ready_counts_by_address_and_gives_figures(
    home: Path, tmp_path: Path
) -> None:
    path, port = tmp_path / "s", free_port()
    with served(home, "--socket", str(path), "--metrics-port", str(port)) as address:
        assert address == str(path)
        assert path.stat().st_mode & 0o777 == 0o660
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(path)), base_url="http://office"
        ) as client:
            ready = client.get("/health/ready").json()
            assert ready == {"status": "ready", "checked": ["database", "migrations", "keystore"]}
            assert client.get("/").headers["location"].startswith("/login")
            fields = {"account": "lan", "password": "x"}
            for number in range(3):
                response = client.post(
                    "/login", data=fields, headers={"X-Real-IP": f"10.0.0.{number}"}
                )
                assert response.status_code == 401
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as figures:
            text = figures.read().decode()
        assert 'route="/health/ready",status="200"} 1.0' in text
        with pytest.raises(IssuerRefusedError) as caught, unix_listener(path):
            pass
        assert caught.value.code == "serve.in-use"
    assert not path.exists()


def test_a_socket_that_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with unix_listener(path) as listener:
        assert listener.getsockname() == str(path)
    assert not path.exists()
    path.write_text("somebody's file")
    with pytest.raises(IssuerRefusedError), unix_listener(path):
        pass
    assert path.read_text() == "somebody's file"
    with pytest.raises(IssuerUnavailableError), unix_listener(tmp_path / ("x" * 120)):
        pass
    with pytest.raises(IssuerUnavailableError), unix_listener(tmp_path / "none" / "s"):
        pass


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::", "localhost", ""])  # noqa: S104
def test_an_address_that_others_reach_is_refused(address: str) -> None:
    with pytest.raises(IssuerRefusedError) as caught, loopback_listener(address, 0):
        pass
    assert caught.value.code == "serve.not-loopback"


def test_a_port_that_is_taken_is_refused() -> None:
    with loopback_listener("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(IssuerRefusedError) as caught, loopback_listener("127.0.0.1", port):
            pass
    assert caught.value.code == "serve.in-use"


def test_a_home_without_keys_or_with_an_old_database_is_not_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    assert main(["--home", str(home), "serve", "--port", "0"]) == 2
    assert "[database.not-upgraded]" in capsys.readouterr().err
    assert main(["--home", str(home), "database", "upgrade"]) == 0
    assert main(["--home", str(home), "serve", "--port", "0"]) == 1
    assert "[keystore.missing]" in capsys.readouterr().err


def test_the_description_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["api", "describe"]) == 0
    assert json.loads(capsys.readouterr().out)["info"]["title"] == "membercard issuer"


def test_what_routes_are_matched_with_is_made_before_the_first_request() -> None:
    app = FastAPI()
    router = APIRouter()
    router.get("/one")(lambda: None)
    app.include_router(router)
    known = _dependants()
    asyncio.run(match_every_route(app))
    assert _dependants() > known
    known = _dependants()

    async def ask() -> int:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.get("/one")).status_code

    assert asyncio.run(ask()) == 200
    assert _dependants() == known


def _dependants() -> int:
    return sum(isinstance(each, Dependant) for each in gc.get_objects())
