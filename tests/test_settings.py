"""Settings are read once, checked, and keep their secrets to themselves."""

from pathlib import Path

import pytest

from service.errors import MisconfiguredError
from service.settings import SETTINGS, read_settings


def test_nothing_set_is_an_embedded_database_on_loopback(tmp_path: Path) -> None:
    settings = read_settings({"POSTBAG_DATA_DIR": str(tmp_path)})
    assert settings.host == "127.0.0.1"
    assert settings.database_url == f"sqlite:///{tmp_path / 'postbag.db'}"
    assert settings.public_url == "http://127.0.0.1:8765"
    assert settings.worker_inside


def test_the_made_up_secret_is_kept_and_private(tmp_path: Path) -> None:
    environ = {"POSTBAG_DATA_DIR": str(tmp_path)}
    assert read_settings(environ).secret == read_settings(environ).secret
    assert len(read_settings(environ).secret) == 64
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql+psycopg://me:pw@db/postbag\n")
    settings = read_settings(
        {"POSTBAG_DATA_DIR": str(tmp_path), "POSTBAG_DATABASE_URL_FILE": str(file)}
    )
    assert settings.database_url == "postgresql+psycopg://me:pw@db/postbag"
    assert "pw" not in repr(settings)
    assert settings.secret not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("SCORING_QUEUE", "0"),
        ("WORKER", "outside"),
        ("LOG_LEVEL", "loud"),
        ("PROT", "1"),
        ("HOST_FILE", "/etc/hostname"),
        ("SECRET_FILE", "/no/such/file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(MisconfiguredError, match=f"POSTBAG_{name}"):
        read_settings({"POSTBAG_DATA_DIR": str(tmp_path), f"POSTBAG_{name}": value})


def test_every_setting_says_what_it_is_for() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.help.endswith((".", "…")) for setting in SETTINGS)
