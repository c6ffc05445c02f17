"""Hooks of mkdocs: generated pages, navigation, embedded reports and formulas.

    make docs

- Every `.md` file under `docs/` is a page; new files need no entry anywhere.
- Pages of the API reference are generated from docstrings and stored measurements.
- A question page embeds the report of the run that its command makes, if
  `docs/studies` has it.
- Formulas become MathML, which browsers render without a script.
"""

import html
import re
import tomllib
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from tools.docs import notebooks, reference

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
STUDIES = ROOT / "docs" / "studies"
GUIDES = (
    "getting_started",
    "replace_jax_nn",
    "linen",
    "nnx",
    "learnable",
    "your_activation",
    "your_model",
)
"""The order of guides; others follow by name."""

_COMMAND = re.compile(r"^python -m experiments run configs/(\S+)\.toml$", re.M)
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.S)
_BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.S)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the description of the package from pyproject.toml."""
    config.site_description = PROJECT["description"]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and set the navigation."""
    functions = dict(reference.function_pages())
    modules = dict(reference.module_pages())
    for path, text in (functions | modules).items():
        files.append(File.generated(config, path, content=text))
    for path in sorted(notebooks.NOTEBOOKS.glob("*.ipynb")):
        text = notebooks.to_markdown(path)
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
    changelog = str(ROOT / "CHANGELOG.md")
    files.append(File.generated(config, "changelog.md", abs_src_path=changelog))
    config.nav = navigation(files, functions, modules)
    return files


def navigation(
    files: Files, functions: dict[str, str], modules: dict[str, str]
) -> list[Any]:
    """Return the sections: guides, questions, reference, measurements and studies."""
    pages = sorted(file.src_uri for file in files.documentation_pages())
    under = lambda folder: [p for p in pages if p.startswith(f"{folder}/")]
    rank = {f"guides/{name}.md": i for i, name in enumerate(GUIDES)}
    top = {"index.md", "gallery.md", "changelog.md"}
    return [
        {"Home": "index.md"},
        {"Guides": sorted(under("guides"), key=lambda p: rank.get(p, len(rank)))},
        {"Questions": under("questions")},
        {"Notebooks": under("notebooks")},
        {
            "Reference": [
                "gallery.md",
                {"Modules": list(modules)},
                {"Functions": list(functions)},
            ]
        },
        {"Measurements": [p for p in pages if "/" not in p and p not in top]},
        {"Studies": under("studies")},
        {"Changelog": "changelog.md"},
        # Not `repo_url`, which makes the theme request its number of stars.
        {"Repository": PROJECT["urls"]["Repository"]},
    ]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Append the gallery, and reports to question pages."""
    if page.file.src_uri == "gallery.md":
        return markdown + reference.gallery()
    if page.file.src_uri.startswith("questions/"):
        stems = [path.replace("/", "-") for path in _COMMAND.findall(markdown)]
        return markdown + "".join(map(embed_report, stems))
    return markdown


def embed_report(stem: str) -> str:
    """Return conclusion, table and first chart of a stored report."""
    path = STUDIES / f"{stem}.md"
    if not path.is_file():
        return "\n## Result\n\nNo full run is stored; the command writes a report.\n"
    title, conclusion, setup, *rest = path.read_text("utf-8").split("\n\n")
    table = next((block for block in rest if block.startswith("| ")), "")
    images = re.findall(r"!\[(.*)\]\((.*/0\.svg)\)", "\n".join(rest))
    charts = [f"![{alt}](../studies/{target})" for alt, target in images]
    link = f"[{title.removeprefix('# ')}](../studies/{stem}.md) is the full report."
    blocks = ["\n## Result", conclusion, setup, table, *charts, link]
    return "\n\n".join(block for block in blocks if block) + "\n"


def on_page_content(html: str, **_: Any) -> str:
    """Replace the formulas of a page by MathML."""
    html = _INLINE.sub(lambda m: to_mathml(m[1]), html)
    return _BLOCK.sub(lambda m: to_mathml(m[1], "block"), html)


def to_mathml(escaped: str, display: str = "inline") -> str:
    """Convert LaTeX with HTML entities to MathML."""
    return convert(html.unescape(escaped), display=display)
