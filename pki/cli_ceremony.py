"""Commands of the ceremonies: making the root, and everything that its quorum alone can do."""

from pathlib import Path
from typing import Annotated, Final

import typer

from pki.bootstrap_ceremony import (
    CeremonyResult,
    begin_ceremony,
    begin_root_ceremony,
    new_ceremony_id,
    resume_ceremony,
)
from pki.ceremony.acts import fingerprint_groups
from pki.ceremony.console import AnswersConsole, Console, TerminalConsole, read_answers
from pki.ceremony.script import CeremonyKind
from pki.ceremony.transcript import Opening
from pki.certificates.crl import MAX_CRL_LIFETIME
from pki.certificates.profile import ProfileVariant
from pki.cli_ceremony_reading import mount_reading
from pki.cli_context import KeyOption, command_context
from pki.errors import PkiRefusedError
from pki.keys.open import KeystoreKind
from pki.presentation import (
    FormatOption,
    OutputFormat,
    print_document,
    print_warning,
)

__all__ = ["ceremony_app"]

ceremony_app = typer.Typer(
    help="Ceremonies: what a quorum of custodians does with the root's key.", rich_markup_mode=None
)

AdministratorOption = Annotated[
    str, typer.Option(help="Who leads the ceremony and types what is not secret.")
]
WitnessOption = Annotated[
    list[str], typer.Option(help="Who watches and copies digests to paper; may be given again.")
]
SheetsOption = Annotated[
    Path | None,
    typer.Option(
        help="Where each sheet lies as a PDF while it is printed, in memory (tmpfs); without it, words are shown on the screen."
    ),
]
RehearseOption = Annotated[
    bool,
    typer.Option("--rehearse", help="Practise in a throw-away home; all names say TEST."),
]
AnswersOption = Annotated[
    Path | None, typer.Option(help="A file that answers instead of people; only with --rehearse.")
]
CustodianOption = Annotated[
    list[str], typer.Option(help="Who gets a sheet, in this order; give it for each.")
]
ThresholdOption = Annotated[int, typer.Option(help="How many sheets open the root.")]

_DAYS: Final = str(MAX_CRL_LIFETIME.days)


@ceremony_app.command(
    "root",
    epilog="""\b
Examples:
  membercard-pki --home pki ceremony root --name "Card signing" --pin-file secrets/pki.pin --threshold 3 --custodian "Nguyen An" --custodian "Tran Binh" --custodian "Le Chi" --custodian "Pham Dung" --custodian "Vo Giang" --administrator "Do Hoa" --witness "Bui Khanh" --sheets /dev/shm/sheets
  membercard-pki --home trial ceremony root --rehearse --name Trial --pin-file trial.pin --threshold 2 --custodian An --custodian Binh --custodian Chi --administrator Dung --witness Giang
""",
)
def ceremony_root(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="The authority's name, without TEST.")],
    pin_file: Annotated[
        Path, typer.Option(help="File with the PIN of the everyday keystore; made if absent.")
    ],
    threshold: ThresholdOption,
    custodian: CustodianOption,
    administrator: AdministratorOption,
    witness: WitnessOption,
    sheets: SheetsOption = None,
    rehearse: RehearseOption = False,
    answers: AnswersOption = None,
    test: Annotated[bool, typer.Option("--test", help="Mark every certificate as a test.")] = False,
    keystore: Annotated[
        KeystoreKind, typer.Option(help="Where keys live; auto takes a token where there is one.")
    ] = KeystoreKind.AUTO,
    root_keystore: Annotated[
        Path | None,
        typer.Option(
            help="Where the root's keystore is, such as on a medium for the safe; in the home if absent."
        ),
    ] = None,
    country: Annotated[str, typer.Option(help="Two capital letters.")] = "VN",
    crl_uri: Annotated[
        str, typer.Option(help="Where the CRL will be published; stands in every certificate.")
    ] = "http://pki.example/csca-1.crl",
    profile: Annotated[
        ProfileVariant, typer.Option(help="Explicit domain parameters (icao), or named curves.")
    ] = ProfileVariant.PRIVATE,
    certificate_profile: Annotated[
        str, typer.Option(help="Certificate profile: a name or a TOML file.")
    ] = "csca",
    key: KeyOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make a root whose key any THRESHOLD of the custodians open, and its first CRL."""
    home = command_context(context).home
    opening = Opening(
        ceremony=new_ceremony_id(CeremonyKind.ROOT),
        kind=CeremonyKind.ROOT,
        is_rehearsal=rehearse,
        administrator=administrator,
        witnesses=tuple(witness),
        custodians=tuple(custodian),
        threshold=threshold,
        wish={
            "name": name,
            "country": country,
            "test": "yes" if test or rehearse else "no",
            "crl_uri": crl_uri,
            "profile": profile.value,
            "certificate_profile": certificate_profile,
            "key": key or "",
            "keystore": keystore.value,
            "days": _DAYS,
        },
    )
    result = begin_root_ceremony(
        home,
        opening,
        pin_file=pin_file,
        root_keystore=root_keystore,
        console=_console(answers, is_rehearsal=rehearse),
        sheets=sheets,
    )
    _tell(result, output_format)


@ceremony_app.command(
    "crl",
    epilog="""\b
