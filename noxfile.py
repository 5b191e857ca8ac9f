#!/usr/bin/env python3
"""The sessions of contributors and of CI.

``python3 noxfile.py`` needs nothing but Python and its venv module: run as a script, this file
installs nox into an environment of its own and hands over to it, arguments included. Without
arguments nox runs what a contributor needs before a push; ``python3 noxfile.py --list`` tells what
there is.

Everything above the hand-over has to work on older Pythons too: ``python3`` may be one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PYTHONS = ["3.11", "3.12", "3.13"]
ROOT = Path(__file__).resolve().parent
NOX_REQUIREMENT = "nox>=2025.11.12"


def real_interpreters() -> list[Path]:
    """Find the interpreters behind pyenv's shims, in the order of `PYTHONS`.

    A shim is found on PATH for each version that pyenv knows, but it fails unless that version is
    selected.
    """
    pyenv_root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = []
    for version in PYTHONS:
        releases = [
            (int(patch[1]), directory / "bin" / f"python{version}")
            for directory in (pyenv_root / "versions").glob(f"{version}.*")
            if (patch := re.fullmatch(rf"{re.escape(version)}\.(\d+)", directory.name))
        ]
        found += [path for _, path in sorted(releases, reverse=True) if path.exists()][:1]
    return found


def hand_over_to_nox() -> None:
    """Run nox from an environment of its own, with this script's arguments. Does not return."""
    python = sys.executable
    if sys.version_info < (3, 11):  # noqa: UP036 - up to here it runs on any python3
        names = [shutil.which(f"python{version}") for version in PYTHONS]
        candidates = [*map(str, real_interpreters()), *filter(None, names)]
        if not candidates:
            sys.exit("httpio needs Python 3.11 or newer")
        python = candidates[0]
    environment = ROOT / ".nox" / "bootstrap"
    nox_python = str(environment / "bin" / "python")
    # Written last: tells an environment that is complete from one whose making was interrupted.
    stamp = environment / "installed"
    if not (os.path.exists(nox_python) and stamp.exists() and stamp.read_text() == NOX_REQUIREMENT):
        pip_install = [nox_python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in (
            [python, "-m", "venv", "--clear", str(environment)],
            [*pip_install, NOX_REQUIREMENT],
        ):
            if status := subprocess.call(command):
                sys.exit(status)  # it has said what is wrong
        stamp.write_text(NOX_REQUIREMENT)
    os.execv(nox_python, [nox_python, "-m", "nox", "--noxfile", __file__, *sys.argv[1:]])


if __name__ == "__main__":
    hand_over_to_nox()

import nox  # noqa: E402 - not there before the hand-over

IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}

os.environ["PATH"] = os.pathsep.join(
    [*(str(path.parent) for path in real_interpreters()), os.environ["PATH"]]
)

nox.needs_version = NOX_REQUIREMENT.removeprefix("nox")
nox.options.sessions = [
    "lint",
    "mypy",
    "verifytypes",
    "docs",
    "minimal",
    "wheels",
    "tests",
]
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = IN_CI
nox.options.error_on_external_run = True
# Nothing stale can hide in an environment that is kept: the packages are installed editable or
# from their directories, which pip always does anew (a wheel of the same version it would not),
# and the sessions whose point is what gets installed never reuse theirs.
nox.options.reuse_venv = "no" if IN_CI else "yes"

# One process more than there are CPUs, because many tests wait for servers. The tests of a file stay
# together, for the servers that they share.
PARALLEL = [f"--numprocesses={(os.cpu_count() or 1) + 1}", "--dist=loadfile"]

# What tells whether the distributions are whole. That the code is right is for the sessions `tests`.
OF_WHAT_IS_INSTALLED = [
    "tests/docs",
    "tests/typing",
    "tests/cli/test_command.py",
    "tests/aio/test_package.py",
    "tests/trio/test_package.py",
    "tests/core/test_import_cost.py",
    "tests/core/test_parity.py",
]

# Seconds between Ctrl-C and the end, in which tests and demo stop the servers that they started.
INTERRUPT_TIMEOUT = 15.0

