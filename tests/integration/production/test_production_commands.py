"""The commands of production, from a home directory to a card on a table."""

import csv
import json
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from issuer.bootstrap_keys import take_sealers
from issuer.cli import main as issuer
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.portraits.folder_store import FolderPortraitStore
from issuer.settings import load_settings
from pki.cli import main as pki
from pki.signed.sealed_envelope import unsealed
from simulators.blank import blank_image
from simulators.image import CardImage
from tests.integration.batched import FrozenForTests, freeze_batch, pass_as_another
from tests.integration.everybody import log_in_everybody
from tests.unit.pki.exchange_office import ExchangeOffice

NO_BATCH = "5f0c4c7e-0d1b-4b59-9c70-6f1d6f2f3a10"
TRANSPORT = bytes(range(32))


class Commands:
    """Runs commands over one home directory and reads what they print."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.home = directory / "issuer"
        self._capsys = capsys

    def run(self, *arguments: object) -> int:
        self._capsys.readouterr()
        return issuer(["--home", str(self.home), *(str(each) for each in arguments)])

    def json(self, *arguments: object, status: int = 0) -> Any:
        assert self.run(*arguments, "--format", "json") == status
        return json.loads(self._capsys.readouterr().out)

    def error(self, *arguments: object) -> tuple[int, str]:
        status = self.run(*arguments)
        return status, self._capsys.readouterr().err

    def output(self) -> str:
        return self._capsys.readouterr().out

    def write(self, name: str, content: str) -> Path:
        path = self.directory / name
        path.write_text(content, encoding="utf-8")
        return path

    def image(self, number: int) -> Path:
        return self.directory / f"{number:04d}.json"


@pytest.fixture
def commands(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    small_profile: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Commands:
    monkeypatch.setattr("issuer.bootstrap_production.load_profile", small_profile)
    found = Commands(tmp_path, capsys)
    assert found.run("database", "upgrade") == 0
    log_in_everybody(found.home)
    return found


def make_cvca(directory: Path) -> Path:
    home, pin = directory / "cvca", directory / "cvca.pin"
    arguments = ["--holder", "VNMEMBER", "--keystore", "file", "--pin-file", str(pin)]
    assert pki(["--home", str(home), "terminal", "cvca", "create", *arguments]) == 0
    return home / "card-verifiable" / "VNMEMBER00001.cvcert"


@pytest.fixture
def office(commands: Commands, workshop: Any, portrait_image: bytes) -> Commands:
    """A home with keys, two approved members and two blank chips in stock."""
    commands.run(
        "keys", "create", "--keystore", "file", "--pin-file", commands.directory / "issuer.pin"
    )
    commands.run("keys", "import-trust-point", make_cvca(commands.directory))
    commands.run("keys", "import-transport", commands.write("transport.key", TRANSPORT.hex()))
    workshop.database = Database(f"sqlite:///{commands.home / 'issuer.sqlite'}")
    workshop.sealer = lambda: take_sealers(commands.home, load_settings(commands.home)).register
    workshop.add_members(2)
    with SqlRegister(workshop.database, workshop.sealer).reading() as transaction:
        assert transaction.members.count() == 2
    workshop.database.close()
    FolderPortraitStore(commands.home / "portraits").put(portrait_image)
    for number in (1, 2):
        blank_image(
            workshop.profile, serial=number.to_bytes(10, "big"), transport_master_key=TRANSPORT
        ).save(commands.image(number))
    serials = "".join(f"{number:020X}\n" for number in (1, 2))
    delivery = commands.write("delivery.csv", "serial\n" + serials)
    assert commands.run("stock", "receive", delivery) == 0
    assert commands.run("stock", "site", "add", "local", "--kind", "station", "--name", "1") == 0
    assert commands.run("stock", "issue", "--list", delivery, "--to", "local") == 0
    return commands


def make_pki(directory: Path, *options: str) -> Path:
    home, pin = directory / "pki", directory / "pki.pin"
    arguments = [*options, "--name", "Test", "--keystore", "file", "--pin-file", str(pin)]
    assert pki(["--home", str(home), "authority", "create", *arguments]) == 0
    assert pki(["--home", str(home), "signer", "create", "--id", "ds-1"]) == 0
    return home


def sealed_print_data_open_with_the_printers_key_alone(
    office: Commands, batch: str, plain: bytes
) -> None:
    """And what was shown stands in the audit trail, where the file could not be written, too."""
    printer = ExchangeOffice().party("printer", sealed_as="station")
    certificate = office.directory / "printer.cer"
    certificate.write_bytes(printer.certificate)
    sealed = office.directory / "print.p7m"
    arguments = ("--batch", batch, "--to", certificate)
    assert office.json("cards", "print-data", sealed, *arguments)["cards"] == 2
    content = sealed.read_bytes()
    assert b"SECRET" not in content
    opened = unsealed(content, own_certificate=printer.certificate, agree=printer.agree)
    assert opened == plain
    other = str(uuid.UUID(int=1))
    assert "[batch.unknown]" in office.error("cards", "print-data", sealed, "--batch", other)[1]
    nowhere = office.directory / "missing" / "print.csv"
    assert "[print-data.unavailable]" in office.error("cards", "print-data", nowhere)[1]
    records = office.json("audit", "list")["records"]
    shown = [each for each in records if each["action"] == "card.secrets-shown"]
    assert [each["details"]["cards"] for each in shown] == [2, 2, 2]
    assert [each["details"].get("batch") for each in shown].count(batch.replace("-", "")) == 1


def hand_over_all(office: Commands, batch: str) -> None:
    """From quality control into the members' hands; who made the cards does not pass them."""
    cards = office.json("batches", "cards", batch, "--names")
    serials = [str(card["serial"]) for card in cards]
    refused = office.json("batches", "pass", batch, *serials, status=1)["refused"]
    assert {each["code"] for each in refused} == {"right.same-person"}
    assert pass_as_another(office.home, batch) == 2
    out = office.directory / "paper.pdf"
    assert office.json("batches", "pack", batch, "--per-box", 1)["boxes"] == 2
    office.json("batches", "packing-list", batch, "--out", out)
    office.json("batches", "dispatch", batch, "--carrier", "courier 7")
    numbers = [str(card["card_number"]) for card in cards]
    missing = office.json("batches", "receive", batch, numbers[0], status=1)["missing"]
    assert missing == numbers[1:]
    scanned = office.write("numbers.txt", "\n".join(numbers))
    assert office.json("batches", "receive", batch, "--scanned", scanned)["state"] == "received"
    office.json("batches", "minutes", batch, "--members", "--out", out)
    assert out.read_bytes().startswith(b"%PDF")
    hand_over = ("batches", "hand-over", batch, "--signed-by", "member", "--minutes", out)
    assert office.json(*hand_over, "--scanned", scanned) == {"handed_over": 2, "refused": []}
    shown = office.json("batches", "show", batch)
    assert (shown["state"], shown["tally"]["handed_over"]) == ("handed-over", 2)
    assert [each["batch_id"] for each in office.json("batches", "list")] == [batch]


