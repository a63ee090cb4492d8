"""Errors in the shape of OpenAI's API, whatever goes wrong."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from thanos.serve.json_answer import JsonAnswer


class ApiError(Exception):
    """An answer that isn't 200.

    Attributes:
        status: HTTP status.
        message: One line for the caller: what is wrong and how to mend it.
        code: A word for programs.
        headers: More headers of the answer.
    """

    def __init__(self, status: int, message: str, code: str, headers: dict[str, str] | None = None):
        self.status, self.message, self.code, self.headers = status, message, code, headers or {}
        super().__init__(message)

    def response(self) -> JsonAnswer:
        """The answer to send."""
        return JsonAnswer(error_body(self.status, self.message, self.code), self.status, self.headers)


def error_body(status: int, message: str, code: str) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}`."""
    kind = {401: "authentication_error", 429: "rate_limit_error"}.get(status)
    kind = kind or ("server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of an app in this shape."""

    @app.exception_handler(ApiError)
    async def _api(_: Request, error: ApiError) -> JsonAnswer:
        return error.response()

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JsonAnswer:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        headers = dict(error.headers or {})
        return ApiError(error.status_code, str(error.detail), code, headers).response()

    @app.exception_handler(RequestValidationError)
    async def _validation(_: Request, error: RequestValidationError) -> JsonAnswer:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return ApiError(400, f"{where}: {first['msg']}", "invalid_request").response()

    @app.exception_handler(Exception)
    async def _unexpected(_: Request, __: Exception) -> JsonAnswer:
        # The traceback goes to the log; what it says is nobody else's business.
        return ApiError(500, "the server failed on this request; its log says why", "internal_error").response()
