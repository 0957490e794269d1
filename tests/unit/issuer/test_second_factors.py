"""Second factors: registered with a software authenticator, shown to log in and to step up, and used to sign a digest."""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from issuer.bootstrap_second_factors import relying_party
from issuer.domain.rights import STEP_UP_TIME, AccountName, Right, Role
from issuer.domain.second_factor import CHALLENGE_LIFETIME, MAX_SECOND_FACTORS
from issuer.domain.session import Face, Restriction, SessionToken
from issuer.errors import IssuerError
from issuer.identity.webauthn_responses import WebauthnResponses
from issuer.services.register_ports import Register
from issuer.services.second_factor_ports import RelyingParty
from issuer.services.second_factors import SecondFactors, SignedDigest
from issuer.settings import PeopleSettings
from pki.errors import PkiRefusedError
from pki.services.assertion_judging import judge_assertion
from pki.services.credential_state import CredentialRecord, CredentialState
from pki.signed.authorisation import OperatorAssertion
from pki.signed.webauthn import encode_base64url
from tests.unit.issuer.people_stage import OTHER_PASSWORD, PASSWORD, Stage, role
from tests.unit.pki.authenticator import UP, UV, Authenticator

AN = AccountName("an")
CERTIFICATE = b"the certificate of an"
ORIGIN = "https://register.example"
PARTY = RelyingParty(origin=ORIGIN, rp_id="register.example")
OURS = {"origin": ORIGIN, "rp_id": "register.example"}


@pytest.fixture
def stage(empty_register: Register) -> Stage:
    made = Stage(register=empty_register)
    made.person(made.administrator(), "an", role(Role.DECIDER))
    made.clock.forward(minutes=1)
    return made


def factors_of(stage: Stage) -> SecondFactors:
    return SecondFactors(
        register=stage.register,
        log_in=stage.log_in,
        judge=WebauthnResponses(PARTY),
        clock=stage.clock,
        random_bytes=secrets.token_bytes,
    )


def code_of(act: Callable[[], object]) -> str | None:
    try:
        act()
    except IssuerError as error:
        return error.code
    return None


def answer(authenticator: Authenticator, challenge: bytes, **words: object) -> bytes:
    """What ``PublicKeyCredential.toJSON()`` gives of an assertion."""
    said = authenticator.answer(challenge, CERTIFICATE, **(OURS | words))  # type: ignore[arg-type]  # words of answer
    return json.dumps(
        {
            "id": encode_base64url(said.credential_id),
            "rawId": encode_base64url(said.credential_id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encode_base64url(said.client_data),
                "authenticatorData": encode_base64url(said.authenticator_data),
                "signature": encode_base64url(said.signature),
            },
        }
    ).encode()


def register(stage: Stage, token: SessionToken, key: Authenticator | None = None) -> Authenticator:
    factors, key = factors_of(stage), key or Authenticator()
    options = factors.begin_registration(token)
    factors.finish_registration(token, key.register(options.challenge, **OURS), label="khóa 1")
    return key


def show(stage: Stage, token: SessionToken, key: Authenticator) -> SessionToken:
    factors = factors_of(stage)
    challenge = factors.begin_assertion(token).challenge
    return factors.step_up(token, answer(key, challenge)).token


def test_a_key_is_registered_and_from_then_on_asked_for(stage: Stage) -> None:
    token = stage.enter("an").token
    key = register(stage, token)
    (factor,) = factors_of(stage).list(token)
    assert (factor.credential_id, factor.label) == (key.credential_id, "khóa 1")
    assert "second-factor.registered" in stage.actions()

    due = stage.enter("an").token
    present = stage.log_in.authenticate(due, face=Face.CONSOLE)
    assert present.restriction is Restriction.SECOND_FACTOR_DUE
    assert (present.actor.assignments, present.actor.stepped_up_at) == ((), None)
    shown = show(stage, due, key)
    assert code_of(lambda: stage.log_in.authenticate(due, face=Face.CONSOLE)) == "session.ended"
    present = stage.log_in.authenticate(shown, face=Face.CONSOLE)
    assert present.restriction is None
    assert present.actor.stepped_up_at == stage.clock.now
    present.actor.demand(Right.DECIDE, place=(), now=stage.clock.now)
    assert stage.actions()[-1] == "session.stepped-up"


