"""Backup and restore: what an old backup forgot is never given out again, and nothing half-made is left behind."""

import json
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pki.bootstrap_service import open_service_database
from pki.cli import main
from pki.errors import PkiRefusedError
from pki.home import Home
from pki.record.journal import JournalEntry, read_journal
from pki.services.document_signer import SigningRequest
from pki.services.open_signer import open_document_signer
from pki.services.operator_requests import Decision
from pki.services.request_contents import RequestContent
from pki.signed.security_object import StatusReference
from tests.integration.service.conftest import ServiceHome

PROGRAM = Path(sys.executable).with_name("membercard-pki")
CRL_WANTED = RequestContent.from_document("crl.issue", {"days": 30})
Run = Callable[..., tuple[int, str]]


def sign_cards(home: Home, count: int, signer: str | None = None) -> None:
    with open_document_signer(home.directory, signer_id=signer) as opened:
        opened.sign_many(
            [
                SigningRequest(
                    reference=secrets.token_bytes(16),
                    file_hashes={1: bytes(32), 2: bytes(32)},
                    status_reference=StatusReference(list_id=bytes(8), index=5),
                    signing_time=datetime.now(UTC).replace(microsecond=0),
                )
                for _ in range(count)
            ]
        )


def given_out(home: Home, *, after: int) -> set[tuple[object, ...]]:
    """Every serial, list number, CV reference, log index, count and signer's name that a journal shows as given."""
    found: set[tuple[object, ...]] = set()
    origin: object = None
    counts: dict[object, int] = {}
    for entry in read_journal(home.journal):
        if entry.kind in {"log.started", "home.restored"}:
            origin = entry.fields["origin"]
        things = list(_things(entry, origin))
        if entry.kind == "security-object.signed":
            signer = entry.fields["signer"]
            counts[signer] = counts.get(signer, 0) + 1
            things.append(("count", signer, counts[signer]))
        if entry.sequence > after:
            found.update(things)
    return found


def _things(entry: JournalEntry, origin: object) -> Iterator[tuple[object, ...]]:
    fields = entry.fields
    if entry.kind == "serial.reserved":
        yield "serial", fields["serial"]
    if entry.kind == "number.reserved":
        yield "list", fields["series"], fields["number"]
    if entry.kind == "cv-certificate.intended":
        yield "cv", fields["holder"]
    if entry.kind == "signer-certificate.intended":
        yield "signer", fields["signer"]
    if "log_index" in fields:
        yield "leaf", origin, fields["log_index"]


def list_numbers(things: set[tuple[object, ...]]) -> list[int]:
    return [int(str(thing[2])) for thing in things if thing[0] == "list"]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command with the passphrase's file; its status, and its JSON or its error."""
    passphrase = tmp_path / "backup.pass"
    passphrase.write_text("correct horse battery\n")
    passphrase.chmod(0o600)

    def run(home: Path, *words: str) -> tuple[int, str]:
        capsys.readouterr()
        own = ["--passphrase-file", str(passphrase)] if words[0] == "backup" else []
        status = main(["--home", str(home), *words, *own])
        output = capsys.readouterr()
        return status, output.out if status == 0 else output.err

    return run


def work(service: ServiceHome, *, signer: str, office: str) -> None:
    """Something of everything that is numbered or counted."""
    assert service.pki("signer", "create", "--id", signer) == 0
    sign_cards(service.home, 3, signer)
    assert service.pki("crl", "issue") == 0
    assert service.pki("terminal", "dv", "create", "--mnemonic", office) == 0
    assert service.pki("log", "checkpoint") == 0


