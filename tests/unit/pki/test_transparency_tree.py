"""The Merkle tree: every proof that it gives holds, and no other one does."""

from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import PkiRefusedError, RecordError
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

HASHES = [hash_leaf(number.to_bytes(4, "big")) for number in range(1100)]
LEVELS = MemoryLevels(b"".join(HASHES))
SIZES = st.integers(0, len(HASHES))


def root_by_definition(hashes: Sequence[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word by word."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = root_by_definition(hashes[:split]), root_by_definition(hashes[split:])
    return sha256(b"\x01" + left + right).digest()


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiRefusedError) as caught:
        action()
    return caught.value.code


@given(SIZES)
def test_the_root_is_the_one_of_the_definition(size: int) -> None:
    assert tree_root(LEVELS, size) == root_by_definition(HASHES[:size])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100, 255, 256, 257, 511, 512, 513, 1024, 1100])
def test_every_leaf_of_a_tree_has_a_proof_that_holds(size: int) -> None:
    root = tree_root(LEVELS, size)
    for index in range(size):
        proof = inclusion_proof(LEVELS, index, size)
        assert len(proof) <= (size - 1).bit_length()
        verify_inclusion(leaf_hash=HASHES[index], index=index, size=size, proof=proof, root=root)


@given(SIZES, SIZES)
def test_between_any_two_sizes_there_is_a_proof_that_holds(one: int, other: int) -> None:
    old, new = sorted((one, other))
    verify_consistency(
        old_size=old,
        old_root=tree_root(LEVELS, old),
        new_size=new,
        new_root=tree_root(LEVELS, new),
        proof=consistency_proof(LEVELS, old, new),
    )


def test_between_all_small_sizes_there_is_a_proof_that_holds() -> None:
    for new in range(34):
        for old in range(new + 1):
            verify_consistency(
                old_size=old,
                old_root=tree_root(LEVELS, old),
                new_size=new,
                new_root=tree_root(LEVELS, new),
                proof=consistency_proof(LEVELS, old, new),
            )


@given(st.data())
def test_an_inclusion_proof_that_was_changed_does_not_hold(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, len(HASHES)))
    index = data.draw(st.integers(0, size - 1))
    proof = list(inclusion_proof(LEVELS, index, size))
    leaf, root = HASHES[index], tree_root(LEVELS, size)
    changed = data.draw(st.integers(0, len(proof) - 1))
    cases: list[tuple[bytes, int, list[bytes], bytes]] = [
        (HASHES[(index + 1) % size], index, proof, root),
        (leaf, index ^ 1, proof, root),
        (leaf, index, proof[:-1], root),
        (leaf, index, [*proof, bytes(32)], root),
        (leaf, index, [root, *proof], root),
        (leaf, index, [*proof[:changed], bytes(32), *proof[changed + 1 :]], root),
        (leaf, index, proof, EMPTY_ROOT),
        (leaf, -1, proof, root),
        (leaf, size, proof, root),
    ]
    for wrong_leaf, wrong_index, wrong_proof, wrong_root in cases:
        action = lambda: verify_inclusion(  # noqa: E731 - one of many alike
            leaf_hash=wrong_leaf,  # noqa: B023 - called at once
            index=wrong_index,  # noqa: B023 - called at once
            size=size,
            proof=wrong_proof,  # noqa: B023 - called at once
            root=wrong_root,  # noqa: B023 - called at once
        )
        assert code_of(action) == "log.proof-wrong"


@given(st.data())
def test_a_consistency_proof_that_was_changed_does_not_hold(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, len(HASHES)))
    old = data.draw(st.integers(1, new - 1))
    proof = list(consistency_proof(LEVELS, old, new))
    old_root, new_root = tree_root(LEVELS, old), tree_root(LEVELS, new)
    changed = data.draw(st.integers(0, len(proof) - 1))
    cases = [
        (old, old_root, new_root, proof[:-1]),
        (old, old_root, new_root, []),
        (old, old_root, new_root, [*proof, bytes(32)]),
        (old, old_root, new_root, [bytes(32), *proof]),
        (old, old_root, new_root, [*proof[:changed], bytes(32), *proof[changed + 1 :]]),
        (old, bytes(32), new_root, proof),
        (old, old_root, bytes(32), proof),
        (old, new_root, old_root, proof),
        (new, old_root, new_root, proof),
        (new, old_root, new_root, []),
        (0, old_root, new_root, []),
        (0, EMPTY_ROOT, new_root, proof),
        (new + 1, old_root, new_root, proof),
        (-1, old_root, new_root, proof),
    ]
    for wrong_old, wrong_old_root, wrong_new_root, wrong_proof in cases:
        with pytest.raises(PkiRefusedError) as caught:
            verify_consistency(
                old_size=wrong_old,
                old_root=wrong_old_root,
                new_size=new,
                new_root=wrong_new_root,
                proof=wrong_proof,
            )
        assert caught.value.code == "log.proof-wrong"


def test_a_way_that_ends_below_the_top_does_not_hold() -> None:
    root = tree_root(LEVELS, 4)
    for proof, size in (([], 4), ([], 8), ([HASHES[0]], 2)):
        action = lambda: verify_inclusion(  # noqa: E731 - one of many alike
            leaf_hash=root,
            index=0,
            size=size,  # noqa: B023 - called at once
            proof=proof,  # noqa: B023 - called at once
            root=root,
        )
        assert code_of(action) == "log.proof-wrong"


def test_no_leaf_and_no_size_beyond_the_tree_has_a_proof() -> None:
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        assert code_of(lambda: inclusion_proof(LEVELS, index, size)) == "log.out-of-range"  # noqa: B023
    assert code_of(lambda: consistency_proof(LEVELS, 6, 5)) == "log.out-of-range"
    with pytest.raises(RecordError) as caught:
        tree_root(LEVELS, len(HASHES) + 1)
    assert caught.value.code == "log.damaged"


def test_a_tree_of_three_stored_levels_is_the_same_tree() -> None:
    count = 256 * 256 + 300
    hashes = [hash_leaf(number.to_bytes(4, "big")) for number in range(count)]
    levels = MemoryLevels(b"".join(hashes))
    assert [len(level) // 32 for level in levels.levels] == [count, 257, 1]
    assert tree_root(levels, count) == root_by_definition(hashes)
    for index in (0, 255, 256, 65535, 65536, count - 1):
        verify_inclusion(
            leaf_hash=hashes[index],
            index=index,
            size=count,
            proof=inclusion_proof(levels, index, count),
            root=tree_root(levels, count),
        )
