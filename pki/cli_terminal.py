"""The commands ``membercard-pki terminal ...``: certificates that let terminals read protected files."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final, Protocol

import typer
from rich.table import Table
from rich.text import Text

from card_layout.curves import NamedCurve
from pki.bootstrap import read_state
from pki.bootstrap_terminal import ensure_home, open_terminal_services
from pki.card_verifiable.authorisation import FileRights
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import judge_chain
from pki.card_verifiable.references import HolderReference
from pki.card_verifiable.request import read_request
from pki.card_verifiable.structure import MAX_ENCODED_BYTES
from pki.durable import replace_file
from pki.errors import PkiDataError, PkiError
from pki.home import Home
from pki.keys.open import KeystoreKind, keystore_warning
from pki.presentation import (
    Document,
    FormatOption,
    OutputFormat,
    print_document,
    print_json,
    print_table,
    print_warning,
)
from pki.presentation_terminal import (
    certificate_document,
    judged_document,
    record_document,
    request_document,
)

__all__ = ["PinFileOption", "home_of", "read_encoded", "terminal_app"]

_GRANT: Final = re.compile(r"DG(1[0-6]|[1-9])")
_CURVES: Final = {curve.label: curve for curve in NamedCurve}
_MEMBER_RECORD: Final = ("DG13",)
_NO_FILE: Final = "none"

terminal_app = typer.Typer(
    help="Terminals' certificates: CVCA, document verifiers, terminals.", rich_markup_mode=None
)
cvca_app = typer.Typer(help="The root of the terminals.", rich_markup_mode=None)
verifier_app = typer.Typer(
    help="Document verifiers, which certify terminals.", rich_markup_mode=None
)
request_app = typer.Typer(help="A terminal's own requests.", rich_markup_mode=None)
terminal_app.add_typer(cvca_app, name="cvca")
terminal_app.add_typer(verifier_app, name="dv")
terminal_app.add_typer(request_app, name="request")


class _HomeHolder(Protocol):
    @property
    def home(self) -> Home: ...


PinFileOption = Annotated[
    Path | None,
    typer.Option(help="File with the keystore's PIN; the one given at creation is remembered."),
]
KeystoreOption = Annotated[
    KeystoreKind, typer.Option(help="Where keys live, if the home is made by this command.")
]
CurveOption = Annotated[
    str, typer.Option(help=f"The curve of the keys: {', '.join(sorted(_CURVES))}.")
]
GrantOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A file that may be read, DG1 to DG16, or none; repeat it. Absent: DG13, the member record."
    ),
]
OutOption = Annotated[Path | None, typer.Option(help="Where to write the result, too.")]
RequestArgument = Annotated[Path, typer.Argument(help="The request's file.")]
VerifierOption = Annotated[
    str | None, typer.Option("--dv", help="Reference of the document verifier's key that signs.")
]


@cvca_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-pki --home pki terminal cvca create --holder VNMEMBER
  membercard-pki --home terminals terminal cvca create --holder VNMEMBER --pin-file secrets/cvca.pin
""",
)
def cvca_create(
    context: typer.Context,
    *,
    holder: Annotated[
        str, typer.Option(help="Country and mnemonic, like VNMEMBER: 3 to 11 characters.")
    ],
    grant: GrantOption = None,
    curve: CurveOption = NamedCurve.SECP256R1.label,
    keystore: KeystoreOption = KeystoreKind.AUTO,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make the CVCA: its first key and a self-signed certificate that is valid for three years."""
    files, named_curve = _files(grant or _MEMBER_RECORD), _curve(curve)
    home = _prepared(context, kind=keystore, pin_file=pin_file)
    with open_terminal_services(home, pin_file=pin_file) as services:
        certificate = services.authority.create_authority(
            country=holder[:2], mnemonic=holder[2:], curve=named_curve, files=files
        )
    print_document(certificate_document(certificate), output_format)


@cvca_app.command(
    "link",
    epilog="""\b
Examples:
  membercard-pki --home pki terminal cvca link
  membercard-pki --home pki terminal cvca link --format json
""",
)
def cvca_link(
    context: typer.Context,
    *,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make the CVCA's next key: a link certificate by the key before, and a self-signed one."""
    with open_terminal_services(home_of(context), pin_file=pin_file) as services:
        link, root = services.authority.create_link()
    documents = [certificate_document(link), certificate_document(root)]
    if output_format is OutputFormat.JSON:
        print_json(documents)
        return
    for document in documents:
        print_document(document, output_format)
        print_table(Text())


@verifier_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-pki --home pki terminal dv create --mnemonic OFFICES
  membercard-pki --home pki terminal dv create --mnemonic OFFICES --grant DG13 --format json
""",
)
def verifier_create(
    context: typer.Context,
    *,
    mnemonic: Annotated[str, typer.Option(help="1 to 9 digits or capital letters.")],
    grant: GrantOption = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make a document verifier's first or next key and its certificate, valid for three months."""
    files = _files(grant or _MEMBER_RECORD)
    with open_terminal_services(home_of(context), pin_file=pin_file) as services:
        certificate = services.authority.create_document_verifier(mnemonic=mnemonic, files=files)
    print_document(certificate_document(certificate), output_format)


@terminal_app.command(
    "issue",
    epilog="""\b
Examples:
  membercard-pki --home pki terminal issue gate.cvreq --grant DG13 --out gate.cvcert
""",
)
def issue(
    context: typer.Context,
    request: RequestArgument,
    *,
    grant: Annotated[
        list[str],
        typer.Option(help="A file that it may read, DG1 to DG16, or none; repeat it."),
    ],
    verifier: VerifierOption = None,
    out: OutOption = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Certify a new terminal for a month; you vouch that the request is the terminal's."""
    encoded, files, reference = read_encoded(request), _files(grant), _reference(verifier)
    with open_terminal_services(home_of(context), pin_file=pin_file) as services:
        certificate = services.terminals.issue_terminal(encoded, files=files, verifier=reference)
    _write(out, certificate.to_bytes())
    print_document(certificate_document(certificate), output_format)


@terminal_app.command(
    "renew",
    epilog="""\b
Examples:
  membercard-pki --home pki terminal renew gate-2.cvreq --out gate-2.cvcert
""",
)
def renew(
    context: typer.Context,
    request: RequestArgument,
    *,
    verifier: VerifierOption = None,
    out: OutOption = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Certify a terminal's next key, for which its valid key before vouches; rights stay as they are."""
    encoded, reference = read_encoded(request), _reference(verifier)
    with open_terminal_services(home_of(context), pin_file=pin_file) as services:
        certificate = services.terminals.renew_terminal(encoded, verifier=reference)
    _write(out, certificate.to_bytes())
    print_document(certificate_document(certificate), output_format)


@terminal_app.command(
    "block",
    epilog="""\b
Examples:
  membercard-pki --home pki terminal block VNGATE1 --reason "stolen"
""",
)
def block(
    context: typer.Context,
    holder: Annotated[str, typer.Argument(help="Country and mnemonic of the terminal.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it stays in the journal.")],
    pin_file: PinFileOption = None,
) -> None:
    """Issue no more certificates to a terminal; the one it has ends by itself, within a month."""
    with open_terminal_services(home_of(context), pin_file=pin_file) as services:
        services.terminals.block_terminal(holder, reason=reason)
    print_table(Text(f"blocked {holder}"))


@terminal_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-pki --home pki terminal list
  membercard-pki --home pki terminal list --format json
""",
)
def list_certificates(
    context: typer.Context, *, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List the CV certificates of a home: CVCA, links, document verifiers, terminals."""
    state = read_state(home_of(context)).card_verifiable
    documents = [record_document(record, state) for record in state.records]
    if output_format is OutputFormat.JSON:
        print_json(documents)
        return
    table = Table(box=None, pad_edge=False)
    names = ("holder", "authority", "role", "state", "files", "valid_until")
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for document in documents:
        table.add_row(*(Text(str(document.get(name) or "-")) for name in names))
    print_table(table)


@terminal_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-pki terminal show gate.cvcert
  membercard-pki terminal show gate.cvreq --format json
""",
)
def show(
    file: Annotated[Path, typer.Argument(help="A CV certificate or a request.")],
    *,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show what any CV certificate or request says; `terminal verify` judges it."""
    print_document(_document(read_encoded(file)), output_format)


@terminal_app.command(
    "verify",
    epilog="""\b
Examples:
  membercard-pki terminal verify dv.cvcert gate.cvcert --anchor cvca.cvcert
  membercard-pki terminal verify link.cvcert dv.cvcert gate.cvcert --anchor cvca.cvcert --on 2027-01-31
""",
)
def verify(
    chain: Annotated[
        list[Path], typer.Argument(help="Links, document verifier, terminal, in this order.")
    ],
    *,
    anchor: Annotated[
        list[Path], typer.Option(help="A CVCA's self-signed certificate that you trust.")
    ],
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day; today if absent.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Judge a chain as a chip would, and show what it lets the terminal read."""
    day: date = datetime.now(UTC).date() if on is None else on.date()
    judged = judge_chain(
        [CvCertificate.from_bytes(read_encoded(path)) for path in chain],
        anchors=[CvCertificate.from_bytes(read_encoded(path)) for path in anchor],
        on=day,
    )
    print_document(judged_document(judged) | {"on": day.isoformat()}, output_format)


@request_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-pki --home gate terminal request create --holder VNGATE1 --out gate.cvreq --pin-file gate.pin
  membercard-pki --home gate terminal request create --earlier gate.cvcert --out gate-2.cvreq
""",
)
def request_create(
    context: typer.Context,
    *,
    out: Annotated[Path, typer.Option(help="Where to write the request.")],
    holder: Annotated[
        str | None, typer.Option(help="Country and mnemonic of a new terminal, like VNGATE1.")
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(help="The terminal's certificate whose key vouches for the next key."),
    ] = None,
    authority: Annotated[
        str | None, typer.Option(help="Reference of the document verifier that is asked.")
    ] = None,
    curve: CurveOption = NamedCurve.SECP256R1.label,
    keystore: KeystoreOption = KeystoreKind.AUTO,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make a terminal's key in its own home, and the request for its certificate."""
    if (holder is None) == (earlier is None):
        raise typer.BadParameter("give one of them", param_hint="--holder or --earlier")
    reference, named_curve = _reference(authority), _curve(curve)
    before = None if earlier is None else CvCertificate.from_bytes(read_encoded(earlier))
    home = _prepared(context, kind=keystore, pin_file=pin_file)
    with open_terminal_services(home, pin_file=pin_file) as services:
        if before is not None:
            encoded = services.requests.request_next(before).to_bytes()
        else:
            name = holder or ""
            encoded = services.requests.request_first(
                country=name[:2], mnemonic=name[2:], curve=named_curve, authority=reference
            ).to_bytes()
    _write(out, encoded)
    print_document(request_document(read_request(encoded)), output_format)


def home_of(context: typer.Context) -> Home:
    """The home that the command was given."""
    holder: _HomeHolder = context.obj
    return holder.home


def _prepared(context: typer.Context, *, kind: KeystoreKind, pin_file: Path | None) -> Home:
    home = home_of(context)
    if ensure_home(home, kind=kind, pin_file=pin_file):
        warning = keystore_warning(home.keystore)
        if warning is not None:
            print_warning(warning)
    return home


def _document(encoded: bytes) -> Document:
    """A certificate or a request: both begin alike, so both are tried."""
    try:
        return certificate_document(CvCertificate.from_bytes(encoded))
    except PkiDataError as error:
        if error.code != "cv-certificate.malformed":
            raise
        try:
            return request_document(read_request(encoded))
        except PkiDataError as other:
            raise PkiDataError(
                f"neither a certificate ({error}) nor a request ({other})", code=other.code
            ) from other


def _files(grant: Sequence[str]) -> FileRights:
    groups: list[int] = []
    if list(grant) == [_NO_FILE]:
        return FileRights()
    for name in grant:
        match = _GRANT.fullmatch(name)
        if match is None:
            raise typer.BadParameter(f"{name[:20]!r} is none of DG1 to DG16", param_hint="--grant")
        groups.append(int(match[1]))
    return FileRights.of(groups)


def _curve(name: str) -> NamedCurve:
    curve = _CURVES.get(name)
    if curve is None:
        raise typer.BadParameter(
            f"{name[:40]!r} is none of {', '.join(sorted(_CURVES))}", param_hint="--curve"
        )
    return curve


def _reference(text: str | None) -> HolderReference | None:
    return None if text is None else HolderReference.from_text(text)


def read_encoded(path: Path) -> bytes:
    """A certificate or request from a file, one byte more than it may have at most.

    Raises:
        PkiError: ``file.unreadable``.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_ENCODED_BYTES + 1)
    except OSError as error:
        raise PkiError(
            f"{path} cannot be read: {error.strerror}", code="file.unreadable"
        ) from error


def _write(path: Path | None, content: bytes) -> None:
    if path is None:
        return
    try:
        replace_file(path, content, mode=0o644)
    except OSError as error:
        raise PkiError(
            f"{path} cannot be written: {error.strerror}", code="file.unwritable"
        ) from error
