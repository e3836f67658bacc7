"""An endpoint: the parts that answer requests, put together from its settings."""

import threading
from dataclasses import dataclass, field

from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.serving.adapters import Adapters
from utils.serving.keys import Keys, read_keys
from utils.serving.logs import RequestLog, check_log, say
from utils.serving.metrics import Metrics
from utils.serving.scheduler import Scheduler
from utils.serving.settings import Limits, Settings


@dataclass(frozen=True)
class Endpoint:
    """One base model, its adapters, and what answers with them.

    hosts: names by which clients may call this machine; empty where any may be used. stopping: set once, when
    what waits is sent away and what runs is finished.
    """

    model: LanguageModel
    limits: Limits
    adapters: Adapters
    scheduler: Scheduler
    metrics: Metrics
    keys: Keys
    log: RequestLog
    hosts: tuple[str, ...] = ()
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def healthy(self) -> bool:
        """Whether the scheduler's thread lives, or is being stopped as it should be."""
        return self.scheduler.alive or self.stopping.is_set()

    @property
    def ready(self) -> bool:
        """Whether requests are taken."""
        return self.scheduler.alive and not self.stopping.is_set()

    def stop(self, *, seconds: float) -> None:
        """Take no more requests, send away what waits and finish what runs, within so many seconds."""
        self.stopping.set()
        self.adapters.stop()
        self.scheduler.stop(seconds=seconds)


def open_endpoint(settings: Settings) -> Endpoint:
    """Load the model and its adapters, and start what answers with them.

    An adapter that cannot be read stops nothing: its name answers 409 until it can. Raises what `load_model` raises,
    and ServingError for keys or a log that cannot be used.
    """
    keys = read_keys(settings.keys) if settings.keys else Keys()
    if settings.log:
        check_log(settings.log)
    model, metrics = load_model(settings.model), Metrics()
    adapters = Adapters(model, settings.limits, follow_seconds=settings.follow_seconds)
    for problem in adapters.load_all(settings.adapters):
        say(problem)
    adapters.start()
    log = RequestLog(settings.log, lost=metrics.lost_line, decode=model.decode if settings.log_text else None)
    return Endpoint(
        model=model,
        limits=settings.limits,
        adapters=adapters,
        scheduler=Scheduler(model, settings.limits, metrics),
        metrics=metrics,
        keys=keys,
        log=log,
        hosts=settings.hosts,
    )
