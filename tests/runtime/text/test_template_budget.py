"""Chat templates that would take forever or fill the memory end in a named error; usual ones render as in Jinja2."""

from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from edge_st_runtime.errors import DamagedFileError, InputError
from edge_st_runtime.text import template_budget
from edge_st_runtime.text.chat import ChatTokenizer
from edge_st_runtime.text.templates import compile_template, render
from tests.support.tiny_tokenizers import save_tokenizer, wordpiece

MILLION = "('a' * 1000000)"
LOOP = "{% for a in range(99999) %}"


def doubled(first: str, step: str, last: str = "") -> str:
    return f"{{% set ns = namespace(x={first}) %}}" + f"{{% set ns.x = {step} %}}" * 40 + last


GREAT = {
    "a long text": "{{ 'a' * 4000000000 }}",
    "a long list": "{{ [1] * 1000000000 }}",
    "much text": LOOP * 2 + "aaaaaaaaaaaaaaa" + "{% endfor %}" * 2,
    "joined": doubled("'aa'", "ns.x ~ ns.x"),
    "added": doubled("'aa'", "ns.x + ns.x"),
    "captured": "{% set x %}aa{% endset %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 40,
    "lists of lists": doubled("[1]", "[ns.x, ns.x]", "{{ ns.x }}"),
    "tuples of tuples": doubled("[1]", "(ns.x, ns.x)", "{{ ns.x|string }}"),
    "dicts of dicts": doubled("[1]", "{'a': ns.x, 'b': ns.x}", "{{ ns.x|tojson }}"),
    "one text in a list": f"{{{{ [{MILLION}] * 99999 }}}}",
    "a power": "{{ 10 ** 10000000000 }}",
    "squares": doubled("3", "ns.x * ns.x"),
    "replaced": f"{{{{ {MILLION}|replace('a', {MILLION}) }}}}",
    "replaced by a method": f"{{{{ {MILLION}.replace('', {MILLION}) }}}}",
    "joined by a filter": f"{{{{ range(99999)|join({MILLION}) }}}}",
    "joined by a method": f"{{{{ {MILLION}.join('aaaa') }}}}",
    "repeated by %": "{{ '%s%s%s' % (('a' * 400000,) * 3) }}",
    "repeated by format": "{{ ('{0}' * 9999).format('a' * 99999) }}",
}
WIDE = {
    "%": "{{ '%999999999d' % 1 }}",
    "% with a star": "{{ '%*d' % (999999999, 1) }}",
    "format": "{{ '{:999999999}'.format(1) }}",
    "format with a field": "{{ '{:{w}}'.format(1, w=999999999) }}",
    "center": "{{ 'a'.center(999999999) }}",
    "zfill": "{{ 'a'.zfill(width=999999999) }}",
    "expandtabs": "{{ '\t'.expandtabs(999999999) }}",
    "tojson": "{{ [1]|tojson(indent=999999999) }}",
    "indent": "{{ 'a\nb'|indent(999999999) }}",
}
SLOW = {
    "nested ranges": LOOP * 3 + "{% endfor %}" * 3,
    "macros": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
}
ENDLESS = {
    "macro": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "loop": "{% for a in [1] recursive %}{{ loop([a]) }}{% endfor %}",
}
USUAL = """{% for m in messages %}{{ '<|' + m.role + '|>' + m['content']|trim }}{% if loop.last %}{{ m|tojson }}
{% endif %}{% endfor %}{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|join(', ') }}
{% set a, b = (1, 2) %}{{ a ~ b ~ 'c' * 3 }} {{ messages[0].content.split('h')[-1].strip('e') }}
{{ '%s-%d' % ('x', 4) }}
{{ messages[::-1]|length }} {{ {'a': [1, (2,)]}.items()|list }} {{ 'a-b'.replace('-', '+') }} {{ '{}!'.format(3 * 4) }}
{% macro shown(text) %}[{{ text|upper }}]{% endmacro %}{{ shown('x') }} {{ messages|first }} {{ none is defined }}"""


def chat(folder: Path, template: str) -> ChatTokenizer:
    save_tokenizer(folder, wordpiece())
    (folder / "chat_template.jinja").write_text(template)
    return ChatTokenizer(folder, {"format": "flat"}, {})


@pytest.mark.parametrize(
    ("templates", "message"),
    [(GREAT, "it makes more than"), (WIDE, "great width"), (SLOW, "it takes more than"), (ENDLESS, "recursion")],
    ids=["great", "wide", "slow", "endless"],
)
def test_templates_beyond_the_budget(
    templates: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_budget, "_SECONDS", 0.2 if templates is SLOW else 60.0)
    for name, template in templates.items():
        tokenizer = chat(tmp_path, template)
        with pytest.raises(InputError, match=f"chat template does not accept the text: .*{message}"):
            assert tokenizer(["the fox"], 8) is None, name


@pytest.mark.parametrize("template", ["{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "{{ " + "-" * 9000 + "1 }}"])
def test_templates_nested_too_deep(template: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=r"the chat template of .* cannot be read"):
        chat(tmp_path, template)


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("sum", "[1]|sum"),
        ("batch", "[1]|batch(2)|list"),
        ("striptags", "'a'|striptags"),
        ("center", "['a']|map('center', 9)"),
    ],
)
def test_a_filter_that_is_left_out(name: str, use: str, tmp_path: Path) -> None:
    used = f"{{{{ {use}|list }}}}"
    with pytest.raises(DamagedFileError, match=f"renders no text: it uses the filter {name}, which edge-st leaves out"):
        chat(tmp_path, used).check_limit(8)
    spared = chat(tmp_path, f"{{{{ messages[0].content }}}}{{% if tools %}}{used}{{% endif %}}")
    assert len(spared(["the fox"], 8).ids[0]) == 2


def test_a_usual_template_renders_as_in_jinja2() -> None:
    given: dict[str, Any] = {"messages": [{"role": "user", "content": " the fox "}, {"role": "x", "content": "b"}]}
    plain = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    plain.filters["tojson"] = compile_template("").environment.filters["tojson"]
    assert render(compile_template(USUAL), 9, **given) == plain.from_string(USUAL).render(**given)


def test_long_texts_are_rendered(tmp_path: Path) -> None:
    text = "the fox " * 10**6
    tokens = chat(tmp_path, "{% for m in messages %}{{ m.role ~ m.content }}{{ m.content }}{% endfor %}")([text], 8)
    assert len(tokens.ids[0]) == 8
