"""Build and push the images of an architecture with whichever builder is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from diarist.architectures import ARCHITECTURES, LOWEST_CUDA, ROLES
from diarist.model.errors import EngineError, InputError
from diarist.runpod.deploy.plan_file import Settings

BUILDERS = ("docker", "podman", "buildah")
PLATFORM = "linux/amd64"  # what RunPod's hosts are, whatever this machine is


def find_builder() -> str:
    """Name of the first builder on the PATH.

    Raises:
        InputError: there is none.
    """
    for name in BUILDERS:
        if shutil.which(name):
            return name
    raise InputError("no_builder", f"None of {', '.join(BUILDERS)} is installed.", "Install one, or leave out --build.")


def commands(settings: Settings, builder: str, source: Path, build_args: Sequence[str] = ()) -> Iterator[list[str]]:
    """Yield the command lines that build and push each image.

    A Hugging Face token goes in as a build secret, by the name of its environment variable, so that neither a command
    line nor a layer holds it.

    Args:
        settings: which images.
        builder: one of `BUILDERS`.
        source: the folder with the Dockerfiles.
        build_args: ``NAME=VALUE`` for the builds, e.g. ``WEIGHTS=none``. If they do not say otherwise, workers on GPUs
            get the best models: all of them with a token, else those that need no account.

    Raises:
        InputError: a Dockerfile is missing, or hosts are allowed that cannot run the image.
    """
    given = dict(argument.split("=", 1) for argument in build_args)
    _check_cuda(given.get("ENGINES", "gpu"), settings.min_cuda)
    for role in ARCHITECTURES[settings.architecture].roles:
        dockerfile = source / ROLES[role].dockerfile
        if not dockerfile.is_file():
            raise InputError("no_dockerfile", f"There is no {dockerfile}.", "Name a checkout of diarist with --source.")
        build = [builder, "build", "--platform", PLATFORM, "-f", str(dockerfile), "-t", settings.image(role)]
        best = {"WEIGHTS": "full" if os.environ.get("HF_TOKEN") else "open"}
        for name, value in {**(best if ROLES[role].gpu else {}), **given}.items():
            build += ["--build-arg", f"{name}={value}"]
        if os.environ.get("HF_TOKEN"):
            build += ["--secret", "id=hf_token,env=HF_TOKEN"]
        yield [*build, str(source)]
        yield [builder, "push", settings.image(role)]


def _check_cuda(engines: str, allowed: str | None) -> None:
    """Refuse an image whose engines need a later CUDA than the lowest that its hosts may have."""
    needed = LOWEST_CUDA.get(engines)
    if needed and _version(allowed or "0") < _version(needed):
        raise InputError(
            "contradictory_settings",
            f"Images with ENGINES={engines} need hosts with CUDA {needed}, and {allowed or 'any'} is allowed.",
            f"Add --min-cuda {needed}.",
        )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def run(command: Sequence[str]) -> None:
    """Run one of `commands`; its output goes to standard error, so that ours stays readable for programs.

    Raises:
        EngineError: it failed.
    """
    try:
        code = subprocess.run(command, check=False, stdout=2).returncode  # noqa: S603  # a builder from the PATH, no shell
    except OSError as error:
        raise EngineError("build_failed", f"Cannot run {command[0]}: {error.strerror}.") from error
    if code:
        raise EngineError(
            "build_failed", f"{' '.join(command[:2])} ended with {code}.", "See its messages above; then run it again."
        )
