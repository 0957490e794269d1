"""``membercard-issuer jobs run``: long work in a process of its own, on PostgreSQL."""

import secrets
import signal
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from issuer.bootstrap import open_register_home
from issuer.cli import main
from issuer.db.operations import SqlOperationLedger
from issuer.services.operation_ports import Operation, OperationId, OperationKind, OperationState
from tests.integration.everybody import EVERYBODY, log_in_everybody

PROGRAM = Path(sys.executable).with_name("membercard-issuer")


def made(home: Path, pin: Path) -> None:
    pin.write_text(secrets.token_hex(16))
    pin.chmod(0o600)
    assert main(["--home", str(home), "database", "upgrade"]) == 0
    log_in_everybody(home)
    keys = ("keys", "create", "--keystore", "file", "--pin-file", str(pin))
    assert main(["--home", str(home), *keys]) == 0


def test_what_was_asked_for_elsewhere_is_done_and_the_process_ends_as_it_is_told(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMBERCARD_ISSUER_DATABASE_URL", postgresql_url)
    home = tmp_path / "home"
    made(home, tmp_path / "pin")
    now = datetime.now(UTC)
    asked = Operation(
        operation_id=OperationId(uuid.uuid4()),
        kind=OperationKind.VERIFY_AUDIT,
        account=EVERYBODY,
        state=OperationState.WAITING,
        created_at=now,
        changed_at=now,
    )
    with open_register_home(home) as opened:
        ledger = SqlOperationLedger(opened.database)
        ledger.add(asked)
        process = subprocess.Popen(
            [str(PROGRAM), "--home", str(home), "jobs", "run"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready: jobs\n"
            between_looks = threading.Event()
            while not (found := ledger.get(asked.operation_id)).state.is_final:
                assert process.poll() is None
                between_looks.wait(0.1)
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
    assert (found.state.value, found.counts["faults"]) == ("done", 0)
    assert process.returncode == 0, errors


def test_on_sqlite_the_process_that_serves_runs_jobs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert main(["--home", str(home), "database", "upgrade"]) == 0
    assert main(["--home", str(home), "jobs", "run"]) == 1
    assert "jobs.in-process" in capsys.readouterr().err
