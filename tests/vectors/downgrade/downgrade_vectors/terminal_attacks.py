"""Terminal authentication: chips that would have the terminal do without its right, or show it to the wrong chip."""

from collections.abc import Callable
from dataclasses import replace

from conformance_vectors.bench import CardDraft
from conformance_vectors.reading_cases import with_basic_access
from conformance_vectors.security_infos_drafts import (
    chip_info,
    chip_key,
    data_group_14,
    issued_key,
    pace_info,
    public_key,
    with_keys,
)
from conformance_vectors.terminal_cases import (
    ended,
    hierarchy,
    linked,
    protected,
    references,
    terminal_info,
)
from downgrade_vectors.bench import ZONE, Attack, Interceptor, Outcome, answering, nth_protected
from lint_vectors.drafts import integer, oid, seq

from simulators.faults import Fault, FaultKind
from simulators.image import CardImage, ReadRule
from verifier.inspection.snapshot import FileOutcome
from verifier.reading.terminal_proof import TerminalAccess

_MSE, _VERIFY, _EXTERNAL_AUTHENTICATE, _GET_CHALLENGE = 0x22, 0x2A, 0x82, 0x84
_SHOWN = frozenset({_VERIFY, _EXTERNAL_AUTHENTICATE, _GET_CHALLENGE})
_RECORD = "EF.DG13"
_RECORD_PATH = "A0000002471001/010D"


def naming(content: bytes) -> Callable[[], CardDraft]:
    """EF.CVCA says this, whatever the chip really trusts."""
    return lambda: protected(trust_file=content)


def naming_an_older_key() -> CardDraft:
    """The chip trusts the newer key alone and names the older one."""
    return protected(
        hierarchy().root(2),
        credentials=linked(1, 2),
        trust_file=references(b"VNMEMBER00001"),
    )


def refusing(instruction: int, p1: int | None, status_word: int) -> Callable[[], CardDraft]:
    fault = Fault(
        kind=FaultKind.INSTRUCTION_REFUSED,
        instruction=instruction,
        p1=p1,
        status_word=status_word,
    )

    def card() -> CardDraft:
        right = protected()
        before = right.image
        return right.having(image=lambda image: replace(before(image), faults=(fault,)))

    return card


def giving_to_nobody() -> CardDraft:
    """The chip takes the terminal's proof, and keeps DG13 from it all the same."""
    right = protected()
    before = right.image

    def closed(image: CardImage) -> CardImage:
        made = before(image)
        file = replace(made.files[_RECORD_PATH], read=ReadRule.NEVER)
        return replace(made, files={**made.files, _RECORD_PATH: file})

    return right.having(image=closed)


def unannounced() -> CardDraft:
    """The chip keeps DG13 back, and its signed DG14 says nothing of terminals."""
    infos = (pace_info(), chip_info(), chip_key(public_key(issued_key())))
    right = protected()
    return right.having(files={**right.files, "EF.DG14": data_group_14(*infos)})


def struck_out() -> CardDraft:
    """Terminal authentication is signed, and EF.DG14 on the card does not say so."""
    signed = protected()
    return unannounced().having(signed_as={"EF.DG14": signed.files["EF.DG14"]})


def without_certificate(**changes: object) -> Callable[[], CardDraft]:
    return lambda: protected().having(terminal=TerminalAccess(**changes))


def unneeded() -> CardDraft:
    right = protected()
    return right.having(terminal=replace(right.terminal, needed=frozenset()))


def unproven() -> CardDraft:
    """A copy: the chip has no key, and would like to see the terminal's."""
    right = protected()
    before = right.image
    return right.having(image=lambda image: with_keys()(before(image)))


def of_another_version() -> CardDraft:
    return protected(info=seq(oid("0.4.0.127.0.7.2.2.2"), integer(2)))


