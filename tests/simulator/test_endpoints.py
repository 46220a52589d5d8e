"""Paths and callers."""

import pytest
from livegate_simulator.endpoints import (
    Endpoint,
    UnauthenticatedError,
    authenticate_developer,
    authenticate_vertex,
    endpoint,
)
from livegate_simulator.errors import InvalidArgumentError, PolicyError, RefusalError

VERTEX = "ws/google.cloud.aiplatform.{}.LlmBidiService/BidiGenerateContent"
DEVELOPER = "ws/google.ai.generativelanguage.{}.GenerativeService.BidiGenerateContent"


@pytest.mark.parametrize("slashes", ["/", "//"])
@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha", "v2"])
def test_both_paths_in_any_version(slashes: str, version: str) -> None:
    assert endpoint(slashes + VERTEX.format(version)) == Endpoint("vertex", version)
    developer = Endpoint("developer", version)
    assert endpoint(slashes + DEVELOPER.format(version)) == developer
    constrained = Endpoint("developer", version, constrained=True)
    assert endpoint(f"{slashes}{DEVELOPER.format(version)}Constrained") == constrained


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/ws",
        "/" + VERTEX.format("v1") + "x",
        "/" + VERTEX.format("1"),
        "/" + DEVELOPER.format("v1") + "Other",
        "/x/" + DEVELOPER.format("v1"),
        "/ws/google.cloud.aiplatformXv1.LlmBidiService/BidiGenerateContent",
    ],
)
def test_other_paths(path: str) -> None:
    assert endpoint(path) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer good"},
        {"authorization": "bearer  good "},
        {"x-goog-api-key": "any"},
    ],
)
def test_vertex_takes(headers: dict[str, str]) -> None:
    authenticate_vertex(headers, lambda token: token == "good")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer bad"},
        {"authorization": "Bearer"},
        {"authorization": "Basic good"},
        {"authorization": "Bearer bad", "x-goog-api-key": "any"},
        {"x-goog-api-key": ""},
        {"x-goog-api-key": "wrong-key"},
    ],
)
def test_vertex_refuses(headers: dict[str, str]) -> None:
    with pytest.raises(UnauthenticatedError):
        authenticate_vertex(headers, lambda token: token == "good")


PLAIN = Endpoint("developer", "v1beta")
CONSTRAINED = Endpoint("developer", "v1alpha", constrained=True)


def used(at: Endpoint, headers: dict[str, str], query: dict[str, str]) -> list[str]:
    """The ephemeral tokens that a caller used."""
    tokens: list[str] = []
    authenticate_developer(at, headers, query, tokens.append)
    return tokens


@pytest.mark.parametrize(
    ("at", "headers", "query", "tokens"),
    [
        (PLAIN, {"x-goog-api-key": "any"}, {}, []),
        (PLAIN, {}, {"key": "any"}, []),
        (CONSTRAINED, {"authorization": "Token auth_tokens/t"}, {}, ["auth_tokens/t"]),
        (CONSTRAINED, {"authorization": "token  auth_tokens/t "}, {}, ["auth_tokens/t"]),
        (CONSTRAINED, {}, {"access_token": "auth_tokens/t"}, ["auth_tokens/t"]),
        (CONSTRAINED, {"authorization": "Token t"}, {"key": "any"}, ["t"]),
    ],
)
def test_the_developer_api_takes(
    at: Endpoint, headers: dict[str, str], query: dict[str, str], tokens: list[str]
) -> None:
    assert used(at, headers, query) == tokens


@pytest.mark.parametrize(
    ("at", "headers", "query", "error"),
    [
        (PLAIN, {"x-goog-api-key": "wrong"}, {}, InvalidArgumentError),
        (PLAIN, {}, {"key": "wrong-key"}, InvalidArgumentError),
        (PLAIN, {"authorization": "Token auth_tokens/t"}, {}, InvalidArgumentError),
        (PLAIN, {}, {"access_token": "auth_tokens/t"}, InvalidArgumentError),
        (PLAIN, {}, {}, PolicyError),
        (PLAIN, {}, {"key": ""}, PolicyError),
        (PLAIN, {"authorization": "Bearer any"}, {}, PolicyError),
        (CONSTRAINED, {"x-goog-api-key": "any"}, {}, PolicyError),
        (CONSTRAINED, {}, {"key": "any"}, PolicyError),
        (CONSTRAINED, {"authorization": "Token "}, {"access_token": ""}, PolicyError),
        (CONSTRAINED, {"authorization": "Bearer auth_tokens/t"}, {}, PolicyError),
    ],
)
def test_the_developer_api_refuses(
    at: Endpoint, headers: dict[str, str], query: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        used(at, headers, query)


def test_what_the_token_is_refused_for_passes_on() -> None:
    def use(_: str) -> None:
        raise RefusalError("Token has been used too many times")

    with pytest.raises(RefusalError, match="too many times"):
        authenticate_developer(CONSTRAINED, {"authorization": "Token t"}, {}, use)