@pytest.mark.parametrize(
    "kinds_of_database",
    [("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite")],
    ids="-".join,
)
def test_a_restored_old_backup_gives_nothing_out_twice(
    service_home: ServiceHome,
    tmp_path: Path,
    run: Run,
    kinds_of_database: tuple[str, str],
    request: pytest.FixtureRequest,
) -> None:
    before, after = kinds_of_database
    urls = {
        kind: request.getfixturevalue("postgresql_url") if kind == "postgresql" else None
        for kind in {before, after}
    }
    options: dict[str, list[str]] = {"sqlite": []}
    if urls.get("postgresql") is not None:
        secret = tmp_path / "database.url"
        secret.write_text(str(urls["postgresql"]))
        secret.chmod(0o600)
        options["postgresql"] = ["--database-file", str(secret)]
    living = ServiceHome(service_home.directory)
    assert living.pki("database", "upgrade", *options[before]) == 0
    url_file = None if urls[before] is None else tmp_path / "database.url"
    with open_service_database(living.home, url_file=url_file) as service:
        service.catch_up()
        asked = service.desk.create(CRL_WANTED, requester="an", key=secrets.token_hex(16))
        service.desk.decide(
            asked.id, Decision.APPROVE, operator="binh", reason=None,
            key=secrets.token_hex(16), version=asked.version,
        )  # fmt: skip
    sign_cards(living.home, 2)
    backup = tmp_path / "old.backup"
    status, text = run(
        living.home.directory, "backup", "create", "--output", str(backup), "--format", "json",
        *options[before],
    )  # fmt: skip
    assert status == 0
    assert json.loads(text)["database"] is True
    head = int(json.loads(text)["head"].split(":")[0])

    # What the backup does not know of: also an approved request that is carried out now.
    assert living.pki("request", "execute", str(asked.id), *options[before]) == 0
    work(living, signer="ds-2", office="OFFICE")

    restored = ServiceHome(tmp_path)
    restored.home = Home(tmp_path / "restored")
    status, text = run(
        restored.home.directory, "backup", "restore", str(backup), "--format", "json",
        *options[after],
    )  # fmt: skip
    assert status == 0, text
    report = json.loads(text)
    assert report["retired_signers"] == "ds-1"
    assert report["requests"] == 1
    with pytest.raises(PkiRefusedError) as caught:
        sign_cards(restored.home, 1, "ds-1")
    assert caught.value.code == "signer.retired"
    status, text = run(restored.home.directory, "signer", "create", "--id", "ds-2")
    assert (status, "signer.name-after-restore" in text) == (1, True)
    status, text = run(
        restored.home.directory, "request", "execute", str(asked.id), *options[after]
    )
    assert (status, "request.before-restore" in text) == (1, True)
    work(restored, signer=f"ds-2-{report['epoch'][:6]}", office="OFFICE")

    lost = given_out(living.home, after=head)
    new = given_out(restored.home, after=head)
    kinds = {"serial", "list", "cv", "signer", "leaf", "count"}
    assert {thing[0] for thing in lost} == {thing[0] for thing in new} == kinds
    assert not lost & new
    # Nor does the new epoch repeat anything of the time before the backup.
    assert not given_out(living.home, after=0) & new
    assert min(list_numbers(new)) > max(list_numbers(lost))
    assert restored.pki("log", "verify") == 0
    assert restored.pki("database", "check", *options[after]) == 0


def test_two_homes_from_one_backup_are_told_apart_by_a_checkpoint_kept_elsewhere(
    service_home: ServiceHome, tmp_path: Path, run: Run
) -> None:
    backup, note = tmp_path / "one.backup", tmp_path / "kept.checkpoint"
    assert run(service_home.home.directory, "backup", "create", "--output", str(backup))[0] == 0
    first, second = tmp_path / "first", tmp_path / "second"
    for home in (first, second):
        assert run(home, "backup", "restore", str(backup))[0] == 0
        assert run(home, "crl", "issue")[0] == 0
    assert run(first, "log", "checkpoint", "--out", str(note))[0] == 0
    for home in (first, second):
        assert run(home, "crl", "issue")[0] == 0
    assert run(first, "log", "verify", "--checkpoint", str(note))[0] == 0
    status, text = run(second, "log", "verify", "--checkpoint", str(note))
    assert (status, "[log.signature-wrong]" in text) == (1, True)
    key = tmp_path / "first.key"
    key.write_text(run(first, "log", "key")[1])
    status, text = run(second, "log", "verify", "--checkpoint", str(note), "--key", str(key))
    assert (status, "[log.inconsistent]" in text) == (1, True)
    # Not even these two gave the same thing out, because they were not restored in the same millisecond.
    in_both = given_out(Home(first), after=0) & given_out(Home(second), after=0)
    assert in_both == given_out(service_home.home, after=0)


def test_a_checkpoint_of_before_the_restoring_still_counts(
    service_home: ServiceHome, tmp_path: Path, run: Run
) -> None:
    home, backup = service_home.home.directory, tmp_path / "one.backup"
    known, lost = tmp_path / "known.checkpoint", tmp_path / "lost.checkpoint"
    assert run(home, "log", "checkpoint", "--out", str(known))[0] == 0
    assert run(home, "backup", "create", "--output", str(backup))[0] == 0
    assert run(home, "crl", "issue")[0] == 0
    assert run(home, "log", "checkpoint", "--out", str(lost))[0] == 0
    restored = tmp_path / "restored"
    checkpoints = ["--checkpoint", str(known), "--checkpoint", str(lost)]
    assert run(restored, "backup", "restore", str(backup), *checkpoints)[0] == 0
    assert run(restored, "log", "verify", "--checkpoint", str(known))[0] == 0
    status, text = run(restored, "log", "verify", "--checkpoint", str(lost))
    assert (status, "[log.cut]" in text) == (1, True)
    assert (restored / "checkpoint.before-restore").exists()
    # Another authority's checkpoint fits no backup of this one.
    other = tmp_path / "other.checkpoint"
    other.write_bytes(known.read_bytes().replace(b"pki.example", b"pki.examplf", 1))
    status, text = run(
        tmp_path / "not", "backup", "restore", str(backup), "--checkpoint", str(other)
    )
    assert (status, (tmp_path / "not").exists()) == (1, False)


