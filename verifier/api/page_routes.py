"""The routes of the local page: the page itself, its stream of screens, the portrait, and what the clerk does."""

from collections.abc import AsyncIterator
from functools import cache
from importlib import resources
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from verifier.api.guard import PAIR_PATH, read_cookie
from verifier.api.pairing import COOKIE, PagePairing
from verifier.api.ports import PageServices
from verifier.api.refusals import RefusedError
from verifier.api.screen import notice_text, screen_of
from verifier.api.streams import Streams
from verifier.api.texts import texts_in
from verifier.errors import VerifierError
from verifier.inspection.messages import Language
from verifier.services.terminal_state import BadStateError, HolderAnswer, TerminalState
from verifier.services.typed_password import MAX_TYPED_CHARACTERS, password_of_typed

__all__ = ["page_router"]

_LANGUAGE_COOKIE: Final = "membercard-language"
_YEAR_SECONDS: Final = 365 * 86400
_STATIC: Final = {
    "terminal.css": "text/css; charset=utf-8",
    "terminal.js": "text/javascript; charset=utf-8",
    "sounds.js": "text/javascript; charset=utf-8",
    "camera.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "htmx.min.js": "text/javascript; charset=utf-8",
}
_CONFLICT: Final = 409
_UNPROCESSABLE: Final = 422
_UNAVAILABLE: Final = 503

LanguageQuery = Annotated[Language, Query(alias="lang")]


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("verifier.api", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_router(services: PageServices, pairing: PagePairing, streams: Streams) -> APIRouter:
    """The routes over one terminal."""
    router = APIRouter()
    _add_page_routes(router, services, pairing)
    _add_screen_routes(router, services, streams)
    _add_acting_routes(router, services)
    return router


def _add_page_routes(router: APIRouter, services: PageServices, pairing: PagePairing) -> None:
    """What a browser opens first, and the files of the page."""
    terminal = services.terminal

    @router.get(PAIR_PATH + "{token}")
    def pair(token: str) -> Response:
        cookie = pairing.redeem(token)
        if cookie is None:
            raise RefusedError("the token was used", code="terminal.pairing-used")
        # A redirect would come without the cookie where another program opened the address: the page goes on by itself.
        html = _templates().get_template("paired.html").render()
        response = HTMLResponse(html)
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
        return response

    @router.get("/")
    def page(request: Request, lang: Annotated[Language | None, Query()] = None) -> Response:
        language = lang or _language_of(request)
        cookie = read_cookie({b"cookie": request.headers.get("cookie", "").encode("latin-1")})
        html = (
            _templates()
            .get_template("page.html")
            .render(
                t=texts_in(language),
                language=language.value,
                csrf_token=pairing.csrf_token(cookie or ""),
                purpose=services.purpose,
                reader=terminal.reader_name,
                terminal_name=services.terminal_name,
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
            raise RefusedError("there is no such file", code="terminal.not-found")
        return Response(_file(name), media_type=_STATIC[name])


def _add_screen_routes(router: APIRouter, services: PageServices, streams: Streams) -> None:
    """What the page shows of the card."""
    terminal = services.terminal

    @router.get("/events")
    async def events(lang: LanguageQuery = Language.VIETNAMESE) -> Response:
        if streams.is_full:
            return Response(status_code=_UNAVAILABLE)

        async def told() -> AsyncIterator[str]:
            async for state in streams.states():
                yield ": alive\n\n" if state is None else _event(render(services, state, lang))

        return StreamingResponse(told(), media_type="text/event-stream")

    @router.get("/portrait/{presentation}.png")
    def portrait(presentation: int) -> Response:
        state = terminal.state
        image = None if state.outcome is None else state.outcome.portrait
        if image is None or state.presentation != presentation:
            raise RefusedError("there is no such portrait", code="terminal.not-found")
        return Response(image, media_type="image/png")


def _add_acting_routes(router: APIRouter, services: PageServices) -> None:
    terminal = services.terminal

    @router.post("/password")
    def password(
        request: Request,
        typed: Annotated[str, Form(max_length=MAX_TYPED_CHARACTERS)] = "",
    ) -> Response:
        try:
            terminal.give_password(password_of_typed(typed))
        except VerifierError as error:
            return _said(request, error)
        return Response(status_code=204)

    @router.post("/holder")
    def holder(
        request: Request,
        presentation: Annotated[int, Form()],
        answer: Annotated[HolderAnswer, Form()],
    ) -> Response:
        try:
            terminal.answer_for_holder(answer, presentation=presentation)
        except VerifierError as error:
            return _said(request, error)
        return Response(status_code=204)

    @router.post("/again")
    def again(request: Request) -> Response:
        try:
            terminal.try_again()
        except BadStateError as error:
            return _said(request, error)
        return Response(status_code=204)

    @router.post("/dismiss")
    def dismiss() -> Response:
        terminal.dismiss()
        return Response(status_code=204)


def render(services: PageServices, state: TerminalState, language: Language) -> str:
    """The screen of a state as HTML."""
    wait = services.terminal.wait_seconds(state)
    return (
        _templates()
        .get_template("screen.html")
        .render(
            t=texts_in(language),
            language=language.value,
            screen=screen_of(state, language, wait_seconds=wait),
        )
    )


def _said(request: Request, error: VerifierError) -> Response:
    """A sentence for whoever typed, in the place that the page has for it."""
    text = notice_text(error.code, _language_of(request))
    html = _templates().get_template("problem.html").render(text=text, code=error.code)
    is_state = isinstance(error, BadStateError)
    status = _CONFLICT if is_state else _UNPROCESSABLE
    return HTMLResponse(html, status_code=status)


def _event(html: str) -> str:
    lines = "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())
    return f"event: screen\n{lines}\n"


def _language_of(request: Request) -> Language:
    """The one that was chosen, else the browser's where we have it; Vietnamese otherwise."""
    chosen = request.cookies.get(_LANGUAGE_COOKIE)
    if chosen is not None and chosen in {each.value for each in Language}:
        return Language(chosen)
    first = request.headers.get("accept-language", "")[:2].lower()
    return Language.ENGLISH if first == Language.ENGLISH.value else Language.VIETNAMESE


@cache
def _file(name: str) -> bytes:
    return resources.files("verifier.api").joinpath("page", name).read_bytes()
