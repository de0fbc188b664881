"""Files stay short; everything public says what it is and what types it takes and gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

LONGEST_FILE = 400  # lines


def too_long(paths: list[Path], limit: int = LONGEST_FILE) -> list[str]:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    return [f"{path}: {length} lines" for path, length in lengths.items() if length > limit]


def public(name: str) -> bool:
    return not name.startswith("_")


def definitions(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Public classes and functions with their dotted names, methods included, local functions not."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and public(node.name):
            yield prefix + node.name, node
        if isinstance(node, ast.ClassDef) and public(node.name):
            yield from definitions(node, f"{prefix}{node.name}.")


def decorators(node: ast.AST) -> set[str]:
    return {ast.unparse(item).split("(")[0].split(".")[-1] for item in node.decorator_list}


def without_docstring(source: str) -> list[str]:
    tree = ast.parse(source)
    missing = [] if ast.get_docstring(tree) else ["module"]
    for name, node in definitions(tree):
        repeats_another = decorators(node) & {"overload", "setter", "override"}
        if not ast.get_docstring(node) and not repeats_another:
            missing.append(name)
    return missing


def without_annotations(source: str) -> list[str]:
    """Public functions and constructors with an argument or a result that has no type."""
    missing = []
    tree = ast.parse(source)
    found = list(definitions(tree))
    for name, node in list(found):
        if isinstance(node, ast.ClassDef):
            constructors = [item for item in node.body if getattr(item, "name", "") in {"__init__", "__call__"}]
            found += [(f"{name}.{item.name}", item) for item in constructors]
    for name, node in found:
        if isinstance(node, ast.ClassDef):
            continue
        given = node.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        bound = "." in name and "staticmethod" not in decorators(node)
        typeless = [arg.arg for arg in arguments[bound:] if arg is not None and arg.annotation is None]
        typeless += [] if node.returns is not None else ["return"]
        missing += [f"{name}: {', '.join(typeless)}"] if typeless else []
    return missing


def test_no_file_is_long(files):
    found = too_long([path for path in files if path.suffix == ".py"])
    assert not found, "\n".join(found)


def test_everything_public_has_a_docstring(modules):
    found = [f"{name}: {item}" for name, path in modules.items() for item in without_docstring(path.read_text())]
    assert not found, "\n".join(found)


def test_everything_public_has_types(modules):
    found = [f"{name}: {item}" for name, path in modules.items() for item in without_annotations(path.read_text())]
    assert not found, "\n".join(found)


def test_a_long_file_is_found(tmp_path):
    path = tmp_path / "long.py"
    path.write_text("x = 1\n" * LONGEST_FILE)
    assert not too_long([path])
    path.write_text("x = 1\n" * (LONGEST_FILE + 1))
    assert too_long([path]) == [f"{path}: 401 lines"]


def test_a_missing_docstring_is_found():
    source = (
        "class A:\n    'Said.'\n    def f(self): pass\n    def _g(self): pass\n    @property\n    def h(self): pass\n"
        "    class B:\n        pass\ndef f():\n    'Said.'\n    def inner(): pass\nclass _C:\n    def f(self): pass\n"
    )
    assert without_docstring(source) == ["module", "A.f", "A.h", "A.B"]
    assert without_docstring("'''Said.'''\n") == []


def test_a_missing_type_is_found():
    source = (
        "def f(a, b: int = 0, *args, c, **kwargs): pass\n"
        "def g(a: int, /) -> None: pass\n"
        "class A:\n"
        "    def __init__(self, size): pass\n"
        "    def f(self, a: int): pass\n"
        "    @staticmethod\n    def g(a) -> None: pass\n"
        "    @classmethod\n    def h(cls) -> None: pass\n"
    )
    assert without_annotations(source) == [
        "f: a, c, args, kwargs, return",
        "A.f: return",
        "A.g: a",
        "A.__init__: size, return",
    ]
