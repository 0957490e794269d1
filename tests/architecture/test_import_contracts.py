"""What may import what, and how long a module may be."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("card_layout", "pki", "issuer", "verifier", "simulators")
MAX_LINES = 450

MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_import_contracts_are_kept() -> None:
    result = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


def test_a_contract_is_written_for_every_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    assert {
        module for contract in contracts for module in contract.get("source_modules", ())
    } >= set(PACKAGES)


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("card_layout.files.registry", ("smartcard", "pki", "sqlalchemy")),
        ("card_layout.protocols.pace", ("smartcard", "pki", "issuer", "verifier", "simulators")),
        ("card_layout.transport.readers", ("smartcard",)),
        ("verifier", ("smartcard", "card_layout", "pki", "issuer", "simulators")),
        ("issuer", ("smartcard", "sqlalchemy", "verifier", "simulators")),
        ("verifier.cli", ("smartcard", "sqlalchemy", "alembic", "fastapi", "uvicorn", "jinja2")),
        ("verifier.bootstrap_page", ("smartcard", "alembic")),
        ("pki", ("pkcs11", "asn1crypto")),
        ("simulators", ("issuer", "verifier")),
    ],
)
def test_importing_a_leaf_loads_a_leaf(module: str, absent: tuple[str, ...]) -> None:
    check = (
        f"import sys, {module}\n"
        f"print(sorted({{name.partition('.')[0] for name in sys.modules}} & set({absent!r})))"
    )
    result = run(sys.executable, "-c", check)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_there_are_modules_to_look_at() -> None:
    assert {module.partition("/")[0] for module in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_no_more_lines_than_one_subject_needs(module: str) -> None:
    lines = (ROOT / module).read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_LINES, f"{module} has {lines} lines, expected at most {MAX_LINES}"


OFFERING = "verifier/__init__.py"
"""Offers other programs one call (docs/library.md), and imports it when it is asked for."""


@pytest.mark.parametrize(
    "module",
    [name for name in MODULES if name.endswith("/__init__.py") and name != OFFERING],
)
def test_package_init_files_are_empty(module: str) -> None:
    assert (ROOT / module).read_text(encoding="utf-8") == ""


def test_importing_a_leaf_of_the_verifier_loads_no_more_than_the_leaf() -> None:
    check = (
        "import sys, verifier.errors; "
        "print([name for name in sys.modules if name.startswith(('verifier.', 'card_layout', 'pki'))])"
    )
    result = run(sys.executable, "-c", check)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "['verifier.errors']"