def test_a_backup_that_was_changed_cut_or_continued_is_refused(
    service_home: ServiceHome, tmp_path: Path, run: Run
) -> None:
    backup = tmp_path / "good.backup"
    assert run(service_home.home.directory, "backup", "create", "--output", str(backup))[0] == 0
    assert run(tmp_path, "backup", "verify", str(backup))[0] == 0
    good = backup.read_bytes()
    bad = tmp_path / "bad.backup"
    middle = len(good) // 2
    for content, code in (
        (good[:50] + bytes([good[50] ^ 1]) + good[51:], "backup.passphrase-wrong"),
        (b"x" + good[1:], "backup.malformed"),
        (good[:40], "backup.malformed"),
        (good[:24] + b"\xff" + good[25:], "backup.malformed"),
        (good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :], "backup.damaged"),
        (good[:-1], "backup.damaged"),
        (good[:-100], "backup.damaged"),
        (good + b"\0", "backup.damaged"),
        (good[:73], "backup.damaged"),
        # A whole chunk is left out, with its tag: the rest is intact.
        (good[:73] + good[73 + 65552 :], "backup.damaged"),
    ):
        bad.write_bytes(content)
        assert f"[{code}]" in run(tmp_path, "backup", "verify", str(bad))[1]
        target = tmp_path / "never"
        assert f"[{code}]" in run(target, "backup", "restore", str(bad))[1]
        assert not target.exists()
        assert not list(tmp_path.glob(".*"))


def test_only_its_passphrase_opens_a_backup(
    service_home: ServiceHome, tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Run
) -> None:
    backup, wrong = tmp_path / "a.backup", tmp_path / "wrong.pass"
    assert run(service_home.home.directory, "backup", "create", "--output", str(backup))[0] == 0
    wrong.write_text("wrong horse battery\n")
    wrong.chmod(0o600)
    assert main(["backup", "verify", str(backup), "--passphrase-file", str(wrong)]) == 1
    assert "[backup.passphrase-wrong]" in capsys.readouterr().err
    wrong.chmod(0o644)
    assert main(["backup", "verify", str(backup), "--passphrase-file", str(wrong)]) == 2
    assert "[keystore.pin-file]" in capsys.readouterr().err
    # Neither the journal nor the PIN can be read in it.
    content = backup.read_bytes()
    assert b"serial.reserved" not in content
    pin = (service_home.directory / "pki.pin").read_bytes().strip()
    assert pin not in content


def test_a_home_is_restored_beside_a_living_one_and_a_backup_written_over_no_other(
    service_home: ServiceHome, tmp_path: Path, run: Run
) -> None:
    home, backup = service_home.home.directory, tmp_path / "a.backup"
    assert run(home, "backup", "create", "--output", str(backup))[0] == 0
    before = (home / "journal.jsonl").read_bytes()
    assert "[backup.target-not-empty]" in run(home, "backup", "restore", str(backup))[1]
    assert (home / "journal.jsonl").read_bytes() == before
    assert "[backup.exists]" in run(home, "backup", "create", "--output", str(backup))[1]
    inside = run(home, "backup", "create", "--output", str(home / "b"))
    assert "[backup.inside-home]" in inside[1]
    (home / "link").symlink_to("/")
    status, text = run(home, "backup", "create", "--output", str(tmp_path / "b"))
    assert (status, "[backup.unsuitable]" in text) == (2, True)
    (home / "link").unlink()
    # Somebody who works in the home keeps a backup from being made of it halfway.
    with open_document_signer(home):
        status, text = run(home, "backup", "create", "--output", str(tmp_path / "b"))
    assert (status, "[record.locked]" in text) == (2, True)


@pytest.mark.parametrize("command", ["create", "restore"])
def test_a_kill_leaves_a_whole_backup_or_home_or_none(
    service_home: ServiceHome, tmp_path: Path, run: Run, command: str
) -> None:
    home, whole = service_home.home.directory, tmp_path / "whole.backup"
    assert run(home, "backup", "create", "--output", str(whole))[0] == 0
    moments = random.Random(7)
    finished = 0
    for number in range(6):
        made = tmp_path / f"made-{number}"
        target = home if command == "create" else made
        words = ["--output", str(made)] if command == "create" else [str(whole)]
        process = subprocess.Popen(
            [
                str(PROGRAM), "--home", str(target), "backup", command, *words,
                "--passphrase-file", str(tmp_path / "backup.pass"),
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        # Starting Python takes the first part of it; the last one is let run.
        time.sleep(moments.uniform(0.4, 2.0))
        if number < 5:
            process.kill()
        process.wait()
        if made.exists():
            finished += 1
            if command == "create":
                assert run(home, "backup", "verify", str(made))[0] == 0
            else:
                assert run(made, "log", "verify")[0] == 0
                assert [each.kind for each in read_journal(made / "journal.jsonl")].count(
                    "home.restored"
                ) == 1
        # The same command does it, whatever was left behind.
        elif command == "create":
            assert run(home, "backup", "create", "--output", str(made))[0] == 0
        else:
            assert run(made, "backup", "restore", str(whole))[0] == 0
        assert not (tmp_path / f".{made.name}.restoring").exists()
        assert not (tmp_path / f".{made.name}.unfinished").exists()
    assert finished
