"""A clock that was set back is told of, and makes nothing valid again; one that jumped ahead shuts nobody out for years."""

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.signed.card_states import CardState
from pki.signed.security_object import StatusReference
from pki.signed.trust_bundle import TrustBundle
from simulators.authority import TestAuthority
from simulators.trust_directory import write_trust_directory
from tests.unit.verifier.bundle_office import BundleOffice, layout_files
from tests.unit.verifier.status_office import StatusOffice, reference_of
from tests.unit.verifier.terminal_hierarchy import Hierarchy
from verifier.errors import TrustError
from verifier.inspection.report import Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.trust.bundle_install import install_bundle
from verifier.trust.clock_mark import GuardedClock
from verifier.trust.directory import load_trust

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)


class Clock:
    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def trust(
    tmp_path: Path, test_pki: TestAuthority, accepted_snapshot: CardSnapshot, now: datetime
) -> Path:
    """A terminal with a bundle of now, whose status list is usable for thirty days."""
    return terminal(tmp_path / "trust", test_pki, reference_of(accepted_snapshot), now)


def terminal(
    directory: Path,
    authority: TestAuthority,
    reference: StatusReference,
    at: datetime,
    **more: bytes,
) -> Path:
    write_trust_directory(directory, [authority], now=at)
    status = StatusOffice(authority=authority).sign(reference, CardState.VALID, at=at)
    files = layout_files(authority, now=at, status=status) | {
        f"cvca/{name}.cvcert": content for name, content in more.items()
    }
    bundle = BundleOffice(authority).bundle(files, at=at, number=1)
    (directory / "approvers.toml").unlink(missing_ok=True)
    install_bundle(TrustBundle.from_bytes(bundle), directory)
    return directory


def guard(trust: Path, clock: Callable[[], datetime]) -> GuardedClock:
    found = GuardedClock.open(trust, load_trust(trust), system=clock)
    assert found is not None
    return found


def test_a_plain_directory_keeps_no_mark(
    tmp_path: Path, test_pki: TestAuthority, now: datetime
) -> None:
    write_trust_directory(tmp_path, [test_pki], now=now)
    assert GuardedClock.open(tmp_path, load_trust(tmp_path), system=Clock(now)) is None
    assert not (tmp_path / "clock.json").exists()


def test_a_clock_that_goes_forwards_is_believed(trust: Path, now: datetime) -> None:
    clock = Clock(now + HOUR)
    guarded = guard(trust, clock)
    assert guarded.now() == now + HOUR
    clock.moment += DAY
    assert guarded.now() == clock.moment
    assert not guarded.is_rolled_back
    # Clocks are put right by a few minutes.
    clock.moment -= 4 * timedelta(minutes=1)
    assert not guarded.is_rolled_back


def test_a_clock_set_back_while_it_was_off_is_found_out(trust: Path, now: datetime) -> None:
    guard(trust, Clock(now + 10 * DAY)).now()
    again = guard(trust, Clock(now + HOUR))
    assert again.is_rolled_back
    assert again.now() == now + 10 * DAY


def test_a_clock_before_the_bundle_is_found_out_without_any_mark(
    trust: Path, now: datetime
) -> None:
    guarded = guard(trust, Clock(now - 10 * YEAR))
    assert guarded.is_rolled_back
    assert guarded.now() == now


def test_the_newest_cv_certificate_tells_the_time_too(
    tmp_path: Path, test_pki: TestAuthority, accepted_snapshot: CardSnapshot, now: datetime
) -> None:
    day = (now + 3 * DAY).date()
    root = Hierarchy(day=day).root()
    directory = tmp_path / "trust"
    write_trust_directory(directory, [test_pki], now=now)
    (directory / "cvca").mkdir()
    (directory / "cvca" / "root.cvcert").write_bytes(root.to_bytes())
    status = StatusOffice(authority=test_pki).sign(
        reference_of(accepted_snapshot), CardState.VALID, at=now
    )
    files = layout_files(test_pki, now=now, status=status) | {"cvca/root.cvcert": root.to_bytes()}
    bundle = BundleOffice(test_pki).bundle(files, at=now)
    install_bundle(TrustBundle.from_bytes(bundle), directory)
    begins = datetime.combine(root.body.effective_date, datetime.min.time(), UTC)
    expected = max(now, begins)
    assert guard(directory, Clock(now - YEAR)).now() == expected


def test_a_clock_that_jumped_ten_years_ahead_for_a_moment_shuts_nobody_out(
    trust: Path, now: datetime
) -> None:
    ahead = guard(trust, Clock(now + 10 * YEAR))
    assert ahead.now() == now + 10 * YEAR
    back = guard(trust, Clock(now + HOUR))
    assert back.is_rolled_back
    # Only as far as the status list could have been believed, which is then too old for every purpose.
    assert now + 30 * DAY < back.now() < now + 31 * DAY


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"format": 1, "latest": "2026-11-22T00:00:00"}',
        b'{"format": 2, "latest": "2026-11-22T00:00:00+00:00"}',
        b'{"latest": "2026-11-22T00:00:00+00:00"}',
        b'{"format": 1, "latest": "0001-01-01T00:00:00+14:00"}',
        b"\xff",
    ],
)
def test_a_broken_mark_stops_the_terminal(trust: Path, now: datetime, content: bytes) -> None:
    (trust / "clock.json").write_bytes(content)
    with pytest.raises(TrustError) as caught:
        guard(trust, Clock(now))
    assert caught.value.code == "trust.malformed"


@settings(max_examples=40)
@given(
    jumps=st.lists(st.integers(-3650 * 24, 3650 * 24), min_size=1, max_size=8),
    restarts=st.randoms(use_true_random=False),
)
def test_whatever_the_clock_does_time_never_goes_back_and_nothing_expired_counts(
    *,
    tmp_path_factory: pytest.TempPathFactory,
    test_pki: TestAuthority,
    accepted_snapshot: CardSnapshot,
    now: datetime,
    jumps: list[int],
    restarts: random.Random,
) -> None:
    """Ten years to and fro between any two steps, with a restart or without."""
    trust = terminal(
        tmp_path_factory.mktemp("clock") / "trust",
        test_pki,
        reference_of(accepted_snapshot),
        now,
    )
    loaded = load_trust(trust)
    clock = Clock(now)
    guarded = guard(trust, clock)
    believed_until = now + 30 * DAY
    is_past = False
    for jump, moment in zip(jumps, itertools.repeat(now), strict=False):
        clock.moment = moment + timedelta(hours=jump)
        if restarts.random() < 0.5:
            guarded = guard(trust, clock)
        judged_at = guarded.now()
        is_past = is_past or judged_at > believed_until
        assert judged_at >= max(now, clock.moment)
        assert guarded.is_rolled_back == (clock.moment < judged_at - timedelta(minutes=5))
        report = inspect(
            accepted_snapshot, trust=loaded.anchors, policy=loaded.policy, now=judged_at
        )
        # Once the list was too old at any time told, no card is accepted ever after.
        assert (report.verdict is Verdict.REFUSED) == is_past
