"""The commands of cards in their members' hands, from the hand-over to the list that terminals have."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from issuer.cli import main as issuer
from issuer.db.base import Database
from pki.cli import main as pki
from pki.signed.card_states import CardState
from pki.signed.status_list import StatusList
from simulators.testing import TEST_TIME
from tests.contract.cards_stage import LIST, CardsStage, fresh_sqlite
from tests.integration.everybody import log_in_everybody


class Commands:
    """Runs commands over one home directory and reads what they print."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def run(self, *words: object) -> tuple[int, str, str]:
        self._capsys.readouterr()
        status = issuer(["--home", str(self.home), *(str(each) for each in words)])
        output = self._capsys.readouterr()
        return status, output.out, output.err

    def json(self, *words: object, status: int = 0) -> Any:
        found, out, err = self.run(*words, "--format", "json")
        assert found == status, err
        return json.loads(out)


@pytest.fixture
def commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Commands:
    home = tmp_path / "office"
    home.mkdir(mode=0o700)
    stage = CardsStage(fresh_sqlite(home), now=TEST_TIME)
    for number in (1, 2, 3):
        stage.hand_over(number, stage.add_member(number))
    stage.database.close()
    log_in_everybody(home)
    return Commands(home, capsys)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    home = tmp_path / "pki"
    words = ["--test", "--name", "Trial", "--keystore", "file"]
    pin = ["--pin-file", str(tmp_path / "pki.pin")]
    assert pki(["--home", str(home), "authority", "create", *words, *pin]) == 0
    for name, profile in (("ds-1", None), ("status-1", "status-list-signer")):
        kind = [] if profile is None else ["--profile", profile]
        assert pki(["--home", str(home), "signer", "create", "--id", name, *kind]) == 0
    assert pki(["--home", str(home), "crl", "issue"]) == 0
    assert pki(["--home", str(home), "trust", "export", str(tmp_path / "trust")]) == 0
    return home


def card(number: int) -> str:
    return number.to_bytes(10, "big").hex()


def report_as_another(commands: Commands, number: int) -> None:
    """One logs in at a time: what another person said before is put there as theirs."""
    database = Database(f"sqlite:///{commands.home / 'issuer.sqlite'}")
    with database.writing() as session:
        session.connection().exec_driver_sql(
            "UPDATE cards SET report = 'lost', reported_by = 'somebody.else', counts_as = 3"
            " WHERE status_index = ?",
            (number,),
        )
    database.close()


def test_a_card_is_reported_and_another_one_ended_and_the_list_says_so(
    commands: Commands, authority: Path, tmp_path: Path
) -> None:
    trust = tmp_path / "trust"
    publish = ("status", "publish", "--pki", authority, "--trust", trust)
    first = commands.json(*publish)
    assert (first["number"], first["changes"], first["full"]) == (1, 3, True)
    [reported] = commands.json("cards", "report", card(1), "--reason", "lost", "--remark", "mất")
    assert (reported["counts_as"], reported["report"]) == ("suspended", "lost")
    assert commands.run("cards", "confirm", card(1))[0] == 1
    report_as_another(commands, 2)
    [ended] = commands.json("cards", "confirm", "98.000002")
    assert (ended["counts_as"], ended["ended_for"]) == ("lost", "lost")
    assert commands.json("status", "show")["unpublished"] == 2
    # One list a second is signed; the commands have no clock of their own.
    published_at = commands.json("status", "show")["published"]["this_update"]
    while datetime.now(UTC) < datetime.fromisoformat(published_at) + timedelta(seconds=1):
        time.sleep(0.05)
    later = commands.json(*publish, "--days", 3)
    assert (later["number"], later["changes"], later["full"]) == (2, 2, False)
    assert later["delta_bytes"] > 0
    listed = StatusList.from_bytes((trust / "status" / "csca-1.status").read_bytes())
    assert [listed.find(LIST, number) for number in (1, 2, 3, 4)] == [
        CardState.SUSPENDED,
        CardState.LOST,
        CardState.VALID,
        CardState.NOT_HANDED_OVER,
    ]
    assert (trust / "status" / "csca-1-2.delta").exists()
    shown = commands.json("status", "show")
    assert (shown["cards"]["lost"], shown["unpublished"]) == (1, 0)
    assert shown["published"]["number"] == 2
    status, _, error = commands.run("cards", "resume", "98.000002", "--remark", "x")
    assert (status, "[card.ended]" in error) == (1, True)


