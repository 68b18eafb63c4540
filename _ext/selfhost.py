"""The site's own part of Sphinx: no outside host, links that lead somewhere, tidy cells.

Every script, font and style comes from the site itself, so it works with the network down.
Links to a forge (Binder, edit, issue) appear only when the repository's address is known: a link
that leads nowhere is worse than none.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

logger = logging.getLogger(__name__)

ABOUT = "chapters/appendix/about"
BINDER = "https://mybinder.org"


@dataclass(frozen=True)
class Repository:
    """Where the book's source is published."""

    url: str
    branch: str = "main"

    @property
    def forge(self) -> str:
        """The kind of forge; only kinds whose addresses we can build are accepted."""
        return {"github.com": "github", "gitlab.com": "gitlab"}.get(self.url.split("/")[2], "")

    def issue(self, title: str) -> str:
        """Address of a new issue with its title filled in."""
        if self.forge == "gitlab":
            return f"{self.url}/-/issues/new?issue[title]={quote(title)}"
        return f"{self.url}/issues/new?title={quote(title)}"


def web_address(remote: str) -> str:
    """Return the https address of a git remote on a forge, or "" for anything else.

    A name and password in the address, as CI writes them, must not reach the site.
    """
    found = re.fullmatch(
        r"(?:https?://(?:[^@/]+@)?|ssh://git@|git@)([\w.-]+\.\w+)(?::\d+)?[:/](.+?)(?:\.git)?/?",
        remote.strip(),
    )
    return f"https://{found[1]}/{found[2]}" if found else ""


def find_repository(env: Mapping[str, str], source: Path) -> Repository | None:
    """Look for the repository: BOOK_REPOSITORY, GitHub Actions' variables, the origin remote."""
    address = env.get("BOOK_REPOSITORY", "")
    if not address and env.get("GITHUB_REPOSITORY"):
        address = f"{env.get('GITHUB_SERVER_URL', '')}/{env['GITHUB_REPOSITORY']}"
    if not address and (source / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(source), "remote", "get-url", "origin"]
        address = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    repository = Repository(web_address(address), env.get("BOOK_BRANCH") or "main")
    return repository if repository.url and repository.forge else None


def set_theme(app: Sphinx, config: Config) -> None:
    """Set the theme's options here: set in _config.yml they would replace Jupyter Book's own."""
    options: dict[str, Any] = {
        "logo": {
            "image_light": "_static/logo-light.svg",
            "image_dark": "_static/logo-dark.svg",
            "text": config.html_title,
            "alt_text": "",
        },
        "search_bar_text": "Search this book",
        "toc_title": "On this page",
        "show_navbar_depth": 2,
        "max_navbar_depth": 3,
        "show_toc_level": 2,
        "use_fullscreen_button": False,
        "article_footer_items": ["page-tools.html"],
        "footer_content_items": [],  # all in page-tools.html
        "pygments_light_style": "a11y-high-contrast-light",
        "pygments_dark_style": "a11y-high-contrast-dark",
    }
    repository = find_repository(os.environ, Path(app.srcdir))
    if repository:
        options |= {
            "repository_url": repository.url,
            "repository_branch": repository.branch,
            "repository_provider": repository.forge,
            "use_repository_button": True,
            "use_edit_page_button": True,
            "use_issues_button": True,
            "launch_buttons": {"binderhub_url": BINDER, "notebook_interface": "jupyterlab"},
        }
    config.html_theme_options.update(options)
    config.html_context.setdefault("default_mode", "auto")  # unset, the theme logs an error


