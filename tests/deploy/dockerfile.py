"""The Dockerfile as far as it can be followed without Docker: stages that only copy and run.

Paths of the image lie below a folder; commands see them by replacement, since nobody may become
root here. The base is this Python, in a virtual environment of its own.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_OUR_PATHS = re.compile(r"(?<![\w./:])/(wheels|source|build|opt/reports|opt/dagster)\b")
_PIP = "pip==26.3"
_OPTIONS = re.compile(r"^(--\S+\s+)+")


@dataclass(frozen=True)
class Instruction:
    name: str
    rest: str

    @property
    def options(self) -> str:
        found = _OPTIONS.match(self.rest)
        return found[0] if found else ""

    @property
    def argument(self) -> str:
        return self.rest.removeprefix(self.options)


@dataclass
class Stage:
    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def of(self, name: str) -> list[str]:
        """What follows each instruction of this name, without its options."""
        return [each.argument for each in self.instructions if each.name == name]

    @property
    def copied(self) -> list[tuple[list[str], str]]:
        """What each COPY takes from the context, and to where."""
        words = [
            each.argument.split()
            for each in self.instructions
            if each.name == "COPY" and "--from=" not in each.options
        ]
        return [(sources, target) for *sources, target in words]


def stages(dockerfile: Path) -> list[Stage]:
    """In order; the last one is the image."""
    found: list[Stage] = []
    for instruction in _instructions(dockerfile):
        if instruction.name == "FROM":
            base, _, name = instruction.argument.partition(" AS ")
            found.append(Stage(base, name))
        elif found:
            found[-1].instructions.append(instruction)
    return found


def _instructions(dockerfile: Path) -> Iterator[Instruction]:
    lines = [
        line
        for line in dockerfile.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    for text in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = text.partition(" ")
        yield Instruction(name, rest.strip())


def environment(stage: Stage) -> dict[str, str]:
    """What ENV gives."""
    pairs = [pair.partition("=") for text in stage.of("ENV") for pair in text.split()]
    return {name: value for name, _, value in pairs}


def context_files(dockerfile: Path, context: Path) -> set[Path]:
    """What the .dockerignore beside the Dockerfile lets through, relative to the context."""
    ignoring = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    patterns = [
        line
        for line in ignoring.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    named = [context / pattern[1:] for pattern in patterns if pattern.startswith("!")]
    files = [
        path.relative_to(context)
        for start in named
        for path in ([start] if start.is_file() else start.rglob("*"))
        if path.is_file()
    ]
    hidden = [pattern.removeprefix("**/") for pattern in patterns if pattern.startswith("**/")]
    return {
        path
        for path in files
        if not any(fnmatch.fnmatch(part, pattern) for part in path.parts for pattern in hidden)
    }


class Build:
    """Stages that were followed below a folder."""

    def __init__(self, dockerfile: Path, context: Path, root: Path) -> None:
        self.root = root
        self._files = context_files(dockerfile, context)
        self._context = context
        self._stages = {stage.name: stage for stage in stages(dockerfile)}
        self._folder = root
        base = root / "base"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", base], check=True)
        # The one that comes with Python is years old and takes twice as long to read an index.
        pip = [sys.executable, "-m", "pip", f"--python={base}", "install", "--quiet", _PIP]
        subprocess.run(pip, check=True)
        self._variables: Mapping[str, str] = {
            "PATH": f"{base / 'bin'}:/usr/bin:/bin",
            "HOME": os.environ.get("HOME", "/"),  # of pip's cache and configuration
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
            # Most modules are never imported by a test; those that are compile themselves then.
            "PIP_COMPILE": "0",
        }

    def follow(self, name: str) -> None:
        """Do what a stage says.

        Raises:
            ValueError: it says something that cannot be followed here.
        """
        for instruction in self._stages[name].instructions:
            match instruction.name:
                case "WORKDIR":
                    self._folder = self._path(instruction.argument)
                    self._folder.mkdir(parents=True, exist_ok=True)
                case "COPY" if "--from=" not in instruction.options:
                    *sources, target = instruction.argument.split()
                    self._copy(sources, target)
                case "RUN":
                    self._run(instruction.argument)
                case _:
                    raise ValueError(f"{instruction.name} cannot be followed in {name}")

    def copy(self, stage: Stage) -> None:
        """Do no more of a stage than to copy what it takes from the context."""
        for sources, target in stage.copied:
            self._copy(sources, target)

    def _here(self, text: str) -> str:
        return _OUR_PATHS.sub(lambda found: str(self.root / found[1]), text)

    def _path(self, text: str) -> Path:
        return self._folder / self._here(text)

    def _copy(self, sources: list[str], target: str) -> None:
        for source in sources:
            for path in self._files:
                if path == Path(source):
                    into = self._path(target)
                    self._copy_file(path, into / path.name if target.endswith("/") else into)
                elif path.is_relative_to(source):
                    self._copy_file(path, self._path(target) / path.relative_to(source))

    def _copy_file(self, path: Path, into: Path) -> None:
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._context / path, into)

    def _run(self, command: str) -> None:
        words = json.loads(command) if command.startswith("[") else ["sh", "-ec", command]
        done = subprocess.run(
            [self._here(word) for word in words],
            cwd=self._folder,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ValueError(f"{command}\n{done.stdout}\n{done.stderr}")
