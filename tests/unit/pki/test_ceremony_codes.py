"""Every code of the ceremonies is explained in docs/pki.md, and nothing else is; the fonts have every letter."""

import re
from pathlib import Path

from pki.ceremony.script import CeremonyKind, script_of

ROOT = Path(__file__).resolve().parents[3]
CODE = re.compile(r"(?:ceremony|sheet)\.[a-z-]+")


def test_docs_list_exactly_the_codes_of_the_ceremonies() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "pki").rglob("*.py"))
    )
    given = set(re.findall(rf'code="({CODE.pattern})"', sources))
    assert len(given) > 30
    page = (ROOT / "docs" / "pki.md").read_text(encoding="utf-8")
    rows = "".join(line.partition(" | ")[0] for line in page.splitlines() if line.startswith("| `"))
    assert set(re.findall(rf"`({CODE.pattern})`", rows)) == given


def test_every_ceremony_begins_with_the_machine_and_ends_with_the_signed_transcript() -> None:
    for kind in CeremonyKind:
        steps = [step.identifier for step in script_of(kind, custodians=["An", "Chi", "Lan"])]
        assert steps[:3] == ["surroundings", "attendance", "wish"]
        assert steps[-2:] == ["journal-signer", "close"]
        assert len(set(steps)) == len(steps)
        assert steps.count("activation") == 1
