"""The status list: any mix of states survives, one encoding, deltas give the very bytes, and nothing altered passes."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from asn1crypto import cms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.certificates.trust import TrustAnchors
from pki.errors import PkiDataError, PkiError, PkiRefusedError
from pki.keys.software import SoftwareSigner
from pki.signed.card_states import (
    LIST_POSITIONS,
    CardState,
    CardStates,
    changes_between,
    check_transitions,
    may_follow,
)
from pki.signed.card_states_file import read_states_file, write_states_file
from pki.signed.position_coding import BitReader, BitWriter
from pki.signed.status_coding import decode_states, encode_states
from pki.signed.status_list import ID_STATUS_LIST, StatusList, prepare_status_list
from pki.signed.status_list_delta import StatusListDelta

DAY = timedelta(days=1)
MIX = {
    CardState.NOT_HANDED_OVER: 20,
    CardState.DATA_STALE: 30,
    CardState.SUSPENDED: 5,
    CardState.REPLACED: 25,
    CardState.LOST: 10,
    CardState.REVOKED: 10,
}

Make = Callable[..., bytes]


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@st.composite
def card_states(draw: st.DrawFn, positions: int | None = None) -> CardStates:
    """Few lists of few positions, in any mix."""
    size = draw(st.integers(1, 40)) if positions is None else positions
    table = st.lists(st.sampled_from(CardState), min_size=size, max_size=size).map(bytes)
    ids = st.binary(min_size=8, max_size=8)
    return CardStates(positions=size, tables=draw(st.dictionaries(ids, table, max_size=4)))


def mixed_table(chance: random.Random, not_valid: float) -> bytes:
    table = bytearray(LIST_POSITIONS)
    for index in chance.sample(range(LIST_POSITIONS), int(LIST_POSITIONS * not_valid)):
        table[index] = chance.choices(list(MIX), list(MIX.values()))[0]
    return bytes(table)


def entropy_bytes(states: CardStates) -> float:
    counts = [count for count in states.counts().values() if count]
    return sum(count * math.log2(len(states) / count) for count in counts) / 8


@pytest.fixture(scope="module")
def make(authority: Any, make_list_office: Callable[..., Any], fixed_now: datetime) -> Make:
    office = make_list_office(authority=authority, profile="status-list-signer")

    def make(
        states: CardStates, number: int = 1, *, signer: Any = office, at: datetime | None = None
    ) -> bytes:
        start = fixed_now - DAY + timedelta(seconds=number % 3600) if at is None else at
        prepared = prepare_status_list(
            signer_certificate=signer.certificate,
            public_key=signer.key.public_key(),
            number=number,
            this_update=start,
            next_update=start + 7 * DAY,
            states=states,
        )
        return prepared.sign(SoftwareSigner(signer.key))

    return make


@given(
    positions=st.integers(1, 5000), chance=st.randoms(use_true_random=False), share=st.floats(0, 1)
)
def test_a_set_of_positions_survives_its_encoding(
    positions: int, chance: random.Random, share: float
) -> None:
    found = sorted(chance.sample(range(positions), round(share * positions)))
    writer = BitWriter()
    writer.set_of(found, positions)
    reader = BitReader(writer.to_bytes())
    assert list(reader.set_of(len(found), positions)) == found
    reader.finish()


@given(data=st.binary(max_size=60), count=st.integers(0, 50), positions=st.integers(1, 400))
def test_any_bits_are_a_set_or_refused(data: bytes, count: int, positions: int) -> None:
    try:
        found = list(BitReader(data).set_of(count, positions))
    except PkiDataError:
        return
    assert len(set(found)) == count
    assert all(0 <= index < positions for index in found)
    assert found == sorted(found)


@given(states=card_states())
def test_any_mix_survives_and_a_look_up_equals_the_table(states: CardStates) -> None:
    encoded = encode_states(states)
    read = decode_states(encoded, list_ids=tuple(states.tables), positions=states.positions)
    assert read == states
    for list_id, table in states.tables.items():
        assert [read.find(list_id, index) for index in range(states.positions)] == list(table)
        assert read.find(list_id, states.positions) is None
        assert read.find(list_id, -1) is None
    assert read.find(b"nowhere!", 0) is None or b"nowhere!" in states.tables


@given(data=st.binary(max_size=80), lists=st.integers(0, 3), positions=st.integers(1, 60))
def test_any_bytes_are_states_in_their_one_encoding_or_refused(
    data: bytes, lists: int, positions: int
) -> None:
    ids = tuple(bytes([number]) * 8 for number in range(lists))
    try:
        found = decode_states(data, list_ids=ids, positions=positions)
    except PkiDataError:
        return
    assert encode_states(found) == data


@given(states=card_states())
def test_a_states_file_survives(states: CardStates) -> None:
    assert read_states_file(write_states_file(states)) == states


@given(
    st.text(alphabet="list valodrev-kp0123456789abf\n ", max_size=120).map(
        lambda text: f"membercard-card-states 1\npositions 20\n{text}\n".encode()
    )
)
def test_any_text_is_a_states_file_in_its_one_form_or_refused(data: bytes) -> None:
    try:
        found = read_states_file(data)
    except PkiDataError:
        return
    assert write_states_file(found) == data


@pytest.mark.parametrize(
    "text",
    [
        "list 0011223344556677 valid\nlost 20\n",
        "list 0011223344556677 valid\nlost 5-3\n",
        "list 0011223344556677 valid\nlost 3 4\n",
        "list 0011223344556677 valid\nlost 3\nlost 5\n",
        "list 0011223344556677 lost\nvalid 0-15\n",
        "list 0011223344556677 gone\n",
        "list 0011223344556677 valid\nlist 0011223344556677 valid\n",
        "list 1011223344556677 valid\nlist 0011223344556677 valid\n",
        "lost 3\n",
        "list 0011223344556677 valid",
    ],
)
def test_a_states_file_in_another_form_is_refused(text: str) -> None:
    data = f"membercard-card-states 1\npositions 20\n{text}".encode()
    assert code_of(lambda: read_states_file(data)) == "card-states.malformed"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=card_states(), number=st.integers(1, (1 << 63) - 1))
def test_what_was_signed_is_read_back(make: Make, states: CardStates, number: int) -> None:
    der = make(states, number)
    found = StatusList.from_bytes(der)
    assert (found.number, found.states, found.der) == (number, states, der)
    assert found.next_update - found.this_update == 7 * DAY


def test_another_library_reads_the_same_structure(make: Make) -> None:
    signed = cms.ContentInfo.load(make(CardStates(positions=8, tables={bytes(8): bytes(8)})))
    content = signed["content"]
    assert content["encap_content_info"]["content_type"].dotted == ID_STATUS_LIST.dotted_string


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pair=st.integers(1, 30).flatmap(lambda n: st.tuples(card_states(n), card_states(n))))
def test_a_delta_gives_the_very_bytes_of_the_later_list(
    make: Make, pair: tuple[CardStates, CardStates]
) -> None:
    earlier, later = pair
    later = CardStates(positions=later.positions, tables={**earlier.tables, **later.tables})
    first, second = StatusList.from_bytes(make(earlier, 3)), StatusList.from_bytes(make(later, 9))
    delta = StatusListDelta.between(first, second)
    assert StatusListDelta.from_bytes(delta.to_bytes()) == delta
    assert delta.apply(first).der == second.der
    assert len(list(changes_between(earlier, later))) <= len(later)


def test_a_delta_brings_the_certificate_of_another_signer(
    make: Make, authority: Any, make_list_office: Callable[..., Any]
) -> None:
    other = make_list_office(
        authority=authority, profile="status-list-signer", serial_number=2**121
    )
    states = CardStates(positions=8, tables={bytes(8): bytes(8)})
    first = StatusList.from_bytes(make(states, 1))
    second = StatusList.from_bytes(make(states, 2, signer=other))
    delta = StatusListDelta.between(first, second)
    assert delta.certificate == other.certificate
    assert delta.apply(first).der == second.der
    again = replace(delta, certificate=first.signer.der)
    assert code_of(lambda: again.apply(first)) == "status-delta.malformed"


def test_a_delta_continues_one_list_and_goes_forwards(make: Make) -> None:
    states = CardStates(positions=8, tables={bytes(8): bytes(8)})
    lists = [StatusList.from_bytes(make(states, number)) for number in (1, 2, 3)]
    delta = StatusListDelta.between(lists[1], lists[2])
    assert code_of(lambda: delta.apply(lists[0])) == "status-delta.other-base"
    for later in lists[:2]:
        assert (
            code_of(lambda later=later: StatusListDelta.between(lists[1], later))  # type: ignore[misc]
            == "status-list.not-newer"
        )


def test_every_flipped_bit_of_a_list_is_refused(make: Make, authority: Any) -> None:
    """By the parser, by the signature, or because nobody certified such a signer."""
    anchors = TrustAnchors.from_bytes(certificates=[authority.certificate], crls=[authority.crl()])
    table = bytes([0] * 30 + [5, 6])
    der = make(CardStates(positions=32, tables={bytes(8): table}))
    anchors.admit_status_list(der)
    for place in range(len(der)):
        altered = bytearray(der)
        altered[place] ^= 1 << place % 8
        with pytest.raises(PkiDataError) as caught:
            anchors.admit_status_list(bytes(altered))
        assert caught.value.code in {"status-list.malformed", "status-list.untrusted"}


def test_every_flipped_bit_of_a_delta_is_refused(make: Make) -> None:
    first = StatusList.from_bytes(make(CardStates(positions=32, tables={bytes(8): bytes(32)}), 1))
    later = CardStates(positions=32, tables={bytes(8): bytes(31) + b"\x05", b"b" * 8: bytes(32)})
    second = StatusList.from_bytes(make(later, 2))
    data = StatusListDelta.between(first, second).to_bytes()
    for place in range(8 * len(data)):
        altered = bytearray(data)
        altered[place // 8] ^= 1 << place % 8
        with pytest.raises(PkiError) as caught:
            StatusListDelta.from_bytes(bytes(altered)).apply(first)
        assert caught.value.code in {"status-delta.malformed", "status-delta.other-base"}


@pytest.mark.parametrize("not_valid", [0.01, 0.1, 0.5])
def test_a_list_is_near_the_entropy_of_its_mix(make: Make, not_valid: float) -> None:
    chance = random.Random(7)
    states = CardStates(
        positions=LIST_POSITIONS,
        tables={chance.randbytes(8): mixed_table(chance, not_valid) for _ in range(8)},
    )
    encoded = len(encode_states(states)) + 8 * 8
    assert encoded <= 1.10 * entropy_bytes(states)
    assert StatusList.from_bytes(make(states)).states == states


def test_a_delta_of_a_days_changes_is_small(make: Make) -> None:
    """Against eight lists; the bench has all of a country's."""
    chance = random.Random(8)
    tables = {chance.randbytes(8): mixed_table(chance, 0.01) for _ in range(8)}
    later = {key: bytearray(table) for key, table in tables.items()}
    for _ in range(500):
        index = chance.randrange(LIST_POSITIONS)
        later[chance.choice(list(later))][index] = chance.choices(list(MIX), list(MIX.values()))[0]
    lists = [
        StatusList.from_bytes(make(CardStates(positions=LIST_POSITIONS, tables=each), number))
        for number, each in enumerate((tables, {k: bytes(v) for k, v in later.items()}), start=1)
    ]
    assert len(StatusListDelta.between(*lists).to_bytes()) <= 1500


