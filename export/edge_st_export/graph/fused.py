"""The operators that ONNX Runtime fuses in a graph, which decide how fast it runs."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from ..errors import converting
from ..folder.parity import GraphReport
from ..folder.paths import graph_files, weights_beside

_CONTRIB = "com.microsoft"
_NORMALIZATIONS = ("LayerNormalization", "SimplifiedLayerNormalization")
_UNFUSED = "Erf"  # the costliest part of a GELU that was not fused


def write_optimized(graph: Path, target: Path, level: str) -> None:
    """Write ``graph`` as ONNX Runtime's optimizer leaves it at ``level``, such as "ORT_ENABLE_EXTENDED", for CPUs.

    The weights go into the file beside ``target``.
    """
    from edge_st_runtime.engines.ort_sessions import SLOW_ON_CPU
    from edge_st_runtime.engines.quiet_onnxruntime import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_file_name", weights_beside(target).name
    )
    ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_ON_CPU)


def fused_operators(graph: Path) -> dict[str, int]:
    """Count the fused operators that ``graph`` has when ONNX Runtime runs it, and "Erf", which stands for unfused GELU.

    Fused operators are those of ONNX Runtime's own domain, such as BiasGelu or MatMulIntegerToFloat, and layer
    normalizations. Raises ExportError where ONNX Runtime cannot load the graph.
    """
    import onnx

    with TemporaryDirectory() as scratch, converting(f"ONNX Runtime's optimization of {graph.name}", "report this bug"):
        optimized = Path(scratch) / "model.onnx"
        write_optimized(graph, optimized, "ORT_ENABLE_ALL")
        nodes = onnx.load(optimized, load_external_data=False).graph.node
    wanted = (_UNFUSED, *_NORMALIZATIONS)
    found = Counter(node.op_type for node in nodes if node.domain == _CONTRIB or node.op_type in wanted)
    return dict(sorted(found.items()))


def with_fused(folder: Path, report: GraphReport) -> GraphReport:
    """Add the fused operators, over all routes of ``folder``, to the report of an ONNX graph for CPUs."""
    if report.engine != "onnx" or report.dtype in ("float16", "bfloat16"):
        return report
    graphs = [path for path in graph_files(folder, report.file) if path.name == PurePosixPath(report.file).name]
    return replace(report, fused=dict(sum((Counter(fused_operators(graph)) for graph in graphs), Counter[str]())))


def unfused_notes(reports: Iterable[GraphReport]) -> list[str]:
    """A note on each graph whose GELU was not fused."""
    return [
        f"{report.file} has a GELU that ONNX Runtime does not fuse, so it runs slower than it could"
        for report in reports
        if _UNFUSED in report.fused
    ]
