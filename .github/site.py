"""Hooks of mkdocs: pages that lie outside docs/, with their links turned to where they lead on the site."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"(?<=\]\()(?!https?://|#)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for name, page in PAGES.items():
        text = LINK.sub(
            lambda link: _leads_to(link[1], f"{config.repo_url}/blob/main/"), (ROOT / name).read_text("utf-8")
        )
        files.append(File.generated(config, page, content=text))
    return files


def _leads_to(link: str, repository: str) -> str:
    """Return the same link on the site: to a page of it, or into the repository."""
    return PAGES.get(link) or (link.removeprefix("docs/") if link.startswith("docs/") else repository + link)
