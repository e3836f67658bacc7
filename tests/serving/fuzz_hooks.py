"""What schemathesis is told about the endpoint: a model that exists, and which refusals no OpenAPI page can foresee."""

import json

import schemathesis
from pydantic import BaseModel, ValidationError
from schemathesis.openapi.checks import RejectedPositiveData

from utils.serving.adapter_routes import LoadRequest, SplitRequest
from utils.serving.bodies import read_json
from utils.serving.openai_schema import ChatRequest, CompletionRequest
from utils.serving.vertex_schema import PredictRequest

BODIES: dict[str, type[BaseModel]] = {
    "/v1/completions": CompletionRequest,
    "/v1/chat/completions": ChatRequest,
    "/v1/endpoints/{name}:predict": PredictRequest,
    "/v1/adapters": LoadRequest,
    "/v1/adapters/{name}": SplitRequest,
}


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    """Ask the model that is there: other names end at once, with a 404."""
    if isinstance(case.body, dict) and isinstance(case.body.get("model"), str) and case.body["model"]:
        case.body["model"] = "tiny"
    if case.operation.path.endswith(":predict") and case.path_parameters.get("name"):
        case.path_parameters["name"] = "tiny"


@schemathesis.hook
def filter_failure(context, failure, case, response) -> bool:
    """Let a 400 pass for a body that is well formed: context window, limits and stop strings are no types of JSON."""
    asked = BODIES.get(case.operation.path)
    if not isinstance(failure, RejectedPositiveData) or asked is None or response.status_code != 400:
        return True
    try:
        asked.model_validate(read_json(json.dumps(case.body).encode()))
    except ValidationError:
        return True
    return False
