"""A Java Card of a developer, from the register to a terminal: commands alone, with the passport applet simulated."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from card_layout.atr import LifeCycle
from card_layout.transport.connection import CardReader
from card_layout.transport.readers import open_reader, wait_for_card
from issuer.bootstrap_keys import take_sealers
from issuer.cli import main as issuer
from issuer.db.base import Database
from issuer.portraits.folder_store import FolderPortraitStore
from issuer.settings import load_settings
from pki.cli import main as pki
from simulators.cli import app as simulator
from simulators.image import Applet, CardImage
from tests.integration.batched import freeze_batch
from tests.integration.everybody import log_in_everybody
from verifier.cli import main as verifier

InReader = Callable[[Sequence[Path]], AbstractContextManager[CardReader]]


NO_BATCH = "5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10"


class Desk:
    """One directory with everything; commands as people give them."""

    def __init__(
        self, directory: Path, capsys: pytest.CaptureFixture[str], in_virtual_reader: InReader
    ) -> None:
        self.directory = directory
        self.in_virtual_reader = in_virtual_reader
        self.home = directory / "office"
        self.chip = directory / "cards" / "0001.json"
        self._capsys = capsys

    @contextmanager
    def card_in(self, reader: str) -> Iterator[str]:
        """What the card's reader is called: the simulator's own, or one of the real PC/SC stack."""
        if reader == "in-process":
            yield f"sim:{self.chip}"
        else:
            with self.in_virtual_reader([self.chip]) as found:
                yield found.name

    def issuer(self, *arguments: object, allowed: bool = True) -> int:
        self._capsys.readouterr()
        words = ["--home", str(self.home)] + ["--allow-development-cards"] * allowed
        return issuer([*words, *(str(each) for each in arguments)])

    def json(self, *arguments: object) -> Any:
        assert self.issuer(*arguments, "--format", "json") == 0
        return json.loads(self._capsys.readouterr().out)

    def error(self) -> str:
        return self._capsys.readouterr().err

    def inspect(self, trust: Path, reader: str = "in-process") -> Any:
        self._capsys.readouterr()
        with self.card_in(reader) as name:
            if reader != "in-process":
                assert wait_for_card(open_reader(name), timeout_seconds=20)
            words = ["inspect", "--reader", name, "--trust", str(trust), "--mrz", "-"]
            verifier([*words, "--profile", "dev-bac", "--format", "json"])
        return json.loads(self._capsys.readouterr().out)


@pytest.fixture
def desk(
    *,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    small_profile: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    workshop: Any,
    in_virtual_reader: InReader,
) -> Desk:
    """A home for development cards, one approved member, one Java Card in stock."""
    monkeypatch.setattr("issuer.bootstrap_production.load_profile", small_profile)
    desk = Desk(tmp_path, capsys, in_virtual_reader)
    assert desk.issuer("database", "upgrade") == 0
    log_in_everybody(desk.home)
    pin = tmp_path / "issuer.pin"
    assert desk.issuer("keys", "create", "--keystore", "file", "--pin-file", pin) == 0
    settings = desk.home / "settings.toml"
    known = settings.read_text(encoding="utf-8")
    settings.write_text('card_profile = "dev-bac"\n' + known, encoding="utf-8")
    workshop.database = Database(f"sqlite:///{desk.home / 'issuer.sqlite'}")
    workshop.sealer = lambda: take_sealers(desk.home, load_settings(desk.home)).register
    workshop.add_members(1)
    workshop.database.close()
    FolderPortraitStore(desk.home / "portraits").put(workshop.portrait)
    words = ["blank", "create", "--count", "1", "--profile", "dev-bac"]
    words += ["--out", str(tmp_path / "cards"), "--transport-key", str(tmp_path / "transport.key")]
    assert CliRunner().invoke(simulator, words).exit_code == 0
    assert desk.issuer("stock", "site", "add", "local", "--kind", "station", "--name", "1") == 0
    delivery = tmp_path / "cards" / "delivery.csv"
    assert desk.json("stock", "receive", delivery, "--site", "local")["new"] == 1
    return desk


@pytest.mark.parametrize("reader", ["in-process", pytest.param("pcsc", marks=pytest.mark.pcsc)])
def test_a_card_of_the_applet_is_made_and_accepted_only_where_the_policy_names_its_way_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    image = CardImage.load(desk.chip)
    assert (image.applet, image.state, image.keys.personalisation) == (
        Applet.JMRTD,
        LifeCycle.BLANK,
        None,
    )
    once = ("--count", 1, "--timeout", 20)
    with desk.card_in(reader) as name:
        assert desk.json("station", "initialise", "--reader", name, *once)["done"] == 1
    frozen = freeze_batch(desk.home)
    assert frozen.cards == 1
    authority, pin = desk.directory / "pki", desk.directory / "pki.pin"
    words = ["--test", "--name", "Test", "--keystore", "file", "--pin-file", str(pin)]
    assert pki(["--home", str(authority), "authority", "create", *words]) == 0
    assert pki(["--home", str(authority), "signer", "create", "--id", "ds-1"]) == 0
    signed = desk.json("batches", "sign", frozen.batch, "--pki", authority)
    assert signed == {"signed": 1, "refused": []}
    with desk.card_in(reader) as name:
        assert desk.json("station", "personalise", "--reader", name, *once)["done"] == 1
    journal = desk.json("stock", "journal")
    assert [each["code"] for each in journal if each["kind"] == "chip-key-recorded"] == [
        "chip-key.injected"
    ]
    locked = CardImage.load(desk.chip)
    assert locked.state is LifeCycle.OPERATIONAL

    trust = desk.directory / "trust"
    assert pki(["--home", str(authority), "crl", "issue"]) == 0
    assert pki(["--home", str(authority), "trust", "export", str(trust)]) == 0
    information = locked.secrets.mrz_information
    assert information is not None
    typed = f"{information[:9]}/{information[10:16]}/{information[17:23]}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    refused = desk.inspect(trust, reader)
    assert refused["verdict"] == "refused"
    assert refused["codes"] == ["card.not-operational", "access.pace-required"]

    policy = trust / "policy.toml"
    text = policy.read_text(encoding="utf-8")
    # The applet has no PACE and tells no life cycle: whoever wants its cards says both.
    named = text.replace("format = 1\n", "format = 1\nallow_bac = true\n")
    policy.write_text(named, "utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert desk.inspect(trust)["codes"] == ["card.not-operational"]
    policy.write_text(named.replace('  "card.life-cycle",\n', ""), "utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    accepted = desk.inspect(trust, reader)
    assert (accepted["verdict"], accepted["assurance"]) == ("accepted", "data-and-chip")
    assert "access.bac-used" in json.dumps(accepted)
    assert accepted["access"]["path"] == "bac"


@pytest.mark.parametrize(
    "command",
    [
        ("station", "initialise", "--reader", "sim:none.json", "--count", "1"),
        ("batches", "freeze", "confirm", NO_BATCH, "--proof", "0" * 16),
        ("cards", "print-data", "out.csv"),
    ],
)
def test_without_being_told_to_the_issuer_makes_no_development_card(
    desk: Desk, command: tuple[str, ...]
) -> None:
    assert desk.issuer(*command, allowed=False) == 1
    error = desk.error()
    assert "[profile.development]" in error
    assert "hint: membercard-issuer --allow-development-cards" in error


def test_a_production_signer_never_signs_a_development_card(desk: Desk) -> None:
    socket = desk.directory / "socket"
    assert desk.issuer("batches", "sign", NO_BATCH, "--signer-socket", socket) == 1
    assert "[profile.development]" in desk.error()