IMPORT_NAMES = {
    "httpio-core": "httpio",
    "httpio-aio": "httpio_aio",
    "httpio-trio": "httpio_trio",
    "httpio-cli": "httpio_cli",
}
DISTRIBUTIONS = [f"packages/{name}" for name in IMPORT_NAMES]


def group(*names: str) -> list[str]:
    """Return the requirements of the dependency groups *names* of the root pyproject.toml."""
    pyproject = nox.project.load_toml(ROOT / "pyproject.toml")
    return list(nox.project.dependency_groups(pyproject, *names))


def install(session: nox.Session, *groups: str, editable: bool = False) -> None:
    """Install dependency groups and the four packages from the source tree."""
    session.install(*group("backend", *groups))
    option = ["--editable"] if editable else []
    # With the build backend at hand, or else pip makes an environment for it four times over.
    session.install("--no-build-isolation", *(a for path in DISTRIBUTIONS for a in (*option, path)))


@nox.session
def lint(session: nox.Session) -> None:
    """Style, likely mistakes and formatting."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def mypy(session: nox.Session) -> None:
    """Static types of everything that is Python here, for each version of Python."""
    install(session, "typing", editable=True)
    sources = [f"{path}/src" for path in DISTRIBUTIONS]
    others = ("tests", "examples", "benchmarks", "docs", "noxfile.py")
    sources += [path for path in others if (ROOT / path).exists()]
    workers = f"--num-workers={os.cpu_count() or 1}"
    for version in PYTHONS:
        session.run("mypy", workers, f"--python-version={version}", *sources)


@nox.session
def verifytypes(session: nox.Session) -> None:
    """Completeness of the public types, as a type checker of a user sees them."""
    install(session, "verifytypes")
    for import_name in IMPORT_NAMES.values():
        for version in PYTHONS:
            verify_types_of(session, import_name, version)


def verify_types_of(session: nox.Session, import_name: str, version: str) -> None:
    command = ["basedpyright", "--verifytypes", import_name, "--ignoreexternal"]
    command += [f"--pythonversion={version}"]
    output = session.run(*command, "--outputjson", silent=True, success_codes=[0, 1])
    report = json.loads(str(output))
    completeness = report["typeCompleteness"]
    exported = completeness["exportedSymbolCounts"]
    # A package that exports nothing yet has a score of 0, and nothing to complain of.
    complete = completeness["completenessScore"] == 1 or not any(exported.values())
    if report["generalDiagnostics"] or not complete:
        session.run(*command)  # fails, and shows why
    session.log(f"{import_name}: {exported['withKnownType']} public symbols, all types known")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, with each warning and each dangling reference an error."""
    install(session, "docs", editable=True)
    options = ["--fail-on-warning", "--keep-going", "--nitpicky", "--fresh-env"]
    session.run("sphinx-build", *options, "docs", "docs/_build/html")


def installed(session: nox.Session) -> set[str]:
    listing = session.run("python", "-m", "pip", "list", "--format=json", silent=True)
    return {entry["name"] for entry in json.loads(str(listing))}


