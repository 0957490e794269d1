"""One account with every role, logged in on the command line: for tests that are about something else than people.

No account can come to all these roles by the commands; it is written into the database. The commands find its session
where those of a person would find theirs.
"""

import uuid
from datetime import UTC, datetime
from pathlib import Path

from issuer.bootstrap import open_register_home
from issuer.bootstrap_people import log_in_of
from issuer.domain.account import Account, AccountId, PasswordHash
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.domain.session import Face
from issuer.identity.argon2_passwords import Argon2Parameters, Argon2Passwords
from issuer.identity.session_file import default_session_file, write_session

EVERYBODY = AccountName("everybody")
_PASSWORD = "chỉ dùng để kiểm thử"
_CHEAP = Argon2Parameters(memory_kib=8, passes=1, lanes=1, at_once=1)


def log_in_everybody(home: Path) -> None:
    """Make the account where there is none, and log it in; what needs the second factor works for some minutes."""
    passwords = Argon2Passwords(_CHEAP)
    now = datetime.now(UTC)
    with open_register_home(home) as opened:
        with opened.register.writing() as transaction:
            if transaction.people.find(EVERYBODY) is None:
                encoded = passwords.hash(_PASSWORD)
                transaction.people.add(
                    Account(
                        account_id=AccountId(uuid.uuid4()),
                        name=EVERYBODY,
                        assignments=tuple(Assignment(role=each) for each in Role),
                        password=PasswordHash(encoded=encoded, set_at=now, is_provisional=False),
                        created_at=now,
                    )
                )
        log_in = log_in_of(opened.register, opened.settings.people, passwords=passwords)
        session = log_in.log_in(EVERYBODY, _PASSWORD, face=Face.COMMAND_LINE)
    write_session(default_session_file(home), session.token)
