"""The demo itself: what a newcomer sees is what the tests have seen.

It plays for some minutes. The slow set plays it in a folder of its own; with ``--played FILE`` the one that ``make
demo`` has just made in the project's root is looked at, FILE being what it printed.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from card_layout.transport.readers import list_readers

# The whole demo is its fixture: a hundred and fifty programs start one after another.
pytestmark = pytest.mark.timeout(1200)

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs" / "card-image.schema.json"
EXPECTED_CODES = {
    "data-group.altered",
    "data-group.not-covered",
    "chip.not-proven",
    "signer.authority-unknown",
    "signer.expired-at-signing",
    "signer.revoked",
    "access.pace-required",
    "chip-authentication.not-performed",
}


@dataclass(frozen=True)
class Played:
    folder: Path
    reader: str
    output: str

    @property
    def protected(self) -> list[tuple[str, str, bool, list[str]]]:
        """What the two terminals made of the card that protects its member record."""
        return [
            (item["terminal_certificate"], item["verdict"], item["member_record"], item["notes"])
            for item in self.summary["protected"]
        ]

    @property
    def summary(self) -> Any:
        return json.loads((self.folder / "demo/summary.json").read_text("utf-8"))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).parent / words[0]
        return subprocess.run(
            [program, *words[1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def play(folder: Path, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "simulators.rehearsal", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which demos are looked at: the one just made, or two that are played for it."""
    if "played" not in metafunc.fixturenames:
        return
    slow = pytest.mark.slow
    played = (
        [pytest.param("made", id="made")]
        if metafunc.config.getoption("--played")
        else [
            pytest.param("in-process", marks=slow),
            pytest.param("pcsc", marks=[slow, pytest.mark.pcsc]),
        ]
    )
    metafunc.parametrize("played", played, indirect=True, scope="module")


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Played]:
    has_readers = sum("Virtual PCD" in name for name in list_readers()) >= 2
    reader: str = request.param
    if reader == "made":
        output = Path(request.config.getoption("--played")).read_text("utf-8")
        yield Played(folder=ROOT, reader="pcsc" if has_readers else "in-process", output=output)
        return
    if reader == "pcsc" and not has_readers:
        pytest.skip("pcscd does not run here with two readers of vsmartcard-vpcd")
    folder = tmp_path_factory.mktemp(reader)
    output = play(folder, *(["--in-process"] if reader == "in-process" else []))
    yield Played(folder=folder, reader=reader, output=output)
    shutil.rmtree(folder)


def test_eighteen_cards_are_accepted_and_eight_refused_each_with_its_code(played: Played) -> None:
    summary = played.summary
    assert (summary["members_imported"], summary["members_refused"]) == (18, 6)
    cards = summary["cards"]
    assert [card["verdict"] for card in cards] == ["accepted"] * 18 + ["refused"] * 8
    assert {card["expected"] for card in cards[18:]} == EXPECTED_CODES
    assert all(card["expected"] in card["codes"] for card in cards[18:])
    assert {card["reader"] for card in cards} == {played.reader}


def test_every_card_gives_the_same_verdict_to_whoever_inspects_it_later(played: Played) -> None:
    summary = played.summary
    for card in (summary["cards"][0], summary["cards"][17], *summary["cards"][18:]):
        result = played.run(
            "membercard-verifier", "inspect", "--reader", f"sim:{card['image']}",
            "--can", card["can"], "--trust", summary["trust"], "--format", "json",
        )  # fmt: skip
        report = json.loads(result.stdout)
        assert report["verdict"] == card["verdict"]
        assert report["codes"] == card["codes"]
        assert result.returncode == (0 if card["verdict"] == "accepted" else 1)
        assert ("holder" in report) == (card["verdict"] == "accepted")


