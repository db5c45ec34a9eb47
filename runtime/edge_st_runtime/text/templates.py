"""Compile chat templates with Jinja2, in a sandbox with what transformers' apply_chat_template offers."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from types import BuiltinMethodType
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from . import template_budget as budget

_FILTERS = (
    *("abs", "attr", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "indent"),
    *(
        "int",
        "items",
        "join",
        "last",
        "length",
        "list",
        "lower",
        "map",
        "max",
        "min",
        "reject",
        "rejectattr",
        "replace",
    ),
    *("reverse", "round", "safe", "select", "selectattr", "sort", "string", "title", "tojson", "trim", "truncate"),
    *("unique", "upper", "wordcount"),
)
_GLOBALS = ("dict", "namespace", "range")
_COUNTED, _JOINED, _MEASURED = "counted", "joined", "measured"


class _Generation(Extension):
    """``{% generation %} … {% endgeneration %}`` marks the answer of a model; its content is rendered as it is."""

    tags = {"generation"}  # noqa: RUF012 - Jinja2's own form

    def parse(self, parser: Any) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Spending(NodeTransformer):
    """Puts the budget around loops, ``~`` and literals."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja2's own form
        self.generic_visit(node)
        node.iter = _filtered(node.iter, _COUNTED)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), _JOINED)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, _MEASURED)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, _MEASURED)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return node if node.ctx == "store" else _filtered(node, _MEASURED)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, in which a template has a budget."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(budget.concat)

    def _generate(self, source: nodes.Template, *args: Any, **options: Any) -> str:
        return super()._generate(_Spending().visit(source), *args, **options)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def limited(*args: Any, **options: Any) -> str:
            budget.check_format(value.__self__, "{", [*args, *options.values()])
            return wrapped(*args, **options)

        return limited

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        return budget.operate(operator, left, right, self.binop_table[operator])

    def call(self, context: Any, function: Any, *args: Any, **options: Any) -> Any:
        method = isinstance(function, BuiltinMethodType) and not isinstance(function.__self__, type(json))
        name, subject = (function.__name__, function.__self__) if method else ("", None)
        arguments = (*args, *options.values())
        return budget.called(
            name, subject, arguments, lambda: super(_Sandbox, self).call(context, function, *args, **options)
        )


def compile_template(source: str) -> Template:
    """The compiled template; raises jinja2.TemplateError."""
    environment = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"], optimized=False
    )
    environment.filters = {
        name: _limited(name, function) if name in _FILTERS else _left_out(name)
        for name, function in {**environment.filters, "tojson": _to_json}.items()
    }
    environment.filters |= {_COUNTED: budget.counted, _JOINED: budget.joined, _MEASURED: budget.measured}
    environment.globals = {name: environment.globals[name] for name in _GLOBALS}
    environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}
    return environment.from_string(source)


def render(template: Template, characters: int, **given: Any) -> str:
    """The text that ``template`` gives, within the budget for texts of so many ``characters``.

    Raises whatever the template raises, TemplateError beyond the budget.
    """
    budget.begin(characters)
    return template.render(**given)


def _limited(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter within the budget; Jinja2's marks, which say what else the filter is given, stay on it."""
    given = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def limited(*args: Any, **options: Any) -> Any:
        subject, *others = args[given:]
        if name == "join":
            subject = list(subject)
            between = str(options.get("d", others[0] if others else ""))
            budget.check(len(between) * len(subject))
            budget.measured(subject)
            args = (*args[:given], subject, *others)
        text = str(subject) if name == "replace" else subject
        return budget.called(
            "" if name == "join" else name, text, (*others, *options.values()), lambda: function(*args, **options)
        )

    return limited


def _left_out(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> None:
        raise TemplateError(f"it uses the filter {name}, which edge-st leaves out: write it otherwise")

    return refuse


def _filtered(node: Any, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _to_json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


def _now(form: str) -> str:
    return datetime.now().astimezone().strftime(form)
