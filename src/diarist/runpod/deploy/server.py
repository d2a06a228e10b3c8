"""A load-balancing endpoint: ``diarist serve`` in workers that RunPod sends HTTP requests to, with no queue between.

It runs the single endpoint's image with another command. The platform checks the caller's RunPod key, so the server
asks for none of its own; it looks at ``/ping`` (204 while models load, 200 then) to know whom it may send requests to.
A request waits up to 2 minutes for a worker, is cut off after 5.5 minutes, and holds 30 MB at most.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from diarist.architectures import JOBS_PER_GPU_WORKER
from diarist.runpod.deploy.api import Json, RunpodApi
from diarist.runpod.deploy.apply import ApiCall, Deployed, endpoint_body, model_calls, settle
from diarist.runpod.deploy.plan_file import Settings

PORT: Final = 8000
"""The platform's own, 80, is for root."""
_REQUEST_SECONDS: Final = 330
_ENVIRONMENT: Final = {
    "PORT": str(PORT),
    "PORT_HEALTH": str(PORT),
    "DIARIST_HOST": "0.0.0.0",  # noqa: S104 - in a container that only the platform reaches
    "DIARIST_ALLOW_HOST": "*",  # the platform's names for it, which are not known before it is made
    "DIARIST_STATE": "/var/lib/diarist",
    "DIARIST_KEEP": "audio=0,text=0",  # the next request may reach another worker
    "DIARIST_MAX_UPLOAD_GB": "0.03",
    "DIARIST_QUEUE": "8",  # more would be cut off before their turn
}


def server_body(settings: Settings) -> Json:
    """Build the ``CreateEndpointRequest`` (REST v2).

    Args:
        settings: of the architecture single, whose image it is.
    """
    body = endpoint_body("single", settings, {})
    return {
        **body,
        "name": f"{settings.name}-server",
        "type": "LOAD_BALANCER",
        "args": "diarist serve --no-keys",
        "ports": [f"{PORT}/http"],
        "env": {**_ENVIRONMENT, **body["env"]},
        "scaling": {"type": "REQUEST_COUNT", "requestCount": JOBS_PER_GPU_WORKER},
        "timeout": 1000 * _REQUEST_SECONDS,
    }


def dry_run_server(settings: Settings) -> list[ApiCall]:
    """All calls that making it in an empty account takes."""
    body = server_body(settings)
    made = ApiCall("POST", "/v2/serverless", body)
    return [made, *model_calls(f"<id of {body['name']}>", settings.cached_model)]


def deploy_server(api: RunpodApi, settings: Settings) -> Deployed:
    """Make the endpoint what the settings say; it is found by its name.

    Raises:
        EndpointError: the platform refused a call.
        InputError: an endpoint of that name cannot be turned into what is wanted.
    """
    done = settle(api, api.endpoints(), "single", None, server_body(settings), settings.cached_model)
    return dataclasses.replace(done, role="server")


def base_url(endpoint_id: str) -> str:
    """Where the server is (API document: ``LoadBalancingRequestUrls``)."""
    return f"https://{endpoint_id}.api.runpod.ai"
