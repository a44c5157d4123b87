"""Keeps a fetch out of the operator's own network, whatever a listing or a redirect names.

A host is looked up once, its addresses are checked, and the connection goes to an address that was checked:
a name that answers differently the second time (DNS rebinding) gains nothing. Numeric spellings of an
address (decimal, hexadecimal, short) end at the same check, since they go through the same look-up.
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore

from reprocensus.errors import FetchError

#: Carry an IPv4 address in their last 32 bits: RFC 6052's well-known prefix of NAT64.
_NAT64 = IPv6Network("64:ff9b::/96")
#: Translate to whatever a network likes (RFC 8215), so nothing can be said of them.
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet.

    Private, loopback, link-local, shared, multicast, reserved and unspecified ones are not, nor are IPv6
    addresses that carry such an IPv4 address (mapped, 6to4, NAT64, Teredo).
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner = _carried(ip)
        if inner is not None:
            return is_public(str(inner))
        if ip in _LOCAL_NAT64 or ip.teredo is not None or ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _carried(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects by the addresses that it has looked up and checked itself. TLS still sees the host's name."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first of the host's addresses that answers.

        Raises:
            FetchError: every address of the host is refused.
            httpcore.ConnectError: the host is not known, or none of its addresses answers.
        """
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in await self._addresses(host, port, timeout):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                error = refused
        raise error

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never: no paper is behind a local socket. Raises `FetchError`."""
        raise FetchError("refused_address", f"{path} is a local socket")

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        try:
            async with asyncio.timeout(timeout):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"looking up {host} took longer than {timeout:g} s") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be looked up: {error}") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [a for a in addresses if self._allow_private or is_public(a)]
        if addresses and not allowed:
            raise FetchError(
                "refused_address",
                f"{host} is {', '.join(addresses)}, which is not on the public Internet; set "
                "REPROCENSUS_ALLOW_PRIVATE_HOSTS=true if papers are really served there",
            )
        return allowed
