"""A stand-in for RunPod's management API on the loopback interface, which checks every body against its schemas."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import pytest

EXTRACT = json.loads(Path(__file__).with_name("openapi_v2.json").read_text())
KEY = "rpa_NEVER_SHOW_THIS"


def violations(schema, value):
    """What is wrong with a value, by the name of its schema."""
    reference = {"$ref": f"#/components/schemas/{schema}", "components": EXTRACT["components"]}
    return [error.message for error in jsonschema.Draft202012Validator(reference).iter_errors(value)]


class Platform(ThreadingHTTPServer):
    """Endpoints in memory, and what was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.endpoints = {}
        self.models = {}
        self.workers = {}
        self.logs = {}
        self.releases = {}
        self.quota = 10
        self.requests = []
        self.faults = []  # (method, path prefix, status, headers); each is used once

    def writes(self):
        """The calls that change something, as (method, path)."""
        return [(method, path) for method, path, body in self.requests if method != "GET" and not _reads(body)]

    def bodies(self, method):
        return [body for used, _, body in self.requests if used == method]


def _reads(body):
    return isinstance(body, dict) and str(body.get("query", "")).startswith("query")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: without it each waits 40 ms for an acknowledgement
    server: Platform

    def log_message(self, *_):
        pass

    def _handle(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        path = self.path.partition("?")[0]
        self.server.requests.append((self.command, path, body))
        for fault in list(self.server.faults):
            method, prefix, status, headers = fault
            if method == self.command and path.startswith(prefix):
                self.server.faults.remove(fault)
                if status == "lost":  # the work is done, the answer never arrives
                    self._answer(body, path, silent=True)
                    self.close_connection = True
                    return None
                return self._say(status, {"title": "fault", "status": status, "detail": "as ordered"}, headers)
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self._say(401, {"title": "Unauthorized", "status": 401, "detail": "missing bearer token"})
        return self._answer(body, path)

    do_GET = do_POST = do_PATCH = do_DELETE = _handle

    def _answer(self, body, path, silent=False):  # noqa: C901  # a table of routes
        say = (lambda *_: None) if silent else self._say
        parts = path.strip("/").split("/")
        match (self.command, parts):
            case ("POST", ["graphql"]):
                return say(200, self._graphql(body))
            case ("GET", ["v2", "serverless"]):
                return say(200, {"endpoints": list(self.server.endpoints.values())})
            case ("POST", ["v2", "serverless"]):
                if errors := violations("CreateEndpointRequest", body):
                    return say(422, {"title": "Unprocessable", "status": 422, "detail": "invalid", "errors": errors})
                endpoint = self._create(body)
                return say(201, endpoint)
            case (_, ["v2", "serverless", one, *_]) if one not in self.server.endpoints:
                return say(404, {"title": "Not Found", "status": 404, "detail": "resource not found"})
            case ("PATCH", ["v2", "serverless", one]):
                if errors := violations("UpdateEndpointRequest", body):
                    return say(422, {"title": "Unprocessable", "status": 422, "detail": "invalid", "errors": errors})
                self.server.endpoints[one].update(body)
                return say(200, self.server.endpoints[one])
            case ("DELETE", ["v2", "serverless", one]):
                del self.server.endpoints[one]
                return say(204, None)
            case ("GET", ["v2", "serverless", one, "workers"]):
                workers = self.server.workers.get(one, [])
                states = ("running", "idle", "initializing", "throttled", "unhealthy")
                summary = {state: sum(w["status"].lower() == state for w in workers) for state in states}
                return say(
                    200, {"workers": workers, "summary": {**summary, "total": len(workers)}, "endpointVersion": 2}
                )
            case ("GET", ["v2", "serverless", one, "releases"]):
                return say(200, {"rollout": {}, "releases": self.server.releases.get(one, [])})
            case ("GET", ["v2", "serverless", one, "workers", worker, "logs"]):
                return self._stream(self.server.logs.get(worker, []))
            case ("GET", ["v2", one, "health"]) if one in self.server.endpoints:
                return say(200, {"jobs": {}, "workers": {}})
            case ("GET", ["v2", "catalog", "gpus"]):
                return say(200, {"gpus": [_with_cuda(gpu, self.path) for gpu in GPUS]})
            case ("GET", ["v2", "catalog", "cpus"]):
                return say(200, {"cpus": CPUS})
        return say(404, {"title": "Not Found", "status": 404, "detail": path})

    def _create(self, body):
        one = f"ep{len(self.server.requests):03}"
        endpoint = {**body, "id": one, "createdAt": "2026-11-23T00:00:00Z"}
        for name, default in (("dataCenterIds", []), ("networkVolumes", []), ("registry", None)):
            endpoint.setdefault(name, default)
        if "gpu" in endpoint:
            endpoint["gpu"] = {"allowedCudaVersions": [], "minCudaVersion": None, **endpoint["gpu"]}
        if "cpu" in endpoint:
            endpoint["cpu"] = [{**cpu, "memory": 2 * cpu["vcpuCount"]} for cpu in endpoint["cpu"]]
        assert not violations("Endpoint", endpoint), violations("Endpoint", endpoint)
        self.server.endpoints[one] = endpoint
        return endpoint

    def _graphql(self, body):
        if "maxServerlessConcurrency" in body["query"]:
            return {"data": {"myself": {"maxServerlessConcurrency": self.server.quota}}}
        if body["query"].startswith("mutation"):
            saved = body["variables"]["input"]
            self.server.models[saved["id"]] = saved
            return {"data": {"saveEndpoint": {"id": saved["id"], "name": saved["name"]}}}
        found = [
            {
                "id": one["id"],
                "name": one["name"],
                "gpuIds": ",".join(one["gpu"]["pools"]),
                "workersMax": one["workers"]["max"],
                "idleTimeout": one["workers"].get("idleTimeout"),
                "templateId": None,
                "networkVolumeIds": [{"networkVolumeId": "vol1", "dataCenterId": "EU-RO-1"}],
                "modelReferences": self.server.models.get(one["id"], {}).get("modelReferences", []),
            }
            for one in self.server.endpoints.values()
            if "gpu" in one
        ]
        return {"data": {"myself": {"endpoints": found}}}

    def _say(self, status, body, headers=None):
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, lines):
        """Server-sent events that do not end by themselves, as the platform's."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for line in lines:
            data = json.dumps({"ts": "2026-11-23T00:00:00Z", "source": "container", "line": line})
            self.wfile.write(f"id: 1\ndata: {data}\n\n".encode())
        self.wfile.flush()
        self.close_connection = True


GPUS = [
    {
        "id": "NVIDIA GeForce RTX 3090",
        "name": "RTX 3090",
        "pool": "AMPERE_24",
        "memory": 24,
        "price": {"secure": 0.46, "community": 0.22, "serverless": 0.72},
        "availability": "HIGH",
        "hosts": {"12.4": "HIGH", "12.8": "LOW", "13.0": "NONE"},
    },
    {
        "id": "NVIDIA GeForce RTX 4090",
        "name": "RTX 4090",
        "pool": "ADA_24",
        "memory": 24,
        "price": {"secure": 0.69, "community": 0.34, "serverless": 1.116},
        "availability": "NONE",
        "hosts": {},
    },
    {"id": "NVIDIA X", "name": "X", "pool": None, "memory": 1, "price": {"secure": 1, "community": 1}},
]
LEVELS = ["NONE", "LOW", "MEDIUM", "HIGH"]


def _with_cuda(gpu, path):
    """A GPU type as the catalog answers: what is available counts only hosts with the CUDA that is asked for."""
    gpu = dict(gpu)
    hosts = gpu.pop("hosts", {})
    asked = re.search(r"[?&]minCudaVersion=(\d+)\.(\d+)", path)
    if asked and "availability" in gpu:
        fit = [level for cuda, level in hosts.items() if [*map(int, cuda.split("."))] >= [*map(int, asked.groups())]]
        gpu["availability"] = max(fit, key=LEVELS.index, default="NONE")
    return gpu


CPUS = [{"id": "cpu3c", "price": {"securePerVcpu": 0.04, "serverlessPerVcpu": 0.036}}]


@pytest.fixture
def platform(monkeypatch):
    """A running stand-in without endpoints; retries do not wait."""
    server = Platform()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setattr("diarist.runpod.deploy.api.FIRST_WAIT", 0.0)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def api(platform):
    """A client of the stand-in."""
    from diarist.runpod.deploy.api import RunpodApi

    with RunpodApi(KEY, platform.url, platform.url) as connection:
        yield connection


@pytest.fixture
def schema_violations():
    """What is wrong with a value, by the name of its schema."""
    return violations
