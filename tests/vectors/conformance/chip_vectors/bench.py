"""A card in a reader, brought to where a case begins, and what a case asks of it afterwards."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from chip_vectors import cv_certificates, documents
from chip_vectors.cv_certificates import Draft
from chip_vectors.documents import DG3_FILE, DG4_FILE, INFORMATION, TODAY
from chip_vectors.driver import Answer, Driver, require

from simulators.card.operating_system import VirtualCard
from simulators.image import CardImage

OK: Final = 0x9000
REFUSED: Final = frozenset({0x6300, 0x6982, 0x6985, 0x6A80, 0x6A88})
"""How a chip says that a certificate, a key or a proof will not do (TR-03110-3, B.3 and B.11)."""
BAD_FORM: Final = frozenset({0x6700, 0x6A80, 0x6A86, 0x6A88, 0x6985})
"""How it says that a command's data or parameters are wrong."""
NOT_SECURED: Final = frozenset({0x6982, 0x6987, 0x6988, 0x6E00, 0x6985})
"""How it says that a command in a session came outside of secure messaging, or under a class that is none."""
NO_ACCESS: Final = frozenset({0x6982})
READ_DG3: Final = 0x03
READ_DG4: Final = 0x04


@dataclass(frozen=True, kw_only=True)
class Case:
    """One id of the catalogue: ``run`` is the vector, ``shows`` says in our words what it proves."""

    id: str
    shows: str
    run: Callable[[], None]


