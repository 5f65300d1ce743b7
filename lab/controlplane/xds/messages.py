"""Small builders of protobuf messages that every resource module needs. Pure."""

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from envoy.config.core.v3 import address_pb2, base_pb2, extension_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue, UInt32Value

TYPE_PREFIX = "type.googleapis.com/"


def any_of(message: Message) -> AnyMessage:
    """The message packed with its type; equal messages give equal bytes."""
    packed = AnyMessage(type_url=TYPE_PREFIX + message.DESCRIPTOR.full_name)
    packed.value = message.SerializeToString(deterministic=True)
    return packed


def duration(seconds: float) -> Duration:
    found = Duration()
    found.FromTimedelta(timedelta(seconds=seconds))
    return found


def uint32(value: int) -> UInt32Value:
    return UInt32Value(value=value)


def boolean(value: bool) -> BoolValue:
    return BoolValue(value=value)


def socket_address(address: str, port: int) -> Any:
    return address_pb2.Address(socket_address=address_pb2.SocketAddress(address=address, port_value=port))


def host_range(address: str) -> Any:
    """The range that holds one address."""
    return address_pb2.CidrRange(address_prefix=address, prefix_len=uint32(ip_address(address).max_prefixlen))


def network_range(cidr: str) -> Any:
    address, _, length = cidr.partition("/")
    return address_pb2.CidrRange(address_prefix=address, prefix_len=uint32(int(length)))


def extension(name: str, config: Message) -> Any:
    return extension_pb2.TypedExtensionConfig(name=name, typed_config=any_of(config))


def header(name: str, value: str, action: str) -> Any:
    """A header to set; `action` is an Envoy append action such as OVERWRITE_IF_EXISTS_OR_ADD."""
    return base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(key=name, value=value),
        append_action=base_pb2.HeaderValueOption.HeaderAppendAction.Value(action),
    )
