"""The NetworkPolicies let through the arrows of the design's drawing, and nothing else."""

import copy
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.manifests.kustomize import OVERLAYS, Object, combination, labels, named, of_kind, overlay
from tests.manifests.policies import arrows

Arrows = set[tuple[str, str, int]]

DRAWING: Arrows = {
    ("session-worker", "token-broker", 8082),
    # The API server has the keys that callers' tokens are verified with; Google mints.
    ("token-broker", "a private address", 443),
    ("token-broker", "a private address", 6443),
    ("token-broker", "a public address", 443),
    ("token-broker", "a public address", 6443),
}
REDIS: Arrows = {
    (process, redis, 6379)
    for process in ("edge", "session-worker")
    for redis in ("redis", "ledger")
}
SIMULATOR: Arrows = {("session-worker", "token-broker", 8081)}
LIVE_API: Arrows = {("session-worker", "a public address", 443)}
ANYBODY: Arrows = {
    ("a stranger", "edge", 8000),
    ("a Google front end", "edge", 8000),
    ("managed Prometheus", "edge", 8000),
}
GOOGLE_FRONT_END: Arrows = {("a Google front end", "edge", 8000)}
SDK: Arrows = {
    ("a Google front end", "edge-sdk", 8000),
    ("edge-sdk", "redis", 6379),
    ("edge-sdk", "ledger", 6379),
}
IAP_KEYS: Arrows = {("edge", "a public address", 443)}
METRICS: Arrows = {
    ("managed Prometheus", "edge", 9000),
    ("managed Prometheus", "edge-sdk", 9000),
    ("managed Prometheus", "session-worker", 9000),
    ("managed Prometheus", "token-broker", 9082),
}
METADATA: Arrows = {
    ("token-broker", "the metadata server", 80),
    ("token-broker", "the metadata server", 8080),
    ("token-broker", "the metadata server by Calico", 988),
}
EXPECTED = {
    "local": DRAWING | REDIS | SIMULATOR | ANYBODY,
    "gke": DRAWING | REDIS | LIVE_API | GOOGLE_FRONT_END | SDK | IAP_KEYS | METRICS | METADATA,
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_arrows_are_those_of_the_drawing(name: str) -> None:
    assert arrows(overlay(name)) == EXPECTED[name]


def test_redis_elsewhere_is_reached_by_those_who_use_it(tmp_path: Path) -> None:
    built = combination(("developer", "memorystore"), tmp_path)
    memorystore = {(process, "a private address", 6379) for process in ("edge", "session-worker")}
    assert arrows(built) == DRAWING | LIVE_API | ANYBODY | memorystore


def test_the_metadata_server_is_the_brokers_alone() -> None:
    reached = {arrow for arrow in arrows(overlay("gke")) if "metadata" in arrow[1]}
    assert reached
    assert {source for source, *_ in reached} == {"token-broker"}


def without(objects: Sequence[Object], name: str) -> list[Object]:
    """The same without that policy."""
    gone = named(objects, "NetworkPolicy", name)
    return [item for item in objects if item is not gone]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        (name, policy["metadata"]["name"])
        for name in OVERLAYS
        for policy in of_kind(overlay(name), "NetworkPolicy")
        if policy["metadata"]["name"] != "dns"  # below
    ],
)
def test_each_policy_counts(name: str, missing: str) -> None:
    built = without(overlay(name), missing)
    # `metrics` and `dns` are every pod's, so they shut the rest out, too; none here is labelled.
    redundant = {("gke", "default-deny"), ("local", "public-https")}
    assert (arrows(built) == EXPECTED[name]) is ((name, missing) in redundant)


def test_a_label_too_many_is_seen() -> None:
    built = copy.deepcopy(overlay("gke"))
    labels(named(built, "Deployment", "redis"))["egress"] = "public-https"
    assert arrows(built) == EXPECTED["gke"] | {("redis", "a public address", 443)}


def test_every_pod_may_ask_for_names() -> None:
    (dns,) = (
        policy
        for policy in of_kind(overlay("gke"), "NetworkPolicy")
        if policy["metadata"]["name"] == "dns"
    )
    assert dns["spec"]["podSelector"] == {}
    (rule,) = dns["spec"]["egress"]
    assert rule["ports"] == [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
