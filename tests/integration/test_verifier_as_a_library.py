"""The verifier in other people's programs, and on systems that are no Unix: docs/library.md."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import verifier
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import write_trust_directory
from verifier import CardPassword, Verdict, inspect

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "library.md"

WITHOUT_UNIX = """
import socket, sys
for name in ("fcntl", "pwd", "grp", "termios", "tty", "resource", "posix_ipc"):
    sys.modules[name] = None
del socket.AF_UNIX
import os
for name in ("fork", "getuid", "geteuid", "getgid", "setsid", "killpg", "fchmod", "fchown", "O_NOFOLLOW", "O_CLOEXEC"):
    if hasattr(os, name):
        delattr(os, name)
"""
"""What Python does not have on Windows; a module that is None cannot be imported."""


@pytest.fixture(scope="module")
def stage(issued_card: Any, test_pki: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    write_trust_directory(folder / "trust", [test_pki], now=TEST_TIME)
    (folder / "card.json").write_text(issued_card.to_json(), "utf-8")
    return folder


def test_one_call_reads_and_judges_a_card(virtual_reader: Any, stage: Path) -> None:
    given = {"trust": stage / "trust", "profile": "membercard-1-icao", "at": TEST_TIME}
    report = inspect(virtual_reader, CardPassword.from_can(TEST_CAN), **given)
    assert report.verdict is Verdict.ACCEPTED
    assert report.holder is not None
    refused = inspect(virtual_reader, CardPassword.from_can("000000"), **given)
    assert (refused.verdict is Verdict.ACCEPTED, refused.holder) == (False, None)
    assert "access.wrong-password" in refused.codes


def test_a_reader_may_be_named(stage: Path) -> None:
    report = inspect(
        f"sim:{stage / 'card.json'}", CardPassword.from_can(TEST_CAN),
        trust=stage / "trust", profile="membercard-1-icao", at=TEST_TIME,
    )  # fmt: skip
    assert report.verdict is Verdict.ACCEPTED


def test_the_package_offers_what_it_names_and_nothing_else() -> None:
    assert set(verifier.__all__) == {"CardPassword", "Report", "Verdict", "inspect"}
    for name in verifier.__all__:
        assert getattr(verifier, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'judge_everything'"):
        verifier.judge_everything  # type: ignore[attr-defined]  # noqa: B018 - asking is the test


def test_the_guides_first_program_runs_as_it_stands(
    virtual_card: VirtualCard, stage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = re.findall(
        r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )[0]
    held: dict[str, Any] = {"reader": SimulatedReader(virtual_card), "at": TEST_TIME}
    # The reader, the number and the directory are the reader's own; all else stands.
    for said, meant in (
        ('"ACR1252"', "reader"),
        ('"123456"', repr(TEST_CAN)),
        ('"/var/lib/membercard/trust"', repr(str(stage / "trust"))),
        (")\nif", ', profile="membercard-1-icao", at=at)\nif'),
    ):
        assert said in program
        program = program.replace(said, meant)
    exec(compile(program, GUIDE.name, "exec"), held)  # noqa: S102 - our own documentation
    assert capsys.readouterr().out == f"{held['report'].holder.full_name}\n"


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "--reader", "sim:card.json", "--can", TEST_CAN, "--trust", "trust",
         "--profile", "membercard-1-icao", "--at", TEST_TIME.isoformat()),
        ("trust", "show", "--trust", "trust"),
        ("explain", "card.expired"),
        ("terminal", "run", "--help"),
        ("journal", "list", "--help"),
        ("bundle", "install", "--help"),
        ("reader", "list"),
    ],
    ids=lambda words: "-".join(words[:2]),
)  # fmt: skip
def test_the_command_runs_where_there_is_no_unix(stage: Path, words: tuple[str, ...]) -> None:
    program = WITHOUT_UNIX + "from verifier.cli import main\nsys.exit(main(sys.argv[1:]))\n"
    result = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=stage, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_module_of_the_verifier_can_be_imported_where_there_is_no_unix() -> None:
    program = WITHOUT_UNIX + (
        "import importlib, pkgutil, card_layout, verifier\n"
        "for package in (card_layout, verifier):\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if '.migrations.' not in found.name:\n"
        "            importlib.import_module(found.name)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=250, check=False
    )
    assert result.returncode == 0, result.stderr
