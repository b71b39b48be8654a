"""The examples under deploy/ name commands, settings, files and paths that exist."""

import json
import os
import re
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from service.__main__ import app
from service.server import SHUTDOWN_TAKES_S
from service.settings import PREFIX, SETTINGS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
NAMES = {f"{PREFIX}{setting.name}" for setting in SETTINGS} | {
    f"{PREFIX}{setting.name}_FILE" for setting in SETTINGS if setting.secret
}
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def must_be_a_command(words: list[str]) -> None:
    command: Any = COMMANDS[words[0]]
    if inner := getattr(command, "commands", None):
        command = inner[words[1]]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options, words


def unit(path: Path) -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign] # systemd's names have capitals
    parser.read_string(path.read_text())
    return parser


def test_every_setting_that_is_named_exists() -> None:
    for file in DEPLOY.iterdir():
        named = set(re.findall(rf"{PREFIX}[A-Z_]+", file.read_text())) - {f"{PREFIX}CONFIG"}
        assert named <= NAMES, (file.name, named - NAMES)


def test_every_command_that_is_named_exists() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    named = [service["command"] for service in compose["services"].values() if "command" in service]
    named.append(json.loads(re.findall(r"^CMD (.+)$", dockerfile(), re.MULTILINE)[-1]))
    for path in UNITS:
        run = unit(path)["Service"]["ExecStart"].split()
        assert run[0] == "/opt/postbag/.venv/bin/postbag"
        named.append(run[1:])
    readme = (DEPLOY / "README.md").read_text()
    named += [line.split() for line in re.findall(r"run --rm serve (.+)$", readme, re.MULTILINE)]
    named += [line.split() for line in re.findall(r"bin/postbag (\w+.*)$", readme, re.MULTILINE)]
    assert len(named) > 8
    for words in named:
        must_be_a_command([word.strip("`") for word in words])


def dockerfile() -> str:
    return (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")


def test_the_image_is_built_of_files_that_are_here_and_let_through() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {
        source
        for words in re.findall(r"^COPY (?!--from)(.+)$", dockerfile(), re.MULTILINE)
        for source in words.split()[:-1]
    }
    assert copied == let_through
    for source in copied:
        assert (ROOT / source).exists(), source
    assert "\nUSER postbag\n" in dockerfile()
    assert dockerfile().rindex("USER postbag") < dockerfile().index("ENTRYPOINT")
    versions = re.findall(r"python:(3\.\d+)", dockerfile())
    bounds = re.search(
        r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text()
    )
    assert bounds
    assert all(int(bounds[1]) <= int(v.split(".")[1]) < int(bounds[2]) for v in versions)


def test_what_the_image_leaves_out_is_not_needed_to_score(tmp_path: Path) -> None:
    """torch and transformers made impossible to import: the models load and answer all the same."""
    (tmp_path / "in.jsonl").write_text('{"id": 1, "text": "I cross there every day, on foot."}\n')
    without = (
        "import sys; sys.modules.update(torch=None, transformers=None)\n"
        "from service.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", without, "score", "in.jsonl", "--out", "out.jsonl"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.jsonl").read_text())["scores"]["insight"] > 0


def test_compose_is_whole() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    readme = (DEPLOY / "README.md").read_text()
    for name, secret in compose["secrets"].items():
        assert secret["file"] == f"./secrets/{name}"
        assert f"secrets/{name}" in readme
    for service in services.values():
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        assert set(service.get("depends_on", ())) <= set(services)
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in compose["volumes"]
        for variable, value in service.get("environment", {}).items():
            if variable.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in compose["secrets"]
    grace = int(services["serve"]["stop_grace_period"].removesuffix("s"))
    assert grace >= 2 + 2 * SHUTDOWN_TAKES_S + 8
    # Nothing but loopback is open to the world, and the database not even that.
    assert [port.rpartition(":")[0] for port in services["serve"]["ports"]] == ["127.0.0.1:8765"]
    assert "ports" not in services["database"]
    assert {"read_only", "cap_drop", "security_opt"} <= set(services["serve"])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_are_hardened_and_give_time_to_stop(path: Path) -> None:
    service = unit(path)["Service"]
    for name, value in {
        "User": "postbag",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "CapabilityBoundingSet": "",
        "UMask": "0077",
    }.items():
        assert service[name] == value, name
    if path.name == "postbag.service":
        assert int(service["TimeoutStopSec"]) >= 2 + 2 * SHUTDOWN_TAKES_S + 8


def test_systemd_finds_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is missing")
    # The command does not lie where a real installation has it: true stands in its place.
    for path in (*UNITS, *DEPLOY.glob("*.timer")):
        text = path.read_text().replace("/opt/postbag/.venv/bin/postbag", "/bin/true")
        (tmp_path / path.name).write_text(text)
    files = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files],
        env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "postbag" in line]
    assert ours == [], done.stderr


def test_the_proxy_caches_the_blocks_and_nothing_else_and_keeps_metrics_to_itself() -> None:
    text = re.sub(r"#.*$", "", (DEPLOY / "nginx.conf").read_text(), flags=re.MULTILINE)
    assert text.count("{") == text.count("}")
    for line in filter(None, map(str.strip, text.splitlines())):
        assert line.endswith((";", "{", "}")), line
    locations = dict(re.findall(r"location (\S+) \{(.*?)\}", text, re.DOTALL))
    assert set(locations) == {"/", "/p/", "/metrics"}
    assert "proxy_cache postbag;" in locations["/p/"]
    assert "proxy_cache_use_stale off;" in locations["/p/"]
    assert "proxy_cache" not in locations["/"]
    assert "deny all;" in locations["/metrics"]
    assert int(re.findall(r"client_max_body_size (\d+)m", text)[0]) * 2**20 > 8 * 2**20
    for header in ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-ID"):
        assert f"proxy_set_header {header} " in text
