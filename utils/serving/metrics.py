"""What an endpoint tells Prometheus: requests, the queue, rows a step, tokens, and the time to the first of them."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
ROWS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one endpoint, in a registry of its own; safe to call from any thread.

    Names follow Prometheus' conventions: base units, `_total` for what only grows. Tokens a second are
    `rate(endpoint_tokens_total[1m])`.
    """

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        by = ["interface", "model", "status"]
        self._requests = Counter("endpoint_requests_total", "HTTP requests that were answered", by, registry=own)
        self._seconds = Histogram(
            "endpoint_request_seconds", "From request to answer", ["interface"], buckets=SECONDS, registry=own
        )
        self._first = Histogram(
            "endpoint_first_token_seconds", "From request to a completion's first token", buckets=SECONDS, registry=own
        )
        self._rows = Histogram("endpoint_step_rows", "Completions written in one step", buckets=ROWS, registry=own)
        self._tokens = Counter("endpoint_tokens_total", "Tokens of completions that were written", registry=own)
        self._waiting = Gauge("endpoint_queue_length", "Completions that wait for a row", registry=own)
        self._lost = Counter("endpoint_log_lines_lost_total", "Lines of the log that were not written", registry=own)

    def stepped(self, *, rows: int, tokens: int, waiting: int) -> None:
        """Count a step of the scheduler: completions in it, tokens written, completions that still wait."""
        self._rows.observe(rows)
        self._tokens.inc(tokens)
        self._waiting.set(waiting)

    def began(self, seconds: float) -> None:
        """Count a completion's first token."""
        self._first.observe(seconds)

    def answered(self, *, interface: str, model: str, status: int, seconds: float) -> None:
        """Count an HTTP request; model: a name that the endpoint knows, so that clients cannot make up labels."""
        self._requests.labels(interface, model, str(status)).inc()
        self._seconds.labels(interface).observe(seconds)

    def lost_line(self) -> None:
        """Count a line of the log that was not written."""
        self._lost.inc()

    def page(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)
