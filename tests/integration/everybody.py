"""One account with every role, logged in on the command line: for tests that are about something else than people.

No account can come to all these roles by the commands: it is written into the database, with its session, and the audit
trail stays as it was. The commands find the session where those of a person would find theirs.
"""

import secrets
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from issuer.bootstrap import open_register_home
from issuer.domain.account import Account, AccountId
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.domain.session import (
    SESSION_TOKEN_BYTES,
    Face,
    LoginMethod,
    Session,
    SessionId,
    SessionToken,
)
from issuer.identity.session_file import default_session_file, write_session

EVERYBODY = AccountName("everybody")


def log_in_everybody(
    home: Path,
    *,
    name: AccountName = EVERYBODY,
    assignments: Sequence[Assignment] = tuple(Assignment(role=each) for each in Role),
    shown_ago: timedelta = timedelta(0),
) -> None:
    """Make the account where there is none, and log it in; what needs the second factor works for some minutes.

    Another ``name`` is another person, for what takes two, or one whose roles are other ``assignments``; ``shown_ago``
    is how long ago they showed the second factor.
    """
    now = datetime.now(UTC)
    token = SessionToken(secrets.token_bytes(SESSION_TOKEN_BYTES))
    with open_register_home(home) as opened, opened.register.writing() as transaction:
        account = transaction.people.find(name)
        if account is None:
            account = Account(
                account_id=AccountId(uuid.uuid4()),
                name=name,
                assignments=tuple(assignments),
                created_at=now,
            )
            transaction.people.add(account)
        transaction.sessions.add(
            Session(
                session_id=SessionId(uuid.uuid4()),
                token_digest=token.digest,
                account_id=account.account_id,
                face=Face.COMMAND_LINE,
                method=LoginMethod.PASSWORD,
                created_at=now - shown_ago,
                expires_at=now + timedelta(hours=12),
                seen_at=now,
                stepped_up_at=now - shown_ago,
            )
        )
    write_session(default_session_file(home), token)
