"""The rows of benchmarks/precision.py: the variants of one model, run by edge-st and by its peers."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness import Setup, Worker, opened

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
    "sentence-transformers onnx qint8": "int8",
    "sentence-transformers openvino": _OPENVINO,
    "sentence-transformers openvino int8": "int8",
    "fastembed": "float32",
    "fastretrieval": "float32",
    "candding": "float32",
    "ctranslate2 int8": "int8",
    "llama.cpp F32": "float32",
    "llama.cpp Q8_0": "int8",
}


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

    ``others`` are further exported folders by name. Variants whose label contains one of ``without`` are left out.
    """

    others: Mapping[str, Path]
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
    return [each for each in found if wanted.has(each.label)]


def opened_variants(stack: ExitStack, found: Sequence[Variant]) -> dict[Variant, Worker]:
    """The worker of each variant with its model loaded; prints which variants cannot be loaded."""
    workers = {each.peer: each for each in opened(stack, [(each.label, each.setup, each.peer) for each in found])}
    return {variant: workers[variant.label] for variant in found if variant.label in workers}


def _label(peer: str) -> str:
    return f"{peer} {_OPENVINO}" if peer == "sentence-transformers openvino" else peer
