"""Heads written straight from safetensors: SPLADE's weights of words, a language model's answers, decoders' labels."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, Gemma3TextConfig, Qwen3Config

from edge_st import CrossEncoder, SparseEncoder
from edge_st.models.converting import GROUP
from edge_st_export.builder import words
from edge_st_export.builder.conversion import convert_model
from edge_st_export.graph.sharing import unshare_weights
from edge_st_export.original.loading import find_source, load_original
from edge_st_runtime.arrays import TokenBatch
from edge_st_runtime.errors import DamagedFileError, MissingFileError, OptionError, UnsupportedModelError
from tests.export.builder.in_torch import LENGTHS, NEAR, apart, in_double, opened, padded
from tests.export.originals import save_transformer
from tests.export.zoo.architectures import bert_unigram
from tests.export.zoo.building import DECODER_SIZES, EOS_TOKENS, LEFT
from tests.export.zoo.cross_encoders import ALBERT, closing_bpe_with_answers
from tests.export.zoo.examining import Zoo
from tests.export.zoo.sparse import MASKED_MODELS, splade
from tests.support.installed_models import install
from tests.support.made_once import MadeOnce

TEXTS = ["the quick brown fox", "", "seven small boats sail"]
PAIRS = [("the quick brown fox", text) for text in TEXTS]
SPLADES = (*MASKED_MODELS, "albert")


@pytest.fixture
def sparse(zoo: Zoo, once: MadeOnce) -> Callable[[str], Path]:
    """The SPLADE models of the zoo, and one of ALBERT."""
    albert = splade(config=ALBERT, tokenizer=bert_unigram, strategy="sum")

    def made(name: str) -> Path:
        path: Path = zoo.original(name) if name in MASKED_MODELS else once("splade-albert", albert)
        return path

    return made


@pytest.fixture
def copy(zoo: Zoo, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a case of the zoo, which a test may change."""
    return lambda name: Path(shutil.copytree(zoo.original(name), tmp_path / "copy"))


def pooled(folder: Path, batch: TokenBatch) -> NDArray[np.float64]:
    """What SpladePooling makes of the masked language model's logits, in float64."""
    config = json.loads((folder / "1_SpladePooling/config.json").read_text())
    weights = np.log1p(np.maximum(in_double(folder, batch, "logits"), 0))
    if config["activation_function"] == "log1p_relu":
        weights = np.log1p(weights)
    weights *= batch.attention_mask[:, :, None]
    found: NDArray[np.float64] = weights.max(axis=1) if config["pooling_strategy"] == "max" else weights.sum(axis=1)
    return found


@pytest.mark.parametrize("name", SPLADES)
def test_weights_of_words(name: str, engine: str, sparse: Callable[[str], Path], tmp_path: Path) -> None:
    backend = opened(engine, convert_model(sparse(name), tmp_path / "out").path)
    for side in ("left", "right"):
        batch = padded(LENGTHS, side)
        found, wanted = backend.run(batch), pooled(sparse(name), batch)
        assert apart(found, wanted) <= NEAR
        indices, values = backend.run_pruned(batch, 7)
        np.testing.assert_array_equal(values, np.take_along_axis(found, indices, axis=1))
        np.testing.assert_array_equal(np.sort(values, axis=1), np.sort(found, axis=1)[:, -7:])