def test_a_due_session_does_nothing_but_show_the_factor(stage: Stage) -> None:
    register(stage, stage.enter("an").token)
    due, factors = stage.enter("an").token, factors_of(stage)
    for act in (
        lambda: factors.begin_registration(due),
        lambda: factors.finish_registration(due, b"{}", label="x"),
        lambda: factors.list(due),
        lambda: factors.remove(due, b"x"),
    ):
        assert code_of(act) == "session.restricted"


def test_a_provisional_password_registers_and_shows_nothing(stage: Stage) -> None:
    register(stage, stage.enter("an").token)
    root = stage.actor(stage.account("root"))
    stage.people.reset_password(AN, draw=lambda: OTHER_PASSWORD, actor=root)
    stage.confirm_all()
    log_in, factors = stage.log_in, factors_of(stage)
    token = log_in.log_in("an", OTHER_PASSWORD, face=Face.CONSOLE).token
    for act in (lambda: factors.begin_registration(token), lambda: factors.begin_assertion(token)):
        assert code_of(act) == "session.restricted"
    # An administrator who knows the provisional password still has not the key.
    own = log_in.change_password(token, face=Face.CONSOLE, old=OTHER_PASSWORD, new=PASSWORD)
    present = log_in.authenticate(own.token, face=Face.CONSOLE)
    assert present.restriction is Restriction.SECOND_FACTOR_DUE
    assert present.actor.assignments == ()


def test_the_first_key_is_registered_soon_after_the_log_in(stage: Stage) -> None:
    token = stage.enter("an").token
    factors = factors_of(stage)
    options = factors.begin_registration(token)
    stage.clock.forward(seconds=STEP_UP_TIME.total_seconds() + 1)
    assert code_of(lambda: factors.begin_registration(token)) == "second-factor.log-in-again"
    late = Authenticator().register(options.challenge, **OURS)
    refused = code_of(lambda: factors.finish_registration(token, late, label="x"))
    assert refused == "webauthn.challenge-missing"


def test_a_first_key_that_another_page_registered_meanwhile_makes_the_next_a_further_one(
    stage: Stage,
) -> None:
    token, other, factors = stage.enter("an").token, stage.enter("an").token, factors_of(stage)
    options = factors.begin_registration(token)
    register(stage, other)
    second = Authenticator().register(options.challenge, **OURS)
    refused = code_of(lambda: factors.finish_registration(token, second, label="x"))
    assert refused == "right.step-up-needed"


def test_a_further_key_needs_one_that_is_there(stage: Stage) -> None:
    token = stage.enter("an").token
    key = register(stage, token)
    factors = factors_of(stage)
    assert code_of(lambda: factors.begin_registration(token)) == "right.step-up-needed"
    token = show(stage, token, key)
    options = factors.begin_registration(token)
    assert options.exclude == (key.credential_id,)
    second = Authenticator()
    factors.finish_registration(token, second.register(options.challenge, **OURS), label="x")
    assert {each.credential_id for each in factors.list(token)} == {
        key.credential_id, second.credential_id,
    }  # fmt: skip
    factors.remove(token, key.credential_id)
    assert (
        code_of(lambda: factors.remove(token, key.credential_id)) == "webauthn.credential-unknown"
    )
    assert [each.credential_id for each in factors.list(token)] == [second.credential_id]
    stage.clock.forward(seconds=STEP_UP_TIME.total_seconds() + 1)
    assert code_of(lambda: factors.remove(token, second.credential_id)) == "right.step-up-needed"


def test_keys_are_bounded(stage: Stage) -> None:
    token = stage.enter("an").token
    key = register(stage, token)
    token = show(stage, token, key)
    for _ in range(MAX_SECOND_FACTORS - 1):
        register(stage, token)
    factors = factors_of(stage)
    assert code_of(lambda: factors.begin_registration(token)) == "second-factor.too-many"


