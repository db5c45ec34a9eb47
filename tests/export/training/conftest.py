"""Training takes what sentence-transformers' trainer needs; without it nothing here is collected."""

from importlib.util import find_spec

collect_ignore_glob = [] if all(map(find_spec, ("accelerate", "datasets", "peft"))) else ["test_*.py"]