@pytest.mark.parametrize("name", ["splade-bert", "splade-roberta"])
def test_words_in_parts_and_a_text_without_tokens(
    name: str, engine: str, zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert_model(zoo.original(name), tmp_path / "whole")
    monkeypatch.setattr(words, "_LOGITS_AT_ONCE", 100 * 64)  # for the 64 positions of the model
    convert_model(zoo.original(name), tmp_path / "parts")
    assert len(products(tmp_path / "whole")) == 1
    assert len(products(tmp_path / "parts")) == 5
    batch = padded(LENGTHS, "right")
    batch.attention_mask[1] = 0
    found, wanted = (opened(engine, tmp_path / part).run(batch) for part in ("parts", "whole"))
    assert not wanted[1].any()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def products(out: Path) -> list[Any]:
    """The nodes that multiply by the words."""
    graph = onnx.load(out / "onnx/model.onnx", load_external_data=False).graph
    return [node for node in graph.node if node.op_type == "Gemm"]


def test_words_are_stored_once_and_found_by_int8(zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_LOGITS_AT_ONCE", 300 * 64)
    convert_model(zoo.original("splade-bert"), tmp_path / "out")
    model = onnx.load(tmp_path / "out/onnx/model.onnx")
    table = load_file(zoo.original("splade-bert") / "model.safetensors")["bert.embeddings.word_embeddings.weight"]
    assert sum(table.shape[0] in tensor.dims for tensor in model.graph.initializer) == 1
    unshare_weights(model.graph, tmp_path / "out/onnx")
    assert not [node for node in model.graph.node if node.op_type == "Gemm"]
    columns = [numpy_helper.to_array(each) for each in model.graph.initializer if each.name.endswith("_transposed")]
    np.testing.assert_array_equal(np.concatenate(columns, axis=1), table.T)


def test_words_of_its_own(engine: str, copy: Callable[[str], Path], tmp_path: Path) -> None:
    folder, batch = copy("splade-bert"), padded(LENGTHS, "right")
    tied = opened(engine, convert_model(folder, tmp_path / "tied").path).run(batch)
    tensors = load_file(folder / "model.safetensors")
    own = np.random.default_rng(0).standard_normal(tensors["bert.embeddings.word_embeddings.weight"].shape)
    names = ("decoder.bias", "bias")  # of which transformers 4 takes the other one
    head = {"cls.predictions.decoder.weight": own, **{f"cls.predictions.{name}": own[:, 0] for name in names}}
    given = {name: np.ascontiguousarray(each, np.float32) for name, each in head.items()}
    save_file({**tensors, **given}, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    found, wanted = opened(engine, convert_model(folder, tmp_path / "own").path).run(batch), pooled(folder, batch)
    assert apart(found, wanted) <= NEAR < apart(tied, wanted)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(MissingFileError, match=r"lack cls\.predictions\.decoder\.weight"):
        convert_model(folder, tmp_path / "missing")


def test_a_missing_head_is_named(copy: Callable[[str], Path], tmp_path: Path) -> None:
    folder = copy("splade-distilbert")
    tensors = load_file(folder / "model.safetensors")
    save_file({n: t for n, t in tensors.items() if not n.startswith("vocab_")}, folder / "model.safetensors")
    with pytest.raises(MissingFileError, match=r"lack vocab_transform\.weight"):
        convert_model(folder, tmp_path / "out")


@pytest.mark.parametrize("name", ["logit-score", "logit-score-of-one", "logit-score-tied"])
def test_answers_of_a_language_model(name: str, engine: str, zoo: Zoo, tmp_path: Path) -> None:
    original = zoo.original(name)
    backend = opened(engine, convert_model(original, tmp_path / "out").path, scores=True)
    for side in ("left", "right"):
        batch = padded(LENGTHS, side, holes=False)
        logits = last(in_double(original, batch, "logits"), batch)
        wanted = logits[:, [20]] - (0 if name.endswith("one") else logits[:, [30]])
        assert apart(backend.run(batch), wanted) <= NEAR


def last(values: NDArray[Any], batch: TokenBatch) -> NDArray[Any]:
    """Those of the last token of each text."""
    ends = (np.arange(values.shape[1]) * batch.attention_mask).argmax(axis=1)
    found: NDArray[Any] = values[np.arange(len(values)), ends]
    return found


@pytest.mark.parametrize("kind", [Qwen3Config, Gemma3TextConfig])
def test_labels_of_a_decoder(kind: Any, engine: str, tmp_path: Path) -> None:
    config = kind(**DECODER_SIZES, pad_token_id=1, num_labels=3)
    folder = plain(tmp_path, config, AutoModelForSequenceClassification.from_config)
    backend = opened(engine, convert_model(folder, tmp_path / "out").path, scores=True)
    for side in ("left", "right"):
        batch = padded(LENGTHS, side, holes=False)
        assert apart(backend.run(batch), in_double(folder, batch, "logits")) <= NEAR


def plain(folder: Path, config: Any, model_class: Any) -> Path:
    """A transformer with a head, and without modules.json."""
    tokens = EOS_TOKENS | LEFT
    return save_transformer(
        folder, config=config, model_class=model_class, tokenizer=closing_bpe_with_answers, tokens=tokens, spread=0.25
    )


def test_labels_need_a_padding_token(copy: Callable[[str], Path], tmp_path: Path) -> None:
    folder = copy("classifier-qwen3")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "pad_token_id": None}))
    with pytest.raises(UnsupportedModelError, match="pad_token_id is None"):
        convert_model(folder, tmp_path / "out")


