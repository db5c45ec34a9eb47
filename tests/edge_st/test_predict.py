"""``CrossEncoder.predict``: the original's scores for pairs in every form, options and activations."""

import json
import logging
import math
import random
import warnings
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, EdgeSTError
from edge_st_runtime.errors import OptionError, TextTooLongError
from tests.tiny_graphs import HIDDEN
from tests.tiny_models import LIMIT, MEAN, TinyModel, dense, write_json
from tests.tiny_pair_models import TinyCrossEncoder
from tests.tiny_tokenizers import NASTY, random_texts

TEXTS = [*NASTY, *random_texts(30)]
PAIRS = list(zip(TEXTS, random.Random(3).sample(TEXTS, len(TEXTS)), strict=True))
PAIR = ("who painted the door", "nobody remembers")
BACK = (PAIR[1], PAIR[0])
ONE, THREE = TinyCrossEncoder(), TinyCrossEncoder(labels=3)


def twice(logits: Any) -> Any:
    return 2 * logits


class Sigmoid:
    """What matters of torch's class."""

    __module__ = "torch.nn.modules.activation"

    def __repr__(self) -> str:
        return "Sigmoid()"


class Frame:
    """What matters of a pandas Series, or with two axes of a DataFrame."""

    iloc = None

    def __init__(self, values: list[Any], ndim: int = 1) -> None:
        self._values, self.ndim = values, ndim

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Any:
        return iter(self._values)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    return {tiny.labels: tiny.save(tmp_path_factory.mktemp("pairs")) for tiny in (ONE, THREE)}


@pytest.fixture(scope="module")
def model(folders: dict[int, Path], engine: str) -> CrossEncoder:
    return CrossEncoder(folders[1], backend=engine, num_threads=2)


@pytest.fixture(scope="module")
def three(folders: dict[int, Path]) -> CrossEncoder:
    return CrossEncoder(folders[3], backend="onnx")


@pytest.fixture
def fresh(folders: dict[int, Path]) -> CrossEncoder:
    return CrossEncoder(folders[1], backend="onnx")


def test_scores(model: CrossEncoder) -> None:
    found = model.predict(PAIRS)
    assert (found.shape, found.dtype) == ((len(PAIRS),), np.float32)
    np.testing.assert_allclose(found, ONE.scores(PAIRS), atol=2e-6)
    assert model.num_labels == 1


def test_the_order_of_a_pair_counts(model: CrossEncoder) -> None:
    there, back = model.predict([PAIR, BACK])
    assert abs(there - back) > 0.01


def test_alone_and_in_any_batch_and_order(model: CrossEncoder) -> None:
    alone = np.array([model.predict(pair) for pair in PAIRS])
    order = random.Random(0).sample(range(len(PAIRS)), len(PAIRS))
    sizes: list[Any] = [1, 3, np.int64(7), 1000]
    for batch_size in sizes:
        shuffled = model.predict([PAIRS[row] for row in order], batch_size=batch_size)
        np.testing.assert_allclose(shuffled, alone[order], atol=1e-6)


@pytest.mark.parametrize(
    "inputs",
    [PAIR, list(PAIR), deque(PAIR), np.array(PAIR), np.array(PAIR, dtype=object), Frame(list(PAIR)), {"text": PAIR}],
    ids=["tuple", "list", "deque", "array", "object array", "series", "dict"],
)
def test_one_pair(inputs: Any, model: CrossEncoder) -> None:
    found = model.predict(inputs)
    assert type(found) is np.float32
    np.testing.assert_allclose(found, ONE.scores([PAIR])[0], atol=2e-6)


@pytest.mark.parametrize(
    "inputs",
    [
        [PAIR, BACK],
        (PAIR, list(BACK)),
        np.array([PAIR, BACK]),
        [np.array(PAIR), np.array(BACK)],
        Frame([PAIR, BACK]),
        [{"text": PAIR}, BACK],
    ],
    ids=["list", "tuple", "array", "list of arrays", "series", "dicts"],
)
def test_two_pairs(inputs: Any, model: CrossEncoder) -> None:
    np.testing.assert_allclose(model.predict(inputs), ONE.scores([PAIR, BACK]), atol=2e-6)


