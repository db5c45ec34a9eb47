"""Int8 graphs as sentence-transformers writes them: its functions, arguments and file names."""

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from edge_st.models.base import BaseModel
from edge_st.verification.variants import GraphVariant
from edge_st_runtime.engines import quiet_onnxruntime  # noqa: F401 - before anything else imports onnxruntime
from edge_st_runtime.errors import InputError, OptionError

from ..errors import converting
from ..folder.paths import ONNX_FILE
from .drop_ins import as_sentence_transformers, folder_with, record_variant, written

_FEATURES = {"arm64": ("asimd",), "avx2": ("avx2",), "avx512": ("avx512f",), "avx512_vnni": ("avx512_vnni",)}
#: the type of the weights; sentence-transformers puts it into the file's name
_WEIGHTS = {"arm64": "QInt8", "avx2": "QUInt8", "avx512": "QInt8", "avx512_vnni": "QInt8"}


def export_dynamic_quantized_onnx_model(
    model: Any,
    quantization_config: Any,
    model_name_or_path: str,
    push_to_hub: bool = False,
    create_pr: bool = False,
    file_suffix: str | None = None,
) -> None:
    """Write onnx/model_qint8_avx512_vnni.onnx and the like, exactly as sentence-transformers does.

    ``model`` is an edge-st model, or one of sentence-transformers loaded with ``backend="onnx"``;
    ``quantization_config`` is "arm64", "avx2", "avx512", "avx512_vnni" or optimum's QuantizationConfig. If the folder
    has edge_st.json, the graph is measured and added to it. The activations of a batch share one scale, so a text's
    vector depends a little on the other texts in its batch. Raises ValueError for a model or configuration that does
    not fit, and PackageMissingError for a model of sentence-transformers or a configuration object where optimum-onnx
    is not installed.
    Source: sentence_transformers.backend.export_dynamic_quantized_onnx_model, which does the work where it must.
    """
    suffix = file_suffix or _dynamic_suffix(quantization_config)
    if isinstance(quantization_config, str) and isinstance(model, BaseModel):
        make = partial(_write_dynamic, folder_with(model, ONNX_FILE) / ONNX_FILE, quantization_config)
        name = "export_dynamic_quantized_onnx_model"
        written(make, name, quantization_config, model_name_or_path, push_to_hub, create_pr, suffix)
    else:
        with as_sentence_transformers(model, "onnx") as original:
            from sentence_transformers import backend

            backend.export_dynamic_quantized_onnx_model(
                original, quantization_config, model_name_or_path, push_to_hub, create_pr, file_suffix
            )
    if not push_to_hub:
        file = f"onnx/model_{suffix}.onnx"
        record_variant(
            Path(model_name_or_path), GraphVariant(file, "onnx", "int8", _FEATURES.get(str(quantization_config), ()))
        )


def export_static_quantized_openvino_model(
    model: Any,
    quantization_config: Any,
    model_name_or_path: str,
    dataset_name: str | None = None,
    dataset_config_name: str | None = None,
    dataset_split: str | None = None,
    column_name: str | None = None,
    push_to_hub: bool = False,
    create_pr: bool = False,
    file_suffix: str = "qint8_quantized",
    *,
    texts: Sequence[str] | None = None,
) -> None:
    """Write openvino/openvino_model_qint8_quantized.xml and .bin, as sentence-transformers does.

    ``model`` is an edge-st model, or one of sentence-transformers loaded with ``backend="openvino"``;
    ``quantization_config`` is optimum-intel's OVQuantizationConfig, a dictionary of its arguments or None. The model is
    calibrated on the named dataset, which is downloaded, or on ``texts``: a few hundred like those to be encoded. If
    the folder has edge_st.json, the graph is measured and added to it. Raises OptionError for texts and a dataset
    together, InputError for texts that are not a list of strings, ValueError for a model or configuration that does
    not fit.
    Source: sentence_transformers.backend.export_static_quantized_openvino_model.
    """
    from sentence_transformers import backend

    dataset = (dataset_name, dataset_config_name, dataset_split, column_name)
    _check_texts(texts, dataset)
    with as_sentence_transformers(model, "openvino") as original:
        if texts is None:
            backend.export_static_quantized_openvino_model(
                original, quantization_config, model_name_or_path, *dataset, push_to_hub, create_pr, file_suffix
            )
        else:
            _quantize(original, quantization_config, texts, model_name_or_path, push_to_hub, create_pr, file_suffix)
    if not push_to_hub:
        record_variant(
            Path(model_name_or_path), GraphVariant(f"openvino/openvino_model_{file_suffix}.xml", "openvino", "int8")
        )


