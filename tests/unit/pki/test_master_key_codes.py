"""Every code of master keys and sealed keys is explained in docs/signer-protocol.md, and nothing else is."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CODE = r"(?:master-key|chip-keys|station)\.[a-z-]+"


def test_docs_list_exactly_the_codes_that_the_program_gives() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "pki").rglob("*.py"))
    )
    given = set(re.findall(rf'code(?:: str)? ?= ?"({CODE})"', sources))
    assert len(given) > 15
    page = (ROOT / "docs" / "signer-protocol.md").read_text(encoding="utf-8")
    rows = "".join(line.partition(" | ")[0] for line in page.splitlines() if line.startswith("| `"))
    assert set(re.findall(rf"`({CODE})`", rows)) == given
