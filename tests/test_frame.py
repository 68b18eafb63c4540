"""The frame: what is installed is what is pinned, whichever way it is installed."""

import ast
import hashlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = {
    canonicalize_name(r.name): r.specifier
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if (text := line.partition("#")[0].strip())
    for r in [Requirement(text)]
}


def version(name):
    (pin,) = PINS[canonicalize_name(name)]
    return pin.version


def environment_extras():
    """The extras that `make env` installs."""
    tree = ast.parse((ROOT / "scripts/environment.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "EXTRAS":
            return ast.literal_eval(node.value)
    raise AssertionError("scripts/environment.py names no EXTRAS")


def test_the_extras_are_those_promised():
    assert set(EXTRAS) == {"llm", "project", "spark", "book", "dev"}


def test_each_pin_is_one_exact_version():
    for name, specifier in PINS.items():
        assert [pin.operator for pin in specifier] == ["=="], name


@pytest.mark.parametrize(
    "text", [*PROJECT["dependencies"], *(r for extra in EXTRAS.values() for r in extra)]
)
def test_each_requirement_has_a_pin_that_it_accepts(text):
    requirement = Requirement(text)
    assert requirement.specifier.contains(version(requirement.name), prereleases=True)


def test_upper_bounds_say_what_breaks():
    for line in (ROOT / "pyproject.toml").read_text().splitlines():
        if re.search(r'^\s*"[\w-]+[^"]*[<=]=?\d', line) and re.search(r"<\d|==", line):
            assert "#" in line, line


def test_what_is_installed_here_is_what_is_pinned():
    installed = {
        canonicalize_name(d.metadata["Name"]): d.version.partition("+")[0]
        for d in importlib.metadata.distributions()
    }
    not_ours = {"pip", "setuptools", "wheel", "causalbook"}
    differ = {
        name: (found, str(PINS.get(name)))
        for name, found in installed.items()
        if name not in not_ours and (name not in PINS or found != version(name))
    }
    assert not differ


def test_conda_users_get_the_same_install():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, *others, pip = environment["dependencies"]
    assert re.fullmatch(r"python=3\.\d+", python)
    assert Requirement(python.replace("=", "==")).specifier
    assert f">={python.removeprefix('python=')}" == PROJECT["requires-python"]
    assert others == ["pip"]
    assert pip == {"pip": ["--constraint constraints.txt", f"--editable .[{environment_extras()}]"]}


def test_the_libraries_that_the_book_promises_are_in_its_environment():
    chosen = environment_extras().split(",")
    names = {
        canonicalize_name(Requirement(r).name)
        for r in [*PROJECT["dependencies"], *(r for extra in chosen for r in EXTRAS[extra])]
    }
    promised = (
        "numpy pandas torch transformers statsmodels linearmodels matplotlib jupyterlab nbval"
    )
    assert set(promised.split()) <= names


@pytest.mark.parametrize("inside", ["thesis.txt", "pyvenv.cfg"])
def test_a_foreign_folder_is_left_alone(tmp_path, inside):
    """Neither a folder of documents nor somebody's own virtual environment is remade."""
    (tmp_path / inside).write_text("do not delete")
    script = str(ROOT / "scripts/environment.py")
    run = subprocess.run(
        [sys.executable, script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "is no environment of the book" in run.stderr
    assert (tmp_path / inside).read_text() == "do not delete"


def test_the_environment_stands_while_the_pins_do(tmp_path):
    pins = (ROOT / "constraints.txt").read_bytes() + environment_extras().encode()
    (tmp_path / "causalbook-pins").write_text(hashlib.sha256(pins).hexdigest())
    run = subprocess.run(
        [sys.executable, ROOT / "scripts/environment.py", tmp_path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["causalbook-pins"]


def test_every_public_name_imports_from_its_sub_package():
    import causalbook
    import causalbook.estimators
    import causalbook.potential_outcomes

    for module in (causalbook, causalbook.estimators, causalbook.potential_outcomes):
        assert module.__all__ == sorted(module.__all__)
        for name in module.__all__:
            assert getattr(module, name).__doc__, f"{module.__name__}.{name} has no docstring"


def test_no_module_bears_a_public_name():
    import causalbook.estimators
    import causalbook.potential_outcomes

    for package in (causalbook.estimators, causalbook.potential_outcomes):
        modules = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
        assert not modules & set(package.__all__)


def test_modules_stay_short():
    for path in (ROOT / "causalbook").rglob("*.py"):
        assert len(path.read_text().splitlines()) < 300, path


def test_the_citation_and_the_package_have_one_version():
    import causalbook

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == causalbook.__version__
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()
