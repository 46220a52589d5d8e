"""Paths and callers."""

import pytest
from livegate_simulator.endpoints import (
    Endpoint,
    UnauthenticatedError,
    authenticate_developer,
    authenticate_vertex,
    endpoint,
)
from livegate_simulator.errors import InvalidArgumentError, PolicyError

VERTEX = "ws/google.cloud.aiplatform.{}.LlmBidiService/BidiGenerateContent"
DEVELOPER = "ws/google.ai.generativelanguage.{}.GenerativeService.BidiGenerateContent"


@pytest.mark.parametrize("slashes", ["/", "//"])
@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha", "v2"])
def test_both_paths_in_any_version(slashes: str, version: str) -> None:
    assert endpoint(slashes + VERTEX.format(version)) == Endpoint("vertex", version)
    developer = Endpoint("developer", version)
    assert endpoint(slashes + DEVELOPER.format(version)) == developer
    assert endpoint(f"{slashes}{DEVELOPER.format(version)}Constrained") == developer


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


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"x-goog-api-key": "any"}, {}),
        ({}, {"key": "any"}),
        ({"authorization": "Token auth_tokens/any"}, {}),
        ({}, {"access_token": "auth_tokens/any"}),
    ],
)
def test_the_developer_api_takes(headers: dict[str, str], query: dict[str, str]) -> None:
    authenticate_developer(headers, query)


@pytest.mark.parametrize(
    ("headers", "query", "error"),
    [
        ({"x-goog-api-key": "wrong"}, {}, InvalidArgumentError),
        ({}, {"key": "wrong-key"}, InvalidArgumentError),
        ({"authorization": "Token wrong"}, {}, InvalidArgumentError),
        ({}, {}, PolicyError),
        ({}, {"key": ""}, PolicyError),
        ({"authorization": "Bearer any"}, {}, PolicyError),
    ],
)
def test_the_developer_api_refuses(
    headers: dict[str, str], query: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        authenticate_developer(headers, query)
