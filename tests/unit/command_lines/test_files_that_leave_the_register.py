"""Every file that leaves the register is in one table, with what it holds; docs/people.md says which right each takes.

Candidates are found in the code: each command's parameter that is a path, and each route that comes, through whatever
functions, to a response which is neither a page nor JSON. One that is in no table fails here.
"""

import ast
import enum
import inspect
import re
import typing
from collections import defaultdict
from pathlib import Path
from typing import Final

from fastapi.routing import APIRoute

from issuer.api.app import create_app
from issuer.api.gate import all_routes
from issuer.api.ports import ApiServices
from issuer.cli import whole_app
from issuer.cli_rights import commands_of
from issuer.domain.rights import STEP_UP_RIGHTS

ROOT: Final = Path(__file__).parents[3]


class Holds(enum.Enum):
    """What a file holds, as far as the rule asks."""

    NOBODY = "counts, digests, identifiers, keys: nothing about a member"
    ONE = "one person's picture, or one card's line of time"
    ALL_OF_ONE = "everything about one person"
    MANY = "names, dates, numbers or pictures of several people, or the secrets of their cards"
    SEALED = "the same, for one enrolled key or a passphrase alone"
    PAPER = "card numbers and names, on the paper that is signed where the cards change hands"
    BROUGHT = "what people brought in, given back as it came"


FILES_OF_COMMANDS: Final = {
    "audit checkpoint out": Holds.NOBODY,
    "audit export out": Holds.NOBODY,
    "backup create output": Holds.SEALED,
    "batches minutes out": Holds.PAPER,
    "batches packing-list out": Holds.NOBODY,
    "batches proof out": Holds.MANY,
    "breach list out": Holds.MANY,
    "bundle export out": Holds.SEALED,
    "cards dossier json_file": Holds.ONE,
    "cards dossier pdf": Holds.ONE,
    "cards print-data out": Holds.MANY,
    "decisions authorisation create out": Holds.NOBODY,
    "decisions authorisation show out": Holds.NOBODY,
    "decisions show document_to": Holds.BROUGHT,
    "instances request out": Holds.NOBODY,
    "instances request out_signer": Holds.NOBODY,
    "keys request-exchange out": Holds.NOBODY,
    "keys request-station out": Holds.NOBODY,
    "members import correction": Holds.BROUGHT,
    "members import report": Holds.NOBODY,
    "members template out": Holds.NOBODY,
    "organisations import report": Holds.NOBODY,
    "organisations template out": Holds.NOBODY,
    "people confirm password_file": Holds.NOBODY,
    "people create password_file": Holds.NOBODY,
    "people create-first-administrators password_file": Holds.NOBODY,
    "people create-first-administrators second_password_file": Holds.NOBODY,
    "people reset-password password_file": Holds.NOBODY,
    "reports export out": Holds.NOBODY,
    "reports production out": Holds.NOBODY,
    "station bundle out file": Holds.SEALED,
    "stations order out": Holds.SEALED,
    "status states out": Holds.NOBODY,
    "stock day close protocol": Holds.NOBODY,
    "stock day protocol out": Holds.NOBODY,
    "stock destruction confirm protocol": Holds.NOBODY,
    "stock destruction protocol out": Holds.NOBODY,
    "stock report out": Holds.NOBODY,
    "subject confirm-deletion proof": Holds.NOBODY,
    "subject deletion-document out": Holds.BROUGHT,
    "subject extract json_file": Holds.ALL_OF_ONE,
    "subject extract pdf_file": Holds.ALL_OF_ONE,
}
_READ: Final = """
serve socket, login password_file, login new_password_file, audit verify checkpoint, audit verify log_key,
audit verify file, audit checkpoint pki, audit checkpoint pki_pin_file, audit checkpoint signer_socket,
audit checkpoint log_key, subject correct evidence, subject propose-deletion evidence, organisations import file, organisations add evidence,
organisations rename evidence, organisations move evidence, organisations merge evidence,
organisations close evidence, members import file, members import portraits, members import mapping,
members change evidence, members change values, members standing evidence, members transfer evidence,
members portrait picture, members portrait evidence, members serve evidence, members mapping check mapping,
members mapping check file, decisions create document, decisions authorisation attach-signature file,
instances install signer_certificate, instances install certificate, instances install root,
instances propose signer_certificate, instances propose certificate, bundle import files, keys create pin_file,
keys import-transport file, keys import-trust-point files, keys install-exchange folder, stock receive file,
stock issue file, stock return file, stock sample file, stock day count scanned, stock destruction propose file,
stock stop report file, stock stop confirm file, stock stop lift file, batches sign signer_socket,
batches sign pki, batches sign pki_pin_file, batches pass scanned, batches receive scanned,
batches hand-over scanned, batches hand-over minutes, cards revoke references, cards print-data to,
stations propose signer, stations propose certificate, stations accept file, stations order chips,
station initialise keys, station personalise keys, station run keys, station bundle in file,
status publish signer_socket, status publish pki, status publish pki_pin_file, status publish trust,
status take file, status take trust, backup create passphrase_file, backup verify file,
backup verify passphrase_file, backup restore file, backup restore passphrase_file, backup restore database_file
"""
READ_BY_COMMANDS: Final = frozenset(each.strip() for each in _READ.split(","))

