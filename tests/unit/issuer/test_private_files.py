"""Files for their owner's eyes: whole or not there at all, whatever happens to the process that writes them."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from issuer.errors import IssuerUnavailableError
from issuer.private_files import private_text_file

KILLED = """
import os, sys
from pathlib import Path
from issuer.private_files import private_text_file
with private_text_file(Path(sys.argv[1])) as file:
    file.write("SECRET")
    file.flush()
    os._exit(9)
"""


@pytest.fixture(params=["nameless", "named"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a file system that makes files without a name, and of one that does not."""
    if request.param == "named":
        # A directory that is opened for writing alone is refused as by a kernel that does not know the flag.
        monkeypatch.setattr(os, "O_TMPFILE", 0)
    return tmp_path


def test_it_appears_whole_and_for_its_owner_alone(folder: Path) -> None:
    path = folder / "out.csv"
    path.write_text("what was there before")
    with private_text_file(path) as file:
        file.write("SECRET")
        file.flush()
        assert path.read_text() == "what was there before"
    assert path.read_text() == "SECRET"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in folder.iterdir()] == ["out.csv"]


def test_where_the_block_raises_nothing_is_left(folder: Path) -> None:
    def write() -> None:
        with private_text_file(folder / "out.csv") as file:
            file.write("SECRET")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        write()
    assert list(folder.iterdir()) == []


def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "out.csv")], check=False, timeout=60
    )
    assert done.returncode == 9
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_under_a_name_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", 0)
    left = tmp_path / ".out.csv.unfinished"
    left.write_text("SECRET of yesterday, and longer")
    left.chmod(0o644)
    with private_text_file(tmp_path / "out.csv") as file:
        file.write("today")
    assert (tmp_path / "out.csv").read_text() == "today"
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    assert not left.exists()


def test_what_another_process_writes_now_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", 0)
    with (tmp_path / ".out.csv.unfinished").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with (
            pytest.raises(IssuerUnavailableError) as caught,
            private_text_file(tmp_path / "out.csv"),
        ):
            pass
    assert caught.value.code == "file.unavailable"
    assert (tmp_path / ".out.csv.unfinished").exists()


@pytest.mark.parametrize("is_nameless", [True, False])
def test_a_folder_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_nameless: bool
) -> None:
    if not is_nameless:
        monkeypatch.setattr(os, "O_TMPFILE", 0)
    with (
        pytest.raises(IssuerUnavailableError) as caught,
        private_text_file(tmp_path / "missing" / "out.csv"),
    ):
        pass
    assert caught.value.code == "file.unavailable"
