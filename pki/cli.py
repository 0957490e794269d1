"""The command ``membercard-pki``: thin; what it does stands in the services."""

import os
import sys
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from pki.bootstrap import open_authority, prepare_home, read_state, write_trust
from pki.certificates.certificate import load_certificate_list
from pki.certificates.crl import MAX_CRL_LIFETIME
from pki.certificates.profile import ProfileVariant
from pki.cli_authorising import authorisation_app, operator_app, signer_serve
from pki.cli_certificate import certificate_app
from pki.cli_context import CommandContext, KeyOption, PinFileOption, command_context, load_profile
from pki.cli_hierarchy import mount
from pki.cli_master_keys import master_key_app
from pki.cli_master_list import master_list_app
from pki.cli_status_list import status_list_app
from pki.cli_terminal_export import terminal_app
from pki.cli_trust_bundle import trust_bundle_app
from pki.errors import PkiError
from pki.keys.open import KeystoreKind, keystore_warning
from pki.lazy_commands import LazyCommands, LazyGroup
from pki.lint_command import LINT_EXAMPLES, lint_command
from pki.log_commands import log_app
from pki.presentation import (
    FormatOption,
    OutputFormat,
    authority_document,
    crl_document,
    print_document,
    print_json,
    print_table,
    print_warning,
    signer_document,
)
from pki.record.journal import JournalHead
from pki.services.authority import AuthorityRequest
from pki.services.log_reading import replay_all
from pki.services.revocation import RevocationService
from pki.services.state import PkiState
from pki.witness_commands import mount_evidence

__all__ = ["app", "main"]

_NOT_DONE: Final = 2
_USAGE: Final = 64

_LAZY: Final = {
    "ceremony": LazyCommands(
        module="pki.cli_ceremony",
        attribute="ceremony_app",
        help="Ceremonies: what a quorum of custodians does with the root's key.",
    ),
    "backup": LazyCommands(
        module="pki.cli_backup",
        attribute="backup_app",
        help="Token, journal, log and database in one sealed file, and back.",
    ),
    "database": LazyCommands(
        module="pki.cli_service",
        attribute="database_app",
        help="The service's database: requests, and a projection of the journal.",
    ),
    "request": LazyCommands(
        module="pki.cli_service",
        attribute="request_app",
        help="What operators asked for and decided through the API.",
    ),
    "api": LazyCommands(
        module="pki.cli_api",
        attribute="api_app",
        help="The HTTP API for operators and terminals.",
    ),
}
"""Groups that bring a database, a web server or a PDF library."""

app = typer.Typer(
    name="membercard-pki",
    cls=LazyGroup.of(_LAZY),
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
authority_app = typer.Typer(help="The certification authority itself.", rich_markup_mode=None)
signer_app = typer.Typer(help="Document signers, which sign cards.", rich_markup_mode=None)
crl_app = typer.Typer(help="Certificate revocation lists.", rich_markup_mode=None)
trust_app = typer.Typer(help="What verifiers trust.", rich_markup_mode=None)
journal_app = typer.Typer(help="The record of every signature.", rich_markup_mode=None)


@app.callback(
    epilog="""\b
Examples:
  membercard-pki --home pki authority create --test --name Trial --pin-file secrets/pki.pin
  membercard-pki --home pki signer create --id ds-1
  membercard-pki --home pki crl issue
  membercard-pki --home pki trust export trust
"""
)
def root(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            envvar="MEMBERCARD_PKI_HOME",
            help="The directory of keys, journal and certificates.",
        ),
    ] = None,
) -> None:
    """Run the certification authority whose signers sign cards.

    Exit status: 0 done, 1 refused, 2 could not read or do, 64 wrong usage.
    """
    context.obj = CommandContext(home)


@authority_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-pki --home pki authority create --test --name Trial --pin-file secrets/pki.pin
  membercard-pki --home pki authority create --name "Card signing" --keystore pkcs11 --pin-file /run/pin --profile icao
