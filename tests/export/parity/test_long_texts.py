"""Long texts: tokenizers made from SentencePiece files, whose maps of characters are real ones; blocks of queries."""

import json
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from edge_st import SentenceTransformer
from edge_st_export.original.texts import LONG, texts_for
from edge_st_runtime.engines import ort, query_blocks
from edge_st_runtime.model.classes import SENTENCE_TRANSFORMER
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.export.originals import cosine_min, load_original
from tests.export.zoo.building import write_sentencepiece
from tests.export.zoo.examining import Zoo
from tests.support.long_texts import shorter_texts_are_long, wrongly_tokenized
from tests.support.slow import slow_but
from tests.support.tiny_tokenizers import save_tokenizer

FILES = {
    "XLMRobertaTokenizer": "sentencepiece.bpe.model",
    "T5Tokenizer": "spiece.model",
    "AlbertTokenizer": "spiece.model",
    "DebertaV2Tokenizer": "spm.model",
    "GemmaTokenizer": "tokenizer.model",
    "LlamaTokenizer": "tokenizer.model",
}
#: in transformers 5
MAPLESS = {"AlbertTokenizer", "DebertaV2Tokenizer", "GemmaTokenizer", "LlamaTokenizer"}


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", FILES)
def test_tokens_of_a_part_are_those_of_the_whole(
    name: str, side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter_texts_are_long(monkeypatch)
    write_sentencepiece(tmp_path)
    (tmp_path / "sentencepiece.bpe.model").rename(tmp_path / FILES[name])
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name}))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path).backend_tokenizer
    assert ("Precompiled" in repr(tokenizer.normalizer)) is (name not in MAPLESS)
    folder = save_tokenizer(tmp_path / "converted", tokenizer, truncation_side=side)
    assert wrongly_tokenized(TextTokenizer(folder)) == []


@pytest.mark.parametrize("name", slow_but({"mpnet"}, ["modernbert", "mpnet", "qwen3", "embeddinggemma"]))
def test_attention_in_blocks_gives_the_vectors_of_the_original(
    name: str, zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "WHOLE_ATTENTION", 8)
    monkeypatch.setattr(query_blocks, "BLOCK", 16)
    exported, texts = zoo.exported(name).path, [f"{number} quick brown foxes " * number for number in (5, 9, 20)]
    assert query_blocks.in_blocks((exported / "onnx" / "model.onnx").read_bytes()) is not None
    found = [SentenceTransformer(exported, backend="onnx", dtype="float32").encode(text) for text in texts]
    assert cosine_min(np.array(found), load_original(zoo.original(name)).encode(texts)) > 0.99999


def test_a_model_that_reads_long_texts_is_compared_on_one(zoo: Zoo) -> None:
    assert LONG in texts_for(SENTENCE_TRANSFORMER, 8192)
    assert LONG not in texts_for(SENTENCE_TRANSFORMER, 512)
    tokenizer = TextTokenizer(zoo.original("bge-m3"))
    assert len(tokenizer([LONG], None).ids[0]) > ort.WHOLE_ATTENTION
