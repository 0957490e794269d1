"""The demo: the whole main job, through the console scripts, as a newcomer would type them.

It imports no product: everything happens in subprocesses, and every command is printed before it runs. Two readers of
the real PC/SC stack are used where there are any (pcscd with the virtual driver), in-process readers otherwise.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from simulators.rehearsal_batches import BATCH_PEOPLE, OPERATORS, frozen_batch, open_batch
from simulators.rehearsal_day import SET_ASIDE, close_day, set_aside
from simulators.rehearsal_people import acting, begin_work, log_in_again, people_of_office
from simulators.rehearsal_protection import protection
from simulators.rehearsal_requests import DECISION_PEOPLE, decide_on_cards
from simulators.rehearsal_run import DEMO, Rehearsal, RehearsalError, batch_file, import_members

__all__ = ["main"]

CARD_COUNT = 18
REFUSED_ROWS = 6
STATION = "local"
"""What the station of a home is called, and its place in the stock."""
PROFILE = "membercard-1-icao"
"""The profile of the first cards: every reader of Doc 9303 reads all of them."""

MARK = DEMO / ".rehearsal"
"""Stands in a demo folder that we made, so that we never remove somebody else's."""

OFFICE = "demo/issuer"
PEOPLE = {
    "clerk": ["clerk"],
    **DECISION_PEOPLE,
    **BATCH_PEOPLE,
}
"""Who works in the office, and as what; whoever gives out the roles has none of them."""

FORGERIES = {
    "altered-data-group": "data-group.altered",
    "unlisted-file": "data-group.not-covered",
    "clone": "chip.not-proven",
    "unknown-authority": "signer.authority-unknown",
    "expired-signer": "signer.expired-at-signing",
    "revoked-signer": "signer.revoked",
    "bac-only": "access.pace-required",
    "chip-authentication-refused": "chip-authentication.not-performed",
}
"""Kind of forged card -> the stable code it must be refused with."""


