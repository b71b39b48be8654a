"""What an operator must know is written down: every setting, command and call."""

import re
from pathlib import Path

import typer
from starlette.routing import Route

from service.__main__ import app
from service.api.payload import CODES
from service.api.routes import ROUTES
from service.errors import ServiceError
from service.moderation.messages import TYPES
from service.moderation.policy import Reason
from service.outgoing import Trouble
from service.settings import PREFIX, SETTINGS

ROOT = Path(__file__).parents[2]
OPERATING = (ROOT / "docs/operating.md").read_text()
API = (ROOT / "docs/api.md").read_text()


def test_every_setting_is_documented() -> None:
    for setting in SETTINGS:
        row = f"| `{PREFIX}{setting.name}` | {setting.default or '(empty)'} | {setting.help} |"
        assert row in OPERATING, f"docs/operating.md lacks the row {row}"


def test_every_command_is_documented() -> None:
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        for full in [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]:
            assert f"`postbag {full}" in OPERATING, f"docs/operating.md lacks `postbag {full}`"


def test_every_call_is_documented() -> None:
    for route in ROUTES:
        assert isinstance(route, Route)
        method = next(iter((route.methods or set()) - {"HEAD"}))
        assert f"`{method} /api/v1{route.path}`" in API, f"docs/api.md lacks {method} {route.path}"


def test_every_error_code_is_documented() -> None:
    source = "\n".join(p.read_text() for p in (ROOT / "service").rglob("*.py"))
    codes = set(re.findall(r'code="([a-z_]+)"', source))
    codes |= {error.code for error in ServiceError.__subclasses__()}
    for code in sorted(codes):
        assert f"`{code}`" in API, f"docs/api.md does not explain the code {code}"


def test_every_code_of_a_wrong_field_is_documented() -> None:
    for code in sorted({*CODES.values(), "wrong_type", "empty"}):
        assert f"`{code}`" in API, f"docs/api.md does not name the code {code}"


def test_every_reason_is_documented() -> None:
    flow = (ROOT / "docs/flow.md").read_text()
    for reason in Reason:
        assert f"`{reason.value}`" in flow, f"docs/flow.md does not explain {reason.value}"


def test_every_message_of_a_webhook_and_every_trouble_is_documented() -> None:
    page = (ROOT / "docs/webhooks.md").read_text()
    for word in (*TYPES, *Trouble, "status", "secret_changed", "internal"):
        assert f"| `{word}` |" in page, f"docs/webhooks.md does not explain {word}"


def test_every_invariant_names_tests_that_are_there() -> None:
    flow = (ROOT / "docs/flow.md").read_text()
    rows = [line for line in flow.splitlines() if "`tests/" in line]
    assert len(rows) > 10
    for file, _, name in re.findall(r"`(tests/[\w/]+\.py)(::(\w+))?`", "\n".join(rows)):
        source = (ROOT / file).read_text()
        assert f"def {name}(" in source if name else "def test_" in source, f"{file} {name}"
