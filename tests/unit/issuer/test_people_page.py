"""docs/people.md says what the code says."""

import re
from pathlib import Path

import pytest

from issuer.domain.rights import ROLE_RIGHTS, STEP_UP_RIGHTS, Right

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "people.md").read_text(encoding="utf-8")
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "domain/account.py", "domain/account_proposal.py", "domain/rights.py", "domain/second_factor.py", "domain/session.py",
        "services/log_in.py", "services/people.py", "services/account_acts.py", "services/confirm_accounts.py", "services/second_factor*.py", "services/oidc*.py", "services/terminal_confirmation.py",
        "identity/*.py", "cli_rights.py", "cli_password.py", "cli_login.py", "cli_step_up.py", "cli_people.py", "cli_account_proposals.py",
        "bootstrap_people.py", "bootstrap_second_factors.py", "bootstrap_web_people.py", "db/people.py", "db/account_proposals.py",
    )
    for path in (ROOT / "issuer").glob(pattern)
)  # fmt: skip
CODE = re.compile(r'code="([a-z-]+\.[a-z0-9-]+)"')


def role_table() -> str:
    """What stands between the marks; written into the page where it differs."""
    lines = ["| role | rights |", "|---|---|"]
    for role, rights in ROLE_RIGHTS.items():
        names = (
            f"`{right}`{'*' if right in STEP_UP_RIGHTS else ''}"
            for right in Right
            if right in rights
        )
        lines.append(f"| {role} | {', '.join(names)} |")
    return "\n".join(lines)


def test_the_table_of_roles_is_that_of_the_code() -> None:
    shown = PAGE.split("<!-- roles: begin -->")[1].split("<!-- roles: end -->")[0].strip()
    assert shown == role_table()


@pytest.mark.parametrize("module", MODULES)
def test_every_code_of_people_is_explained(module: str) -> None:
    codes = set(CODE.findall((ROOT / module).read_text(encoding="utf-8")))
    other_pages = {"organisation.unknown", "organisation.circle"}
    assert {code for code in codes - other_pages if f"| `{code}` |" not in PAGE} == set()


def test_every_code_that_is_explained_exists() -> None:
    found = {
        code
        for module in MODULES
        for code in CODE.findall((ROOT / module).read_text(encoding="utf-8"))
    }
    # The one that an error has by default.
    found.add("login.too-many-attempts")
    explained = re.findall(r"^\| `([a-z0-9.-]+)` \|", PAGE, re.MULTILINE)
    assert set(explained) == found
    assert explained == sorted(explained)
