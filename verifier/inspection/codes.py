"""Every stable code that a verdict or an error of the verifier can carry, in one table (SPEC.md, 9).

docs/codes.md is this table as a page; a test compares the two. A code that stands in this table never changes its
meaning and is never used for anything else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

from verifier.inspection.centre_codes import CENTRE_ROWS
from verifier.inspection.terminal_codes import TERMINAL_ROWS

__all__ = ["CODES", "FALLBACK", "CodeExplanation", "Severity", "explain", "to_markdown"]


@unique
class Severity(StrEnum):
    """What a code says about the card."""

    REFUSED = "refused"
    """It speaks against the card, or leaves out something that must be known."""
    UNREADABLE = "unreadable"
    """It says nothing about the card: try again."""
    ERROR = "error"
    """No card was judged: the command, the reader or the trust directory is at fault."""
    NOTE = "note"
    """It says how the card was read, and stands beside whatever verdict the card gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeExplanation:
    """One code: what it means, what to do, and where the specification has it."""

    code: str
    severity: Severity
    cause: str
    remedy: str
    clause: str


_HAND_OVER = (
    "Do not accept the card. Keep it if you may, and report it to the committee that issued it."
)
_ISSUER = "Do not accept the card; have the issuing committee look at how it was made."
_TRUST = "Bring the trust directory up to date; if the code stays, report the card."
_PROOF = "Do not accept the card. Get its proof anew from the authority (`membercard-pki log export`), or report the card."
_AGAIN = "Take the card off, put it back flat on the reader, and try again."
_DEFECT = "Try once more; if the code stays, the chip is broken or not a genuine one: report it."

