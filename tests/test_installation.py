"""`postbag init` asks what matters once, and writes nothing that it cannot keep."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from service.errors import MisconfiguredError
from service.settings import PREFIX, SETTINGS, parse_config, read_settings
from tests.conftest import database_url_of, on_server

ROOT = Path(__file__).parents[1]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
PASSWORD = "a long enough password"
ANSWERS = {
    "--database": "",
    "--public-url": "https://comments.example",
    "--site": "post",
    "--site-name": "The Post",
    "--email": "me@post.example",
    "--password": PASSWORD,
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`postbag …` in an empty folder; what it printed and how it ended."""

    def one(*arguments: str, said: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "COLUMNS": "200", "PYTHONPATH": str(ROOT)},
            input=said,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    return one


def flags(**other: str) -> list[str]:
    answers = ANSWERS | {f"--{name.replace('_', '-')}": value for name, value in other.items()}
    return [word for pair in answers.items() for word in pair]


def test_four_questions_make_an_installation_that_the_next_commands_find(
    run: Run, tmp_path: Path
) -> None:
    said = f"\n\npost\nThe Post\nme@post.example\n{PASSWORD}\n{PASSWORD}\n"
    done = run("init", said=said)
    assert done.returncode == 0, done.stderr
    assert "postbag key add post" in done.stdout
    config = tmp_path / "postbag.env"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / ".postbag").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".postbag/postbag.db").stat().st_mode) == 0o600
    assert PASSWORD not in config.read_text()
    assert "The Post" in run("site", "list").stdout
    assert run("key", "add", "post").returncode == 0
    examined = run("doctor")
    wrong = re.findall(r"^WRONG (.+)$", examined.stdout, re.MULTILINE)
    # The port that everybody has by default may be another's on this machine.
    assert [what for what in wrong if "127.0.0.1:8765" not in what] == []
    again = run("init", said=said)
    assert again.returncode == 1
    assert "is there already" in again.stderr


def test_on_a_servers_database_there_is_a_folder_too(
    run: Run, tmp_path: Path, postgresql_server: str
) -> None:
    """The list of erasures is kept there, and must outlive the database."""
    name = f"postbag_init_{os.getpid()}"
    on_server(postgresql_server, f'CREATE DATABASE "{name}"')
    try:
        done = run("init", *flags(database=database_url_of(postgresql_server, name)))
        assert done.returncode == 0, done.stderr
        assert stat.S_IMODE((tmp_path / ".postbag").stat().st_mode) == 0o700
    finally:
        on_server(postgresql_server, f'DROP DATABASE "{name}" WITH (FORCE)')


def test_the_config_explains_every_setting_and_reads_as_it_was_written(
    run: Run, tmp_path: Path
) -> None:
    assert run("init", *flags()).returncode == 0
    text = (tmp_path / "postbag.env").read_text()
    for setting in SETTINGS:
        assert f"# {setting.help}\n" in text
        assert f"{PREFIX}{setting.name}=" in text
    settings = read_settings(parse_config(tmp_path / "postbag.env"))
    assert settings.public_url == "https://comments.example"
    assert (settings.host, settings.port) == ("127.0.0.1", 8765)
    assert settings.trusted_proxies == ("127.0.0.1",)
    assert len(settings.secret) == 64
    assert len(settings.metrics_token) > 30
    defaults = re.findall(rf"^#({PREFIX}\w+=.*)$", text, re.MULTILINE)
    (tmp_path / "defaults.env").write_text("\n".join(defaults))
    for name, value in parse_config(tmp_path / "defaults.env").items():
        assert value == next(s.default for s in SETTINGS if f"{PREFIX}{s.name}" == name)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"site": "Not a slug"}, "a site's slug"),
        ({"site_name": " "}, "a site's name"),
        ({"email": "nobody"}, "an e-mail address"),
        ({"password": "short"}, "a password has 10 to"),
        ({"database": "mysql://me@db/x"}, "POSTBAG_DATABASE_URL must begin"),
        ({"database": "postgresql://me:p w@db/x"}, "without quotes, spaces"),
        ({"database": "postgresql://me@127.0.0.1:1/none"}, "does not answer"),
        ({"public_url": "comments.example"}, "an address is needed"),
        ({"public_url": "https://comments.example/path"}, "an address is needed"),
        ({"public_url": "http://[nonsense"}, "an address is needed"),
    ],
)
def test_a_wrong_answer_is_said_in_a_sentence_and_leaves_no_file(
    run: Run, tmp_path: Path, wrong: dict[str, str], sentence: str
) -> None:
    refused = run("init", *flags(**wrong))
    assert refused.returncode == 1, refused.stdout
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "postbag.env").exists()


def test_an_installation_without_a_file_keeps_its_secret(run: Run, tmp_path: Path) -> None:
    assert run("migrate").returncode == 0
    kept = (tmp_path / ".postbag/secret").read_text()
    assert run("init", *flags()).returncode == 0
    assert parse_config(tmp_path / "postbag.env")[f"{PREFIX}SECRET"] == kept
    (tmp_path / "postbag.env").unlink()
    refused = run("init", *flags())
    assert "it is set up" in refused.stderr


@pytest.mark.parametrize(
    "line",
    ["PORT=1", "POSTBAG_PORT", "POSTBAG_PORT='1'", "POSTBAG_PORT=1 # one", "POSTBAG_SECRET=a$b"],
)
def test_what_readers_of_a_config_would_read_differently_is_refused(
    tmp_path: Path, line: str
) -> None:
    file = tmp_path / "x.env"
    file.write_text(f"# a comment\n\nPOSTBAG_HOST=127.0.0.1\n{line}\n")
    with pytest.raises(MisconfiguredError, match="line 4"):
        parse_config(file)
    file.write_text("POSTBAG_PORT=1\nPOSTBAG_PORT=2\n")
    with pytest.raises(MisconfiguredError, match="line 2"):
        parse_config(file)


def test_the_environment_goes_before_the_file_and_a_missing_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.env"
    file.write_text(f"POSTBAG_DATA_DIR={tmp_path}\nPOSTBAG_PORT=1\nPOSTBAG_KEY_RATE=7\n")
    monkeypatch.setenv("POSTBAG_CONFIG", str(file))
    monkeypatch.setenv("POSTBAG_PORT", "2")
    settings = read_settings()
    assert (settings.port, settings.key_rate) == (2, 7)
    monkeypatch.setenv("POSTBAG_CONFIG", str(tmp_path / "none"))
    with pytest.raises(MisconfiguredError, match="none cannot be read"):
        read_settings()
