"""Every code of backup and restore is explained in docs/pki.md, and nothing else is."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CODE = r"backup\.[a-z-]+"


def test_docs_list_exactly_the_codes_of_backups() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "pki").rglob("*.py"))
    )
    given = set(re.findall(rf'code="({CODE})"', sources))
    assert len(given) > 12
    page = (ROOT / "docs" / "pki.md").read_text(encoding="utf-8")
    rows = "".join(line.partition(" | ")[0] for line in page.splitlines() if line.startswith("| `"))
    assert set(re.findall(rf"`({CODE})`", rows)) == given
