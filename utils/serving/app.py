"""The application: the interfaces, health and metrics, one shape of error an interface, and the guard before them."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from utils.errors import CourseError
from utils.serving.adapter_routes import adapter_routes
from utils.serving.endpoint import Endpoint
from utils.serving.error_answers import error_response
from utils.serving.logs import LONGEST
from utils.serving.middleware import Guarded, Recorded
from utils.serving.openai_routes import openai_routes
from utils.serving.refusals import NOT_ALLOWED, UNAVAILABLE, UNKNOWN, Refusal
from utils.serving.vertex_routes import vertex_routes

TYPES = ("str", "int", "float", "bool", "dict", "list")
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI would tell OpenTelemetry of each request, what was wrong in its body included."""

OK, DOWN = "ok", "unavailable"


class Health(BaseModel):
    """How the process is: "ok" or "unavailable"."""

    status: str


def create_app(endpoint: Endpoint) -> FastAPI:
    """Return the application of an endpoint; any ASGI server runs it."""
    app = FastAPI(title="Endpoint", docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=NO_TELEMETRY)
    routers = [make(endpoint) for make in (openai_routes, vertex_routes, adapter_routes, operation_routes)]
    for router in routers:
        app.include_router(router)
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]

    @app.exception_handler(CourseError)
    async def refuse(request: Request, error: CourseError) -> Response:
        return error_response(request.url.path, error if isinstance(error, Refusal) else Refusal(str(error)))

    @app.exception_handler(RequestValidationError)
    async def refuse_fields(request: Request, error: RequestValidationError) -> Response:
        return error_response(request.url.path, _first_fault(error))

    @app.exception_handler(HTTPException)
    async def refuse_path(request: Request, error: HTTPException) -> Response:
        path = request.url.path
        here = next((route.path for route in routes if route.path_regex.match(path)), None)
        ours = {method for route in routes if route.path == here for method in route.methods or ()}
        methods = sorted(ours) or [(error.headers or {}).get("Allow", "")]  # of a page that is FastAPI's own
        sentences = {
            UNKNOWN: "There is nothing at this path; /openapi.json lists all that there is.",
            NOT_ALLOWED: f"{request.method} is not for this path: use {' or '.join(methods)}.",
        }
        refusal = Refusal(sentences.get(error.status_code, error.detail), status=error.status_code)
        answer = error_response(path, refusal)
        if error.status_code == NOT_ALLOWED:
            answer.headers["allow"] = ", ".join(methods)
        return answer

    app.add_middleware(Guarded, endpoint=endpoint)
    app.add_middleware(Recorded, endpoint=endpoint)
    return app


def operation_routes(endpoint: Endpoint) -> APIRouter:
    """Return what those ask who run an endpoint: does it live, does it take requests, what has it done."""
    routes = APIRouter(tags=["operations"])

    def tell(good: bool, response: Response) -> Health:
        response.status_code = 200 if good else UNAVAILABLE
        return Health(status=OK if good else DOWN)

    @routes.get("/health", responses={UNAVAILABLE: {"model": Health}})
    async def health(response: Response) -> Health:
        """Whether the process lives; where it does not, start it again."""
        return tell(endpoint.healthy, response)

    @routes.get("/ready", responses={UNAVAILABLE: {"model": Health}})
    async def ready(response: Response) -> Health:
        """Whether requests are taken; while it is not, send them elsewhere."""
        return tell(endpoint.ready, response)

    @routes.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE_LATEST: {}}}})
    async def metrics() -> Response:
        """All counters in Prometheus' text format."""
        return Response(endpoint.metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return routes


def _first_fault(error: RequestValidationError) -> Refusal:
    """Return the first of pydantic's complaints as a sentence that names the field."""
    fault = error.errors()[0]
    name = _field(fault["loc"][1:])
    if not name:
        return Refusal(f"The body is not what is asked for: {fault['msg']}.")
    unknown = fault["type"] == "extra_forbidden"
    return Refusal(f"{name} is not supported." if unknown else f"{name}: {fault['msg']}.", parameter=name)


def _field(place: Sequence[int | str]) -> str:
    """Return a place in the body as "messages[0].role", without the types that pydantic tried there."""
    if not place or isinstance(place[0], int):  # where broken JSON ends
        return ""
    name = place[0]
    for part in place[1:]:
        if isinstance(part, int):
            name += f"[{part}]"
        elif part.isidentifier() and part not in TYPES:
            name += f".{part}"
    return name[:LONGEST]
