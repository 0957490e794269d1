"""What accounts, sessions and counts of failed log-ins keep to, whatever database stands behind them."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.domain.account import Account, AccountId, AccountState, PasswordHash
from issuer.domain.login_attempts import FailedAttempts, key_of_account, key_of_address
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.domain.second_factor import Challenge, SecondFactor
from issuer.domain.session import Face, LoginMethod, Restriction, Session, SessionId
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.register_ports import Register
from pki.keys.webauthn_keys import CoseAlgorithm

NOW = datetime(2026, 11, 22, 8, 0, 0, 250, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def register(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Register]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
    else:
        database = Database(request.getfixturevalue("postgresql_url"))
    schema.upgrade(database)
    yield SqlRegister(database)
    database.close()


def account(number: int, **changes: object) -> Account:
    fields: dict[str, object] = {
        "account_id": AccountId(uuid.UUID(int=number)),
        "name": AccountName(f"person-{number}"),
        "assignments": (
            Assignment(role=Role.CLERK, organisation=OrganisationCode("P-01")),
            Assignment(role=Role.AUDITOR),
        ),
        "password": PasswordHash(encoded="$argon2id$x", set_at=NOW, is_provisional=True),
        "created_at": NOW,
    }
    return Account(**(fields | changes))  # type: ignore[arg-type]  # named as in Account


def session(number: int, owner: Account, **changes: object) -> Session:
    fields: dict[str, object] = {
        "session_id": SessionId(uuid.UUID(int=number)),
        "token_digest": bytes([number]) * 32,
        "account_id": owner.account_id,
        "face": Face.CONSOLE,
        "method": LoginMethod.PASSWORD,
        "created_at": NOW,
        "expires_at": NOW + 12 * HOUR,
        "seen_at": NOW,
    }
    return Session(**(fields | changes))  # type: ignore[arg-type]  # named as in Session


def factor(number: int, owner: Account) -> SecondFactor:
    return SecondFactor(
        credential_id=bytes([number]) * 16,
        account_id=owner.account_id,
        label=f"key {number}",
        algorithm=CoseAlgorithm.ES256,
        public_key=b"public key",
        counter=0,
        created_at=NOW + timedelta(seconds=number),
    )


def add(register: Register, *accounts: Account) -> None:
    with register.writing() as transaction:
        for each in accounts:
            transaction.people.add(each)


def test_an_account_comes_back_as_it_was_stored(register: Register) -> None:
    stored = account(1)
    with register.reading() as transaction:
        assert transaction.people.is_empty()
    add(register, stored, account(2, password=None, assignments=()))
    with register.reading() as transaction:
        assert transaction.people.get(stored.name) == stored
        assert transaction.people.find(AccountName("person-2")) == account(
            2, password=None, assignments=()
        )
        assert transaction.people.find(AccountName("person-3")) is None
        assert not transaction.people.is_empty()
        with pytest.raises(IssuerRefusedError) as refusal:
            transaction.people.get(AccountName("person-3"))
    assert refusal.value.code == "account.unknown"


def test_a_name_is_given_once(register: Register) -> None:
    add(register, account(1))
    with pytest.raises(ConflictError):
        add(register, replace(account(2), name=AccountName("person-1")))


def test_an_account_is_stored_anew_with_its_assignments(register: Register) -> None:
    add(register, account(1), account(2))
    changed = account(
        1, state=AccountState.DISABLED, password=None, assignments=(Assignment(role=Role.DECIDER),)
    )
    with register.writing() as transaction:
        transaction.people.replace(changed)
        assert transaction.people.get(changed.name) == changed
    with register.writing() as transaction, pytest.raises(IssuerRefusedError) as refusal:
        transaction.people.replace(account(3))
    assert refusal.value.code == "account.unknown"
    with register.reading() as transaction:
        assert transaction.people.page(limit=10) == (changed, account(2))


def test_accounts_come_in_pages_by_name(register: Register) -> None:
    add(register, *(account(number) for number in (3, 1, 2)))
    with register.reading() as transaction:
        first = transaction.people.page(limit=2)
        assert [each.name for each in first] == ["person-1", "person-2"]
        rest = transaction.people.page(limit=2, behind=first[-1].name)
        assert [each.name for each in rest] == ["person-3"]
        assert transaction.people.page(limit=2, behind=rest[-1].name) == ()


def test_only_active_administrators_of_everything_are_counted(register: Register) -> None:
    whole = (Assignment(role=Role.ADMINISTRATOR),)
    part = (Assignment(role=Role.ADMINISTRATOR, organisation=OrganisationCode("P")),)
    add(
        register,
        account(1, assignments=whole),
        account(2, assignments=whole, state=AccountState.DISABLED),
        account(3, assignments=part),
        account(4),
    )
    with register.reading() as transaction:
        assert transaction.people.count_administrators() == 1


def test_whoever_locks_the_accounts_has_them_to_themselves(register: Register) -> None:
    add(register, account(1))
    order: list[str] = []
    locked = threading.Event()

    def second() -> None:
        locked.wait()
        with register.writing() as transaction:
            transaction.people.lock()
            order.append(transaction.people.get(AccountName("person-1")).state.value)

    thread = threading.Thread(target=second)
    thread.start()
    with register.writing() as transaction:
        transaction.people.lock()
        locked.set()
        transaction.people.replace(account(1, state=AccountState.DISABLED))
        order.append("first")
    thread.join()
    assert order == ["first", "disabled"]


def test_second_factors_are_kept_counted_and_removed(register: Register) -> None:
    one, other = account(1), account(2)
    add(register, one, other)
    with register.writing() as transaction:
        transaction.people.add_second_factor(factor(2, one))
        transaction.people.add_second_factor(factor(1, one))
        transaction.people.count_second_factor(bytes([2]) * 16, counter=2**32 - 1)
    with register.writing() as transaction, pytest.raises(ConflictError):
        transaction.people.add_second_factor(replace(factor(1, other)))
    with register.writing() as transaction:
        counted = replace(factor(2, one), counter=2**32 - 1)
        assert transaction.people.second_factors(one.account_id) == (factor(1, one), counted)
        assert transaction.people.second_factors(other.account_id) == ()
        assert not transaction.people.remove_second_factor(other.account_id, bytes([1]) * 16)
        assert transaction.people.remove_second_factor(one.account_id, bytes([1]) * 16)
        assert transaction.people.second_factors(one.account_id) == (counted,)


def test_a_session_is_found_by_its_token_with_its_account(register: Register) -> None:
    owner = account(1)
    add(register, owner)
    stored = session(
        1, owner, stepped_up_at=NOW, restriction=Restriction.SECOND_FACTOR_DUE, face=Face.COMMAND_LINE
    )  # fmt: skip
    with register.writing() as transaction:
        transaction.sessions.add(stored)
    with register.reading() as transaction:
        found = transaction.sessions.find(stored.token_digest)
        assert transaction.sessions.find(bytes(32)) is None
    assert found is not None
    assert (found.session, found.account) == (stored, owner)


def test_a_session_gets_another_token_and_the_old_one_opens_nothing(register: Register) -> None:
    owner = account(1)
    add(register, owner)
    old = session(1, owner)
    new = replace(old, token_digest=b"n" * 32, stepped_up_at=NOW)
    with register.writing() as transaction:
        transaction.sessions.add(old)
        assert transaction.sessions.replace(old.token_digest, new)
        assert not transaction.sessions.replace(old.token_digest, new)
        # A look at a page that began with the old token brings nothing of it back.
        transaction.sessions.touch(old.token_digest, NOW + HOUR)
        assert transaction.sessions.of_account(owner.account_id) == (new,)
        transaction.sessions.touch(new.token_digest, NOW + HOUR)
        assert transaction.sessions.of_account(owner.account_id) == (
            replace(new, seen_at=NOW + HOUR),
        )


def test_sessions_end_one_by_one_all_at_once_and_by_time(register: Register) -> None:
    one, other = account(1), account(2)
    add(register, one, other)
    with register.writing() as transaction:
        for number, owner in ((1, one), (2, one), (3, one), (4, other)):
            transaction.sessions.add(
                session(number, owner, created_at=NOW + timedelta(seconds=number))
            )
        transaction.sessions.add(session(5, other, expires_at=NOW + HOUR))
        transaction.sessions.add(session(6, other, seen_at=NOW - HOUR))
    with register.writing() as transaction:
        assert transaction.sessions.end(bytes([1]) * 32)
        assert not transaction.sessions.end(bytes([1]) * 32)
        newest_first = [
            each.session_id.int for each in transaction.sessions.of_account(one.account_id)
        ]
        assert newest_first == [3, 2]
        assert transaction.sessions.end_all(one.account_id) == 2
        assert transaction.sessions.end_all(one.account_id) == 0
        assert transaction.sessions.end_expired(NOW + HOUR, unused_since=NOW) == 2
        assert transaction.sessions.end_expired(NOW + HOUR, unused_since=NOW) == 0
        assert [
            each.session_id.int for each in transaction.sessions.of_account(other.account_id)
        ] == [4]


def test_a_challenge_is_taken_once(register: Register) -> None:
    owner = account(1)
    add(register, owner)
    challenge = Challenge(value=b"c" * 32, expires_at=NOW + HOUR)
    with register.writing() as transaction:
        transaction.sessions.add(session(1, owner))
        assert transaction.sessions.take_challenge(bytes([1]) * 32) is None
        transaction.sessions.challenge(bytes([1]) * 32, replace(challenge, value=b"old"))
        transaction.sessions.challenge(bytes([1]) * 32, challenge)
    with register.writing() as transaction:
        assert transaction.sessions.take_challenge(bytes([2]) * 32) is None
        assert transaction.sessions.take_challenge(bytes([1]) * 32) == challenge
    with register.writing() as transaction:
        assert transaction.sessions.take_challenge(bytes([1]) * 32) is None


def test_a_session_is_stepped_up_by_its_challenge_once(register: Register) -> None:
    owner, other = account(1), account(2)
    add(register, owner, other)
    value, until = b"c" * 41, NOW + HOUR
    with register.writing() as transaction:
        transaction.sessions.add(session(1, owner))
        transaction.sessions.challenge(bytes([1]) * 32, Challenge(value=value, expires_at=until))
        face = session(1, owner).face
        ask = partial(transaction.sessions.step_up_by_challenge, face=face)
        elsewhere = next(each for each in Face if each is not face)
        assert ask(other.account_id, value, now=NOW) is None
        assert ask(owner.account_id, b"d" * 41, now=NOW) is None
        assert ask(owner.account_id, value, now=NOW, face=elsewhere) is None
        assert ask(owner.account_id, value, now=until + HOUR) is None
        found = ask(owner.account_id, value, now=NOW)
        assert found == replace(session(1, owner), stepped_up_at=NOW)
        assert ask(owner.account_id, value, now=NOW) is None
    with register.reading() as transaction:
        (kept,) = transaction.sessions.of_account(owner.account_id)
        assert kept == found


def test_attempts_are_remembered_and_forgotten_by_key(register: Register) -> None:
    name, address = key_of_account("an"), key_of_address("an")
    assert name != address
    old = FailedAttempts(count=3, last_at=NOW - HOUR, blocked_until=NOW)
    new = FailedAttempts(count=1, last_at=NOW, blocked_until=NOW)
    with register.writing() as transaction:
        assert transaction.sessions.attempts(name) is None
        transaction.sessions.remember_attempts(name, old)
        transaction.sessions.remember_attempts(address, new)
    with register.writing() as transaction:
        assert transaction.sessions.attempts(name) == old
        assert transaction.sessions.forget_attempts_before(NOW) == 1
        assert transaction.sessions.attempts(name) is None
        transaction.sessions.forget_attempts(address)
        assert transaction.sessions.attempts(address) is None


def test_no_attempt_is_lost_among_many_at_once(register: Register) -> None:
    key = key_of_account("an")
    start = threading.Barrier(8)

    def attempt() -> None:
        start.wait()
        for _ in range(5):
            with register.writing() as transaction:
                known = transaction.sessions.attempts(key) or FailedAttempts.none(NOW)
                transaction.sessions.remember_attempts(key, replace(known, count=known.count + 1))

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with register.writing() as transaction:
        attempts = transaction.sessions.attempts(key)
    assert attempts is not None
    assert attempts.count == 40