def test_a_key_belongs_to_one_account(stage: Stage) -> None:
    key = register(stage, stage.enter("an").token)
    token, factors = stage.enter("root").token, factors_of(stage)
    challenge = factors.begin_registration(token).challenge
    again = key.register(challenge, **OURS)
    refused = code_of(lambda: factors.finish_registration(token, again, label="x"))
    assert refused == "webauthn.credential-exists"
    register(stage, token)
    challenge = factors.begin_assertion(token).challenge
    strange = answer(key, challenge)
    assert code_of(lambda: factors.step_up(token, strange)) == "webauthn.credential-unknown"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"origin": "https://register.example.evil"}, "webauthn.origin-differs"),
        ({"rp_id": "evil.example"}, "webauthn.rp-id-differs"),
        ({"ceremony": "webauthn.create"}, "webauthn.type-differs"),
        ({"flags": UP}, "webauthn.user-unverified"),
        ({"flags": UV}, "webauthn.user-absent"),
        ({"more": {"crossOrigin": True}}, "webauthn.framed"),
    ],
)
def test_an_assertion_that_says_something_else_shows_nothing(
    stage: Stage, words: dict[str, object], code: str
) -> None:
    token = stage.enter("an").token
    key = register(stage, token)
    factors = factors_of(stage)
    challenge = factors.begin_assertion(token).challenge
    assert code_of(lambda: factors.step_up(token, answer(key, challenge, **words))) == code
    # The challenge is used up by it.
    good = answer(key, challenge)
    assert code_of(lambda: factors.step_up(token, good)) == "webauthn.challenge-missing"
    assert stage.log_in.authenticate(token, face=Face.CONSOLE).actor.stepped_up_at is None


def test_another_challenge_another_key_and_a_counter_that_goes_back_show_nothing(
    stage: Stage,
) -> None:
    token = stage.enter("an").token
    key = register(stage, token)
    factors = factors_of(stage)

    def tried(make: Callable[[bytes], bytes]) -> str | None:
        response = make(factors.begin_assertion(token).challenge)
        return code_of(lambda: factors.step_up(token, response))

    assert tried(lambda _: answer(key, bytes(32))) == "webauthn.challenge-differs"
    other = replace(key, key=ec.generate_private_key(ec.SECP256R1()))
    assert tried(lambda challenge: answer(other, challenge)) == "webauthn.signature-wrong"
    token = show(stage, token, key)
    copy = replace(key, counter=key.counter - 1)
    assert tried(lambda challenge: answer(copy, challenge)) == "webauthn.counter-back"


def test_a_challenge_holds_for_a_while_and_for_its_session(stage: Stage) -> None:
    token = stage.enter("an").token
    key = register(stage, token)
    factors = factors_of(stage)
    challenge = factors.begin_assertion(token).challenge
    other = stage.enter("an").token
    mine = answer(key, challenge)
    assert code_of(lambda: factors.step_up(other, mine)) == "webauthn.challenge-missing"
    stage.clock.forward(seconds=(CHALLENGE_LIFETIME + timedelta(seconds=1)).total_seconds())
    assert code_of(lambda: factors.step_up(token, mine)) == "webauthn.challenge-missing"


def test_whoever_has_no_key_is_told_so(stage: Stage) -> None:
    token = stage.enter("an").token
    factors = factors_of(stage)
    assert code_of(lambda: factors.begin_assertion(token)) == "second-factor.missing"


@pytest.mark.parametrize(
    "response",
    [b"", b"{}", b"[]", b"null", b'{"id": 1}', b"\xff", b"[" * 9000, b"x" * 20_000, b'"' + b"a" * 99],
)  # fmt: skip
def test_what_no_browser_says_is_refused(stage: Stage, response: bytes) -> None:
    token = stage.enter("an").token
    factors = factors_of(stage)
    factors.begin_registration(token)
    refused = code_of(lambda: factors.finish_registration(token, response, label="x"))
    assert refused == "webauthn.malformed"
    register(stage, token)
    factors.begin_assertion(token)
    assert code_of(lambda: factors.step_up(token, response)) == "webauthn.malformed"


@pytest.mark.parametrize("label", ["", "x" * 65, "a\nb", "\x1b[31m"])
def test_a_label_is_short_and_can_be_shown(stage: Stage, label: str) -> None:
    token = stage.enter("an").token
    factors = factors_of(stage)
    options = factors.begin_registration(token)
    response = Authenticator().register(options.challenge, **OURS)
    refused = code_of(lambda: factors.finish_registration(token, response, label=label))
    assert refused == "second-factor.label-malformed"


