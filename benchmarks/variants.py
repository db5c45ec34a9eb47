"""The rows of benchmarks/precision.py: the variants of one model, run by edge-st and by its peers."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness import Setup, Worker, start

from edge_st_runtime.machine.cpu import has_bfloat16

TORCH = "sentence-transformers torch"
_OPENVINO = "bfloat16" if has_bfloat16() else "float32"
_EDGE = {
    "edge-st onnx": "float32",
    "edge-st onnx int8": "int8",
    "edge-st openvino float32": "float32",
    "edge-st openvino bfloat16": "bfloat16",
    "edge-st openvino int8": "int8",
}
_PEERS = {
    TORCH: "float32",
    "sentence-transformers onnx": "float32",
    "sentence-transformers openvino": _OPENVINO,
    "fastembed": "float32",
}


@dataclass(frozen=True)
class Prepared:
    """A variant that needs its own file.

    ``made`` is what workers/prepare.py makes, ``graph`` the file in it, ``peer`` the peer that runs it.
    """

    label: str
    peer: str
    made: str
    graph: str
    precision: str


_PREPARED = (
    Prepared(
        "sentence-transformers onnx qint8",
        "sentence-transformers onnx",
        "onnx-int8",
        "onnx/model_qint8_avx512_vnni.onnx",
        "int8",
    ),
    Prepared(
        "sentence-transformers openvino int8",
        "sentence-transformers openvino",
        "openvino-int8",
        "openvino/openvino_model_qint8_quantized.xml",
        "int8",
    ),
    Prepared("ctranslate2 int8", "ctranslate2 int8", "ctranslate2-int8", "model.bin", "int8"),
    Prepared("llama.cpp F32", "llama.cpp", "gguf-float32", "model.gguf", "float32"),
    Prepared("llama.cpp Q8_0", "llama.cpp", "gguf-int8", "model.gguf", "int8"),
)


@dataclass(frozen=True, eq=False)
class Variant:
    """A row: its label, the peer that runs it, its precision, and the model that it opens."""

    label: str
    peer: str
    precision: str
    setup: Setup

    @property
    def is_edge(self) -> bool:
        """Whether edge-st runs it."""
        return self.peer.startswith("edge-st")

    @property
    def is_sentence_transformers(self) -> bool:
        """Whether sentence-transformers runs it."""
        return self.peer.startswith("sentence-transformers")

    @property
    def is_lossless(self) -> bool:
        """Whether it computes in float32 or bfloat16."""
        return self.precision != "int8"


@dataclass(frozen=True)
class Wanted:
    """Which variants are wanted.

    ``others`` are further exported folders by name, ``prepared`` is the folder for prepared files, ``calibration`` are
    the texts for their calibration. Variants whose label contains one of ``without`` are left out.
    """

    others: Mapping[str, Path]
    prepared: Path
    calibration: Sequence[str]
    without: Sequence[str]

    def has(self, label: str) -> bool:
        """Whether the variant of this label is wanted."""
        return not any(part in label for part in self.without)


def variants(common: Setup, wanted: Wanted) -> list[Variant]:
    """The variants that are wanted and can run here; prints what the others lack."""
    found = [Variant(peer, peer, _EDGE[peer], common) for peer in common.available(list(_EDGE))]
    for name, folder in wanted.others.items():
        own = replace(common, folder=folder.resolve())
        found += [Variant(f"{peer} ({name})", peer, _EDGE[peer], own) for peer in own.available(list(_EDGE))]
    found += [Variant(_label(peer), peer, _PEERS[peer], common) for peer in common.available(list(_PEERS))]
    return [*(each for each in found if wanted.has(each.label)), *_with_files(common, wanted)]


def opened(stack: ExitStack, found: Sequence[Variant]) -> dict[Variant, Worker]:
    """The worker of each variant with its model loaded; prints which variants cannot be loaded."""
    workers = {}
    for variant in found:
        worker = stack.enter_context(Worker(variant.setup, variant.peer, variant.label))
        try:
            worker.open()
        except RuntimeError as error:
            print(f"left out: {variant.label} ({error})", file=sys.stderr)
        else:
            workers[variant] = worker
    return workers


def _label(peer: str) -> str:
    return f"{peer} {_OPENVINO}" if peer == "sentence-transformers openvino" else peer


def _with_files(common: Setup, wanted: Wanted) -> Iterator[Variant]:
    prepared = wanted.prepared
    prepared.mkdir(parents=True, exist_ok=True)
    texts = prepared / "calibration.txt"
    texts.write_text("\n".join(line.replace("\n", " ") for line in wanted.calibration), encoding="utf-8")
    for each in filter(lambda one: wanted.has(one.label), _PREPARED):
        if common.available([each.peer]) and _made(common, each, prepared / each.made, texts):
            own = replace(common, folder=prepared / each.made, graph=each.graph)
            yield Variant(each.label, each.peer, each.precision, own)


def _made(common: Setup, each: Prepared, target: Path, texts: Path) -> bool:
    """Whether the target exists; it is made if it does not."""
    if target.is_dir():
        return True
    print(f"making {target.name} for {each.label}", file=sys.stderr)
    arguments = (each.made, str(common.folder), str(common.original), str(target), str(texts))
    process = start(common, each.peer, "prepare.py", *arguments)
    process.communicate()
    if process.returncode:
        print(f"left out: {each.label} (no {target.name}; BENCH_VERBOSE=1 shows why)", file=sys.stderr)
    return process.returncode == 0