Examples:
  membercard-pki --home pki ceremony crl --administrator "Do Hoa" --witness "Bui Khanh"
""",
)
def ceremony_crl(
    context: typer.Context,
    *,
    administrator: AdministratorOption,
    witness: WitnessOption,
    days: Annotated[
        int, typer.Option(min=1, max=90, help="For how long verifiers may use it.")
    ] = MAX_CRL_LIFETIME.days,
    rehearse: RehearseOption = False,
    answers: AnswersOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Sign and publish the CRL that is due: what was staged, shown before it is signed."""
    _use_root(
        context,
        CeremonyKind.CRL,
        people=(administrator, witness),
        wish={"days": str(days)},
        rehearsal=(rehearse, answers),
        output_format=output_format,
    )


@ceremony_app.command(
    "signer",
    epilog="""\b
Examples:
  membercard-pki --home pki ceremony signer --id ds-1 --administrator "Do Hoa" --witness "Bui Khanh"
  membercard-pki --home pki ceremony signer --id stop-1 --profile stop-list-signer --administrator "Do Hoa" --witness "Bui Khanh"
""",
)
def ceremony_signer(
    context: typer.Context,
    *,
    signer_id: Annotated[
        str, typer.Option("--id", help="The signer's name, given once: letters a-z, digits, -.")
    ],
    administrator: AdministratorOption,
    witness: WitnessOption,
    profile: Annotated[
        str, typer.Option(help="Certificate profile: a name or a TOML file.")
    ] = "document-signer",
    key: KeyOption = None,
    rehearse: RehearseOption = False,
    answers: AnswersOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make a signer, whose key then works every day without the quorum."""
    _use_root(
        context,
        CeremonyKind.SIGNER,
        people=(administrator, witness),
        wish={"signer": signer_id, "certificate_profile": profile, "key": key or ""},
        rehearsal=(rehearse, answers),
        output_format=output_format,
    )


@ceremony_app.command(
    "rollover",
    epilog="""\b
Examples:
  membercard-pki --home pki ceremony rollover --administrator "Do Hoa" --witness "Bui Khanh"
""",
)
def ceremony_rollover(
    context: typer.Context,
    *,
    administrator: AdministratorOption,
    witness: WitnessOption,
    certificate_profile: Annotated[
        str, typer.Option(help="Certificate profile: a name or a TOML file.")
    ] = "csca",
    key: KeyOption = None,
    rehearse: RehearseOption = False,
    answers: AnswersOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make the root's next key, the link from the one before, and its CRL; the same sheets open it."""
    _use_root(
        context,
        CeremonyKind.ROLLOVER,
        people=(administrator, witness),
        wish={"certificate_profile": certificate_profile, "key": key or "", "days": _DAYS},
        rehearsal=(rehearse, answers),
        output_format=output_format,
    )


@ceremony_app.command(
    "destroy",
    epilog="""\b
Examples:
  membercard-pki --home pki ceremony destroy csca-1 --administrator "Do Hoa" --witness "Bui Khanh"
""",
)
def ceremony_destroy(
    context: typer.Context,
    *,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="A root key that another followed.")],
    administrator: AdministratorOption,
    witness: WitnessOption,
    rehearse: RehearseOption = False,
    answers: AnswersOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Destroy an earlier key of the root's, with a record of it."""
    _use_root(
        context,
        CeremonyKind.DESTROY,
        people=(administrator, witness),
        wish={"destroyed": key_id},
        rehearsal=(rehearse, answers),
        output_format=output_format,
    )


