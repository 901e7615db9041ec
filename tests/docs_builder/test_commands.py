# SPDX-License-Identifier: Apache-2.0
"""Commands that the pages name exist, with the options that they give."""

import re
import shlex

import pytest

from build_flows.__main__ import cli
from docs_builder.pages import ROOT, tree_pages
from docs_builder.reference import help_of
from model.__main__ import main

PROGRAMS = {"-m model": main, "-m build_flows": cli}
SCRIPTS = {
    "host/run.py": ("host.run", "parse_arguments"),
    "host/bench.py": ("host.bench", "parse_arguments"),
    "host/comparison.py": ("host.comparison", "main"),
}


LINE = re.compile(r"(?:^|[ /])python (?:-m (?:model|build_flows) \w|host/\w+\.py).*")


def commands():
    """Each command line in the blocks and literals of the pages, with its page."""
    for path in tree_pages():
        text = (ROOT / path).read_text().replace("\\\n", " ")
        for literal in re.findall(r"^ {4}(.*)$|`([^`\n]+)`", text, re.MULTILINE):
            line = "".join(literal)
            if found := LINE.search(line):
                yield path, re.split(r" {2,}#| #| [|>&] ", found[0])[0].strip()


COMMANDS = sorted(set(commands()))


def options_of(words):
    """Long options that a command takes; None for a command that does not exist."""
    if words[1].startswith("host/"):
        text = help_of(*SCRIPTS[words[1]], "program")
        return set(re.findall(r"--[\w-]+", text))
    command = PROGRAMS[" ".join(words[1:3])].commands.get(words[3])
    if command is None:
        return None
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize(("path", "line"), COMMANDS)
def test_a_command_of_a_page_exists(path, line):
    words = shlex.split(re.sub(r"[\[\]']", " ", line))
    words[0] = "python"
    if words[1:2] == ["-m"] and words[3:4] == ["COMMAND"]:
        return
    known = options_of(words)
    assert known is not None, f"{path}: {line}"
    named = {word.split("=")[0].split("|")[0] for word in words if word.startswith("--")}
    assert named - known - {"--help"} == set(), f"{path}: {line}"


def test_the_pages_have_commands():
    assert len(COMMANDS) > 40


def test_a_command_or_option_that_does_not_exist_is_noticed():
    assert options_of(["python", "-m", "model", "nothing"]) is None
    assert "--nothing" not in options_of(["python", "-m", "build_flows", "build"])
    assert "--source" in options_of(["python", "host/run.py"])
