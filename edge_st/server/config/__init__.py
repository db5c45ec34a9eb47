"""What is served, and within which limits: in Python, as a mapping, or as the file serve.yaml."""

from .reading import as_config, read_config
from .served import Config, IndexConfig, ModelConfig

__all__ = ["Config", "IndexConfig", "ModelConfig", "as_config", "read_config"]
