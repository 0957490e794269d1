"""`membercard-verifier terminal`: the terminal of an office, its page, and the programs that it is paired with."""

import ipaddress
import os
import sys
import webbrowser
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Final

import typer

from pki.durable import replace_file
from verifier.bootstrap import DEFAULT_PROFILE
from verifier.errors import UsageError, VerifierError
from verifier.output import FormatOption, OutputFormat, print_json
from verifier.presentation import printable
from verifier.result_files import write_private
from verifier.services.terminal_service import TerminalService
from verifier.trust.terminal_home import TerminalHome, read_page_address
from verifier.typed_input import credentials_of

__all__ = [
    "DEFAULT_LISTEN",
    "HomeOption",
    "TerminalOption",
    "TerminalPinFileOption",
    "home_of",
    "terminal_app",
]

DEFAULT_LISTEN: Final = "127.0.0.1:24831"
_DEFAULT_HOME: Final = Path(".local/state/membercard-terminal")
_MAX_PORT: Final = 65535

terminal_app = typer.Typer(
    help="The terminal of an office: a page in the browser, and an interface for other programs.",
    rich_markup_mode=None,
)

HomeOption = Annotated[
    Path | None,
    typer.Option(
        help="The terminal's own directory: its journal and what it is paired with. "
        "By default ~/.local/state/membercard-terminal.",
        envvar=["MEMBERCARD_VERIFIER_HOME", "STATE_DIRECTORY"],
    ),
]
TerminalOption = Annotated[
    Path,
    typer.Option(
        help="Directory with the terminal's certificates and key.",
        envvar="MEMBERCARD_VERIFIER_TERMINAL",
    ),
]
TerminalPinFileOption = Annotated[
    Path,
    typer.Option(
        help="File with the PIN of the terminal's key.",
        envvar="MEMBERCARD_VERIFIER_TERMINAL_PIN_FILE",
    ),
]
PageFileOption = Annotated[
    Path | None,
    typer.Option(
        help="Where the page's one-time address is left; by default page in the home.",
        envvar="MEMBERCARD_VERIFIER_PAGE_FILE",
    ),
]

_RUN_EXAMPLES = """\b
Examples:
  membercard-verifier terminal run --reader "ACS ACR1252" --trust trust
  membercard-verifier terminal run --reader "ACS ACR1252" --trust trust --purpose meeting --open
  membercard-verifier terminal run --reader "ACS ACR1252" --trust trust --listen 127.0.0.1:0"""

_PAGE_EXAMPLES = """\b
Examples:
  membercard-verifier terminal page
  membercard-verifier terminal page --open"""

_PAIR_EXAMPLES = """\b
Examples:
  membercard-verifier terminal pair attendance --out attendance.token
  membercard-verifier terminal pair attendance --out attendance.token --holder"""

_INSTALL_EXAMPLES = """\b
Examples:
  membercard-verifier terminal install --reader "ACS ACR1252" --trust /etc/membercard/trust
  membercard-verifier terminal install --reader "ACS ACR1252" --trust /etc/membercard/trust --root image"""

_NEXT_STEPS: Final = """\
next:
  systemd-sysusers
  chown --recursive {user}: {trust}
  systemctl daemon-reload
  systemctl enable --now membercard-terminal.service
  adduser CLERK {group}
  membercard-verifier terminal page --page-file /run/membercard-terminal/page --open   (as CLERK)
"""

_UNPAIR_EXAMPLES = """\b
Examples:
  membercard-verifier terminal unpair attendance"""

_PROGRAMS_EXAMPLES = """\b
Examples:
  membercard-verifier terminal programs
  membercard-verifier terminal programs --format json"""


def home_of(home: Path | None) -> TerminalHome:
    """The home that was named, or the usual one."""
    return TerminalHome(Path.home() / _DEFAULT_HOME if home is None else home)


