import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")

import torch
from safetensors.numpy import load_file
from scipy.stats import spearmanr
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, Transformer
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import WordPieceTrainer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import edge_st
from edge_st_export.static import distill as distilling
from edge_st_export.static.distill import distill, special_tokens
from edge_st_export.static.quality import built_in_texts
from edge_st_runtime.errors import InputError, MissingFileError, OptionError, UnsupportedModelError
from tests.export.originals import save_original
from tests.export.zoo.building import XLM
from tests.support.tiny_tokenizers import random_texts

SENTENCE = "the river runs past an old mill while two grey herons wait for fish under a wooden bridge at dawn"
WORDS = SENTENCE.split()
SPECIAL = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, size=random.integers(2, 9))) for _ in range(300)]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    tokenizer.train_from_iterator(corpus, WordPieceTrainer(vocab_size=120, special_tokens=SPECIAL))
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 3), ("[SEP]", 4)])
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=5)
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    named = {f"{name}_token": token for name, token in names.items()}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder / "bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    BertModel(config).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=32)
    SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu").save(str(folder / "model"))
    return folder / "model"


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    path = tmp_path_factory.mktemp("texts") / "texts.txt"
    path.write_text("\n".join(corpus) + "\n\n", encoding="utf-8")
    return path


def encode(folder: Path, texts: list[str]) -> np.ndarray:
    tensors = load_file(folder / "model.safetensors")
    scale = tensors.get("embedding.scale", np.ones(1, dtype=np.float32))
    rows = tensors["embedding.weight"] * scale[:, None]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    sums = np.stack([rows[i].sum(axis=0) for i in ids])
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_float_copy_loads_in_sentence_transformers_and_int8_gives_the_same_vectors(
    teacher: Path, texts: Path, corpus: list[str], tmp_path: Path
) -> None:
    distill(teacher, tmp_path / "float", dim=16, texts=texts, storage="float32")
    distill(teacher, tmp_path / "int8", dim=16, texts=texts, storage="int8")
    sample = ["", "A RIVER, an old mill!", *corpus[:20], " ".join(WORDS * 20)]
    original = SentenceTransformer(str(tmp_path / "float"), device="cpu")
    expected = original.encode(sample)
    assert [type(module).__name__ for module in original] == ["StaticEmbedding", "Normalize"]
    np.testing.assert_allclose(encode(tmp_path / "float", sample), expected, atol=1e-6)
    assert not expected[0].any()
    assert (encode(tmp_path / "int8", sample)[1:] * expected[1:]).sum(axis=1).min() > 0.999


def test_int8_folder_holds_rows_scales_and_a_bare_tokenizer(teacher: Path, tmp_path: Path) -> None:
    result = distill(teacher, tmp_path / "out", dim=8)
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert tensors["embedding.weight"].dtype == np.int8
    assert tensors["embedding.weight"].shape == (result.vocabulary, 8)
    assert tensors["embedding.scale"].shape == (result.vocabulary,)
    tokenizer = json.loads((tmp_path / "out" / "tokenizer.json").read_text(encoding="utf-8"))
    assert (tokenizer["truncation"], tokenizer["padding"], tokenizer["post_processor"]) == (None, None, None)
    assert not tensors["embedding.weight"][: len(SPECIAL)].any()


def test_fitting_brings_held_out_texts_nearer_to_the_teacher(teacher: Path, texts: Path, tmp_path: Path) -> None:
    result = distill(teacher, tmp_path / "out", dim=16, texts=texts)
    assert result.texts == 300
    assert result.cosine_before is not None
    assert result.quality.cosine_mean is not None
    assert result.quality.cosine_mean > result.cosine_before


