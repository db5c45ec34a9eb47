"""Export a model: what to export, where to, and in which form."""

import os
from collections.abc import Sequence

from .folder.parity import GATE
from .int8.options import Int8
from .plan import ENGINES, checked_plan
from .report import ExportReport
from .stack import check_stack


def export_model(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    engines: Sequence[str] = ENGINES,
    optimize: str | None = None,
    fp16: bool = False,
    bf16: bool = False,
    revision: str | None = None,
    token: str | bool | None = None,
    trust_remote_code: bool = False,
    task: str | None = None,
    gate: float = GATE,
    int8: Int8 | None = None,
    force: bool = False,
    quiet: bool = False,
) -> ExportReport:
    """Write ``model``, a Hub name or a folder, to the folder ``out`` in the form that edge-st runs without PyTorch.

    ``engines`` is one or both of "onnx" and "openvino". ``optimize`` ("O1", "O2" or "O3") adds a graph that ONNX
    Runtime's optimizer has fused already. ONNX Runtime fuses the plain graph when it loads it, and on CPUs that has
    measured faster. ``fp16`` adds onnx/model_O4.onnx and ``bf16`` onnx/model_bf16.onnx, in float16 and bfloat16 for
    GPUs: attention, layer normalization and GELU are fused, and what would overflow stays in float32. ``task``
    ("sentence-embedding", "cross-encoder" or "sparse-encoder") says what to make of a plain transformer that could
    become several of them.

    Each variant is compared with the original on difficult texts. ``gate`` is the lowest cosine that a float32 variant
    may have on any text, or for any token where these have vectors. Scores, sparse weights and token vectors must also
    be within 1e-4 of the original's, and 210 queries must rank their documents in its order. float16 and bfloat16 for
    GPUs are measured on CUDA where there is a GPU, else emulated on the CPU; the cosine must be 0.99 at worst, 0.9 in
    bfloat16. Where the CPU has bfloat16, OpenVINO in bfloat16 is measured too, and recorded if its lowest cosine is at
    least 0.9999. ``int8`` adds an int8 graph for each engine, with a gate of its own: see `Int8`. ``force`` replaces an
    existing model folder. Progress goes to standard error unless ``quiet``.

    Raises UnsupportedModelError before any weights are downloaded; ExportError for installed versions that do not fit
    each other, a failed conversion or a float32 variant below the gate; PackageMissingError, OptionError, InputError,
    FolderError and HubError. After these ``out`` is as it was. Where float32 passes and int8 does not, ``out`` is
    written without int8, and Int8MissedError, an ExportError, is raised.
    """
    plan = checked_plan(
        model, out, engines=engines, optimize=optimize, fp16=fp16, bf16=bf16, revision=revision, token=token,
        trust_remote_code=trust_remote_code, task=task, gate=gate, int8=int8, force=force, quiet=quiet,
    )  # fmt: skip
    check_stack()
    from .steps import run  # what needs PyTorch, now that what is installed is known to fit

    return run(plan)
