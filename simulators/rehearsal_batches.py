"""A batch of cards, from a decision to the members' hands: every step by whoever is there for it, the grave ones by two."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulators.rehearsal_people import acting, begin_work, log_in_again
from simulators.rehearsal_run import DEMO, Rehearsal, RehearsalError

__all__ = ["BATCH_PEOPLE", "OPERATORS", "DemoBatch", "frozen_batch", "open_batch"]

BATCH_PEOPLE = {
    "storekeeper": ["storekeeper"],
    "operator": ["production-operator"],
    "controller": ["quality-controller"],
}
"""Beside the deciders, who have cards signed, and the clerk, who hands them over."""

OPERATORS = ("an", "binh")
"""The two operators of the PKI whose signatures make an authorisation."""

_RECEIVER = "GD"
_AUTHORISATION = "demo/batch.json"
_SOCKET = "demo/run/signer.sock"


@dataclass(frozen=True, kw_only=True)
class DemoBatch:
    """One batch of one home."""

    demo: Rehearsal
    home: str
    batch_id: str
    decision: str

    def run(self, who: str, *words: str, quiet: bool = False) -> str:
        """One command of ``batches`` by one of the people."""
        verbs = words[: 2 if words[0] == "freeze" else 1]
        rest = words[len(verbs) :]
        return self.demo.run(
            *acting(self.home, who), "batches", *verbs, self.batch_id, *rest, quiet=quiet
        )

    def cards(self) -> list[dict[str, Any]]:
        """Its lines, as programs read them."""
        found: list[dict[str, Any]] = json.loads(
            self.run("operator", "cards", "--format", "json", quiet=True)
        )
        return found

    def sign_by_two(self) -> None:
        """The decision's authorisation, signed by two operators of the PKI; then the signer process signs the cards."""
        demo, pki = self.demo, ("membercard-pki", "--home", "demo/pki")
        log_in_again(demo, self.home, "decider")
        decider = acting(self.home, "decider")
        authorisation = (*decider, "decisions", "authorisation")
        demo.run(
            *authorisation, "create", self.decision, "--signer", "ds-1", "--until", "8h",
            "--out", _AUTHORISATION,
            quiet=True,
        )  # fmt: skip
        for operator in OPERATORS:
            demo.run(
                *pki, "authorisation", "sign", _AUTHORISATION, "--operator", operator,
                "--operator-pin-file", f"demo/secrets/{operator}.pin",
                quiet=True,
            )  # fmt: skip
        demo.run(*authorisation, "attach-signature", self.decision, _AUTHORISATION)
        with signer_running(demo):
            self.run("decider", "sign", "--signer-socket", _SOCKET)

    def deliver(self) -> None:
        """Passed by a second person, packed, sent, counted in, and handed over to the members."""
        cards = self.cards()
        serials = _lines("serials.txt", [str(card["serial"]) for card in cards])
        numbers = _lines("numbers.txt", [str(card["card_number"]) for card in cards])
        self.run("controller", "pass", "--scanned", serials)
        self.run("storekeeper", "pack", "--per-box", "10")
        self.run("storekeeper", "packing-list", "--out", "demo/packing-list.pdf")
        self.run("storekeeper", "dispatch", "--carrier", "courier 7")
        self.run("clerk", "receive", "--scanned", numbers)
        self.run("clerk", "minutes", "--members", "--out", "demo/minutes.pdf")
        self.run("clerk", "hand-over", "--scanned", numbers, "--signed-by", "member")


def open_batch(
    demo: Rehearsal, home: str, decision: str, *, limit: int | None = None, quiet: bool = False
) -> DemoBatch:
    """A batch with the requests of a decision, or a few of them."""
    begin_work(demo, home, "controller", quiet=quiet)
    words = ("--receiver", _RECEIVER, "--decision", decision, "--format", "json")
    made = json.loads(demo.run(*acting(home, "operator"), "batches", "create", *words, quiet=True))
    batch = DemoBatch(demo=demo, home=home, batch_id=made["batch_id"], decision=decision)
    some = () if limit is None else ("--limit", str(limit))
    batch.run("operator", "fill", *some, quiet=quiet)
    return batch


def frozen_batch(batch: DemoBatch, *, proof_sheet: str, quiet: bool = False) -> None:
    """Proposed by the operator; the quality controller compares the proof sheet and confirms."""
    proposed = json.loads(
        batch.run("operator", "freeze", "propose", "--format", "json", quiet=True)
    )
    log_in_again(batch.demo, batch.home, "controller", quiet=quiet)
    batch.run("controller", "proof", "--out", proof_sheet, quiet=quiet)
    batch.run("controller", "freeze", "confirm", "--proof", proposed["proof"][:16], quiet=quiet)


@contextmanager
def signer_running(demo: Rehearsal) -> Iterator[None]:
    """The signer process in the background, from when it is ready until the block ends."""
    words = ["membercard-pki", "--home", "demo/pki", "signer", "serve", "--socket", _SOCKET]
    demo.console.print(f"[bold cyan]$[/] {shlex.join(words)} &", soft_wrap=True, highlight=False)
    program = Path(sys.executable).parent / words[0]
    with (DEMO / "signer.log").open("w") as log:
        signer = subprocess.Popen(  # noqa: S603 - our own script
            [str(program), *words[1:]], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        if signer.stdout is None or not signer.stdout.readline().startswith("ready"):
            raise RehearsalError("the signer did not start; see demo/signer.log")
        yield
    finally:
        signer.terminate()
        signer.wait(timeout=10)


def _lines(name: str, lines: Sequence[str]) -> str:
    """What a scanner would have written: one on each line."""
    path = DEMO / name
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(path)
