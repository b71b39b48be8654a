"""A comment's state is moved in one room, by its one table."""

import ast
from pathlib import Path

from service.moderation.decisions import TRANSITIONS
from service.storage.tables import State

ROOT = Path(__file__).parents[2]
ROOM = "service/moderation/decisions.py"


def test_every_state_has_its_row_and_what_is_gone_stays_gone() -> None:
    assert set(TRANSITIONS) == set(State)
    assert TRANSITIONS[State.WITHDRAWN] == {State.ERASED}
    assert TRANSITIONS[State.ERASED] == set()
    for state in (State.RECEIVED, State.HELD, State.APPROVED, State.REJECTED):
        assert TRANSITIONS[state] == set(State)


def test_nothing_else_writes_a_comments_state() -> None:
    """Assigned to what is called a comment, or given to an UPDATE; picks have states of their own."""
    for path in (ROOT / "service").rglob("*.py"):
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                assert "comment.state" not in {ast.unparse(target) for target in targets}, name
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".values"):
                writes = any(keyword.arg == "state" for keyword in node.keywords)
                assert not writes or name == ROOM, name