def test_answers_beyond_the_words(copy: Callable[[str], Path], tmp_path: Path) -> None:
    folder = copy("logit-score")
    (folder / "1_LogitScore/config.json").write_text(json.dumps({"true_token_id": 20, "false_token_id": 410}))
    with pytest.raises(DamagedFileError, match=r"20 and 410, but lm_head\.weight has 410 rows"):
        convert_model(folder, tmp_path / "out")


class TestPlainTransformers:
    """Those without modules.json, of which ``task`` says what to make."""

    def test_a_sparse_encoder(self, zoo: Zoo, tmp_path: Path) -> None:
        original = zoo.original("splade-plain")
        made = convert_model(original, tmp_path / "out", task="sparse-encoder")
        assert made.model_type == "SparseEncoder"
        peer = load_original(find_source(original, None, None, "sparse-encoder"), trust_remote_code=False)
        wanted = peer.encode(TEXTS, convert_to_sparse_tensor=False).numpy()
        found = SparseEncoder(made.path, dtype="float32").encode(TEXTS).to_dense()
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)

    def test_a_cross_encoder(self, tmp_path: Path) -> None:
        original = plain(tmp_path, Qwen3Config(**DECODER_SIZES, pad_token_id=1), AutoModelForCausalLM.from_config)
        made = convert_model(original, tmp_path / "out", task="cross-encoder")
        assert made.model_type == "CrossEncoder"
        peer = load_original(find_source(original, None, None, "cross-encoder"), trust_remote_code=False)
        found = CrossEncoder(made.path, dtype="float32").predict(PAIRS)
        np.testing.assert_allclose(found, peer.predict(PAIRS), rtol=1e-5, atol=1e-5)

    def test_answers_that_the_tokenizer_lacks(self, copy: Callable[[str], Path], tmp_path: Path) -> None:
        folder = copy("logit-score-plain")
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        tokenizer["added_tokens"] = [each for each in tokenizer["added_tokens"] if each["content"] != "yes"]
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        with pytest.raises(UnsupportedModelError, match=r"tokenizer\.json lacks the token 'yes'"):
            convert_model(folder, tmp_path / "out", task="cross-encoder")

    def test_an_unknown_task(self, zoo: Zoo, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="task is 'sparse'; expected one of sentence-embedding"):
            convert_model(zoo.original("splade-plain"), tmp_path / "out", task="sparse")

    def test_a_folder_with_weights_alone(self, zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        converter = {"onnx": "edge_st_export.builder.conversion:convert_model"}
        monkeypatch.syspath_prepend(install(tmp_path / "site", converter, group=GROUP))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        model = SparseEncoder(zoo.original("splade-plain"), dtype="float32")
        assert Path(model.info()["path"]).is_relative_to(tmp_path / "cache")
        assert model.encode(TEXTS).shape == (3, 410)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("splade-bert", {"transformer_task": "feature-extraction"}, "in the graph of a feature-extraction model are"),
        ("logit-score", {"transformer_task": "fill-mask"}, "in the graph of a fill-mask model are: LogitScore"),
        ("logit-score", {"modality_config": {"image": {"method": "forward", "method_output_name": "logits"}}}, "image"),
        ("splade-bert", {"transformer_task": "token-classification"}, "transformer_task is 'token-classification'"),
    ],
)
def test_other_uses_are_refused(
    name: str, change: dict[str, Any], said: str, copy: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copy(name)
    path = folder / "sentence_bert_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UnsupportedModelError, match=rf"{re.escape(said)}.*edge-st export"):
        convert_model(folder, tmp_path / "out")


def test_a_task_that_the_family_lacks(copy: Callable[[str], Path], tmp_path: Path) -> None:
    folder = copy("splade-bert")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_type": "t5"}))
    with pytest.raises(UnsupportedModelError, match="the task fill-mask of a t5; edge-st convert supports feature-"):
        convert_model(folder, tmp_path / "out")
