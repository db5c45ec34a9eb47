"""Made-up results of a comparison: four variants on two data sets."""

from collections.abc import Sequence

import numpy as np

from edge_st.comparison.results import Difference, Example, Interval, ModelVariant, Result

VARIANTS = (
    ModelVariant("MiniLM float32", "all-MiniLM-L6-v2", "onnx", "float32", "float32", 384, 1536, 412.7, 182_400_000),
    ModelVariant(
        "MiniLM bfloat16", "all-MiniLM-L6-v2", "openvino", "bfloat16", "float32", 384, 1536, 1263.4, 241_900_000
    ),
    ModelVariant(
        "MiniLM int8 vectors", "all-MiniLM-L6-v2", "openvino", "bfloat16", "int8", 384, 384, 1263.4, 241_900_000
    ),
    ModelVariant(
        "static, 256", "static-all-MiniLM-L6-v2", "numpy", "float32", "float32", 256, 1024, 38_214.0, 61_300_000
    ),
)
_QUALITIES = {"support questions": (0.8421, 0.8419, 0.8377, 0.7316), "news in Arabic": (0.6120, 0.6134, 0.6101, 0.4127)}
_P_VALUES = (1.0, 0.71, 0.032, 0.0)
_TEXTS = ("How do I renew the certificate?", "ما هي عاصمة فرنسا؟", 'a < b && "c" 🙂', "two\nlines")


def result(variant: ModelVariant, data: str, quality: float, first: float | None, p_value: float = 1.0) -> Result:
    """One result; without ``first`` it is that of the first variant."""
    random = np.random.default_rng(round(quality * 10_000))
    difference = None
    if first is not None:
        change = quality - first
        difference = Difference(Interval(change, change - 0.0035, change + 0.0035), p_value)
    return Result(
        variant,
        data,
        400,
        "ndcg@10",
        Interval(quality, quality - 0.021, quality + 0.019),
        difference,
        {"ndcg@10": quality, "mrr@10": quality - 0.03, "recall@100": min(1.0, quality + 0.12)},
        random.normal(quality * 0.8, 0.12, 600).astype(np.float32),
        random.normal(0.08, 0.09, 900).astype(np.float32),
        _worst(first),
    )


def plausible() -> Sequence[Result]:
    """Each variant on each data set."""
    return [
        result(variant, data, quality, qualities[0] if index else None, p_value)
        for data, qualities in _QUALITIES.items()
        for index, (variant, quality, p_value) in enumerate(zip(VARIANTS, qualities, _P_VALUES, strict=True))
    ]


def _worst(first: float | None) -> tuple[Example, ...]:
    details = ("expected: document 17, “Renewing certificates”", "found: document 4, “Lunch is at noon”")
    return tuple(
        Example(text, place / 10, None if first is None else 1.0, details) for place, text in enumerate(_TEXTS)
    )