def list_tools(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give the templates what a reader may do with this page."""
    known = ABOUT in app.env.found_docs
    # docutils says that references are a list but not that each is an item of it.
    body = context.get("body") or ""
    context["body"] = body.replace('role="list" class="citation-list"', 'class="citation-list"')
    if doctree is None:
        return
    repository = _published(app.config)
    tools = []
    if context.get("sourcename", "").endswith(".ipynb"):
        source = context["pathto"](f"_sources/{context['sourcename']}", 1)
        tools.append(_tool("Download this notebook", source, "fa-solid fa-download", True))
    about = context["pathto"](ABOUT) if known else ""
    about = "" if about == "#" else about  # Sphinx's address of the page itself
    context["rights_link"] = f"{about}#licences" if known else ""
    if known:
        tools.append(_tool("Cite this page", f"{about}#how-to-cite", "fa-solid fa-quote-left"))
    if repository or known:
        title = f"Error on page “{app.env.titles[page].astext()}” ({page})"
        report = repository.issue(title) if repository else f"{about}#report-an-error"
        tools.append(_tool("Report an error", report, "fa-regular fa-flag"))
    context["page_tools"] = tools


def check_assets(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Warn of scripts and styles from other hosts, and add a button that the theme lacks."""
    for asset in [*context.get("script_files", ()), *context.get("css_files", ())]:
        address = str(getattr(asset, "filename", None) or asset)
        if re.match(r"(https?:)?//", address):
            logger.warning("%s asks another host for %s", page, address, location=page)
    repository = _published(app.config)
    if repository and repository.forge == "github":
        _add_codespaces(context["header_buttons"], repository)


def _published(config: Config) -> Repository | None:
    """Return the repository that set_theme found, without asking git again for every page."""
    options = config.html_theme_options
    found = options.get("repository_url")
    return Repository(found, options["repository_branch"]) if found else None


def _tool(text: str, url: str, icon: str, download: bool = False) -> dict[str, Any]:
    return {"text": text, "url": url, "icon": icon, "download": download}


def _add_codespaces(buttons: list[dict[str, Any]], repository: Repository) -> None:
    """Add the devcontainer in the browser below Binder; the theme knows no such button."""
    name = "/".join(repository.url.split("/")[3:])
    for group in buttons:
        if group.get("label") == "launch-buttons":
            codespaces = {
                "type": "link",
                "text": "Codespaces",
                "tooltip": "Open in a GitHub codespace",
                "icon": "fab fa-github",
                "url": f"https://codespaces.new/{name}",
            }
            group["buttons"].append(codespaces)


def tidy_page(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Label folded checks, align tables, and drop the traces of finished progress bars."""
    for cell in doctree.findall(nodes.container):
        for tag, name in {"tag_check": "Check", "tag_solution": "Solution in code"}.items():
            if tag in cell["classes"]:
                for fold in cell.findall(HideCodeCellNode):
                    fold["prompt_show"] = fold["prompt_hide"] = name
    for raw in doctree.findall(nodes.raw):
        if raw.get("format") == "html" and "<table" in raw.astext():
            raw.children = [nodes.Text(tidy_tables(raw.astext()))]
    for block in list(doctree.findall(nodes.literal_block)):
        if "stderr" in block["classes"]:
            _tidy_stderr(block)


def _tidy_stderr(block: nodes.literal_block) -> None:
    """Drop progress bars; name the cell instead of the kernel's temporary file."""
    lines = [line for line in block.astext().splitlines() if not re.search(r"\d+%\|.*\|", line)]
    text = re.sub(r"\S*/ipykernel_\d+/\d+\.py:(\d+)", r"this cell, line \1", "\n".join(lines))
    block.rawsource = text  # where it differs from the text, Sphinx does not highlight
    block.children = [nodes.Text(text)]
    if not text.strip():
        output = block.parent
        output.remove(block)
        if not output.children:
            output.parent.remove(output)


def tidy_tables(html: str) -> str:
    """Mark numeric columns, so that the style sheet aligns them, and name or unhead empty cells.

    pandas heads its index column with an empty <th>, which speech software reads as a heading
    of nothing; an empty <td> is silent.
    """
    soup = BeautifulSoup(html, "html.parser")
    for table in soup.find_all("table"):
        table.attrs.pop("border", None)
        for head in table.select("thead th"):
            if not head.get_text(strip=True):
                head.name = "td"
        rows = [row.find_all(["td", "th"]) for row in table.select("tbody tr")]
        heads = [row.find_all(["td", "th"]) for row in table.select("thead tr")]
        for cells in zip(*rows, strict=False):
            if all(_is_number(cell) for cell in cells if cell.name == "td"):
                for cell in cells:
                    _mark(cell)
        width = min((len(row) for row in rows), default=0)
        for row in heads:
            if len(row) == width and rows:
                for head, cell in zip(row, rows[0], strict=False):
                    if "num" in cell.get("class", []):
                        _mark(head)
    return str(soup)


def _is_number(cell: Tag) -> bool:
    text = cell.get_text(strip=True)
    number = r"[-−+]?[\d,]*\.?\d+(e[-+]?\d+)?\s*%?"
    return bool(re.fullmatch(rf"(nan|none|[–—-]?|{number}|\[{number}, {number}\])", text, re.I))


def _mark(cell: Tag) -> None:
    if cell.name == "td" or cell.find_parent("thead"):
        cell["class"] = [*cell.get("class", []), "num"]


def visit_hidden(self: Any, node: HideCodeCellNode) -> None:
    """Open a fold whose name for speech software is the label that is seen."""
    self.body.append(f'<details class="hide {" ".join(node["classes"])}">\n<summary>')
    self.body.append(f'<span class="collapsed">{escape(node["prompt_show"])}</span>')
    self.body.append(f'<span class="expanded">{escape(node["prompt_hide"])}</span></summary>\n')


def depart_hidden(self: Any, node: HideCodeCellNode) -> None:
    """Close the fold."""
    self.body.append("</details>\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above to Sphinx."""
    # Jupyter Book always sets this option of sphinx_comments, which we leave out.
    app.add_config_value("comments_config", {}, "html")
    app.add_node(HideCodeCellNode, override=True, html=(visit_hidden, depart_hidden))
    app.connect("config-inited", set_theme)
    app.connect("doctree-resolved", tidy_page)
    app.connect("html-page-context", list_tools, priority=400)  # the theme drops empty templates
    app.connect("html-page-context", check_assets, priority=900)  # after the theme's buttons
    return {"parallel_read_safe": True, "parallel_write_safe": True}
