"""What an operator types, as they type it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from models.registry import default_folder
from service.app import create_app, start_process, stop_process
from service.errors import MisconfiguredError
from service.server import open_socket
from service.settings import SETTINGS, read_settings
from service.storage.tables import Score
from tests.running import free_port, wait_until_ready

ROOT = Path(__file__).parents[1]
SEED = ROOT.parent / "shared/seed/article-oxytocin.txt"
OWN = ROOT / "tests/data/echo-article.txt"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`postbag …` in a folder of its own; what it printed and how it ended."""

    def one(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "COLUMNS": "200",
                "POSTBAG_DATA_DIR": str(tmp_path / "data"),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    return one


@pytest.fixture
def site(run: Run) -> str:
    """A migrated installation with a site and a key for everything."""
    assert run("migrate").returncode == 0
    assert run("site", "add", "post", "--name", "The Post").returncode == 0
    return run("key", "add", "post").stdout.strip()


def test_an_installation_is_set_up_step_by_step_and_the_doctor_says_the_next(run: Run) -> None:
    before = run("doctor", POSTBAG_PORT=str(free_port()))
    assert before.returncode == 1
    assert "run `postbag migrate`" in before.stdout
    told = json.loads(run("doctor", "--json", POSTBAG_PORT=str(free_port())).stdout)
    assert told["well"] is False
    assert {"run `postbag migrate`"} == {f["mend"] for f in told["findings"] if not f["well"]}
    assert run("migrate").returncode == 0
    assert "run `postbag site add" in run("doctor").stdout
    run("site", "add", "post", "--name", "The Post", "--timezone", "Europe/Lisbon")
    assert "The Post" in run("site", "list").stdout
    key = run("key", "add", "post").stdout.strip()
    assert key.startswith("pb_")
    assert run("key", "add", "post", "--name", "ci", "--test").returncode == 0
    listed = run("key", "list", "post").stdout
    assert key not in listed
    assert "ci  ingest,moderate,publish  test" in listed
    assert len(run("site", "list").stdout.splitlines()) == 1
    person = ("mo@post.example", "--name", "Mo", "--site", "post", "--role", "moderator")
    added = run("person", "add", *person, "--password", "a long enough password")
    assert added.returncode == 0, added.stderr
    well = run("doctor", POSTBAG_PORT=str(free_port()))
    assert well.returncode == 0, well.stdout
    assert "WRONG" not in well.stdout
    prefix = re.search(r"(pb_\w+)…", listed)
    assert prefix
    assert run("key", "revoke", "post", prefix[1]).returncode == 0
    assert "revoked" in run("key", "list", "post").stdout
    assert run("person", "grant", "mo@post.example", "post", "editor").returncode == 0
    renewed = run("person", "password", "mo@post.example", "--password", "another good password")
    assert renewed.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("site", "add", "Not a slug", "--name", "x"), "a site's slug is made of"),
        (("site", "add", "p", "--name", "x", "--timezone", "Mars/One"), "time zone"),
        (("key", "add", "none"), "there is no site 'none'"),
        (("person", "password", "no@one.example", "--password", "long enough now"), "no person"),
    ],
)
def test_a_refusal_is_a_sentence(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    run("migrate")
    refused = run(*arguments)
    assert refused.returncode == 1
    assert refused.stderr.startswith("postbag: ")
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"POSTBAG_PROT": "1"}, "POSTBAG_PROT is not a setting"),
        ({"POSTBAG_PORT": "many"}, "POSTBAG_PORT must be a whole number"),
        ({"POSTBAG_SECRET_FILE": "/no/such/file"}, "/no/such/file"),
        ({"POSTBAG_DATABASE_URL": "nonsense"}, "POSTBAG_DATABASE_URL"),
        ({"POSTBAG_DATABASE_URL": "mysql://me@db/postbag"}, "POSTBAG_DATABASE_URL"),
        ({"POSTBAG_DATA_DIR": "/dev/null/data"}, "POSTBAG_DATA_DIR"),
        ({"POSTBAG_DATABASE_URL": "postgresql://me@127.0.0.1:1/none"}, "does not answer"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named(
    run: Run, environment: dict[str, str], sentence: str
) -> None:
    for command in ("serve", "migrate"):
        refused = run(command, **{"POSTBAG_PORT": str(free_port()), **environment})
        assert refused.returncode == 1
        assert sentence in refused.stderr
        assert "Traceback" not in refused.stderr


def test_the_doctors_lines_are_whole_however_narrow_the_terminal(run: Run) -> None:
    said = run("doctor", POSTBAG_PORT=str(free_port()), COLUMNS="40").stdout
    for setting in SETTINGS:
        assert re.search(rf"^  {setting.name} +{re.escape(setting.help)}$", said, re.MULTILINE)


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_in_use_is_said_in_a_sentence(run: Run, command: str) -> None:
    run("migrate")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run(command, POSTBAG_PORT=str(port))
    assert refused.returncode == 1
    assert f"127.0.0.1:{port} cannot be listened on" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_reset_beside_a_running_demo_leaves_its_data(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "data/demo/credentials.json"
    kept.parent.mkdir(parents=True)
    kept.touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("demo", "--reset", POSTBAG_PORT=str(taken.getsockname()[1]))
    assert refused.returncode == 1
    assert "cannot be listened on" in refused.stderr
    assert kept.exists()


def test_ctrl_c_while_the_demo_is_prepared_ends_it_cleanly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "demo"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "POSTBAG_DATA_DIR": str(tmp_path),
            "POSTBAG_PORT": str(free_port()),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Written just before the comments are scored.
    while not (tmp_path / "demo/credentials.json").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    printed, complained = process.communicate(timeout=60)
    assert process.returncode == 130, complained
    assert "Stopped." in printed
    assert "Traceback" not in complained
    assert "terminate called" not in complained


def test_two_cannot_have_one_port_even_while_neither_answers_yet() -> None:
    first = open_socket("127.0.0.1", 0)
    with pytest.raises(MisconfiguredError, match="cannot be listened on"):
        open_socket("127.0.0.1", first.getsockname()[1])
    first.close()


def test_a_database_that_is_not_migrated_is_not_served(run: Run) -> None:
    refused = run("serve", POSTBAG_PORT=str(free_port()))
    assert refused.returncode == 1
    assert "run `postbag migrate`" in refused.stderr


def test_altered_weights_are_found_by_the_doctor(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / default_folder().name
    shutil.copytree(default_folder(), folder)
    (folder / "heads.safetensors").write_bytes(b"something else")
    found = run("doctor", POSTBAG_WEIGHTS=str(folder))
    assert found.returncode == 1
    assert "heads.safetensors is not the file that was released" in found.stdout


def test_without_weights_the_service_starts_says_so_and_holds(
    run: Run, site: str, tmp_path: Path
) -> None:
    settings = read_settings(
        {"POSTBAG_DATA_DIR": str(tmp_path / "data"), "POSTBAG_WEIGHTS": str(tmp_path / "none")}
    )
    process = start_process(settings)
    try:
        with TestClient(create_app(process)) as client:
            ready = client.get("/readyz")
            assert ready.status_code == 503
            assert "get the weights again" in ready.json()["models"]
            assert client.get("/livez").status_code == 200
            body = {
                "id": "c-1",
                "article_id": "a-1",
                "article": {"url": "https://post.example/a", "title": "A", "body": "Words."},
                "author": {"name": "Ada"},
                "body": "A fair point.",
            }
            auth = {"Authorization": f"Bearer {site}"}
            reply = client.post("/api/v1/comments?wait=5", json=body, headers=auth)
            assert reply.status_code in {201, 202}, reply.text
            kept = client.get("/api/v1/comments/c-1", headers=auth).json()
            assert kept["state"] == "held"
            assert kept["verdict"]["reasons"][0]["code"] == "model_unavailable"
    finally:
        stop_process(process)


@pytest.mark.parametrize("file", [SEED, OWN], ids=["seed", "own"])
def test_a_published_article_is_taken_in_and_its_block_printed_again(
    run: Run, site: str, tmp_path: Path, file: Path
) -> None:
    if not file.exists():
        pytest.skip(f"{file.name} is not beside this checkout")
    loaded = run("load", str(file))
    assert loaded.returncode == 0, loaded.stderr
    found = re.fullmatch(r"(\S+): (\d+) new comments, 0 known\.\n", loaded.stdout)
    assert found, loaded.stdout
    article_id, number = found[1], int(found[2])
    assert f"0 new comments, {number} known." in run("load", str(file)).stdout
    process = start_process(read_settings({"POSTBAG_DATA_DIR": str(tmp_path / "data")}))
    try:
        with TestClient(create_app(process), headers={"Authorization": f"Bearer {site}"}) as client:
            _echoes_are_ranked_last_and_picked_knowingly(client, article_id, number, file)
    finally:
        stop_process(process)


def _echoes_are_ranked_last_and_picked_knowingly(
    client: TestClient, article_id: str, number: int, file: Path
) -> None:
    title = file.read_text(encoding="utf-8").strip().splitlines()[0]
    own = {
        "id": "reader",
        "article_id": article_id,
        "author": {"name": "Ruth Amadi"},
        "body": f"I read “{title}” twice. I have seen the very thing it describes in my own family "
        "for eleven years, because my sister lives with it, and what helped us is missing here: "
        "somebody who came by every evening and simply stayed for an hour.",
    }
    assert client.post("/api/v1/comments?wait=10", json=own).json()["state"] == "approved"
    path = f"/api/v1/candidates?article_id={article_id}"
    first, *echoes = client.get(path).json()["items"]
    assert first["comment"]["id"] == "reader"
    assert len(echoes) == number
    for each in echoes:
        comment = each["comment"]
        assert comment["state"] == "approved"
        assert comment["relevance_label"] == "direct"
        assert comment["scores"]["echo"] == 1.0
        assert comment["scores"]["spam"] < 0.5
        assert "insight" not in comment["scores"]
        assert each["is_echo"]
        assert comment["passage"]["text"].split()[0] in comment["body"]
        body = {"comment_id": comment["id"], "revision": 1}
        picks = f"/api/v1/articles/{article_id}/picks"
        assert client.post(picks, json=body).json()["code"] == "echo"
        assert client.post(picks, json={**body, "acknowledge_echo": True}).status_code == 201
    version = client.get(f"/api/v1/articles/{article_id}/block").json()["draft"]["version"]
    client.post(f"/api/v1/articles/{article_id}/block/publish", json={"version": version})
    html = client.get(f"/p/post/{article_id}.html").text
    assert "Perspectives &amp; Insights" in html
    names = [each["comment"]["author"]["name"] for each in echoes]
    assert [html.index(name) for name in names] == sorted(html.index(name) for name in names)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"Title\nWords.\nPerspectives & Insights\n" + b"N" * 201 + b"\nWords\n", "line 4"),
        (b"Title\nWords.\nPerspectives & Insights\nName\n" + b"w" * 50_001, "line 5"),
        (b"Title\nWords.\nPerspectives & Insights\nName\na \x00 b\n", "line 5"),
        (b"T" * 1001 + b"\nWords.\n", "line 1"),
        (b"Title\n\xff\n", "UTF-8"),
    ],
)
def test_a_published_article_has_the_limits_of_the_api(
    run: Run, site: str, tmp_path: Path, content: bytes, line: str
) -> None:
    file = tmp_path / "beyond.txt"
    file.write_bytes(content)
    refused = run("load", str(file))
    assert refused.returncode == 1
    assert line in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_file_that_is_no_published_article_is_refused_by_its_line(
    run: Run, site: str, tmp_path: Path
) -> None:
    file = tmp_path / "broken.txt"
    file.write_text("Title\nA paragraph.\nPerspectives & Insights\nA name without words\n")
    refused = run("load", str(file))
    assert refused.returncode == 1
    assert "line 4" in refused.stderr


