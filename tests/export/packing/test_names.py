"""What a packed model is called, and under which licence."""

from pathlib import Path

import pytest

from edge_st_export.packing.licence import licence_of
from edge_st_export.packing.names import PackedName
from edge_st_runtime.errors import OptionError


@pytest.mark.parametrize(
    ("name", "distribution", "found_as"),
    [
        ("all-MiniLM-L6-v2", "edge-st-model-all-minilm-l6-v2", ("all-MiniLM-L6-v2",)),
        ("BAAI/bge-m3", "edge-st-model-bge-m3", ("bge-m3", "BAAI/bge-m3")),
        ("a/_x.._Y-1.5_", "edge-st-model-x-y-1-5", ("_x.._Y-1.5_", "a/_x.._Y-1.5_")),
        ("7B", "edge-st-model-7b", ("7B",)),
    ],
)
def test_names(name: str, distribution: str, found_as: tuple[str, ...]) -> None:
    packed = PackedName(name)
    assert (packed.distribution, packed.found_as) == (distribution, found_as)
    assert packed.package.isidentifier()


@pytest.mark.parametrize(
    "name", ["my model", "modèle", "a/b/c", "/a", "a/", "---", "../x", ".x/y", "x=y", "[x", "a\nb", "名", "x" * 97]
)
def test_name_that_pip_or_the_hub_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=r"the model's name is .*--name all-MiniLM-L6-v2"):
        PackedName(name)


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ("license: apache-2.0", "Apache-2.0"),
        ("license: cc-by-nc-4.0", "CC-BY-NC-4.0"),
        ("license: gemma", "LicenseRef-gemma"),
        ("license: other\nlicense_name: my terms_v1", "LicenseRef-my-terms-v1"),
        ("license: other", "LicenseRef-other"),
        ("license: [mit, apache-2.0]", None),
        ("language: en", None),
        ("just words", None),
    ],
)
def test_licence_of_a_card(tmp_path: Path, front: str, expected: str | None) -> None:
    card = tmp_path / "README.md"
    card.write_text(f"---\n{front}\n---\n# A model\nlicense: mit\n")
    assert licence_of(card) == expected
    card.write_text(f"# No front matter\n\n---\n{front}\n---\n")
    assert licence_of(card) is None
