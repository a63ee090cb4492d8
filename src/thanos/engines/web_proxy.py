"""The proxy that the environment names ($HTTPS_PROXY, $NO_PROXY ...), for connections through aiohttp."""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_for(url: str) -> str | None:
    """The proxy for an address. Asked once: aiohttp's `trust_env` asks for every request."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