class Bench:
    """One virtual card and the terminal that speaks to it."""

    def __init__(self, image: CardImage | None = None) -> None:
        self.card = VirtualCard(documents.document() if image is None else image)
        self.terminal = Driver(self.card)

    # Where cases begin.

    def open(self, *, bac: bool = False) -> "Bench":
        """A fresh session by PACE or BAC, the application selected."""
        terminal = self.terminal
        terminal.reset()
        if bac:
            require(terminal.select_application(), OK)
            require(terminal.perform_bac(INFORMATION), OK)
        else:
            terminal.open_with_pace(documents.CAN_TEXT.encode())
            require(terminal.select_application(), OK)
        return self

    def prove_chip(self) -> "Bench":
        """Chip authentication in the session."""
        require(self.terminal.perform_chip_authentication(documents.chip_public_key()), OK)
        return self

    def start(self) -> "Bench":
        """Where terminal authentication begins: session, application, chip proven."""
        return self.open().prove_chip()

    def present(self, *chain: Draft) -> "Bench":
        """Certificates that the card takes, one after another."""
        for draft in chain:
            require(self.terminal.set_trust_point(draft.authority), OK)
            require(self.terminal.verify_certificate(draft.content), OK)
        return self

    def try_certificate(self, draft: Draft) -> Answer:
        """One certificate; the first refusal of the two commands, or the success of both."""
        answer = self.terminal.set_trust_point(draft.authority)
        if answer.status != OK:
            return answer
        return self.terminal.verify_certificate(draft.content)

    def authenticate(
        self,
        draft: Draft,
        *,
        key_name: str | None = None,
        message: Callable[[bytes], bytes] | None = None,
    ) -> Answer:
        """MSE:Set AT, challenge, signature; the first refusal, or the answer to the last command."""
        terminal = self.terminal
        answer = terminal.set_terminal_key(draft.reference)
        if answer.status != OK:
            return answer
        challenge = terminal.get_challenge()
        if challenge.status != OK:
            return challenge
        return terminal.external_authenticate(
            self.sign(draft, challenge.data, key_name=key_name, message=message)
        )

    def sign(
        self,
        draft: Draft,
        challenge: bytes,
        *,
        key_name: str | None = None,
        message: Callable[[bytes], bytes] | None = None,
    ) -> bytes:
        """The terminal's signature over what it must sign, or over what ``message`` makes of the challenge."""
        make = self.terminal.terminal_message if message is None else message
        algorithm = next(
            name
            for name in (
                cv_certificates.ECDSA_SHA_256,
                cv_certificates.ECDSA_SHA_384,
                cv_certificates.ECDSA_SHA_1,
            )
            if draft.has_algorithm(name)
        )
        return cv_certificates.sign(
            key_name or draft.key_name, make(challenge), curve=draft.curve, algorithm=algorithm
        )

    def prove_terminal(self, *chain: Draft) -> "Bench":
        """The whole of terminal authentication, which the card accepts."""
        self.present(*chain)
        require(self.authenticate(chain[-1]), OK)
        return self

    # What holds afterwards.

    def may_read(self, short_identifier: int) -> bool:
        """Whether READ BINARY gives the file, under secure messaging, byte by byte what the card holds."""
        answer = self.terminal.read_short(short_identifier, le=64)
        if answer.status == OK:
            assert answer.is_protected
            expected = documents.CONTENTS[0x0100 | short_identifier][:64]
            assert answer.data == expected
            return True
        assert answer.status in (0x6982, 0x6987, 0x6988)
        assert not answer.data
        return False

    def check_rights(self, *, dg3: bool, dg4: bool) -> None:
        """What of the two files can be read now, whatever way it is asked for."""
        for short, identifier, is_granted in (
            (READ_DG3, DG3_FILE, dg3),
            (READ_DG4, DG4_FILE, dg4),
        ):
            assert self.may_read(short) is is_granted
            if not is_granted and self.terminal.session is not None:
                self.check_unreadable(identifier)

    def check_unreadable(self, identifier: int) -> None:
        """No form of reading gives the file: selected or not, by short identifier, with the odd instruction."""
        terminal = self.terminal
        short = identifier & 0x1F
        for answer in (
            terminal.read_short(short),
            terminal.read_odd(short),
            terminal.read_odd(identifier),
        ):
            require(answer, *NO_ACCESS)
        answer = terminal.select_file(identifier)
        if answer.status == OK:
            require(terminal.send("00B00000", le=256), *NO_ACCESS)
            require(terminal.read_odd(0), *NO_ACCESS)
        else:
            require(answer, *NO_ACCESS)

    def check_alive(self) -> None:
        """The session goes on: a file of the password reads under it."""
        answer = require(self.terminal.read_short(0x1E), OK)
        assert answer.is_protected
        assert answer.data == documents.CONTENTS[documents.EF_COM]

    def check_ended(self) -> None:
        """The session, its keys and its rights are gone."""
        self.terminal.session = None
        for short in (READ_DG3, READ_DG4, 0x1E):
            answer = self.terminal.plain(f"00B0{0x80 | short:02X}00", le=256)
            assert (answer.status, answer.data) == (0x6982, b"")

    def check_date(self, day: str) -> None:
        """The card's date is this one: a terminal that ends on it still gets in, one that ended before does not."""
        assert self.card.image.current_date == day
        before = str(int(day) - 1) if day[-2:] != "01" else _day_before(day)
        for expires, is_accepted in ((day, True), (before, False)):
            probe = Bench(self.card.image)
            chain = (
                documents.verifier(effective="20251201", expires="20271231"),
                documents.terminal(effective="20251201", expires=expires),
            )
            probe.start().present(chain[0])
            answer = probe.try_certificate(chain[1])
            assert (answer.status == OK) is is_accepted
            assert is_accepted or answer.status in REFUSED


def _day_before(day: str) -> str:
    return {TODAY: "20251231", "20260201": "20260131"}[day]


def by_id(cases: Iterable[Case]) -> dict[str, Case]:
    """Cases by their ids, each once."""
    found = tuple(cases)
    result = {case.id: case for case in found}
    assert len(result) == len(found)
    return result


def without_extension(draft: Draft) -> Draft:
    """A certificate that says nothing about files."""
    return draft.without(cv_certificates.EXTENSIONS)


def change_last(data: bytes) -> bytes:
    """The last byte raised by one."""
    return data[:-1] + bytes(((data[-1] + 1) % 256,))


def renamed(draft: Draft, **changes: object) -> Draft:
    """A draft with other fields, for those that no method names."""
    return replace(draft, **changes)  # type: ignore[arg-type]
