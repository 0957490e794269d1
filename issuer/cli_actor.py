"""Who a command acts for: the user of this machine who may open the home, with every right that they need for it."""

import os
import pwd
from datetime import UTC, datetime

from issuer.domain.rights import AccountName, Actor, Assignment, Role

__all__ = ["command_actor"]


def command_actor(*roles: Role) -> Actor:
    """The user of the operating system, in these roles for the whole register.

    Whoever runs a command on the machine with the home can open its database by other means as well: the
    command line keeps nobody out, it says in the records who it was.
    """
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return Actor(
        account=AccountName(f"local:{name}"),
        assignments=tuple(Assignment(role=role) for role in roles),
        stepped_up_at=datetime.now(UTC),
    )
