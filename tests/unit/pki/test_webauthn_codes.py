"""Every code of WebAuthn is explained in docs/signer-protocol.md, and nothing else is."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "signer-protocol.md").read_text(encoding="utf-8")
CODE = r"webauthn\.[a-z-]+"


def test_docs_list_exactly_the_codes_that_the_program_gives() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "pki").rglob("*.py"))
    )
    given = set(re.findall(rf'(?:code|default_code) ?= ?"({CODE})"', sources))
    assert len(given) > 20
    rows = "".join(line.partition(" | ")[0] for line in PAGE.splitlines() if line.startswith("| `"))
    assert set(re.findall(rf"`({CODE})`", rows)) == given