def after_bac() -> CardDraft:
    """A chip without PACE that keeps DG13 for terminals, which cannot prove themselves in such a session."""
    infos = (chip_info(), chip_key(public_key(issued_key())), terminal_info())
    right = protected()
    before = right.image
    return right.having(
        files={**right.files, "EF.CardAccess": None, "EF.DG14": data_group_14(*infos)},
        image=lambda image: with_basic_access(before(image)),
        password=ZONE,
    )


def session_lost() -> Interceptor:
    return Interceptor(nth_protected(_EXTERNAL_AUTHENTICATE), answering(b"\x69\x88"))


def must_have_left_out_the_record(outcome: Outcome) -> None:
    evidence = outcome.snapshot.files.get(_RECORD)
    assert evidence is None or evidence.outcome is FileOutcome.NOT_REQUESTED


def must_have_shown_nothing(outcome: Outcome) -> None:
    """No certificate, no challenge, no signature: a chip that may be anybody's learns nothing of the terminal."""
    must_have_left_out_the_record(outcome)
    assert not _SHOWN & {command[1] for command in outcome.sent if command[0] & 0x0C}


TERMINAL_ATTACKS: dict[str, Attack] = {
    "trust-point-unknown": Attack(
        card=naming(references(b"VNSTRANGER00001")), look=must_have_shown_nothing
    ),
    "trust-point-unknown-where-required": Attack(
        card=naming(references(b"VNSTRANGER00001")), look=must_have_shown_nothing
    ),
    "trust-point-older-than-trusted": Attack(
        card=naming_an_older_key, look=must_have_left_out_the_record
    ),
    "trust-points-missing": Attack(
        card=lambda: protected(files={"EF.CVCA": None}), look=must_have_shown_nothing
    ),
    "trust-points-empty": Attack(card=naming(bytes(36)), look=must_have_shown_nothing),
    "terminal-chain-expired": Attack(
        card=ended(office=True, terminal=True), look=must_have_shown_nothing
    ),
    "authority-of-terminal-refused": Attack(
        card=refusing(_MSE, 0x81, 0x6A88), look=must_have_left_out_the_record
    ),
    "certificate-of-terminal-refused": Attack(
        card=refusing(_VERIFY, None, 0x6300), look=must_have_left_out_the_record
    ),
    "certificate-of-terminal-unknown": Attack(
        card=refusing(_VERIFY, None, 0x6D00), look=must_have_left_out_the_record
    ),
    "challenge-for-terminal-refused": Attack(
        card=refusing(_GET_CHALLENGE, None, 0x6985), look=must_have_left_out_the_record
    ),
    "proof-of-terminal-refused": Attack(
        card=refusing(_EXTERNAL_AUTHENTICATE, None, 0x6300), look=must_have_left_out_the_record
    ),
    "proof-of-terminal-refused-where-required": Attack(
        card=refusing(_EXTERNAL_AUTHENTICATE, None, 0x6300), look=must_have_left_out_the_record
    ),
    "proof-of-terminal-session-lost": Attack(card=protected, middle=session_lost),
    "record-withheld-despite-right": Attack(card=giving_to_nobody),
    "record-withheld-unannounced": Attack(card=unannounced),
    "terminals-struck-out": Attack(card=struck_out),
    "terminal-without-certificate": Attack(
        card=without_certificate(), look=must_have_shown_nothing
    ),
    "terminal-without-certificate-where-required": Attack(
        card=without_certificate(), look=must_have_shown_nothing
    ),
    "record-not-needed": Attack(card=unneeded, look=must_have_shown_nothing),
    "terminal-before-unproven-chip": Attack(card=unproven, look=must_have_shown_nothing),
    "terminal-before-unproven-chip-where-not-required": Attack(
        card=unproven, look=must_have_shown_nothing
    ),
    "terminal-of-another-version": Attack(card=of_another_version, look=must_have_shown_nothing),
    "terminal-after-bac": Attack(card=after_bac, look=must_have_shown_nothing),
}
