"""What the package imports, pyproject.toml names: nothing may hang on what happens to come with something else."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMES_WITH = {
    "anyio": "inspect-ai",
    "huggingface_hub": "transformers",
    "markupsafe": "jinja2",
    "pydantic_core": "pydantic",
    "scipy": "scikit-learn",
    "starlette": "fastapi",
}
"""Packages that another one's interface is made of."""


def imported() -> dict[str, Path]:
    """Top-level names that the package imports, at its head or when used -> a file that does."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            found.update({name.partition(".")[0]: path for name in names})
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names | {"thanos"}}


def test_every_import_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    declared = {re.match(r"[\w-]+", line).group().lower().replace("_", "-") for line in lines}
    distributions = packages_distributions()
    missing = {}
    for name, path in imported().items():
        made_by = {made.lower().replace("_", "-") for made in distributions.get(name, [name])}
        if not (made_by | {COMES_WITH.get(name)}) & declared:
            missing[name] = path.relative_to(ROOT).as_posix()
    assert not missing
