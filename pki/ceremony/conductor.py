"""The conductor: carries out a ceremony's script, one recorded step after the other, and signs the transcript."""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from pki.ceremony.acts import RootActs, fingerprint_groups
from pki.ceremony.console import Console
from pki.ceremony.dialogue import Dialogue
from pki.ceremony.script import CeremonyKind, ScriptStep, Text
from pki.ceremony.shares import (
    Quorum,
    RootSecret,
    Sheet,
    draw_identifier,
    fingerprint_of,
    split,
)
from pki.ceremony.sheet_print import SheetPage, print_sheet
from pki.ceremony.surroundings import Surroundings, check_offline
from pki.ceremony.transcript import CLOSED, SIGNED, Opening, Transcript
from pki.ceremony.transcript_check import signed_message
from pki.certificates.certificate import load_certificate
from pki.durable import create_file
from pki.errors import KeystoreError, PkiRefusedError, RecordError
from pki.record.journal import Fields
from pki.services.state import EntryKind

__all__ = ["Conductor"]

_PAGE: Final = re.compile(r"sheet-[0-9]{1,2}\.pdf|\.sheet-[0-9]{1,2}\.pdf\.[0-9a-f]{8}")
"""A page that was printed, or one that a crash left half written; nobody else's file is touched."""


@dataclass(kw_only=True)
class Conductor:
    """One ceremony, from wherever its transcript stands."""

    transcript: Transcript
    console: Console
    acts: RootActs
    look_around: Callable[[], Surroundings]
    sheets_directory: Path | None

    def __post_init__(self) -> None:
        self._step: ScriptStep | None = None
        self._dialogue = Dialogue(self.console, refused=self._refused)
        self._sheets: tuple[Sheet, ...] = ()
        self._secret: RootSecret | None = None
        self._new_secret: RootSecret | None = None
        self._opened_by: Quorum | None = None

    @property
    def opening(self) -> Opening:
        """What was settled at the start."""
        return self.acts.opening

    def run(self) -> bytes:
        """Do every step that is not done; give back the digest that witnesses write down.

        Raises:
            PkiError: the ceremony stands where it is, and can be resumed.
        """
        progress = self.transcript.progress
        try:
            self._sweep_sheets()
            while (step := progress.next_step) is not None:
                self._step = step
                script = progress.script
                self.console.heading(script.index(step) + 1, len(script), step)
                self.transcript.begin_step(step)
                results = self._act(step)
                self.transcript.finish_step(step, results)
                self._step = None
            return self._sign()
        finally:
            self._forget()
            self._sweep_sheets()

    def _act(self, step: ScriptStep) -> Fields:
        if step.identifier.startswith("sheet-"):
            return self._hand_out(int(step.identifier.removeprefix("sheet-")))
        acts: dict[str, Callable[[], Fields]] = {
            "surroundings": self._surroundings,
            "attendance": self._attendance,
            "wish": self._wish,
            "shares": self._share,
            "activation": self._activate,
            "new-activation": self._activate_new,
            "root-keystore": lambda: self.acts.make_keystore(
                self._need_secret(), self._own_quorum()
            ),
            "root-key": self.acts.make_root,
            "crl": self.acts.issue_crl,
            "signer": self.acts.make_signer,
            "rollover": self.acts.roll_over,
            "destroy": self.acts.destroy,
            "pin-change": self._change_pin,
            "journal-signer": lambda: {"signer": self.acts.journal_signer().signer_id},
            "compare": self._compare,
            "close": self._close,
        }
        results = acts[step.identifier]()
        if step.identifier in {
            "crl",
            "signer",
            "rollover",
            "destroy",
            "root-key",
            "root-keystore",
            "pin-change",
            "journal-signer",
        }:
            self._tell(results)
        return results

    def _surroundings(self) -> Fields:
        found = self.look_around()
        moment = self.acts.now()
        self.console.fact("UTC", f"{moment:%Y-%m-%d %H:%M:%S}")
        self.console.fact(
            "chương trình / program",
            f"{fingerprint_groups(bytes.fromhex(found.program))} ({found.program_files})",
        )
        self.console.fact("công cụ / tools", found.tools)
        self.console.fact("ngẫu nhiên / entropy", found.entropy)
        self.console.fact("mạng / networks", ", ".join(found.interfaces) or "-")
        if self.opening.is_rehearsal:
            self.console.show(
                Text(
                    "DIỄN TẬP: không khoá nào ở đây là thật.",
                    "REHEARSAL: no key made here is real.",
                )
            )
        else:
            check_offline(found)
        self._dialogue.confirm(
            "surroundings", Text("Giờ và mã băm đúng chứ?", "Are time and hash the right ones?")
        )
        return {
            "program": found.program,
            "program_files": found.program_files,
            "tools": found.tools,
            "entropy": found.entropy,
            "networks": ", ".join(found.interfaces),
        }

    def _attendance(self) -> Fields:
        opening = self.opening
        people = [
            ("administrator", "chủ trì", opening.administrator),
            *(("witness", "chứng kiến", name) for name in opening.witnesses),
            *(("custodian", "người giữ", name) for name in opening.custodians),
        ]
        for place, (role, vai_tro, name) in enumerate(people, start=1):
            self._dialogue.confirm(
                f"present.{place}", Text(f"{name} ({vai_tro}) có mặt?", f"is {name} ({role}) here?")
            )
        return {"present": "\n".join(name for _, _, name in people)}

    def _wish(self) -> Fields:
        results = self.acts.wish()
        self._tell(results)
        self._dialogue.confirm(
            "wish", Text("Đúng là việc phải làm?", "Is this what is to be done?")
        )
        return results

    def _share(self) -> Fields:
        void = self.transcript.progress.void_sets
        if void:
            self.console.show(
                Text(f"Xé bỏ mọi tờ của bộ {void[-1]}.", f"Tear up every sheet of set {void[-1]}.")
            )
        identifier = draw_identifier([*self.acts.state.ceremonies.identifiers, *void])
        secret = RootSecret.draw()
        try:
            self._sheets = split(
                secret,
                identifier=identifier,
                threshold=self.opening.threshold,
                count=len(self.opening.custodians),
            )
        finally:
            # The sheets are all that is left: the quorum must show that they give it back.
            secret.wipe()
        self.console.fact("bộ / set", str(identifier))
        return {
            "identifier": identifier,
            "threshold": self.opening.threshold,
            "count": len(self.opening.custodians),
        }

    def _hand_out(self, number: int) -> Fields:
        sheet = self._sheets[number - 1]
        custodian = self.opening.custodians[number - 1]
        self.console.show(
            Text(f"Chỉ {custodian} ở lại trước máy.", f"Only {custodian} stays before the machine.")
        )
        if self.sheets_directory is not None:
            path = self.sheets_directory / f"sheet-{number}.pdf"
            page = SheetPage(
                sheet=sheet,
                quorum=self._own_quorum(sheet.identifier),
                authority=self._authority_name(),
                made_at=self.acts.now(),
                is_rehearsal=self.opening.is_rehearsal,
            )
            try:
                create_file(path, print_sheet(page))
            except OSError as error:
                raise RecordError(
                    f"sheet {path} cannot be written: {error.strerror}",
                    code="ceremony.sheets-unwritable",
                ) from error
            self.console.fact("in / print", str(path))
        self.console.show_words(number, sheet.words, on_screen=self.sheets_directory is None)
        self._dialogue.confirm(
            f"copied.{number}", Text("Các từ đã ở trên giấy?", "Are the words on paper?")
        )
        self.console.clear()
        self._dialogue.check_sheet(sheet)
        self._sweep_sheets()
        self.console.clear()
        return {"sheet": number, "custodian": custodian, "code": fingerprint_of(sheet)}

    def _activate(self) -> Fields:
        self._sheets = ()
        ceremonies = self.acts.state.ceremonies
        quorum = ceremonies.quorum
        if self.opening.kind is CeremonyKind.ROOT:
            quorum = self._own_quorum()
        if quorum is None:
            raise PkiRefusedError("this root has no quorum", code="ceremony.no-quorum")
        self.console.fact("bộ / set", str(quorum.identifier))
        while True:
            secret, numbers = self._dialogue.collect(quorum)
            try:
                self.acts.open_root(secret, quorum)
            except KeystoreError as error:
                if self._was_changed(error):
                    break
                secret.wipe()
                self._dialogue.refuse(error)
                continue
            break
        self._secret, self._opened_by = secret, quorum
        return {
            "identifier": quorum.identifier,
            "sheets": ",".join(map(str, numbers)),
            "custodians": "\n".join(quorum.custodians[number - 1] for number in numbers),
        }

    def _was_changed(self, error: KeystoreError) -> bool:
        """Whether a crash broke off right behind the change of the PIN: then the new sheets, just tried, open it."""
        if self._new_secret is None or error.code not in {
            "keystore.pin-wrong",
            "keystore.passphrase-wrong",
        }:
            return False
        with contextlib.suppress(KeystoreError):
            return self.acts.open_root(self._new_secret, self._own_quorum())
        return False

    def _activate_new(self) -> Fields:
        self._sheets = ()
        quorum = self._own_quorum()
        self.console.fact("bộ mới / new set", str(quorum.identifier))
        self._new_secret, numbers = self._dialogue.collect(quorum)
        return {"identifier": quorum.identifier, "sheets": ",".join(map(str, numbers))}

    def _change_pin(self) -> Fields:
        if self._new_secret is None or self._opened_by is None:
            raise PkiRefusedError("the new sheets were not tried", code="ceremony.required")
        return self.acts.change_quorum(
            self._need_secret(), self._new_secret, self._opened_by, self._own_quorum()
        )

    def _compare(self) -> Fields:
        certificate = self.acts.state.authority_certificate or b""
        groups = fingerprint_groups(sha256(certificate).digest())
        self.console.fact("SHA-256", groups)
        self.console.show(
            Text(
                "Đọc to từng nhóm; người chứng kiến chép ra giấy.",
                "Read each group aloud; a witness copies it to paper.",
            )
        )
        self._dialogue.read_back(
            "fingerprint",
            Text("nhóm cuối cùng trên giấy", "the last group on the paper"),
            expected=groups.split(" ")[-1],
            what="the last group of the fingerprint",
        )
        return {"sha256": groups}

    def _close(self) -> Fields:
        authority = self.acts.state.authority_certificate
        if authority is None:
            raise PkiRefusedError("there is no authority yet", code="authority.missing")
        return {"authority": authority.hex()}

    def _sign(self) -> bytes:
        """The closing's hash is the digest; the journal signer signs it, with a record in the home before."""
        progress = self.transcript.progress
        if progress.closed is None:
            self.transcript.write(CLOSED, {"ceremony": self.opening.ceremony})
        closed = progress.closed
        if closed is None:
            raise RecordError("the transcript is not closed", code="ceremony.transcript-damaged")
        if progress.signed is None:
            record = self.acts.journal_signer()
            certificate = record.certificate or b""
            signer = self.acts.authority.keys.signer(
                record.signer_id, load_certificate(certificate).public_key
            )
            self.acts.authority.recorder.record(
                EntryKind.TRANSCRIPT_INTENDED,
                ceremony=self.opening.ceremony,
                signer=record.signer_id,
                digest=closed.hash.hex(),
            )
            self.transcript.write(
                SIGNED,
                {
                    "digest": closed.hash.hex(),
                    "signer": record.signer_id,
                    "certificate": certificate.hex(),
                    "signature": signer.sign(signed_message(closed.hash)).hex(),
                },
            )
        return closed.hash

    def _own_quorum(self, identifier: int | None = None) -> Quorum:
        """The quorum of the sheets that this ceremony hands out."""
        if identifier is None:
            found = self.acts.results("shares").get("identifier")
            if not isinstance(found, int):
                raise PkiRefusedError("there are no sheets yet", code="ceremony.required")
            identifier = found
        return self.opening.quorum(identifier)

    def _need_secret(self) -> RootSecret:
        if self._secret is None:
            raise PkiRefusedError("the quorum has not activated the root", code="ceremony.required")
        return self._secret

    def _authority_name(self) -> str:
        wish = self.opening.wish
        if self.opening.kind is CeremonyKind.ROOT:
            return f"{'TEST ' if wish['test'] == 'yes' else ''}{wish['name']}"
        return self.acts.state.authority_name or ""

    def _tell(self, results: Fields) -> None:
        for name, value in results.items():
            if name == "certificate" or value is None:
                continue
            for line in str(value).split("\n"):
                self.console.fact(name.replace("_", " "), line)

    def _refused(self, code: str) -> None:
        if self._step is not None:
            self.transcript.refuse(self._step, code)

    def _forget(self) -> None:
        self._sheets = ()
        for secret in (self._secret, self._new_secret):
            if secret is not None:
                secret.wipe()
        self._secret = self._new_secret = None

    def _sweep_sheets(self) -> None:
        """Overwrite and remove the pages that were printed, or that a crash left behind."""
        if self.sheets_directory is None:
            return
        try:
            for path in self.sheets_directory.iterdir():
                if not _PAGE.fullmatch(path.name):
                    continue
                with path.open("r+b") as file:
                    file.write(bytes(path.stat().st_size))
                    file.flush()
                path.unlink()
        except OSError as error:
            raise RecordError(
                f"sheets in {self.sheets_directory} cannot be removed: {error.strerror}",
                code="ceremony.sheets-unwritable",
                hint="remove them by hand: they hold the words",
            ) from error
