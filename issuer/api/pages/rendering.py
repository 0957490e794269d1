"""Pages of the console: one base, one style, the words of the reader's language, and only what they may see."""

import functools
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from issuer.api.gate import Caller
from issuer.api.languages import (
    LANGUAGE_COOKIE,
    Language,
    Wording,
    choose_language,
    message,
    wording,
)
from issuer.domain.rights import Actor, Right

__all__ = ["NAVIGATION", "Entry", "language_of", "new_key", "render", "static_file", "static_url"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the navigation; ``right`` is ``None`` where a session is enough."""

    path: str
    label: str
    icon: str
    key: str
    right: Right | None
    also: tuple[str, ...] = ()
    """Addresses of pages that belong to it, too."""

    or_right: Right | None = None
    """Another right that is enough."""

    def is_for(self, actor: Actor) -> bool:
        """Whether somebody may go there."""
        rights = [each for each in (self.right, self.or_right) if each is not None]
        return not rights or any(actor.may_somewhere(each) for each in rights)

    def leads_to(self, path: str) -> bool:
        """Whether a page is this entry's."""
        if path == self.path:
            return True
        below = () if self.path == "/" else (self.path, *self.also)
        return any(path == each or path.startswith(f"{each}/") for each in below)


NAVIGATION: Final = (
    Entry(path="/", label=message("Overview"), icon="overview", key="d", right=None),
    Entry(
        path="/members",
        label=message("Members"),
        icon="members",
        key="m",
        right=Right.READ_MEMBERS,
        also=("/deletions",),
    ),
    Entry(
        path="/requests",
        label=message("Requests"),
        icon="requests",
        key="r",
        right=Right.READ_REQUESTS,
    ),
    Entry(
        path="/decisions",
        label=message("Decisions"),
        icon="decisions",
        key="c",
        right=Right.READ_REQUESTS,
    ),
    Entry(
        path="/batches",
        label=message("Batches"),
        icon="batches",
        key="b",
        right=Right.READ_CARDS,
    ),
    Entry(
        path="/cards",
        label=message("Card dossiers"),
        icon="cards",
        key="t",
        right=Right.READ_CARDS,
    ),
    Entry(
        path="/stations",
        label=message("Stations"),
        icon="stations",
        key="w",
        right=Right.READ_STOCK,
    ),
    Entry(
        path="/stock",
        label=message("Stock"),
        icon="stock",
        key="s",
        right=Right.READ_STOCK,
    ),
    Entry(
        path="/imports",
        label=message("Import"),
        icon="import",
        key="i",
        right=Right.IMPORT_MEMBERS,
        also=("/operations", "/questionable"),
    ),
    Entry(
        path="/organisations",
        label=message("Organisations"),
        icon="organisations",
        key="o",
        right=Right.READ_ORGANISATIONS,
        also=("/organisation", "/numbers"),
    ),
    Entry(
        path="/reports",
        label=message("Reports"),
        icon="reports",
        key="q",
        right=Right.READ_REPORTS,
    ),
    Entry(
        path="/people", label=message("People"), icon="account", key="p", right=Right.MANAGE_PEOPLE
    ),
    Entry(
        path="/instances",
        label=message("Other offices"),
        icon="exchange",
        key="e",
        right=Right.EXCHANGE_BUNDLES,
        or_right=Right.OPERATE_SERVICE,
        also=("/bundles", "/conflicts"),
    ),
    Entry(path="/audit", label=message("Audit"), icon="audit", key="a", right=Right.READ_AUDIT),
)
"""Where one can go, and the key that leads there after ``g``."""

_STATIC: Final = "static"


def language_of(request: Request) -> Language:
    """The reader's language."""
    return choose_language(
        cookie=request.cookies.get(LANGUAGE_COOKIE),
        accepted=request.headers.get("accept-language", ""),
    )


def new_key() -> str:
    """A key for a form: sent twice, what it asks for is done once."""
    return secrets.token_urlsafe(24)


def render(
    request: Request,
    template: str,
    *,
    caller: Caller | None,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """A page.

    Args:
        request: what it answers.
        template: the template's file name.
        caller: who reads it; decides the navigation.
        status: the HTTP status.
        context: what the template shows.
    """
    language = language_of(request)
    text = (
        _environment(language)
        .get_template(template)
        .render(
            language=language.value,
            languages=tuple(Language),
            path=request.url.path,
            address=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            caller=caller,
            navigation=_navigation(caller),
            **context,
        )
    )
    return HTMLResponse(
        text,
        status_code=status,
        headers={"Content-Language": language.value, "Vary": "Cookie, Accept-Language"},
    )


def _navigation(caller: Caller | None) -> Sequence[Entry]:
    if caller is None or caller.presence.restriction is not None:
        return ()
    return tuple(each for each in NAVIGATION if each.is_for(caller.actor))


@functools.cache
def static_file(name: str) -> bytes:
    """A file of style or script."""
    return (resources.files("issuer.api") / _STATIC / name).read_bytes()


@functools.cache
def static_url(name: str) -> str:
    """Its address, which changes with its content, so that browsers may keep it for ever."""
    digest = hashlib.sha256(static_file(name)).hexdigest()[:16]
    return f"/static/{name}?v={digest}"


@functools.cache
def _environment(language: Language) -> Environment:
    words: Wording = wording(language)
    environment = Environment(
        loader=PackageLoader("issuer.api", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        words.gettext, words.ngettext, newstyle=True
    )
    environment.filters["day"] = words.date
    environment.filters["moment"] = words.time
    environment.filters["figure"] = words.number
    environment.filters["share"] = words.share
    environment.filters["machine_time"] = datetime.isoformat
    environment.globals["static"] = static_url
    environment.globals["new_key"] = new_key
    return environment
