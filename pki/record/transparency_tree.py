"""The Merkle tree of the transparency log: its hashes, and the proofs about them (RFC 9162, 2.1; SHA-256).

Pure. A tree is read through ``HashLevels``, which holds the hashes of every eighth level, as C2SP tlog-tiles does:
level 0 are the leaf hashes, and each hash of level *n* + 1 is the root of 256 hashes of level *n*. Everything
between is computed from at most 128 of them, so that a proof costs the logarithm of the log's size.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Protocol

from pki.errors import PkiRefusedError, RecordError

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "TILE_WIDTH",
    "HashLevels",
    "LevelTails",
    "MemoryLevels",
    "consistency_proof",
    "fold_hashes",
    "hash_leaf",
    "hash_node",
    "inclusion_proof",
    "tree_root",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES: Final = 32
TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 256
_TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves (RFC 9162, 2.1.1)."""


class HashLevels(Protocol):
    """The hashes of every eighth level of a tree."""

    def read(self, level: int, first: int, count: int) -> bytes:
        """``count`` hashes of a level, one behind another, from the one with index ``first``.

        Raises:
            RecordError: ``log.damaged``: they are not there.
        """


class LevelTails:
    """The end of every level of a growing tree: from the last tile that was not full, with the new leaves behind.

    ``levels[n]`` begins with hash ``starts[n]`` of level *n*.
    """

    def __init__(
        self, base: HashLevels, base_size: int, new_leaf_hashes: bytes | bytearray
    ) -> None:
        """Compute the ends from a tree of ``base_size`` leaves, which is believed, and what comes behind it.

        Raises:
            RecordError: ``log.damaged``: the tree has not the hashes that it must have.
        """
        self.size = base_size + len(new_leaf_hashes) // HASH_BYTES
        starts: list[int] = []
        levels: list[bytes] = []
        new, count = bytes(new_leaf_hashes), base_size
        while new or count or not levels:
            start = count // TILE_WIDTH * TILE_WIDTH
            old = base.read(len(levels), start, count - start) if count > start else b""
            starts.append(start)
            levels.append(old + new)
            full = len(levels[-1]) // _TILE_BYTES * _TILE_BYTES
            new = b"".join(
                fold_hashes(levels[-1][begin : begin + _TILE_BYTES])
                for begin in range(0, full, _TILE_BYTES)
            )
            count //= TILE_WIDTH
        self.starts, self.levels = tuple(starts), tuple(levels)


class MemoryLevels:
    """Hash levels that are computed from leaf hashes and kept in memory."""

    def __init__(self, leaf_hashes: bytes | bytearray) -> None:
        """Compute every level from the leaf hashes, 32 bytes each."""
        levels = [bytes(leaf_hashes)]
        tile_bytes = TILE_WIDTH * HASH_BYTES
        while len(levels[-1]) >= tile_bytes:
            below = levels[-1]
            levels.append(
                b"".join(
                    fold_hashes(below[start : start + tile_bytes])
                    for start in range(0, len(below) - tile_bytes + 1, tile_bytes)
                )
            )
        self.levels = tuple(levels)
        self.starts = (0,) * len(levels)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self.levels[0]) // HASH_BYTES

    def read(self, level: int, first: int, count: int) -> bytes:
        """See ``HashLevels``."""
        found = self.levels[level] if level < len(self.levels) else b""
        hashes = found[first * HASH_BYTES : (first + count) * HASH_BYTES]
        if len(hashes) != count * HASH_BYTES:
            raise RecordError(
                f"level {level} of the log has no hashes {first} to {first + count - 1}",
                code="log.damaged",
            )
        return hashes


