"""An endpoint: one base model, many adapters, every client."""

from utils.serving.deployments import Deployment, deploy, find_deployment, redeploy, undeploy
from utils.serving.process import Served, serve
from utils.serving.settings import Limits, Settings

__all__ = [
    "Deployment",
    "Limits",
    "Served",
    "Settings",
    "deploy",
    "find_deployment",
    "redeploy",
    "serve",
    "undeploy",
]
