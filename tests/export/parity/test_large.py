"""A decoder beyond 2 GB, where protobuf ends. Slow, and so a session of its own: pytest tests/export -m slow."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer as Peer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

from edge_st_export import ExportReport, export_model
from tests.export.originals import cosine_min, load_original
from tests.export.zoo.building import EOS_TOKENS, LEFT
from tests.support.tiny_tokenizers import closing_bpe

TEXTS = ["the quick brown fox jumps over the lazy dog", "seven small boats", "search engines embed sentences " * 9]
ENCODE = """
import json, sys
from edge_st import SentenceTransformer
model = SentenceTransformer(sys.argv[1], backend=sys.argv[2], dtype="float32")
vectors = model.encode(json.loads(sys.argv[3]))
status = open("/proc/self/status").read()  # its peak is this process' own; getrusage's begins with the parent's
peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
print(json.dumps({"vectors": vectors.tolist(), "peak": peak}))
"""
CONFIG = Qwen3Config(
    vocab_size=76_000,
    hidden_size=1536,
    intermediate_size=6144,
    num_hidden_layers=12,
    num_attention_heads=12,
    num_key_value_heads=4,
    head_dim=128,
    max_position_embeddings=4096,
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    torch.manual_seed(1)
    Qwen3Model(CONFIG).save_pretrained(folder / "transformer")
    PreTrainedTokenizerFast(tokenizer_object=closing_bpe(), **EOS_TOKENS, **LEFT).save_pretrained(
        folder / "transformer"
    )
    modules = [Transformer(str(folder / "transformer"), max_seq_length=512), Pooling(CONFIG.hidden_size, "lasttoken")]
    Peer(modules=modules, device="cpu").save_pretrained(str(folder / "original"), create_model_card=False)
    return folder / "original"


@pytest.fixture(scope="module")
def report(original: Path) -> ExportReport:
    return export_model(original, original.with_name("exported"), quiet=True)


@pytest.mark.slow
def test_the_weights_are_beside_the_graph(report: ExportReport) -> None:
    assert all(graph.megabytes >= 2100 for graph in report.graphs)
    assert (report.path / "onnx" / "model.onnx").stat().st_size < 10_000_000
    assert (report.path / "onnx" / "model.onnx_data").stat().st_size > 2_100_000_000


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_it_runs_in_bounded_memory(engine: str, original: Path, report: ExportReport) -> None:
    command = [sys.executable, "-c", ENCODE, str(report.path), engine, json.dumps(TEXTS)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert cosine_min(np.array(found["vectors"]), load_original(original).encode(TEXTS)) >= 0.99999
    print(f"{engine}: {found['peak'] / 1e6:.0f} MB at most")
    assert found["peak"] < 2 * max(graph.megabytes for graph in report.graphs) * 1e6