def test_two_members_get_their_cards(office: Commands) -> None:
    readers = [f"--reader=sim:{office.image(number)}" for number in (1, 2)]
    made = office.json("station", "initialise", *readers, "--count", 2, "--timeout", 5)
    assert (made["done"], made["results"]["done"]) == (2, 2)
    frozen = freeze_batch(office.home)
    assert frozen.cards == 2
    home = make_pki(office.directory, "--test")
    (office.home / "trust-points").rename(office.directory / "elsewhere")
    without = office.json("batches", "sign", frozen.batch, "--pki", home, status=1)
    assert {item["code"] for item in without["refused"]} == {"trust-point.missing"}
    cvca = office.directory / "cvca" / "card-verifiable" / "VNMEMBER00001.cvcert"
    assert office.json("keys", "import-trust-point", cvca) == {"trust_points": ["VNMEMBER00001"]}
    signed = office.json("batches", "sign", frozen.batch, "--pki", home)
    assert signed == {"signed": 2, "refused": []}
    made = office.json("station", "personalise", *readers, "--count", 2, "--timeout", 5)
    assert made["done"] == 2
    for number in (1, 2):
        assert CardImage.load(office.image(number)).trust_points == (cvca.read_bytes(),)
    assert {each["state"] for each in office.json("cards", "list")} == {"issued"}

    out = office.directory / "print.csv"
    assert office.json("cards", "print-data", out) == {"cards": 2, "file": str(out)}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with out.open(encoding="utf-8", newline="") as file:
        rows = {row["serial"]: row for row in csv.DictReader(file)}
    for number in (1, 2):
        secrets = CardImage.load(office.image(number)).secrets
        row = rows[f"{number:020X}"]
        assert row["classification"] == "SECRET"
        assert row["can"] == secrets.can
        assert len(row["mrz"]) == 90
        assert secrets.mrz_information is not None
        assert row["mrz"][5:15] == secrets.mrz_information[:10]

    sealed_print_data_open_with_the_printers_key_alone(office, frozen.batch, out.read_bytes())

    hand_over_all(office, frozen.batch)
    assert {each["handed_over_to"] for each in office.json("cards", "list")} == {"the member"}
    serial = f"{1:020X}"
    kinds = [event["kind"] for event in office.json("stock", "journal", "--serial", serial)]
    assert kinds[-2:] == ["handed-over", "secrets-destroyed"]
    journal = json.dumps(office.json("stock", "journal"))
    assert not [row for row in rows.values() if row["can"] in journal]


