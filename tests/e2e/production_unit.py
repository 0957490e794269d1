"""A production unit for walks: an office with decided members, chips for two stations, and the readers of both."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from issuer.domain.rights import Role
from issuer.settings import remember
from pki.bootstrap import read_state
from pki.home import Home as PkiHome
from tests.e2e.province import (
    COMMITTEES,
    PROGRAM,
    PROVINCE,
    act_as,
    add_account,
    issuer,
    make_office,
    write_decision,
    write_list,
)  # fmt: skip
from tests.integration.console.test_console_authorisations import Pki
from tests.integration.everybody import log_in_everybody
from tests.integration.signer.test_sealed_keys import TRANSPORT_KEY, import_words

FAR = "station-2"
MEMBERS_OF_COMMITTEE = 2
CARDS = MEMBERS_OF_COMMITTEE * len(COMMITTEES)
PATIENCE = "120"


def say(home: Path, *words: object, status: int = 0) -> Any:
    """What a command prints for programs."""
    done = subprocess.run(
        [PROGRAM, "--home", home, *(str(word) for word in words), "--format", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


class Readers:
    """Two readers of the real PC/SC stack, or two in the process of whoever reads where no names are given."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._names = names

    @contextmanager
    def holding(self, *hoppers: Path) -> Iterator[list[str]]:
        """The images of each hopper, one after another, in a reader of its own."""
        if not self._names:
            yield [f"sim:{hopper}" for hopper in hoppers]
            return
        slots = [word for hopper in hoppers for word in ("--slot", str(hopper))]
        program = Path(sys.executable).with_name("membercard-simulator")
        with (self._folder / "serve.log").open("a") as log:
            server = subprocess.Popen(
                [program, "serve", "--until-empty", *slots], stdout=log, stderr=log
            )
        try:
            yield list(self._names[: len(hoppers)])
            server.wait(timeout=60)
        finally:
            if server.poll() is None:
                server.terminate()
                server.wait(timeout=30)