def test_a_list_of_one_pair_is_a_batch(model: CrossEncoder) -> None:
    assert model.predict([PAIR]).shape == (1,)


def test_a_single_text(model: CrossEncoder) -> None:
    np.testing.assert_allclose(model.predict("the fox"), ONE.scores(["the fox"])[0], atol=2e-6)


def test_no_pairs(model: CrossEncoder, three: CrossEncoder) -> None:
    assert (model.predict([]).shape, model.predict([]).dtype) == ((0,), np.float32)
    assert model.predict([], convert_to_numpy=False) == []
    for softmax in (False, True):
        assert three.predict([], apply_softmax=softmax).shape == (0, 3)


ODD: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "empty": (("", ""), ("", "")),
    "emoji": (("😀👍🏽", "👩‍👩‍👧 fox"), ("😀👍🏽", "👩‍👩‍👧 fox")),
    "CJK": (("日本語", "日本語のテキスト"), ("日本語", "日本語のテキスト")),
    "NUL": (("a\x00b", "\x00"), ("ab", "")),
    "special tokens": (("[SEP] fox [PAD]", "[CLS]"), ("[SEP] fox [PAD]", "[CLS]")),
    "a hundred thousand letters": (("fox", "x" * 100_000), ("fox", "[UNK]")),
    "fifty thousand words": (("fox " * 50_000, "dog " * 50_000), ("fox " * 30, "dog " * 30)),
}


