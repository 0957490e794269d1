"""People for tests: passwords that cost nothing, a clock that is set by hand, and actors who may do everything."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from issuer.bootstrap_people import login_policy
from issuer.domain.account import Account
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.domain.session import Face, SessionToken
from issuer.identity.argon2_passwords import Argon2Parameters, Argon2Passwords
from issuer.services.confirm_accounts import ConfirmationOfAccounts
from issuer.services.log_in import LogIn, OpenedSession
from issuer.services.people import People
from issuer.services.register_ports import Register
from issuer.settings import PeopleSettings

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
PASSWORD = "nước chảy đá mòn"
OTHER_PASSWORD = "có công mài sắt"
OTHER_ROOT = AccountName("root-2")
CHEAP = Argon2Parameters(memory_kib=8, passes=1, lanes=1, at_once=4)
PROVINCE = Organisation(code=OrganisationCode("P"), name="Tỉnh ủy Giả Định", committee_number="98")
COMMUNE = Organisation(
    code=OrganisationCode("P-01"), name="Đảng ủy xã Mẫu", parent_code=OrganisationCode("P")
)
OTHER_PROVINCE = Organisation(
    code=OrganisationCode("Q"), name="Tỉnh ủy Khác", committee_number="97"
)


class Clock:
    """It stands until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **words: float) -> None:
        self.now += timedelta(**words)


class CountingPasswords(Argon2Passwords):
    """Cheap Argon2id that counts how often it worked: what an attacker could measure."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.work = 0

    def hash(self, password: str) -> str:
        self.work += 1
        return super().hash(password)

    def matches(self, encoded: str, password: str) -> bool:
        self.work += 1
        return super().matches(encoded, password)


@dataclass(kw_only=True)
class Stage:
    """Accounts and log-ins over one register."""

    register: Register
    clock: Clock = field(default_factory=Clock)
    passwords: CountingPasswords = field(default_factory=CountingPasswords)
    settings: PeopleSettings = field(default_factory=PeopleSettings)

    def __post_init__(self) -> None:
        with self.register.writing() as transaction:
            transaction.organisations.add([PROVINCE, COMMUNE, OTHER_PROVINCE])

    @property
    def people(self) -> People:
        return People(register=self.register, passwords=self.passwords, clock=self.clock)

    @property
    def confirmation(self) -> ConfirmationOfAccounts:
        return ConfirmationOfAccounts(
            register=self.register, passwords=self.passwords, clock=self.clock
        )

    @property
    def log_in(self) -> LogIn:
        return LogIn(
            register=self.register,
            passwords=self.passwords,
            policy=login_policy(self.settings),
            clock=self.clock,
            random_bytes=secrets.token_bytes,
        )

    def administrator(self, name: str = "root") -> Actor:
        """The first of two administrators, as the actor of a console session after a second factor."""
        first, _ = self.people.create_first_administrators(
            AccountName(name), OTHER_ROOT, passwords=(PASSWORD, OTHER_PASSWORD)
        )
        return self.actor(first)

    def other_administrator(self) -> Actor:
        """The second one, likewise."""
        return self.actor(self.account(OTHER_ROOT))

    def confirm_all(self, actor: Actor | None = None) -> None:
        """The second administrator, or somebody else, confirms whatever waits."""
        by = self.other_administrator() if actor is None else actor
        for each in self.confirmation.waiting(actor=by):
            self.confirmation.confirm(each.number, actor=by, draw=lambda _: OTHER_PASSWORD)

    def actor(self, account: Account) -> Actor:
        return Actor(
            account=account.name, assignments=account.assignments, stepped_up_at=self.clock.now
        )

    def person(self, admin: Actor, name: str, *assignments: Assignment) -> Account:
        """An account with a password of its own."""
        self.people.create(
            AccountName(name), actor=admin, assignments=assignments, password=OTHER_PASSWORD
        )
        self.confirm_all()
        opened = self.log_in.log_in(name, OTHER_PASSWORD, face=Face.CONSOLE)
        self.log_in.change_password(
            opened.token, face=Face.CONSOLE, old=OTHER_PASSWORD, new=PASSWORD
        )
        return self.account(name)

    def account(self, name: str) -> Account:
        with self.register.reading() as transaction:
            return transaction.people.get(AccountName(name))

    def enter(self, name: str, *, face: Face = Face.CONSOLE, **words: str) -> OpenedSession:
        return self.log_in.log_in(name, PASSWORD, face=face, **words)

    def actions(self) -> list[str]:
        with self.register.reading() as transaction:
            return [each.action for each in transaction.audit.records()]


def role(name: Role, organisation: Organisation | None = None) -> Assignment:
    return Assignment(role=name, organisation=None if organisation is None else organisation.code)


def token_text(opened: OpenedSession) -> SessionToken:
    """The token as it comes back from a cookie."""
    return SessionToken.from_text(opened.token.text)
