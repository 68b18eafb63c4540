"""The small functions of the site's own Sphinx extension."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def selfhost() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "_ext")
        return importlib.import_module("selfhost")


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/someone/book", "https://github.com/someone/book"),
        ("https://github.com/someone/book.git\n", "https://github.com/someone/book"),
        ("git@github.com:someone/book.git", "https://github.com/someone/book"),
        ("ssh://git@gitlab.com:22/group/sub/book.git", "https://gitlab.com/group/sub/book"),
        ("https://user:secret@github.com/someone/book", "https://github.com/someone/book"),
        ("/srv/git/book.git", ""),
        ("file:///srv/git/book.git", ""),
        ("", ""),
    ],
)
def test_web_address(selfhost: ModuleType, remote: str, address: str) -> None:
    assert selfhost.web_address(remote) == address


def test_repository_comes_from_the_reader_then_from_actions(
    selfhost: ModuleType, tmp_path: Path
) -> None:
    actions = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "someone/book"}
    chosen = {"BOOK_REPOSITORY": "https://gitlab.com/a/b", "BOOK_BRANCH": "draft"}
    assert selfhost.find_repository(actions, tmp_path).url == "https://github.com/someone/book"
    found = selfhost.find_repository(actions | chosen, tmp_path)
    assert (found.url, found.branch, found.forge) == ("https://gitlab.com/a/b", "draft", "gitlab")
    assert selfhost.find_repository({}, tmp_path) is None
    assert selfhost.find_repository({"BOOK_REPOSITORY": "https://example.org/a"}, tmp_path) is None


def test_numeric_columns_are_marked_and_empty_heads_are_silent(selfhost: ModuleType) -> None:
    html = (
        "<table><thead><tr><th></th><th>method</th><th>value</th></tr></thead><tbody>"
        "<tr><th>0</th><td>IPS</td><td>-1,204.5</td></tr>"
        "<tr><th>1</th><td>DM</td><td>–</td></tr></tbody></table>"
    )
    table = BeautifulSoup(selfhost.tidy_tables(html), "html.parser")
    assert [cell.get_text() for cell in table.select(".num")] == ["value", "-1,204.5", "–"]
    assert all(head.get_text() for head in table.find_all("th"))


def test_a_host_that_only_sounds_like_a_forge_gets_no_links(
    selfhost: ModuleType, tmp_path: Path
) -> None:
    for address in ("https://github.example.com/a/b", "https://notgithub.com/a/b"):
        assert selfhost.find_repository({"BOOK_REPOSITORY": address}, tmp_path) is None


def test_a_copy_without_git_builds_without_links(
    selfhost: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert selfhost.find_repository({}, tmp_path) is None
