"""Forgets flows of datagrams to backends that are no more.

The kernel chooses a backend once per flow. A TCP connection ends with its backend, but a client that sends
UDP from one port would be led to the dead one for as long as it goes on.
"""

from collections.abc import Set
from socket import IPPROTO_UDP

from pyroute2 import AsyncConntrack, NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple

from lab.engines.embedded.services.model import Backend

GONE = 2
"""ENOENT: the flow has ended by itself meanwhile."""


async def forget_flows(backends: Set[Backend]) -> None:
    """Make the kernel choose anew for flows to these backends, in this network namespace."""
    if not backends:
        return
    async with AsyncConntrack() as conntrack:
        flows = [
            flow async for flow in await conntrack.dump_entries(tuple_orig=NFCTAttrTuple(proto=IPPROTO_UDP))
        ]
        for flow in flows:
            answers_from = Backend(flow.tuple_reply.saddr, flow.tuple_reply.sport)
            if answers_from in backends and flow.tuple_orig.daddr != answers_from.address:
                try:
                    await conntrack.entry("del", tuple_orig=flow.tuple_orig)
                except NetlinkError as error:
                    if error.code != GONE:
                        raise