def test_score_says_how_many_and_names_a_wrong_line(run: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"id": 1, "text": "I walk there every single day and never met a car."}\n')
    done = run("score", str(source), "--out", str(out))
    assert "1 line scored" in done.stdout
    assert json.loads(out.read_text())["language"] == "en"
    source.write_text("no json\n")
    refused = run("score", str(source), "--out", str(out))
    assert refused.returncode == 1
    assert "line 1" in refused.stderr
    source.write_text('{"id": 1, "text": "Fine."}\n')
    nowhere = run("score", str(source), "--out", str(tmp_path / "none/out.jsonl"))
    assert nowhere.returncode == 1
    assert "Traceback" not in nowhere.stderr


def test_comments_that_other_weights_judged_are_judged_again(
    run: Run, site: str, tmp_path: Path
) -> None:
    assert run("load", str(OWN)).returncode == 0
    nothing = run("rescore")
    assert (nothing.returncode, nothing.stdout) == (0, "0 comments judged again, 0 left.\n")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'data/postbag.db'}")
    with engine.begin() as connection:
        connection.execute(sa.update(Score).values(model="the-weights-before"))
        loaded = connection.scalar(sa.select(sa.func.count(Score.id)))
    engine.dispose()
    assert "no such article" in run("rescore", "--article", "none").stderr
    done = run("rescore", "--site", "post", "--since", "2026-01-01")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{loaded} comments judged again, 0 left.\n"


