"""Who may reach whom, as NetworkPolicies say it together."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network

from tests.manifests.kustomize import Object, containers, labels, matches, of_kind, workloads

OUTSIDE = {
    "a stranger": "203.0.113.7",
    "a Google front end": "35.191.0.9",
    "a public address": "203.0.113.7",
    "a private address": "10.1.2.3",
    "the metadata server": "169.254.169.254",
    "the metadata server by Calico": "169.254.169.252",
}
"""Ends of arrows outside the cluster, each with an address that stands for it."""

OUTSIDE_PORTS = (80, 443, 988, 6379, 6443, 8080)


def arrows(objects: Sequence[Object]) -> set[tuple[str, str, int]]:
    """(from, to, port) of everything that is let through, name service aside."""
    policies = of_kind(objects, "NetworkPolicy")
    pods = {w["metadata"]["name"]: w for w in workloads(objects)}
    found: set[tuple[str, str, int]] = set()
    for to, workload in pods.items():
        for port in _ports(workload):
            found |= {
                (name, to, port)
                for name, other in pods.items()
                if name != to
                and _lets(policies, "egress", other, labels(workload), port)
                and _lets(policies, "ingress", workload, labels(other), port)
            }
            found |= {
                (name, to, port)
                for name in ("a stranger", "a Google front end")
                if _lets(policies, "ingress", workload, OUTSIDE[name], port)
            }
            if _lets(policies, "ingress", workload, _Namespace("gke-gmp-system"), port):
                found.add(("managed Prometheus", to, port))
    for name, workload in pods.items():
        for to in (name for name in OUTSIDE if name not in ("a stranger", "a Google front end")):
            found |= {
                (name, to, port)
                for port in OUTSIDE_PORTS
                if _lets(policies, "egress", workload, OUTSIDE[to], port)
            }
    return found


class _Namespace(str):
    __slots__ = ()


def _ports(workload: Object) -> Iterator[int]:
    for container in containers(workload):
        for port in container.get("ports", ()):
            yield port["containerPort"]


def _lets(
    policies: Sequence[Object],
    direction: str,
    workload: Object,
    peer: dict[str, str] | str,
    port: int,
) -> bool:
    """Whether this pod may talk with `peer`: labels, an address or a namespace."""
    mine = [
        policy["spec"]
        for policy in policies
        if direction.title() in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], labels(workload))
    ]
    ends = "from" if direction == "ingress" else "to"
    return not mine or any(
        (not rule.get("ports") or any(_is(port, p) for p in rule["ports"]))
        and (ends not in rule or any(_is_peer(end, peer) for end in rule[ends]))
        for policy in mine
        for rule in policy.get(direction, ())
    )


def _is(port: int, rule: Object) -> bool:
    return bool(rule["port"] == port and rule.get("protocol", "TCP") == "TCP")


def _is_peer(end: Object, peer: dict[str, str] | str) -> bool:
    if isinstance(peer, dict):
        return "podSelector" in end and matches(end["podSelector"], peer)
    if isinstance(peer, _Namespace):
        key = "kubernetes.io/metadata.name"
        return "namespaceSelector" in end and matches(end["namespaceSelector"], {key: peer})
    if "ipBlock" not in end:
        return False
    block, address = end["ipBlock"], ip_address(peer)
    return address in ip_network(block["cidr"]) and not any(
        address in ip_network(hole) for hole in block.get("except", ())
    )
