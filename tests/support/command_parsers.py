"""The parsers of ``edge-st``, to compare the documentation with."""

import argparse
from collections.abc import Iterator, Mapping

from edge_st.cli import COMMANDS, plugins


def command_parsers() -> Mapping[str, argparse.ArgumentParser]:
    """The parser of each command that is installed here."""
    subparsers = argparse.ArgumentParser(prog="edge-st").add_subparsers()
    for add in COMMANDS.values():
        add(subparsers)
    plugins.add_all(subparsers)
    return subparsers.choices


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Every option of a command and of its actions, each by its longest name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from options_of(each)
        elif action.option_strings:
            yield max(action.option_strings, key=len)
