from pathlib import Path

import pytest

from issuer.db.sealing import Sealer
from issuer.domain.evidence import MAX_EVIDENCE_BYTES
from issuer.domain.member_change import EvidenceDigest
from issuer.errors import IssuerError
from issuer.evidence.folder_store import FolderEvidenceStore

SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(32))
PDF = b"%PDF-1.7 a decision"


def store(directory: Path) -> FolderEvidenceStore:
    return FolderEvidenceStore(directory, lambda: SEALER)


def only_file(directory: Path) -> Path:
    (path,) = (each for each in directory.rglob("*") if each.is_file())
    return path


@pytest.mark.parametrize("document", [PDF, b"\xff\xd8\xff scan", b"\x89PNG\r\n\x1a\n scan"])
def test_a_document_comes_back_and_lies_sealed(tmp_path: Path, document: bytes) -> None:
    digest = store(tmp_path).put(document)
    assert store(tmp_path).put(document) == digest
    assert store(tmp_path).get(digest) == document
    path = only_file(tmp_path)
    assert document not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "evidence.kind"),
        (b"MZ a program", "evidence.kind"),
        (b"%PDF-" + bytes(MAX_EVIDENCE_BYTES), "evidence.too-large"),
    ],
)
def test_what_is_no_document_is_not_kept(tmp_path: Path, document: bytes, code: str) -> None:
    with pytest.raises(IssuerError) as refusal:
        store(tmp_path).put(document)
    assert refusal.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_document_that_is_gone_or_another_one_is_said_to_be_so(tmp_path: Path) -> None:
    first = store(tmp_path).put(PDF)
    path = only_file(tmp_path)
    second = store(tmp_path).put(PDF + b" two")
    with pytest.raises(IssuerError) as refusal:
        store(tmp_path).get(EvidenceDigest(bytes(32)))
    assert refusal.value.code == "evidence.lost"
    path.write_bytes(store(tmp_path)._path(second).read_bytes())
    with pytest.raises(IssuerError) as refusal:
        store(tmp_path).get(first)
    assert refusal.value.code == "evidence.altered"


def test_a_store_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(IssuerError) as refusal:
        store(blocked).put(PDF)
    assert refusal.value.code == "evidence-store.unavailable"
    with pytest.raises(IssuerError) as refusal:
        store(blocked).get(EvidenceDigest(bytes(32)))
    assert refusal.value.code == "evidence-store.unavailable"
