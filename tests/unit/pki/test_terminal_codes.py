"""Every code of the terminals' certificates is explained in docs/pki.md, and nothing else is."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CODE = re.compile(
    r"(?:cv-certificate|cvca|document-verifier|terminal|terminal-request|file)\.[a-z-]+"
)


def test_docs_list_exactly_the_codes_that_the_program_gives() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "pki").rglob("*.py"))
    )
    given = set(re.findall(rf'code="({CODE.pattern})"', sources))
    assert len(given) > 30
    page = (ROOT / "docs" / "pki.md").read_text(encoding="utf-8")
    rows = "".join(line.partition(" | ")[0] for line in page.splitlines() if line.startswith("| `"))
    listed = set(re.findall(rf"`({CODE.pattern})`", rows))
    assert listed == given
