"""The frame: what is installed is what is pinned, whichever way it is installed."""

import ast
import importlib
import importlib.metadata
import importlib.util
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
    # What a machine adds: torch's libraries for its accelerator, terminals for its system.
    by_machine = re.compile(r"nvidia-|cuda-|(triton|appnope|colorama|pywinpty|pywin32)$")
    differ = {
        name: (found, str(PINS.get(name)))
        for name, found in installed.items()
        if name not in not_ours
        and not by_machine.match(name)
        and (name not in PINS or found != version(name))
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


def environment():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("environment", ROOT / "scripts/environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_interrupted_environment_is_made_again(tmp_path, monkeypatch):
    """Without Debian's python3-venv the first try fails; the next one must not be refused."""
    script, tries = environment(), []

    def run(command, check):
        tries.append(command)
        return subprocess.CompletedProcess(command, returncode=1)

    monkeypatch.setattr(script.subprocess, "run", run)
    for _ in range(2):
        with pytest.raises(SystemExit, match="apt-get install python3-venv"):
            script.main(tmp_path / "env")
    assert len(tries) == 2


def test_other_requirements_are_another_environment(tmp_path, monkeypatch):
    script = environment()
    before = script.fingerprint()
    for name in ("constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(script, "ROOT", tmp_path)
    assert script.fingerprint() == before
    text = (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace("line-length = 100", "line-length = 99"))
    assert script.fingerprint() == before  # a matter of style
    (tmp_path / "pyproject.toml").write_text(text.replace('"tqdm>=4.66"', '"tqdm>=4.67"'))
    assert script.fingerprint() != before


def test_the_environment_stands_while_the_pins_do(tmp_path):
    (tmp_path / "causalbook-pins").write_text(environment().fingerprint())
    run = subprocess.run(
        [sys.executable, ROOT / "scripts/environment.py", tmp_path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["causalbook-pins"]


def public_packages():
    """The package and its sub-packages that offer names."""
    found = [importlib.import_module("causalbook")]
    for path in sorted((ROOT / "causalbook").glob("*/__init__.py")):
        module = importlib.import_module(f"causalbook.{path.parent.name}")
        found += [module] if hasattr(module, "__all__") else []
    return found


def test_every_public_name_imports_from_its_sub_package():
    assert len(public_packages()) >= 5
    for module in public_packages():
        assert len(set(module.__all__)) == len(module.__all__)
        for name in module.__all__:
            assert getattr(module, name).__doc__, f"{module.__name__}.{name} has no docstring"


def test_no_module_bears_a_public_name():
    for package in public_packages():
        modules = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
        # causalbook.datasets is the module that is meant
        assert modules & set(package.__all__) <= {"datasets"}


def test_the_import_rules_name_what_is_there():
    """A file or sub-package that the contracts do not know would be unguarded."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    package = ROOT / "causalbook"
    files = {f"causalbook.{p.stem}" for p in package.glob("*.py")} - {"causalbook.__init__"}
    parts = {p.parent.name for p in package.glob("*/__init__.py")}
    layers, root, oracles = rules
    assert parts <= {name.strip("()") for name in layers["layers"]}
    assert not {name for name in layers["layers"] if name.strip("()") in parts} & {
        f"({part})" for part in parts
    }, "a part that is there is no longer optional"
    assert set(root["source_modules"]) == files
    assert set(root["forbidden_modules"]) == {f"causalbook.{part}" for part in parts}
    assert {f"causalbook.{part}" for part in parts} <= set(oracles["source_modules"])


def test_modules_stay_short():
    for path in (ROOT / "causalbook").rglob("*.py"):
        assert len(path.read_text().splitlines()) < 300, path


def test_the_citation_and_the_package_have_one_version():
    import causalbook

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == causalbook.__version__
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()
