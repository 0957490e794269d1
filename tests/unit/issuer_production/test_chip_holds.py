"""What holds a chip: nothing that one person says lowers what two people judge."""

from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.chip_hold import ChipHold
from issuer.domain.stock_account import HELD_AS_SAMPLE, HELD_AS_STOLEN

CODES = st.sampled_from(["station.claim-released", "chip.key-not-unique"])
HOLDS = st.one_of(
    st.builds(ChipHold, code=st.one_of(st.none(), CODES, st.just(HELD_AS_SAMPLE))),
    st.builds(
        ChipHold,
        code=st.just(HELD_AS_STOLEN),
        below=st.one_of(st.none(), CODES, st.just(HELD_AS_SAMPLE)),
    ),
)


@given(hold=HOLDS, code=CODES)
def test_a_station_never_lowers_a_stop_or_a_sample(hold: ChipHold, code: str) -> None:
    after = hold.held_for(code)
    if hold.code in (HELD_AS_STOLEN, HELD_AS_SAMPLE):
        assert after.code == hold.code
    else:
        assert after == ChipHold(code=code)
    assert after.lifted().code is not None


@given(hold=HOLDS)
def test_what_held_a_chip_before_its_stop_holds_it_again(hold: ChipHold) -> None:
    assert hold.stopped().is_stopped
    if not hold.is_stopped:
        assert hold.stopped().lifted() == hold
    assert hold.stopped().stopped() == hold.stopped()


@given(hold=HOLDS, code=CODES)
def test_under_a_stop_the_first_hold_is_kept(hold: ChipHold, code: str) -> None:
    stopped = hold.stopped()
    assert stopped.held_for(code).lifted().code == (stopped.below or code)


@given(hold=HOLDS)
def test_a_condemned_chip_is_held_by_the_stop_list_alone(hold: ChipHold) -> None:
    assert hold.condemned().code == (HELD_AS_STOLEN if hold.is_stopped else None)
    assert hold.condemned().lifted().code is None
