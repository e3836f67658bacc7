"""Health, readiness, metrics, the log, start and stop."""

from tests.serving.conftest import ask


def test_health_and_readiness(tiny_endpoint):
    for path in ("/health", "/ready"):
        answer = ask(tiny_endpoint.root + path)
        assert (answer.status, answer.json) == (200, {"status": "ok"})
