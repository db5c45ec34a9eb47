"""Chat templates: rendering, truncation, and templates that are refused."""

from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import DamagedFileError, InputError, MissingFileError, OptionError
from edge_st_runtime.text.chat import ChatTokenizer
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.tiny_tokenizers import save_tokenizer, wordpiece

ROLES = "{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}{{ eos_token }} the end"
OVER = "{% generation %} over{% endgeneration %}"
STRUCTURED = "{% for m in messages %}{% for part in m.content %}{{ part.text }} {% endfor %}{% endfor %}[SEP]"


def chat(folder: Path, template: str | None, form: str = "flat", **arguments: Any) -> ChatTokenizer:
    save_tokenizer(folder, wordpiece(), eos_token="[SEP]", padding_side="left")
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return ChatTokenizer(folder, {"format": form}, arguments)


def ids(folder: Path, text: str) -> list[int]:
    """The tokens of a rendered text, without special tokens."""
    return TextTokenizer(folder, special_tokens=False)([text], None).ids[0].tolist()


@pytest.mark.parametrize(
    ("text", "prompt", "rendered"),
    [
        ("the quick fox", None, "[user] the quick fox [SEP] the end"),
        ("", None, "[user]  [SEP] the end"),
        (("the quick", "brown fox"), None, "[query] the quick [document] brown fox [SEP] the end"),
        (
            ("the quick", "brown fox"),
            "jumps over",
            "[system] jumps over [query] the quick [document] brown fox [SEP] the end",
        ),
    ],
    ids=["text", "empty", "pair", "pair with a prompt"],
)
def test_what_is_rendered(text: Any, prompt: str | None, rendered: str, tmp_path: Path) -> None:
    tokens = chat(tmp_path, ROLES)([text], None, prompt)
    assert tokens.ids[0].tolist() == ids(tmp_path, rendered)
    assert tokens.counts.tolist() == [len(tokens.ids[0])]
    assert tokens.type_ids is None


def test_structured_contents_and_arguments(tmp_path: Path) -> None:
    assert chat(tmp_path, STRUCTURED, "structured")(["the fox"], None).ids[0].tolist() == ids(tmp_path, "the fox [SEP]")
    template = "{{ messages[0].content }}{% if add_generation_prompt %} jumps{% endif %}" + OVER
    found = chat(tmp_path, template, add_generation_prompt=True)(["the fox"], None)
    assert found.ids[0].tolist() == ids(tmp_path, "the fox jumps over")


def test_where_the_tokens_of_a_text_begin(tmp_path: Path) -> None:
    assert chat(tmp_path, ROLES).starts("the fox").tolist() == [0, 4]


@pytest.mark.parametrize("limit", range(4, 24))
def test_a_cut_text_keeps_what_the_template_ends_with(limit: int, tmp_path: Path) -> None:
    tokenizer = chat(tmp_path, ROLES)
    pair = ("the quick brown fox", "jumps over the lazy dog " * 3)
    whole = tokenizer([pair], None).ids[0].tolist()
    found = tokenizer([pair, ("the", "fox")], limit)
    ending = ids(tmp_path, "[SEP] the end")
    assert found.ids[0].tolist() == [*whole[: limit - len(ending)], *ending]
    assert found.counts[0] == len(whole)
    assert found.ids[1].tolist()[-len(ending) :] == ending


def test_without_the_ending(tmp_path: Path) -> None:
    tokenizer = chat(tmp_path, ROLES, restore_suffix=False)
    whole = tokenizer(["the quick brown fox"], None).ids[0].tolist()
    assert tokenizer(["the quick brown fox"], 5).ids[0].tolist() == whole[:5]


def test_templates_in_tokenizer_config(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, wordpiece(), chat_template=[{"name": "default", "template": "{{ messages[0].content }}"}])
    assert ChatTokenizer(tmp_path, {"format": "flat"}, {})(["fox"], None).ids[0].tolist() == ids(tmp_path, "fox")


def test_identity_follows_the_template(tmp_path: Path) -> None:
    assert chat(tmp_path, ROLES).identity() == chat(tmp_path, ROLES).identity()
    assert chat(tmp_path, ROLES).identity() != chat(tmp_path, STRUCTURED).identity()
    assert chat(tmp_path, ROLES).identity() != chat(tmp_path, ROLES, enable=True).identity()


def test_a_template_that_drops_the_document(tmp_path: Path) -> None:
    tokenizer = chat(tmp_path, "{{ messages[0].content }}")
    with pytest.raises(InputError, match="does not contain both texts of a pair"):
        tokenizer([("the", "fox")], None)


def test_limits(tmp_path: Path) -> None:
    tokenizer = chat(tmp_path, ROLES)
    with pytest.raises(OptionError, match="max_seq_length is 3; expected more than the tokens"):
        tokenizer.check_limit(3)
    with pytest.raises(OptionError, match=r"fills max_seq_length \(8\), so no text would be left"):
        tokenizer.prompt_length("the quick brown fox jumps over", 8)
    assert tokenizer.prompt_length("the quick", 48) == 0


@pytest.mark.parametrize(
    ("template", "error", "message"),
    [
        (None, MissingFileError, r"chat_template.jinja is missing"),
        ("{% for %}", DamagedFileError, "cannot be read"),
    ],
    ids=["none", "no template"],
)
def test_templates_that_do_not_load(template: str | None, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        chat(tmp_path, template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('only users') }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
    ],
    ids=["refuses", "looks around", "writes"],
)
def test_templates_that_do_not_render(template: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the model's chat template does not accept the text"):
        chat(tmp_path, template)(["the fox"], None)
    with pytest.raises(DamagedFileError, match=f"the chat template of {tmp_path} renders no text: "):
        chat(tmp_path, template).check_limit(9)  # as at load, where there is no text yet
