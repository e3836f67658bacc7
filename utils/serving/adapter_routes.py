"""The adapters over HTTP: which are held and how they are, load or replace one, split a name's traffic, drop one.

A route here is a plain function: FastAPI runs it in a thread, as loading takes seconds, and requests are answered
meanwhile.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from utils.registry.versions import REFERENCE
from utils.serving.adapters import LARGEST_WEIGHT, Part, adapter_bytes
from utils.serving.bodies import JsonRoute
from utils.serving.endpoint import Endpoint
from utils.serving.openai_schema import Asked, ErrorAnswer

Reference = Annotated[str, Field(pattern=f"^{REFERENCE.pattern}$")]
Weight = Annotated[float, Field(gt=0, le=LARGEST_WEIGHT)]


class LoadRequest(Asked):
    """reference: a registered model, "name", "name@alias" or "name/3". name: what clients call it, if not so."""

    reference: Reference
    name: Reference | None = None


class SplitRequest(Asked):
    """split: the weight of each reference; all are versions of the name's own model."""

    split: Annotated[dict[Reference, Weight], Field(min_length=1, json_schema_extra={"additionalProperties": False})]


class HeldPart(BaseModel):
    """A part of a name's traffic: which version answers it, what kind of adapter that is, and its bytes in memory.

    problem: why the version that the registry has under the reference does not answer.
    """

    reference: str
    weight: float
    version: str | None
    fingerprint: str | None
    kind: str | None
    bytes: int
    problem: str | None


class HeldName(BaseModel):
    """A name that clients give, and what answers under it."""

    object: Literal["adapter"] = "adapter"
    name: str
    split: list[HeldPart]


class HeldNames(BaseModel):
    """problem: why the registry cannot be asked; what is held goes on meanwhile."""

    object: Literal["list"] = "list"
    data: list[HeldName]
    problem: str | None


class Dropped(BaseModel):
    """A name that answers no more."""

    object: Literal["adapter"] = "adapter"
    name: str
    deleted: Literal[True] = True


def adapter_routes(endpoint: Endpoint) -> APIRouter:
    """Return the routes by which an endpoint's adapters change while it runs."""
    errors = {"model": ErrorAnswer, "description": "Nothing was changed."}
    routes = APIRouter(
        prefix="/v1/adapters", tags=["adapters"], route_class=JsonRoute, responses={"4XX": errors, "5XX": errors}
    )
    adapters, base = endpoint.adapters, endpoint.model

    def told(part: Part) -> HeldPart:
        adapter = part.adapter
        return HeldPart(
            reference=part.reference,
            weight=part.weight,
            version=adapter.reference if adapter else None,
            fingerprint=adapter.fingerprint if adapter else None,
            kind=part.kind,
            bytes=adapter_bytes(adapter, base) if adapter else 0,
            problem=part.problem,
        )

    def held(name: str, parts: Sequence[Part]) -> HeldName:
        return HeldName(name=name, split=[told(part) for part in parts])

    @routes.get("")
    def list_adapters() -> HeldNames:
        """List the names that are served, and how they are."""
        return HeldNames(data=[held(*one) for one in adapters.served().items()], problem=adapters.problem)

    @routes.post("")
    def load_adapter(asked: LoadRequest) -> HeldName:
        """Load a registered adapter, or replace what answers under its name."""
        name = asked.name or asked.reference
        return held(name, adapters.split(name, {asked.reference: 1.0}))

    @routes.put("/{name:path}")
    def split_adapter(name: str, asked: SplitRequest) -> HeldName:
        """Split a name's traffic between versions by weights; a user stays with a version."""
        return held(name, adapters.split(name, asked.split))

    @routes.delete("/{name:path}")
    def drop_adapter(name: str) -> Dropped:
        """Stop serving a name; what it writes now is finished."""
        adapters.drop(name)
        return Dropped(name=name)

    return routes
