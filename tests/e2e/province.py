"""A province's office for walks through its console: organisations, lists of members, people, and the service."""

import csv
import json
import secrets
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import xlsxwriter
from PIL import Image, ImageDraw

from issuer.bootstrap import open_register_home
from issuer.cli import main
from issuer.domain.account import Account, AccountId, PasswordHash
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.domain.session import (
    SESSION_TOKEN_BYTES,
    Face,
    LoginMethod,
    Session,
    SessionId,
    SessionToken,
)
from issuer.identity.argon2_passwords import Argon2Parameters, Argon2Passwords
from issuer.identity.session_file import default_session_file, write_session
from issuer.settings import remember
from simulators.population.member import (
    ISSUING_COMMITTEE,
    ORGANISATIONS,
    IssueKind,
    SyntheticOrganisation,
    draw_member,
)
from simulators.population.member_list import COLUMNS
from tests.integration.everybody import log_in_everybody

PROGRAM = Path(sys.executable).with_name("membercard-issuer")
PASSWORD = "mật khẩu của cô Lan"
HASHER = Argon2Passwords(Argon2Parameters(memory_kib=64, passes=1, lanes=1, at_once=1))
PROVINCE = ISSUING_COMMITTEE.code
COMMITTEES = (
    *ORGANISATIONS[1:],
    SyntheticOrganisation(
        code="GD-03",
        name="Đảng ủy xã Mẫu Ba (dữ liệu mẫu)",
        parent_code=PROVINCE,
        committee_number=ISSUING_COMMITTEE.committee_number,
    ),
)


def issuer(home: Path, *words: object) -> None:
    assert main(["--home", str(home), *(str(word) for word in words)]) == 0


def write_list(folder: Path, committee: SyntheticOrganisation, *, members: int, first: int) -> Path:
    """A committee's list with its portraits, every other member with an earlier card; the folder."""
    random = Random(first)
    (folder / "portraits").mkdir(parents=True)
    book = xlsxwriter.Workbook(str(folder / "members.xlsx"))
    sheet = book.add_worksheet("members")
    sheet.write_row(0, 0, COLUMNS)
    for row in range(1, members + 1):
        drawn = draw_member(
            random, serial_number=first + row, organisation=committee,
            kind=IssueKind.EXCHANGE if row % 2 else IssueKind.FIRST_ISSUE,
        )  # fmt: skip
        picture = f"{drawn.record_number}.jpg"
        (folder / "portraits" / picture).write_bytes(drawn.portrait)
        values = {
            "record_number": drawn.record_number, "citizen_number": drawn.citizen_number,
            "full_name": drawn.name.full, "primary_name": drawn.name.primary,
            "secondary_name": drawn.name.secondary, "birth_date": drawn.birth_date.isoformat(),
            "sex": drawn.sex, "place_of_birth": drawn.place_of_birth, "home_town": drawn.home_town,
            "ethnic_group": drawn.name.ethnic_group,
            "admission_date": drawn.admission_date.isoformat(),
            "recognition_date": drawn.recognition_date.isoformat(),
            "organisation_code": committee.code, "portrait": picture,
            "earlier_card_number": drawn.earlier_card_number, "residence": drawn.residence,
            "phone": drawn.phone, "standing": "official",
            "standing_since": drawn.recognition_date.isoformat(), "served_in": "",
        }  # fmt: skip
        for column, name in enumerate(COLUMNS):
            sheet.write_string(row, column, values[name])
    book.close()
    return folder


def write_decision(path: Path) -> Path:
    """A decision as a committee would have signed it: here a page with a title."""
    page = Image.new("RGB", (595, 842), "white")
    ImageDraw.Draw(page).text((60, 80), "12-QD/TU: decision on membership cards (sample)", "black")
    page.save(path, "PDF")
    return path


def make_office(
    home: Path,
    folder: Path,
    *,
    organisations: Sequence[SyntheticOrganisation],
    is_sealed: bool = False,
    **people: object,
) -> None:
    """A home with its tables, keys, organisations and settings of people; sealed, it has no master keys of chips."""
    pin = folder / f"{home.name}.pin"
    pin.write_text(secrets.token_hex(16))
    pin.chmod(0o600)
    issuer(home, "database", "upgrade")
    log_in_everybody(home)
    sealed = ("--sealed",) if is_sealed else ()
    issuer(home, "keys", "create", *sealed, "--keystore", "file", "--pin-file", pin)
    tree = folder / f"{home.name}.csv"
    with tree.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("code", "name", "parent_code", "committee_number"))
        for each in organisations:
            writer.writerow((each.code, each.name, each.parent_code or "", each.committee_number))
    issuer(home, "organisations", "import", tree)
    if people:
        remember(home, {"people": people})


def add_account(home: Path, name: str, role: Role, organisation: str | None = None) -> None:
    """Somebody who logs in with the password of all of them."""
    now = datetime.now(UTC)
    code = None if organisation is None else OrganisationCode(organisation)
    with open_register_home(home) as opened, opened.register.writing() as transaction:
        transaction.people.add(
            Account(
                account_id=AccountId(uuid.uuid4()),
                name=AccountName(name),
                assignments=(Assignment(role=role, organisation=code),),
                password=PasswordHash(
                    encoded=HASHER.hash(PASSWORD), set_at=now, is_provisional=False
                ),
                created_at=now,
            )
        )


def act_as(home: Path, name: str) -> None:
    """Whoever works on the home's command line from now on; their second factor has just been shown."""
    now = datetime.now(UTC)
    token = SessionToken(secrets.token_bytes(SESSION_TOKEN_BYTES))
    with open_register_home(home) as opened, opened.register.writing() as transaction:
        transaction.sessions.add(
            Session(
                session_id=SessionId(uuid.uuid4()),
                token_digest=token.digest,
                account_id=transaction.people.get(AccountName(name)).account_id,
                face=Face.COMMAND_LINE,
                method=LoginMethod.PASSWORD,
                created_at=now,
                expires_at=now + timedelta(hours=12),
                seen_at=now,
                stepped_up_at=now,
            )
        )
    write_session(default_session_file(home), token)


def free_port() -> int:
    """A port that nobody has just now: browsers' keys are bound to the address before the service stands there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(home: Path, port: int, log: Path) -> Iterator[None]:
    """The service of a home; its log tells nobody's name and no fault."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [str(PROGRAM), "--home", str(home), "serve", "--port", str(port)],
            stdout=subprocess.PIPE, stderr=file, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("ready: "), (said, process.poll(), log.read_text())
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert {line["event"] for line in lines} == {"answered"}, lines
    assert "Nguyễn" not in log.read_text("utf-8")