FILES_OF_ROUTES: Final = {
    "/batches/{batch_id}/minutes": Holds.PAPER,
    "/batches/{batch_id}/packing-list": Holds.NOBODY,
    "/batches/{batch_id}/proof": Holds.MANY,
    "/cards/{reference}/dossier": Holds.ONE,
    "/conflicts/{conflict}/portrait": Holds.ONE,
    "/decisions/{decision_id}/authorisation/file": Holds.NOBODY,
    "/decisions/{decision_id}/document": Holds.BROUGHT,
    "/deletions/{member_id}/proof": Holds.NOBODY,
    "/imports/template": Holds.NOBODY,
    "/imports/{number}/correction": Holds.MANY,
    "/imports/{number}/report": Holds.NOBODY,
    "/instances/{name}/bundles/{sequence}": Holds.SEALED,
    "/members/{member_id}/data/deletion/document": Holds.BROUGHT,
    "/members/{member_id}/data/extract": Holds.ALL_OF_ONE,
    "/members/{member_id}/evidence/{digest}": Holds.BROUGHT,
    "/members/{member_id}/portrait": Holds.ONE,
    "/members/{member_id}/portrait/new/{word}": Holds.ONE,
    "/merged-reports/file": Holds.NOBODY,
    "/merged-reports/production/file": Holds.NOBODY,
    "/metrics": Holds.NOBODY,
    "/operations/{operation_id}/events": Holds.NOBODY,
    "/organisation-evidence/{digest}": Holds.BROUGHT,
    "/organisation/evidence/{digest}/{code:path}": Holds.BROUGHT,
    "/organisation/list/template": Holds.NOBODY,
    "/questionable/{number}/{row}/portrait": Holds.ONE,
    "/reports/file": Holds.NOBODY,
    "/reports/instances/file": Holds.NOBODY,
    "/reports/instances/production/file": Holds.NOBODY,
    "/reports/production/file": Holds.NOBODY,
    "/security-keys/registration/{credential}": Holds.NOBODY,
    "/static/{name}": Holds.NOBODY,
    "/stock/counts/{count_id}/protocol": Holds.NOBODY,
    "/stock/destructions/{destruction_id}/protocol": Holds.NOBODY,
    "/stock/file": Holds.NOBODY,
}
"""By the address; that of the API is the same behind ``/v1``."""

EXPORTED: Final = {Holds.MANY, Holds.ALL_OF_ONE}
"""What asks for a right that takes the second factor."""

