"""Clients that resume as the protocol says, and write down all they say and hear."""

from tests.support.clients.client import Client, Edges
from tests.support.clients.livegate_v1 import LivegateClient
from tests.support.clients.log import Got, Log, Said
from tests.support.clients.relay import Network
from tests.support.clients.sdk import SdkClient

__all__ = ["Client", "Edges", "Got", "LivegateClient", "Log", "Network", "Said", "SdkClient"]
