"""A service that says who somebody is, as far as the console sees of it."""

from issuer.errors import IssuerUnavailableError
from issuer.services.oidc_login import OidcAttempt

ELSEWHERE = "https://id.example/authorise?state="


class Provider:
    """Knows somebody by the code; sends the state along as a provider does."""

    def __init__(
        self, name: str = "lan", *, is_there: bool = True, elsewhere: str = ELSEWHERE
    ) -> None:
        self.name = name
        self.is_there = is_there
        self.elsewhere = elsewhere

    def authorisation_url(self, attempt: OidcAttempt) -> str:
        if not self.is_there:
            raise IssuerUnavailableError("id.example does not answer", code="oidc.unavailable")
        return self.elsewhere + attempt.state

    def identify(self, attempt: OidcAttempt, code: str) -> str:
        del attempt
        assert code == "c0de"
        return self.name