@pytest.mark.parametrize(("pair", "same_as"), ODD.values(), ids=ODD.keys())
def test_odd_texts(pair: tuple[str, str], same_as: tuple[str, str], model: CrossEncoder) -> None:
    np.testing.assert_allclose(model.predict([PAIR, pair])[1:], ONE.scores([same_as]), atol=2e-6)


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "None": (None, TypeError, "inputs is None"),
    "number": (3, TypeError, r"inputs is int \(3\)"),
    "generator": ((pair for pair in [PAIR]), TypeError, "inputs is generator"),
    "bytes": (b"ab", TypeError, "inputs is bytes"),
    "three texts": (["a", "b", "c"], ValueError, "inputs is a list of 3 texts; expected a str, or a pair"),
    "a list of one text": (["a"], ValueError, "inputs is a list of 1 texts"),
    "a tuple of one text": (("a",), ValueError, "inputs is a tuple of 1 texts"),
    "no pair first": (["a", PAIR], TypeError, "inputs holds tuple"),
    "set": ({"a", "b"}, TypeError, "inputs is set"),
    "a dict of other names": ([{"query": "a", "document": "b"}], TypeError, r"inputs\[0\] is dict"),
    "triple": ([PAIR, ("a", "b", "c")], ValueError, r"inputs\[1\] is a tuple of 3 texts"),
    "one text": ([PAIR, ["a"]], ValueError, r"inputs\[1\] is a list of 1 texts"),
    "nothing": ([PAIR, []], ValueError, r"inputs\[1\] is a list of 0 texts"),
    "triples": (np.array([["a", "b", "c"]]), ValueError, r"inputs\[0\] is a list of 3 texts"),
    "numbers": (np.array([[1.0, 2.0]]), TypeError, r"inputs\[0\] holds float"),
    "number in pair": (("a", 3), TypeError, r"inputs holds int \(3\)"),
    "None in pair": ([PAIR, ("a", None)], TypeError, r"inputs\[1\] holds None"),
    "NaN in pair": ([("a", math.nan)], TypeError, r"inputs\[0\] holds float \(nan\)"),
    "None for a pair": ([PAIR, None], TypeError, r"inputs\[1\] is None"),
    "pair of pairs": ([(PAIR, PAIR)], TypeError, r"inputs\[0\] holds tuple"),
    "surrogate": ([PAIR, ("a", "\ud800")], ValueError, r"inputs\[1\] holds a lone surrogate; remove it"),
    "surrogate in one pair": (("\udfff", "a"), ValueError, "inputs holds a lone surrogate"),
    "data frame": (Frame(["query", "document"], ndim=2), TypeError, "inputs is Frame"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pairs(case: str, model: CrossEncoder) -> None:
    inputs, error, message = BAD[case]
    with pytest.raises(error, match=message) as raised:
        model.predict(inputs)
    assert isinstance(raised.value, EdgeSTError)


def test_the_callers_list_is_left_alone(model: CrossEncoder) -> None:
    inputs: list[Any] = [list(PAIR), {"text": list(PAIR)}]
    model.predict(inputs, prompt="query: ")
    assert inputs == [list(PAIR), {"text": list(PAIR)}]


def test_several_labels(three: CrossEncoder) -> None:
    found = three.predict(PAIRS)
    assert (three.num_labels, found.dtype) == (3, np.float32)
    np.testing.assert_allclose(found, THREE.logits(PAIRS), atol=5e-6)
    assert three.predict(PAIR).shape == (3,)
    softmax = np.exp(THREE.logits(PAIRS)) / np.exp(THREE.logits(PAIRS)).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(three.predict(PAIRS, apply_softmax=True), softmax, atol=2e-6)
    both = three.predict(PAIRS, apply_softmax=True, activation_fn="sigmoid")  # the softmax comes last
    np.testing.assert_allclose(both.sum(axis=1), 1, atol=1e-6)
    assert both.max() < softmax.max()


def test_softmax_of_one_label_is_one(model: CrossEncoder) -> None:
    np.testing.assert_array_equal(model.predict(PAIRS, apply_softmax=True), 1)


def test_labels_that_the_graph_does_not_tell(engine: str, tmp_path: Path) -> None:
    tiny = TinyCrossEncoder(labels=3, says_labels=False)
    model = CrossEncoder(tiny.save(tmp_path), backend=engine)
    assert model.num_labels == model.info()["num_labels"] == 3
    assert model.predict([]).shape == (0, 3)
    np.testing.assert_allclose(model.predict(PAIRS), tiny.logits(PAIRS), atol=5e-6)


@pytest.mark.parametrize("labels", [0, 2, "1"])
def test_another_number_of_labels(labels: Any, folders: dict[int, Path]) -> None:
    with pytest.raises(OptionError, match=f"num_labels is {labels}; this model has 1"):
        CrossEncoder(folders[1], backend="onnx", num_labels=labels)
    assert CrossEncoder(folders[1], backend="onnx", num_labels=1).num_labels == 1


def test_outputs(model: CrossEncoder, three: CrossEncoder) -> None:
    listed = model.predict([PAIR, PAIR], convert_to_numpy=False)
    assert isinstance(listed, list)
    assert [type(score) for score in listed] == [np.float32] * 2
    rows = three.predict([PAIR], convert_to_numpy=False)
    assert isinstance(rows, list)
    assert rows[0].shape == (3,)
    json.dumps(model.predict(PAIRS).tolist())


def test_tensors(model: CrossEncoder) -> None:
    try:
        import torch
    except ImportError:
        with pytest.raises(ImportError, match="convert_to_tensor=True needs torch"):
            model.predict([PAIR], convert_to_tensor=True)
    else:
        assert torch.equal(model.predict([PAIR], convert_to_tensor=True), torch.tensor(model.predict([PAIR])))


def test_progress_bar(model: CrossEncoder, capsys: pytest.CaptureFixture[str]) -> None:
    model.predict(PAIRS)
    assert capsys.readouterr().err == ""
    model.predict(PAIRS, show_progress_bar=True)
    assert f"{len(PAIRS)}/{len(PAIRS)}" in capsys.readouterr().err


ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "sigmoid": ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    "a dotted name": ("torch.nn.modules.activation.Tanh", np.tanh),
    "Identity": ("Identity", lambda x: x),
    "a function": (twice, lambda x: 2 * x),
    "a module of torch": (Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    "one that gives a list": (lambda x: (x - 1).tolist(), lambda x: x - 1),
    "one that gives float64": (lambda x: x.astype(np.float64) ** 3, lambda x: x**3),
}


@pytest.mark.parametrize("case", ACTIVATIONS)
@pytest.mark.parametrize("where", ["call", "constructor", "attribute"])
def test_activations(case: str, where: str, folders: dict[int, Path]) -> None:
    activation, expected = ACTIVATIONS[case]
    model = CrossEncoder(folders[1], backend="onnx", activation_fn=activation if where == "constructor" else None)
    if where == "attribute":
        model.activation_fn = activation
    found = model.predict(PAIRS, activation_fn=activation if where == "call" else None)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(ONE.logits(PAIRS)[:, 0]), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("unheard", "activation_fn is 'unheard'; expected a function of an array, or one of .*Sigmoid"),
        ("os.system", "activation_fn is 'os.system'"),
        (3, "activation_fn is 3; expected a function"),
        (lambda x: x.sum(), r"activation_fn made \(\) of logits \(2, 1\)"),
        (lambda x: x[:1], r"activation_fn made \(1, 1\) of logits \(2, 1\); expected a score for every pair"),
    ],
    ids=["unknown", "code", "number", "one number", "too few"],
)
def test_wrong_activations(wrong: Any, message: str, model: CrossEncoder) -> None:
    with pytest.raises(OptionError, match=message):
        model.predict([PAIR, PAIR], activation_fn=wrong)