@nox.session(reuse_venv=False)
def minimal(session: nox.Session) -> None:
    """The core alone: it brings no other distribution, loads little, and works."""
    before = installed(session)
    session.install("packages/httpio-core")
    if (added := installed(session) - before) != {"httpio-core"}:
        session.error(f"installing httpio-core installed {sorted(added)}")
    session.run("python", "-I", "tests/smoke.py")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests, but of the exhaustive ones a share; or what arguments after ``--`` tell pytest."""
    install(session, "test", editable=True)
    share = f"--share={PYTHONS.index(str(session.python)) + 1}/{len(PYTHONS)}"
    arguments = session.posargs or [share]
    session.run("pytest", *PARALLEL, *arguments, interrupt_timeout=INTERRUPT_TIMEOUT)


@nox.session
def coverage(session: nox.Session) -> None:
    """All tests on one Python, and which lines they leave out."""
    install(session, "coverage", editable=True)
    session.run(
        *("coverage", "run", "-m", "pytest", *session.posargs),
        interrupt_timeout=INTERRUPT_TIMEOUT,
    )
    session.run("coverage", "report")


@nox.session(reuse_venv=False)
def wheels(session: nox.Session) -> None:
    """Build, check and install the distributions, and test what was installed."""
    session.install(*group("build"))
    with tempfile.TemporaryDirectory(prefix="httpio-wheels-") as directory:
        outside = Path(directory)
        dist = outside / "dist"
        for path in DISTRIBUTIONS:
            # Makes the sdist, and then the wheel from the sdist.
            session.run("python", "-m", "build", "--no-isolation", f"--outdir={dist}", path)
        archives = sorted(map(str, dist.iterdir()))
        session.run("twine", "check", "--strict", *archives)
        for name, import_name in IMPORT_NAMES.items():
            check_contents(session, dist, name, import_name)

        # An environment without the build tools: they would hide a dependency that is not declared.
        session.run("virtualenv", "--quiet", str(outside / "env"))
        python = str(outside / "env" / "bin" / "python")
        search_path = os.pathsep.join([str(outside / "env" / "bin"), os.environ["PATH"]])
        env = {"PATH": search_path, "PYTHONPATH": None}
        # The extra makes pip compare the pins of the siblings with the versions that were built.
        wheel_files = [
            f"{path}[all]" if "httpio_core" in path else path
            for path in archives
            if path.endswith(".whl")
        ]
        pip_install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        session.run(*pip_install, *group("test"), *wheel_files, external=True)

        copy = outside / "tree"
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".*", "packages", "dist", "_build")
        )
        with session.chdir(copy):
            session.run(
                *(python, "-m", "pytest", *PARALLEL, *(session.posargs or OF_WHAT_IS_INSTALLED)),
                env=env,
                external=True,
                interrupt_timeout=INTERRUPT_TIMEOUT,
            )


def check_contents(session: nox.Session, dist: Path, name: str, import_name: str) -> None:
    """Fail unless the archives of a distribution hold what they should, and nothing else."""
    (sdist,) = dist.glob(f"{name.replace('-', '_')}-*.tar.gz")
    (wheel,) = dist.glob(f"{name.replace('-', '_')}-*.whl")
    with tarfile.open(sdist) as tar:
        in_sdist = {member.partition("/")[2] for member in tar.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
    source = ROOT / "packages" / name
    modules = {
        path.relative_to(source / "src").as_posix()
        for path in (source / "src").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    wanted_in_sdist = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"}
    wanted_in_sdist |= {f"src/{module}" for module in modules}
    manual = {path.name for path in (source / "man").glob("*.1")}
    wanted_in_sdist |= {f"man/{page}" for page in manual}
    in_sdist.discard(".gitignore")  # hatchling adds it of its own accord
    if in_sdist != wanted_in_sdist:
        session.error(f"{sdist.name}: unexpected or missing: {sorted(in_sdist ^ wanted_in_sdist)}")
    metadata = {path for path in in_wheel if ".dist-info/" in path}
    data = {path for path in in_wheel if ".data/" in path}
    if {path.partition(".data/data/")[2] for path in data} != {
        f"share/man/man1/{page}" for page in manual
    }:
        session.error(f"{wheel.name}: unexpected or missing data: {sorted(data)}")
    if in_wheel - metadata - data != modules:
        difference = sorted((in_wheel - metadata - data) ^ modules)
        session.error(f"{wheel.name}: unexpected or missing: {difference}")
    if f"{import_name}/py.typed" not in in_wheel:
        session.error(f"{wheel.name}: no py.typed")
    if not any(path.endswith("/licenses/LICENSE") for path in metadata):
        session.error(f"{wheel.name}: no licence")


@nox.session
def demo(session: nox.Session) -> None:
    """A thousand documents over one connection; arguments after ``--`` go to the demo."""
    install(session, "demo")
    session.run("python", "examples/demo.py", *session.posargs, interrupt_timeout=INTERRUPT_TIMEOUT)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """What httpio costs beside other clients; arguments after ``--`` go to the benchmarks."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs, interrupt_timeout=INTERRUPT_TIMEOUT)
