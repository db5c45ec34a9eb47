"""The files that are written: the function, and what an image is built from."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_st.version import __version__

from .platforms import Platform

DOCKERFILE = "Dockerfile"
#: where a layer is unpacked
OPT = "/opt"
#: the folders of a layer; Lambda's Python imports from the first
PACKAGES, MODELS = "python", "models"
_DOCKER_PLATFORMS: Mapping[str, str] = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


@dataclass(frozen=True)
class Function:
    """What Lambda calls: ``handler`` is "module.function", ``model`` the model's place, ``dtype`` None for auto."""

    handler: str
    model: str
    dtype: str | None

    @property
    def file(self) -> str:
        """The name of the module's file."""
        return f"{self.handler.partition('.')[0]}.py"

    def source(self) -> str:
        """The module."""
        dtype = "" if self.dtype is None else f', dtype="{self.dtype}"'
        return f'''"""A model on AWS Lambda, loaded in the init phase. Written by edge-st {__version__}."""

from edge_st.integrations.aws_lambda import make_handler

{self.handler.partition(".")[2]} = make_handler("{self.model}"{dtype})
'''

    def dockerfile(self, platform: Platform) -> str:
        """The recipe of an image with the same content as the layer and the function."""
        docker = _DOCKER_PLATFORMS[platform.arch]
        return f"""# docker build --platform {docker} --provenance=false -t embeddings .
FROM public.ecr.aws/lambda/python:{platform.python}
COPY {PACKAGES}/ ${{LAMBDA_TASK_ROOT}}/
COPY {MODELS}/ {OPT}/{MODELS}/
COPY {self.file} ${{LAMBDA_TASK_ROOT}}/
CMD ["{self.handler}"]
"""