def test_same_arguments_give_the_same_bytes(teacher: Path, texts: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        distill(teacher, tmp_path / name, dim=16, texts=texts)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_interrupted_write_leaves_nothing(teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(distilling, "write_card", stop)
    with pytest.raises(KeyboardInterrupt):
        distill(teacher, tmp_path / "out", dim=8)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dim": 0}, "dim=0"), ({"dim": 33}, "at most 32"), ({"storage": "int4"}, "'int8' or 'float32'")],
)
def test_options_out_of_range_are_refused(
    teacher: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        distill(teacher, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused(teacher: Path, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OptionError, match="exists"):
        distill(teacher, tmp_path)
    with pytest.raises(OptionError, match="holds files but no model"):
        distill(teacher, tmp_path, force=True)


def test_force_replaces_a_model(teacher: Path, tmp_path: Path) -> None:
    for dim in (8, 12):
        distill(teacher, tmp_path / "out", dim=dim, force=True)
    assert edge_st.SentenceTransformer(tmp_path / "out").get_embedding_dimension() == 12


def test_text_files_that_cannot_serve_are_refused(teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="one text a line"):
        distill(teacher, tmp_path / "out", texts=tmp_path / "absent.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(InputError, match="not UTF-8"):
        distill(teacher, tmp_path / "out", texts=tmp_path / "latin.txt")
    (tmp_path / "blank.txt").write_text("\n \n", encoding="utf-8")
    with pytest.raises(InputError, match="holds 0 texts"):
        distill(teacher, tmp_path / "out", texts=tmp_path / "blank.txt")


def test_a_teacher_without_a_fast_tokenizer_is_refused(tmp_path: Path) -> None:
    words = Tokenizer(WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    module = StaticEmbedding(words, embedding_weights=np.eye(2, dtype=np.float32))
    SentenceTransformer(modules=[module], device="cpu").save(str(tmp_path / "static"))
    with pytest.raises(UnsupportedModelError, match="not a fast tokenizer"):
        distill(tmp_path / "static", tmp_path / "out")


@pytest.mark.parametrize("fitted", [False, True])
def test_the_comparison_with_the_teacher_is_true_and_kept(
    fitted: bool, teacher: Path, texts: Path, corpus: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quality = distill(teacher, tmp_path / "out", dim=16, texts=texts if fitted else None).quality
    held = corpus[::3] if fitted else built_in_texts()
    wanted, found = (
        model(str(path)).encode(held, normalize_embeddings=True)
        for model, path in ((SentenceTransformer, teacher), (edge_st.SentenceTransformer, tmp_path / "out"))
    )
    pairs = np.triu_indices(len(held), k=1)
    both = [(vectors @ vectors.T)[pairs] for vectors in (found, wanted)]
    assert quality.texts == len(held)
    assert quality.spearman == pytest.approx(spearmanr(*both)[0], abs=1e-4)
    others = [vectors @ vectors.T - 9 * np.eye(len(held)) for vectors in (found, wanted)]
    same = others[0].argmax(axis=1) == others[1].argmax(axis=1)
    assert quality.agreement == pytest.approx(same.mean(), abs=3 / len(held))
    assert (quality.cosine_p5 is None) is not fitted
    kept = json.loads((tmp_path / "out" / "distillation.json").read_text(encoding="utf-8"))
    assert kept["quality"] == quality.entry()
    line = f"Spearman of similarities  {quality.spearman:.4f}"
    assert line in capsys.readouterr().out
    assert line in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_a_teacher_of_many_languages_is_fitted_to_texts_of_some(tmp_path: Path) -> None:
    """Its tokenizer is a Unigram, with other special tokens around a text than BERT's."""
    teacher = save_original(tmp_path, **XLM)
    lines = [text for text in dict.fromkeys(random_texts(200, longest=12)) if text]
    (tmp_path / "texts.txt").write_text("\n".join(lines), encoding="utf-8")
    result = distill(teacher, tmp_path / "out", dim=16, texts=tmp_path / "texts.txt")
    assert result.cosine_before is not None
    assert result.quality.cosine_mean is not None
    assert result.quality.cosine_mean > result.cosine_before
    assert edge_st.SentenceTransformer(tmp_path / "out").encode("日本語 مرحبا").any()


def test_special_tokens_of_a_teacher(teacher: Path) -> None:
    assert special_tokens(SentenceTransformer(str(teacher)).tokenizer) == ([3], [4])