def test_examples_are_written_once_into_a_file_of_ones_own(
    run: Run, site: str, tmp_path: Path
) -> None:
    file = tmp_path / "examples.jsonl"
    done = run("export-examples", str(file), "--site", "post")
    assert done.returncode == 0, done.stderr
    assert "0 examples" in done.stdout
    assert "what readers wrote" in done.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    assert "is there already" in run("export-examples", str(file)).stderr
    assert "there is no site" in run("export-examples", str(tmp_path / "x"), "--site", "no").stderr
    assert "cannot be written" in run("export-examples", str(tmp_path / "no/x")).stderr


def test_a_policy_is_shown_and_set_by_version(run: Run, site: str, tmp_path: Path) -> None:
    assert run("site", "policy", "post").stdout.startswith("version 1")
    file = tmp_path / "policy.json"
    file.write_text('{"hold": {"spam": 0.4}, "fail": "wait_for_model"}')
    changed = run("site", "policy", "post", "--set", str(file)).stdout
    assert changed.startswith("version 2")
    assert '"spam": 0.4' in changed
    for wrong in (
        '{"hold": {"nonsense": 0.4}}',
        '{"hold": {"spam": 4}}',
        '{"hols": {}}',
        "[]",
        "{",
    ):
        file.write_text(wrong)
        refused = run("site", "policy", "post", "--set", str(file))
        assert refused.returncode == 1
        assert refused.stderr.startswith("postbag: ")
    assert run("site", "policy", "post").stdout.startswith("version 2")


