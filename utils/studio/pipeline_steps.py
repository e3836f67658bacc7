"""The steps of a pipeline: lint, tune, evaluate, promote, deploy, smoke test."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from utils.datasets.records import TextToText
from utils.errors import CourseError, RegistryError, ServingError
from utils.evaluation.intervals import Interval
from utils.models.endpoints import EndpointModel, load_endpoint
from utils.models.language_model import LanguageModel
from utils.models.loading import lasting_name, load_model
from utils.progress import progress
from utils.registry.versions import find, load, set_default
from utils.serving.deployments import Deployment, deploy, find_deployment, undeploy
from utils.studio.models import own_model
from utils.studio.pipeline_file import Settings, Split
from utils.studio.scoring import Scores, score
from utils.training.linter import lint, require_usable
from utils.tuning.job import TuningJob

Result = dict[str, Any]
"""What a step hands on, as JSON values."""

FOLLOW_SECONDS = 60.0
"""How long an endpoint may take until it answers with the version that is the default now."""
LOOK_AGAIN = 0.5


class Work:
    """What the steps of one run share: the settings, the results of the steps before, the base model, loaded once."""

    def __init__(self, settings: Settings, results: dict[str, Result], earlier: Mapping[str, Result]) -> None:
        self.settings, self.results, self.earlier = settings, results, earlier

    @cached_property
    def base(self) -> LanguageModel:
        """The model that is tuned."""
        return load_model(self.settings.model or None)

    @property
    def version(self) -> str:
        """The tuned version, such as "name/3"."""
        return self.results["tune"]["version"]

    def default(self) -> str:
        """Return the version that is the default at this moment, "" where there is none."""
        with suppress(RegistryError):
            return find(self.settings.name).reference
        return ""

    def written(self, split: Split) -> list[TextToText]:
        """Return records whose inputs are written as the prompt writes them."""
        return [
            replace(record, input_text=self.settings.prompt.about(record.input_text).written(self.base))
            for record in split.records
        ]


@dataclass(frozen=True)
class Step:
    """A step: do returns its result and what to say of it, or raises what failed.

    looked_up: what the result depends on beside the settings and the results before. holds: whether a result of an
    earlier attempt, whose inputs were the same, is still true.
    """

    name: str
    do: Callable[[Work], tuple[Result, str]]
    looked_up: Callable[[Work], Any] = lambda work: None
    holds: Callable[[Work, Result], bool] = lambda work, result: True

    def inputs(self, work: Work, identity: str) -> str:
        """Return the SHA-256 of all that the result depends on."""
        return sha256([identity, work.results, self.looked_up(work)])


def sha256(value: Any) -> str:
    """Return the SHA-256 of JSON values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def identity(settings: Settings) -> str:
    """Return the hash of what a pipeline is asked to do: settings, base, and records, wherever these lie."""
    plain = {field: value for field, value in asdict(settings).items() if field != "text"}
    for split in ("train", "validation", "test"):
        del plain[split]["address"]
    base = lasting_name(settings.model or own_model())
    return sha256(plain | {"model": base, "prompt": settings.prompt.as_dict()})


def _lint(work: Work) -> tuple[Result, str]:
    train, validation = work.written(work.settings.train), work.written(work.settings.validation)
    report = lint(train, validation, model=work.base)
    require_usable(report)
    advice = [finding.text for finding in report.findings if finding.level == "advice"]
    said = f"{len(train)} training and {len(validation)} validation records can be used. {' '.join(advice)}".strip()
    return {"findings": [asdict(finding) for finding in report.findings]}, said


def _tune(work: Work) -> tuple[Result, str]:
    settings = work.settings
    job = TuningJob(
        settings.name,
        work.written(settings.train),
        work.written(settings.validation),
        method=settings.method,
        model=settings.model or None,
        epochs=settings.epochs,
        learning_rate_multiplier=settings.learning_rate_multiplier,
        make_default=False,
    ).start(quiet=True)
    try:
        job.wait()
    except KeyboardInterrupt:
        job.cancel()
        raise
    state = job.register().state
    version = f"{settings.name}/{state.version}"
    facts = {"steps": state.step, "seconds": round(state.seconds, 1), "folder": str(job.started().path)}
    return {"version": version, **facts}, f"{version} was tuned in {state.step} steps and {state.seconds:.0f} s."


def _is_registered(work: Work, result: Result) -> bool:
    with suppress(RegistryError):
        return bool(find(result["version"]))
    return False


def _opponent(work: Work) -> str:
    """Return the version that the tuned one is compared with: the default, "" for the base where there is none.

    A default that was tuned on another base is none. A version that was promoted, or is the only one, is the default
    itself: what it was compared with then still holds.
    """
    default = work.default()
    if default != work.version:
        return default if default and find(default).parameters["base"] == work.base.name else ""
    before = work.earlier.get("evaluate", {})
    return before.get("compared_with", "") if before.get("version") == work.version else ""


