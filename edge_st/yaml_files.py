"""YAML, read strictly: a repeated key is an error, where YAML's own readers take the last."""

from pathlib import Path

from edge_st_runtime.errors import DamagedFileError


def parse_yaml(text: str, path: Path) -> object:
    """What ``text`` holds; ``path`` is for messages. Raises DamagedFileError for a key that is there twice, too."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        _refuse_repeated_keys(node, path)
        return None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise DamagedFileError(f"{path}: not valid YAML: {error}") from error
    finally:
        loader.dispose()


def _refuse_repeated_keys(node: object, path: Path) -> None:
    """Refuse repeated keys: YAML would keep the last one silently."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, path)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if str(key.value) in seen:
                raise DamagedFileError(f"{path}, line {key.start_mark.line + 1}: key {key.value!r} appears twice")
            seen.add(str(key.value))
            _refuse_repeated_keys(value, path)