def signed(stage: Stage, key: Authenticator, token: SessionToken, digest: bytes) -> SignedDigest:
    factors = factors_of(stage)
    assert factors.begin_assertion(token, digest=digest).challenge == digest
    return factors.sign_digest(token, answer(key, digest), digest=digest)


def test_a_digest_is_signed_as_the_signer_of_the_pki_demands_it(stage: Stage) -> None:
    token = stage.enter("an").token
    key = register(stage, token)
    digest = secrets.token_bytes(32)
    found = signed(stage, key, token, digest)
    assert (found.digest, found.account) == (digest, "an")
    actor = stage.log_in.authenticate(found.opened.token, face=Face.CONSOLE).actor
    assert actor.stepped_up_at == stage.clock.now

    # The same credential is enrolled with the PKI, with the operator's certificate.
    (factor,) = factors_of(stage).list(found.opened.token)
    state = CredentialState()
    state.credentials[key.credential_id] = CredentialRecord(
        credential_id=key.credential_id,
        operator="an",
        certificate_digest=hashlib.sha256(CERTIFICATE).digest(),
        algorithm=factor.algorithm,
        public_key=factor.public_key,
        counter=0,
        origin=ORIGIN,
        rp_id="register.example",
        enrolled_at=stage.clock.now,
    )
    assertion = OperatorAssertion(
        certificate=CERTIFICATE,
        credential_id=found.assertion.credential_id,
        authenticator_data=found.assertion.authenticator_data,
        client_data=found.assertion.client_data,
        signature=found.assertion.signature,
    )
    assert judge_assertion(assertion, operator="an", digest=digest, credentials=state) == 1


def test_a_step_up_signs_no_digest_and_a_digest_only_itself(stage: Stage) -> None:
    token = stage.enter("an").token
    key = register(stage, token)
    factors = factors_of(stage)
    challenge = factors.begin_assertion(token).challenge
    response = answer(key, challenge)
    refused = code_of(lambda: factors.sign_digest(token, response, digest=bytes(32)))
    assert refused == "webauthn.challenge-missing"


def test_keys_that_were_lost_are_taken_away_by_an_administrator(stage: Stage) -> None:
    register(stage, stage.enter("an").token)
    due = stage.enter("an").token
    root = stage.actor(stage.account("root"))
    an = stage.actor(stage.account("an"))
    people = stage.people
    assert code_of(lambda: people.remove_second_factors(AN, actor=an)) == "right.missing"
    assert code_of(lambda: people.remove_second_factors(root.account, actor=root)) == "account.own"
    assert people.remove_second_factors(AN, actor=root).proposals
    assert stage.log_in.authenticate(due, face=Face.CONSOLE)
    stage.confirm_all()
    assert code_of(lambda: stage.log_in.authenticate(due, face=Face.CONSOLE)) == "session.ended"
    assert "account.second-factors-removed" in stage.actions()
    token = stage.enter("an").token
    assert stage.log_in.authenticate(token, face=Face.CONSOLE).restriction is None


def test_a_terminal_asks_for_no_key_and_so_opens_nothing_where_a_password_is_not_enough(
    stage: Stage,
) -> None:
    register(stage, stage.enter("an").token)
    opened = stage.enter("an", face=Face.COMMAND_LINE)
    present = stage.log_in.authenticate(opened.token, face=Face.COMMAND_LINE)
    assert present.actor.assignments == (role(Role.DECIDER),)
    stage.settings = stage.settings.model_copy(update={"command_line_password_steps_up": False})
    refused = code_of(lambda: stage.enter("an", face=Face.COMMAND_LINE))
    assert refused == "login.second-factor-needed"


def test_the_settings_say_for_whom_keys_hold() -> None:
    settings = PeopleSettings()
    assert code_of(lambda: relying_party(settings)) == "second-factor.no-origin"
    named = settings.model_copy(update={"console_origin": ORIGIN})
    assert relying_party(named) == PARTY
    wider = named.model_copy(update={"console_rp_id": "evil.example"})
    with pytest.raises(PkiRefusedError) as refusal:
        relying_party(wider)
    assert refusal.value.code == "webauthn.origin-invalid"
