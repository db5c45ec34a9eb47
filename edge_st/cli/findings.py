"""What ``edge-st doctor`` finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class System:
    """What there is under Python.

    ``libc`` is "glibc" or "musl" with its version, None on other systems than Linux. ``memory`` is that which this
    process may use, in bytes; None where the system does not tell. ``no_cache`` says why findings about this machine
    cannot be kept, ``no_semaphores`` why there are none for processes; None where all is well.
    """

    name: str
    machine: str
    libc: str | None
    memory: int | None
    no_cache: str | None
    no_semaphores: str | None

    @property
    def is_arm(self) -> bool:
        """Whether the machine is a 64-bit ARM."""
        return self.machine.lower() in {"aarch64", "arm64"}


@dataclass(frozen=True, slots=True)
class Report:
    """What the doctor found.

    ``packages`` and ``engines`` map a name to its version, devices and error (None where it works).
    ``fast_dtypes`` maps those in which this CPU is faster than in float32 to the engines that are; int8 is among them
    also where the CPU's features are not known. ``installed_models`` are rows as `list_installed_models` gives them.
    """

    edge_st: str
    python: str
    platform: str
    packages: dict[str, dict[str, object]]
    engines: dict[str, dict[str, object]]
    onnxruntime_distributions: list[str]
    cpu_features: list[str]
    fast_dtypes: dict[str, list[str]]
    threads: dict[str, object]
    system: System
    bundled_model: dict[str, object]
    installed_models: list[dict[str, str | None]]
    edge_st_export: str | None
