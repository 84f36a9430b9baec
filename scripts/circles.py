#!/usr/bin/env python3
"""Fails when modules of a crate of this workspace depend on each other in a circle.

A module is a file. It depends on the module that declares what its paths name: `crate::a::b::Item`
depends on `a::b`, `super::Item` on the parent. A module does not depend on its children by
declaring or re-exporting them. Tests and comments do not count. What the tools for this need, a
build of the gRPC C core of their own, takes 10 minutes; this takes none.

    scripts/circles.py            check
    scripts/circles.py --print    print what each module depends on
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CRATES = [ROOT, *sorted((ROOT / "crates").iterdir())]
TOKENS = re.compile(r"\w+|::|[{},;*]")


def modules(src):
    """The path of each module, and its file."""
    for file in sorted(src.rglob("*.rs")):
        parts = file.relative_to(src).with_suffix("").parts
        if parts[0] in ("bin", "generated") or file.name == "main.rs":
            continue
        yield parts[:-1] if parts[-1] in ("mod", "lib") else parts, file


def code(file):
    """The text of a file without comments, tests and declarations of modules."""
    text = file.read_text()
    text = text.split("#[cfg(test)]\nmod tests")[0]
    text = re.sub(r"//.*", "", text)
    text = re.sub(r'"(\\.|[^"\\])*"', '""', text, flags=re.S)
    text = re.sub(r"\bpub\([^)]*\)", "pub", text)
    # A parent only passes on what its children have.
    return re.sub(r"^ *pub use [^;]*;", "", text, flags=re.M)


def expand(path, rest):
    """The paths of a `use` tree behind `path`; `rest` is a list of tokens, used up as far as read."""
    while rest:
        token = rest.pop(0)
        if token == "{":
            while rest and rest[0] != "}":
                yield from expand(path, rest)
                if rest and rest[0] == ",":
                    rest.pop(0)
            if rest:
                rest.pop(0)
            return
        if token in (",", ";", "}"):
            rest.insert(0, token)
            break
        if token != "::":
            if token == "as":
                rest.pop(0)
                break
            path = [*path, token]
    yield path


def named(text):
    """All paths in a text."""
    for found in re.finditer(r"\buse ([^;]+);", text):
        yield from expand([], TOKENS.findall(found[1]))
    for found in re.finditer(r"(?<!::)\b\w+(?:::\w+)+", re.sub(r"\buse [^;]+;", "", text)):
        yield found[0].split("::")


def owner(known, here, path):
    """The module of this crate that a path leads to; None where it leads elsewhere."""
    if path and (*here, path[0]) in known:
        path = ["self", *path]
    if not path or path[0] not in ("crate", "super", "self"):
        return None
    base = [] if path[0] == "crate" else list(here)
    path = path[1:] if path[0] in ("crate", "self") else path
    while path and path[0] == "super":
        base, path = base[:-1], path[1:]
    for name in path:
        if name == "generated":
            return None
        if (*base, name) not in known:
            break
        base.append(name)
    return tuple(base)


def circles(graph):
    """The groups of modules that reach each other (Tarjan's strongly connected components)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                found.append(group)

    for node in graph:
        if node not in index:
            visit(node)
    return found


def main():
    wrong = 0
    for crate in CRATES:
        known = dict(modules(crate / "src"))
        graph = {}
        for here, file in known.items():
            owners = {owner(known, here, path) for path in named(code(file))}
            graph[here] = sorted(o for o in owners if o is not None and o in known and o != here)
        if "--print" in sys.argv:
            for here, others in graph.items():
                print("::".join((crate.name, *here)), "->", ", ".join("::".join(o) for o in others))
        for group in circles(graph):
            wrong += 1
            shown = ", ".join("::".join(module) or "lib.rs" for module in group)
            print(f"{crate.name}: these modules depend on each other in a circle: {shown}")
    if wrong:
        sys.exit(1)
    print("no circle of modules")


main()
