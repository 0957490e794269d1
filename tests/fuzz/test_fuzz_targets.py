"""What fuzzing knows already, again; and a short run of libFuzzer over every target."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
ROOT = Path(__file__).parents[2]
RUNS = 3000
MAX_CORPUS_BYTES = 300_000

ACCEPTS_NOTHING = {"secure-messaging"}
"""Its reader has to refuse whatever is not made with the session's keys."""


def _kept(name: str) -> list[Path]:
    return sorted((CORPUS / name).glob("*"))


@pytest.mark.parametrize("name", TARGETS)
def test_everything_that_was_found_once_is_accepted_or_refused(name: str) -> None:
    for path in _kept(name):
        TARGETS[name].try_on(path.read_bytes())


@pytest.mark.parametrize("name", sorted(set(TARGETS) - ACCEPTS_NOTHING))
def test_every_seed_is_accepted_so_that_the_fuzzer_starts_behind_the_first_check(name: str) -> None:
    seeds = [path for path in _kept(name) if path.name.startswith("seed-")]
    assert seeds
    assert all(TARGETS[name].try_on(path.read_bytes()) for path in seeds)


def test_the_corpora_are_those_of_the_targets_and_stay_small() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert all(_kept(name) for name in TARGETS)
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_CORPUS_BYTES


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a short run over all targets left what it found, and its logs."""
    pytest.importorskip("atheris", reason="atheris has no wheel for this Python or system")
    found = tmp_path_factory.mktemp("fuzz")
    # One input may take long on a machine that does other things, too: the long runs of `make fuzz` allow a second.
    subprocess.run(
        [
            sys.executable, "-m", "tests.fuzz",
            "--runs", str(RUNS), "--unit-seconds", "60", "--found", found,
        ],
        cwd=ROOT, capture_output=True, check=False, timeout=900,
    )  # fmt: skip
    return found


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_of_the_fuzzer_breaks_nothing(name: str, short_run: Path) -> None:
    log = (short_run / name / "log").read_text(errors="replace")
    assert f"Done {RUNS // TARGETS[name].share} runs" in log, log[-4000:]
    assert {path.name for path in (short_run / name).iterdir()} == {"learnt", "log"}
