"""The file of a backup: whatever went in comes out, and nothing that was changed does."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issuer.backup.archive import ArchivedFile, read_archive, write_archive
from issuer.backup.manifest import BackupManifest, DatabaseKind
from issuer.errors import IssuerDataError, IssuerError, IssuerRefusedError, IssuerUnavailableError
from pki.backup.sealed_stream import MIN_COST
from pki.errors import PkiError

PASSPHRASE = b"a sentence for tests"
MANIFEST = BackupManifest(
    created=datetime(2026, 11, 22, 8, tzinfo=UTC),
    database=DatabaseKind.SQLITE,
    revision="0014_requests",
    trail_id=bytes(16),
    sequence=7,
    digest=bytes(32),
)
FILES = {
    "settings.toml": b"x = 1\n",
    "portraits/ab/abcd.jpg": bytes(range(256)) * 9000,
    "empty": b"",
}


def write(path: Path, files: dict[str, bytes] = FILES) -> None:
    members = [ArchivedFile.of_bytes(name, content) for name, content in files.items()]
    summary = write_archive(path, MANIFEST, members, passphrase=PASSPHRASE, cost=MIN_COST)
    assert summary.members == len(files)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    path, into = tmp_path / "a.backup", tmp_path / "into"
    write(path)
    into.mkdir()
    summary = read_archive(path, passphrase=PASSPHRASE, into=into)
    found = {
        each.relative_to(into).as_posix(): each.read_bytes()
        for each in into.rglob("*")
        if each.is_file()
    }
    assert found == FILES
    assert summary.manifest == MANIFEST
    assert summary.content_bytes == sum(map(len, FILES.values()))
    assert {each.stat().st_mode & 0o777 for each in into.rglob("*") if each.is_file()} == {0o600}


def test_no_other_file_is_overwritten_and_nothing_is_left_of_one_that_failed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.backup"
    write(path)
    before = path.read_bytes()
    with pytest.raises(IssuerRefusedError) as refused:
        write(path)
    assert refused.value.code == "backup.exists"
    gone = ArchivedFile.of_file("gone", tmp_path / "gone")
    with pytest.raises(IssuerUnavailableError) as failed:
        write_archive(tmp_path / "b.backup", MANIFEST, [gone], passphrase=PASSPHRASE, cost=MIN_COST)
    assert failed.value.code == "backup.unreadable"
    assert [each.name for each in tmp_path.iterdir()] == ["a.backup"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("where", [0, 30, 60, 90, 2000, 70_000, -1])
def test_a_changed_byte_is_found(tmp_path: Path, where: int) -> None:
    path = tmp_path / "a.backup"
    write(path)
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    with pytest.raises((IssuerError, PkiError)) as refused:
        read_archive(path, passphrase=PASSPHRASE)
    assert refused.value.code in {"backup.malformed", "backup.damaged", "backup.passphrase-wrong"}


@pytest.mark.parametrize("length", [0, 10, 500, 65_000, 2_000_000])
def test_a_file_that_was_cut_off_is_found(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.backup"
    write(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises((IssuerError, PkiError)) as refused:
        read_archive(path, passphrase=PASSPHRASE)
    assert refused.value.code in {"backup.malformed", "backup.damaged"}


def test_another_passphrase_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.backup"
    write(path)
    with pytest.raises(PkiError) as refused:
        read_archive(path, passphrase=b"another sentence")
    assert refused.value.code == "backup.passphrase-wrong"


@pytest.mark.parametrize(
    "name", ["../out", "/etc/passwd", "a//b", "a/./b", "a\\b", "a\nb", "x" * 600]
)
def test_a_member_cannot_lead_out_of_its_directory(tmp_path: Path, name: str) -> None:
    path, into = tmp_path / "a.backup", tmp_path / "into"
    into.mkdir()

    def lead_out() -> None:
        write(path, {name: b"x"})
        read_archive(path, passphrase=PASSPHRASE, into=into)

    with pytest.raises(IssuerError) as refused:
        lead_out()
    assert refused.value.code in {"backup.malformed", "backup.unreadable"}
    assert list(into.iterdir()) == []


@settings(max_examples=100)
@given(
    st.binary(max_size=200) | st.builds(lambda cut: MANIFEST.to_bytes()[:cut], st.integers(0, 200))
)
def test_any_bytes_are_a_manifest_or_refused(data: bytes) -> None:
    with contextlib.suppress(IssuerDataError):
        assert BackupManifest.from_bytes(data).to_bytes() == data


@pytest.mark.parametrize(
    "change",
    [
        (b'"format":1', b'"format":2'),
        (b'"sequence":7', b'"sequence":-7'),
        (b'"sequence":7', b'"sequence":true'),
        (b"sqlite", b"oracle"),
        (b"Z", b"z"),
        (b"{", b"{ "),
        (b'"trail":"00', b'"trail":"'),
    ],
)
def test_a_manifest_in_another_form_is_refused(change: tuple[bytes, bytes]) -> None:
    with pytest.raises(IssuerDataError) as refused:
        BackupManifest.from_bytes(MANIFEST.to_bytes().replace(*change))
    assert refused.value.code == "backup.malformed"
