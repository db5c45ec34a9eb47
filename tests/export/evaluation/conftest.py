"""Comparisons that only sentence-transformers 6 can pass: 5.7 measures otherwise (docs/differences.md)."""

from importlib.metadata import version
from pathlib import Path

import pytest

_SINCE_6 = {
    "test_api.py": {"test_sequences"},
    "test_cross.py": {"test_pairs", "test_two_classes"},
    "test_models.py": {"test_evaluate"},
    "test_pairs.py": {
        "test_binary_classification",
        "test_from_input_examples",
        "test_labels",
        "test_paraphrase_mining",
        "test_paraphrase_mining_of_ties",
        "test_precisions",
        "test_similarity_functions_of_the_enumeration",
        "test_thresholds",
        "test_triplet",
    },
    "test_retrieval.py": {"test_tied_results"},
    "test_sparse.py": {"test_from_input_examples", "test_options_of_all", "test_similarity_functions", "test_triplet"},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip them with an older version."""
    if int(version("sentence-transformers").partition(".")[0]) >= 6:
        return
    for item in items:
        name = getattr(item, "originalname", item.name)
        if Path(item.path).parent == Path(__file__).parent and name in _SINCE_6.get(Path(item.path).name, ()):
            item.add_marker(pytest.mark.skip(reason="sentence-transformers 5.7 measures otherwise"))
