"""Until the scheduler is merged: one that answers each request by itself. To be removed."""

import threading

from utils.decoding.generation import generate_stream
from utils.serving.refusals import Refusal
from utils.serving.requests import Token


class Ticket:
    def __init__(self):
        self.cancelled = threading.Event()

    def cancel(self):
        self.cancelled.set()


class Scheduler:
    def __init__(self, model, limits, metrics):
        self.model, self.limits, self.metrics, self.alive, self.retry_after = model, limits, metrics, True, 1

    def submit(self, requests, emit):
        if not self.alive:
            raise Refusal("The endpoint is stopping.", status=503)
        ticket = Ticket()

        def work():
            for number, request in enumerate(requests):
                prompt = self.model.decode(request.prompt)
                for step in generate_stream(self.model, prompt, request.config):
                    if ticket.cancelled.is_set():
                        return
                    finish = step.stop_reason and ("length" if step.stop_reason == "max new tokens" else "stop")
                    emit(number, Token(step.token, step.text, None, finish))

        threading.Thread(target=work, daemon=True).start()
        return ticket

    def stop(self, *, seconds=30.0):
        self.alive = False


class Adapters:
    def __init__(self, base, limits, *, follow_seconds=2.0):
        self.base = base

    def find(self, name, *, user=""):
        if name == self.base.name:
            return None
        raise Refusal(f"There is no model {name!r}.", status=404, parameter="model")

    def names(self):
        return [self.base.name]

    def load_all(self, references):
        return [f"{reference} cannot be read." for reference in references]

    def start(self): ...

    def stop(self): ...