@ceremony_app.command(
    "reshare",
    epilog="""\b
Examples:
  membercard-pki --home pki ceremony reshare --threshold 2 --custodian "Nguyen An" --custodian "Le Chi" --custodian "Mai Lan" --administrator "Do Hoa" --witness "Bui Khanh" --sheets /dev/shm/sheets
""",
)
def ceremony_reshare(
    context: typer.Context,
    *,
    threshold: ThresholdOption,
    custodian: CustodianOption,
    administrator: AdministratorOption,
    witness: WitnessOption,
    sheets: SheetsOption = None,
    rehearse: RehearseOption = False,
    answers: AnswersOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Give new sheets to changed custodians: the sheets before open nothing any more."""
    _use_root(
        context,
        CeremonyKind.RESHARE,
        people=(administrator, witness),
        wish={},
        rehearsal=(rehearse, answers),
        output_format=output_format,
        quorum=(threshold, custodian),
        sheets=sheets,
    )


@ceremony_app.command(
    "resume",
    epilog="""\b
Examples:
  membercard-pki --home pki ceremony resume --sheets /dev/shm/sheets
""",
)
def ceremony_resume(
    context: typer.Context,
    *,
    sheets: SheetsOption = None,
    rehearse: RehearseOption = False,
    answers: AnswersOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Go on with the ceremony that broke off; what was only in memory is done again."""
    result = resume_ceremony(
        command_context(context).home,
        is_rehearsal=rehearse,
        console=_console(answers, is_rehearsal=rehearse),
        sheets=sheets,
    )
    _tell(result, output_format)


def _use_root(
    context: typer.Context,
    kind: CeremonyKind,
    *,
    people: tuple[str, list[str]],
    wish: dict[str, str],
    rehearsal: tuple[bool, Path | None],
    output_format: OutputFormat,
    quorum: tuple[int, list[str]] = (0, []),
    sheets: Path | None = None,
) -> None:
    administrator, witnesses = people
    is_rehearsal, answers = rehearsal
    opening = Opening(
        ceremony=new_ceremony_id(kind),
        kind=kind,
        is_rehearsal=is_rehearsal,
        administrator=administrator,
        witnesses=tuple(witnesses),
        custodians=tuple(quorum[1]),
        threshold=quorum[0],
        wish=wish,
    )
    result = begin_ceremony(
        command_context(context).home,
        opening,
        console=_console(answers, is_rehearsal=is_rehearsal),
        sheets=sheets,
    )
    _tell(result, output_format)


def _console(answers: Path | None, *, is_rehearsal: bool) -> Console:
    if answers is None:
        return TerminalConsole()
    if not is_rehearsal:
        raise PkiRefusedError(
            "a file of answers was given without --rehearse: people make a real root",
            code="ceremony.answers-not-allowed",
        )
    return AnswersConsole(read_answers(answers))


def _tell(result: CeremonyResult, output_format: OutputFormat) -> None:
    print_document(
        {
            "ceremony": result.opening.ceremony,
            "rehearsal": result.opening.is_rehearsal,
            "transcript": str(result.transcript),
            "digest": fingerprint_groups(result.digest),
        },
        output_format,
    )
    print_warning("read the digest aloud; every witness writes it down on paper and signs")


mount_reading(ceremony_app)
