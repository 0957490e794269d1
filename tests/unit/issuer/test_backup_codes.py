"""Every code of backups, marks and reports is explained on its page, and every step after restoring."""

import re
from pathlib import Path

from issuer.bootstrap_backup import RestoreStep

ROOT = Path(__file__).resolve().parents[3]
PAGE = "".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("backup.md", "reports.md")
)
MODULES = [
    "backup/archive.py", "backup/manifest.py", "bootstrap_backup.py", "cli_backup.py", "db/database_copies.py",
    "storage/status_mark_files.py", "services/reports.py", "papers/report_files.py", "cli_reports.py",
]  # fmt: skip
CODE = re.compile(r'code="((?:backup|status|report)\.[a-z-]+)"')


def test_every_code_is_explained() -> None:
    found = {
        code
        for module in MODULES
        for code in CODE.findall((ROOT / "issuer" / module).read_text(encoding="utf-8"))
    }
    assert len(found) > 15
    assert {code for code in found if f"`{code}`" not in PAGE} == set()


def test_every_step_after_restoring_is_explained() -> None:
    assert {step for step in RestoreStep if f"| `{step}` |" not in PAGE} == set()