def test_a_station_in_words_says_how_every_chip_ended(office: Commands) -> None:
    assert office.run("station", "initialise", f"--reader=sim:{office.image(1)}", "--count", 1) == 0
    output = office.output()
    assert f"{1:020X} done" in output
    assert "1 of 1 chips done by station initialise" in output


def test_a_station_that_found_only_foreign_chips_ends_with_status_1(office: Commands) -> None:
    foreign = office.image(9)
    blank = CardImage.load(office.image(1))
    replace(blank, serial=(9).to_bytes(10, "big")).save(foreign)
    found = office.json(
        "station",
        "initialise",
        f"--reader=sim:{foreign}",
        "--timeout",
        0,
        "--count",
        1,
        status=1,
    )
    assert found["results"]["refused"] == 1
    assert found["visits"][0]["code"] == "chip.not-in-stock"


def test_a_station_without_any_chip_ends_with_status_2(office: Commands) -> None:
    nothing = office.directory / "nothing.json"
    found = office.json(
        "station",
        "initialise",
        f"--reader=sim:{nothing}",
        "--timeout",
        0,
        "--count",
        1,
        status=2,
    )
    assert found["done"] == 0


def test_a_condemned_chip_leaves_the_stock(office: Commands) -> None:
    serial = f"{1:020X}"
    assert office.run("stock", "condemn", serial, "--reason", "cracked") == 0
    states = {each["serial"]: each["state"] for each in office.json("stock", "list")}
    assert states == {serial: "condemned", f"{2:020X}": "received"}
    status, error = office.error("stock", "condemn", serial, "--reason", "cracked")
    assert (status, error) == (
        1,
        "error: the chip is condemned, so condemned cannot happen [production.wrong-state]\n",
    )
    assert office.error("stock", "release", f"{2:020X}")[1].endswith("[chip.not-held]\n")


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("stock", "receive", "nowhere.csv"), 2, "delivery.unavailable"),
        (("stock", "release", "12"), 1, "chip.serial-malformed"),
        (("batches", "show", "12"), 1, "batch.id-malformed"),
        (("batches", "show", NO_BATCH), 1, "batch.unknown"),
        (("batches", "sign", NO_BATCH), 64, "usage"),
        (("batches", "pass", NO_BATCH), 64, "usage"),
        (("batches", "receive", NO_BATCH, "--scanned", "nowhere.txt"), 2, "file.unavailable"),
        (("station", "initialise"), 64, "usage"),
        (("keys", "import-transport", "nowhere.key"), 2, "transport-key.unavailable"),
        (
            ("station", "initialise", "--reader", "sim:x", "--reader", "nothing:x"),
            2,
            # no-reader; no-pcsc where there is no PC/SC to ask for it.
            "transport.no-",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    office: Commands, arguments: tuple[str, ...], status: int, code: str
) -> None:
    found, error = office.error(*arguments)
    assert found == status
    assert f"[{code}" in error.splitlines()[0]
    assert error.startswith("error: ")
    assert "Traceback" not in error


def test_print_data_take_the_second_factor_before_anything_else(
    commands: Commands, tmp_path: Path
) -> None:
    log_in_everybody(commands.home, shown_ago=timedelta(minutes=6))
    out = tmp_path / "print.csv"
    status, error = commands.error("cards", "print-data", out)
    assert (status, out.exists()) == (1, False)
    assert "[right.step-up-needed]" in error


def test_a_home_without_keys_says_how_to_make_them(commands: Commands) -> None:
    status, error = commands.error("cards", "print-data", "print.csv")
    assert status == 1
    assert "[keystore.missing]" in error
    assert "keys create" in error


@pytest.mark.parametrize("content", ["", "00" * 31, "zz" * 32, "00" * 33, "\x00" * 64])
def test_a_malformed_transport_key_is_refused_and_not_shown(
    commands: Commands, content: str
) -> None:
    status, error = commands.error("keys", "import-transport", commands.write("key", content))
    assert status == 2
    assert "[transport-key.malformed]" in error
    assert content == "" or content not in error


def test_every_command_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        "keys create",
        "keys import-transport",
        "stock receive",
        "stock list",
        "stock release",
        "stock condemn",
        "stock journal",
        "station initialise",
        "station personalise",
        "cards list",
        "cards print-data",
        "batches create",
        "batches freeze confirm",
        "batches sign",
        "batches pass",
        "batches hand-over",
    ):
        assert issuer([*words.split(), "--help"]) == 0
        help_text = capsys.readouterr().out
        assert "Examples:" in help_text
        assert f"membercard-issuer --home office {words}" in help_text


