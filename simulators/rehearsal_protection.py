"""The demo's last step: one card of the default profile before a terminal without and with a certificate."""

import csv
import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from simulators.rehearsal_batches import frozen_batch, open_batch
from simulators.rehearsal_people import acting, begin_work, log_in_again, people_of_office
from simulators.rehearsal_requests import DECISION_PEOPLE, decide_on_cards
from simulators.rehearsal_run import DEMO, Rehearsal, RehearsalError, batch_file, import_members

__all__ = ["protection"]

PEOPLE = {
    "operator": ["clerk", "storekeeper", "production-operator"],
    "controller": ["quality-controller"],
    **DECISION_PEOPLE,
}
"""One person may have several roles; never the administrator, and here never a decider."""


def terminal(demo: Rehearsal) -> None:
    """7a: a hierarchy for terminals, and one terminal that may read the member record."""
    demo.step(7, "A card keeps its member record for terminals with a right")
    pki = ("membercard-pki", "--home", "demo/pki", "terminal")
    gate = ("membercard-pki", "--home", "demo/gate", "terminal")
    demo.run(*pki, "cvca", "create", "--holder", "VNMEMBER", quiet=True)
    demo.run(*pki, "dv", "create", "--mnemonic", "OFFICES", quiet=True)
    demo.run(
        *gate, "request", "create", "--holder", "VNGATE1", "--out", "demo/gate.cvreq",
        "--keystore", "file", "--pin-file", "demo/secrets/gate.pin",
        quiet=True,
    )  # fmt: skip
    demo.run(
        *pki, "issue", "demo/gate.cvreq", "--grant", "DG13", "--out", "demo/gate.cvcert", quiet=True
    )
    demo.run(
        *gate, "export", "demo/gate.cvcert", "--chain", "demo/pki/card-verifiable",
        "--out", "demo/terminal",
    )  # fmt: skip


def protected_card(demo: Rehearsal) -> tuple[str, str]:
    """7b: one card of the default profile, in a home of its own; give back its image and CAN."""
    home = "demo/protected"
    admin = acting(home, "admin")
    demo.run("membercard-issuer", "--home", home, "database", "upgrade", quiet=True)
    people_of_office(demo, home, PEOPLE, quiet=True)
    demo.run(
        *admin, "keys", "create", "--keystore", "file", "--pin-file", "demo/secrets/protected.pin",
        quiet=True,
    )  # fmt: skip
    operator = begin_work(demo, home, "operator", quiet=True)
    import_members(demo, admin, operator, quiet=True)
    decision = decide_on_cards(demo, home, clerk="operator", quiet=True)
    demo.run(*admin, "keys", "import-transport", "demo/secrets/transport.key", quiet=True)
    demo.run(*admin, "keys", "import-trust-point", "demo/pki/card-verifiable/VNMEMBER00001.cvcert")
    demo.run(
        "membercard-simulator", "blank", "create", "--count", "1", "--out", "demo/protected-cards",
        "--transport-key", "demo/secrets/transport.key",
        quiet=True,
    )  # fmt: skip
    for words in (
        ("site", "add", "local", "--kind", "station", "--name", "Trạm 1"),
        ("receive", "demo/protected-cards/delivery.csv", "--site", "local"),
    ):
        demo.run(*operator, "stock", *words, quiet=True)
    for verb in ("initialise", "personalise"):
        if verb == "personalise":
            batch = open_batch(demo, home, decision, limit=1, quiet=True)
            frozen_batch(batch, proof_sheet="demo/protected-proof.pdf", quiet=True)
            log_in_again(demo, home, "decider", quiet=True)
            batch.run("decider", "sign", "--pki", "demo/pki", quiet=True)
        with demo.cards_in_readers("demo/protected-cards/*.json") as (reader,):
            demo.run(*operator, "station", verb, "--reader", reader, "--count", "1", quiet=True)
    log_in_again(demo, home, "operator", quiet=True)
    demo.run(*operator, "cards", "print-data", "demo/secrets/protected.csv", quiet=True)
    with (DEMO / "secrets/protected.csv").open(encoding="utf-8", newline="") as file:
        can = next(row["can"] for row in csv.DictReader(file))
    with (DEMO / "protected-cards/delivery.csv").open(encoding="utf-8", newline="") as file:
        image = next(row["image"] for row in csv.DictReader(file))
    return f"demo/protected-cards/{image}", can


def protection(demo: Rehearsal) -> list[dict[str, Any]]:
    """7: the same card before a terminal without and with a certificate; both accept it, one reads the record."""
    terminal(demo)
    image, can = protected_card(demo)
    shown = ("--terminal", "demo/terminal", "--terminal-pin-file", "demo/secrets/gate.pin")
    readings: list[dict[str, Any]] = []
    for name, more in (("without", ()), ("with", shown)):
        batch = batch_file(f"secrets/{name}.csv", [(f"{name}-certificate", can)])
        with demo.cards_in_readers(image) as (reader,):
            demo.run(
                "membercard-verifier", "inspect", "--reader", reader, "--batch", batch,
                "--trust", "demo/trust", "--reports", "demo/reports", *more,
                quiet=True,
            )  # fmt: skip
        report = json.loads((DEMO / f"reports/{name}-certificate.json").read_text("utf-8"))
        readings.append({
            "image": image, "can": can, "terminal_certificate": name, "verdict": report["verdict"],
            "assurance": report["assurance"], "notes": report["notes"],
            "member_record": "citizen_number" in report["holder"],
        })  # fmt: skip
    expected = [(["data-group.no-right"], False), ([], True)]
    if [(item["notes"], item["member_record"]) for item in readings] != expected:
        raise RehearsalError(f"the protected card was read otherwise than expected: {readings}")
    demo.console.print(protection_table(readings))
    return readings


def protection_table(readings: Sequence[dict[str, Any]]) -> Table:
    """One row for each terminal that the protected card met."""
    table = Table(title="One card of membercard-1 before two terminals")
    for heading in ("terminal certificate", "verdict", "assurance", "member record", "note"):
        table.add_column(heading, overflow="fold")
    for item in readings:
        table.add_row(
            item["terminal_certificate"],
            item["verdict"],
            item["assurance"],
            "read" if item["member_record"] else "not asked for",
            ", ".join(item["notes"]) or "-",
        )
    return table