def test_an_unknown_activation_of_the_constructor(folders: dict[int, Path]) -> None:
    with pytest.raises(OptionError, match="activation_fn is 'unheard'"):
        CrossEncoder(folders[1], backend="onnx", activation_fn="unheard")


TANH = "torch.nn.modules.activation.Tanh"
IDENTITY = "torch.nn.modules.linear.Identity"


@pytest.mark.parametrize(
    ("settings", "config", "expected"),
    [
        ({}, {}, "torch.nn.Sigmoid"),
        ({"activation_fn": TANH}, {}, "torch.nn.Tanh"),
        ({}, {"sentence_transformers": {"activation_fn": TANH, "version": "4.1.0"}}, "torch.nn.Tanh"),
        ({}, {"sbert_ce_default_activation_function": IDENTITY}, "torch.nn.Identity"),
        ({"activation_fn": TANH}, {"sentence_transformers": {"activation_fn": IDENTITY}}, "torch.nn.Tanh"),
        (
            {},
            {"sentence_transformers": {"activation_fn": IDENTITY}, "sbert_ce_default_activation_function": TANH},
            "torch.nn.Identity",
        ),
    ],
    ids=["none", "version 5", "version 4", "version 3", "5 before 4", "4 before 3"],
)
def test_the_models_own_activation(
    settings: dict[str, Any], config: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    tiny = TinyCrossEncoder(settings=settings, config=config)
    model = CrossEncoder(tiny.save(tmp_path), backend="onnx")
    assert model.info()["activation_fn"] == expected
    assert model.default_activation_function is model.activation_fn
    name = expected.rpartition(".")[2]
    np.testing.assert_array_equal(model.predict(PAIRS), model.predict(PAIRS, activation_fn=name))


def test_code_of_the_models_own_is_not_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tiny = TinyCrossEncoder(settings={"activation_fn": "their_code.Scale"})
    model = CrossEncoder(tiny.save(tmp_path), backend="onnx")
    assert "'their_code.Scale'" in caplog.text
    np.testing.assert_allclose(model.predict(PAIRS), ONE.scores(PAIRS), atol=2e-6)


def test_a_function_of_torch_that_is_not_known(tmp_path: Path) -> None:
    tiny = TinyCrossEncoder(settings={"activation_fn": "torch.nn.modules.activation.Unheard"})
    with pytest.raises(EdgeSTError, match="Unheard"):
        CrossEncoder(tiny.save(tmp_path), backend="onnx")


def test_prompts(tmp_path: Path) -> None:
    tiny = TinyCrossEncoder(settings={"prompts": {"query": "search: "}})
    model = CrossEncoder(tiny.save(tmp_path), backend="onnx", prompts={"mine": "old sea "})
    assert model.prompts == {"mine": "old sea ", "query": "search: "}
    np.testing.assert_allclose(model.predict(PAIRS), tiny.scores(PAIRS), atol=2e-6)
    for found, prompt in (
        (model.predict(PAIRS, prompt="the "), "the "),
        (model.predict(PAIRS, prompt_name="query"), "search: "),
        (model.predict(PAIRS, "mine"), "old sea "),
    ):
        np.testing.assert_allclose(found, tiny.scores(PAIRS, prompt), atol=2e-6)
    model.default_prompt_name = "query"
    np.testing.assert_allclose(model.predict(PAIRS), tiny.scores(PAIRS, "search: "), atol=2e-6)
    np.testing.assert_allclose(model.predict(PAIRS, prompt=""), tiny.scores(PAIRS), atol=2e-6)
    with pytest.raises(OptionError, match=r"prompt name 'other' is not among the prompts \['mine', 'query'\]"):
        model.predict(PAIRS, prompt_name="other")


def test_prompts_that_cannot_be(model: CrossEncoder) -> None:
    with pytest.raises(OptionError, match=f"has 31 tokens, max_seq_length is {LIMIT}: no text would be left"):
        model.predict(PAIRS, prompt="fox " * 30)
    wrong: Any = 3
    with pytest.raises(OptionError, match="prompt is 3; expected a str"):
        model.predict(PAIRS, prompt=wrong)


def test_a_model_without_prompts(model: CrossEncoder) -> None:
    assert model.prompts == {}


@pytest.mark.parametrize("limit", [5, 7, 16, 64])
def test_max_length(limit: int, folders: dict[int, Path], fresh: CrossEncoder) -> None:
    expected = TinyCrossEncoder(limit=limit).scores(PAIRS)
    fresh.max_length = limit
    models = (
        fresh,
        CrossEncoder(folders[1], backend="onnx", max_length=limit),
        CrossEncoder(folders[1], backend="onnx", processor_kwargs={"model_max_length": limit}),
    )
    for model in models:
        assert model.max_length == model.max_seq_length == limit
        np.testing.assert_allclose(model.predict(PAIRS), expected, atol=2e-6)


def test_lengths_that_cannot_be(fresh: CrossEncoder) -> None:
    assert fresh.max_length == LIMIT
    with pytest.raises(OptionError, match="max_seq_length is 65; this model has 64 positions"):
        fresh.max_length = 65
    with pytest.raises(OptionError, match="max_seq_length is 4; expected a token of each text beside the 3 special"):
        fresh.max_length = 4


def test_truncation_warns_of_the_pair(folders: dict[int, Path], caplog: pytest.LogCaptureFixture) -> None:
    model = CrossEncoder(folders[1], backend="onnx", truncation="warn")
    pairs = [PAIR, ("fox", "dog " * 40), PAIR, ("fox " * 21, "dog")]
    with caplog.at_level(logging.WARNING):
        model.predict(pairs)
    assert caplog.messages == [f"2 text(s) cut to {LIMIT} tokens: inputs 1, 3"]


def test_truncation_that_is_an_error(folders: dict[int, Path]) -> None:
    model = CrossEncoder(folders[1], backend="onnx", truncation="error")
    full = ("fox " * 20, "dog")
    assert model.predict([PAIR, full]).shape == (2,)
    with pytest.raises(TextTooLongError, match=rf"inputs\[1\] has 25 tokens, the model takes {LIMIT}"):
        model.predict([PAIR, ("fox " * 21, "dog")])
    with pytest.raises(TextTooLongError, match=rf"inputs\[0\] has 25 tokens, the model takes {LIMIT}"):
        model.predict(full, prompt="old ")


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "3", None, True])
def test_batch_sizes_that_are_none(batch_size: Any, model: CrossEncoder) -> None:
    with pytest.raises(OptionError, match="batch_size must be a positive integer"):
        model.predict([PAIR], batch_size=batch_size)


