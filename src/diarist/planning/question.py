"""What is asked of the plan."""

from __future__ import annotations

from dataclasses import dataclass, field

from diarist.architectures import CPU_VCPUS, QUEUE_DELAY, RANGES, ROLES
from diarist.model.errors import InputError
from diarist.planning.decision import Needs
from diarist.planning.prices import PriceTable
from diarist.planning.profiles import Profile
from diarist.planning.workload import Workload

GPU_DISK_GB = ROLES["single"].disk
CPU_DISK_GB = ROLES["orchestrator"].disk


def check_range(name: str, value: float | None, least: float, most: float) -> None:
    """Refuse a setting that is out of range; None is in any.

    Raises:
        InputError: it is.
    """
    if value is not None and not least <= value <= most:
        raise InputError("bad_setting", f"{name} must be from {least:g} to {most:g}, not {value:g}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be planned.

    Attributes:
        workload: the requests.
        profile: how fast the machine is.
        prices: what it costs.
        gpu: name of the GPU that is paid for.
        usd_per_second: price of a GPU worker; None takes it from the table.
        needs: what the choice has to respect.
        idle_timeout: seconds; None chooses.
        min_workers: for each endpoint; None chooses.
        max_workers: for each GPU endpoint; None chooses.
        queue_delay: seconds.
        restore_share: share of starts that FlashBoot restores; counted as none unless it is known.
        restore: seconds of such a start.
        vcpus: of the orchestrator.
        seed: of the requests.

    Raises:
        InputError: a value is out of range.
    """

    workload: Workload
    profile: Profile
    prices: PriceTable
    gpu: str
    usd_per_second: float | None = None
    needs: Needs = field(default_factory=Needs)
    idle_timeout: float | None = None
    min_workers: int | None = None
    max_workers: int | None = None
    queue_delay: float = QUEUE_DELAY
    restore_share: float = 0.0
    restore: float = 2.0
    vcpus: int = CPU_VCPUS
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = (
            ("usd_per_second", self.usd_per_second, 0.0, 1.0),
            *((name, getattr(self, name), *limits) for name, limits in RANGES.items()),
            ("restore_share", self.restore_share, 0.0, 1.0),
        )
        for name, value, least, most in ranges:
            check_range(name, value, least, most)
        if self.min_workers is not None and self.max_workers is not None and self.min_workers > self.max_workers:
            raise InputError(
                "contradictory_settings",
                f"min_workers ({self.min_workers}) is more than max_workers ({self.max_workers}).",
            )

    @property
    def gpu_price(self) -> float:
        """USD per second of a GPU worker, its container disk included."""
        price = self.usd_per_second
        if price is None:
            price = self.prices.gpu(self.gpu).usd_per_second or 0.0
        return price + self.prices.disk_usd_per_second(GPU_DISK_GB)

    @property
    def cpu_price(self) -> float:
        """USD per second of the orchestrator's worker, its container disk included."""
        return self.prices.cpu_usd_per_second(self.vcpus) + self.prices.disk_usd_per_second(CPU_DISK_GB)
