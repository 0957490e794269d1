"""Logging in and out: from a name and a password to a session, and from a session's token to whoever acts in it."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from issuer.domain.account import (
    Account,
    PasswordHash,
    check_new_password,
    is_account_name,
    normalised_password,
)
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.login_attempts import (
    AttemptKey,
    AttemptLimit,
    FailedAttempts,
    key_of_account,
    key_of_address,
)
from issuer.domain.rights import AccountName, Actor
from issuer.domain.session import (
    SESSION_TOKEN_BYTES,
    Face,
    LoginMethod,
    Restriction,
    Session,
    SessionId,
    SessionLifetime,
    SessionToken,
)
from issuer.errors import IssuerDataError, IssuerRefusedError, TooManyAttemptsError
from issuer.services.account_records import record_act_on
from issuer.services.people_ports import PasswordHasher
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["LogIn", "LoginPolicy", "OpenedSession", "Presence"]

_TOUCH_AFTER: Final = timedelta(minutes=1)
"""How exactly it is written down when a session was last used: not every look at a page is a write."""

_SYSTEM: Final = AccountName("system")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPolicy:
    """How long sessions last, how often somebody may try, and what a password proves on the command line.

    Attributes:
        console: the lifetime of a console's session.
        command_line: the lifetime of a command line's session.
        by_account: failures that are counted for a name.
        by_address: failures that are counted for a network address.
        password_steps_up: whether a password that was just typed counts as the second factor on the command line, for
            accounts that have none.
    """

    console: SessionLifetime
    command_line: SessionLifetime
    by_account: AttemptLimit
    by_address: AttemptLimit
    password_steps_up: bool

    def lifetime(self, face: Face) -> SessionLifetime:
        """How long a session of this face lasts."""
        return self.console if face is Face.CONSOLE else self.command_line


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSession:
    """A session as whoever opened it gets it: the token is said here, once."""

    token: SessionToken = field(repr=False)
    session: Session
    account: AccountName


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Somebody who is logged in.

    Attributes:
        actor: who acts; without any role where something must be done first.
        session: in which session.
        restriction: what must be done first.
    """

    actor: Actor
    session: Session

    def over_http(self) -> "Presence":
        """The same as far as it counts over HTTP: whoever sends a token need not be at the machine.

        The password stands for the second factor only where somebody runs commands on the server.
        """
        if not self.session.rests_on_password:
            return self
        return replace(self, actor=replace(self.actor, stepped_up_at=None))

    @property
    def restriction(self) -> Restriction | None:
        """What must be done before the session has any role."""
        return self.session.restriction


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    """The use cases of whoever logs in, is logged in, and logs out."""

    register: Register
    passwords: PasswordHasher
    policy: LoginPolicy
    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]

    def log_in(
        self, name: str, password: str, *, face: Face, address: str | None = None
    ) -> OpenedSession:
        """A session for whoever knows the password.

        An account that does not exist, is disabled, or has no password is refused with the same sentence and after the
        same work as a wrong password.

        Args:
            name: as it was typed.
            password: as it was typed.
            face: where the session is to hold.
            address: where the attempt comes from; ``None`` where it comes from no network.

        Raises:
            IssuerDataError: ``password.too-long``.
            IssuerRefusedError: ``login.refused``, ``login.second-factor-needed``.
            TooManyAttemptsError: ``login.too-many-attempts``.
        """
        password = normalised_password(password)
        limits = self._limits(name, address)
        # 1. The attempt is on record as failed before it is judged: many at once get no further than one by one.
        account, began_at = self._begin_attempt(name, limits)
        # 2. The slow comparison, in no transaction.
        known = self._compare(name, account, password, limits)
        # 3. It succeeded: the account's failures are forgotten, the address is given this one back.
        is_outdated = self.passwords.is_outdated(known.encoded)
        rehashed = self.passwords.hash(password) if is_outdated else None
        now = self.clock()
        with self.register.writing() as transaction:
            for key, limit in limits.items():
                self._forgive(transaction, key, limit, began_at=began_at, now=now)
            # Whoever was disabled, or got another password meanwhile, is refused like anybody.
            current = transaction.people.find(AccountName(name))
            if current is None or not current.is_active or current.password != known:
                raise _refused()
            if rehashed is not None:
                kept = replace(known, encoded=rehashed)
                transaction.people.replace(replace(current, password=kept))
            return self._open(transaction, current, LoginMethod.PASSWORD, face=face, now=now)

    def log_in_as(self, name: AccountName, *, method: LoginMethod, face: Face) -> OpenedSession:
        """A session for an account of whom another service has just said that it is they.

        Raises:
            IssuerRefusedError: there is no such active account (``login.refused``);
                ``login.second-factor-needed``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            account = transaction.people.find(name)
            if account is None or not account.is_active:
                raise _refused()
            return self._open(transaction, account, method, face=face, now=now)

    def authenticate(self, token: SessionToken, *, face: Face) -> Presence:
        """Who acts in this session.

        Raises:
            IssuerRefusedError: it is over, or was never one (``session.ended``).
        """
        now = self.clock()
        with self.register.reading() as transaction:
            found = transaction.sessions.find(token.digest)
        idle = self.policy.lifetime(face).idle
        if (
            found is None
            or found.session.face is not face
            or not found.account.is_active
            or not found.session.is_alive(now, idle=idle)
        ):
            raise IssuerRefusedError(
                "nobody is logged in here, or the session is over",
                code="session.ended",
                hint="log in",
            )
        session, account = found.session, found.account
        if now - session.seen_at > _TOUCH_AFTER:
            with self.register.writing() as transaction:
                transaction.sessions.touch(token.digest, now)
        is_free = session.restriction is None
        return Presence(
            actor=Actor(
                account=account.name,
                assignments=account.assignments if is_free else (),
                stepped_up_at=session.stepped_up_at if is_free else None,
            ),
            session=session,
        )

    def change_password(
        self, token: SessionToken, *, face: Face, old: str, new: str
    ) -> OpenedSession:
        """Set one's own password; every other session of the account ends, and this one gets another token.

        Raises:
            IssuerRefusedError: ``session.ended``, ``login.refused``.
            IssuerDataError: as ``check_new_password``; the old one again (``password.unchanged``).
            TooManyAttemptsError: ``login.too-many-attempts``.
        """
        presence = self.authenticate(token, face=face)
        name = presence.actor.account
        limits = self._limits(name, None)
        old = normalised_password(old)
        chosen = check_new_password(new, account=name)
        if chosen == old:
            raise IssuerDataError("the new password is the old one", code="password.unchanged")
        account, began_at = self._begin_attempt(name, limits)
        known = self._compare(name, account, old, limits)
        encoded = self.passwords.hash(chosen)
        now = self.clock()
        with self.register.writing() as transaction:
            for key, limit in limits.items():
                self._forgive(transaction, key, limit, began_at=began_at, now=now)
            current = transaction.people.get(name)
            found = transaction.sessions.find(token.digest)
            if current.password != known or found is None:
                raise _refused()
            password = PasswordHash(encoded=encoded, set_at=now, is_provisional=False)
            transaction.people.replace(replace(current, password=password))
            session = found.session
            transaction.sessions.end_all(current.account_id)
            fresh = self._new_token()
            is_due = session.restriction is Restriction.PASSWORD_CHANGE_DUE
            session = replace(
                session,
                token_digest=fresh.digest,
                seen_at=now,
                restriction=self._restriction(transaction, current, face)
                if is_due
                else session.restriction,
            )
            transaction.sessions.add(session)
            record_act_on(
                current, "account.password-changed", transaction=transaction, by=name, at=now
            )
        return OpenedSession(token=fresh, session=session, account=name)

    def log_out(self, token: SessionToken) -> None:
        """End a session; one that is over already is left alone."""
        now = self.clock()
        with self.register.writing() as transaction:
            found = transaction.sessions.find(token.digest)
            if found is not None and transaction.sessions.end(token.digest):
                record_act_on(
                    found.account, "session.closed", transaction=transaction,
                    by=found.account.name, at=now, session=str(found.session.session_id),
                )  # fmt: skip

    def _limits(self, name: str, address: str | None) -> Mapping[AttemptKey, AttemptLimit]:
        limits = {key_of_account(name): self.policy.by_account}
        if address is not None:
            limits[key_of_address(address)] = self.policy.by_address
        # One order for everybody, so that two attempts never wait for each other.
        return dict(sorted(limits.items()))

    def _begin_attempt(
        self, name: str, limits: Mapping[AttemptKey, AttemptLimit]
    ) -> tuple[Account | None, datetime]:
        now = self.clock()
        with self.register.writing() as transaction:
            for key, limit in limits.items():
                known = transaction.sessions.attempts(key)
                known = (known or FailedAttempts.none(now)).known_at(now, limit)
                if now < known.blocked_until:
                    raise _too_many(known.blocked_until - now)
                transaction.sessions.remember_attempts(key, known.one_more(now, limit))
            # What cannot be a name may hold what a database takes for no text.
            account = transaction.people.find(AccountName(name)) if is_account_name(name) else None
            return account, now

    def _compare(
        self,
        name: str,
        account: Account | None,
        password: str,
        limits: Mapping[AttemptKey, AttemptLimit],
    ) -> PasswordHash:
        """What the password was compared with; ``login.refused`` where it is not the account's."""
        if account is None or account.password is None or not account.is_active:
            self.passwords.matches_nothing(password)
        elif self.passwords.matches(account.password.encoded, password):
            return account.password
        key = key_of_account(name)
        now = self.clock()
        with self.register.writing() as transaction:
            attempts = transaction.sessions.attempts(key)
            count = 0 if attempts is None else attempts.count
            if limits[key].delay_after(count):
                # What was typed as a name may be no name: the record holds its digest, for each alike.
                transaction.audit.append(
                    AuditRecord(
                        at=now,
                        account=_SYSTEM,
                        action="login.delayed",
                        subject=AuditSubject.ACCOUNT,
                        subject_id=key.hex(),
                        details={"failures": count},
                    )
                )
        raise _refused()

    def _forgive(
        self,
        transaction: RegisterTransaction,
        key: AttemptKey,
        limit: AttemptLimit,
        *,
        began_at: datetime,
        now: datetime,
    ) -> None:
        if limit is self.policy.by_account:
            transaction.sessions.forget_attempts(key)
            return
        attempts = transaction.sessions.attempts(key)
        if attempts is not None:
            forgiven = attempts.one_less(began_at=began_at, now=now)
            transaction.sessions.remember_attempts(key, forgiven)

    def _open(
        self,
        transaction: RegisterTransaction,
        account: Account,
        method: LoginMethod,
        *,
        face: Face,
        now: datetime,
    ) -> OpenedSession:
        token = self._new_token()
        lifetime = self.policy.lifetime(face)
        is_provisional = (
            method is LoginMethod.PASSWORD
            and account.password is not None
            and account.password.is_provisional
        )
        restriction = self._restriction(transaction, account, face)
        # Whoever has a key shows it where it counts: a password that somebody learned is not to stand for it.
        has_key = bool(transaction.people.second_factors(account.account_id))
        knows_password = face is Face.COMMAND_LINE and method is LoginMethod.PASSWORD
        session = Session(
            session_id=SessionId(uuid.uuid4()),
            token_digest=token.digest,
            account_id=account.account_id,
            face=face,
            method=method,
            created_at=now,
            expires_at=now + lifetime.absolute,
            seen_at=now,
            stepped_up_at=now
            if knows_password and self.policy.password_steps_up and not has_key
            else None,
            restriction=Restriction.PASSWORD_CHANGE_DUE if is_provisional else restriction,
        )
        # Whoever logs in sweeps: what is over is forgotten without a job of its own.
        longest = max(self.policy.console.idle, self.policy.command_line.idle)
        transaction.sessions.end_expired(now, unused_since=now - longest)
        memory = max(self.policy.by_account.memory, self.policy.by_address.memory)
        transaction.sessions.forget_attempts_before(now - memory)
        transaction.sessions.add(session)
        record_act_on(
            account, "session.opened", transaction=transaction, by=account.name, at=now,
            face=face.value, method=method.value, session=str(session.session_id),
        )  # fmt: skip
        return OpenedSession(token=token, session=session, account=account.name)

    def _restriction(
        self, transaction: RegisterTransaction, account: Account, face: Face
    ) -> Restriction | None:
        """Whoever has a second factor shows it; on the command line they do without it, and without what asks for it."""
        if not transaction.people.second_factors(account.account_id):
            return None
        if face is Face.CONSOLE:
            return Restriction.SECOND_FACTOR_DUE
        if self.policy.password_steps_up:
            return None
        raise IssuerRefusedError(
            "the account has a second factor, which a terminal cannot ask for",
            code="login.second-factor-needed",
            hint="use the console",
        )

    def _new_token(self) -> SessionToken:
        return SessionToken(self.random_bytes(SESSION_TOKEN_BYTES))


def _refused() -> IssuerRefusedError:
    return IssuerRefusedError("account or password is wrong", code="login.refused")


def _too_many(wait: timedelta) -> TooManyAttemptsError:
    seconds = int(wait.total_seconds()) + 1
    return TooManyAttemptsError(
        f"it was tried too often: try again in {seconds} s", retry_after=seconds
    )
