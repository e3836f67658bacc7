"""The adapters of an endpoint: loaded while it runs, followed in the registry, their traffic split between versions."""

import hashlib
import logging
import math
import secrets
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from utils.arguments import number
from utils.errors import CourseError, short_reason
from utils.models.language_model import LanguageModel
from utils.registry.tracking import address
from utils.registry.versions import Version, find_each, load, model_of
from utils.serving.lora_stack import lora_weights
from utils.serving.refusals import CONFLICT, UNKNOWN, Refusal
from utils.serving.requests import Adapter
from utils.serving.settings import Limits

RETRY_SECONDS = 30.0
"""After how long a version that could not be loaded is tried again."""

LARGEST_WEIGHT = 1e6
"""Of a part in a split."""

_LOG = logging.getLogger("utils.serving")


@dataclass(frozen=True)
class Part:
    """A part of a name's traffic, all of it unless it is split.

    reference: "name", "name@alias" or "name/3". weight: beside those of the other parts. adapter: what answers, None
    if nothing does; kind: its method of tuning. version: what the registry had under the reference when it was last
    tried, at `tried`. problem: why that version does not answer, or none is there; status: of HTTP, then.
    """

    reference: str
    weight: float = 1.0
    adapter: Adapter | None = None
    kind: str | None = None
    version: Version | None = None
    problem: str | None = None
    status: int = CONFLICT
    tried: float = 0.0


