"""Every code of the audit trail and of the rights of data subjects is explained on its page."""

import re
from pathlib import Path

import pytest

from issuer.domain.audit_check import AuditFault

ROOT = Path(__file__).resolve().parents[3]
PAGES = "".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("audit-trail.md", "data-subjects.md")
)
MODULES = sorted(
    path
    for pattern in (
        "*audit*.py",
        "*/*audit*.py",
        "private_files.py",
        "*/*subject*.py",
        "*/breach*.py",
        "*subject*.py",
    )
    for path in (ROOT / "issuer").glob(pattern)
)
CODE = re.compile(r'code="([a-z-]+\.[a-z0-9-]+)"')


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_every_code_of_the_module_is_explained(module: Path) -> None:
    codes = set(CODE.findall(module.read_text(encoding="utf-8")))
    assert {code for code in codes if f"`{code}`" not in PAGES} == set()


@pytest.mark.parametrize("fault", AuditFault)
def test_every_fault_of_a_trail_is_explained(fault: AuditFault) -> None:
    assert f"`{fault.value}`" in PAGES


def test_codes_are_found_at_all() -> None:
    found = {code for path in MODULES for code in CODE.findall(path.read_text(encoding="utf-8"))}
    assert {"audit.head-missing", "audit.empty", "file.unavailable"} <= found
