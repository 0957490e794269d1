import unicodedata
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.account import (
    MAX_ASSIGNMENTS,
    MAX_PASSWORD_BYTES,
    Account,
    AccountId,
    AccountState,
    check_assignments,
    check_new_password,
    normalised_password,
    parse_account_name,
)
from issuer.domain.login_attempts import AttemptLimit, FailedAttempts
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.domain.session import SessionToken
from issuer.errors import IssuerDataError, IssuerRefusedError
from tests.unit.issuer.people_stage import CHEAP, START, Argon2Passwords

NAME = AccountName("an.nguyen")
LIMIT = AttemptLimit(
    free=3,
    first_delay=timedelta(seconds=1),
    longest_delay=timedelta(minutes=15),
    memory=timedelta(hours=24),
)
ACCOUNT = Account(account_id=AccountId(uuid.UUID(int=1)), name=NAME, created_at=START)


@pytest.mark.parametrize("text", ["an", "an.nguyen", "a1-b_c", "an@example.vn", "a" * 64])
def test_account_names_are_taken(text: str) -> None:
    assert parse_account_name(text) == text


@pytest.mark.parametrize(
    "text", ["", "a", "An", "1an", ".an", "a n", "ấn", "an\n", "a" * 65, "system", "an/binh"]
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        parse_account_name(text)
    assert refusal.value.code == "account.name-malformed"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ngắn quá", "password.too-short"),
        ("one two thre", None),
        ("dài" * 200, "password.too-long"),
        ("xyz AN.Nguyen 2026", "password.holds-name"),
        ("aaaabbbbccccdddd", "password.monotonous"),
        ("one two\tthree", "password.unprintable"),
        ("one two\x00three", "password.unprintable"),
        ("one two \ud800 three", "password.unprintable"),
        ("nước chảy đá mòn", None),
    ],
)
def test_a_new_password_keeps_to_the_rules(text: str, code: str | None) -> None:
    if code is None:
        assert check_new_password(text, account=NAME) == text
        return
    with pytest.raises(IssuerDataError) as refusal:
        check_new_password(text, account=NAME)
    assert refusal.value.code == code
    assert text not in str(refusal.value)


def test_a_password_is_the_same_on_every_keyboard() -> None:
    composed = "nước chảy đá mòn"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert normalised_password(decomposed) == normalised_password(composed) == composed


@given(st.text(max_size=400))
def test_a_password_is_bounded_before_it_is_hashed(text: str) -> None:
    size = len(unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass"))
    if len(text) <= MAX_PASSWORD_BYTES and size <= MAX_PASSWORD_BYTES:
        assert normalised_password(text) == unicodedata.normalize("NFC", text)
        return
    with pytest.raises(IssuerDataError) as refusal:
        normalised_password(text)
    assert refusal.value.code == "password.too-long"


def test_an_administrator_has_no_other_role() -> None:
    administrator = ACCOUNT.given(Assignment(role=Role.ADMINISTRATOR))
    assert administrator.is_administrator_of_all
    assert not replace(administrator, state=AccountState.DISABLED).is_administrator_of_all
    for role in set(Role) - {Role.ADMINISTRATOR}:
        for first, then in ((Role.ADMINISTRATOR, role), (role, Role.ADMINISTRATOR)):
            account = ACCOUNT.given(Assignment(role=first))
            with pytest.raises(IssuerRefusedError) as refusal:
                account.given(Assignment(role=then))
            assert refusal.value.code == "account.administrator-alone"
    part = Assignment(role=Role.ADMINISTRATOR, organisation=OrganisationCode("P"))
    assert not ACCOUNT.given(part).is_administrator_of_all


def test_roles_are_given_once_and_taken_once() -> None:
    clerk = Assignment(role=Role.CLERK, organisation=OrganisationCode("P"))
    account = ACCOUNT.given(clerk)
    assert account.given(clerk) == account
    assert account.without(clerk) == ACCOUNT
    with pytest.raises(IssuerRefusedError) as refusal:
        ACCOUNT.without(clerk)
    assert refusal.value.code == "account.not-assigned"


def test_assignments_are_bounded() -> None:
    many = [
        Assignment(role=Role.CLERK, organisation=OrganisationCode(f"P-{number}"))
        for number in range(MAX_ASSIGNMENTS + 1)
    ]
    check_assignments(many[:-1])
    with pytest.raises(IssuerRefusedError) as refusal:
        check_assignments(many)
    assert refusal.value.code == "account.assignments-too-many"


@given(st.binary(min_size=32, max_size=32))
def test_a_session_token_reads_back_and_shows_itself_nowhere(secret: bytes) -> None:
    token = SessionToken(secret)
    assert SessionToken.from_text(token.text) == token
    assert token.text not in repr(token)
    assert token.digest != secret


@given(st.text(max_size=80) | st.text("0123456789abcdefABCDEF ", min_size=63, max_size=65))
def test_any_text_is_a_token_or_a_data_error(text: str) -> None:
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):
        assert SessionToken.from_text(text).text == text
        return
    with pytest.raises(IssuerDataError) as refusal:
        SessionToken.from_text(text)
    assert refusal.value.code == "session.token-malformed"


def test_the_delay_doubles_up_to_the_longest() -> None:
    seconds = [LIMIT.delay_after(count).total_seconds() for count in range(16)]
    assert seconds == [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert LIMIT.delay_after(10**9) == LIMIT.longest_delay


def test_failures_are_forgotten_after_a_while_and_not_before() -> None:
    attempts = FailedAttempts.none(START).one_more(START, LIMIT)
    assert attempts.known_at(START + LIMIT.memory - timedelta(seconds=1), LIMIT).count == 1
    assert attempts.known_at(START + LIMIT.memory, LIMIT).count == 0


def test_a_success_takes_back_its_own_attempt_and_nobody_elses_delay() -> None:
    later = START + timedelta(seconds=1)
    attempts = FailedAttempts.none(START)
    for _ in range(5):
        attempts = attempts.one_more(START, LIMIT)
    alone = attempts.one_less(began_at=START, now=later)
    assert (alone.count, alone.blocked_until) == (4, later)
    overtaken = attempts.one_more(later, LIMIT).one_less(began_at=START, now=later)
    assert overtaken.count == 5
    assert overtaken.blocked_until == later + LIMIT.delay_after(6)


def test_hashes_are_salted_argon2id_and_compare() -> None:
    passwords = Argon2Passwords(CHEAP)
    encoded = passwords.hash("nước chảy đá mòn")
    assert encoded.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert encoded != passwords.hash("nước chảy đá mòn")
    assert passwords.matches(encoded, "nước chảy đá mòn")
    assert not passwords.matches(encoded, "nước chảy đá mòn ")
    assert not passwords.matches("$argon2id$nonsense", "nước chảy đá mòn")
    assert not passwords.matches("", "")


def test_a_hash_of_other_parameters_is_outdated() -> None:
    encoded = Argon2Passwords(CHEAP).hash("x")
    assert not Argon2Passwords(CHEAP).is_outdated(encoded)
    assert Argon2Passwords(replace(CHEAP, passes=2)).is_outdated(encoded)
