import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = "".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("member-list.md", "register.md", "bundles.md")
)
MODULES = [
    ROOT / "issuer" / name
    for pattern in (
        "domain/*list*.py", "domain/*number.py", "domain/member_*.py", "evidence/*.py", "domain/organisation.py", "domain/calendar_date.py",
        "domain/vietnamese_text.py", "domain/phone_number.py", "domain/standing.py", "imports/*.py", "portraits/*.py", "services/import_*.py",
        "services/change_members.py", "services/*_organisations.py", "services/read_members.py", "cli_acts.py", "cli_member_records.py", "domain/organisation_*.py", "db/base.py", "db/register.py", "db/schema.py", "db/member*.py", "db/organisations.py",
        "services/compare_rows.py", "services/conclude_rows.py", "services/decide_doubts.py", "domain/look_alikes.py",
        "db/migrations/conversion.py", "bootstrap_keys.py",
        "settings.py", "bootstrap.py",
    )
    for name in sorted(path.relative_to(ROOT / "issuer") for path in (ROOT / "issuer").glob(pattern))
]  # fmt: skip
CODE = re.compile(r'(?:code=|_CODE = |refuse\([^)]*?)"([a-z-]+\.[a-z0-9-]+)"', re.DOTALL)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_every_code_of_the_register_is_explained(module: Path) -> None:
    codes = set(CODE.findall(module.read_text(encoding="utf-8")))
    missing = {code for code in codes if f"`{code}`" not in PAGE}
    assert missing == set()


def test_codes_are_found_at_all() -> None:
    found = {
        code for module in MODULES for code in CODE.findall(module.read_text(encoding="utf-8"))
    }
    assert {"file.columns", "birth-date.age", "portrait.missing", "database.url"} <= found
    assert len(found) > 50
