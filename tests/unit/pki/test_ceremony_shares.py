"""The quorum's sheets: published vectors of SLIP-39, any subset gives the secret back, and mistakes are told by place."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shamir_mnemonic import combine_mnemonics
from shamir_mnemonic.wordlist import WORDLIST

from pki.ceremony.shares import (
    Quorum,
    RootSecret,
    Sheet,
    combine,
    find_wrong_word,
    read_sheet,
    read_word,
    split,
)
from pki.errors import PkiDataError, PkiError, PkiRefusedError

# SLIP-0039, vectors.json (trezor/python-shamir-mnemonic): valid mnemonics without and with sharing, 256 bits, the secrets
# under the passphrase TREZOR; and one of 128 bits whose checksum is wrong.
ALONE = (
    "theory painting academic academic armed sweater year military elder discuss acne wildlife boring employer fused "
    "large satoshi bundle carbon diagnose anatomy hamster leaves tracks paces beyond phantom capital marvel lips brave "
    "detect luck"
)
TWO_OF_THREE = (
    (
        "humidity disease academic always aluminum jewelry energy woman receiver strategy amuse duckling lying "
        "evidence network walnut tactics forget hairy rebound impulse brother survive clothes stadium mailman rival "
        "ocean reward venture always armed unwrap"
    ),
    (
        "humidity disease academic agency actress jacket gross physics cylinder solution fake mortgage benefit public "
        "busy prepare sharp friar change work slow purchase ruler again tricycle involve viral wireless mixture "
        "anatomy desert cargo upgrade"
    ),
)
WRONG = (
    "duckling enlarge academic academic agency result length solution fridge kidney coal piece deal husband erode duke "
    "ajar critical decision kidney"
)


def quorum(threshold: int = 2, count: int = 3, identifier: int = 4711) -> Quorum:
    return Quorum(
        ceremony="root-1",
        identifier=identifier,
        threshold=threshold,
        custodians=tuple(f"custodian {number}" for number in range(count)),
    )


def sheets_of(
    secret: RootSecret, *, threshold: int = 2, count: int = 3, identifier: int = 4711
) -> tuple[Sheet, ...]:
    return split(secret, identifier=identifier, threshold=threshold, count=count)


def code_of(words: list[str], number: int, of: Quorum) -> str:
    with pytest.raises(PkiError) as caught:
        read_sheet(words, number=number, quorum=of)
    # Whole words: "expect" is one of the list, and part of many a sentence.
    told = set(re.findall("[a-z]+", str(caught.value)))
    assert not told & {word for word in words if len(word) > 5}
    return caught.value.code


def test_the_checksum_agrees_with_the_published_vectors() -> None:
    for mnemonic in (ALONE, *TWO_OF_THREE):
        assert find_wrong_word(mnemonic.split()) is None
    # The last word is one that makes it wrong, but so would each of the three of the checksum: the place is told.
    assert find_wrong_word(WRONG.split()) is not None
    assert combine_mnemonics(list(TWO_OF_THREE), b"TREZOR").hex() == (
        "c938b319067687e990e05e0da0ecce1278f75ff58d9853f19dcaeed5de104aae"
    )
    assert combine_mnemonics([ALONE], b"TREZOR").hex() == (
        "989baf9dcaad5b10ca33dfd8cc75e42477025dce88ae83e75a230086a0e00e92"
    )


def test_published_shares_are_of_no_root_of_ours() -> None:
    assert code_of(TWO_OF_THREE[0].split(), 3, quorum()) == "sheet.foreign"


@given(
    st.binary(min_size=32, max_size=32).filter(any),
    st.sampled_from([(2, 3), (2, 5), (3, 5), (4, 5)]),
)
def test_any_quorum_gives_the_secret_back(octets: bytes, sizes: tuple[int, int]) -> None:
    threshold, count = sizes
    sheets = sheets_of(RootSecret(octets), threshold=threshold, count=count)
    of = quorum(threshold, count)
    assert all(read_sheet(sheet.words, number=sheet.number, quorum=of) == sheet for sheet in sheets)
    for chosen in itertools.combinations(sheets, threshold):
        assert combine(chosen[::-1]).split_bytes() == octets
        # An implementation that is not ours reads them as well.
        assert combine_mnemonics([" ".join(item.words) for item in chosen]) == octets
    with pytest.raises(PkiRefusedError) as caught:
        combine(sheets[: threshold - 1])
    assert caught.value.code == "sheet.too-few"


@given(st.integers(1, 33), st.sampled_from(WORDLIST))
def test_one_wrong_word_is_told_by_its_place(place: int, word: str) -> None:
    words = list(sheets_of(RootSecret(bytes(range(32))))[1].words)
    if words[place - 1] == word:
        assert find_wrong_word(words) is None
        return
    words[place - 1] = word
    assert find_wrong_word(words) == place
    with pytest.raises(PkiDataError, match=f"^word {place} of sheet 2 ") as caught:
        read_sheet(words, number=2, quorum=quorum())
    assert caught.value.code == "sheet.checksum"


def test_swapped_words_are_refused() -> None:
    words = list(sheets_of(RootSecret(bytes(range(32))))[0].words)
    words[9], words[10] = words[10], words[9]
    assert words[9] != words[10]
    assert find_wrong_word(words) == 0
    assert code_of(words, 1, quorum()) == "sheet.checksum"


def test_foreign_duplicate_and_misnumbered_sheets_are_refused() -> None:
    secret = RootSecret(bytes(range(32)))
    sheets = sheets_of(secret)
    foreign = sheets_of(secret, identifier=4712)[0]
    assert code_of(list(foreign.words), 1, quorum()) == "sheet.foreign"
    assert (
        code_of(list(sheets_of(secret, threshold=3, count=5)[0].words), 1, quorum())
        == "sheet.foreign"
    )
    assert code_of(list(sheets[0].words), 2, quorum()) == "sheet.number-differs"
    assert code_of(list(sheets[0].words[:-1]), 1, quorum()) == "sheet.malformed"
    with pytest.raises(PkiRefusedError, match="sheet 1 was given twice"):
        combine([sheets[0], sheets[0]])


def test_sheets_of_two_secrets_under_one_identifier_do_not_mix() -> None:
    first, second = sheets_of(RootSecret(b"1" * 32)), sheets_of(RootSecret(b"2" * 32))
    with pytest.raises(PkiDataError) as caught:
        combine([first[0], second[1]])
    assert caught.value.code == "sheet.mixed"


def test_a_word_is_known_by_its_first_four_letters() -> None:
    for word in WORDLIST:
        assert read_word(word.upper(), place=1, sheet=1) == word
        assert read_word(f" {word[:4]} ", place=1, sheet=1) == word
    for typed in ("", "aca", "acadamic", "zzzz", "academicx", "ácademic"):
        with pytest.raises(PkiDataError, match=r"^word 7 of sheet 2 is not in the list"):
            read_word(typed, place=7, sheet=2)


@pytest.mark.parametrize(("threshold", "count"), [(1, 3), (3, 3), (2, 17), (0, 0), (2, 2)])
def test_a_quorum_is_never_one_and_never_everybody(threshold: int, count: int) -> None:
    with pytest.raises(PkiRefusedError) as caught:
        sheets_of(RootSecret(bytes(range(32))), threshold=threshold, count=count)
    assert caught.value.code == "ceremony.quorum-invalid"


def test_a_secret_that_was_wiped_is_used_no_more() -> None:
    secret = RootSecret.draw()
    before = secret.pin("root-1")
    assert before == secret.pin("root-1") != secret.pin("root-2")
    assert len(before) == 48
    assert before not in repr(secret)
    secret.wipe()
    for use in (secret.split_bytes, lambda: secret.pin("root-1")):
        with pytest.raises(PkiRefusedError) as caught:
            use()
        assert caught.value.code == "ceremony.secret-wiped"