def test_one_card_shows_its_member_record_to_a_terminal_with_a_certificate_only(
    played: Played,
) -> None:
    assert played.protected == [
        ("without", "accepted", False, ["data-group.no-right"]),
        ("with", "accepted", True, []),
    ]
    assert "One card of membercard-1 before two terminals" in played.output


def test_without_trust_no_card_is_accepted(played: Played, tmp_path: Path) -> None:
    card = played.summary["cards"][0]
    result = played.run(
        "membercard-verifier", "inspect", "--reader", f"sim:{card['image']}",
        "--can", card["can"], "--trust", str(tmp_path), "--format", "json",
    )  # fmt: skip
    assert result.returncode == 1
    assert json.loads(result.stdout)["verdict"] == "refused"


def test_every_image_keeps_to_the_published_schema(played: Played) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    images = [*played.folder.glob("demo/cards/*.json"), *played.folder.glob("demo/refused/*.json")]
    assert len(images) == 26
    for image in images:
        jsonschema.validate(json.loads(image.read_text("utf-8")), schema)


def test_portraits_are_saved_and_commands_can_be_repeated(played: Played) -> None:
    portraits = list(played.folder.glob("demo/portraits/*.png"))
    assert len(portraits) == 18
    assert all(portrait.read_bytes().startswith(b"\x89PNG") for portrait in portraits)
    commands = [line for line in played.output.splitlines() if line.startswith("$ ")]
    scripts = {command.split()[1] for command in commands}
    assert scripts >= {
        "membercard-pki",
        "membercard-simulator",
        "membercard-issuer",
        "membercard-verifier",
    }
    verified = played.run("membercard-pki", "--home", "demo/pki", "journal", "verify")
    assert verified.returncode == 0


def test_the_day_is_closed_and_every_chip_is_accounted_for(played: Played) -> None:
    office = ("membercard-issuer", "--home", "demo/issuer", "--session")

    def listed(who: str, *words: str) -> Any:
        said = played.run(*office, f"demo/issuer/sessions/{who}", *words, "--format", "json")
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)

    (station,) = [
        each for each in listed("storekeeper", "stock", "account") if each["site"] == "local"
    ]
    counts = {name: station[name] for name in ("received", "good", "spoiled", "samples", "left")}
    assert counts == {"received": 20, "good": 18, "spoiled": 1, "samples": 1, "left": 0}
    (closed,) = listed("controller", "stock", "day", "list")
    assert (closed["state"], closed["counted_by"], closed["closed_by"]) == (
        "closed", "storekeeper", "controller",
    )  # fmt: skip
    (destroyed,) = listed("controller", "stock", "destruction", "list")
    assert (destroyed["chips"], destroyed["second_witness"]) == (2, "controller")
    kinds = [event["kind"] for event in listed("operator", "station", "journal")]
    assert kinds.count("issued") == 18
    assert kinds[-1] == "noted"


def test_no_can_name_or_document_number_is_in_a_log_or_in_what_was_printed(
    played: Played,
) -> None:
    secrets: set[str] = set()
    for card in played.summary["cards"][:18]:
        image = json.loads((played.folder / card["image"]).read_text("utf-8"))
        secrets |= {image["secrets"]["can"], image["secrets"]["mrz_information"][:9]}
        secrets |= {key["private_scalar"] for key in image["keys"]["chip_authentication"]}
    # The closing page proposes to try one card, and prints its CAN on purpose.
    production = played.output.split("A terminal reads every card")[0]
    logs = [path.read_bytes() for path in played.folder.glob("demo/pki/*.jsonl")]
    logs += [path.read_bytes() for path in played.folder.glob("demo/*.log")]
    assert logs
    for secret in secrets:
        assert secret not in production
        assert not any(secret.encode() in log for log in logs)


def test_a_folder_that_the_demo_did_not_make_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "demo" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("the only copy")
    result = subprocess.run(
        [sys.executable, "-m", "simulators.rehearsal", "--in-process"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    assert "error: " in result.stdout + result.stderr
    assert precious.read_text() == "the only copy"
