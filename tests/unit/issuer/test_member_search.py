from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.member_search import NameQuestion, SearchQuestion, parse_search
from issuer.errors import IssuerDataError

SCHEME = CommitteeBlockScheme()


def asked(text: str) -> SearchQuestion:
    return parse_search(text, scheme=SCHEME)


def test_numbers_are_told_apart_by_their_form() -> None:
    assert asked("98.000001").card_number == "98000001"
    assert asked(" 000001ab ").record_number == "000001AB"
    assert asked("001090000001").citizen_number == "001090000001"


def test_the_last_word_of_a_name_is_the_given_one() -> None:
    assert asked("Nguyễn Thị  HOÀ").name == NameQuestion(given="hoa", others=("nguyen", "thi"))


@given(st.text(max_size=400))
def test_any_text_asks_for_one_thing_or_is_refused(text: str) -> None:
    try:
        question = asked(text)
    except IssuerDataError as error:
        assert error.code == "search.malformed"  # noqa: PT017 - either outcome is right
        return
    given = (
        question.name, question.card_number, question.record_number, question.citizen_number,
    )  # fmt: skip
    assert sum(each is not None for each in given) == 1
    if question.name is not None:
        assert all(word.isalpha() for word in (question.name.given, *question.name.others))