def test_unknown_keywords(model: CrossEncoder) -> None:
    with pytest.raises(OptionError, match=r"predict\(\) got \['return_documents'\]"):
        model.predict([PAIR], return_documents=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"sentences": [PAIR]}, {"inputs": [PAIR]}),
        ({"inputs": [PAIR], "activation_fct": twice}, {"inputs": [PAIR], "activation_fn": twice}),
        ({"inputs": [PAIR], "num_workers": 4}, {"inputs": [PAIR]}),
        (
            {"inputs": [PAIR], "activation_fct": "tanh", "activation_fn": twice},
            {"inputs": [PAIR], "activation_fn": twice},
        ),
    ],
    ids=["sentences", "activation_fct", "num_workers", "the new name wins"],
)
def test_old_names(old: dict[str, Any], new: dict[str, Any], model: CrossEncoder) -> None:
    with pytest.warns(DeprecationWarning, match="has no effect|is now") as caught:
        found = model.predict(**old)
    assert [Path(warning.filename).name for warning in caught] == ["test_predict.py"]
    np.testing.assert_array_equal(found, model.predict(**new))


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ({"automodel_args": {"file_name": "onnx/model.onnx"}}, {}),
        ({"tokenizer_args": {"model_max_length": 9}}, {"max_length": 9}),
        ({"default_activation_function": twice}, {"activation_fn": twice}),
    ],
    ids=str,
)
def test_old_names_of_the_constructor(old: Any, expected: dict[str, Any], folders: dict[int, Path]) -> None:
    with pytest.warns(DeprecationWarning, match=rf"CrossEncoder\({next(iter(old))}=…\) is now") as caught:
        model = CrossEncoder(folders[1], backend="onnx", **old)
    assert [Path(warning.filename).name for warning in caught] == ["test_predict.py"]
    assert {name: getattr(model, name) for name in expected} == expected


