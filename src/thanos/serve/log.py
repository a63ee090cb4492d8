"""The server's log: lines on standard error, without secrets."""

import logging


class DiscreetFormatter(logging.Formatter):
    """Formats as usual and blots out what nobody may read, wherever it comes from: other servers' messages too."""

    def __init__(self, secrets: list[str]):
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The line, tracebacks included."""
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return text


def start_log(secrets: list[str]) -> None:
    """Send warnings and worse of this process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(DiscreetFormatter(secrets))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