def test_the_demo_keeps_its_data_until_it_is_reset(tmp_path: Path) -> None:
    def once(*arguments: str) -> str:
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "demo", *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "POSTBAG_DATA_DIR": str(tmp_path),
                "POSTBAG_PORT": str(port),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(process, f"http://127.0.0.1:{port}")
        finally:
            process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert b"Stopped." in printed
        key = re.search(r"API key\s+(\S+)", printed.decode())
        assert key
        return key[1]

    first = once()
    assert once() == first
    assert once("--reset") != first


def test_rules_go_out_and_in_are_tried_switched_and_taken_back(
    run: Run, site: str, tmp_path: Path
) -> None:
    assert run("load", str(OWN)).returncode == 0
    file = tmp_path / "rules.json"
    rule = {"id": "word", "name": "A word", "action": "hold", "when": {"words": ["the"]}}
    file.write_text(json.dumps({"rules": [rule]}))
    assert "version 1: 1 rules." in run("rules", "set", "post", str(file)).stdout
    assert json.loads(run("rules", "show", "post").stdout) == {"version": 1, "rules": [rule]}
    assert "version 2" in run("rules", "off", "post", "word").stdout
    shown = run("rules", "show", "post").stdout
    assert json.loads(shown)["rules"] == [{**rule, "shadow": True}]
    tried = run("rules", "try", "post").stdout
    assert re.search(r"^word  hold, in shadow  [1-9]\d* \(", tried, re.MULTILINE), tried
    assert "hold  " in run("rules", "try", "post", str(file)).stdout
    assert "version 3" in run("rules", "on", "post", "word").stdout
    file.write_text(shown)
    stale = run("rules", "set", "post", str(file))
    assert stale.returncode == 1
    assert "version 3 by now" in stale.stderr
    assert "version 4" in run("rules", "rollback", "post").stdout
    assert "health" in run("rules", "packs").stdout
    assert "version 5" in run("rules", "load", "post", "health").stdout
    file.write_text(
        '{"rules": [{"id": "x", "name": "X", "action": "burn", "when": {"words": []}}]}'
    )
    wrong = run("rules", "set", "post", str(file))
    assert wrong.returncode == 1
    assert "/rules/0/action" in wrong.stderr
    assert "/rules/0/when/words" in wrong.stderr
    assert "no rule 'none'" in run("rules", "on", "post", "none").stderr


def test_webhooks_are_made_switched_rotated_and_looked_at(run: Run, site: str) -> None:
    added = run("webhooks", "add", "post", "https://cms.example/hook", "--kind", "comment")
    assert added.returncode == 0, added.stderr
    webhook, secret = added.stdout.split()
    assert secret.startswith("whsec_")
    listed = run("webhooks", "list", "post").stdout
    assert f"{webhook}  on  0 waiting, 0 failures  comment  https://cms.example/hook" in listed
    assert secret not in listed
    assert run("webhooks", "rotate", "post", webhook).stdout.strip() != secret
    assert "is off" in run("webhooks", "off", "post", webhook).stdout
    assert f"{webhook}  off" in run("webhooks", "list", "post").stdout
    assert "is on" in run("webhooks", "on", "post", webhook).stdout
    message = run("webhooks", "test", "post", webhook).stdout.split()[0]
    assert (
        f"{message}  webhook.test  pending" in run("webhooks", "deliveries", "post", webhook).stdout
    )
    assert run("webhooks", "replay", "post", webhook, message).returncode == 0
    assert "not parked" in run("webhooks", "unpark", "post", webhook).stderr
    for url in ("http://cms.example/hook", "https://127.0.0.1/hook", "nonsense"):
        refused = run("webhooks", "add", "post", url)
        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr
    assert "no webhook" in run("webhooks", "off", "post", "wh_none").stderr
