"""API keys: read from a file, compared in constant time."""

import hmac
from hashlib import sha256
from pathlib import Path

from thanos.errors import ThanosError


class KeyRing:
    """The keys that callers may use."""

    def __init__(self, keys: tuple[str, ...]):
        # Digests are equally long, so that a comparison doesn't tell the length of a key either.
        self._digests = [sha256(key.encode()).digest() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def accepts(self, authorization: bytes) -> bool:
        """True if an Authorization header carries one of the keys (`Bearer KEY`)."""
        scheme, _, key = authorization.partition(b" ")
        given = sha256(key.strip()).digest()
        # Every key is compared, so that the time doesn't tell which one it was.
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return scheme.lower() == b"bearer" and any(matches)


def read_keys(path: Path) -> tuple[str, ...]:
    """Keys from a file: one a line; blank lines and lines that begin with # don't count.

    Raises:
        ThanosError: if the file can't be read, holds no key, or a key has blanks in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ThanosError(f"can't read the API keys in {path}: {reason.lower()}") from None
    keys = tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
    if not keys:
        raise ThanosError(f"{path} holds no API key; write one a line")
    for number, line in enumerate(lines, start=1):
        if line.strip() in keys and len(line.split()) > 1:
            raise ThanosError(f"{path} line {number}: an API key has no blanks in it; write one key a line")
    return keys
