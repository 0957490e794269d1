from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from issuer.bootstrap_web_people import request_rates_of
from issuer.errors import TooManyAttemptsError
from issuer.services.request_rates import RateKind, RequestRates
from issuer.settings import RateSettings

START = datetime(2026, 11, 22, 8, tzinfo=UTC)


def answered(rates: RequestRates, kind: RateKind, key: str, *, tries: int = 20) -> int:
    for number in range(tries):
        try:
            rates.count(kind, key)
        except TooManyAttemptsError as error:
            assert (error.code, 1 <= error.retry_after <= 60) == ("request.too-many", True)  # noqa: PT017 - it is counted, too
            return number
    return tries


def test_so_many_requests_a_minute_are_answered_to_each() -> None:
    with time_machine.travel(START, tick=False) as traveller:
        rates = request_rates_of(RateSettings(per_address=5, per_session=3))
        assert answered(rates, RateKind.ADDRESS, "192.0.2.1") == 5
        assert answered(rates, RateKind.ADDRESS, "192.0.2.1") == 0
        assert answered(rates, RateKind.ADDRESS, "192.0.2.2") == 5
        assert answered(rates, RateKind.SESSION, "192.0.2.1") == 3
        traveller.shift(timedelta(minutes=2))
        assert answered(rates, RateKind.ADDRESS, "192.0.2.1") == 5


def test_whoever_waits_as_long_as_it_says_is_answered() -> None:
    for begin in range(0, 60, 7):
        with time_machine.travel(START + timedelta(seconds=begin), tick=False) as traveller:
            rates = request_rates_of(RateSettings(per_session=3))
            assert answered(rates, RateKind.SESSION, "x") == 3
            with pytest.raises(TooManyAttemptsError) as refusal:
                rates.count(RateKind.SESSION, "x")
            traveller.shift(timedelta(seconds=refusal.value.retry_after))
            rates.count(RateKind.SESSION, "x")


def test_each_process_counts_for_itself() -> None:
    settings = RateSettings(per_session=1)
    with time_machine.travel(START, tick=False):
        for _ in range(2):
            assert answered(request_rates_of(settings), RateKind.SESSION, "x") == 1
