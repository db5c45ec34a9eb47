"""What an export makes of multi-vector models: their form, their record, what is refused, and what the gate catches."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_st
from edge_st.verification.checks import verify_folder
from edge_st.verification.outputs import output_rows
from edge_st.verification.variants import GraphVariant
from edge_st_export import ExportError, convert_model, export_model
from edge_st_export.folder.ordering import in_order
from edge_st_export.folder.parity import measure
from edge_st_export.original.comparing import compare_with_original
from edge_st_export.original.reference import Reference, ReferencePart, compute_reference
from edge_st_export.original.texts import GOLDEN_TOKENS, questions, texts_for
from edge_st_runtime.errors import DamagedFileError, UnsupportedModelError, WrongClassError
from edge_st_runtime.model.classes import MULTI_VECTOR_ENCODER
from tests.export.folder.test_export import read_record
from tests.export.zoo.examining import Zoo
from tests.support.tiny_models import write_json

sentence_transformers = pytest.importorskip("sentence_transformers", minversion="6.0")

ONNX = GraphVariant("onnx/model.onnx", "onnx")
TEXTS = ["The quick, brown fox!", "a", "", "seven small boats sail across the cold northern sea " * 4]
#: the form of a saved model, in which any version since 6 opens it
KINDS = ["Transformer", "Dense", "MultiVectorMask", "Normalize"]


@pytest.fixture(params=["pylate", "pylate-plain", "stanford", "stanford-bare"])
def foreign(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def kinds(folder: Path) -> list[str]:
    entries = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    assert all(entry["type"].startswith("sentence_transformers.") for entry in entries)
    return [entry["type"].rpartition(".")[2] for entry in entries]


class TestTheForm:
    def test_folders_of_others_become_those_of_sentence_transformers(self, foreign: str, zoo: Zoo) -> None:
        folder = zoo.exported(foreign).path
        assert kinds(folder) == KINDS
        settings = json.loads((folder / "config_sentence_transformers.json").read_text(encoding="utf-8"))
        assert settings["model_type"] == MULTI_VECTOR_ENCODER
        assert not {"query_prefix", "document_prefix"} & set(settings)
        assert read_record(folder)["task"] == "multi-vector-encoder"

    def test_sentence_transformers_opens_them(self, foreign: str, zoo: Zoo, tmp_path: Path) -> None:
        """With the weights, which an export leaves behind, put back."""
        folder = shutil.copytree(zoo.exported(foreign).path, tmp_path / "copy")
        original = sentence_transformers.MultiVectorEncoder(str(zoo.original(foreign)), device="cpu")
        original[0].auto_model.save_pretrained(tmp_path / "weights")
        shutil.copyfile(tmp_path / "weights" / "model.safetensors", folder / "model.safetensors")
        opened = sentence_transformers.MultiVectorEncoder(str(folder), device="cpu")
        for method in ("encode", "encode_query", "encode_document"):
            both = zip(getattr(opened, method)(TEXTS), getattr(original, method)(TEXTS), strict=True)
            assert all(np.array_equal(found, wanted) for found, wanted in both), method

    def test_a_marker_stays_one_token(self, foreign: str, zoo: Zoo) -> None:
        model = edge_st.MultiVectorEncoder(zoo.exported(foreign).path)
        tokenizer = model.tokenizer
        for name, marker in zip(
            ("query", "document"), ("[Q] ", "[D] ") if "pylate" in foreign else ("[unused0]", "[unused1]"), strict=True
        ):
            ids = tokenizer.encode(f"{model.prompts[name]}fox").ids
            assert tokenizer.token_to_id(marker) == ids[1]

    def test_lengths_and_expansion_are_kept(self, zoo: Zoo) -> None:
        model = edge_st.MultiVectorEncoder(zoo.exported("stanford").path)
        assert [len(rows) for rows in model.encode_query(TEXTS)] == [24] * 4
        assert len(model.encode_document(["fox " * 60])[0]) == 44
        plain = edge_st.MultiVectorEncoder(zoo.exported("pylate-plain").path)
        assert [len(rows) for rows in plain.encode_query(["fox", "fox " * 60])] == [5, 30]


class TestTheRecord:
    def test_golden_vectors_of_every_token(self, zoo: Zoo) -> None:
        report = zoo.exported("late-fixed")
        content = read_record(report.path)
        golden = content["golden"]
        assert golden["texts"] == list(GOLDEN_TOKENS)
        called = [(part["prompt_name"], part["task"]) for part in golden["vectors"]]
        assert called == [(None, None), ("query", "query"), ("document", "document")]
        model = edge_st.MultiVectorEncoder(report.path)
        for part in golden["vectors"]:
            found = model.encode(golden["texts"], prompt_name=part["prompt_name"], task=part["task"])
            assert part["counts"] == [len(rows) for rows in found]
            assert np.abs(np.concatenate(found) - np.array(part["embeddings"])).max() < 2e-5
        assert golden["vectors"][1]["counts"] == [32] * 3
        assert content["dimension"] == 24

    def test_every_query_ranks_its_documents_as_the_original(self, zoo: Zoo) -> None:
        count = sum(len(asked) for _, asked in questions())
        for name in ("late-bert", "late-modernbert", "late-mean", "stanford"):
            assert [(graph.in_order, graph.queries) for graph in zoo.exported(name).graphs] == [(count, count)]

    def test_verifying_by_it(self, zoo: Zoo, tmp_path: Path) -> None:
        folder = shutil.copytree(zoo.exported("late-fixed").path, tmp_path / "copy")
        (rows,) = verify_folder(folder).values()
        assert [row.equal for row in rows] == [True] * 3
        content = read_record(folder)
        query = content["golden"]["vectors"][1]
        query["embeddings"][3] = query["embeddings"][40]
        write_json(folder / "edge_st.json", content)
        (rows,) = verify_folder(folder).values()
        assert [row.equal for row in rows] == [True, False, True]

    @pytest.mark.parametrize("counts", [[32, 32], [32, 32, 31], [33, 32, 31.0], "96", [97, 0, -1]])
    def test_wrong_counts_are_told(self, counts: Any, zoo: Zoo, tmp_path: Path) -> None:
        folder = shutil.copytree(zoo.exported("late-fixed").path, tmp_path / "copy")
        content = read_record(folder)
        content["golden"]["vectors"][1]["counts"] = counts
        write_json(folder / "edge_st.json", content)
        with pytest.raises(DamagedFileError, match=r"counts is .*; expected"):
            edge_st.MultiVectorEncoder(folder)

    def test_another_number_of_tokens_is_no_equal_output(self, zoo: Zoo, tmp_path: Path) -> None:
        folder = shutil.copytree(zoo.exported("late-fixed").path, tmp_path / "copy")
        content = read_record(folder)
        document = content["golden"]["vectors"][2]
        document["counts"][0] += 1
        document["counts"][1] -= 1
        write_json(folder / "edge_st.json", content)
        (rows,) = verify_folder(folder).values()
        assert [row.equal for row in rows] == [True, True, False]
        assert "another number of vectors" in rows[2].output


class TestTheGate:
    @pytest.fixture
    def reference(self, zoo: Zoo) -> Reference:
        model = edge_st.MultiVectorEncoder(zoo.exported("late-fixed").path)
        return compute_reference(model, model.prompts, [None], texts_for(MULTI_VECTOR_ENCODER))

    def test_other_tokens_are_an_error(self, reference: Reference, zoo: Zoo) -> None:
        folder, first = zoo.exported("late-fixed").path, reference[0]
        assert first.counts is not None
        counts = first.counts.copy()
        counts[0] += 1
        counts[1] -= 1
        with pytest.raises(ExportError, match=r"gives \d+ token vectors for 'A heron .* with task=None, the original"):
            measure(folder, ONNX, (replace(first, counts=counts), *reference[1:]))

    def test_a_token_that_is_off_is_the_worst(self, reference: Reference, zoo: Zoo) -> None:
        query = reference[1]
        vectors = query.embeddings.copy()
        vectors[35] *= -1  # of the second text
        report = measure(zoo.exported("late-fixed").path, ONNX, (reference[0], replace(query, embeddings=vectors)))
        assert report.cosine_min < -0.999
        assert report.worst_text == query.texts[1]

    def test_documents_in_another_order_are_counted(self, reference: Reference) -> None:
        found = [part.embeddings for part in reference]
        count = sum(len(asked) for _, asked in questions())
        assert in_order(found, reference) == (count, count)
        turned = [found[0], found[1], -found[2]]
        ordered, queries = in_order(turned, reference)
        assert queries == count
        assert ordered < count / 2

    def test_a_part_without_questions_counts_none(self, reference: Reference) -> None:
        assert in_order([reference[0].embeddings], reference[:1]) == (0, 0)


def test_rows_of_each_text(zoo: Zoo) -> None:
    model = edge_st.MultiVectorEncoder(zoo.exported("late-fixed").path)
    rows, counts = output_rows(model, TEXTS, "document", "document")
    assert counts is not None
    assert counts.tolist() == [len(each) for each in model.encode_document(TEXTS)]
    part = ReferencePart("document", "document", (*TEXTS, *GOLDEN_TOKENS[:1]), rows, counts)
    assert part.golden_texts == [GOLDEN_TOKENS[0]]


class TestConvert:
    @pytest.mark.parametrize("name", ["late-bert", "late-roberta", "late-mpnet"])
    def test_it_equals_the_original(self, name: str, zoo: Zoo, tmp_path: Path) -> None:
        made = convert_model(zoo.original(name), tmp_path / "out")
        assert made.model_type == MULTI_VECTOR_ENCODER
        ((_, rows),) = compare_with_original(made.path, str(zoo.original(name))).items()
        assert [row.output for row in rows if not row.equal] == []
        assert {"encode_query", "encode_document", "similarity", "similarity_pairwise"} <= {row.output for row in rows}

    def test_folders_of_others_are_for_the_exporter(self, foreign: str, zoo: Zoo, tmp_path: Path) -> None:
        writer = "PyLate" if "pylate" in foreign else "Stanford's ColBERT"
        with pytest.raises(UnsupportedModelError, match=f"as {writer} saves it; make a .* edge-st export"):
            convert_model(zoo.original(foreign), tmp_path / "out")
        assert not (tmp_path / "out").exists()


class TestRefused:
    def test_a_folder_of_others_before_the_export(self, foreign: str, zoo: Zoo) -> None:
        with pytest.raises(UnsupportedModelError, match=r"is a ColBERT model as .* saves it; make a MultiVector"):
            edge_st.MultiVectorEncoder(zoo.original(foreign))

    def test_a_colbert_model_as_another_class(self, foreign: str, zoo: Zoo, tmp_path: Path) -> None:
        with pytest.raises(WrongClassError, match="is a ColBERT model, not a CrossEncoder"):
            export_model(zoo.original(foreign), tmp_path / "out", task="cross-encoder", quiet=True)

    def test_an_embedding_model(self, small_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(WrongClassError, match="is a SentenceTransformer, not a MultiVectorEncoder"):
            export_model(small_folder, tmp_path / "out", task="multi-vector-encoder", quiet=True)

    def test_a_bare_transformer(self, zoo: Zoo, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedModelError, match="its projection would have random weights"):
            export_model(zoo.original("transformer-alone"), tmp_path / "out", task="multi-vector-encoder", quiet=True)

    def test_models_of_pages_as_pictures(self, zoo: Zoo, tmp_path: Path) -> None:
        bare = tmp_path / "bare"
        bare.mkdir()
        write_json(bare / "config.json", {"architectures": ["ColPaliForRetrieval"], "model_type": "colpali"})
        with pytest.raises(UnsupportedModelError, match="ColPaliForRetrieval, which compares texts with pages"):
            export_model(bare, tmp_path / "out", quiet=True)
        saved = shutil.copytree(zoo.original("late-bert"), tmp_path / "saved")
        file = saved / "sentence_bert_config.json"
        content = json.loads(file.read_text(encoding="utf-8"))
        write_json(file, {**content, "transformer_task": "retrieval"})
        with pytest.raises(
            UnsupportedModelError, match="transformer_task is 'retrieval', that of models which compare"
        ):
            export_model(saved, tmp_path / "out", quiet=True)

    def test_an_older_sentence_transformers(self, zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(sentence_transformers, MULTI_VECTOR_ENCODER)
        with pytest.raises(ExportError, match=r"has no MultiVectorEncoder; pip install -U sentence-transformers"):
            export_model(zoo.original("late-bert"), tmp_path / "out", engines=["onnx"], quiet=True)
        assert not (tmp_path / "out").exists()
