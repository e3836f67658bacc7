"""An endpoint: one base model, many adapters, every client."""

from utils.serving.deployments import Deployment, deploy, find_deployment, redeploy, undeploy
from utils.serving.process import Served, serve
from utils.serving.settings import Limits, Settings
from utils.serving.xray import record

__all__ = [
    "Deployment",
    "Limits",
    "Served",
    "Settings",
    "deploy",
    "find_deployment",
    "record",
    "redeploy",
    "serve",
    "undeploy",
]
