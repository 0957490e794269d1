"""The routes of a station's screen: the page, its stream of states, and what the operator does."""

from collections.abc import AsyncIterator, Callable
from functools import cache
from importlib import resources
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from issuer.api.languages import Language, Wording, choose_language, message, wording
from issuer.api.station_screen.pairing import ScreenPairing
from issuer.api.station_screen.ports import ScreenServices
from issuer.api.station_screen.refusals import ScreenRefusedError
from issuer.api.station_screen.streams import ScreenStreams
from issuer.api.station_screen.view import screen_view
from issuer.api.station_screen.words import REASONS, words_of
from issuer.domain.chip import parse_serial
from issuer.errors import IssuerError
from issuer.stations.operator import RejectReason
from issuer.stations.screen_state import ScreenState
from pki.errors import PkiError
from pki.web.local_page import PAIR_PATH, cookie_of

__all__ = ["rendered_screen", "screen_router"]

_LANGUAGE_COOKIE: Final = "membercard-station-language"
_YEAR_SECONDS: Final = 365 * 86400
_STATIC: Final = {
    "station.css": "text/css; charset=utf-8",
    "station.js": "text/javascript; charset=utf-8",
    "station-sounds.js": "text/javascript; charset=utf-8",
    "htmx-2.0.11.min.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
}
_CONFLICT: Final = 409
_UNAVAILABLE: Final = 503

LanguageQuery = Annotated[Language, Query(alias="lang")]
SerialForm = Annotated[str, Form(pattern=r"^[0-9A-F]{20}$")]


@cache
def _templates(language: Language) -> Environment:
    words = wording(language)
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
    return environment


def screen_router(
    services: ScreenServices, pairing: ScreenPairing, streams: ScreenStreams
) -> APIRouter:
    """The routes over one station."""
    router = APIRouter()
    _add_page_routes(router, services, pairing)
    _add_stream_route(router, services, streams)
    _add_acting_routes(router, services)
    _add_ending_routes(router, services)
    return router


def _add_page_routes(router: APIRouter, services: ScreenServices, pairing: ScreenPairing) -> None:
    """What a browser opens first, and the files of the page."""

    @router.get(PAIR_PATH + "{token}")
    def pair(token: str) -> Response:
        value = pairing.redeem(token)
        if value is None:
            raise ScreenRefusedError("the token was used", code="screen.pairing-used")
        # A redirect would come without the cookie where another program opened the address: the page goes on by itself.
        html = _templates(Language.VIETNAMESE).get_template("station_paired.html").render()
        response = HTMLResponse(html)
        response.set_cookie(pairing.cookie, value, httponly=True, samesite="strict", path="/")
        return response

    @router.get("/")
    def page(request: Request, lang: Annotated[Language | None, Query()] = None) -> Response:
        language = lang or _language_of(request)
        value = cookie_of(request.headers.get("cookie", "").encode("latin-1"), pairing.cookie)
        html = (
            _templates(language)
            .get_template("station_page.html")
            .render(
                language=language.value,
                csrf_token=pairing.csrf_token(value or ""),
                name=services.name,
                reasons=[(reason.value, text) for reason, text in REASONS.items()],
                readers=len(services.screen.state.panels),
            )
        )
        response = HTMLResponse(html)
        if lang is not None:
            response.set_cookie(
                _LANGUAGE_COOKIE, lang.value, samesite="strict", max_age=_YEAR_SECONDS
            )
        return response

    @router.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _STATIC:
            raise ScreenRefusedError("there is no such file", code="screen.not-found")
        return Response(_file(name), media_type=_STATIC[name])


def _add_stream_route(router: APIRouter, services: ScreenServices, streams: ScreenStreams) -> None:
    @router.get("/events")
    async def events(lang: LanguageQuery = Language.VIETNAMESE) -> Response:
        if streams.is_full:
            return Response(status_code=_UNAVAILABLE)

        async def told() -> AsyncIterator[str]:
            async for state in streams.states():
                yield _event(rendered_screen(services, state, lang))

        return StreamingResponse(told(), media_type="text/event-stream")


def _add_acting_routes(router: APIRouter, services: ScreenServices) -> None:
    """What the operator does with the cards."""
    operator = services.operator

    @router.post("/suspend")
    def suspend(request: Request) -> Response:
        def act() -> str:
            if operator.suspend_or_resume():
                return message("Suspended: no chip is begun.")
            return message("The station goes on.")

        return _done(request, act)

    @router.post("/go-on")
    def go_on(request: Request, reader: Annotated[int, Form(ge=1, le=99)]) -> Response:
        def act() -> str:
            operator.go_on(reader - 1)
            return message("The reader goes on.")

        return _done(request, act)

    @router.post("/reject")
    def reject(
        request: Request, serial: SerialForm, reason: Annotated[RejectReason, Form()]
    ) -> Response:
        def act() -> str:
            operator.reject(parse_serial(serial), reason=reason)
            return message("The card is rejected: put it into the box of chips to be destroyed.")

        return _done(request, act)

    @router.post("/print-again")
    def print_again(request: Request, serial: SerialForm) -> Response:
        def act() -> tuple[str, dict[str, object]]:
            copy = operator.print_again(parse_serial(serial))
            return message("Copy %(copy)s is handed to the printer."), {"copy": copy}

        return _done(request, act)


def _add_ending_routes(router: APIRouter, services: ScreenServices) -> None:
    operator = services.operator

    @router.post("/close-day")
    def close_day(request: Request) -> Response:
        def act() -> str:
            operator.close_day()
            return message("The day is closed.")

        return _done(request, act)

    @router.post("/stop")
    def stop(request: Request) -> Response:
        def act() -> str:
            operator.stop()
            return message("The station ends after the chips in hand.")

        return _done(request, act)


def rendered_screen(services: ScreenServices, state: ScreenState, language: Language) -> str:
    """The screen of a state as HTML."""
    words = wording(language)
    view = screen_view(state, words, now=services.now(), display_number=services.display_number)
    return (
        _templates(language)
        .get_template("station_screen.html")
        .render(
            view=view,
            name=services.name,
            account=services.operator.account,
            language=language.value,
        )
    )


def _done(request: Request, act: Callable[[], str | tuple[str, dict[str, Any]]]) -> Response:
    """Do it, and say in one sentence what came of it."""
    words = wording(_language_of(request))
    try:
        said = act()
    except (IssuerError, PkiError) as error:
        return _refused(error, words)
    text, values = said if isinstance(said, tuple) else (said, {})
    sentence = words.gettext(text)
    return _said(sentence % values if values else sentence, words)


def _said(sentence: str, words: Wording) -> Response:
    html = (
        _templates(words.language)
        .get_template("station_said.html")
        .render(sentence=sentence, to_do="", code="", said="")
    )
    return HTMLResponse(html)


def _refused(error: IssuerError | PkiError, words: Wording) -> Response:
    sentence, to_do = words_of(error.code, None)
    html = (
        _templates(words.language)
        .get_template("station_said.html")
        .render(
            sentence=words.gettext(sentence),
            to_do=words.gettext(to_do) if to_do else "",
            code=error.code,
            said=str(error),
        )
    )
    return HTMLResponse(html, status_code=_CONFLICT)


def _event(html: str) -> str:
    lines = "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())
    return f"event: screen\n{lines}\n"


def _language_of(request: Request) -> Language:
    return choose_language(
        cookie=request.cookies.get(_LANGUAGE_COOKIE),
        accepted=request.headers.get("accept-language", ""),
    )


@cache
def _file(name: str) -> bytes:
    return (resources.files("issuer.api") / "static" / name).read_bytes()