def hash_leaf(entry: bytes) -> bytes:
    """The hash of a leaf (RFC 9162, 2.1.1: ``0x00`` before the entry)."""
    return sha256(b"\x00" + entry).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 9162, 2.1.1: ``0x01`` before the two)."""
    return sha256(b"\x01" + left + right).digest()


def fold_hashes(hashes: bytes) -> bytes:
    """The root over a power of two of hashes, one behind another."""
    while len(hashes) > HASH_BYTES:
        step = 2 * HASH_BYTES
        hashes = b"".join(
            sha256(b"\x01" + hashes[start : start + step]).digest()
            for start in range(0, len(hashes), step)
        )
    return hashes


def tree_root(levels: HashLevels, size: int) -> bytes:
    """The root of the tree of the first ``size`` leaves (RFC 9162, 2.1.1)."""
    return _range_root(levels, 0, size) if size else EMPTY_ROOT


def inclusion_proof(levels: HashLevels, index: int, size: int) -> tuple[bytes, ...]:
    """The hashes from a leaf's sibling up to the root's child (RFC 9162, 2.1.3.1).

    Raises:
        PkiRefusedError: ``log.out-of-range``.
    """
    if not 0 <= index < size:
        raise PkiRefusedError(
            f"leaf has index {index}, expected 0 to {size - 1}", code="log.out-of-range"
        )
    proof: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(_range_root(levels, middle, end))
            end = middle
        else:
            proof.append(_range_root(levels, begin, middle))
            begin = middle
    return tuple(reversed(proof))


def consistency_proof(levels: HashLevels, old_size: int, new_size: int) -> tuple[bytes, ...]:
    """The hashes that show that a tree only grew (RFC 9162, 2.1.4.1); none for an old tree without leaves.

    Raises:
        PkiRefusedError: ``log.out-of-range``.
    """
    if not 0 <= old_size <= new_size:
        raise PkiRefusedError(
            f"old tree has {old_size} leaves, expected 0 to {new_size}", code="log.out-of-range"
        )
    if old_size in (0, new_size):
        return ()
    proof: list[bytes] = []
    begin, end = 0, new_size
    is_old_root_known = True
    while old_size != end:
        middle = begin + _split(end - begin)
        if old_size <= middle:
            proof.append(_range_root(levels, middle, end))
            end = middle
        else:
            proof.append(_range_root(levels, begin, middle))
            begin = middle
            is_old_root_known = False
    if not is_old_root_known:
        proof.append(_range_root(levels, begin, end))
    return tuple(reversed(proof))


def verify_inclusion(
    *, leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check an inclusion proof (RFC 9162, 2.1.3.2).

    Raises:
        PkiRefusedError: ``log.proof-wrong``.
    """
    # 1. The index must be one of the tree's.
    if not 0 <= index < size:
        raise _wrong_proof("inclusion", f"index {index} is not in a tree of {size}")
    # 2. and 3.
    first, second, found = index, size - 1, leaf_hash
    # 4. Climb from the leaf.
    for step in proof:
        if second == 0:
            raise _wrong_proof("inclusion", "it has too many hashes")
        if first & 1 or first == second:
            found = hash_node(step, found)
            first, second = _climb_past_ragged_edge(first, second)
        else:
            found = hash_node(found, step)
        first, second = first >> 1, second >> 1
    # 5. The way must end at the top, and at this root.
    if second != 0:
        raise _wrong_proof("inclusion", "it has too few hashes")
    if found != root:
        raise _wrong_proof("inclusion", "it leads to another root")


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the new tree begins with all of the old one (RFC 9162, 2.1.4.2).

    Raises:
        PkiRefusedError: ``log.proof-wrong``.
    """
    if not 0 <= old_size <= new_size:
        raise _wrong_proof("consistency", f"a tree of {old_size} cannot grow to {new_size}")
    if old_size in (0, new_size):
        # An empty tree is in every tree; the same tree needs no proof.
        is_right = old_root == (EMPTY_ROOT if old_size == 0 else new_root)
        if proof or not is_right or (new_size == 0 and new_root != EMPTY_ROOT):
            raise _wrong_proof("consistency", "the roots differ, or it has too many hashes")
        return
    found_old, found_new = _climb_both(old_size, old_root, new_size, proof)
    # 7. The way must end at both roots.
    if found_old != old_root or found_new != new_root:
        raise _wrong_proof("consistency", "it leads to other roots")


def _climb_both(
    old_size: int, old_root: bytes, new_size: int, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """The roots of the old and the new tree that a consistency proof leads to (RFC 9162, 2.1.4.2)."""
    # 1. and 2. Where the old tree is perfect, its root is the first hash.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        raise _wrong_proof("consistency", "it has too few hashes")
    # 3. and 4.
    first, second = old_size - 1, new_size - 1
    while first & 1:
        first, second = first >> 1, second >> 1
    # 5. and 6.
    found_old = found_new = path[0]
    for step in path[1:]:
        if second == 0:
            raise _wrong_proof("consistency", "it has too many hashes")
        if first & 1 or first == second:
            found_old, found_new = hash_node(step, found_old), hash_node(step, found_new)
            first, second = _climb_past_ragged_edge(first, second)
        else:
            found_new = hash_node(found_new, step)
        first, second = first >> 1, second >> 1
    # 7. The way must end at the top.
    if second != 0:
        raise _wrong_proof("consistency", "it has too few hashes")
    return found_old, found_new


def _climb_past_ragged_edge(first: int, second: int) -> tuple[int, int]:
    """Skip the levels at which a node on the right edge has no sibling."""
    while first and not first & 1:
        first, second = first >> 1, second >> 1
    return first, second


def _split(count: int) -> int:
    """The largest power of two below ``count`` (RFC 9162, 2.1.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_root(levels: HashLevels, begin: int, end: int) -> bytes:
    """The root over the leaves ``begin`` to ``end - 1``, a range that a tree's recursion comes to."""
    count = end - begin
    if count & (count - 1):
        middle = begin + _split(count)
        return hash_node(_range_root(levels, begin, middle), _range_root(levels, middle, end))
    level, height = divmod(count.bit_length() - 1, TILE_HEIGHT)
    return fold_hashes(levels.read(level, begin >> (TILE_HEIGHT * level), 1 << height))


def _wrong_proof(kind: str, reason: str) -> PkiRefusedError:
    return PkiRefusedError(f"{kind} proof is wrong: {reason}", code="log.proof-wrong")