@terminal_app.command(epilog=_RUN_EXAMPLES)
def run(
    *,
    reader: Annotated[
        str,
        typer.Option(
            help="Name of the reader, a part of it that no other has, or scheme:rest.",
            envvar="MEMBERCARD_VERIFIER_READER",
        ),
    ],
    trust: Annotated[
        Path,
        typer.Option(
            help="Directory with csca/*.cer, crl/*.crl and policy.toml.",
            envvar="MEMBERCARD_VERIFIER_TRUST",
        ),
    ],
    listen: Annotated[
        str, typer.Option(help="The loopback address and port of the page; port 0: any free one.")
    ] = DEFAULT_LISTEN,
    purpose: Annotated[
        str | None, typer.Option(help="One of the policy's purposes, instead of its default one.")
    ] = None,
    profile: Annotated[str, typer.Option(help="The card profile to read by.")] = DEFAULT_PROFILE,
    terminal: Annotated[
        Path | None,
        typer.Option(
            help="Directory with the terminal's certificates and key, for files that need a right.",
            envvar="MEMBERCARD_VERIFIER_TERMINAL",
        ),
    ] = None,
    terminal_pin_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the PIN of the terminal's key.",
            envvar="MEMBERCARD_VERIFIER_TERMINAL_PIN_FILE",
        ),
    ] = None,
    keep_refused: Annotated[
        Path | None,
        typer.Option(
            help="Certificate of the inspection office: what was read of refused cards is kept, sealed to it.",
            envvar="MEMBERCARD_VERIFIER_KEEP_REFUSED",
        ),
    ] = None,
    home: HomeOption = None,
    page_file: PageFileOption = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in this user's browser.")
    ] = False,
) -> int:
    """Watch a reader, and show each card's verdict on a local page, until it is stopped."""
    # The web framework and the database are loaded by this command alone.
    from verifier.bootstrap_page import run_terminal  # noqa: PLC0415 - as said

    host, port = _loopback(listen)

    def announce(address: str) -> None:
        sys.stdout.write(f"ready\npage: {address}\n")
        sys.stdout.flush()
        if open_page:
            webbrowser.open(address)

    run_terminal(
        reader_name=reader,
        trust_directory=trust,
        profile_name=profile,
        purpose=purpose,
        credentials=credentials_of(terminal, terminal_pin_file),
        keep_refused=keep_refused,
        home=home_of(home),
        page_file=page_file,
        host=host,
        port=port,
        announce=announce,
    )
    return 0


@terminal_app.command(epilog=_PAGE_EXAMPLES)
def page(
    *,
    home: HomeOption = None,
    page_file: PageFileOption = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in this user's browser.")
    ] = False,
) -> int:
    """Print the address that opens the page of the running terminal, once."""
    address = read_page_address(page_file or home_of(home).directory / "page")
    sys.stdout.write(f"{printable(address)}\n")
    if open_page:
        webbrowser.open(address)
    return 0


@terminal_app.command(epilog=_PAIR_EXAMPLES)
def pair(
    *,
    name: Annotated[str, typer.Argument(help="What the program is called.")],
    out: Annotated[Path, typer.Option(help="Where its token is written, for its owner only.")],
    holder: Annotated[
        bool, typer.Option("--holder", help="Tell it whose card was accepted, too.")
    ] = False,
    home: HomeOption = None,
) -> int:
    """Pair a program with the local interface; the token is written once, and only its digest is kept."""
    if out.exists():
        raise UsageError(f"{printable(str(out))!r} is there already")
    terminal_home = home_of(home)
    terminal_home.prepare()
    token = terminal_home.pair(name, may_see_holder=holder, now=datetime.now(UTC))
    try:
        write_private(out, token.encode() + b"\n")
    except BaseException:
        # Nobody has the token: the program is not paired.
        terminal_home.unpair(name)
        raise
    sys.stdout.write(f"paired {printable(name)}; its token is in {printable(os.fspath(out))}\n")
    return 0


@terminal_app.command(epilog=_UNPAIR_EXAMPLES)
def unpair(
    *,
    name: Annotated[str, typer.Argument(help="What the program is called.")],
    home: HomeOption = None,
) -> int:
    """Let a program in no more; a connection that it has stays until it ends."""
    home_of(home).unpair(name)
    sys.stdout.write(f"unpaired {printable(name)}\n")
    return 0


