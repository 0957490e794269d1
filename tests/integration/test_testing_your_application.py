"""What docs/testing-your-application.md tells testers, done with the wheels as they would get them."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "testing-your-application.md"


def run(*command: str | Path, cwd: Path) -> str:
    # Nothing of this run's own surroundings may reach the other installation.
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LANG": "C.UTF-8"}
    result = subprocess.run(
        command, cwd=cwd, env=surroundings, capture_output=True, text=True, check=False, timeout=250
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    return result.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with both wheels, and beside them what this one has but the checkout."""
    directory = tmp_path_factory.mktemp("testers")
    for project in (ROOT, ROOT / "simulators"):
        run(
            sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory / "dist",
            cwd=project,
        )  # fmt: skip
    run(sys.executable, "-m", "venv", directory / "venv", cwd=directory)
    python = directory / "venv" / "bin" / "python"
    wheels = sorted((directory / "dist").glob("*.whl"))
    assert [wheel.name.split("-")[0] for wheel in wheels] == ["membercard", "membercard_simulators"]
    run(
        python, "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-deps", "--no-compile",
        *wheels, cwd=directory,
    )  # fmt: skip
    # The locked dependencies; a folder that is named here does not bring the editable checkout that it points to.
    (packages,) = (directory / "venv" / "lib").glob("python*/site-packages")
    (packages / "locked.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python


def examples() -> dict[str, str]:
    """The guide's files by their names."""
    return dict(
        re.findall(
            r"^```python (\S+)\n(.*?)^```",
            GUIDE.read_text(encoding="utf-8"),
            re.MULTILINE | re.DOTALL,
        )
    )


def test_the_guides_own_example_passes_with_nothing_but_the_wheels(
    python: Path, tmp_path: Path
) -> None:
    assert set(examples()) == {"door.py", "test_door.py"}
    for name, content in examples().items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    where = run(
        python, "-c", "import simulators, verifier; print(simulators.__file__, verifier.__file__)",
        cwd=tmp_path,
    ).split()  # fmt: skip
    assert all(Path(path).is_relative_to(python.parents[1]) for path in where)
    told = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", cwd=tmp_path)
    tests = examples()["test_door.py"].count("\ndef test_")
    found = re.search(r"(\d+) passed", told)
    # Each kind of forgery counts as one.
    assert found is not None
    assert int(found[1]) > tests


def test_the_guides_fixtures_are_those_of_the_plugin(python: Path, tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    listed = run(python, "-m", "pytest", "--fixtures", "-q", cwd=tmp_path)
    of_plugin = set(re.findall(r"^(\w+)[^\n]* -- .*simulators/testing\.py", listed, re.MULTILINE))
    assert "virtual_card" in told
    assert told == of_plugin