""",
)
def authority_create(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="The authority's name, without TEST.")],
    pin_file: Annotated[
        Path, typer.Option(help="File with the keystore's PIN; made with a random one if absent.")
    ],
    test: Annotated[
        bool,
        typer.Option("--test", help="Mark every certificate as a test: policies must allow it."),
    ] = False,
    keystore: Annotated[
        KeystoreKind,
        typer.Option(help="Where keys live: auto takes a SoftHSM2 token where there is one."),
    ] = KeystoreKind.AUTO,
    country: Annotated[str, typer.Option(help="Two capital letters.")] = "VN",
    crl_uri: Annotated[
        str, typer.Option(help="Where the CRL will be published; stands in every certificate.")
    ] = "http://pki.example/csca-1.crl",
    profile: Annotated[
        ProfileVariant,
        typer.Option(
            help="Explicit domain parameters as Doc 9303-12 asks (icao), or named curves."
        ),
    ] = ProfileVariant.PRIVATE,
    certificate_profile: Annotated[
        str, typer.Option(help="Certificate profile: a name or a TOML file.")
    ] = "csca",
    key: KeyOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make a country signing authority: keystore, key, self-signed certificate, journal."""
    home = command_context(context).home
    request = AuthorityRequest(
        name=name, country=country, is_test=test, distribution_point=crl_uri, variant=profile
    )
    chosen = load_profile(certificate_profile, key)
    request.check(chosen)
    prepare_home(home, kind=keystore, pin_file=pin_file)
    warning = keystore_warning(home.keystore)
    if warning is not None:
        print_warning(warning)
    with open_authority(home, pin_file=pin_file) as authority:
        authority.create_authority(request, profile=chosen)
    print_document(authority_document(read_state(home)), output_format)


@authority_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-pki --home pki authority show
  membercard-pki --home pki authority show --format json
""",
)
def authority_show(
    context: typer.Context, *, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """Show the authority, its certificate's validity and its CRL."""
    print_document(authority_document(read_state(command_context(context).home)), output_format)


@signer_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-pki --home pki signer create --id ds-1
  membercard-pki --home pki signer create --id ds-2 --format json
  membercard-pki --home pki signer create --id stop-1 --profile stop-list-signer
""",
)
def signer_create(
    context: typer.Context,
    *,
    signer_id: Annotated[
        str, typer.Option("--id", help="The signer's name, given once: letters a-z, digits, -.")
    ],
    profile: Annotated[
        str, typer.Option(help="Certificate profile: a name or a TOML file.")
    ] = "document-signer",
    key: KeyOption = None,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make a signer of documents, or of lists, bundles or journals: its key and its certificate."""
    certificate_profile = load_profile(profile, key)
    with open_authority(command_context(context).home, pin_file=pin_file) as authority:
        record = authority.create_signer(signer_id, profile=certificate_profile)
    print_document(signer_document(record), output_format)


@signer_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-pki --home pki signer list
  membercard-pki --home pki signer list --format json
""",
)
def signer_list(context: typer.Context, *, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """List the signers and how much each has signed."""
    state = read_state(command_context(context).home)
    documents = [signer_document(record) for record in state.signers.values()]
    if output_format is OutputFormat.JSON:
        print_json(documents)
        return
    table = Table(box=None, pad_edge=False)
    names = ("id", "state", "kind", "key_use_until", "valid_until", "objects_signed")
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for document in documents:
        table.add_row(*(Text(str(document.get(name, "-"))) for name in names))
    print_table(table)


@signer_app.command(
    "revoke",
    epilog="""\b
Examples:
  membercard-pki --home pki signer revoke --id ds-1 --reason "token lost"
""",
)
def signer_revoke(
    context: typer.Context,
    *,
    signer_id: Annotated[str, typer.Option("--id", help="The signer's name.")],
    reason: Annotated[
        str, typer.Option(help="Why; it stays in the journal and never stands in a CRL.")
    ],
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Revoke a document signer and issue the CRL that lists it: every card that it signed is refused."""
    with open_authority(command_context(context).home, pin_file=pin_file) as authority:
        record = RevocationService(authority).revoke(signer_id, reason=reason)
    print_document(signer_document(record), output_format)
    print_warning("terminals refuse its cards once they have the new CRL: trust export")