def _evaluate(work: Work) -> tuple[Result, str]:
    opponent = _opponent(work)
    scores = []
    for reference in progress((work.version, opponent), "Evaluating"):
        scores.append(_scores(work, reference))
    tuned, other = scores
    gain = tuned.gain(other)
    names = {"version": work.version, "compared_with": opponent}
    values = {"metric": tuned.metric, "value": asdict(tuned.interval), "value_compared_with": asdict(other.interval)}
    said = (
        f"{tuned.metric} on {len(work.settings.test.records)} test records: {work.version} {tuned.interval}, "
        f"{_called(opponent)} {other.interval}; paired gain {gain}."
    )
    return {**names, **values, "gain": asdict(gain)}, said


def _scores(work: Work, reference: str) -> Scores:
    """Return the scores of a version on the test records, of the base for ""."""
    settings = work.settings
    model = load(reference, base=work.base) if reference else work.base
    return score(model, settings.prompt, settings.test.records, metric=settings.metric, seeds=settings.seeds)


def _called(opponent: str) -> str:
    return f"the default {opponent}" if opponent else "the base model"


def _promote(work: Work) -> tuple[Result, str]:
    found = work.results["evaluate"]
    gain, before = Interval(**found["gain"]), _called(found["compared_with"])
    if gain.low <= 0:
        only = " It is the model's first version, and so its default all the same." if _is_default(work) else ""
        said = f"{work.version} is not promoted: its gain over {before} is {gain}, and not clearly above 0.{only}"
        return {"promoted": False}, said
    set_default(work.settings.name, int(work.version.rpartition("/")[2]))
    return {"promoted": True}, f"{work.version} is the default now: its gain over {before} is {gain}."


def _is_default(work: Work) -> bool:
    return work.default() == work.version


def _deploy(work: Work) -> tuple[Result, str]:
    """Start the endpoint; one that runs already and serves this model follows the default by itself, and stays."""
    target, running = work.settings.deploy, _deployed(work)
    if running and _serves(work, running):
        return {"url": running.url}, f"The endpoint at {running.url} runs already and follows the default."
    if running:
        undeploy(target.name)
    model = work.settings.model or None
    url = deploy(target.name, model=model, adapters=[work.settings.name], port=target.port).url
    return {"url": url}, f"{work.settings.name}, its default version, answers at {url}."


def _deployed(work: Work) -> Deployment | None:
    with suppress(ServingError):
        return find_deployment(work.settings.deploy.name)
    return None


def _serves(work: Work, running: Deployment) -> bool:
    """Whether an endpoint answers for the model's default version."""
    with suppress(CourseError):
        return running.alive and work.settings.name in _versions(_served(work, running.url))
    return False


def _still_serves(work: Work, result: Result) -> bool:
    running = _deployed(work)
    return running is not None and running.url == result["url"] and _serves(work, running)


def _served(work: Work, url: str) -> EndpointModel:
    return load_endpoint(f"{url}#{work.settings.name}")


def _versions(endpoint: EndpointModel) -> dict[str, str | None]:
    """Return which version answers under each name, None while none does."""
    held: Any = endpoint.client.get("/adapters", cast_to=object)
    return {one["name"]: one["split"][0]["version"] for one in held["data"]}


def _smoke(work: Work) -> tuple[Result, str]:
    smoke, url = work.settings.smoke, work.results["deploy"]["url"]
    endpoint = _served(work, url)
    _wait_for(work, endpoint)
    prompt = work.settings.prompt.about(smoke.input)
    answer = endpoint.generate(prompt.written(work.base), **asdict(prompt.config))
    if smoke.holds.casefold() not in answer.casefold():
        raise ServingError(
            f"The endpoint at {url} answered {answer!r:.200}, in which {smoke.holds!r} does not stand. "
            f"{work.version} is the default and answers on: look at the answer, or take the version before it back."
        )
    return {"answer": answer}, f"{work.version} at {url} answered {answer.strip()!r:.200}."


def _wait_for(work: Work, endpoint: EndpointModel) -> None:
    """Return once the endpoint answers with the tuned version. Raises ServingError."""
    until = time.monotonic() + FOLLOW_SECONDS
    while (answering := _versions(endpoint)[work.settings.name]) != work.version:
        if time.monotonic() > until:
            raise ServingError(
                f"The endpoint at {endpoint.address} answers with {answering or 'no version'} and not with "
                f"{work.version}: look at its log, undeploy it, and run the pipeline again."
            )
        time.sleep(LOOK_AGAIN)


STEPS = (
    Step("lint", _lint),
    Step("tune", _tune, holds=_is_registered),
    Step("evaluate", _evaluate, looked_up=_opponent),
    Step("promote", _promote, holds=lambda work, result: not result["promoted"] or _is_default(work)),
    Step("deploy", _deploy, holds=_still_serves),
    Step("smoke test", _smoke, holds=lambda work, result: False),
)
