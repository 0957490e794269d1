"""What fuzzing knows already, again; and a short run of libFuzzer over every target."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import MAX_BYTES, TARGETS

CORPUS = Path(__file__).with_name("corpus")
ROOT = Path(__file__).parents[2]
RUNS = 3000


def _seeds(name: str) -> list[Path]:
    return sorted((CORPUS / name).glob("*"))


@pytest.mark.parametrize("name", TARGETS)
def test_everything_that_was_found_once_is_accepted_or_refused(name: str) -> None:
    for path in _seeds(name):
        TARGETS[name].try_on(path.read_bytes())


ACCEPTS_NOTHING = {"secure-messaging"}
"""Its reader has to refuse whatever is not made with the session's keys."""


@pytest.mark.parametrize("name", sorted(set(TARGETS) - ACCEPTS_NOTHING))
def test_a_seed_is_accepted_so_that_the_fuzzer_starts_behind_the_first_check(name: str) -> None:
    accepted = [path for path in _seeds(name) if path.name.startswith("seed-")]
    assert accepted
    assert all(TARGETS[name].try_on(path.read_bytes()) for path in accepted)


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_of_the_fuzzer_breaks_nothing(name: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris has no wheel for this Python or system")
    # One unit may take long on a machine that does other things, too: the long runs of `make fuzz` allow a second.
    options = (f"-runs={RUNS}", "-seed=1", f"-max_len={MAX_BYTES}", "-timeout=60")
    result = subprocess.run(
        [
            sys.executable, "-m", "tests.fuzz.one_target", name, *options,
            f"-artifact_prefix={tmp_path}/found-", str(tmp_path), str(CORPUS / name),
        ],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-4000:]
    assert f"Done {RUNS} runs" in result.stderr