@terminal_app.command(epilog=_PROGRAMS_EXAMPLES)
def programs(*, home: HomeOption = None, output_format: FormatOption = OutputFormat.TEXT) -> int:
    """List the paired programs."""
    found = home_of(home).programs().values()
    if output_format is OutputFormat.JSON:
        print_json(
            [
                {
                    "name": program.name,
                    "may_see_holder": program.may_see_holder,
                    "paired_at": program.paired_at.astimezone(UTC).isoformat(),
                }
                for program in found
            ]
        )
        return 0
    for program in found:
        right = "verdict and holder" if program.may_see_holder else "verdict"
        paired_at = program.paired_at.astimezone(UTC).isoformat(timespec="seconds")
        sys.stdout.write(f"{printable(program.name)}  {right}  {paired_at}\n")
    return 0


@terminal_app.command(epilog=_INSTALL_EXAMPLES)
def install(
    *,
    reader: Annotated[
        str, typer.Option(help="Name of the reader, or a part of it that no other has.")
    ],
    trust: Annotated[Path, typer.Option(help="The trust directory, by its absolute path.")],
    user: Annotated[
        str, typer.Option(help="The user that the service runs as; it is made.")
    ] = "membercard-terminal",
    page_group: Annotated[
        str, typer.Option(help="The group whose members may open the page; it is made.")
    ] = "membercard-clerks",
    listen: Annotated[str, typer.Option(help="The loopback address and port of the page.")] = (
        DEFAULT_LISTEN
    ),
    purpose: Annotated[str | None, typer.Option(help="One of the policy's purposes.")] = None,
    terminal: Annotated[
        Path | None, typer.Option(help="Directory with the terminal's certificates and key.")
    ] = None,
    terminal_pin_file: Annotated[
        Path | None, typer.Option(help="File with the PIN of the terminal's key.")
    ] = None,
    centre: Annotated[
        str | None,
        typer.Option(help="The central service: a timer fetches bundles and uploads the journal."),
    ] = None,
    pki: Annotated[
        str | None, typer.Option(help="The authority's service: the timer renews the certificate.")
    ] = None,
    root: Annotated[
        Path, typer.Option(help="Write below this directory, for an image or to look at it first.")
    ] = Path("/"),
) -> int:
    """Write a systemd unit, its user and its right to PC/SC; say what starts it."""
    _loopback(listen)
    credentials = credentials_of(terminal, terminal_pin_file)
    service = TerminalService(
        # The one that runs now, whatever environment it lives in.
        program=PurePosixPath(Path(sys.argv[0]).absolute()),
        reader=reader,
        trust=PurePosixPath(trust),
        user=user,
        page_group=page_group,
        listen=listen,
        purpose=purpose,
        credentials=None if credentials is None else PurePosixPath(credentials.directory),
        pin_file=None if credentials is None else PurePosixPath(credentials.pin_file),
        centre=centre,
        pki=pki,
    )
    for file in service.files():
        path = root / file.path.relative_to("/")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, file.content.encode(), mode=0o644)
        except OSError as error:
            raise VerifierError(
                f"{printable(str(path))!r} cannot be written ({error.strerror})",
                code="terminal.not-installed",
                hint="run it as root, or give --root",
            ) from error
        sys.stdout.write(f"wrote {printable(str(path))}\n")
    sys.stdout.write(_NEXT_STEPS.format(group=page_group, user=user, trust=trust))
    if centre is not None:
        sys.stdout.write("  systemctl enable --now membercard-terminal-sync.timer\n")
    return 0


def _loopback(text: str) -> tuple[str, int]:
    """Host and port of ``--listen``.

    Raises:
        UsageError: it is no loopback address with a port (``terminal.listen``).
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        address, number = ipaddress.ip_address(host), int(port)
    except ValueError as error:
        raise _no_listen(text) from error
    if not address.is_loopback or not 0 <= number <= _MAX_PORT or not port.isdecimal():
        raise _no_listen(text)
    return str(address), number


def _no_listen(text: str) -> UsageError:
    return UsageError(
        f"got --listen {printable(text)[:60]!r}, expected a loopback address and a port",
        code="terminal.listen",
        hint=f"as {DEFAULT_LISTEN}: the page is for this computer only",
    )