def test_states_go_out_as_a_file_and_the_list_comes_back_as_one(
    commands: Commands, authority: Path, tmp_path: Path
) -> None:
    states, trust = tmp_path / "cards.states", tmp_path / "trust"
    assert commands.run("status", "states", states)[0] == 0
    assert pki(["--home", str(authority), "status-list", "issue", str(states)]) == 0
    signed = authority / "status" / "csca-1.status"
    taken = commands.json("status", "take", signed, "--trust", trust)
    assert (taken["number"], taken["changes"]) == (1, 3)
    assert (trust / "status" / "csca-1.status").read_bytes() == signed.read_bytes()
    status, _, error = commands.run("status", "take", signed, "--trust", trust)
    assert (status, "[status.not-newer]" in error) == (1, True)


def test_a_policy_that_asks_for_no_status_is_warned_of(
    commands: Commands, authority: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "trust" / "policy.toml"
    assert '"status.card"' not in policy.read_text("utf-8")
    publish = ("status", "publish", "--pki", authority, "--trust", tmp_path / "trust")
    status, _, error = commands.run(*publish)
    assert (status, "does not require status.card for inspection" in error) == (0, True), error
    policy.unlink()
    assert pki(["--home", str(authority), "trust", "export", str(tmp_path / "trust")]) == 0
    published_at = commands.json("status", "show")["published"]["this_update"]
    while datetime.now(UTC) < datetime.fromisoformat(published_at) + timedelta(seconds=1):
        time.sleep(0.05)
    status, _, error = commands.run(*publish)
    assert (status, "warning" in error) == (0, False), error


def test_a_list_that_the_trust_directory_would_not_believe_is_put_nowhere(
    commands: Commands, authority: Path, tmp_path: Path
) -> None:
    for path in (tmp_path / "trust" / "csca").iterdir():
        path.unlink()
    status, _, error = commands.run(
        "status", "publish", "--pki", authority, "--trust", tmp_path / "trust"
    )
    assert (status, "[status-list.untrusted]" in error) == (2, True) or "untrusted" in error
    assert not (tmp_path / "trust" / "status" / "csca-1.status").exists()
    assert commands.json("status", "show")["published"] is None


def test_the_other_acts_and_the_dossier(commands: Commands, tmp_path: Path) -> None:
    for words, state in (
        (("suspend", card(3), "--remark", "kiểm tra"), "suspended"),
        (("resume", card(3), "--remark", "xong"), "valid"),
        (("collect", card(3)), "suspended"),
        (("give-back", card(3)), "valid"),
        (("return", card(3)), "suspended"),
    ):
        [found] = commands.json("cards", *words)
        assert found["counts_as"] == state, words
    pdf, file = tmp_path / "dossier.pdf", tmp_path / "dossier.json"
    dossier = commands.json("cards", "dossier", "98.000003", "--pdf", pdf, "--json", file)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert json.loads(file.read_text(encoding="utf-8"))["events"] == dossier["events"]
    assert dossier["status"]["report"] == "returned"
    status, out, _ = commands.run("cards", "dossier", card(3))
    assert (status, "collected (valid -> suspended)" in " ".join(out.split())) == (0, True)


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("cards", "report", "ff" * 16, "--reason", "lost"), 1, "card.unknown"),
        (("cards", "report", "x", "--reason", "lost"), 1, "card-number.malformed"),
        (("cards", "report", card(1), "--reason", "expired"), 1, "card.report-reason"),
        (("cards", "confirm", card(1)), 1, "card.not-reported"),
        (("cards", "revoke", "--references", "nothing.csv"), 2, "references.unavailable"),
        (("cards", "dossier", "98.999999"), 1, "card.unknown"),
        (("status", "publish"), 64, "usage"),
        (("status", "publish", "--signer-socket", "none"), 2, "signer.unreachable"),
        (("status", "take", "nothing.status"), 2, ""),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    commands: Commands, words: tuple[str, ...], status: int, code: str
) -> None:
    found, _, error = commands.run(*words)
    assert (found, f"[{code}" in error) == (status, True), error


def test_many_cards_are_done_one_by_one(commands: Commands) -> None:
    found, out, error = commands.run("cards", "collect", card(1), "ff" * 10, card(2))
    assert found == 1
    assert out.count("counts as suspended") == 2
    assert "[card.unknown]" in error


def test_a_compromised_signer_s_cards(commands: Commands, tmp_path: Path) -> None:
    path = tmp_path / "cards.csv"
    lines = [
        f"{(bytes([number]) * 16).hex()},2026-11-22T07:00:00+00:00,{'ab' * 32}\n"
        for number in (1, 2, 255)
    ]
    path.write_text("reference,signing_time,digest\n" + "".join(lines))
    told = commands.json("cards", "revoke", "--references", path, status=1)
    assert (told["suspended"], told["unknown"], told["drafted"]) == (2, 1, 0)
    again = commands.json("cards", "revoke", "--references", path, status=1)
    assert (again["waiting"], again["ended"]) == (2, 0)
