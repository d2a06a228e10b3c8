"""``diarist doctor``: what is installed, found and missing here, and the next command."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from diarist.checks import Finding
from diarist.cli.terminal import say
from diarist.cpu_count import cpu_count
from diarist.extras import pip

REQUIRED = ("av", "ctranslate2", "faster-whisper", "numpy", "onnxruntime", "scipy")
MARKS = {"ok": ("✓", "green"), "note": ("·", "cyan"), "warn": ("!", "yellow"), "fail": ("✗", "red")}
MIN_FREE_GB = 1.0


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON.")] = False,
    deployment: Annotated[
        bool | None,
        typer.Option(
            "--deployment/--no-deployment",
            help="Also ask RunPod about the deployment in diarist.toml.",
            show_default="if diarist.toml names one",
        ),
    ] = None,
    config: Annotated[Path, typer.Option(metavar="FILE", help="Where diarist deploy keeps what it made.")] = Path(
        "diarist.toml"
    ),
) -> None:
    """Explain what is installed, found and missing, and the command that fixes it.

    Exits with 1 if something stops the main job.
    """
    findings = list(examine())
    if deployment is None:
        deployment = _is_deployed(config)
    if deployment:
        from diarist.planning.prices import load_prices
        from diarist.runpod.deploy.diagnose import diagnose_deployment

        findings += diagnose_deployment(config, load_prices().pool_prices())
    if as_json:
        say(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        for finding in findings:
            mark, colour = MARKS[finding.status]
            typer.secho(f"{mark} {finding.name}: ", fg=colour, bold=True, nl=False)
            say(finding.detail)
            if finding.fix:
                say(f"    → {finding.fix}")
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """Look at this machine. Loads no model and reaches no network."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _packages()
    yield from _devices()
    yield from _models()
    yield from _plugins()
    yield from _cache()
    from diarist.runpod.ledger import Ledger, left_in_buckets

    yield from left_in_buckets(Ledger())


def _is_deployed(config: Path) -> bool:
    from diarist.runpod.deploy.state import read_endpoints

    return config.exists() and bool(read_endpoints(config))


def _packages() -> Iterator[Finding]:
    found, missing = [], []
    for name in REQUIRED:
        # onnxruntime-gpu is the same module in another package.
        for package in (name, f"{name}-gpu"):
            with suppress(importlib.metadata.PackageNotFoundError):
                found.append(f"{package} {importlib.metadata.version(package)}")
                break
        else:
            missing.append(name)
    if missing:
        yield Finding("packages", "fail", f"missing: {', '.join(missing)}", pip("install", *missing))
    else:
        yield Finding("packages", "ok", ", ".join(found))


def _devices() -> Iterator[Finding]:
    import onnxruntime

    from diarist.gpu import gpu_count
    from diarist.transcription.whisper import load_cublas

    gpus = gpu_count()
    providers = onnxruntime.get_available_providers()
    if gpus and "CUDAExecutionProvider" not in providers:
        yield Finding(
            "device",
            "warn",
            f"{gpus} NVIDIA GPU(s), but ONNX Runtime is for the CPU",
            f"{pip('uninstall', '-y', 'onnxruntime')} && {pip('install', 'onnxruntime-gpu[cuda,cudnn]')}",
        )
    elif gpus:
        yield Finding("device", "ok", f"{gpus} NVIDIA GPU(s); auto uses cuda")
        if not load_cublas():
            yield Finding(
                "device",
                "warn",
                "Whisper uses the CPU: cuBLAS of CUDA 12 is missing",
                pip("install", "nvidia-cublas-cu12"),
            )
    else:
        yield Finding("device", "ok", f"no NVIDIA GPU; auto uses the CPU with {cpu_count()} threads")


def _models() -> Iterator[Finding]:
    from diarist.engines import auto_diarizer, auto_transcriber, sizes
    from diarist.gpu import torch_uses_gpu
    from diarist.weights.locate import locate

    for task, choice in (
        ("transcription", auto_transcriber(None, gpu=torch_uses_gpu("auto"))),
        ("diarization", auto_diarizer()),
    ):
        where = [locate(name) for name in choice.weights]
        if all(where):
            places = ", ".join(dict.fromkeys(found.place for found in where if found))
            yield Finding(task, "ok", f"auto takes {choice.name} ({choice.reason}; from {places})")
        else:
            names = " ".join(choice.weights)
            yield Finding(
                task, "note", f"auto takes {choice.name}, which the first run fetches", f"diarist models pull {names}"
            )
        if choice.better:
            command = f"diarist models pull {' '.join(choice.better)}"
            yield Finding(task, "note", f"a better model exists ({sizes(choice.better)})", command)


def _plugins() -> Iterator[Finding]:
    from diarist.engines.own import DIARIZERS, TRANSCRIBERS
    from diarist.model.errors import EngineError

    for registry in (TRANSCRIBERS, DIARIZERS):
        for plugin in registry.plugins():
            try:
                plugin.engine()
            except EngineError as error:
                yield Finding("engine", "warn", error.message, error.hint)
            else:
                yield Finding("engine", "ok", f"{plugin.name}:MODEL for {registry.task}, of {plugin.package}")


def _cache() -> Iterator[Finding]:
    from diarist.weights.fetch import offline
    from diarist.weights.locate import cache_dir

    folder = cache_dir()
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(parent).free / 1e9
    if not os.access(parent, os.W_OK):
        yield Finding("cache", "fail", f"cannot write to {folder}", "set DIARIST_CACHE to a folder you own")
    elif free < MIN_FREE_GB:
        yield Finding("cache", "warn", f"{free:.1f} GB free at {folder}", "free some space, or set DIARIST_CACHE")
    else:
        yield Finding("cache", "ok", f"{folder}, {free:.0f} GB free")
    if offline():
        yield Finding("network", "note", "offline mode is on: models that are missing will not be fetched")