def _dynamic_suffix(config: Any) -> str:
    """The suffix that sentence-transformers gives to the file's name; raises OptionError for an unknown name."""
    if not isinstance(config, str):
        return f"{config.weights_dtype.name.lower()}_quantized"
    if config not in _WEIGHTS:
        raise OptionError(
            f"quantization_config is {config!r}; it must be a QuantizationConfig instance or one of "
            f"{', '.join(map(repr, _WEIGHTS))}"
        )
    return f"{_WEIGHTS[config].lower()}_{config}"


def _write_dynamic(graph: Path, config: str, target: Path) -> None:
    """Write ``graph`` with weights in int8, a scale for each column, and activations in int8, a scale for each batch.

    Source: optimum's ORTQuantizer and AutoQuantizationConfig, which call ONNX Runtime with the same arguments.
    """
    import onnx

    kinds = import_module("onnxruntime.quantization.quant_utils")
    operators = import_module("onnxruntime.quantization.registry").IntegerOpsRegistry
    with converting(f"the quantization of {graph} for {config}", "choose another configuration"):
        model = onnx.load(graph)
        inner = any(node.op_type in ("If", "Loop", "Scan", "SequenceMap") for node in model.graph.node)
        quantizer = import_module("onnxruntime.quantization.onnx_quantizer").ONNXQuantizer(
            model,
            per_channel=True,
            reduce_range=False,
            mode=kinds.QuantizationMode.IntegerOps,
            static=False,
            weight_qType=kinds.QuantType[_WEIGHTS[config]],
            activation_qType=kinds.QuantType.QUInt8,
            tensors_range=None,
            nodes_to_quantize=[],
            nodes_to_exclude=[],
            op_types_to_quantize=list(operators),
            extra_options={"WeightSymmetric": True, "ActivationSymmetric": False, "EnableSubgraph": inner},
        )
        quantizer.quantize_model()
        quantizer.model.save_model_to_file(str(target))


def _check_texts(texts: Sequence[str] | None, dataset: tuple[str | None, ...]) -> None:
    if texts is None:
        return
    if any(name is not None for name in dataset):
        raise OptionError("texts and a dataset are given together; give one of them to calibrate with")
    if isinstance(texts, str) or not texts or not all(isinstance(text, str) for text in texts):
        raise InputError("texts must be a list of strings, best a few hundred like those that will be encoded")


def _quantize(
    model: Any, config: Any, texts: Sequence[str], target: str, push_to_hub: bool, create_pr: bool, file_suffix: str
) -> None:
    from optimum.intel.openvino import OVConfig, OVQuantizationConfig, OVQuantizer
    from optimum.intel.openvino.modeling import OVModel
    from sentence_transformers.backend import save_or_push_to_hub_model

    from edge_st_runtime.engines import quiet_openvino  # noqa: F401 - before optimum imports openvino

    if not isinstance(model.transformers_model, OVModel):
        raise OptionError(
            'the model must be an edge-st model, or loaded by sentence-transformers with backend="openvino"'
        )
    config = OVQuantizationConfig(**config) if isinstance(config, dict) else config or OVQuantizationConfig()
    quantizer, samples = OVQuantizer.from_pretrained(model.transformers_model), _samples(model, texts)
    save_or_push_to_hub_model(
        export_function=lambda folder: quantizer.quantize(
            samples, save_directory=folder, ov_config=OVConfig(quantization_config=config)
        ),
        export_function_name="export_static_quantized_openvino_model",
        config=config,
        model_name_or_path=target,
        push_to_hub=push_to_hub,
        create_pr=create_pr,
        file_suffix=file_suffix,
        backend="openvino",
        model=model,
    )


def _samples(model: Any, texts: Sequence[str]) -> Any:
    """The graph's inputs for one text at a time, truncated to the model's limit; types of tokens are 0 if not given."""
    import nncf

    names = {port.any_name for port in model.transformers_model.model.inputs}
    limit = getattr(model, "max_seq_length", None) or getattr(model, "max_length", None)
    options = {"truncation": True, "max_length": limit, "return_tensors": "np"}
    encoded = [model.tokenizer(text, **options) for text in texts]
    given = [{name: sample.get(name, sample["input_ids"] * 0) for name in names} for sample in encoded]
    return nncf.Dataset(given)
