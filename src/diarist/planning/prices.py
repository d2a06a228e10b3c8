"""What a second of a worker costs: a dated table that comes with the package, and the platform's own of today."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from diarist.files import read_bounded, user_folder, why, write_whole
from diarist.model import codec
from diarist.model.errors import InputError

SECONDS_PER_HOUR = 3600
SECONDS_PER_MONTH = 30 * 24 * SECONDS_PER_HOUR  # the month of all figures here
_MOST_USD = 1000  # an hour of a vCPU, a month of a gigabyte, and a second of any GPU cost less


@dataclass(frozen=True, slots=True)
class GpuPrice:
    """A GPU type as serverless workers have it.

    Attributes:
        name: e.g. ``RTX 3090``.
        pool: pool it is rented from, e.g. ``AMPERE_24``.
        memory_gb: its memory.
        usd_per_second: price of a worker with one; None where the table has none.
    """

    name: str
    pool: str
    memory_gb: int
    usd_per_second: float | None


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices on one day.

    Attributes:
        as_of: the day, ISO 8601.
        source: where they are from.
        gpus: GPU types.
        cpu_usd_per_vcpu_hour: price of one vCPU of a CPU worker.
        cpu_source: where that is from.
        disk_usd_per_gb_month: price of container disk while a worker runs.
    """

    as_of: str
    source: str
    gpus: tuple[GpuPrice, ...]
    cpu_usd_per_vcpu_hour: float
    cpu_source: str
    disk_usd_per_gb_month: float

    def gpu(self, name: str) -> GpuPrice:
        """Find a GPU by name: ``RTX 3090``, ``rtx-3090`` and ``3090`` are the same.

        Raises:
            InputError: there is none of that name, or it has no price.
        """
        wanted = _plain(name)
        found = [gpu for gpu in self.gpus if wanted in (_plain(gpu.name), _plain(gpu.name).removeprefix("rtx"))]
        if not wanted or not found:
            names = ", ".join(gpu.name for gpu in self.gpus)
            raise InputError("unknown_gpu", f"There is no GPU {name!r} in the price table.", f"Choose from: {names}.")
        if found[0].usd_per_second is None:
            raise InputError(
                "missing_price",
                f"The price table of {self.as_of} has no price for {found[0].name}.",
                "Fetch today's with --refresh, or give it with --price USD_PER_SECOND.",
            )
        return found[0]

    def pools(self) -> tuple[str, ...]:
        """Names of all GPU pools."""
        return tuple(dict.fromkeys(gpu.pool for gpu in self.gpus))

    def pool_prices(self) -> dict[str, float]:
        """USD per second of the cheapest GPU of each pool that has a price."""
        prices: dict[str, float] = {}
        for gpu in self.gpus:
            if gpu.usd_per_second is not None:
                prices[gpu.pool] = min(gpu.usd_per_second, prices.get(gpu.pool, gpu.usd_per_second))
        return prices

    def disk_usd_per_second(self, gigabytes: float) -> float:
        """Price of a worker's container disk."""
        return gigabytes * self.disk_usd_per_gb_month / SECONDS_PER_MONTH

    def cpu_usd_per_second(self, vcpus: int) -> float:
        """Price of a CPU worker."""
        return vcpus * self.cpu_usd_per_vcpu_hour / SECONDS_PER_HOUR


def packaged_prices() -> PriceTable:
    """The table that comes with this version."""
    return msgspec.json.decode(
        resources.files("diarist.planning").joinpath("prices.json").read_bytes(), type=PriceTable
    )


def refreshed_file() -> Path | None:
    """Where `refresh` keeps the platform's table: ``DIARIST_PRICES``, or the user's cache; None for want of a home."""
    if named := os.environ.get("DIARIST_PRICES"):
        return Path(named)
    folder = user_folder("cache")
    return folder / "prices.json" if folder else None


def load_prices() -> PriceTable:
    """The refreshed table if there is one and it is newer than the packaged one.

    Raises:
        InputError: the refreshed file is damaged.
    """
    packaged = packaged_prices()
    file = refreshed_file()
    if file is None:
        return packaged
    try:
        refreshed = codec.read(PriceTable, read_bounded(file))
    except FileNotFoundError:
        return packaged
    except (OSError, InputError) as error:
        message = f"Cannot read the prices in {file}: {why(error)}".removesuffix(".") + "."
        raise InputError("bad_prices", message, "Delete that file, or fetch it again with --refresh.") from error
    costs = [refreshed.cpu_usd_per_vcpu_hour, refreshed.disk_usd_per_gb_month]
    costs += [gpu.usd_per_second for gpu in refreshed.gpus if gpu.usd_per_second is not None]
    if not all(0 <= cost <= _MOST_USD for cost in costs):
        raise InputError(
            "bad_prices", f"The prices in {file} cannot be.", "Delete that file, or fetch it again with --refresh."
        )
    return max(packaged, refreshed, key=lambda table: table.as_of)


def from_catalog(gpus: Sequence[Mapping[str, Any]], cpus: Sequence[Mapping[str, Any]], flavor: str) -> PriceTable:
    """Build a table from the answers of ``GET /v2/catalog/gpus`` and ``/v2/catalog/cpus``.

    Args:
        gpus: GPU types, with ``price.serverless`` in USD per GPU and hour.
        cpus: CPU flavors, with ``price.serverlessPerVcpu`` in USD per vCPU and hour.
        flavor: whose price is used for CPU workers, e.g. ``cpu3c``.
    """
    packaged = packaged_prices()
    rows = []
    for gpu in gpus:
        if gpu.get("pool"):
            hourly = gpu["price"].get("serverless")
            price = None if hourly is None else hourly / SECONDS_PER_HOUR
            rows.append(GpuPrice(short_gpu_name(gpu["name"]), gpu["pool"], gpu["memory"], price))
    today = datetime.now(UTC).date().isoformat()
    cpu = next((cpu for cpu in cpus if cpu["id"] == flavor or cpu["id"].startswith(f"{flavor}-")), None)
    return PriceTable(
        as_of=today,
        source=f"RunPod catalog, read on {today}",
        gpus=tuple(sorted(rows, key=lambda row: (row.usd_per_second is None, row.usd_per_second or 0, row.name))),
        cpu_usd_per_vcpu_hour=cpu["price"]["serverlessPerVcpu"] if cpu else packaged.cpu_usd_per_vcpu_hour,
        cpu_source=f"RunPod catalog, {cpu['id']}, read on {today}" if cpu else packaged.cpu_source,
        disk_usd_per_gb_month=packaged.disk_usd_per_gb_month,
    )


def save_prices(table: PriceTable) -> Path:
    """Keep a table as the refreshed one, whole or not at all; returns where.

    Raises:
        InputError: the file cannot be written, or there is no place for it.
    """
    file = refreshed_file()
    if file is None:
        raise InputError(
            "no_home", "This user has no home folder to keep prices in.", "Set HOME, or DIARIST_PRICES to a file."
        )
    write_whole(file, msgspec.json.format(msgspec.json.encode(table)))
    return file


def short_gpu_name(name: str) -> str:
    """A GPU's name without its maker's: ``NVIDIA GeForce RTX 3090`` is ``RTX 3090``."""
    return re.sub(r"^(NVIDIA|GeForce|\s)+", "", name) or name


def _plain(name: str) -> str:
    return re.sub(r"nvidia|geforce|[^a-z0-9]", "", name.lower())
