# SPDX-License-Identifier: Apache-2.0
"""What Vitis HLS refuses, found in the text of the C++."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

REFUSED = {
    "dynamic memory": r"\b(new|delete|malloc|calloc|realloc|free)\b",
    "the standard library": r"\bstd::(vector|string|map|cout|cerr|function)\b",
    "a loop without bound": r"\b(while|do)\b|for \(\s*;|for \([^;]*;\s*;",
    "a system call": r"\b(printf|fopen|fread|fwrite|exit|abort|system|getenv|time)\s*\(",
    "an exception or run-time type": r"\b(throw|try|catch|virtual|dynamic_cast|typeid)\b",
    "goto": r"\bgoto\b",
    "a vendor extension": r"\b(ap_wait|ssdm_|_ssdm|__attribute__)\w*",
}  # fmt: skip
FUNCTION = re.compile(r"^(?:static |inline )*[\w:<>, *&]+?[ &*](\w+)\([^;{}]*\) \{$", re.MULTILINE)
LOOP = re.compile(r"for \(int (\w+) = [^;]+; \1 < [^;]+; (?:\1\+\+|\1 \+= \w+)\)")
DECLARED = re.compile(r"hls::stream<[^;]*> (\w+)\(\"\w+\"\);")
CALL = re.compile(r"^  (\w+)::run<[^;]*>\(([^;]*)\);$", re.MULTILINE)
TABLE = re.compile(r"static const [^\n]* (\w+)\[\d+\]")


def without_comments(text: str) -> str:
    """The code alone."""
    return re.sub(r"//[^\n]*", "", text)


def refused(text: str) -> list[str]:
    """Constructs that Vitis HLS does not take."""
    code = without_comments(text)
    found = [f"{what}: {hit[0]}" for what, pattern in REFUSED.items()
             for hit in re.finditer(pattern, code)]  # fmt: skip
    loops = re.findall(r"\bfor \([^{]*\)", code)
    found += [f"a loop without bound: {loop}" for loop in loops if not LOOP.match(loop)]
    return found + [f"recursion: {name}" for name in _recursive(code)]


def _recursive(code: str) -> list[str]:
    """Functions that call themselves, through others of the text too."""
    calls: dict[str, set[str]] = {}
    heads = list(FUNCTION.finditer(code))
    ends = [*(head.start() for head in heads), len(code)][1:]
    names = {head[1] for head in heads}
    for head, end in zip(heads, ends, strict=True):
        body = code[head.end() : end]
        called = {name for name in names if re.search(rf"(?<!::)\b{name}(<[^;]*?>)?\(", body)}
        calls.setdefault(head[1], set()).update(called)
    return [name for name in names if name in _reached(name, calls)]


def _reached(name: str, calls: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = set(calls[name])
    while waiting:
        found |= waiting
        waiting = {callee for caller in waiting for callee in calls[caller]} - found
    return found


def directions(header: str) -> tuple[list[str], str | None]:
    """How ``run`` of a kernel uses its streams, "read" or "write", and a pack at the end."""
    code = without_comments(header)
    arguments = re.findall(r"\bvoid run\(([^{]*)\) \{", code)[-1]
    streams = re.findall(r"hls::stream<(?:[^<>]|<[^<>]*>)*> &(\w+)", arguments)
    pack = re.search(r"&\.\.\.(\w+)", arguments)
    ways = [_way(name, code) for name in streams]
    return ways, _way(pack[1], code) if pack else None


def _way(name: str, code: str) -> str:
    """How the body uses a stream."""
    used = set(re.findall(rf"\b{name}\.(read|write)\(", code))
    assert len(used) == 1, f"{name} is used for {used}"
    return used.pop()


def dataflow(text: str, headers: Mapping[str, str]) -> list[str]:
    """Streams of a dataflow function that are not written once, then read once."""
    code, found = without_comments(text), []
    declared, tables = DECLARED.findall(code), set(TABLE.findall(code))
    uses = {"read": Counter({"m_axis": 1}), "write": Counter({"s_axis": 1})}
    for kernel, arguments in CALL.findall(code):
        names = [name for name in arguments.split(", ") if name not in tables]
        ways, pack = directions(headers[kernel])
        for name, way in zip(names, ways + [pack] * (len(names) - len(ways)), strict=True):
            if way == "read" and not uses["write"][name]:
                found.append(f"{name} is read before it is written")
            uses[way][name] += 1
    for name in (*declared, "s_axis", "m_axis"):
        for way, past in (("write", "written"), ("read", "read")):
            if uses[way][name] != 1:
                found.append(f"{name} is {past} {uses[way][name]} times")
    unknown = set(uses["read"] | uses["write"]) - {*declared, "s_axis", "m_axis"}
    return found + [f"{name} is not declared" for name in sorted(unknown)]
