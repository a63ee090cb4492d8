"""A conversation in a terminal whose replies are planned first."""

from thanos.chat.history import ChatTurn, History
from thanos.chat.loop import chat
from thanos.chat.session import Session

__all__ = ["ChatTurn", "History", "Session", "chat"]
