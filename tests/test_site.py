"""The README and the site that is made of it and of docs/."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_WORDS = 900


def build(root: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", ".github/mkdocs.yml", "-d", str(target)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)


def test_the_readme_can_be_read_in_minutes() -> None:
    text = re.sub(r"\]\([^)]*\)", "]", (ROOT / "README.md").read_text("utf-8"))
    assert len([word for word in text.split() if re.search(r"\w", word)]) < MOST_WORDS


def test_every_link_of_the_site_leads_somewhere(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for name in ("docs", ".github"):
        shutil.copytree(ROOT / name, copy / name)
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, copy)
    done = build(copy, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "takes it back byte for byte" in first
    assert 'href="films/"' in first
    for page in ("index.html", "films/index.html", "plugin/index.html", "drift/index.html"):
        text = (tmp_path / "site" / page).read_text("utf-8")
        shown = re.findall(r'<img alt="[^"]+" src="([^"]*pictures/[^"]+)"', text)
        assert shown
        assert all(((tmp_path / "site" / page).parent / each).resolve().is_file() for each in shown)
    # No page asks another server for anything.
    assert re.findall(r'(?:src|<link[^>]*href)="(https?://[^"]+)', first) == [
        "https://svi-install.github.io/svi-install/"
    ]
    (copy / "docs" / "films.md").write_text("[gone](nowhere.md)", "utf-8")
    broken = build(copy, tmp_path / "site")
    assert broken.returncode != 0
    assert "nowhere.md" in broken.stderr


def test_every_picture_is_shown_with_words_and_small() -> None:
    """A page of pictures is not to take longer to load than to read."""
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs/pictures").iterdir()}
    told = dict(re.findall(r"!\[([^\]]{15,})\]\(docs/pictures/([^)]+)\)", (ROOT / "README.md").read_text("utf-8")))
    assert sorted(told.values()) == sorted(sizes)
    assert sizes.pop("render.webp") < 1_000_000
    assert max(sizes.values()) < 150_000
    assert sum(sizes.values()) < 600_000


def test_each_page_has_its_place() -> None:
    listed = (ROOT / ".github" / "mkdocs.yml").read_text("utf-8")
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    assert [page for page in pages if f": {page}\n" not in listed] == []
