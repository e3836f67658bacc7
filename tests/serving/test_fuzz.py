"""Requests made from the OpenAPI page: no answer breaks what the page says, and none is a 5xx."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = Path(__file__).with_name("schemathesis.toml")
ROOT = Path(__file__).parents[2]
GENERATED, ANSWERED = 500, 30
"""How many requests there are at least, and how many of them the tiny model completes."""


@pytest.mark.process
@pytest.mark.slow
def test_no_request_from_the_openapi_page_breaks_it(tiny_endpoint):
    """What answers is this process; what asks, a process of its own, is schemathesis with all of its checks."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            SETTINGS,
            "run",
            f"{tiny_endpoint.root}/openapi.json",
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stdout[-10_000:] + ran.stderr[-2_000:]
    [(selected, total)] = re.findall(r"Operations: +(\d+) selected / (\d+) total", ran.stdout)
    assert selected == total
    assert int(re.findall(r"(\d+) generated", ran.stdout)[0]) >= GENERATED
    counted = tiny_endpoint.endpoint.metrics.page().decode()
    statuses = re.findall(r'endpoint_requests_total\{.*model="(.*?)",status="(\d+)"\} (\d+)', counted)
    assert sum(int(number) for model, status, number in statuses if (model, status) == ("tiny", "200")) >= ANSWERED
    assert not [status for _, status, _ in statuses if status.startswith("5")]
