#!/bin/sh
# Pins what the images need beyond requirements/core.txt, which `make lock` makes before: the build backend, the GPU engines,
# and RunPod's SDK as far as a queue worker needs it. What the SDK names besides (a cloud command line, an API server, SSH) is
# never imported there and would be 150 MB; `python -c 'import runpod.serverless'` in the image shows that nothing is amiss.
set -eu
cd "$(dirname "$0")/.."
compile() {
    "${UV:-uv}" pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$@"
}
echo "hatchling>=1.27" | compile - -o requirements/build.txt
# For NVIDIA GPUs, twice: CUDA 12.8, which more hosts have, and CUDA 13. One runtime names its own CUDA libraries, the other
# takes the same; what holds words also holds speakers, so that single needs one list.
for cuda in gpu cuda13
do
    on_gpu="-c requirements/core.txt --no-emit-package onnxruntime pyproject.toml requirements/onnx_$cuda.in"
    # shellcheck disable=SC2086
    compile $on_gpu "requirements/torch_$cuda.in" --extra gpu -o "requirements/$cuda.txt"
    # shellcheck disable=SC2086
    compile -c "requirements/$cuda.txt" $on_gpu -o "requirements/${cuda}_diarization.txt"
done
pruned=""
for name in \
    boto3 botocore s3transfer jmespath python-dateutil six cloudpickle cryptography paramiko bcrypt pynacl invoke cffi \
    pycparser fastapi fastapi-cli fastapi-cloud-cli starlette uvicorn uvloop httptools watchfiles websockets \
    python-dotenv python-multipart email-validator dnspython jinja2 markupsafe itsdangerous pydantic pydantic-core \
    pydantic-settings pydantic-extra-types annotated-types annotated-doc typing-inspection sentry-sdk rich-toolkit \
    rignore fastar detect-installer agent-detector inquirerpy pfzy prompt-toolkit wcwidth prettytable py-cpuinfo \
    watchdog aiodns pycares brotli brotlicffi backports-zstd ujson orjson rich click typer shellingham \
    markdown-it-py mdurl pygments pathspec googleapis-common-protos protobuf pyyaml httpx2 httpx2-jsfetch httpcore2 \
    truststore colorama opentelemetry-api opentelemetry-sdk opentelemetry-proto opentelemetry-semantic-conventions \
    opentelemetry-exporter-http-transport opentelemetry-exporter-otlp-common \
    opentelemetry-exporter-otlp-proto-common opentelemetry-exporter-otlp-proto-http
do
    pruned="$pruned --no-emit-package $name"
done
# shellcheck disable=SC2086
compile -c requirements/core.txt $pruned requirements/orchestrator.in -o requirements/orchestrator.txt
