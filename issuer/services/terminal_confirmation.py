"""A terminal cannot ask for a security key: whoever works at it shows the key in the console, for a code that it shows.

The code stands in the terminal's session, holds once and for five minutes, and opens nothing by itself: only the same
account, in a console in which the key was shown lately, can say it. Typed in another account's console it is unknown.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from issuer.domain.rights import STEP_UP_TIME, AccountName
from issuer.domain.second_factor import CHALLENGE_LIFETIME, Challenge
from issuer.domain.session import Face, Session, SessionToken
from issuer.errors import IssuerRefusedError
from issuer.services.account_records import record_act_on
from issuer.services.log_in import LogIn, Presence
from issuer.services.register_ports import Register

__all__ = ["TerminalCode", "TerminalConfirmation"]

_ALPHABET: Final = "ABCDEFGHJKMNPQRSTVWXYZ0123456789"
"""32 characters, none of which looks like another of them to whoever copies a code: no I, L, O, U."""

_CHARACTERS: Final = 8
_CODE: Final = re.compile(f"[{_ALPHABET}]{{{_CHARACTERS}}}")
_FOR_TERMINAL: Final = b"terminal:"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalCode:
    """What the terminal shows, since when, and until when it holds."""

    text: str = field(repr=False)
    begun_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalConfirmation:
    """The use cases of a terminal that is confirmed in the console."""

    register: Register
    log_in: LogIn
    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]

    def begin(self, token: SessionToken) -> TerminalCode:
        """A code for the terminal in whose session this is, in place of the one before.

        Raises:
            IssuerRefusedError: ``session.ended``, ``session.restricted``; the account has no second factor that could
                be shown (``second-factor.missing``).
        """
        presence = self.log_in.authenticate(token, face=Face.COMMAND_LINE)
        _require_free(presence)
        name, now = presence.actor.account, self.clock()
        until = now + CHALLENGE_LIFETIME
        drawn = "".join(_ALPHABET[each % len(_ALPHABET)] for each in self.random_bytes(_CHARACTERS))
        with self.register.writing() as transaction:
            if not transaction.people.second_factors(presence.session.account_id):
                raise IssuerRefusedError(
                    f"account {name} has no second factor",
                    code="second-factor.missing",
                    hint="register a security key in the console, or log in again with the password",
                )
            transaction.sessions.challenge(
                token.digest, Challenge(value=_kept(name, drawn), expires_at=until)
            )
        return TerminalCode(text=f"{drawn[:4]}-{drawn[4:]}", begun_at=now, until=until)

    def require_shown(self, token: SessionToken) -> Presence:
        """Let pass who showed their key in this console lately, and so may confirm a terminal.

        Raises:
            IssuerRefusedError: ``session.ended``, ``session.restricted``, ``right.step-up-needed``.
        """
        presence = self.log_in.authenticate(token, face=Face.CONSOLE)
        _require_free(presence)
        shown = presence.actor.stepped_up_at
        if shown is None or self.clock() - shown > STEP_UP_TIME:
            raise IssuerRefusedError(
                "this needs the second factor again", code="right.step-up-needed"
            )
        return presence

    def confirm(self, token: SessionToken, code: str) -> Session:
        """Let the terminal that shows this code do what needs the second factor; its session.

        Args:
            token: the console's, of the same account.
            code: as it was typed.

        Raises:
            IssuerRefusedError: ``session.ended``, ``session.restricted``; no key was shown in this console lately
                (``right.step-up-needed``); no terminal of the account shows this code now (``terminal-code.unknown``).
        """
        presence = self.require_shown(token)
        now, name = self.clock(), presence.actor.account
        typed = re.sub(r"[\s-]", "", code).upper()
        with self.register.writing() as transaction:
            confirmed = None
            if _CODE.fullmatch(typed):
                confirmed = transaction.sessions.step_up_by_challenge(
                    presence.session.account_id, _kept(name, typed), face=Face.COMMAND_LINE, now=now
                )
            if confirmed is None:
                raise IssuerRefusedError(
                    "no terminal of yours shows this code, or it showed it more than five minutes ago",
                    code="terminal-code.unknown",
                )
            record_act_on(
                transaction.people.get(name), "session.terminal-confirmed",
                transaction=transaction, by=name, at=now,
                session=str(confirmed.session_id), console=str(presence.session.session_id),
            )  # fmt: skip
        return confirmed


def _require_free(presence: Presence) -> None:
    if presence.restriction is not None:
        raise IssuerRefusedError(
            f"something must be done first: {presence.restriction}", code="session.restricted"
        )


def _kept(account: AccountName, code: str) -> bytes:
    return _FOR_TERMINAL + hashlib.sha256(f"{account}\n{code}".encode()).digest()
