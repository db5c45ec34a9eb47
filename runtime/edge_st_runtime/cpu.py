"""What this CPU can do, named as the Linux kernel names it."""

import sys
from functools import cache
from pathlib import Path

RELEVANT = (
    "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8",
    "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip


@cache
def cpu_features() -> frozenset[str]:
    """The features among `RELEVANT` that this CPU has; empty where the system does not tell."""
    if sys.platform == "darwin":
        return _darwin()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    flags = {
        flag
        for line in text.splitlines()
        if line.partition(":")[0].strip() in {"flags", "Features"}
        for flag in line.partition(":")[2].split()
    }
    return frozenset(flags.intersection(RELEVANT))


def has_bfloat16() -> bool:
    """Whether matrix products in bfloat16 run in hardware."""
    return not cpu_features().isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})


def _darwin() -> frozenset[str]:
    import platform
    import subprocess

    if platform.machine() != "arm64":
        return frozenset()
    names = {"FEAT_DotProd": "asimddp", "FEAT_I8MM": "i8mm", "FEAT_BF16": "bf16"}
    found = {"asimd"}
    for name, feature in names.items():
        command = ["/usr/sbin/sysctl", "-n", f"hw.optional.arm.{name}"]
        if subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == "1":  # noqa: S603
            found.add(feature)
    return frozenset(found)