class Adapters:
    """The adapters that answer, by the names that clients give; any thread may use it.

    A reference follows the registry: when its version moves, the new one is loaded before it takes over, and where
    that fails the old one goes on. What the registry has deleted answers no more (404); while the registry is away,
    what is held goes on. Requests hold the `Adapter` that they began with. problem: why the registry cannot be asked.
    """

    def __init__(self, base: LanguageModel, limits: Limits, *, follow_seconds: float = 2.0) -> None:
        self.problem: str | None = None
        self._base, self._limits, self._seconds = base, limits, follow_seconds
        self._served: Mapping[str, tuple[Part, ...]] = {}
        self._loading, self._changing, self._stopped = threading.Lock(), threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._follow_on, name="adapters", daemon=True)

    def names(self) -> list[str]:
        """Return the names that may be asked for, the base's first."""
        return [self._base.name, *self._served]

    def served(self) -> Mapping[str, tuple[Part, ...]]:
        """Return what is served at this moment: the parts of each name's traffic."""
        return self._served

    def parts(self, name: str) -> tuple[Part, ...]:
        """Return the parts of a name's traffic. Raises Refusal 404."""
        parts = self._served.get(name)  # asked for once: other threads replace it
        if parts is None:
            raise Refusal(
                f"The endpoint has no model {_shown(name)}: /v1/models lists those that it has.",
                status=UNKNOWN,
                parameter="model",
            )
        return parts

    def find(self, name: str, *, user: str = "") -> Adapter | None:
        """Return the adapter that answers under a name, None for the base's own.

        user: whose request it is, for a split. Raises Refusal: 404 for a name that is unknown here or in the registry,
        409 for an adapter that cannot be loaded.
        """
        if name == self._base.name:
            return None
        part = chosen(self.parts(name), user)
        if part.adapter is None:
            raise Refusal(part.problem or "", status=part.status, parameter="model")
        return part.adapter

    def load_all(self, references: Iterable[str]) -> list[str]:
        """Serve these, as `add` does, and return why some do not answer yet: they are tried again.

        Raises Refusal for what cannot be a reference, or for too many.
        """
        problems = []
        for reference in references:
            if reference == self._base.name:
                raise Refusal(
                    f"The base answers under its own name only: {_shown(reference)} is no adapter's.",
                    parameter="reference",
                )
            part = self._load(reference)
            self._serve(reference, (part,))
            problems += [part.problem] if part.problem else []
        return problems

    def add(self, reference: str, *, name: str = "") -> None:
        """Serve a reference under its own name or another of the same model; what answers there is replaced.

        Raises Refusal where it cannot be loaded; then nothing changes.
        """
        self.split(name or reference, {reference: 1.0})

    def split(self, name: str, weights: Mapping[str, float]) -> tuple[Part, ...]:
        """Split a name's traffic between references of its model, by weights above 0, and return its parts.

        Raises Refusal, UnsupportedSetting; then nothing changes.
        """
        if not weights or name == self._base.name:
            raise Refusal("A split has one reference or more, and the base's name is its own.", parameter="split")
        parts = []
        for reference, weight in weights.items():
            _check_same_model(name, reference)
            rule = f"a weight is a number above 0, {LARGEST_WEIGHT:,.0f} at most"
            weight = number(weight, rule, least=0, most=LARGEST_WEIGHT, above=True)
            part = self._load(reference, weight)
            if part.problem:
                raise Refusal(part.problem, status=part.status, parameter="reference")
            parts.append(part)
        self._serve(name, tuple(parts))
        return tuple(parts)

    def drop(self, name: str) -> None:
        """Stop serving a name; requests that run are finished. Raises Refusal 404."""
        with self._changing:
            self.parts(name)
            self._served = {other: parts for other, parts in self._served.items() if other != name}

    def start(self) -> None:
        """Follow the registry from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Follow it no more."""
        self._stopped.set()

    def follow(self) -> None:
        """Ask the registry once where each reference stands, and load what moved."""
        served = self._served
        if not served:
            return
        try:
            found = find_each(sorted({part.reference for parts in served.values() for part in parts}))
        except CourseError as error:
            self._tell(_without_places(error))
            return
        self._tell(None)
        for name, parts in served.items():
            followed = tuple(self._followed(part, found.get(part.reference)) for part in parts)
            with self._changing:
                if self._served.get(name) is parts:  # else it was replaced meanwhile
                    self._served = {**self._served, name: followed}

    def _follow_on(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self.follow()
            except Exception:  # whatever a store may raise, the next time is another
                _LOG.exception("The registry was not followed.")

    def _tell(self, problem: str | None) -> None:
        if problem != self.problem:
            _LOG.warning(problem or "The registry answers again.")
        self.problem = problem

    def _serve(self, name: str, parts: tuple[Part, ...]) -> None:
        with self._changing:
            served = {**self._served, name: parts}
            if sum(len(parts) for parts in served.values()) > self._limits.adapters:
                raise Refusal(
                    f"The endpoint holds {self._limits.adapters} adapters at most: drop one first.", status=CONFLICT
                )
            self._served = served

    def _load(self, reference: str, weight: float = 1.0) -> Part:
        """Return what the registry has under a reference, loaded or with the problem; a Refusal is for no reference."""
        part = Part(reference, weight)
        if model_of(reference) is None:
            raise Refusal(
                f"{_shown(reference)} is no adapter in the registry: give a name, a name@alias or a name/number.",
                parameter="reference",
            )
        try:
            return self._followed(part, find_each([reference]).get(reference))
        except CourseError as error:
            return replace(part, problem=_without_places(error))

    def _followed(self, part: Part, version: Version | None) -> Part:
        """Return a part as it is once the registry has this version under its reference."""
        if version is None:
            gone = f"The registry has no {part.reference!r}."
            return replace(part, adapter=None, kind=None, version=None, problem=gone, status=UNKNOWN)
        if _same(part.version, version) and (not part.problem or time.monotonic() < part.tried + RETRY_SECONDS):
            return part
        try:
            adapter = self._adapter(version)
        except Exception as error:  # of every kind, as what stands in the folder is
            problem = f"{version.reference} cannot be loaded. {_without_places(error, version)}"
            _LOG.warning(problem)
            return replace(part, version=version, problem=problem, status=CONFLICT, tried=time.monotonic())
        kind = str(version.parameters.get("method"))
        return replace(part, adapter=adapter, kind=kind, version=version, problem=None)

    def _adapter(self, version: Version) -> Adapter:
        """Return a version's adapter, the one in memory if it is held under another name."""
        with self._loading:
            for part in (part for parts in self._served.values() for part in parts):
                if part.adapter and not part.problem and _same(part.version, version):
                    return part.adapter
            adapted = load(version.reference, base=self._base)
            weights = lora_weights(adapted)
            model = adapted if weights is None else None
            return Adapter(version.reference, adapted.fingerprint, weights, model)


def chosen(parts: Sequence[Part], user: str) -> Part:
    """Return the part that answers a user, always the same; without a user, one at random.

    Each part gets users in proportion to its weight. When a weight changes, a part comes or goes, users move only to
    or from that part, and no more than its share changed by. This is weighted rendezvous hashing: C. Schindelhauer and
    G. Schomaker, "Weighted Distributed Hash Tables", SPAA 2005.
    """
    if len(parts) == 1:
        return parts[0]
    user = user or secrets.token_hex(16)
    return min(parts, key=lambda part: -math.log(_hashed(part.reference, user)) / part.weight)


def adapter_bytes(adapter: Adapter, base: LanguageModel) -> int:
    """Return the memory of an adapter's own weights, without the base's."""
    if adapter.weights is not None:
        return sum(matrix.nbytes for pair in adapter.weights.values() for matrix in pair)
    assert adapter.model is not None
    shared = {weight.data_ptr() for weight in base.model.state_dict().values()}
    own = {weight.data_ptr(): weight.nbytes for weight in adapter.model.model.state_dict().values()}
    return sum(size for place, size in own.items() if place not in shared)


def _hashed(reference: str, user: str) -> float:
    """Return a number above 0 and up to 1 that depends on nothing but a reference and a user, evenly spread."""
    digest = hashlib.sha256(f"{reference}\n{user}".encode(errors="surrogatepass")).digest()
    return (int.from_bytes(digest[:8]) + 1) / 2**64


def _same(one: Version | None, other: Version) -> bool:
    """Whether two are one version: a name that was deleted may be given again, with the same number."""
    return one is not None and (one.reference, one.created) == (other.reference, other.created)


def _check_same_model(name: str, reference: str) -> None:
    """Raise Refusal unless a name may answer with a reference: "name" with "name/3", but "name/3" with itself only."""
    if name != reference and ("/" in name or model_of(name) != model_of(reference)):
        raise Refusal(
            f"{_shown(name)} cannot stand for {_shown(reference)}: a name or an alias stands for versions of its own "
            "model, and a number for that version.",
            parameter="name",
        )


def _without_places(error: Exception, version: Version | None = None) -> str:
    """Return an error's sentence without where the registry is and what folders it has: clients read it."""
    sentence = short_reason(error, longest=400).replace(f" at {address()}", "")
    return sentence.replace(str(version.folder), version.reference) if version else sentence


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 60 else f"{name[:60]} ...")
