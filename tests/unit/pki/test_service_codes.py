"""Every code of the service is explained in docs/pki.md, and nothing else is; every kind of request is listed."""

import re
from pathlib import Path

from pki.services.request_contents import CONTENT_RULES

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "pki.md").read_text(encoding="utf-8")
CODE = r"(?:api|request|database)\.[a-z-]+"


def test_docs_list_exactly_the_codes_that_the_program_gives() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "pki").rglob("*.py"))
    )
    given = set(re.findall(rf'(?:code=|^    )"({CODE})"', sources, re.MULTILINE))
    assert len(given) > 35
    rows = "".join(line.partition(" | ")[0] for line in PAGE.splitlines() if line.startswith("| `"))
    assert set(re.findall(rf"`({CODE})`", rows)) == given


def test_docs_say_how_many_must_approve_each_kind() -> None:
    rows = re.findall(r"^\| ([12]) \| `([a-z]+\.[a-z]+)` \|", PAGE, re.MULTILINE)
    assert {kind: int(count) for count, kind in rows} == {
        kind.value: rule.approvals for kind, rule in CONTENT_RULES.items()
    }
