"""HTTP sessions for addresses that others name."""

import aiohttp

from waypost.adapters.outbound.resolver import CheckedResolver
from waypost.kube.egress.addresses import AddressRules


def checked_session(rules: AddressRules, *, seconds: float) -> aiohttp.ClientSession:
    """A session that connects to checked addresses, without cookies and without the proxies of the
    environment. Close it.

    Args:
        rules: The addresses that it may connect to.
        seconds: Maximum of a request.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=CheckedResolver(rules), ttl_dns_cache=10),
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=seconds),
    )
