"""The page: a person reads thoughts, chats, compares replies and corrects labels in a browser."""

from thanos.serve.page.router import page_router

__all__ = ["page_router"]
