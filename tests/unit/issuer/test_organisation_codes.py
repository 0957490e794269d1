import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.organisation import parse_organisation_code
from issuer.domain.organisation_code import (
    ORGANISATION_CODE_SCHEMES,
    OrganisationCodeScheme,
    find_organisation_code_scheme,
)
from issuer.errors import IssuerDataError


@pytest.mark.parametrize("scheme", ORGANISATION_CODE_SCHEMES, ids=lambda each: each.name)
def test_settings_find_a_scheme_by_its_name(scheme: OrganisationCodeScheme) -> None:
    assert find_organisation_code_scheme(scheme.name) is scheme


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    with pytest.raises(IssuerDataError) as refusal:
        find_organisation_code_scheme("x")
    assert refusal.value.code == "settings.organisation-code-scheme"


@pytest.mark.parametrize("code", ["79", "26734", "26734.12", "26734.12.3"])
def test_codes_of_places_and_of_what_is_in_them_are_taken(code: str) -> None:
    assert find_organisation_code_scheme("commune").parse(code) == code


@pytest.mark.parametrize(
    "code",
    ["", "7", "267", "267345", "26734.", "26734.0", "79.1", "26734.12345", "A", "２６７３４"],
)
def test_other_codes_are_refused_where_places_give_them(code: str) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        find_organisation_code_scheme("commune").parse(code)
    assert refusal.value.code == "organisation.code-malformed"


@given(st.from_regex(re.compile(r"[0-9]{5}(\.[1-9][0-9]{0,3}){0,5}", re.ASCII), fullmatch=True))
def test_what_a_scheme_takes_fits_the_card(code: str) -> None:
    assert parse_organisation_code(find_organisation_code_scheme("commune").parse(code)) == code
