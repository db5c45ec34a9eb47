"""What ``edge-st doctor`` advises on what it found."""

from dataclasses import dataclass

from edge_st_runtime.errors import INSTALL_EXPORT
from edge_st_runtime.machine.cpu import DOT_PRODUCTS, int8_features
from edge_st_runtime.machine.memory import LITTLE

from .findings import Report, System

ENGINES = {"onnxruntime": "onnx", "openvino": "openvino"}
INSTALL = {name: f'pip install "edge-st[{extra}]"' for name, extra in ENGINES.items()}
#: by engine, and on ARM64 or not: the least glibc of any wheel, and of the newest (docs/places/wheels.md)
GLIBC = {
    ("onnxruntime", False): ((2, 27), (2, 28)),
    ("onnxruntime", True): ((2, 27), (2, 28)),
    ("openvino", False): ((2, 17), (2, 28)),
    ("openvino", True): ((2, 31), (2, 35)),
}


@dataclass(frozen=True, slots=True)
class Advice:
    """A problem (level "error" or "warning") or a fact worth knowing ("note"), and the command that changes it."""

    level: str
    message: str
    fix: str


def advise(report: Report) -> list[Advice]:
    """The advice on a report, errors first."""
    found = [
        *_on_packages(report),
        *_on_engines(report),
        *_on_threads(report),
        *_on_models(report),
        *_on_system(report.system),
        *_on_int8(report),
    ]
    if report.edge_st_export is None:
        found.append(Advice("note", "edge-st-export is not installed (needed on a build machine only)", INSTALL_EXPORT))
    return sorted(found, key=lambda advice: ("error", "warning", "note").index(advice.level))


def _on_packages(report: Report) -> list[Advice]:
    found = [
        Advice("error", f"{name}: {finding['error']}", f"pip install --force-reinstall {name}")
        for name, finding in report.packages.items()
        if finding["error"] is not None
    ]
    if report.bundled_model["error"] is not None and not found and report.threads["error"] is None:
        reinstall = "pip install --force-reinstall --no-deps edge-st"
        found.append(Advice("error", f"the bundled model: {report.bundled_model['error']}", reinstall))
    return found


def _on_engines(report: Report) -> list[Advice]:
    found: list[Advice] = []
    missing = [name for name, finding in report.engines.items() if finding["error"] == "not installed"]
    if len(missing) == len(report.engines):
        why, fix = _without_wheel("onnxruntime", report.system) or ("", INSTALL["onnxruntime"])
        message = f"no engine is installed: only static models such as the bundled one run{why and f' ({why})'}"
        found.append(Advice("warning", message, fix))
    else:
        for name in missing:
            why, fix = _without_wheel(name, report.system) or ("", INSTALL[name])
            found.append(Advice("note", f"{name} is not installed{why and f': {why}'}", fix))
    for name, finding in report.engines.items():
        if name not in missing and finding["error"] is not None:
            fix = _fix(name, str(finding["error"]), report.system)
            found.append(Advice("warning", f"{name} does not work: {finding['error']}", fix))
    several = report.onnxruntime_distributions
    if len(several) > 1:
        fix = f"pip uninstall -y {' '.join(several)} && pip install {several[-1]}"
        found.append(Advice("warning", f"{' and '.join(several)} overwrite each other's files; keep one", fix))
    return found


def _without_wheel(engine: str, system: System) -> tuple[str, str] | None:
    """Why ``engine``, or its newest version, has no wheel for this system, and what to do; None where it has one."""
    libc, _, version = (system.libc or "").partition(" ")
    if libc == "musl":
        return "neither engine has a wheel for musl, as on Alpine", "use an image with glibc, such as python:3.13-slim"
    if system.machine.startswith(("armv6", "armv7")):
        return "neither engine has a wheel for 32-bit ARM", "install the 64-bit system"
    if engine == "openvino" and system.name == "win32" and system.is_arm:
        return "it has no wheel for Windows on ARM", INSTALL["onnxruntime"]
    if libc != "glibc":
        return None
    least, newest = GLIBC[engine, system.is_arm]
    found = tuple(map(int, version.split(".")))
    if found >= newest:
        return None
    why = f"its newest wheel needs glibc {'.'.join(map(str, newest))}, this system has {version}"
    return (
        (f"{why}; pip takes an older one", INSTALL[engine]) if found >= least else (why, "use a newer system or image")
    )


def _fix(name: str, error: str, system: System) -> str:
    other = next(engine for engine in ENGINES if engine != name)
    if "crashed" in error and name == "onnxruntime" and system.is_arm:
        return 'pip install --upgrade "onnxruntime>=1.26"'  # older ones abort without /sys, 1.21 on a Raspberry Pi 4
    if "illegal instruction" in error:
        return f"pip uninstall -y {name} && {INSTALL[other]}"
    if "DLL load failed" in error:
        return "install the Microsoft Visual C++ Redistributable (winget install Microsoft.VCRedist.2015+.x64)"
    return f"pip install --force-reinstall {name}"


def _on_system(system: System) -> list[Advice]:
    found = []
    if system.memory is not None and system.memory <= LITTLE:
        message = f"{system.memory / 2**20:.0f} MiB of memory: models open with at most 4 threads and small batches"
        found.append(Advice("note", message, "SentenceTransformer(…, low_memory=True) takes one thread"))
    if system.no_cache is not None:
        message = f"nothing about this machine can be kept, so int8 tests itself at every load: {system.no_cache}"
        found.append(Advice("note", message, "export XDG_CACHE_HOME=FOLDER, one that can be written"))
    if system.no_semaphores is not None:
        message = f"no semaphores, so edge-st bench, tune and eval cannot run: {system.no_semaphores}"
        found.append(
            Advice("note", message, "mount -t tmpfs tmpfs /dev/shm; in a container: docker run --shm-size 64m")
        )
    return found


def _on_int8(report: Report) -> list[Advice]:
    known = int8_features(frozenset(report.cpu_features))
    if not known or known & DOT_PRODUCTS:
        return []
    message = f"this CPU multiplies int8 by {' and '.join(sorted(known))} alone: int8 gains less, on OpenVINO nothing"
    return [Advice("note", message, "edge-st tune MODEL texts.txt finds what is fastest here")]


def _on_threads(report: Report) -> list[Advice]:
    error = report.threads["error"]
    return [] if error is None else [Advice("error", str(error), f"unset {str(error).split()[0]}")]


def _on_models(report: Report) -> list[Advice]:
    """One advice for every fix, though a package has several names."""
    wrong = {model["fix"]: model for model in reversed(report.installed_models) if model["error"] is not None}
    return [
        Advice("warning", f"the installed model {model['name']}: {model['error']}", str(fix))
        for fix, model in sorted(wrong.items(), key=lambda found: str(found[1]["name"]))
    ]
