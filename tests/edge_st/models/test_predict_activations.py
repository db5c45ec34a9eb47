"""What ``CrossEncoder.predict`` makes of the logits: the activation of the call, of the constructor, of the folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_st import CrossEncoder, EdgeSTError
from edge_st_runtime.errors import OptionError
from tests.support.tiny_pair_models import ONE, PAIR, PAIRS, TinyCrossEncoder


def twice(logits: Any) -> Any:
    return 2 * logits


class Sigmoid:
    """What matters of torch's class."""

    __module__ = "torch.nn.modules.activation"

    def __repr__(self) -> str:
        return "Sigmoid()"


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
def test_activations(case: str, where: str, cross_encoder_folders: dict[int, Path]) -> None:
    activation, expected = ACTIVATIONS[case]
    model = CrossEncoder(
        cross_encoder_folders[1], backend="onnx", activation_fn=activation if where == "constructor" else None
    )
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
def test_wrong_activations(wrong: Any, message: str, cross_encoder: CrossEncoder) -> None:
    with pytest.raises(OptionError, match=message):
        cross_encoder.predict([PAIR, PAIR], activation_fn=wrong)


def test_an_unknown_activation_of_the_constructor(cross_encoder_folders: dict[int, Path]) -> None:
    with pytest.raises(OptionError, match="activation_fn is 'unheard'"):
        CrossEncoder(cross_encoder_folders[1], backend="onnx", activation_fn="unheard")


TANH = "torch.nn.modules.activation.Tanh"
IDENTITY = "torch.nn.modules.linear.Identity"


@pytest.mark.parametrize(
    ("settings", "config", "expected"),
    [
        ({}, {}, "torch.nn.modules.activation.Sigmoid"),
        ({"activation_fn": TANH}, {}, "torch.nn.modules.activation.Tanh"),
        (
            {},
            {"sentence_transformers": {"activation_fn": TANH, "version": "4.1.0"}},
            "torch.nn.modules.activation.Tanh",
        ),
        ({}, {"sbert_ce_default_activation_function": IDENTITY}, "torch.nn.modules.linear.Identity"),
        (
            {"activation_fn": TANH},
            {"sentence_transformers": {"activation_fn": IDENTITY}},
            "torch.nn.modules.activation.Tanh",
        ),
        (
            {},
            {"sentence_transformers": {"activation_fn": IDENTITY}, "sbert_ce_default_activation_function": TANH},
            "torch.nn.modules.linear.Identity",
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
