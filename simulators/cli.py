"""``membercard-simulator``: virtual cards, blank cards, card images, synthetic members and forged cards."""

import csv
import io
import json
import secrets
import signal
import sys
import threading
import traceback
from enum import StrEnum
from pathlib import Path
from random import Random
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from typer.exceptions import TyperException

from card_layout.errors import CardError
from card_layout.profile import load_profile
from pki.errors import PkiError
from simulators.blank import SERIAL_BYTES, blank_image, read_or_create_transport_key
from simulators.errors import ImageError, SimulatorError
from simulators.forge_commands import register
from simulators.hopper import Hopper, find_images
from simulators.image import CardImage
from simulators.population.commands import population_app
from simulators.vpcd import FIRST_PORT, HOST, SLOTS_OF_A_DRIVER, Serving, VirtualIcc

__all__ = ["app", "main"]

DONE = 0
REFUSED = 1
FAILED = 2
USAGE = 64

_MAX_CARDS = 100_000

app = typer.Typer(
    help="Virtual membership cards, and whatever else a test needs on the other side of the reader.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
blank_app = typer.Typer(help="Blank cards, as a chip maker delivers them.", no_args_is_help=True)
image_app = typer.Typer(help="Card images: the memory of virtual cards.", no_args_is_help=True)


class OutputFormat(StrEnum):
    """For people or for programs."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[OutputFormat, typer.Option("--format", help="What to print.")]

_SERVE_EXAMPLES = """
\b
Examples:
  membercard-simulator serve --slot card.json
  membercard-simulator serve --slot demo/cards/left --slot 'demo/cards/*[02468].json' --until-empty
  membercard-simulator serve --slot a.json --slot b.json --slot c.json --port 35963 --port 35970
"""


@app.command("serve", epilog=_SERVE_EXAMPLES)
def serve(
    *,
    slot: Annotated[
        list[str],
        typer.Option(
            help="What goes into the next slot: an image, a folder, a pattern, or several with commas between."
        ),
    ],
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="End when the last card was used.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the virtual reader driver.")
    ] = 30.0,
    host: Annotated[str, typer.Option(help="Where the virtual reader driver listens.")] = HOST,
    port: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            max=65_534,
            help=f"Port of a driver entry, two slots each; again for more slots.  [default: {FIRST_PORT}]",
        ),
    ] = None,
) -> None:
    """Put virtual cards into the virtual PC/SC readers of vsmartcard's vpcd.

    A card is swapped for the next one of its slot when the host has powered it off after sending it a command.
    After the last one the slot stays empty. One line tells of each card that goes in.
    """
    stop = threading.Event()
    ports = [
        first + further for first in port or [FIRST_PORT] for further in range(SLOTS_OF_A_DRIVER)
    ]
    if len(slot) > len(ports):
        raise typer.BadParameter(
            f"{len(slot)} slots, expected at most {len(ports)}: give a --port for every two of them"
        )
    images = [find_images(text) for text in slot]
    _require_distinct(images)
    slots = [
        VirtualIcc(
            slot=index,
            hopper=Hopper(found),
            report=_print_line,
            stop=stop,
            host=host,
            port=ports[index],
            wait_seconds=wait,
        )
        for index, found in enumerate(images)
    ]
    serving = Serving(slots, stop=stop)

    def end(_number: int, _frame: FrameType | None) -> None:
        serving.end()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    serving.run(until_empty=until_empty)


def _require_distinct(slots: list[tuple[Path, ...]]) -> None:
    """Two slots that write one file would each undo what the other's card committed."""
    seen: set[Path] = set()
    for images in slots:
        resolved = {path.resolve() for path in images}
        for path in sorted(resolved & seen):
            raise SimulatorError(
                f"{path} stands in two slots", code="image.in-two-slots", hint="give it to one only"
            )
        seen |= resolved


_BLANK_EXAMPLES = """
\b
Examples:
  membercard-simulator blank create --count 18 --out demo/cards --transport-key demo/secrets/transport.key
  membercard-simulator blank create --count 1 --out cards --transport-key transport.key --profile membercard-1-icao-brainpool
"""


@blank_app.command("create", epilog=_BLANK_EXAMPLES)
def create_blanks(
    *,
    count: Annotated[int, typer.Option(min=1, max=_MAX_CARDS, help="How many cards.")],
    out: Annotated[Path, typer.Option(help="Folder for the images and delivery.csv.")],
    transport_key: Annotated[
        Path,
        typer.Option(help="The chip maker's master key, 64 hex characters; made where absent."),
    ],
    profile: Annotated[str, typer.Option(help="Card profile.")] = "membercard-1",
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same serials.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make blank cards with transport keys, and the list of their serials that comes with a delivery.

    Images are named 0001.json and so on; delivery.csv has the columns serial and image.
    """
    card_profile = load_profile(profile)
    names = [f"{number:04d}.json" for number in range(1, count + 1)]
    listing = out / "delivery.csv"
    present = [path for path in (*(out / name for name in names), listing) if path.exists()]
    if present:
        raise SimulatorError(
            f"{present[0]} exists already", code="blank.exists", hint="give an empty folder"
        )
    master_key = read_or_create_transport_key(transport_key)
    draw = secrets.token_bytes if seed is None else Random(seed).randbytes
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("serial", "image"))
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in names:
            serial = draw(SERIAL_BYTES)
            image = blank_image(card_profile, serial=serial, transport_master_key=master_key)
            image.save(out / name)
            writer.writerow((serial.hex().upper(), name))
        listing.write_text(table.getvalue(), encoding="utf-8")
    except OSError as error:
        raise SimulatorError(
            f"folder {out} cannot be written: {error.strerror}", code="image.unwritable"
        ) from error
    if output_format is OutputFormat.JSON:
        _print_json({"folder": str(out), "cards": count, "delivery": str(listing)})
    else:
        _print_line(f"{count} blank cards in {out}, listed in {listing}")


_SHOW_EXAMPLES = """
\b
Examples:
  membercard-simulator image show card.json
  membercard-simulator image show card.json --passwords --format json
"""


@image_app.command("show", epilog=_SHOW_EXAMPLES)
def show_image(
    *,
    image: Annotated[Path, typer.Argument(help="A card image.")],
    passwords: Annotated[
        bool, typer.Option("--passwords", help="Print the CAN and the MRZ information, too.")
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show what a card holds; never its keys, and its passwords only when asked to."""
    loaded = CardImage.load(image)
    summary = _summary(loaded, with_passwords=passwords)
    if output_format is OutputFormat.JSON:
        _print_json(summary)
        return
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    facts = Table.grid(padding=(0, 2))
    for name, value in summary.items():
        if name != "files":
            facts.add_row(name.replace("_", " "), _text(value))
    console.print(facts)
    files = Table("file", "short identifier", "read", "bytes", "capacity", box=None)
    for path, file in loaded.files.items():
        identifier = "" if file.short_identifier is None else f"{file.short_identifier:02X}"
        files.add_row(path, identifier, str(file.read), str(len(file.data)), str(file.capacity))
    console.print(files)


_VALIDATE_EXAMPLES = """
\b
Examples:
  membercard-simulator image validate card.json
  membercard-simulator image validate demo/cards/*.json --format json
"""


@image_app.command("validate", epilog=_VALIDATE_EXAMPLES)
def validate_images(
    images: Annotated[list[Path], typer.Argument(help="Card images.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Check that files are card images; status 1 where one is not."""
    findings: list[dict[str, str | None]] = []
    for path in images:
        try:
            CardImage.load(path)
        except ImageError as error:
            findings.append({"image": str(path), "code": error.code, "problem": str(error)})
        else:
            findings.append({"image": str(path), "code": None, "problem": None})
    if output_format is OutputFormat.JSON:
        _print_json(findings)
    else:
        for finding in findings:
            problem = finding["problem"]
            _print_line(
                f"{finding['image']}: good"
                if problem is None
                else f"refused: {problem} [{finding['code']}]"
            )
    if any(finding["code"] for finding in findings):
        raise typer.Exit(REFUSED)


app.add_typer(blank_app, name="blank")
app.add_typer(image_app, name="image")
app.add_typer(population_app, name="population")
register(image_app, app)


def main() -> None:
    """The console script: run the command line, and end with the status that its outcome has."""
    sys.exit(_run())


def _run() -> int:
    """Exit status: 0 done, 1 refused, 2 could not read or do, 64 usage."""
    try:
        status = app(standalone_mode=False)
    except (SimulatorError, PkiError) as error:
        return _fail(str(error), error.code, error.hint, error.exit_code)
    except CardError as error:
        return _fail(str(error), error.code, getattr(error, "hint", None), FAILED)
    except typer.Abort:
        return FAILED
    except typer.Exit as error:
        return error.exit_code
    except TyperException as error:
        message = error.format_message().rstrip(".")
        # Without a message the help was shown, because nothing at all was asked for.
        return _fail(_lower(message), "usage", None, USAGE) if message else USAGE
    except Exception as error:  # noqa: BLE001 - Python would end with 1, which means refused
        traceback.print_exc()
        return _fail(f"a fault of this program ({type(error).__name__})", "internal", None, FAILED)
    # Typer turns an interruption into the status 130.
    return status if status in (DONE, REFUSED, FAILED) else DONE if status is None else FAILED


def _fail(message: str, code: str, hint: str | None, status: int) -> int:
    sys.stderr.write(f"error: {message} [{code}]\n")
    if hint:
        sys.stderr.write(f"hint: {hint}\n")
    return status


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _summary(image: CardImage, *, with_passwords: bool) -> dict[str, object]:
    keys = image.keys
    summary: dict[str, object] = {
        "profile": image.profile,
        "state": image.state.name.lower(),
        "atr": image.atr.hex().upper(),
        "serial": image.serial.hex().upper(),
        "card_reference": None
        if image.card_reference is None
        else image.card_reference.hex().upper(),
        "key_version": None if keys.personalisation is None else keys.personalisation.key_version,
        "chip_keys": [f"{key.key_id}: {key.curve.label}" for key in keys.chip_authentication],
        "passwords_set": image.secrets.are_set,
        "wrong_passwords": image.secrets.wrong_passwords,
        "faults": [str(fault.kind) for fault in image.faults],
    }
    if with_passwords:
        summary["can"] = image.secrets.can
        summary["mrz_information"] = image.secrets.mrz_information
    summary["files"] = {
        path: {
            "bytes": len(file.data),
            "capacity": file.capacity,
            "read": str(file.read),
            "short_identifier": file.short_identifier,
        }
        for path, file in image.files.items()
    }
    return summary


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return str(value)


def _print_json(value: object) -> None:
    _print_line(json.dumps(value, ensure_ascii=False, indent=2))


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