# fmt: off
_ROWS: Final = (
    # SPEC.md, 9.1
    ("card.not-operational", Severity.REFUSED, "The chip says that it is not in the state operational: it was never finished, or it was terminated.", _ISSUER, "9.1"),
    # SPEC.md, 9.2
    ("access.pace-required", Severity.REFUSED, "The chip does not offer PACE (it has no EF.CardAccess); no other way in is tried.", _HAND_OVER, "9.2"),
    ("access.card-access-malformed", Severity.REFUSED, "EF.CardAccess is not what the specification says, so no way into the chip can be chosen.", _DEFECT, "9.2"),
    ("access.pace-unsupported", Severity.REFUSED, "The chip offers PACE only in forms that the policy does not allow or this program does not know.", "Compare pace_parameter_ids in policy.toml with the card's profile; otherwise report the card.", "9.2"),
    ("access.pace-failed", Severity.REFUSED, "PACE broke off: the chip answered something that the protocol does not allow.", _DEFECT, "9.2"),
    ("access.wrong-password", Severity.UNREADABLE, "The chip did not take the password: the card access number or the machine-readable zone is not this card's.", "Read the six digits on the card again and type them anew; wrong ones never block a card.", "9.2"),
    ("access.bac-failed", Severity.REFUSED, "Basic access control broke off: the chip answered something that the protocol does not allow.", _DEFECT, "9.2"),
    ("access.bac-used", Severity.NOTE, "The chip offers no PACE and was opened by basic access control, which the policy allows: whoever recorded the exchange can try out machine-readable zones.", "Nothing, where such cards are expected. Otherwise take allow_bac out of policy.toml.", "5.7"),
    ("access.unsigned-info", Severity.NOTE, "EF.CardAccess, which nobody signs, holds something beside its PACEInfos that the signed EF.DG14 does not; it was not used.", "Nothing, where such cards are expected; cards of one issue differ in nothing here.", "9.24"),
    ("access.secure-messaging", Severity.REFUSED, "An answer of the chip was not protected as it must be: it was altered on the way, or the chip lost the session.", _DEFECT, "5.3"),
    ("access.failed", Severity.REFUSED, "An access protocol broke off.", _DEFECT, "5"),
    # SPEC.md, 9.3 to 9.5
    ("security-object.missing", Severity.REFUSED, "The chip has no EF.SOD, or no member card application at all: nothing on it is signed.", _HAND_OVER, "9.3"),
    ("security-object.malformed", Severity.REFUSED, "EF.SOD is not a security object as the specification fixes it.", _HAND_OVER, "9.3"),
    ("security-object.algorithm-not-allowed", Severity.REFUSED, "The security object is signed or hashed with an algorithm that is not allowed.", _HAND_OVER, "9.3"),
    ("security-object.duplicate-group", Severity.REFUSED, "The security object lists a data group twice, so it does not say which content is the right one.", _HAND_OVER, "9.3"),
    ("security-object.signature-invalid", Severity.REFUSED, "The signature does not belong to this security object: the list of hashes or the signature was altered.", _HAND_OVER, "9.4"),
    ("security-object.signing-time-missing", Severity.REFUSED, "The security object does not say when it was signed, so the signer's validity cannot be judged.", _ISSUER, "9.5"),
    ("security-object.signing-time-in-future", Severity.REFUSED, "The security object says that it was signed in the future.", "Check this computer's clock; if it is right, report the card.", "9.5"),
    ("security-object.other-signature", Severity.NOTE, "The security object is signed or hashed in a way that only allow_other_signatures lets pass.", "Nothing, where documents of other authorities are expected. Otherwise take allow_other_signatures out of policy.toml.", "9.24"),
    # SPEC.md, 9.6 to 9.9
    ("signer.profile", Severity.REFUSED, "The certificate on the card is not one of a document signer.", _HAND_OVER, "9.6"),
    ("signer.document-type", Severity.REFUSED, "The document signer is not allowed to sign this type of document.", _HAND_OVER, "9.6"),
    ("signer.test-authority", Severity.REFUSED, "The card was signed by a test authority, and the policy does not allow those.", "A test card is not a membership card. Only a policy for tests may say allow_test_authorities = true.", "9.6"),
    ("signer.authority-unknown", Severity.REFUSED, "No authority of the trust directory issued the signer's certificate.", _TRUST, "9.7"),
    ("signer.authority-scope", Severity.REFUSED, "An authority that this terminal knows issued the signer's certificate, and the policy does not trust it for such documents: its passports or identity cards are genuine, and no member cards.", "Do not accept the card. If the authority does sign member cards, bind it to them in policy.toml (docs/policy.md).", "9.7"),
    ("signer.path-invalid", Severity.REFUSED, "An authority of the right name is known, and the signature on the signer's certificate is not its.", _HAND_OVER, "9.7"),
    ("signer.expired-at-signing", Severity.REFUSED, "The signer's certificate was not valid when the card was signed.", _HAND_OVER, "9.8"),
    ("signer.expired", Severity.REFUSED, "The signer's certificate has expired since the card was signed.", "The member needs a new card.", "9.8"),
    ("signer.key-usage-period", Severity.REFUSED, "The signer's key was used outside the period in which it may sign cards.", _HAND_OVER, "9.8"),
    ("signer.authority-expired", Severity.REFUSED, "The authority's certificate was not valid when the card was signed.", _TRUST, "9.8"),
    ("signer.revoked", Severity.REFUSED, "The authority has revoked the signer's certificate, or a stop list names it.", _HAND_OVER, "9.9"),
    ("signer.revocation-unknown", Severity.REFUSED, "The trust directory holds no current revocation list of the authority, or its stop list is out of date, so nobody knows whether the signer still counts.", _TRUST, "9.9"),
    ("signer.signed-before-compromise", Severity.NOTE, "A stop list names the card's signer, and a proof shows that witnesses had seen this card's signature before the signer's key was in other hands; the policy allows such cards.", "Nothing, where such cards are expected. Otherwise take allow_signed_before_compromise out of policy.toml.", "9.25"),
    ("inclusion-proof.malformed", Severity.REFUSED, "A stop list names the card's signer, and the file that should prove an earlier signature is no such proof.", _PROOF, "9.9"),
    ("inclusion-proof.untrusted", Severity.REFUSED, "A stop list names the card's signer, and the checkpoint in the proof is of a log that log/log.policy does not name, or a signature under it is wrong.", _PROOF, "9.9"),
    ("inclusion-proof.cosignatures-missing", Severity.REFUSED, "A stop list names the card's signer, and fewer witnesses than log/log.policy asks for cosigned the checkpoint in the proof.", _PROOF, "9.9"),
    ("inclusion-proof.wrong", Severity.REFUSED, "A stop list names the card's signer, and the proof does not lead from the record to the checkpoint.", _PROOF, "9.9"),
    ("inclusion-proof.other-signature", Severity.REFUSED, "A stop list names the card's signer, and the proof is about another card or another signature.", _PROOF, "9.9"),
    ("inclusion-proof.too-late", Severity.REFUSED, "A stop list names the card's signer, and witnesses saw the card's signature only when the signer's key may have been in other hands: it may be forged.", _HAND_OVER, "9.9"),
    # SPEC.md, 9.10 to 9.15
    ("data-group.altered", Severity.REFUSED, "A file on the chip is not the one that was signed.", _HAND_OVER, "9.10"),
    ("data-group.not-covered", Severity.REFUSED, "The chip holds a file that the security object does not list: nobody signed it.", _HAND_OVER, "9.11"),
    ("data-group.missing", Severity.REFUSED, "The security object lists a file that the chip does not hold or does not give.", _HAND_OVER, "9.11"),
    ("common-data.malformed", Severity.REFUSED, "EF.COM is missing, or is not what the specification says.", _ISSUER, "9.12"),
    ("common-data.inconsistent", Severity.REFUSED, "EF.COM names other data groups, or states other versions, than the security object.", _HAND_OVER, "9.12"),
    ("common-data.version-not-signed", Severity.NOTE, "EF.COM states versions that nobody signed: the security object is of version 0, which holds none.", "Nothing, where documents of other authorities are expected; member cards have version 1.", "9.24"),
    ("access.parameters-not-signed", Severity.REFUSED, "The access parameters that the chip announced before PACE are not those that were signed.", _HAND_OVER, "9.13"),
    ("data-group.malformed", Severity.REFUSED, "A file on the chip cannot be decoded, or a check digit of the machine-readable zone is wrong.", _ISSUER, "9.14"),
    ("atr-info.malformed", Severity.REFUSED, "EF.ATR/INFO, in which the chip says how long commands and answers may be, cannot be decoded.", _ISSUER, "9.14"),
    ("holder.inconsistent", Severity.REFUSED, "The machine-readable zone, the personal details and the member record do not describe the same person and card.", _ISSUER, "9.15"),
    ("holder.state-mismatch", Severity.REFUSED, "The state in the machine-readable zone and those of the signer's and the authority's certificates do not agree.", _HAND_OVER, "9.15"),
    # SPEC.md, 9.16 to 9.18
    ("card.expired", Severity.REFUSED, "The card's date of expiry is past.", "The member needs a new card; if this computer's clock is wrong, set it and try again.", "9.16"),
    ("chip-authentication.not-performed", Severity.REFUSED, "The chip did not prove that it is the original: it refused chip authentication, or announced none.", _HAND_OVER, "9.17"),
    ("chip.not-proven", Severity.REFUSED, "The chip does not hold the private key that was signed for it: the data is a copy on another chip.", _HAND_OVER, "9.17"),
    ("card-security.not-proven", Severity.REFUSED, "EF.CardSecurity, against which PACE proved the chip, is malformed, not signed by the card's signer, or names other parameters than the signed data.", _HAND_OVER, "9.17"),
    ("active-authentication.not-performed", Severity.REFUSED, "The chip has a key for active authentication in EF.DG15, and did not sign with it.", _HAND_OVER, "9.17"),
    ("chip-authentication.fallback", Severity.NOTE, "The chip refused the strongest chip authentication that its signed data announces, and proved a weaker one.", "Nothing, where the chip is known to have given up a key. If cards of one issue differ here, report the card.", "9.24"),
    ("active-authentication.used-alone", Severity.NOTE, "The chip proved itself by active authentication and by nothing else: others can be shown that proof, and the session does not hang on it.", "Nothing, where such documents are expected; member cards announce chip authentication.", "9.24"),
    ("status.reference-missing", Severity.REFUSED, "The security object carries no well-formed status reference, so the card could never be looked up as revoked.", _ISSUER, "9.18"),
    # SPEC.md, 9.27
    ("status.no-list", Severity.REFUSED, "The trust directory holds no status list of the card's authority, so nobody knows whether the card still counts.", _TRUST, "9.27"),
    ("status.not-handed-over", Severity.REFUSED, "Nobody was given this card yet, as far as the status list knows: it was made, and its hand-over is not recorded.", "Do not accept the card. If it was handed over in these days, bring the trust directory up to date; else report it.", "9.27"),
    ("status.suspended", Severity.REFUSED, "The card is suspended: it does not count until its committee lifts that.", "Do not accept the card now; the holder asks the committee.", "9.27"),
    ("status.replaced", Severity.REFUSED, "Another card took the place of this one.", _HAND_OVER, "9.27"),
    ("status.lost", Severity.REFUSED, "The card was reported lost or stolen; one that is found does not count again.", _HAND_OVER, "9.27"),
    ("status.revoked", Severity.REFUSED, "The card was revoked.", _HAND_OVER, "9.27"),
    ("status.unknown", Severity.REFUSED, "The status list was made after the card was signed, and does not know it.", _HAND_OVER, "9.27"),
    ("status.newer-than-list", Severity.REFUSED, "The card was signed after the status list was made, which does not know it; as a note: the policy lets such cards pass.", _TRUST, "9.27"),
    ("status.list-in-future", Severity.REFUSED, "The status list was made at a time that this computer's clock has not reached.", "Set this computer's clock.", "9.27"),
    ("status.data-stale", Severity.NOTE, "The card counts, and the register says something else by now than the card: the member moved, for instance.", "Nothing at once; the member has the card exchanged. Ask the register for what matters.", "9.27"),
    ("trust.stale", Severity.REFUSED, "The status list is older than the policy allows, so nobody knows whether the card still counts.", _TRUST, "9.27"),
    ("trust.aging", Severity.NOTE, "The status list is not fresh any more, and still as young as the policy asks.", "Bring the trust directory up to date in the next days.", "9.27"),
    # Trust bundles and the clock (SPEC.md, 7.11 to 7.13).
    ("clock.rolled-back", Severity.NOTE, "This computer's clock is behind a time that is known to be past; the card was judged at that time, so nothing that has expired counts again.", "Set this computer's clock. Where it is right and was far ahead before, two approvers take that back (`membercard-verifier clock show`, `clock approve`, `clock reset`).", "7.13"),
    ("clock.no-mark", Severity.ERROR, "There is no time to be taken back: no bundle is installed, or only signed files say what is past.", "Where the installed bundle itself is of a time to come, install a newer one of the right time first.", "7.13"),
    ("trust-bundle.malformed", Severity.ERROR, "The file is no trust bundle, or its signature is wrong.", "Fetch the bundle again.", "7.11"),
    ("trust-bundle.path", Severity.ERROR, "A trust bundle would hold a file that no trust directory has.", "Compare the trust directory with docs/policy.md; names of files are letters, digits, - and _.", "7.11"),
    ("trust-bundle.untrusted", Severity.ERROR, "Nobody whom this terminal trusts now certified who signed the bundle.", "Fetch the bundle from your own authority; if its authority is a new one, two people approve it.", "7.11"),
    ("trust-delta.malformed", Severity.ERROR, "The delta was altered, or does not lead to a bundle that was signed.", "Fetch the whole bundle.", "7.12"),
    ("trust-delta.other-base", Severity.ERROR, "The delta continues another bundle than the one that is installed.", "Fetch the deltas in between, or the whole bundle.", "7.12"),
    ("bundle.not-newer", Severity.ERROR, "A bundle of this or of a higher number is installed: a terminal never goes back.", "Fetch the newest bundle.", "7.13"),
    ("bundle.approval-missing", Severity.ERROR, "The bundle brings something new that all trust stands on, or a clock's mark is to be taken back, and fewer than two approvers approved it.", "Have it approved by two people of approvers.toml (`membercard-verifier bundle approve`, `clock approve`).", "7.13"),
    ("bundle.approval-invalid", Severity.ERROR, "An approval is not of an approver of this terminal, or not for this bundle or this mark of the clock.", "Have the same bundle, or the mark of now, approved again.", "7.13"),
    ("bundle.approvers-malformed", Severity.ERROR, "The file approvers.toml is not what docs/policy.md says.", "Compare the file with docs/policy.md; two people are two names and two keys.", "7.13"),
    ("bundle.locked", Severity.ERROR, "Another process is installing a bundle, or this system has no locks on files.", "Wait for it, and try again.", "7.13"),
    ("bundle.unwritable", Severity.ERROR, "The trust directory, or a file that a command writes, cannot be written.", "Check that the directory may be written to and has room; what was installed before goes on counting.", "7.13"),
    # SPEC.md, 9.21 and 9.22
    ("terminal-authentication.no-credentials", Severity.UNREADABLE, "The chip keeps files for terminals with a right, and this terminal has no certificate to show.", "Nothing, where those files are not needed. Otherwise give --terminal.", "9.21"),
    ("terminal-authentication.expired", Severity.REFUSED, "The terminal's certificates are not valid today, so it read the card without its right.", "Renew the terminal's certificate (`membercard-pki terminal renew`) and export its directory anew; check this computer's clock.", "9.21"),
    ("terminal-authentication.trust-point-unknown", Severity.REFUSED, "No chain of the terminal's certificates begins at a key that the chip trusts.", "Export the terminal's directory anew, with all links of the CVCA; if the code stays, the card belongs to another hierarchy.", "9.21"),
    ("terminal-authentication.no-right", Severity.UNREADABLE, "The terminal's certificates grant none of the protected files.", "Nothing, where those files are not needed. Otherwise ask for a certificate with the right.", "9.21"),
    ("terminal-authentication.not-needed", Severity.UNREADABLE, "The purpose of this inspection needs no protected file, so the terminal did not prove itself.", "Nothing. Another --purpose may need them.", "9.21"),
    ("terminal-authentication.not-possible", Severity.REFUSED, "The terminal could not prove itself: the chip has not proven itself, offers another version only, or was opened by basic access control.", _HAND_OVER, "9.21"),
    ("terminal-authentication.key-failed", Severity.UNREADABLE, "The terminal's own key could not sign, so it read the card without its right.", "Look at the terminal's keystore or token.", "9.21"),
    ("terminal-authentication.chain-refused", Severity.REFUSED, "The chip refused a certificate of the chain that the terminal showed, although it begins at one of its trust points.", "Try another card. If all refuse, have the terminal's certificates looked at; if only this one does, report it.", "9.21"),
    ("terminal-authentication.refused", Severity.REFUSED, "The chip took the terminal's certificates and refused its proof.", "Try another card. If all refuse, have the terminal's key looked at; if only this one does, report it.", "9.21"),
    ("terminal-authentication.malformed", Severity.REFUSED, "The chip answered terminal authentication with something that is no answer to it.", _DEFECT, "9.21"),
    ("terminal-authentication.broken-off", Severity.REFUSED, "The exchange ended in the middle of terminal authentication.", _DEFECT, "9.21"),
    ("terminal-authentication.trust-points-missing", Severity.REFUSED, "The chip announces terminal authentication and gives no EF.CVCA.", _ISSUER, "9.21"),
    ("terminal-authentication.trust-points-malformed", Severity.REFUSED, "EF.CVCA is not what the specification says.", _ISSUER, "9.21"),
    ("data-group.no-right", Severity.UNREADABLE, "The card holds a file that only terminals with a right may read, and this one has none.", "Nothing, where the file is not needed. Otherwise give --terminal with a certificate that grants it.", "9.22"),
    ("data-group.not-needed", Severity.UNREADABLE, "The card holds a protected file that the purpose of this inspection does not need, so it was not asked for.", "Nothing. Another --purpose may need it.", "9.22"),
    ("data-group.refused-despite-right", Severity.REFUSED, "The chip took the terminal's proof and refuses a file that its certificates grant.", _HAND_OVER, "9.22"),
    ("data-group.portrait-undecodable", Severity.REFUSED, "The picture in EF.DG2 cannot be decoded within its bounds, although its header is in order.", "Compare the holder with the picture printed on the card, and have the issuing committee look at how the card was made.", "9.23"),
    ("portrait.not-decoded", Severity.UNREADABLE, "The picture in EF.DG2 was not tried: the decoder of this terminal could not be started, or a stored snapshot was judged that does not say.", "Read the card again with membercard-verifier; if the code stays, look at how it was installed.", "9.23"),
    # What can break a reading off, or speak against it in general.
    ("transport.lost", Severity.UNREADABLE, "The connection to the card broke off while it was being read.", _AGAIN, "9.19"),
    ("transport.no-card", Severity.UNREADABLE, "There is no card in the reader.", "Put the card on the reader and try again.", "9.19"),
    ("transport.no-reader", Severity.ERROR, "There is no reader of this name, or its driver is not running.", "Plug the reader in, and compare its name with the one given to --reader.", "9.19"),
    ("transport.no-pcsc", Severity.ERROR, "This computer has no PC/SC service, or the program cannot reach it.", "Install and start pcscd, and install membercard with its extra [pcsc].", "9.19"),
    ("transport.reader-busy", Severity.UNREADABLE, "Another program holds the card.", "Close the other program, then try again.", "9.19"),
    ("reading.short-identifier-refused", Severity.NOTE, "The chip reads no file by short identifier, so files were selected first, which takes more commands.", "Nothing, where such chips are expected.", "9.24"),
    ("reading.short-apdus", Severity.NOTE, "The chip's answer to reset names extended lengths, and no EF.ATR/INFO says how long: short commands were used, which takes longer.", "Nothing. If cards of one issue differ here, look at the reader.", "9.24"),
    ("reading.limit", Severity.UNREADABLE, "Reading the card took more time, commands or bytes than an inspection allows.", _DEFECT, "4.8"),
    ("card.refused", Severity.REFUSED, "The chip refused a command that every member card carries out.", _DEFECT, "4.4"),
    ("card.malformed", Severity.REFUSED, "The chip gave bytes that break the specification.", _DEFECT, "2"),
    ("card.malformed-response", Severity.REFUSED, "An answer of the chip is no response at all.", _DEFECT, "4.1"),
    ("tlv.malformed", Severity.REFUSED, "The chip gave data objects that are cut off, too long or not in their shortest form.", _DEFECT, "2.1"),
    ("reading.malformed", Severity.REFUSED, "The chip's answers do not add up to a file.", _DEFECT, "4.8"),
    ("reading.broken", Severity.REFUSED, "The reading itself broke on what the chip answered; the card counts as not read.", "Report it to the makers of this program, and the card to its issuer.", "4.8"),
    ("evidence.missing", Severity.REFUSED, "The snapshot of the reading holds nothing on which this check could be judged.", "Read the card again and judge the new snapshot.", "9"),
    ("check.broken", Severity.REFUSED, "A check of this program itself broke; the card counts as not having passed it.", "Report it to the makers of this program, with the snapshot if you may.", "9"),
    ("policy.empty", Severity.REFUSED, "The policy requires no check for this purpose, and a card is never accepted for nothing.", "Put a policy.toml into the trust directory, as `membercard-pki trust export` writes it.", "9"),
    # Errors of the verifier itself: no card was judged.
    ("trust.missing", Severity.ERROR, "The trust directory is not there or cannot be read.", "Give --trust the directory that `membercard-pki trust export` wrote.", "9.7"),
    ("trust.malformed", Severity.ERROR, "A file of the trust directory is broken, too large or one too many; the error names it.", "Export the trust directory anew. Nothing is judged with a part of it.", "9.7"),
    ("terminal.missing", Severity.ERROR, "The directory with the terminal's credentials is not there or cannot be read.", "Give --terminal the directory that `membercard-pki terminal export` wrote.", "5.11"),
    ("terminal.malformed", Severity.ERROR, "The terminal's credentials are broken or do not belong together; the error names what is wrong.", "Export the directory anew with `membercard-pki terminal export`. Nothing is read with a part of it.", "5.11"),
    ("terminal.key-unavailable", Severity.ERROR, "The terminal's key cannot be opened: its keystore or the PIN is wrong, or the token is not there.", "Compare --terminal-pin-file with the one that the key was made with.", "5.11"),
    ("policy.malformed", Severity.ERROR, "The policy (policy.toml) is not what docs/policy.md says.", "Compare the file with docs/policy.md; the error names the key.", "9"),
    ("policy.unknown-purpose", Severity.ERROR, "The policy knows no purpose of this name.", "Leave --purpose out for the default one, or name one that stands in policy.toml.", "9"),
    ("profile.not-found", Severity.ERROR, "There is no card profile of this name.", "Leave --profile out, or name a packaged profile or a file.", "3"),
    ("profile.malformed", Severity.ERROR, "The card profile cannot be read, or contradicts itself.", "Compare the file with a packaged profile.", "3"),
    ("transcript.malformed", Severity.ERROR, "A transcript is not what its format says.", "Take the file as `membercard-verifier inspect --transcript` wrote it.", "9"),
    ("transcript.diverged", Severity.ERROR, "The reading of this program does something else than the one that the transcript records: the error names the line.", "Replay it with the version that wrote it, and with the same --profile.", "9"),
    ("snapshot.malformed", Severity.ERROR, "A stored snapshot is not what its format says.", "Take the snapshot as it was stored, or read the card again.", "9"),
    ("input.malformed", Severity.ERROR, "Something typed or piped in (a card access number, a machine-readable zone, a time, a list) means nothing.", "The error says what was expected.", "5.1"),
    ("output.failed", Severity.ERROR, "A result could not be written where it was asked for.", "Check that the directory exists, may be written to and has room.", "9"),
    ("portrait.unreadable", Severity.ERROR, "The picture on the card could not be decoded within its bounds; the verdict does not depend on it.", "Compare the holder with the picture printed on the card, and report the card to its issuer.", "3.7"),
    *((code, Severity.ERROR, cause, remedy, "9") for code, cause, remedy in (*TERMINAL_ROWS, *CENTRE_ROWS)),
    ("card.error", Severity.ERROR, "Something went wrong between the reader and the card that no other code describes.", _AGAIN, "4"),
    ("verifier.error", Severity.ERROR, "The verifier could not do something that no other code describes.", "The error says what; report it if it stays.", "9"),
)
# fmt: on

