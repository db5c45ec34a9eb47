"""The models that installed packages bring, with what is wrong with them."""

from edge_st_runtime.errors import FolderError

from ..hub.installed import clashes, installed_models


def list_installed_models() -> list[dict[str, str | None]]:
    """A row for every name of every installed model.

    The keys are "name", "distribution", "version", "folder", "error" and "fix". Where a model cannot be loaded,
    "folder" is None, "error" says why, and "fix" is the command that helps.
    """
    models = installed_models()
    clashing = {later: first for first, later in clashes(models)}
    rows: list[dict[str, str | None]] = []
    for model in models:
        row: dict[str, str | None] = {
            "name": model.name, "distribution": model.distribution, "version": model.version,
            "folder": None, "error": None, "fix": None,
        }  # fmt: skip
        try:
            row["folder"] = str(model.folder())
        except FolderError as error:
            row |= {"error": str(error), "fix": model.reinstall}
        if model in clashing:
            both = f"{clashing[model].owner} and {model.owner} both bring it; neither is loaded by this name"
            row |= {"error": both, "fix": f"pip uninstall -y {model.distribution}"}
        rows.append(row)
    return rows
