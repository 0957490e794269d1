"""The commands of people, from the first administrator to whoever is logged out."""

import contextlib
import json
import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from issuer.bootstrap_people import password_hasher
from issuer.cli import main
from issuer.db.base import Database
from issuer.db.people_tables import AccountRow, SecondFactorRow, SessionRow
from issuer.domain.rights import STEP_UP_TIME
from issuer.identity.argon2_passwords import Argon2Parameters, Argon2Passwords
from issuer.settings import PeopleSettings

CHEAP = Argon2Parameters(memory_kib=8, passes=1, lanes=1, at_once=1)


class Desk:
    """One home directory, and people who each have a session file."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.home = directory / "home"
        self._capsys = capsys

    def run(self, who: str, *words: str | Path, status: int = 0) -> tuple[str, str]:
        begin = ["--home", str(self.home), "--session", str(self.session(who))]
        found = main([*begin, *map(str, words)])
        captured = self._capsys.readouterr()
        assert found == status, captured.err
        return captured.out, captured.err

    def json(self, who: str, *words: str | Path) -> Any:
        return json.loads(self.run(who, *words, "--format", "json")[0])

    def refused(self, who: str, *words: str | Path, status: int = 1) -> str:
        """The code with which a command ends."""
        _, error = self.run(who, *words, status=status)
        first = error.splitlines()[0]
        return first[first.rindex("[") + 1 : -1]

    def database(self) -> Database:
        return Database(f"sqlite:///{self.home / 'issuer.sqlite'}")

    def session(self, who: str) -> Path:
        return self.directory / "sessions" / who

    def file(self, name: str) -> Path:
        return self.directory / "passwords" / name

    def join(self, name: str, *roles: str) -> None:
        """An account, and its owner's first log-in with a password of their own."""
        words = [word for role in roles for word in ("--role", role)]
        self.run("admin", "people", "create", name, *words, "--password-file", self.file(f"{name}.given"))  # fmt: skip
        self.run(
            name, "login", name, "--password-file", self.file(f"{name}.given"),
            "--new-password-file", self.file(name),
        )  # fmt: skip


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    for name in [each for each in os.environ if each.startswith("MEMBERCARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("issuer.bootstrap_people.password_hasher", lambda _: Argon2Passwords(CHEAP))
    made = Desk(tmp_path, capsys)
    made.run("admin", "database", "upgrade")
    own = made.file("admin")
    given = made.file("second.given")
    made.run(
        "admin", "people", "create-first-administrators", "admin", "second",
        "--password-file", own, "--second-password-file", given,
    )  # fmt: skip
    made.run("admin", "login", "admin", "--password-file", own)
    organisations = tmp_path / "organisations.csv"
    organisations.write_text(
        "code,name,parent_code,committee_number\nP,Tỉnh ủy Giả Định,,98\nP-01,Đảng ủy xã Mẫu,P,98\n"
    )
    made.run("admin", "organisations", "import", organisations)
    return made


def test_an_administrator_makes_people_and_each_does_their_own_part(desk: Desk) -> None:
    assert desk.refused("admin", "people", "create-first-administrators", "other", "another",
                        "--password-file", desk.file("other"),
                        "--second-password-file", desk.file("another")) == "account.not-first"  # fmt: skip
    desk.join("an", "clerk", "auditor")
    assert desk.json("an", "whoami")["assignments"] == [
        {"role": "clerk", "organisation": None}, {"role": "auditor", "organisation": None},
    ]  # fmt: skip
    assert desk.run("an", "organisations", "list")[0].count("\n") == 3
    assert desk.refused("an", "stock", "list") == "right.missing"
    assert desk.refused("an", "people", "list") == "right.missing"
    assert desk.refused("admin", "stock", "list") == "right.missing"
    listed = desk.json("admin", "people", "list")
    assert [(each["account"], each["state"]) for each in listed] == [
        ("admin", "active"), ("an", "active"), ("second", "active"),
    ]  # fmt: skip
    assert "argon2" not in json.dumps(listed)


def test_what_takes_two_administrators_waits_for_the_other(desk: Desk) -> None:
    second = desk.file("second")
    desk.run(
        "second", "login", "second", "--password-file", desk.file("second.given"),
        "--new-password-file", second,
    )  # fmt: skip
    given = desk.file("an.given")
    out, _ = desk.run(
        "admin", "people", "create", "an", "--role", "clerk", "--role", "decider",
        "--organisation", "P", "--password-file", given,
    )  # fmt: skip
    assert out == (
        "Account an is made.\n"
        "give-role decider (P) for an: another administrator confirms it: people confirm 1\n"
    )
    (waiting,) = desk.json("second", "people", "proposals")
    assert (waiting["number"], waiting["account"], waiting["role"], waiting["proposed_by"]) == (
        1, "an", "decider", "admin",
    )  # fmt: skip
    assert "give-role" in desk.run("admin", "people", "proposals")[0]
    assert desk.refused("admin", "people", "confirm", "1") == "right.same-person"
    out, _ = desk.run("second", "people", "confirm", "1")
    assert out == "give-role decider (P) for an: done.\n"
    assert [each["role"] for each in desk.json("admin", "people", "show", "an")["assignments"]] == [
        "clerk", "decider",
    ]  # fmt: skip
    # Nobody draws a password before the other one agrees, and then it is that one's to hand over.
    new = desk.file("an.new")
    reset = ("people", "reset-password", "an", "--password-file", new)
    assert "people confirm 2" in desk.run("admin", *reset)[0]
    assert not new.exists()
    assert "people confirm 3" in desk.run("admin", "people", "remove-second-factors", "an")[0]
    out, _ = desk.run("admin", "people", "withdraw", "3")
    assert out == "remove-second-factors for an: withdrawn.\n"
    desk.run("second", "people", "confirm", "2", "--password-file", new)
    desk.run("an", "login", "an", "--password-file", new, "--new-password-file", desk.file("an"))
    desk.run("second", "people", "disable", "an")
    assert "people confirm 4" in desk.run("second", "people", "enable", "an")[0]
    desk.run("admin", "people", "confirm", "4")
    desk.run("an", "login", "an", "--password-file", desk.file("an"))
    assert desk.json("admin", "people", "proposals") == []
    assert desk.refused("an", "people", "proposals") == "right.missing"
    assert desk.refused("second", "people", "confirm", "4") == "account.proposal-unknown"


def test_nobody_who_is_not_logged_in_does_anything(desk: Desk) -> None:
    assert desk.refused("nobody", "organisations", "list") == "session.missing"
    desk.run("nobody", "members", "template")
    desk.run("admin", "logout")
    assert not desk.session("admin").exists()
    assert desk.refused("admin", "organisations", "list") == "session.missing"
    desk.session("admin").write_text("ab" * 32 + "\n")
    desk.session("admin").chmod(0o600)
    assert desk.refused("admin", "organisations", "list") == "session.ended"
    desk.session("admin").write_text("no token\n")
    assert desk.refused("admin", "organisations", "list") == "session.token-malformed"


def test_a_password_that_was_given_is_changed_at_the_first_log_in(desk: Desk) -> None:
    given = desk.file("an.given")
    desk.run("admin", "people", "create", "an", "--role", "clerk", "--password-file", given)
    # Without a terminal and without a file there is no way to a password of one's own.
    assert desk.refused("an", "login", "an", "--password-file", given) == "password.no-terminal"
    assert not desk.session("an").exists()
    assert desk.refused(
        "an", "login", "an", "--password-file", given, "--new-password-file", given
    ) == "password.unchanged"  # fmt: skip
    own = desk.file("an")
    desk.run("an", "login", "an", "--password-file", given, "--new-password-file", own)
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert desk.refused("an", "login", "an", "--password-file", given) == "login.refused"
    desk.run("an", "login", "an", "--password-file", own)


def test_the_password_is_typed_where_there_is_a_terminal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.join("an", "clerk")
    typed = [desk.file("an").read_text().strip()]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: typed.pop())
    out, error = desk.run("an", "login", "an")
    assert "an is logged in until" in out
    assert not typed
    assert desk.file("an").read_text().strip() not in out + error


def test_logging_in_again_ends_the_session_before(desk: Desk) -> None:
    before = desk.session("admin").read_text()
    desk.run("admin", "login", "admin", "--password-file", desk.file("admin"))
    assert desk.session("admin").read_text() != before
    old = desk.session("old")
    old.write_text(before)
    old.chmod(0o600)
    assert desk.refused("old", "whoami") == "session.ended"


def test_the_session_file_is_its_owners_alone(desk: Desk) -> None:
    path = desk.session("admin")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    assert desk.refused("admin", "whoami") == "session-file.exposed"
    path.chmod(0o600)
    link = desk.session("link")
    link.symlink_to(path)
    assert desk.refused("link", "whoami", status=2) == "session-file.unavailable"
    os.mkfifo(desk.session("pipe"), 0o600)
    assert desk.refused("pipe", "whoami") == "session.token-malformed"


def test_the_session_lies_in_the_home_unless_a_file_is_named(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ["--home", str(desk.home)]
    assert main([*home, "login", "admin", "--password-file", str(desk.file("admin"))]) == 0
    path = desk.home / "sessions" / str(os.getuid())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert main([*home, "whoami"]) == 0
    monkeypatch.setenv("MEMBERCARD_ISSUER_SESSION", str(desk.session("nobody")))
    assert main([*home, "whoami"]) == 1
    capsys.readouterr()


def test_a_role_holds_for_its_part_of_the_tree(desk: Desk) -> None:
    desk.join("an")
    assert desk.refused("an", "organisations", "list") == "right.missing"
    desk.run("admin", "people", "assign", "an", "clerk", "--organisation", "P-01")
    # Without an organisation everybody sees their own part.
    assert [each["code"] for each in desk.json("an", "organisations", "list")] == ["P-01"]
    assert desk.refused("an", "members", "list", "--organisation", "P") == "right.missing"
    assert desk.refused("an", "members", "list", "--organisation", "Z") == "organisation.unknown"
    desk.run("an", "members", "list", "--organisation", "P-01")
    desk.run("admin", "people", "assign", "an", "clerk", "--organisation", "P")
    out, _ = desk.run("admin", "people", "unassign", "an", "clerk", "--organisation", "P-01")
    assert out == "an: clerk (P).\n"
    desk.run("an", "members", "list", "--organisation", "P-01")


def test_people_are_disabled_reset_and_logged_out(desk: Desk) -> None:
    desk.join("an", "clerk")
    desk.run("admin", "people", "end-sessions", "an")
    assert desk.refused("an", "whoami") == "session.ended"
    desk.run("an", "login", "an", "--password-file", desk.file("an"))
    desk.run("admin", "people", "disable", "an")
    assert desk.refused("an", "whoami") == "session.ended"
    login = ("login", "an", "--password-file", desk.file("an"))
    assert desk.refused("an", *login) == "login.refused"
    desk.run("admin", "people", "enable", "an")
    desk.run("an", *login)
    new = desk.file("an.new")
    desk.run("admin", "people", "reset-password", "an", "--password-file", new)
    assert desk.refused("an", *login) == "login.refused"
    out, _ = desk.run("admin", "people", "remove-second-factors", "an")
    assert out == "Account an has no second factor.\n"
    assert desk.refused("admin", "people", "disable", "admin") == "account.own"
    assert desk.refused("admin", "people", "show", "nobody") == "account.unknown"
    assert desk.refused("admin", "people", "show", "No Body") == "account.name-malformed"
    assert desk.json("admin", "people", "show", "an")["has_password"] is True


def test_what_changes_people_wants_the_password_anew(desk: Desk) -> None:
    desk.join("an", "clerk")
    database = desk.database()
    long_ago = datetime.now(UTC) - STEP_UP_TIME - timedelta(seconds=1)
    with database.writing() as session:
        session.execute(sa.update(SessionRow).values(stepped_up_at=long_ago))
    database.close()
    assert desk.refused("admin", "people", "disable", "an") == "right.step-up-needed"
    assert desk.json("admin", "whoami")["second_factor_until"] is None
    desk.run("admin", "people", "list")
    desk.run("admin", "login", "admin", "--password-file", desk.file("admin"))
    desk.run("admin", "people", "disable", "an")


@pytest.mark.parametrize(
    ("content", "mode", "code"),
    [
        (b"one long password\n", 0o644, "password-file.exposed"),
        (b"", 0o600, "password-file.malformed"),
        (b"two\nlines\n", 0o600, "password-file.malformed"),
        (b"\xff\xfe", 0o600, "password-file.malformed"),
        (b"x" * 300, 0o600, "password-file.malformed"),
    ],
)
def test_a_password_file_is_ones_own_and_holds_one_line(
    desk: Desk, content: bytes, mode: int, code: str
) -> None:
    path = desk.file("strange")
    path.write_bytes(content)
    path.chmod(mode)
    words = ("login", "admin", "--password-file", path)
    assert desk.refused("admin", *words, status=2) == code
    absent = ("login", "admin", "--password-file", desk.file("absent"))
    assert desk.refused("admin", *absent, status=2) == "password-file.unavailable"


def test_the_settings_cannot_make_hashes_cheap(desk: Desk) -> None:
    (desk.home / "settings.toml").write_text("[people]\nargon2_memory_kib = 8\n")
    assert desk.refused("admin", "whoami", status=2) == "settings.malformed"


def test_the_real_parameters_are_those_of_the_settings() -> None:
    encoded = password_hasher(PeopleSettings(argon2_memory_kib=19_456, argon2_passes=2)).hash("x")
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=4$")


def give_key(desk: Desk, name: str) -> None:
    """The account has registered a security key, and logs in anew."""
    with contextlib.closing(desk.database()) as database, database.writing() as session:
        account = session.scalars(sa.select(AccountRow).where(AccountRow.name == name)).one()
        session.add(
            SecondFactorRow(
                credential_id=b"key", account_id=account.id, label="khóa", algorithm=-7,
                public_key=b"key", counter=0, created_at=datetime.now(UTC),
            )
        )  # fmt: skip
    desk.run(name, "login", name, "--password-file", desk.file(name))


def test_a_terminal_waits_until_its_owner_confirms_it_with_a_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.join("an", "clerk")
    assert desk.refused("an", "step-up") == "second-factor.missing"
    give_key(desk, "an")
    assert desk.json("an", "whoami")["second_factor_until"] is None
    looked = []

    def confirmed(_seconds: float) -> None:
        # What the console does, the second time that the terminal sleeps.
        looked.append(1)
        with contextlib.closing(desk.database()) as database, database.writing() as session:
            (row,) = session.scalars(sa.select(SessionRow).where(SessionRow.challenge.is_not(None)))
            assert row.challenge.startswith(b"terminal:")
            if len(looked) > 1:
                row.challenge = row.challenge_expires_at = None
                row.stepped_up_at = datetime.now(UTC)

    monkeypatch.setattr("issuer.cli_step_up.time.sleep", confirmed)
    out, error = desk.run("an", "step-up")
    assert re.search(r"and type: [0-9A-Z]{4}-[0-9A-Z]{4}$", error.strip())
    assert out.startswith("Confirmed until ")
    assert len(looked) == 2
    assert desk.json("an", "whoami")["second_factor_until"] is not None


def test_a_code_that_nobody_confirms_ends_the_wait(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.join("an", "clerk")
    give_key(desk, "an")
    monkeypatch.setattr("issuer.services.terminal_confirmation.CHALLENGE_LIFETIME", timedelta(0))
    _, error = desk.run("an", "step-up", status=1)
    assert "[terminal-code.not-confirmed]" in error
    assert "hint: membercard-issuer step-up" in error
    assert desk.json("an", "whoami")["second_factor_until"] is None