def test_final_states_never_revive() -> None:
    for earlier in CardState:
        for later in CardState:
            allowed = may_follow(earlier, later)
            if earlier.is_final:
                assert allowed == (later.is_final and (earlier is not CardState.REVOKED)) or (
                    earlier is later
                )
            elif earlier is CardState.NOT_HANDED_OVER:
                assert allowed
            else:
                assert allowed == (later is not CardState.NOT_HANDED_OVER)


@given(pair=st.integers(1, 12).flatmap(lambda n: st.tuples(card_states(n), card_states(n))))
def test_a_change_that_no_card_may_make_refuses_the_whole_list(
    pair: tuple[CardStates, CardStates],
) -> None:
    earlier, later = pair
    later = CardStates(positions=later.positions, tables={**earlier.tables, **later.tables})
    changes = list(changes_between(earlier, later))
    if all(may_follow(change.earlier, change.later) for change in changes):
        assert check_transitions(earlier, later) == len(changes)
    else:
        with pytest.raises(PkiRefusedError) as caught:
            check_transitions(earlier, later)
        assert caught.value.code == "status-list.transition"


def test_a_list_never_vanishes_and_never_changes_its_size() -> None:
    earlier = CardStates(positions=4, tables={bytes(8): bytes(4)})
    for later in (
        CardStates(positions=4, tables={}),
        CardStates(positions=5, tables={bytes(8): bytes(5)}),
    ):
        assert (
            code_of(lambda later=later: check_transitions(earlier, later))  # type: ignore[misc]
            == "status-list.list-vanished"
        )


def test_positions_of_a_new_list_were_not_handed_over() -> None:
    later = CardStates(positions=3, tables={bytes(8): bytes([1, 0, 1])})
    (change,) = changes_between(CardStates(positions=3, tables={}), later)
    assert (change.index, change.earlier, change.later) == (
        1,
        CardState.NOT_HANDED_OVER,
        CardState.VALID,
    )
