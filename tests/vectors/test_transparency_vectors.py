"""The log's hashing, proofs and notes against values that others published.

The eight leaves with their tree heads and proofs are those of the Certificate Transparency reference
implementation, which every RFC 6962 and RFC 9162 implementation quotes (transparency-dev/merkle,
``proof/verify_test.go``; google/certificate-transparency before it). RFC 9162 hashes as RFC 6962 does. The two
checkpoints are of the public log ``rekor.sigstore.dev``, signed with ECDSA P-256 (signature type 0x02 of
c2sp.org/signed-note), as they stand in public Sigstore bundles; the key is that of Sigstore's trusted root, and
the log's published ID begins with the key ID.
"""

import base64
import hashlib

import pytest

from pki.record.transparency_note import Checkpoint, NoteKey, SignedNote
from pki.record.transparency_tree import (
    EMPTY_ROOT,
    MemoryLevels,
    consistency_proof,
    hash_leaf,
    inclusion_proof,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
"""By tree size, 0 to 8."""

INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
"""By leaf index and tree size."""

CONSISTENCY = {
    (1, 1): [],
    (1, 8): INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (6, 7): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
"""By old and new tree size."""

REKOR_SPKI = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGtks4L3qX6yYY0zufB"
    "nhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw=="
)
REKOR_LOG_ID = "c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d"
REKOR_CHECKPOINTS = [
    (
        "rekor.sigstore.dev - 1193050959916656506\n25232885\n"
        "wfIuS5NLOf+4rU8wVjPaezQYEVVpf3aF1G/BfRYMXew=\n\n"
        "\u2014 rekor.sigstore.dev wNI9ajBFAiAj+8BDcU0CKq9AJ1uOND6fCQ/ugLsk1xnSz0IpXoaE+AIhALUXqsTZ"
        "40Mt2X30WNlk6baivF1KA4V4rrjbPNVo9eFC\n"
    ),
    (
        "rekor.sigstore.dev - 1193050959916656506\n2953640305\n"
        "WUnuMvULV/uEfj+CnxWtVytWRpDCsoSYmUypvVwKV9w=\n\n"
        "\u2014 rekor.sigstore.dev wNI9ajBEAiBUbiamcWJlKdwxHGirS8kcVNWoQVHi7j0pCks429vchwIgB2eVETid"
        "+Uqbl7LO/UN7lEmlMZGR9FnjqfEP8ctywDY=\n"
    ),
]


@pytest.fixture
def levels() -> MemoryLevels:
    return MemoryLevels(b"".join(map(hash_leaf, LEAVES)))


def test_the_tree_heads_are_the_published_ones(levels: MemoryLevels) -> None:
    assert [tree_root(levels, size) for size in range(9)] == ROOTS
    assert ROOTS[0] == EMPTY_ROOT


@pytest.mark.parametrize("place", INCLUSION)
def test_the_inclusion_proofs_are_the_published_ones(
    levels: MemoryLevels, place: tuple[int, int]
) -> None:
    index, size = place
    proof = inclusion_proof(levels, index, size)
    assert [each.hex() for each in proof] == INCLUSION[place]
    verify_inclusion(
        leaf_hash=hash_leaf(LEAVES[index]), index=index, size=size, proof=proof, root=ROOTS[size]
    )


@pytest.mark.parametrize("sizes", CONSISTENCY)
def test_the_consistency_proofs_are_the_published_ones(
    levels: MemoryLevels, sizes: tuple[int, int]
) -> None:
    old, new = sizes
    proof = consistency_proof(levels, old, new)
    assert [each.hex() for each in proof] == CONSISTENCY[sizes]
    verify_consistency(
        old_size=old, old_root=ROOTS[old], new_size=new, new_root=ROOTS[new], proof=proof
    )


@pytest.mark.parametrize("text", REKOR_CHECKPOINTS)
def test_a_checkpoint_of_a_public_log_is_read_and_verified(text: str) -> None:
    key = NoteKey(name="rekor.sigstore.dev", spki=base64.b64decode(REKOR_SPKI))
    assert key.key_id == bytes.fromhex(REKOR_LOG_ID)[:4]
    assert hashlib.sha256(key.spki).hexdigest().startswith("c0d23d6a")
    note = SignedNote.from_bytes(text.encode())
    assert note.verify([key]) == (key,)
    assert note.to_bytes() == text.encode()
    checkpoint = Checkpoint.from_text(note.text)
    assert checkpoint.origin == "rekor.sigstore.dev - 1193050959916656506"
    assert checkpoint.size in (25232885, 2953640305)
    assert checkpoint.to_text() == note.text


def test_the_form_of_a_key_is_that_of_other_tools() -> None:
    # transparency-dev/formats, note: name+hash+base64 of 0x02 and the SubjectPublicKeyInfo.
    text = (
        "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGv"
        "XwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc="
    )
    key = NoteKey.from_text(text)
    assert key.spki == base64.b64decode(REKOR_SPKI)
    assert key.to_text() == text
