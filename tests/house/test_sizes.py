"""Rooms stay small: what the style promises about sizes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60

# One table after the other; splitting the schema would hide it.
TABLES = {"service/storage/tables.py", "service/__main__.py"}


def modules() -> Iterator[Path]:
    for package in ("service", "models"):
        yield from (ROOT / package).rglob("*.py")


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if not text:
        return
    name = str(path.relative_to(ROOT))
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module begins with a line that says what it is for"
    allowed = 500 if name in TABLES else LONGEST_MODULE
    assert len(text.splitlines()) <= allowed
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"