def find_readers(console: Console) -> list[str]:
    """The virtual PC/SC readers of this machine; fewer than two mean that in-process readers are used."""
    program = Path(sys.executable).parent / "membercard-verifier"
    result = subprocess.run(  # noqa: S603 - our own script
        [str(program), "reader", "list", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    names = [name for name in json.loads(result.stdout or "[]") if "Virtual PCD" in name]
    if len(names) < 2:
        console.print(
            "[yellow]No two virtual PC/SC readers here (pcscd with vsmartcard-vpcd): the demo uses in-process readers.[/]"
        )
    return names


def certification_authority(demo: Rehearsal) -> None:
    """1: a test CA, one document signer, its CRL, two operators, and the trust directory of the terminals."""
    demo.step(1, "A test certification authority signs card records")
    demo.run(
        "membercard-pki", "--home", "demo/pki", "authority", "create", "--test",
        "--name", "Membercard demonstration", "--keystore", "auto", "--pin-file", "demo/secrets/pki.pin",
    )  # fmt: skip
    demo.run("membercard-pki", "--home", "demo/pki", "signer", "create", "--id", "ds-1")
    demo.run("membercard-pki", "--home", "demo/pki", "crl", "issue")
    for operator in OPERATORS:
        demo.run(
            "membercard-pki", "--home", "demo/pki", "operator", "enrol", operator,
            "--operator-pin-file", f"demo/secrets/{operator}.pin",
            quiet=True,
        )  # fmt: skip
    demo.run("membercard-pki", "--home", "demo/pki", "trust", "export", "demo/trust")


def population(demo: Rehearsal) -> None:
    """2: synthetic members as a committee would send them."""
    demo.step(2, "Three organisations send their member list")
    demo.run(
        "membercard-simulator", "population", "create", "--seed", "2026", "--out", "demo/population"
    )


def register(demo: Rehearsal) -> str:
    """3a: organisations and members come into the register, six rows are refused; the decision on their cards."""
    demo.step(3, "The issuer imports the list, and refuses what is wrong in it")
    demo.run("membercard-issuer", "--home", OFFICE, "database", "upgrade")
    demo.set_profile(OFFICE, PROFILE)
    people_of_office(demo, OFFICE, PEOPLE)
    demo.run(
        *acting(OFFICE, "admin"), "keys", "create", "--keystore", "auto",
        "--pin-file", "demo/secrets/issuer.pin",
    )  # fmt: skip
    import_members(demo, acting(OFFICE, "admin"), begin_work(demo, OFFICE, "clerk"))
    demo.console.print(
        "   Status 1: some rows were refused. The report for the committee is demo/import-report.csv"
    )
    return decide_on_cards(demo, OFFICE, clerk="clerk")


def production(demo: Rehearsal, decision: str) -> None:
    """3b: a day of docs/operations.md: blanks become cards in two readers at once, and come into the members' hands."""
    demo.step(4, "Blank chips become cards, in two readers at once")
    operator = begin_work(demo, OFFICE, "operator")
    demo.run(
        "membercard-simulator", "blank", "create", "--count", str(CARD_COUNT + SET_ASIDE), "--out", "demo/cards",
        "--transport-key", "demo/secrets/transport.key", "--profile", PROFILE,
    )  # fmt: skip
    demo.run(*acting(OFFICE, "admin"), "keys", "import-transport", "demo/secrets/transport.key")
    storekeeper = begin_work(demo, OFFICE, "storekeeper")
    demo.run(*storekeeper, "stock", "receive", "demo/cards/delivery.csv")
    demo.run(*storekeeper, "stock", "site", "add", STATION, "--kind", "station", "--name", "Trạm 1")
    demo.run(*storekeeper, "stock", "issue", "--list", "demo/cards/delivery.csv", "--to", STATION)
    at_station(demo, operator, CARD_COUNT + SET_ASIDE)
    aside = set_aside(demo, OFFICE, station=STATION)
    batch = open_batch(demo, OFFICE, decision)
    frozen_batch(batch, proof_sheet="demo/proof.pdf")
    batch.sign_by_two()
    at_station(demo, operator, CARD_COUNT)
    demo.run(*operator, "station", "close-day")
    # What opens the chips leaves the register within minutes of the second factor only.
    log_in_again(demo, OFFICE, "operator")
    demo.run(*operator, "cards", "print-data", "demo/secrets/print-data.csv")
    batch.deliver()
    close_day(demo, OFFICE, aside, station=STATION)
    demo.run(*acting(OFFICE, "controller"), "reports", "count", quiet=True)
    demo.run(*acting(OFFICE, "controller"), "reports", "production")


def at_station(demo: Rehearsal, operator: Sequence[str], count: int) -> None:
    """So many chips through two readers, each as far as it can go."""
    hoppers = ("demo/cards/*[13579].json", "demo/cards/*[02468].json")
    with demo.cards_in_readers(*hoppers) as readers:
        places = [word for reader in readers for word in ("--reader", reader)]
        demo.run(*operator, "station", "run", *places, "--count", str(count))


def verification(demo: Rehearsal) -> list[dict[str, Any]]:
    """4: a terminal reads all cards with the printed CAN."""
    demo.step(5, "A terminal reads every card")
    with (DEMO / "secrets/print-data.csv").open(encoding="utf-8", newline="") as file:
        can_of_serial = {row["serial"]: row["can"] for row in csv.DictReader(file)}
    with (DEMO / "cards/delivery.csv").open(encoding="utf-8", newline="") as file:
        image_of_serial = {row["serial"]: row["image"] for row in csv.DictReader(file)}
    cards = sorted(
        (f"demo/cards/{image_of_serial[serial]}", can) for serial, can in can_of_serial.items()
    )
    return inspect(
        demo, "accepted", [(image, can, "accepted") for image, can in cards], "demo/cards/*.json"
    )


def refusals(demo: Rehearsal) -> list[dict[str, Any]]:
    """5: eight cards that somebody tampered with."""
    demo.step(6, "Eight cards that must be refused")
    rows: list[tuple[str, str, str]] = []
    for number, kind in enumerate(FORGERIES, start=1):
        image = f"demo/refused/{number}-{kind}.json"
        can = f"{100_200 + 111 * number}"
        demo.run(
            "membercard-simulator", "image", "forge", kind, "--authority", "demo/forger", "--out", image,
            "--can", can, "--seed", str(number),
            quiet=True,
        )  # fmt: skip
        rows.append((image, can, FORGERIES[kind]))
    demo.run("membercard-simulator", "authority", "export", "demo/forger", "--trust", "demo/trust")
    return inspect(demo, "refused", rows, "demo/refused/*.json")


def inspect(
    demo: Rehearsal, verdict: str, rows: Sequence[tuple[str, str, str]], hopper: str
) -> list[dict[str, Any]]:
    """Read the cards of one hopper; each must get ``verdict``, and the code that its row expects."""
    labels = [Path(image).stem for image, _, _ in rows]
    batch = batch_file(
        f"secrets/{verdict}.csv",
        [(label, can) for label, (_, can, _) in zip(labels, rows, strict=True)],
    )
    reports = DEMO / "reports"
    with demo.cards_in_readers(hopper) as (reader,):
        demo.run(
            "membercard-verifier", "inspect", "--reader", reader, "--batch", batch, "--trust", "demo/trust",
            "--portraits", "demo/portraits", "--reports", str(reports),
            expected=(0,) if verdict == "accepted" else (1,),
        )  # fmt: skip
    cards: list[dict[str, Any]] = []
    for label, (image, can, expected) in zip(labels, rows, strict=True):
        report = json.loads((reports / f"{label}.json").read_text("utf-8"))
        if report["verdict"] != verdict or (
            expected != "accepted" and expected not in report["codes"]
        ):
            raise RehearsalError(
                f"{image} was {report['verdict']} {report['codes']}, expected {verdict} {expected}"
            )
        cards.append({
            "image": image, "can": can, "reader": "in-process" if demo.in_process else "pcsc",
            "expected": expected, "verdict": report["verdict"], "codes": report["codes"],
        })  # fmt: skip
    return cards


def count_members(demo: Rehearsal) -> tuple[int, int]:
    """How many rows of the list were taken and refused, from what the issuer itself wrote."""
    imported = json.loads(
        demo.run(*acting(OFFICE, "clerk"), "members", "list", "--format", "json", quiet=True)
    )
    with (DEMO / "import-report.csv").open(encoding="utf-8-sig", newline="") as file:
        refused = {row["row"] for row in csv.DictReader(file)}
    return len(imported), len(refused)


def closing_page(console: Console, summary: dict[str, Any], seconds: float) -> None:
    """What was made, where it lies, what to try next."""
    cards = summary["cards"]
    table = Table.grid(padding=(0, 2))
    for left, right in (
        ("demo/pki", "the test CA: certificates, CRL, journal of every signature"),
        ("demo/issuer", "the issuer's register and its own keys"),
        ("demo/population", "the member list that was imported, with portraits"),
        (
            "demo/import-report.csv",
            f"the {summary['members_refused']} refused rows, with column and reason",
        ),
        (
            "demo/*.pdf",
            "papers: proof sheet, packing list, the members' signatures, the day's count, the destruction",
        ),
        ("demo/cards, demo/refused", f"{len(cards)} virtual cards: their chips' memory as JSON"),
        ("demo/terminal", "what a terminal shows to a card that protects its member record"),
        ("demo/trust", "what a terminal trusts: CSCA certificates, CRLs, policy"),
        ("demo/reports, demo/portraits", "what the terminal found, card by card"),
        ("demo/summary.json", "all of this for programs"),
    ):
        table.add_row(f"[bold]{left}[/]", right)
    first, last = cards[0], cards[-1]
    console.print(
        Panel(
            table,
            title=f"Done in {seconds:.0f} s: {summary['members_imported']} cards issued and accepted, 8 refused",
            border_style="green",
        )
    )
    console.print("[bold]Try next[/]")
    for card in (first, last):
        console.print(
            f"  membercard-verifier inspect --reader sim:{card['image']} --can {card['can']} --trust demo/trust",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
    console.print(f"  membercard-verifier explain {last['expected']}", highlight=False)
    console.print("  membercard-pki --home demo/pki journal verify", highlight=False)


def rehearse(demo: Rehearsal) -> dict[str, Any]:
    """All steps in order; the summary that demo/summary.json holds."""
    certification_authority(demo)
    population(demo)
    production(demo, register(demo))
    cards = verification(demo) + refusals(demo)
    readings = protection(demo)
    imported, refused = count_members(demo)
    if (imported, refused) != (CARD_COUNT, REFUSED_ROWS):
        raise RehearsalError(
            f"{imported} members imported and {refused} refused, expected {CARD_COUNT} and {REFUSED_ROWS}"
        )
    return {
        "members_imported": imported,
        "members_refused": refused,
        "trust": "demo/trust",
        "cards": cards,
        "protected": readings,
    }


def main() -> int:
    """Run the demo; 0 where everything ended as it must, 2 otherwise."""
    parser = argparse.ArgumentParser(
        description="The demo: from a member list to verified cards, under demo/."
    )
    parser.add_argument(
        "--in-process", action="store_true", help="use in-process readers even where PC/SC is there"
    )
    arguments = parser.parse_args()
    console = Console()
    begin = time.monotonic()
    if DEMO.exists():
        if not MARK.exists():
            console.print(
                "error: demo/ exists and was not made by the demo [demo.foreign-folder]",
                markup=False,
            )
            console.print("hint: move it away and run the demo again", markup=False)
            return 2
        shutil.rmtree(DEMO)
    (DEMO / "secrets").mkdir(parents=True, mode=0o700)
    MARK.touch()
    readers = [] if arguments.in_process else find_readers(console)
    demo = Rehearsal(console=console, in_process=len(readers) < 2, readers=readers)
    try:
        summary = rehearse(demo)
    except RehearsalError as error:
        console.print(f"error: {error} [demo.failed]", markup=False)
        return 2
    (DEMO / "summary.json").write_text(
        json.dumps(summary, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    closing_page(console, summary, time.monotonic() - begin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
