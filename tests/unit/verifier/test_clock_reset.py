"""The way back from a clock that was far ahead: by two approvers, once, and never behind what signed files prove."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pki.signed.card_states import CardState
from pki.signed.trust_bundle import TrustBundle
from simulators.authority import TestAuthority
from simulators.trust_directory import write_trust_directory
from tests.unit.verifier.bundle_office import BundleOffice, layout_files
from tests.unit.verifier.status_office import StatusOffice, reference_of
from verifier.cli import main
from verifier.errors import TrustError
from verifier.inspection.report import Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.trust.approvals import Approval, create_approver_key
from verifier.trust.bundle_install import install_bundle
from verifier.trust.clock_mark import GuardedClock, WrittenMark
from verifier.trust.clock_reset import clock_state, reset_clock
from verifier.trust.directory import load_trust

PIN = "86420975"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)


@pytest.fixture
def trust(
    tmp_path: Path, test_pki: TestAuthority, accepted_snapshot: CardSnapshot, now: datetime
) -> Path:
    """A terminal with a bundle of now, whose status list is usable for thirty days."""
    directory = tmp_path / "trust"
    write_trust_directory(directory, [test_pki], now=now)
    status = StatusOffice(authority=test_pki).sign(
        reference_of(accepted_snapshot), CardState.VALID, at=now
    )
    files = layout_files(test_pki, now=now, status=status)
    install_bundle(
        TrustBundle.from_bytes(BundleOffice(test_pki).bundle(files, at=now, number=1)), directory
    )
    return directory


@pytest.fixture
def approvers(trust: Path) -> Callable[[], list[Approval]]:
    """Two people, who approve the mark that they find."""
    keys, lines = {}, ["format = 1"]
    for name in ("Lan", "Bình"):
        keys[name], public_key = create_approver_key(PIN)
        lines += ["[[approvers]]", f'name = "{name}"', f'key = "{public_key}"']
    (trust / "approvers.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def approve() -> list[Approval]:
        stated = clock_state(trust).statement
        return [
            Approval.make(name=name, key_file=key, pin=PIN, stated=stated)
            for name, key in keys.items()
        ]

    return approve


def guard(trust: Path, *moments: datetime) -> GuardedClock:
    """A clock that tells these times one after another, and then the last one."""
    told = list(moments)
    found = GuardedClock.open(
        trust, load_trust(trust), system=lambda: told.pop(0) if len(told) > 1 else told[0]
    )
    assert found is not None
    return found


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(TrustError) as caught:
        action()
    return caught.value.code


def test_two_approvers_take_a_jump_of_ten_years_back_and_cards_count_again(
    trust: Path,
    approvers: Callable[[], list[Approval]],
    accepted_snapshot: CardSnapshot,
    now: datetime,
) -> None:
    loaded = load_trust(trust)

    def verdict(at: datetime) -> Verdict:
        return inspect(
            accepted_snapshot, trust=loaded.anchors, policy=loaded.policy, now=at
        ).verdict

    guard(trust, now + 10 * YEAR).now()
    running = guard(trust, now + HOUR)
    assert running.is_rolled_back
    assert verdict(running.now()) is Verdict.REFUSED
    state, names = reset_clock(trust, approvers())
    assert names == ("Bình", "Lan")
    assert state.latest == state.evidence == now
    assert not state.can_be_reset
    # A terminal that runs knows it at its next card, and after a restart.
    for clock in (running, guard(trust, now + HOUR)):
        assert clock.now() == now + HOUR
        assert not clock.is_rolled_back
        assert verdict(clock.now()) is Verdict.ACCEPTED


def test_what_signed_files_prove_is_not_taken_back(
    trust: Path, approvers: Callable[[], list[Approval]], now: datetime
) -> None:
    guard(trust, now + 10 * YEAR).now()
    reset_clock(trust, approvers())
    back = guard(trust, now - 10 * YEAR)
    assert back.is_rolled_back
    assert back.now() == now


def test_one_person_or_the_approvals_of_the_last_time_take_nothing_back(
    trust: Path, approvers: Callable[[], list[Approval]], now: datetime
) -> None:
    guard(trust, now + 10 * YEAR).now()
    approvals = approvers()
    for too_few in ([], approvals[:1], approvals[:1] * 2):
        assert refusal(lambda few=too_few: reset_clock(trust, few)) == "bundle.approval-missing"  # type: ignore[misc]
    reset_clock(trust, approvals)
    # The same jump once more leaves the same mark, and these approvals do not count for it.
    guard(trust, now + 10 * YEAR).now()
    assert clock_state(trust).can_be_reset
    assert refusal(lambda: reset_clock(trust, approvals)) == "bundle.approval-invalid"
    reset_clock(trust, approvers())


def test_where_there_is_nothing_to_take_back_nothing_is(
    trust: Path,
    approvers: Callable[[], list[Approval]],
    tmp_path: Path,
    test_pki: TestAuthority,
    now: datetime,
) -> None:
    assert refusal(lambda: reset_clock(trust, approvers())) == "clock.no-mark"
    write_trust_directory(tmp_path / "plain", [test_pki], now=now)
    assert refusal(lambda: clock_state(tmp_path / "plain")) == "clock.no-mark"


def test_a_broken_mark_is_written_anew_by_two(
    trust: Path, approvers: Callable[[], list[Approval]], now: datetime
) -> None:
    (trust / "clock.json").write_bytes(b"{}")
    assert refusal(lambda: guard(trust, now)) == "trust.malformed"
    reset_clock(trust, approvers())
    assert guard(trust, now + HOUR).now() == now + HOUR


@pytest.mark.parametrize("resets", ["-1", "1.0", "true", '"1"', str(1 << 40)])
def test_a_count_that_is_none_is_a_broken_mark(trust: Path, now: datetime, resets: str) -> None:
    (trust / "clock.json").write_text(
        f'{{"format": 1, "latest": "2026-11-22T00:00:00+00:00", "resets": {resets}}}'
    )
    assert refusal(lambda: guard(trust, now)) == "trust.malformed"


def test_a_mark_of_another_process_counts_and_is_never_lowered(trust: Path, now: datetime) -> None:
    slow = guard(trust, now + HOUR, now + 2 * HOUR)
    slow.now()
    guard(trust, now + 9 * DAY).now()
    assert slow.now() == now + 9 * DAY
    assert slow.is_rolled_back
    found = WrittenMark.read(trust)
    assert found == WrittenMark(latest=now + 9 * DAY, resets=0)


def test_what_is_kept_for_so_many_days_is_let_go_of_by_the_mark(trust: Path, now: datetime) -> None:
    ahead = guard(trust, now + 10 * YEAR)
    assert ahead.now() == now + 10 * YEAR
    assert now + 30 * DAY < ahead.known_past() < now + 31 * DAY
    assert guard(trust, now + DAY).known_past() == ahead.known_past()


def test_the_commands_show_approve_and_reset(
    trust: Path,
    tmp_path: Path,
    now: datetime,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(*words: object, status: int = 0) -> str:
        assert main([str(word) for word in words]) == status
        output = capsys.readouterr()
        return output.err if status else output.out

    lines, approvals = ["format = 1"], []
    for name in ("Lan", "Bình"):
        pin, key = tmp_path / f"{name}.pin", tmp_path / f"{name}.pem"
        pin.touch(mode=0o600)
        pin.write_text(f"{PIN}\n", encoding="ascii")
        content, public_key = create_approver_key(PIN)
        key.write_bytes(content)
        lines += ["[[approvers]]", f'name = "{name}"', f'key = "{public_key}"']
        approvals += ["--approval", tmp_path / f"{name}.json"]
    (trust / "approvers.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    guard(trust, now + 10 * YEAR).now()
    shown = json.loads(run("clock", "show", "--trust", trust, "--format", "json"))
    assert shown["can_be_reset"]
    assert shown["proven_past"] == now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "[bundle.approval-missing]" in run("clock", "reset", "--trust", trust, status=2)
    for name in ("Lan", "Bình"):
        run(
            "clock", "approve", "--trust", trust, "--name", name, "--key", tmp_path / f"{name}.pem",
            "--pin-file", tmp_path / f"{name}.pin", "--output", tmp_path / f"{name}.json",
        )  # fmt: skip
    assert "approved by" in run("clock", "reset", "--trust", trust, *approvals)
    assert "[clock.no-mark]" in run("clock", "reset", "--trust", trust, *approvals, status=2)
