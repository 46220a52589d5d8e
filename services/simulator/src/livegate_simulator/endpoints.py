"""Google's two paths, and how a caller proves itself on each."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from livegate.models import Catalogue, Model

from livegate_simulator.errors import InvalidArgumentError, PolicyError

Dialect = Literal["vertex", "developer"]

# A base URL that ends in a slash gives "//ws/…" (the Python SDK does that).
_VERTEX = re.compile(
    r"/+ws/+google\.cloud\.aiplatform\.(v\w+)\.LlmBidiService/+BidiGenerateContent"
)
_DEVELOPER = re.compile(
    r"/+ws/+google\.ai\.generativelanguage\.(v\w+)\.GenerativeService\.BidiGenerateContent"
    r"(Constrained)?"
)
_RESOURCE = re.compile(
    r"(?:projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/)?"
    r"publishers/google/models/(?P<model>[^/]+)"
)


class UnauthenticatedError(Exception):
    """The upgrade is answered with HTTP 401."""


@dataclass(frozen=True)
class Endpoint:
    """One of Google's paths, and the API version in it. `constrained` is for ephemeral tokens."""

    dialect: Dialect
    version: str
    constrained: bool = False


def endpoint(path: str) -> Endpoint | None:
    """What `path` (without query) names, or None: HTTP 404."""
    if found := _VERTEX.fullmatch(path):
        return Endpoint("vertex", found[1])
    if found := _DEVELOPER.fullmatch(path):
        return Endpoint("developer", found[1], constrained=bool(found[2]))
    return None


def authenticate_vertex(headers: Mapping[str, str], is_valid: Callable[[str], bool]) -> None:
    """Check the bearer with `is_valid`, or the API key of Vertex in express mode.

    Raises:
        UnauthenticatedError: neither is there, or it is not valid.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer" or not is_valid(token.strip()):
            raise UnauthenticatedError
        return
    key = headers.get("x-goog-api-key", "")
    if not key or key.startswith("wrong"):
        raise UnauthenticatedError


def authenticate_developer(
    at: Endpoint,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    use: Callable[[str], None],
) -> None:
    """Check the API key, any but "wrong…", which tests use; or `use` the ephemeral token, which is
    what the constrained path takes.

    Google accepts the upgrade and closes afterwards; so must the caller.

    Raises:
        InvalidArgumentError: a key that is not valid, a token where a key belongs.
        PolicyError: no key, no token.
        RefusalError: see `EphemeralTokens.use`.
    """
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    token = shown.strip() if scheme.lower() == "token" else ""
    token = token or query.get("access_token", "")
    key = headers.get("x-goog-api-key", "") or query.get("key", "")
    if at.constrained and token:
        use(token)
        return
    if at.constrained or not (key or token):
        raise PolicyError(
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key."
        )
    if token or key.startswith("wrong"):
        raise InvalidArgumentError("API key not valid. Please pass a valid API key.")


def find_model(at: Endpoint, name: str, catalogue: Catalogue) -> Model:
    """The model that a setup names in the form that belongs to this endpoint.

    Raises:
        InvalidArgumentError: not a resource name of this endpoint.
        PolicyError: no such model on this platform, or in this location.
    """
    location = None
    if at.dialect == "vertex":
        found = _RESOURCE.fullmatch(name)
        if found is None:
            raise InvalidArgumentError("Invalid resource field value in the request.")
        bare, location = found["model"], found["location"]
    else:
        prefix, _, bare = name.partition("/")
        if prefix != "models" or not bare or "/" in bare:
            raise InvalidArgumentError(
                "* BidiGenerateContentRequest.setup.model: unexpected model name format"
            )
    model = catalogue.model(bare)
    if (
        model is None
        or at.dialect not in model.platforms
        or (location is not None and location not in model.locations)
    ):
        raise PolicyError(
            f"models/{bare} is not found for API version {at.version}, "
            "or is not supported for bidiGenerateContent."
        )
    return model