@crl_app.command(
    "issue",
    epilog="""\b
Examples:
  membercard-pki --home pki crl issue
  membercard-pki --home pki crl issue --days 30 --format json
""",
)
def crl_issue(
    context: typer.Context,
    *,
    days: Annotated[
        int, typer.Option(min=1, max=90, help="For how long verifiers may use it.")
    ] = MAX_CRL_LIFETIME.days,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Issue a certificate revocation list with the next number."""
    with open_authority(command_context(context).home, pin_file=pin_file) as authority:
        crl = authority.issue_crl(lifetime=timedelta(days=days))
    print_document(crl_document(load_certificate_list(crl)), output_format)


@trust_app.command(
    "export",
    epilog="""\b
Examples:
  membercard-pki --home pki trust export trust
""",
)
def trust_export(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="The trust directory; made if absent.")],
    *,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write the authority's certificate, its CRL and a policy for verifiers; an existing policy is kept."""
    files = write_trust(command_context(context).home, directory)
    if output_format is OutputFormat.JSON:
        print_json([{"file": str(path), "written": is_written} for path, is_written in files])
        return
    for path, is_written in files:
        print_table(Text(f"{'wrote' if is_written else 'kept '} {path}"))


@journal_app.command(
    "verify",
    epilog="""\b
Examples:
  membercard-pki --home pki journal verify
  membercard-pki --home pki journal verify --head 17:5f0c...e2 --format json
""",
)
def journal_verify(
    context: typer.Context,
    *,
    head: Annotated[
        str | None,
        typer.Option(help="A head that was written down earlier: finds a tail that was cut off."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Check every entry of the journal; print its head, to be written down elsewhere."""
    home = command_context(context).home
    home.settings()
    known = None if head is None else JournalHead.from_text(head)
    _, found = replay_all(home, PkiState(), known_head=known)
    if found.torn_bytes:
        print_warning(
            f"the last {found.torn_bytes} bytes are a line that a crash tore; it was never acknowledged"
        )
    print_document(
        {"entries": found.sequence, "head": found.to_text(), "torn_bytes": found.torn_bytes},
        output_format,
    )


signer_app.command(
    "serve",
    epilog="""\b
Examples:
  membercard-pki --home pki signer serve --socket /run/membercard/signer.sock
""",
)(signer_serve)

for _name, _commands in (
    ("authority", authority_app),
    ("signer", signer_app),
    ("crl", crl_app),
    ("trust", trust_app),
    ("journal", journal_app),
    ("log", log_app),
    ("terminal", terminal_app),
    ("operator", operator_app),
    ("authorisation", authorisation_app),
    ("certificate", certificate_app),
    ("master-list", master_list_app),
    ("status-list", status_list_app),
    ("trust-bundle", trust_bundle_app),
    ("master-key", master_key_app),
):
    app.add_typer(_commands, name=_name)
app.command("lint", epilog=LINT_EXAMPLES)(lint_command)
mount(app, authority=authority_app, signer=signer_app)
mount_evidence(log_app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give back the exit status; nothing that comes from outside ends in a traceback."""
    try:
        status = app(
            args=None if arguments is None else list(arguments),
            prog_name="membercard-pki",
            standalone_mode=False,
        )
    except typer.TyperException as error:
        # Which command it was, whose help tells more than that of them all.
        command = getattr(getattr(error, "ctx", None), "command_path", "membercard-pki")
        return _fail(error.format_message(), "usage", f"{command} --help", _USAGE)
    except PkiError as error:
        return _fail(str(error), error.code, error.hint, error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOT_DONE
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", "interrupted", None, _NOT_DONE)
    except Exception as error:  # noqa: BLE001 - Python would end with 1, which means refused
        traceback.print_exc()
        return _fail(
            f"a fault of this program ({type(error).__name__})", "internal", None, _NOT_DONE
        )
    # The library turns an interruption into status 130; ours has one meaning for everything not done.
    return _NOT_DONE if status == 130 else status if isinstance(status, int) else 0


def _fail(sentence: str, code: str, hint: str | None, status: int) -> int:
    """One line for people, with the code that they can search for."""
    lines = [f"error: {sentence.rstrip('.')} [{code}]"] + ([f"hint: {hint}"] if hint else [])
    for line in lines:
        # A file's name may hold anything: nothing of it may steer the terminal.
        printable = "".join(each if each.isprintable() else "?" for each in line)
        sys.stderr.write(printable + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
