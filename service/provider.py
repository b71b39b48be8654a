"""The provider: OpenID Connect sign-in, from the address that people are sent to, to a verified identity."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from service.errors import Unauthorized, Unavailable
from service.moderation.identities import Vouched
from service.outgoing import ANYWHERE, UnreachedError, ask
from service.settings import Oidc

SCOPE = "openid email profile"
# Signed by the provider's own key; a client's secret never verifies a token here, and neither does "none".
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519"]
# What a provider publishes of itself changes seldom; keys are fetched again when an unknown one has signed.
KEPT_FOR_S = 3600.0
LEEWAY_S = 60
LARGEST_ANSWER = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What ties an answer to the browser that asked."""

    state: str
    nonce: str
    verifier: str


@dataclass(kw_only=True)
class Provider:
    """One provider, and what it published of itself, fetched when it is first needed."""

    settings: Oidc
    redirect_uri: str
    fetched_at: float = float("-inf")
    metadata: dict[str, Any] = field(default_factory=dict)
    keys: KeySet | None = None

    def address(self, secrets: Secrets) -> str:
        """Where a browser goes to sign in; raises Unavailable when the provider does not answer."""
        uri: str = prepare_grant_uri(
            self._published()["authorization_endpoint"],
            self.settings.client_id,
            "code",
            redirect_uri=self.redirect_uri,
            scope=SCOPE,
            state=secrets.state,
            nonce=secrets.nonce,
            code_challenge=create_s256_code_challenge(secrets.verifier),
            code_challenge_method="S256",
        )
        return uri

    def identify(self, code: str, secrets: Secrets, *, now: datetime) -> Vouched:
        """Who came back with this code.

        Raises Unauthorized when the provider or its token is not right, Unavailable when it does not answer.
        """
        tokens = self._exchange(code, secrets)
        claims = self._verified(tokens, secrets, now=now)
        if "email" not in claims and "userinfo_endpoint" in self._published():
            told = self._userinfo(tokens)
            if told.get("sub") == claims["sub"]:
                claims = {**told, **claims}
        email, name = claims.get("email"), claims.get("name")
        return Vouched(
            issuer=self.settings.issuer,
            subject=claims["sub"],
            email=email if isinstance(email, str) else None,
            email_verified=claims.get("email_verified") is True,
            name=name if isinstance(name, str) and name.strip() else None,
        )

    def _exchange(self, code: str, secrets: Secrets) -> dict[str, Any]:
        published = self._published()
        offered = published.get("token_endpoint_auth_methods_supported", [])
        by_post = "client_secret_post" in offered and "client_secret_basic" not in offered
        auth = ClientAuth(
            self.settings.client_id,
            self.settings.client_secret,
            "client_secret_post" if by_post else "client_secret_basic",
        )
        body = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=self.redirect_uri,
            code_verifier=secrets.verifier,
        )
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        url, headers, body = auth.prepare("POST", published["token_endpoint"], headers, body)
        return self._ask("POST", url, headers=headers, body=body.encode())

    def _verified(
        self, tokens: dict[str, Any], secrets: Secrets, *, now: datetime
    ) -> dict[str, Any]:
        """The claims of the ID token: signed by the provider, for us, for this browser, and not over."""
        encoded = tokens.get("id_token")
        if not isinstance(encoded, str):
            raise _refused()
        try:
            token = self._decoded(encoded)
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": self.settings.issuer},
                    "aud": {"essential": True, "value": self.settings.client_id},
                    "nonce": {"essential": True, "value": secrets.nonce},
                },
                {
                    "nonce": secrets.nonce,
                    "client_id": self.settings.client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY_S)
        except (JoseError, ValueError) as error:
            raise _refused() from error
        subject = claims.get("sub")
        # The length is the standard's own limit.
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise _refused()
        return dict(claims)

    def _decoded(self, encoded: str) -> jwt.Token:
        if (keys := self.keys) is not None:
            # It may be signed with a key that is newer than those we have.
            with suppress(JoseError, ValueError):
                return jwt.decode(encoded, keys, algorithms=ALGORITHMS)
        published = self._ask("GET", self._published()["jwks_uri"])
        self.keys = keys = KeySet.import_key_set(published)  # type: ignore[arg-type] # it checks
        return jwt.decode(encoded, keys, algorithms=ALGORITHMS)

    def _userinfo(self, tokens: dict[str, Any]) -> dict[str, Any]:
        bearer = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
        return self._ask("GET", self._published()["userinfo_endpoint"], headers=bearer)

    def _published(self) -> dict[str, Any]:
        """The provider's own description, which must name the issuer that was configured."""
        if time.monotonic() - self.fetched_at > KEPT_FOR_S:
            url = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = self._ask("GET", url)
            needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            fit = all(isinstance(found.get(name), str) for name in needed)
            if found.get("issuer") != self.settings.issuer or not fit:
                raise Unavailable("the provider describes another issuer", code="provider_down")
            self.metadata, self.keys, self.fetched_at = found, None, time.monotonic()
        return self.metadata

    def _ask(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> dict[str, Any]:
        """An object of JSON. The issuer's own host may be a private one, under its own scheme; any other must be public, and https."""
        own = urlsplit(url)[:2] == urlsplit(self.settings.issuer)[:2]
        try:
            answer = ask(
                method,
                url,
                body,
                headers or {"Accept": "application/json"},
                networks=ANYWHERE if own else (),
                most=LARGEST_ANSWER,
            )
        except UnreachedError as error:
            raise Unavailable("the provider does not answer", code="provider_down") from error
        if answer.status >= 500 or answer.status == 429:
            raise Unavailable("the provider does not answer", code="provider_down")
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if answer.status != 200 or not isinstance(found, dict):
            raise _refused()
        return found


def _refused() -> Unauthorized:
    return Unauthorized("the provider did not confirm this sign-in", code="provider_refused")