CODES: Final[Mapping[str, CodeExplanation]] = MappingProxyType(
    {
        code: CodeExplanation(
            code=code, severity=severity, cause=cause, remedy=remedy, clause=clause
        )
        for code, severity, cause, remedy, clause in _ROWS
    }
)

FALLBACK: Final = "card.malformed"
"""What a verdict says for a code that this table does not know: never silently nothing."""


def explain(code: str) -> CodeExplanation:
    """The table's entry.

    Raises:
        KeyError: there is no such code.
    """
    return CODES[code]


def to_markdown() -> str:
    """The whole table as the page docs/codes.md."""
    lines = [
        "# Codes",
        "",
        "Every refusal and every error of `membercard-verifier` carries one of these codes. They are stable: programs may",
        "rely on them. `membercard-verifier explain CODE` prints one entry. Clauses are those of `card_layout/SPEC.md`.",
        "",
        "*refused*: speaks against the card. *unreadable*: says nothing about the card. *error*: no card was judged.",
        "*note*: how the card was read; it stands beside whatever verdict the card gets.",
        "",
        "This page is generated from `verifier/inspection/codes.py` (`membercard-verifier explain --all > docs/codes.md`).",
        "",
    ]
    for entry in CODES.values():
        lines += [
            f"## `{entry.code}`",
            "",
            f"*{entry.severity.value}* · clause {entry.clause}",
            "",
            f"**Cause.** {entry.cause}",
            "",
            f"**What to do.** {entry.remedy}",
            "",
        ]
    return "\n".join(lines[:-1]) + "\n"
