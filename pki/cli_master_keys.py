"""Commands of chips' master keys: ``master-key create|import|rotate|list|retire|wrap``."""

from pathlib import Path
from typing import Annotated

import typer

from pki.bootstrap import read_state
from pki.bootstrap_master_keys import (
    open_master_keys,
    read_check_value,
    read_component,
    read_serials,
    wrap_to_file,
)
from pki.cli_context import PinFileOption, command_context
from pki.home import Home
from pki.keys.open import keystore_warning
from pki.presentation import (
    Document,
    FormatOption,
    OutputFormat,
    print_document,
    print_json,
    print_warning,
)
from pki.services.master_key_state import MasterKeyRecord
from pki.services.master_keys import KeyComponent

__all__ = ["master_key_app"]

master_key_app = typer.Typer(
    help="Master keys of chips, which never leave the keystore.", rich_markup_mode=None
)


@master_key_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-pki --home pki master-key create
""",
)
def master_key_create(
    context: typer.Context,
    *,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Draw the personalisation master key in the keystore."""
    home = command_context(context).home
    with open_master_keys(home, pin_file=pin_file) as service:
        record = service.create()
    _conclude(home, record, output_format)


@master_key_app.command(
    "import",
    epilog="""\b
Examples:
  membercard-pki --home pki master-key import --check-value A1B2C3D4E5 \\
    --custodian an --component /media/an/key --component-check-value 0102030405 \\
    --custodian binh --component /media/binh/key --component-check-value 1112131415
""",
)
def master_key_import(
    context: typer.Context,
    *,
    custodian: Annotated[
        list[str], typer.Option(help="Who brings a component; two or three, in the same order.")
    ],
    component: Annotated[
        list[Path], typer.Option(help="File of a component: 64 hexadecimal digits, mode 0600.")
    ],
    component_check_value: Annotated[
        list[str], typer.Option(help="The check value of a component: 10 hexadecimal digits.")
    ],
    check_value: Annotated[
        str, typer.Option(help="The check value of the whole key: 10 hexadecimal digits.")
    ],
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take in the chip maker's transport master key from the components of two or three custodians.

    Check values are the first five bytes of AES-CMAC over sixteen zero bytes. Nothing is kept unless all fit.
    """
    if not len(custodian) == len(component) == len(component_check_value):
        raise typer.BadParameter(
            "every custodian brings one component and its check value", param_hint="--custodian"
        )
    home = command_context(context).home
    expected = read_check_value(check_value)
    check_values = [read_check_value(each) for each in component_check_value]
    with open_master_keys(home, pin_file=pin_file) as service:
        record = service.import_transport(
            [
                KeyComponent(custodian=name, value=read_component(path), check_value=each)
                for name, path, each in zip(custodian, component, check_values, strict=True)
            ],
            check_value=expected,
        )
    _conclude(home, record, output_format)


@master_key_app.command(
    "rotate",
    epilog="""\b
Examples:
  membercard-pki --home pki master-key rotate
""",
)
def master_key_rotate(
    context: typer.Context,
    *,
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Draw the next personalisation master key; the older ones stay for the chips that carry their keys."""
    home = command_context(context).home
    with open_master_keys(home, pin_file=pin_file) as service:
        record = service.rotate()
    _conclude(home, record, output_format)


@master_key_app.command(
    "retire",
    epilog="""\b
Examples:
  membercard-pki --home pki master-key retire personalisation-1 --reason "no chip with its keys is left"
""",
)
def master_key_retire(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="As master-key list names it.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it stays in the journal.")],
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Destroy a master key for good: chips that hold its keys can be personalised no more."""
    home = command_context(context).home
    with open_master_keys(home, pin_file=pin_file) as service:
        record = service.retire(key, reason=reason)
    _conclude(home, record, output_format)


@master_key_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-pki --home pki master-key list
  membercard-pki --home pki master-key list --format json
""",
)
def master_key_list(
    context: typer.Context, *, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List the master keys, with what chips call them and their check values."""
    state = read_state(command_context(context).home).master_keys
    _print_all([_document(record) for record in state.keys.values()], output_format)


@master_key_app.command(
    "wrapped",
    epilog="""\b
Examples:
  membercard-pki --home pki master-key wrapped
  membercard-pki --home pki master-key wrapped --station station-1 --format json
""",
)
def master_key_wrapped(
    context: typer.Context,
    *,
    station: Annotated[
        str | None, typer.Option(help="Only those of this station, as service list names it.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List the chips whose keys were, or may have been, sealed to stations: what a stolen station can know."""
    state = read_state(command_context(context).home).master_keys
    documents: list[Document] = [
        {
            "batch": each.batch.hex(),
            "station": each.service_id,
            "at": f"{each.time:%Y-%m-%dT%H:%M:%SZ}",
            "count": len(each.serials),
            "chips": " ".join(serial.hex().upper() for serial in each.serials),
        }
        for each in state.wrappings
        if station in {None, each.service_id}
    ]
    _print_all(documents, output_format)


@master_key_app.command(
    "wrap",
    epilog="""\b
Examples:
  membercard-pki master-key wrap --socket run/s --batch batch.json --chips delivery.csv --station station-1.cer --out station-1.keys
""",
)
def master_key_wrap(
    *,
    socket_path: Annotated[Path, typer.Option("--socket", help="The signer process's socket.")],
    batch: Annotated[
        Path, typer.Option(help="The batch authorisation, signed by two operators, with chips.")
    ],
    chips: Annotated[
        Path, typer.Option(help="The chips: CSV with a column serial, at most 500 rows.")
    ],
    station: Annotated[Path, typer.Option(help="The station's certificate (DER).")],
    out: Annotated[Path, typer.Option(help="The file of sealed keys; it must not be there yet.")],
    transport: Annotated[
        int | None,
        typer.Option(min=1, help="The version of the transport master key; the newest if absent."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Have the keys of one batch's chips sealed to a station's certificate by the signer process."""
    serials = read_serials(chips)
    size = wrap_to_file(
        socket_path, out, authorisation=batch, station=station, serials=serials, transport=transport
    )
    print_document({"file": str(out), "chips": len(serials), "bytes": size}, output_format)


def _conclude(home: Home, record: MasterKeyRecord, output_format: OutputFormat) -> None:
    warning = keystore_warning(home.keystore)
    if warning is not None:
        print_warning(warning)
    print_document(_document(record), output_format)


def _print_all(documents: list[Document], output_format: OutputFormat) -> None:
    if output_format is OutputFormat.JSON:
        print_json(documents)
        return
    for document in documents:
        print_document(document, output_format)


def _document(record: MasterKeyRecord) -> Document:
    state = "unfinished" if record.check_value is None else "usable"
    return {
        "id": record.key_id,
        "state": state if record.retired_at is None else "retired",
        "key_version": f"{record.key_version:02X}",
        "check_value": None if record.check_value is None else record.check_value.hex().upper(),
        "since": None if record.created_at is None else f"{record.created_at:%Y-%m-%dT%H:%M:%SZ}",
    }