@contextmanager
def signer_process(directory: Path, home: Path) -> Iterator[Path]:
    path = directory / "run" / "s"
    program = Path(sys.executable).with_name("membercard-pki")
    process = subprocess.Popen(
        [str(program), "--home", str(home), "signer", "serve", "--socket", str(path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        yield path
    finally:
        process.terminate()
        process.communicate(timeout=30)


def authorise(office: Commands, home: Path, decision: str) -> None:
    """The decision's authorisation, signed by two operators of the PKI."""
    path = office.directory / "batch.json"
    terms = ("--signer", "ds-1", "--until", "8h", "--out", path)
    assert office.json("decisions", "authorisation", "create", decision, *terms)["cards"] == 2
    words = ["--home", str(home)]
    for name in ("an", "binh"):
        pin_file = ["--operator-pin-file", str(office.directory / f"{name}.pin")]
        assert pki([*words, "operator", "enrol", name, *pin_file]) == 0
        sign = ["authorisation", "sign", str(path), "--operator", name, *pin_file]
        assert pki([*words, *sign]) == 0
    attached = office.json("decisions", "authorisation", "attach-signature", decision, path)
    assert attached["signatures"] == 2


@pytest.fixture
def bound(office: Commands) -> tuple[Commands, FrozenForTests]:
    """Two cards of a frozen batch that wait to be signed."""
    readers = [f"--reader=sim:{office.image(number)}" for number in (1, 2)]
    office.json("station", "initialise", *readers, "--count", 2, "--timeout", 5)
    return office, freeze_batch(office.home)


@pytest.mark.parametrize("options", [("--test",), ()])
def test_cards_are_signed_through_the_signer_process(
    bound: tuple[Commands, FrozenForTests], options: tuple[str, ...]
) -> None:
    office, frozen = bound
    home = make_pki(office.directory, *options)
    socket = office.directory / "run" / "s"
    sign = ("batches", "sign", frozen.batch, "--signer-socket", socket)
    assert "[authorisation.none-valid]" in office.error(*sign)[1]
    authorise(office, home, frozen.decision)
    assert "[signer.unreachable]" in office.error(*sign)[1]
    with signer_process(office.directory, home) as path:
        assert path == socket
        assert office.json(*sign) == {"signed": 2, "refused": []}
        assert "[batch.wrong-state]" in office.error(*sign)[1]
    assert {each["state"] for each in office.json("cards", "list")} == {"signed"}
    assert office.json("batches", "show", frozen.batch)["state"] == "signed"


def test_only_a_test_authority_signs_without_an_authorisation_and_says_so(
    bound: tuple[Commands, FrozenForTests],
) -> None:
    office, frozen = bound
    home = make_pki(office.directory)
    status, error = office.error("batches", "sign", frozen.batch, "--pki", home)
    assert status == 1
    assert "warning: signing in this process, without an authorisation by two" in error
    assert "[authorisation.missing]" in error
    assert {each["state"] for each in office.json("cards", "list")} == {"bound"}


@pytest.mark.parametrize(
    "options",
    [(), ("--pki", "p", "--signer-socket", "s"), ("--signer", "ds-1", "--signer-socket", "s")],
)
def test_where_to_sign_is_one_of_two_ways(office: Commands, options: tuple[str, ...]) -> None:
    assert office.error("batches", "sign", NO_BATCH, *options)[0] == 64


def test_one_command_runs_a_station_to_the_end_of_its_day(office: Commands) -> None:
    readers = [f"--reader=sim:{office.image(number)}" for number in (1, 2)]
    made = office.json("station", "run", *readers, "--count", 2, "--timeout", 5)
    assert (made["done"], made["events_waiting"]) == (2, 0)
    batch = freeze_batch(office.home).batch
    office.json("batches", "sign", batch, "--pki", make_pki(office.directory, "--test"))
    made = office.json("station", "run", *readers, "--count", 2, "--timeout", 5)
    assert (made["done"], made["events_waiting"]) == (2, 0)
    assert {each["state"] for each in office.json("cards", "list")} == {"issued"}
    assert office.json("station", "hand-in") == {"waiting": 0, "rejected": []}
    serial = f"{2:020X}"
    assert office.run("station", "reject", serial, "--reason", "scratched") == 0
    day = office.json("station", "close-day")
    assert (day["issued"], day["condemned"], len(day["destroyed"])) == (2, 1, 2)
    events = office.json("station", "journal")
    assert {event["account"] for event in events} == {office.json("whoami")["account"]}
    assert {event["is_handed_in"] for event in events} == {True}
    codes = [event["code"] for event in events if event["code"]]
    assert codes[-2:] == ["card.rejected-by-operator", "station.jobs-destroyed"]
    states = {each["serial"]: each["state"] for each in office.json("cards", "list")}
    assert states[serial] == "condemned"
