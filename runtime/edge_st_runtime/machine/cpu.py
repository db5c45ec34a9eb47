"""The features of this CPU, under the names that the Linux kernel gives them."""

import sys
from functools import cache
from pathlib import Path

RELEVANT = (
    "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8",
    "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
#: instructions that multiply and add int8 in one step
DOT_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
#: the features by which an engine multiplies int8: it takes the first of these lines of which the CPU has one
_INT8 = (
    DOT_PRODUCTS,
    frozenset({"avx512f"}),
    frozenset({"avx2", "asimd"}),
)
#: the fields of /proc/cpuinfo that identify a model of CPU; on ARM there is no model name
_NAMES = ("model name", "cpu family", "model", "stepping", "CPU implementer", "CPU variant", "CPU part", "CPU revision")


@cache
def cpu_features() -> frozenset[str]:
    """The features among `RELEVANT` that this CPU has; empty where the system does not tell them."""
    if sys.platform == "darwin":
        return _darwin()
    flags = {flag for name, value in _cpuinfo() if name in {"flags", "Features"} for flag in value.split()}
    return frozenset(flags.intersection(RELEVANT))


@cache
def cpu_name() -> str:
    """A text that identifies this model of CPU."""
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string")
    known = dict(pair for pair in _cpuinfo() if pair[0] in _NAMES)
    if not known:
        import platform

        return platform.processor() or platform.machine()
    return " ".join(known[name] for name in _NAMES if name in known)


def has_bfloat16() -> bool:
    """Whether this CPU has instructions for matrix multiplication in bfloat16."""
    return not cpu_features().isdisjoint(BFLOAT16)


def int8_features(features: frozenset[str]) -> frozenset[str]:
    """Those of a CPU's ``features`` by which it multiplies int8."""
    return next((found for line in _INT8 if (found := features & line)), frozenset())


def gains_from_int8(engine: str, features: frozenset[str] | None = None) -> bool:
    """Whether ``engine`` is faster in int8 than in float32 on a CPU with these ``features`` (default: this one).

    ONNX Runtime was on every CPU that was measured, OpenVINO was not with AVX2 alone: docs/precisions.md has the
    figures. NEON without dot products is taken to be like AVX2. True where the system does not tell the features
    (Windows), so that an int8 graph that was asked for is tried.
    """
    known = cpu_features() if features is None else features
    return engine != "openvino" or int8_features(known).isdisjoint(_INT8[-1])


def _cpuinfo() -> list[tuple[str, str]]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in text.splitlines())]


def _darwin() -> frozenset[str]:
    import platform

    if platform.machine() != "arm64":
        return frozenset()
    names = {"FEAT_DotProd": "asimddp", "FEAT_I8MM": "i8mm", "FEAT_BF16": "bf16"}
    return frozenset({"asimd", *(names[name] for name in names if _sysctl(f"hw.optional.arm.{name}") == "1")})


def _sysctl(name: str) -> str:
    import subprocess

    command = ["/usr/sbin/sysctl", "-n", name]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