def test_arguments_that_were_once_positional(folders: dict[int, Path]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = CrossEncoder(folders[1], 1, 9, twice, "cpu", backend="onnx")
    assert (model.num_labels, model.max_length, model.activation_fn) == (1, 9, twice)
    with pytest.raises(TypeError):
        CrossEncoder(folders[1], 1, 9, twice, "cpu", "surplus", backend="onnx")


def test_unknown_keywords_of_the_constructor(folders: dict[int, Path]) -> None:
    with pytest.raises(TypeError, match="unheard"):
        CrossEncoder(folders[1], unheard=1)


def test_tokens_of_a_pair(model: CrossEncoder) -> None:
    """The number that `max_length` is about: of one pair, as `predict` takes it."""
    assert np.asarray(model.count_tokens([("fox", "dog"), ("fox", "dog dog")])).tolist() == [5, 6]
    assert model.count_tokens(("fox", "dog")) == 5
    assert model.preprocess(("fox", "dog"))["input_ids"].shape == (1, 5)


def test_scores_by_modules_after_the_graph(engine: str, tmp_path: Path) -> None:
    """As version 6 saves a head of its own: pooling, and a Dense that gives "scores"."""
    weight = np.random.default_rng(4).standard_normal((2, HIDDEN)).astype(np.float32)
    head = dense(weight, np.ones(2, dtype=np.float32), module_output_name="scores")
    tiny = TinyModel(modules=(MEAN, head), settings={"model_type": "CrossEncoder"})
    model = CrossEncoder(tiny.save(tmp_path), backend=engine)
    assert model.num_labels == 2
    np.testing.assert_allclose(model.predict(PAIRS), tiny.means(PAIRS) @ weight.T + 1, atol=1e-5)


def test_a_graph_of_tokens_is_no_cross_encoder(tmp_path: Path) -> None:
    folder = TinyModel().save(tmp_path)
    (folder / "modules.json").unlink()
    write_json(folder / "config.json", {"model_type": "bert", "architectures": ["BertForSequenceClassification"]})
    with pytest.raises(EdgeSTError, match="export"):
        CrossEncoder(folder, backend="onnx")


def test_no_model(folders: dict[int, Path]) -> None:
    with pytest.raises(OptionError, match="CrossEncoder has no bundled model"):
        CrossEncoder()
