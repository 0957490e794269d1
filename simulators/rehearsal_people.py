"""The people of the demo: each has an account, a password of their own, and a part of the work that nobody else does."""

import itertools
from collections.abc import Mapping, Sequence

from simulators.rehearsal_run import Rehearsal

__all__ = ["acting", "begin_work", "log_in_again", "people_of_office"]

ADMINISTRATOR, SECOND_ADMINISTRATOR = "admin", "admin-2"
ALONE = frozenset({"clerk", "endorser", "auditor"})
"""The roles that one administrator gives alone."""


def acting(home: str, name: str) -> tuple[str, ...]:
    """How the commands of somebody begin: each has a session file of their own."""
    return ("membercard-issuer", "--home", home, "--session", f"{home}/sessions/{name}")


def people_of_office(
    demo: Rehearsal, home: str, people: Mapping[str, Sequence[str]], *, quiet: bool = False
) -> None:
    """Make the two first administrators; one makes the others (name -> roles), the other one confirms.

    Passwords are to be handed over.
    """
    admin = acting(home, ADMINISTRATOR)
    own = f"{home}-secrets/{ADMINISTRATOR}.password"
    demo.run(
        *admin, "people", "create-first-administrators", ADMINISTRATOR, SECOND_ADMINISTRATOR,
        "--password-file", own,
        "--second-password-file", f"{home}-secrets/{SECOND_ADMINISTRATOR}.given",
        quiet=quiet,
    )  # fmt: skip
    demo.run(*admin, "login", ADMINISTRATOR, "--password-file", own, quiet=quiet)
    second = begin_work(demo, home, SECOND_ADMINISTRATOR, quiet=quiet)
    waiting = itertools.count(1)
    for name, roles in people.items():
        given = f"{home}-secrets/{name}.given"
        words = [word for role in roles for word in ("--role", role)]
        demo.run(*admin, "people", "create", name, *words, "--password-file", given, quiet=quiet)
        for role in roles:
            if role not in ALONE:
                demo.run(*second, "people", "confirm", str(next(waiting)), quiet=quiet)


def begin_work(demo: Rehearsal, home: str, name: str, *, quiet: bool = False) -> tuple[str, ...]:
    """The first log-in, with a password of one's own in place of the one that was handed over."""
    person, secrets = acting(home, name), f"{home}-secrets"
    demo.run(
        *person, "login", name, "--password-file", f"{secrets}/{name}.given",
        "--new-password-file", f"{secrets}/{name}.password",
        quiet=quiet,
    )  # fmt: skip
    return person


def log_in_again(demo: Rehearsal, home: str, name: str, *, quiet: bool = False) -> None:
    """What decides or signs wants the password anew; on the command line that stands for the second factor."""
    own = f"{home}-secrets/{name}.password"
    demo.run(*acting(home, name), "login", name, "--password-file", own, quiet=quiet)
