"""``edge-st doctor``: what is installed, what this machine can do, and the commands that fix what is wrong."""

import argparse
import platform
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..version import __version__
from .advice import ENGINES, Advice, advise
from .arguments import Subparsers, add_json
from .findings import Report, System
from .output import print_json, table

if TYPE_CHECKING:
    from .probes import Probe


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
        system=probes.probe_system(),
        bundled_model=_finding(probes.probe("bundled_model")),
        installed_models=list_installed_models(),
        edge_st_export=probes.installed_version("edge-st-export"),
    )


def _fast_dtypes() -> dict[str, list[str]]:
    from edge_st_runtime.machine.cpu import gains_from_int8, has_bfloat16

    found = {
        "bfloat16": ["openvino"] if has_bfloat16() else [],
        "int8": list(filter(gains_from_int8, ENGINES.values())),
    }
    return {dtype: engines for dtype, engines in found.items() if engines}


def _finding(probe: "Probe") -> dict[str, object]:
    return {**probe.found, "error": probe.error}


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
        ("system", _system(report.system)),
        ("bundled model", _cell(report.bundled_model)),
        ("installed models", _installed(report)),
        ("edge-st-export", report.edge_st_export or "not installed"),
    ]
    advice = [f"{finding.level}: {finding.message}\n  fix: {finding.fix}" for finding in findings]
    return "\n".join([table(rows), "", *advice] if advice else [table(rows)])


def _system(system: System) -> str:
    memory = "memory not known" if system.memory is None else f"{system.memory / 2**20:.0f} MiB of memory"
    return ", ".join(filter(None, [system.machine, system.libc, memory]))


def _faster(dtypes: dict[str, list[str]]) -> str:
    return ", ".join(f"{dtype} ({' and '.join(engines)})" for dtype, engines in dtypes.items()) or "nothing"


def _cell(finding: dict[str, object]) -> str:
    if finding["error"] is not None:
        return str(finding["error"])
    if "dimension" in finding:
        return f"works, {finding['dimension']} dimensions, first vector after {finding['seconds']} s"
    devices = finding.get("devices")
    return f"{finding['version']}  {', '.join(devices)}" if isinstance(devices, list) else str(finding["version"])
