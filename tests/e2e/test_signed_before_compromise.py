"""Two cards, two witnesses, a stolen key: through the console scripts alone, on disk, as people would do it."""

import csv
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.batched import freeze_batch
from tests.integration.decided import decide_for_every_member
from tests.integration.everybody import log_in_everybody

ISSUER = ("membercard-issuer", "--home", "office")
PKI = ("membercard-pki", "--home", "pki")
RULE = "allow_signed_before_compromise = true\n"

# Some fifty programs start one after another; the units of each step are in the normal run.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@dataclass(frozen=True)
class Scene:
    folder: Path
    cards: tuple[tuple[str, str], ...]
    seen_at: datetime
    """When the second witness cosigned."""

    def run(self, *words: str, status: int | tuple[int, ...] = 0) -> str:
        result = subprocess.run(
            [Path(sys.executable).parent / words[0], *words[1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode in (status if isinstance(status, tuple) else (status,)), (
            words,
            result.stdout,
            result.stderr,
        )
        return result.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--format", "json"))

    def inspect(self, *words: str, card: int = 0, status: int | tuple[int, ...] = 1) -> Any:
        image, can = self.cards[card]
        output = self.run(
            "membercard-verifier", "inspect", "--reader", f"sim:{image}", "--can", can,
            "--trust", "trust", "--format", "json", *words,
            status=status,
        )  # fmt: skip
        return json.loads(output)


def codes_of(report: Any) -> tuple[list[str], list[str]]:
    return report["codes"], report["notes"]


def wait_until_after(moment: datetime) -> None:
    while datetime.now(UTC) <= moment:
        time.sleep(0.05)


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Two cards on the table, a checkpoint that covers both with two cosignatures, and the compromise of their signer."""
    folder = tmp_path_factory.mktemp("stolen")
    scene = Scene(folder=folder, cards=(), seen_at=datetime.min.replace(tzinfo=UTC))
    run = scene.run
    run(
        *PKI, "authority", "create", "--test", "--name", "Trial", "--keystore", "file",
        "--pin-file", "pki.pin",
    )  # fmt: skip
    run(*PKI, "signer", "create", "--id", "ds-1")
    run(*PKI, "signer", "create", "--id", "stop-1", "--profile", "stop-list-signer")
    run(*PKI, "crl", "issue")
    cards = make_cards(scene)
    seen_at = witness_twice(scene)
    since = seen_at + timedelta(seconds=1)
    wait_until_after(since)
    run(
        *PKI, "signer", "compromise", "ds-1", "--reason", "token stolen", "--since", since.isoformat(),
    )  # fmt: skip
    run(*PKI, "trust", "export", "trust")
    return Scene(folder=folder, cards=cards, seen_at=seen_at)


def make_cards(scene: Scene) -> tuple[tuple[str, str], ...]:
    run = scene.run
    run("membercard-simulator", "population", "create", "--seed", "7", "--out", "people")
    run(*ISSUER, "database", "upgrade")
    log_in_everybody(scene.folder / "office")
    # The profile without terminal authentication: nothing here is about protected files.
    (scene.folder / "office/settings.toml").write_text(
        'card_profile = "membercard-1-icao"\n', "utf-8"
    )
    run(*ISSUER, "keys", "create", "--keystore", "file", "--pin-file", "issuer.pin")
    run(*ISSUER, "organisations", "import", "people/organisations.csv")
    run(
        *ISSUER, "members", "import", "people/members.xlsx", "--portraits", "people/portraits",
        status=1,
    )  # fmt: skip
    # On a busy machine the minutes of the second factor may be over.
    log_in_everybody(scene.folder / "office")
    decide_for_every_member(scene.folder / "office")
    run(
        "membercard-simulator", "blank", "create", "--count", "2", "--out", "blanks",
        "--transport-key", "transport.key", "--profile", "membercard-1-icao",
    )  # fmt: skip
    run(*ISSUER, "keys", "import-transport", "transport.key")
    run(*ISSUER, "stock", "site", "add", "local", "--kind", "station", "--name", "1")
    run(*ISSUER, "stock", "receive", "blanks/delivery.csv", "--site", "local")
    reader = ("--reader", "sim:blanks/*.json", "--count", "2")
    run(*ISSUER, "station", "initialise", *reader)
    batch = freeze_batch(scene.folder / "office", receiver="GD", limit=2).batch
    log_in_everybody(scene.folder / "office")
    run(
        *ISSUER, "batches", "sign", batch, "--pki", "pki", "--pki-pin-file", "pki.pin", "--signer", "ds-1",
    )  # fmt: skip
    run(*ISSUER, "station", "personalise", *reader)
    run(*ISSUER, "cards", "print-data", "print-data.csv")
    image_of = {
        row["serial"]: row["image"] for row in read_rows(scene.folder / "blanks/delivery.csv")
    }
    return tuple(
        (f"blanks/{image_of[row['serial']]}", row["can"])
        for row in read_rows(scene.folder / "print-data.csv")
    )


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def witness_twice(scene: Scene) -> datetime:
    """Make two witnesses, have both cosign, collect, and export the proofs; give back the second one's time."""
    run, folder = scene.run, scene.folder
    run(*PKI, "log", "checkpoint", "--out", "first.checkpoint")
    (folder / "log.key").write_text(run(*PKI, "log", "key"))
    times = []
    for name in ("archive", "auditor"):
        place = ("--directory", f"witness-{name}")
        run(
            "membercard-pki", "log", "witness", "create", *place, "--name", f"{name}.example/witness",
            "--log", "log.key", "--pin-file", f"{name}.pin",
        )  # fmt: skip
        (folder / f"{name}.key").write_text(run("membercard-pki", "log", "witness", "key", *place))
        cosigned = scene.json(
            "membercard-pki", "log", "witness", "cosign", "first.checkpoint", *place, "--out", f"{name}.checkpoint",
        )  # fmt: skip
        times.append(datetime.fromisoformat(cosigned["time"]))
    witnesses = ("--witness", "archive.key", "--witness", "auditor.key")
    run(*PKI, "log", "collect", "archive.checkpoint", "auditor.checkpoint", *witnesses)
    run(*PKI, "log", "policy", *witnesses, "--threshold", "2", "--out", "log.policy")
    return max(times)


@pytest.fixture
def scene(issued: Scene, tmp_path: Path) -> Scene:
    """A copy of the table, for one test to spoil."""
    folder = tmp_path / "table"
    shutil.copytree(issued.folder, folder)
    return Scene(folder=folder, cards=issued.cards, seen_at=issued.seen_at)


def allow(scene: Scene) -> None:
    path = scene.folder / "trust/policy.toml"
    path.write_text(path.read_text("utf-8").replace("format = 1\n", f"format = 1\n{RULE}"), "utf-8")


def export(scene: Scene) -> list[Path]:
    report = scene.json(
        *PKI, "log", "export", "--signer", "ds-1", "--policy", "log.policy", "--to", "trust"
    )
    assert (report["proofs"], report["without_proof"]) == (2, 0)
    return sorted((scene.folder / "trust/proofs").iterdir())


def test_a_card_of_a_stopped_signer_passes_by_policy_and_proof_and_by_nothing_less(
    scene: Scene,
) -> None:
    revoked = (["signer.revoked"], [])
    assert codes_of(scene.inspect()) == revoked
    # A proof alone is no leave, and leave alone is no proof.
    export(scene)
    assert codes_of(scene.inspect()) == revoked
    shutil.move(scene.folder / "trust/proofs", scene.folder / "proofs")
    allow(scene)
    assert codes_of(scene.inspect()) == revoked
    shutil.move(scene.folder / "proofs", scene.folder / "trust/proofs")
    for card in (0, 1):
        report = scene.inspect(card=card, status=0)
        assert report["verdict"] == "accepted"
        assert report["assurance"] == "data-and-chip"
        assert codes_of(report) == ([], ["signer.signed-before-compromise"])
        (revocation,) = [each for each in report["checks"] if each["clause"] == "9.9"]
        assert f"{scene.seen_at:%Y-%m-%d %H:%M:%S} UTC" in revocation["sentence"]
    # The CRL that follows names the signer, too, and changes nothing.
    scene.run(*PKI, "crl", "issue")
    scene.run(*PKI, "trust", "export", "trust")
    assert scene.inspect(status=0)["verdict"] == "accepted"


def test_a_proof_that_is_brought_must_be_the_cards_own(scene: Scene) -> None:
    proofs = export(scene)
    allow(scene)
    reports = [
        scene.inspect("--inclusion-proof", f"trust/proofs/{path.name}", status=(0, 1))
        for path in proofs
    ]
    assert sorted(codes_of(report) for report in reports) == [
        ([], ["signer.signed-before-compromise"]),
        (["inclusion-proof.other-signature"], []),
    ]


def test_a_compromise_that_turns_out_older_takes_the_leave_back(scene: Scene) -> None:
    export(scene)
    allow(scene)
    compromise = (*PKI, "signer", "compromise", "ds-1", "--reason", "the lock was picked before")
    later = (scene.seen_at + timedelta(seconds=2)).isoformat()
    scene.run(*compromise, "--since", later, status=1)
    # In the very second of the cosignature nobody knows which came first.
    scene.run(*compromise, "--since", scene.seen_at.isoformat())
    scene.run(*PKI, "trust", "export", "trust")
    assert codes_of(scene.inspect()) == (["inclusion-proof.too-late"], [])
