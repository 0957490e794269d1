"""The benchmark of the register asks each page and list with everything that one can be asked with."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final, cast

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from issuer.api.app import create_app
from issuer.api.ports import ApiServices
from tests.benchmarks.browsing import SELECTIONS, pages_of

NO_SELECTIONS: Final = {
    "cursor", "limit", "behind", "before", "after", "done", "made", "more", "new", "next", "follow", "checked"
}  # fmt: skip
"""Where a page goes on, how much it shows, and what a form has just done."""

CHOSEN_OTHERWISE: Final = {
    ("/batches/{batch_id}/minutes", "members"): "how many lines the paper has",
    ("/batches/{batch_id}/minutes", "to"): "as above",
    ("/batches/{batch_id}/proof", "from"): "where the paper begins",
    ("/v1/batches/{batch_id}/minutes", "members"): "as above",
    ("/v1/batches/{batch_id}/minutes", "to"): "as above",
    ("/v1/batches/{batch_id}/proof", "from"): "as above",
    ("/cards", "card"): "leads to the page of the card, which is asked",
    ("/organisations", "present"): "what a list that was brought has done",
    ("/organisations", "taken"): "as above",
    ("/numbers", "granted"): "which block was granted just now",
    ("/v1/organisation-evidence/{digest}", "organisation"): "a document, and no page",
}


def parameters(dependant: Dependant) -> Iterator[str]:
    for each in dependant.query_params:
        fields = getattr(each.field_info.annotation, "model_fields", None)
        if fields is None:
            yield each.alias
        else:
            yield from (field.alias or name for name, field in fields.items())
    for below in dependant.dependencies:
        yield from parameters(below)


def pages() -> list[APIRoute]:
    return pages_of(create_app(cast("ApiServices", SimpleNamespace())))


def test_every_selection_is_asked() -> None:
    left_out = []
    for route in pages():
        pattern = route.path.replace(":path}", "}")
        asked = " ".join(SELECTIONS.get(pattern, ()))
        names: set[Any] = set(parameters(route.dependant)) - NO_SELECTIONS
        left_out += [
            f"{pattern}?{name}="
            for name in names
            if f"{name}=" not in asked and (pattern, name) not in CHOSEN_OTHERWISE
        ]
    assert left_out == []


def test_what_is_asked_is_there() -> None:
    patterns = {each.path.replace(":path}", "}") for each in pages()}
    assert set(SELECTIONS) - patterns == set()