_MAKERS: Final = frozenset({"Response", "StreamingResponse", "FileResponse"})
Function = tuple[str, str]
"""A function of the API: its module and its name."""


def parameters_of_commands() -> set[str]:
    """Every parameter of a command that names a file or a folder."""
    return {
        f"{words} {name}"
        for words, command in commands_of(whole_app())
        if command.callback is not None
        for name, hint in typing.get_type_hints(inspect.unwrap(command.callback)).items()
        if "Path" in str(hint)
    }


def gives_a_file(call: ast.Call) -> bool:
    """Whether it makes a response of some other kind than a page or JSON."""
    if not isinstance(call.func, ast.Name) or call.func.id not in _MAKERS:
        return False
    given = {each.arg: each.value for each in call.keywords}
    if "Content-Disposition" in ast.unparse(given.get("headers", ast.Constant(value=""))):
        return True
    kind = given.get("media_type")
    return kind is not None and not (
        isinstance(kind, ast.Constant) and kind.value == "application/json"
    )


def functions_that_give_files() -> set[Function]:
    """Those that make such a response, and all that call them, module by module."""
    givers: set[Function] = set()
    called_by: dict[Function, set[Function]] = defaultdict(set)
    for path in (ROOT / "issuer" / "api").rglob("*.py"):
        if "station_screen" in path.parts:
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        origins = {
            name.asname or name.name: (each.module or "", name.name)
            for each in ast.walk(tree)
            if isinstance(each, ast.ImportFrom)
            for name in each.names
        }
        for function in tree.body:
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            own = (module, function.name)
            for each in ast.walk(function):
                if isinstance(each, ast.Call) and gives_a_file(each):
                    givers.add(own)
                elif isinstance(each, ast.Name):
                    called_by[origins.get(each.id, (module, each.id))].add(own)
    waiting = list(givers)
    while waiting:
        found = called_by[waiting.pop()] - givers
        givers |= found
        waiting += found
    return givers


def routes_that_give_files() -> set[str]:
    """The addresses of the routes that end in one of these functions."""
    givers = functions_that_give_files()
    # Nothing is asked of the services: the routes are looked at, not called.
    app = create_app(typing.cast("ApiServices", None))
    return {
        route.path.removeprefix("/v1")
        for route in all_routes(app.routes)
        if isinstance(route, APIRoute)
        and (route.endpoint.__module__, route.endpoint.__name__) in givers
    }


def test_every_path_of_a_command_is_read_or_stands_in_the_table() -> None:
    assert parameters_of_commands() == set(FILES_OF_COMMANDS) | READ_BY_COMMANDS
    assert not set(FILES_OF_COMMANDS) & READ_BY_COMMANDS


def test_every_route_that_gives_a_file_stands_in_the_table() -> None:
    assert routes_that_give_files() == set(FILES_OF_ROUTES)


def test_the_table_of_people_md_lists_each_of_them_with_its_right() -> None:
    text = (ROOT / "docs" / "people.md").read_text(encoding="utf-8")
    table = text.partition("<!-- files: begin -->")[2].partition("<!-- files: end -->")[0]
    rows = [
        [set(re.findall(r"`([^`]+)`(\*?)", cell)) for cell in line.split("|")[2:4]]
        for line in table.strip().splitlines()[2:]
    ]
    documented = {name: rights for names, rights in rows for name, _ in names}
    found = [(words.rpartition(" ")[0], holds) for words, holds in FILES_OF_COMMANDS.items()]
    found += FILES_OF_ROUTES.items()
    about_people = {name: holds for name, holds in found if holds is not Holds.NOBODY}
    assert set(documented) == set(about_people)
    for name, holds in about_people.items():
        rights = documented[name]
        assert {each for each, star in rights if star} <= set(STEP_UP_RIGHTS), name
        assert any(star for _, star in rights) == (holds in EXPORTED), name
