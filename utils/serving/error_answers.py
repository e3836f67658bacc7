"""A refusal as JSON, in the shape of the interface that was asked: OpenAI's, or Google's for Vertex paths."""

from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse

from utils.serving.refusals import CONFLICT, LATE, TIMEOUT, TOO_MANY, UNAUTHORIZED, UNAVAILABLE, UNKNOWN, Refusal

VERTEX = "/v1/endpoints/"
"""What the paths of the Vertex interface begin with."""

OPENAI_TYPES = {UNAUTHORIZED: "authentication_error", TOO_MANY: "rate_limit_error"}
CODES = {status.value: status.name.lower() for status in HTTPStatus}
GOOGLE_STATUSES = {
    UNAUTHORIZED: "UNAUTHENTICATED",
    UNKNOWN: "NOT_FOUND",
    TIMEOUT: "DEADLINE_EXCEEDED",
    CONFLICT: "ABORTED",
    TOO_MANY: "RESOURCE_EXHAUSTED",
    UNAVAILABLE: "UNAVAILABLE",
    LATE: "DEADLINE_EXCEEDED",
}
"""The names of `google.rpc.Code`; any other status is INVALID_ARGUMENT or INTERNAL."""


def openai_error(refusal: Refusal) -> dict[str, Any]:
    """Return OpenAI's error object: message, type, param, code."""
    known = "invalid_request_error" if refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
    unknown_model = refusal.status == UNKNOWN and refusal.parameter == "model"
    return {
        "error": {
            "message": str(refusal),
            "type": OPENAI_TYPES.get(refusal.status, known),
            "param": refusal.parameter,
            "code": "model_not_found" if unknown_model else CODES.get(refusal.status),
        }
    }


def google_error(refusal: Refusal) -> dict[str, Any]:
    """Return Google's error object: code, message, status, and in its details the field that is to blame."""
    known = "INVALID_ARGUMENT" if refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR else "INTERNAL"
    status = GOOGLE_STATUSES.get(refusal.status, known)
    error: dict[str, Any] = {"code": refusal.status, "message": str(refusal), "status": status}
    if refusal.parameter:
        violation = {"field": refusal.parameter, "description": str(refusal)}
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
    return {"error": error}


def error_response(path: str, refusal: Refusal) -> JSONResponse:
    """Return the answer to a request that is refused; the headers say whether and when asking again is worth it."""
    shape = google_error if path.startswith(VERTEX) else openai_error
    headers = {}
    if refusal.retry_after is not None:
        headers["retry-after"] = str(refusal.retry_after)
    if refusal.status in (CONFLICT, LATE):  # OpenAI's client would try both again
        headers["x-should-retry"] = "false"
    if refusal.status == UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(shape(refusal), refusal.status, headers)
