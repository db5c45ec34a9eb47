"""Make a ColBERT model of a given size with random weights, and export it.

Arguments: a folder with a BERT tokenizer, the folder of the original, the folder of the export, the folder for
fastembed, a size of `SIZES`, and "int8" or "float32". Folders that exist are kept. The gate for int8 is open: the loss
with random weights says nothing about a trained model. The graph for fastembed is the exported one with the projection
in it.
"""

import json
import shutil
import string
import sys
import tempfile
from pathlib import Path
from typing import Any

ANYTHING = 1e-6
#: the transformer's configuration and the dimensions of a token's vector: those of answerai-colbert-small-v1, colbertv2
SIZES: dict[str, tuple[dict[str, int], int]] = {
    "33M": ({"hidden_size": 384, "intermediate_size": 1536}, 96),
    "110M": ({"hidden_size": 768, "intermediate_size": 3072}, 128),
}
PROMPTS = {"query": "[unused0] ", "document": "[unused1] "}
_TOKENS = {"module_input_name": "token_embeddings"}


def make(tokenizer: Path, original: Path, size: str) -> None:
    """Save the model to ``original`` with sentence-transformers: 32 tokens a query, punctuation skipped."""
    import torch
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    config, dim = SIZES[size]
    with tempfile.TemporaryDirectory() as folder:
        BertModel(BertConfig(**config, num_hidden_layers=12, num_attention_heads=12)).save_pretrained(folder)
        AutoTokenizer.from_pretrained(tokenizer, model_max_length=512).save_pretrained(folder)
        projection: dict[str, Any] = {"bias": False, "activation_function": torch.nn.Identity(), **_TOKENS}
        modules = [
            Transformer(folder, query_expansion={"strategy": "fixed", "length": 32, "attend": False}),
            Dense(config["hidden_size"], dim, **projection),
            MultiVectorMask(skiplist_words=list(string.punctuation)),
            Normalize(**_TOKENS),
        ]
        model = MultiVectorEncoder(modules=modules, prompts=PROMPTS, device="cpu")
        model._register_prefix_tokens(PROMPTS)
        model.save_pretrained(str(original))


def make_for_fastembed(exported: Path, target: Path) -> None:
    """Copy the exported tokenizer, and the graph with the projection as its last step."""
    import onnx
    from onnx import helper, numpy_helper
    from safetensors.numpy import load_file

    graph_file = exported / "onnx" / "model.onnx"
    model = onnx.load(graph_file)
    weight = load_file(next(exported.glob("*_Dense/model.safetensors")))["linear.weight"]
    hidden = model.graph.output[0].name
    _without_types(model.graph)
    model.graph.initializer.append(numpy_helper.from_array(weight.T.copy(), "projection"))
    model.graph.node.append(helper.make_node("MatMul", [hidden, "projection"], ["token_vectors"]))
    del model.graph.output[:]
    shape = ["batch", "tokens", len(weight)]
    model.graph.output.append(helper.make_tensor_value_info("token_vectors", onnx.TensorProto.FLOAT, shape))
    part = target.with_name(f"{target.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (exported / name).is_file():
            shutil.copy(exported / name, part)
    _add_special_tokens(part)
    onnx.save(model, part / "vespa_colbert.onnx")
    part.rename(target)


def _without_types(graph: Any) -> None:
    """All tokens are of type 0: fastembed lengthens the other inputs by the mark alone."""
    from onnx import helper

    types = next((each for each in graph.input if each.name == "token_type_ids"), None)
    if types is not None:
        graph.input.remove(types)
        graph.node.insert(0, helper.make_node("Sub", ["input_ids", "input_ids"], [types.name]))


def _add_special_tokens(folder: Path) -> None:
    """special_tokens_map.json, which fastembed reads and transformers 5 does not write."""
    path = folder / "special_tokens_map.json"
    if not path.is_file():
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        special = {name: value for name, value in config.items() if name.endswith("_token") and isinstance(value, str)}
        path.write_text(json.dumps(special), encoding="utf-8")


if __name__ == "__main__":
    tokenizer, original, exported, for_fastembed = map(Path, sys.argv[1:5])
    if not original.is_dir():
        make(tokenizer, original, sys.argv[5])
    if not exported.is_dir():
        from edge_st_export import Gate, Int8, export_model

        int8 = Int8(gate=Gate(cosine=ANYTHING, p1=ANYTHING, agreement=ANYTHING)) if sys.argv[6] == "int8" else None
        export_model(original, exported, int8=int8, quiet=True)
    if not for_fastembed.is_dir():
        make_for_fastembed(exported, for_fastembed)
