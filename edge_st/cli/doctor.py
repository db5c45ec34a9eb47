"""``edge-st doctor``: what is installed, what this machine can do, and the commands that fix what is wrong."""

import argparse
import platform
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from edge_st_runtime.errors import INSTALL_EXPORT

from ..version import __version__
from .arguments import Subparsers, add_json
from .output import print_json, table

if TYPE_CHECKING:
    from .probes import Probe

ENGINES = {"onnxruntime": "onnx", "openvino": "openvino"}


@dataclass(frozen=True, slots=True)
class Advice:
    """A problem (level "error" or "warning") or a fact worth knowing ("note"), and the command that changes it."""

    level: str
    message: str
    fix: str


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
    bundled_model: dict[str, object]
    installed_models: list[dict[str, str | None]]
    edge_st_export: str | None


def add(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="check engines, CPU, threads and models, and print the commands that fix what is wrong",
        description="Check the installation. The exit code is 0 if the bundled model works.",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Examine the installation, and print what was found with advice."""
    report = examine()
    findings = advise(report)
    works = report.bundled_model["error"] is None
    if args.json:
        print_json({**asdict(report), "ok": works, "advice": [asdict(advice) for advice in findings]})
    else:
        print(_as_text(report, findings))
    return 0 if works else 1


def examine() -> Report:
    """Look at everything. What is missing or broken is reported, and raises nothing."""
    from edge_st_runtime.machine.cpu import cpu_features

    from . import probes
    from .installed_models import list_installed_models

    return Report(
        edge_st=__version__,
        python=f"{platform.python_version()} ({sys.executable})",
        platform=platform.platform(),
        packages={name: _finding(probes.probe_package(name)) for name in ("numpy", "tokenizers")},
        engines={name: _finding(probes.probe_package(name)) for name in ENGINES},
        onnxruntime_distributions=probes.onnxruntime_distributions(),
        cpu_features=sorted(cpu_features()),
        fast_dtypes=_fast_dtypes(),
        threads=probes.probe_threads(),
        bundled_model=_finding(probes.run_probe(probes.BUNDLED_MODEL)),
        installed_models=list_installed_models(),
        edge_st_export=probes.installed_version("edge-st-export"),
    )


def advise(report: Report) -> list[Advice]:
    """The advice on a report, errors first."""
    found = [*_on_packages(report), *_on_engines(report), *_on_threads(report), *_on_models(report)]
    if report.edge_st_export is None:
        found.append(Advice("note", "edge-st-export is not installed (needed on a build machine only)", INSTALL_EXPORT))
    return sorted(found, key=lambda advice: ("error", "warning", "note").index(advice.level))


def _fast_dtypes() -> dict[str, list[str]]:
    from edge_st_runtime.machine.cpu import gains_from_int8, has_bfloat16

    found = {
        "bfloat16": ["openvino"] if has_bfloat16() else [],
        "int8": list(filter(gains_from_int8, ENGINES.values())),
    }
    return {dtype: engines for dtype, engines in found.items() if engines}


def _finding(probe: "Probe") -> dict[str, object]:
    return {**probe.found, "error": probe.error}


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
        message = "no engine is installed: only static models such as the bundled one run"
        found.append(Advice("warning", message, 'pip install "edge-st[onnx]"'))
    else:
        found += [
            Advice("note", f"{name} is not installed", f'pip install "edge-st[{ENGINES[name]}]"') for name in missing
        ]
    for name, finding in report.engines.items():
        if name not in missing and finding["error"] is not None:
            found.append(Advice("warning", f"{name} does not work: {finding['error']}", _fix(name, finding)))
    several = report.onnxruntime_distributions
    if len(several) > 1:
        fix = f"pip uninstall -y {' '.join(several)} && pip install {several[-1]}"
        found.append(Advice("warning", f"{' and '.join(several)} overwrite each other's files; keep one", fix))
    return found


def _fix(name: str, finding: dict[str, object]) -> str:
    other = next(engine for engine in ENGINES if engine != name)
    if "illegal instruction" in str(finding["error"]):
        return f'pip uninstall -y {name} && pip install "edge-st[{ENGINES[other]}]"'
    if "DLL load failed" in str(finding["error"]):
        return "install the Microsoft Visual C++ Redistributable (winget install Microsoft.VCRedist.2015+.x64)"
    return f"pip install --force-reinstall {name}"


def _on_threads(report: Report) -> list[Advice]:
    error = report.threads["error"]
    return [] if error is None else [Advice("error", str(error), "unset EDGE_ST_NUM_THREADS")]


def _on_models(report: Report) -> list[Advice]:
    """One advice for every fix, though a package has several names."""
    wrong = {model["fix"]: model for model in reversed(report.installed_models) if model["error"] is not None}
    return [
        Advice("warning", f"the installed model {model['name']}: {model['error']}", str(fix))
        for fix, model in sorted(wrong.items(), key=lambda found: str(found[1]["name"]))
    ]


def _installed(report: Report) -> str:
    """Every package of a model, with the names of the model."""
    names: dict[str, list[str]] = {}
    for model in report.installed_models:
        names.setdefault(f"{model['distribution']} {model['version']}", []).append(str(model["name"]))
    return ", ".join(f"{package} ({' or '.join(given)})" for package, given in names.items()) or "none"


def _as_text(report: Report, findings: list[Advice]) -> str:
    threads = report.threads
    counts = ", ".join(f"{name} {value}" for name, value in threads.items() if value is not None and name != "chosen")
    rows: list[tuple[str, object]] = [
        ("edge-st", report.edge_st),
        ("Python", report.python),
        ("platform", report.platform),
        *((name, _cell(finding)) for name, finding in {**report.packages, **report.engines}.items()),
        ("CPU features", " ".join(report.cpu_features) or "none known"),
        ("faster than float32", _faster(report.fast_dtypes)),
        ("threads", f"{threads['chosen'] or '-'} ({counts})"),
        ("bundled model", _cell(report.bundled_model)),
        ("installed models", _installed(report)),
        ("edge-st-export", report.edge_st_export or "not installed"),
    ]
    advice = [f"{finding.level}: {finding.message}\n  fix: {finding.fix}" for finding in findings]
    return "\n".join([table(rows), "", *advice] if advice else [table(rows)])


def _faster(dtypes: dict[str, list[str]]) -> str:
    return ", ".join(f"{dtype} ({' and '.join(engines)})" for dtype, engines in dtypes.items()) or "nothing"


def _cell(finding: dict[str, object]) -> str:
    if finding["error"] is not None:
        return str(finding["error"])
    if "dimension" in finding:
        return f"works, {finding['dimension']} dimensions, first vector after {finding['seconds']} s"
    devices = finding.get("devices")
    return f"{finding['version']}  {', '.join(devices)}" if isinstance(devices, list) else str(finding["version"])