@contextmanager
def _working(*words: object) -> Iterator["subprocess.Popen[str]"]:
    """A command beside the block, which it does not outlive."""
    with subprocess.Popen(
        [PROGRAM, *(str(word) for word in words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        try:
            yield run
        finally:
            run.kill()


def _address_of_page(run: "subprocess.Popen[str]") -> str:
    """Where a station with a screen says that its page is, on standard error."""
    if run.stderr is None:
        raise AssertionError("standard error is a pipe")
    for line in run.stderr:
        word, _, address = line.partition(" ")
        if word == "page:":
            return address.strip()
    raise AssertionError("the station served no screen")


class Unit:
    """An office, a station in it, and a station on no network."""

    def __init__(self, folder: Path, home: Path, readers: Readers) -> None:
        self.folder = folder
        self.home = home
        self.far = folder / FAR
        self.readers = readers
        self.pki = Pki(folder)
        self.trays = (folder / "tray-1", folder / "tray-2")
        self.keys = folder / f"{FAR}.keys"

    def hire(self) -> None:
        """Accounts of everybody who works on cards; those of the register are the walk's."""
        for name, role in (
            ("an", Role.PRODUCTION_OPERATOR), ("kiem", Role.QUALITY_CONTROLLER), ("kho", Role.STOREKEEPER),
            ("tam", Role.ADMINISTRATOR),
        ):  # fmt: skip
            add_account(self.home, name, role)

    def decide(self) -> str:
        """Every member of three committees is decided; give back the decision's identifier."""
        act_as(self.home, "lan")
        for number, committee in enumerate(COMMITTEES, start=1):
            listed = write_list(
                self.folder / committee.code,
                committee,
                members=MEMBERS_OF_COMMITTEE,
                first=100 * number,
            )
            portraits = listed / "portraits"
            issuer(
                self.home, "members", "import", listed / "members.xlsx", "--portraits", portraits
            )
        for kind in ("exchange", "new-issue"):
            issuer(self.home, "requests", "draft", "--kind", kind, "--all")
        issuer(self.home, "requests", "propose", "--all")
        act_as(self.home, "mai")
        issuer(self.home, "requests", "endorse", "--all")
        issuer(self.home, "requests", "compile", "--all")
        act_as(self.home, "minh")
        issuer(
            self.home, "decisions", "create", "--number", "12-QD/TU", "--date",
            datetime.now(UTC).date().isoformat(), "--committee", PROVINCE,
            "--document", write_decision(self.folder / "12.pdf"), "--all",
        )  # fmt: skip
        (decision,) = say(self.home, "decisions", "list")
        act_as(self.home, "son")
        issuer(self.home, "decisions", "confirm", decision["decision_id"])
        return str(decision["decision_id"])

    def take_keys(self) -> None:
        """Blank chips of a maker; the keys that open them are in the office and in the PKI, and in no station elsewhere."""
        chips, key = self.folder / "chips", self.folder / "transport.key"
        key.write_text(TRANSPORT_KEY.hex())
        self.pki.run("master-key", "create")
        self.pki.run(*import_words(self.folder))
        program = Path(sys.executable).with_name("membercard-simulator")
        subprocess.run(
            [program, "blank", "create", "--count", str(CARDS), "--out", chips, "--transport-key", key],
            check=True, capture_output=True,
        )  # fmt: skip
        self.pki.run("terminal", "cvca", "create", "--holder", "VNMEMBER")
        self.pki.run("signer", "create", "--id", "status-1", "--profile", "status-list-signer")
        cvca = self.pki.home / "card-verifiable" / "VNMEMBER00001.cvcert"
        make_office(self.far, self.folder, organisations=(), is_sealed=True)
        add_account(self.far, "binh", Role.PRODUCTION_OPERATOR)
        act_as(self.home, "everybody")
        issuer(self.home, "keys", "import-transport", key)
        for home in (self.home, self.far):
            issuer(home, "keys", "import-trust-point", cvca)
        self._know_each_other()
        remember(self.home, {"station": {"name": "station-1"}})
        remember(self.far, {"station": {"name": FAR, "link": "bundle"}})
        act_as(self.far, "binh")
        with (chips / "delivery.csv").open(encoding="utf-8", newline="") as file:
            rows = [(row["serial"], row["image"]) for row in csv.DictReader(file)]
        for number, tray in enumerate(self.trays):
            tray.mkdir()
            part = rows[number::2]
            for _, image in part:
                shutil.copy(chips / image, tray)
            tray.with_suffix(".csv").write_text(
                "".join(f"{line}\n" for line in ("serial", *(serial for serial, _ in part)))
            )
        self._wrap_keys()

    def _wrap_keys(self) -> None:
        """The keys of the second tray's chips, which two operators allow, sealed to the station on no network."""
        allowed = self.folder / "chips.json"
        pins = {name: self.folder / f"{name}.operator-pin" for name in ("quang", "thu")}
        for name, pin in pins.items():
            self.pki.run("operator", "enrol", name, "--operator-pin-file", pin)
        self.pki.run(
            "authorisation", "create", "--signer", "ds-1", "--cards", "1", "--chips",
            str(CARDS // 2), "--until", "8h", "--out", allowed,
        )  # fmt: skip
        for name, pin in pins.items():
            self.pki.run(
                "authorisation", "sign", allowed, "--operator", name, "--operator-pin-file", pin
            )
        with self.pki.signer() as socket:
            self.pki.run(
                "master-key", "wrap", "--socket", socket, "--batch", allowed,
                "--chips", self.trays[1].with_suffix(".csv"),
                "--station", self.folder / "certificates" / "station.cer", "--out", self.keys,
            )  # fmt: skip

    def serials_of_tray(self, number: int) -> list[str]:
        return self.trays[number].with_suffix(".csv").read_text("utf-8").split()[1:]

    def image_of(self, serial: str) -> Path:
        """The image of a chip, wherever it lies."""
        with (self.folder / "chips" / "delivery.csv").open(encoding="utf-8", newline="") as file:
            names = {row["serial"]: row["image"] for row in csv.DictReader(file)}
        (found,) = [tray / names[serial] for tray in self.trays if (tray / names[serial]).exists()]
        return found

    def both_stations(self, *, watch: Callable[[str], None] | None = None) -> None:
        """Every chip of both trays through both stations, at the same time.

        With ``watch`` the office's station serves its screen; it is given the page's address while the station works.
        """
        screen = () if watch is None else ("--screen", "--listen", "127.0.0.1:0")
        keys = ("--keys", self.keys)
        hoppers = [tray / "*.json" for tray in self.trays]
        count = str(CARDS // 2)
        with self.readers.holding(*hoppers) as readers, ExitStack() as stack:
            runs = [
                stack.enter_context(
                    _working(
                        "--home", home, "station", "run", "--reader", reader,
                        "--count", count, "--timeout", PATIENCE, "--format", "json", *options,
                    )
                )
                for home, reader, options in zip(
                    (self.home, self.far), readers, (screen, keys), strict=True
                )
            ]  # fmt: skip
            if watch is not None:
                watch(_address_of_page(runs[0]))
            for run in runs:
                out, errors = run.communicate(timeout=300)
                assert run.returncode == 0, out + errors
                assert json.loads(out)["done"] == CARDS // 2

    def carry_order(self, number: int, *, jobs: int) -> None:
        """A file with the chips of the second tray goes from the office to the station on no network."""
        order = self.folder / f"order-{number}.p7m"
        act_as(self.home, "an")
        chips = self.trays[1].with_suffix(".csv")
        given = say(self.home, "stations", "order", FAR, "--chips", chips, "--out", order)
        assert (given["chips"], given["jobs"]) == (CARDS // 2, jobs)
        assert say(self.far, "station", "bundle", "in", order)["jobs"] == jobs

    def carry_report(self, number: int) -> None:
        """What the station on no network did goes to the office as a file, which it takes whole."""
        report = self.folder / f"report-{number}.p7m"
        say(self.far, "station", "bundle", "out", report)
        act_as(self.home, "an")
        assert say(self.home, "stations", "accept", report)["rejected"] == []

    def know_signer(self) -> None:
        """The office's settings say where the signer process serves."""
        remember(self.home, {"signing": {"signer_socket": str(self.pki.socket)}})

    def cards(self, batch: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = say(self.home, "batches", "cards", batch)
        assert len(found) == MEMBERS_OF_COMMITTEE
        return found

    def cans(self) -> dict[str, str]:
        """What is to be printed on the cards that nobody has in hand yet: CAN by the chip's serial."""
        out = self.folder / "print.csv"
        out.unlink(missing_ok=True)
        act_as(self.home, "an")
        issuer(self.home, "cards", "print-data", out)
        with out.open(encoding="utf-8", newline="") as file:
            return {row["serial"]: row["can"] for row in csv.DictReader(file)}

    def open_trust(self) -> None:
        """The trust directory of the terminals, whose policy asks for a card's status: there is a first list."""
        with self.pki.signer() as socket:
            self.publish(socket)
        self.pki.run("crl", "issue")
        self.pki.run("trust", "export", self.folder / "trust")
        assert '"status.card"' in (self.folder / "trust" / "policy.toml").read_text("utf-8")

    def publish(self, socket: Path, *options: object) -> None:
        """The status list of this moment, signed by the signer process."""
        act_as(self.home, "everybody")
        say(self.home, "status", "publish", "--signer-socket", socket, *options)

    def inspect(self, serial: str, can: str) -> tuple[str, list[str]]:
        """Verdict and codes of a terminal that is shown the card; it waits until the card is in the reader."""
        program = Path(sys.executable).with_name("membercard-verifier")
        reports = self.folder / "reports"
        with self.readers.holding(self.image_of(serial)) as (reader,):
            done = subprocess.run(
                [program, "inspect", "--reader", reader, "--batch", "-", "--trust",
                 self.folder / "trust", "--reports", reports],
                input=f"label,can\n{serial},{can}\n", capture_output=True, text=True, check=False,
            )  # fmt: skip
            said = done.stdout + done.stderr
            assert done.returncode in (0, 1), said
        report = json.loads((reports / f"{serial}.json").read_text("utf-8"))
        assert done.returncode == (0 if report["verdict"] == "accepted" else 1), said
        return report["verdict"], report["codes"]

    def _know_each_other(self) -> None:
        """Both sides make keys, the service authority certifies them, and they know each other."""
        log_in_everybody(self.far)
        folder = self.folder / "certificates"
        folder.mkdir()
        for home, options, name in ((self.home, (), "centre"), (self.far, ("--station",), FAR)):
            issuer(home, "keys", "request-exchange", *options, "--name", name, "--out", folder)
        self.pki.run("service", "create-root")
        for request, kind, name in (
            ("instance", "--instance", "centre"), ("instance-signer", "--instance-signer", "centre"),
            ("station", "--station", FAR), ("station-signer", "--instance-signer", FAR),
        ):  # fmt: skip
            self.pki.run(
                "service", "issue", kind, "--id", request, "--name", name,
                "--request", folder / f"{request}.csr", "--out", folder / f"{request}.cer",
            )  # fmt: skip
        root = read_state(PkiHome(self.pki.home)).service_authority_certificate
        assert root is not None
        (folder / "service-root.cer").write_bytes(root)
        for copy in ("", "-signer"):
            shutil.copy(folder / f"instance{copy}.cer", folder / f"centre{copy}.cer")
        issuer(self.home, "keys", "install-exchange", folder)
        issuer(self.far, "keys", "install-exchange", "--station", folder)
        issuer(
            self.home, "stations", "propose", FAR,
            "--signer", folder / "station-signer.cer", "--certificate", folder / "station.cer",
        )  # fmt: skip
        (waiting,) = say(self.home, "stations", "list")
        act_as(self.home, "tam")
        fingerprint = waiting["proposed"]["fingerprint"]
        issuer(self.home, "stations", "confirm", FAR, "--fingerprint", fingerprint)
        act_as(self.home, "everybody")
