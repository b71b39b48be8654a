"""Rules at the API's door: set, refused field by field, tried out, applied, rolled back."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from service import worker
from service.moderation import keys, sites
from service.moderation.rules import packs
from service.process import Process
from service.storage.db import Database
from service.storage.tables import Comment, Scope
from tests.conftest import NOW, House, post_comment
from tests.keyword_scorer import KeywordScorer

pytestmark = pytest.mark.usefixtures("article")

PATH = "/api/v1/site/rules"
FINE = "I shop there every week because the bus stops at the door."
Call = Callable[..., Any]


def rule(rule_id: str, when: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": rule_id, "name": f"Rule {rule_id}", "action": "hold", "when": when, **fields}


BUS = rule("bus", {"words": ["bus"]})
SHOP = rule("shop", {"words": ["shop"]}, action="reject")


@pytest.fixture
def admin(client: TestClient, database: Database, house: House) -> Call:
    """Calls with the key of the site's admin."""
    key = database.write(
        lambda s: keys.create(
            s, sites.get(s, house.slug), name="a", scopes=frozenset({Scope.ADMIN}), now=NOW
        )
    )

    def call(method: str, path: str = "", body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        return client.request(method, PATH + path, json=body, headers=headers)

    return call


def put(admin: Call, *rules: dict[str, Any], version: int = 0) -> Any:
    reply = admin("PUT", body={"version": version, "rules": list(rules)})
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_rules_are_kept_as_they_were_written_with_a_version(admin: Call) -> None:
    assert admin("GET").json() == {"version": 0, "rules": []}
    links = rule("l", {"links": {"at_least": 2, "except": ["post.example"]}}, note="Why not")
    assert put(admin, BUS, links) == {"version": 1, "rules": [BUS, links]}
    assert admin("GET").json() == {"version": 1, "rules": [BUS, links]}


def test_a_stale_version_is_refused(admin: Call) -> None:
    put(admin, BUS)
    for method, path in (("PUT", ""), ("POST", "/rollback"), ("POST", "/packs/health")):
        body = {"version": 0} | ({"rules": [SHOP]} if method == "PUT" else {})
        reply = admin(method, path, body)
        assert (reply.status_code, reply.json()["code"]) == (409, "stale"), path
    assert admin("GET").json()["rules"] == [BUS]


def test_every_wrong_field_is_named_at_once(admin: Call) -> None:
    rules = [
        rule("UPPER", {"words": ["ok", "!!!"]}),
        rule("b", {"pattern": "("}),
        rule("c", {"links": {"at_least": 0, "except": ["no domain"]}}),
        rule("d", {}),
        rule("e", {"words": ["a"], "pattern": "b"}),
        rule("f", {"any_of": [{"words": []}, {"word": ["x"]}]}, action="delete"),
        rule("g", {"pattern": "a" * 501}),
        rule("h", {"words": ["x"] * 201}),
    ]
    reply = admin("PUT", body={"version": 0, "rules": rules})
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    named = {error["pointer"]: error["code"] for error in reply.json()["errors"]}
    assert named == {
        "/rules/0/id": "wrong_form",
        "/rules/0/when/words/1": "empty",
        "/rules/1/when/pattern": "wrong_form",
        "/rules/2/when/links/at_least": "greater_than_equal",
        "/rules/2/when/links/except/0": "wrong_form",
        "/rules/3/when": "not_allowed",
        "/rules/4/when": "not_allowed",
        "/rules/5/action": "not_allowed",
        "/rules/5/when/any_of/0/words": "too_short",
        "/rules/5/when/any_of/1/word": "unknown_field",
        "/rules/6/when/pattern": "too_long",
        "/rules/7/when/words": "too_long",
    }
    assert admin("GET").json()["version"] == 0


def test_what_is_twice_there_or_too_large_together_is_named(admin: Call) -> None:
    deep: dict[str, Any] = {"words": ["x"]}
    for _ in range(4):
        deep = {"all_of": [deep, {"words": ["y"]}]}
    half = [f"word {n}" for n in range(101)]
    rules = [BUS, BUS, rule("d", deep), rule("m", {"any_of": [{"words": half}, {"names": half}]})]
    named = admin("PUT", body={"version": 0, "rules": rules}).json()["errors"]
    assert [(error["pointer"], error["code"]) for error in named] == [
        ("/rules/1/id", "not_allowed"),
        ("/rules/2/when", "too_long"),
        ("/rules/3/when", "too_long"),
    ]
    many = [rule(f"r-{n}", {"words": ["x"]}) for n in range(501)]
    [wrong] = admin("PUT", body={"version": 0, "rules": many}).json()["errors"]
    assert (wrong["pointer"], wrong["code"]) == ("/rules", "too_long")
    heavy = [rule(f"p-{n}", {"pattern": "[0-9]{900}"}) for n in range(23)]
    [wrong] = admin("PUT", body={"version": 0, "rules": heavy}).json()["errors"]
    assert (wrong["pointer"], wrong["code"]) == ("/rules", "too_long")


def test_a_rollback_brings_back_what_was_and_a_second_one_undoes_it(admin: Call) -> None:
    nothing = admin("POST", "/rollback", {"version": 0})
    assert (nothing.status_code, nothing.json()["code"]) == (409, "no_earlier_version")
    put(admin, BUS)
    put(admin, SHOP, version=1)
    assert admin("POST", "/rollback", {"version": 2}).json() == {"version": 3, "rules": [BUS]}
    assert admin("POST", "/rollback", {"version": 3}).json() == {"version": 4, "rules": [SHOP]}


def test_a_rule_holds_beside_the_model_and_the_verdict_says_which(
    client: TestClient, admin: Call
) -> None:
    assert post_comment(client, "before", FINE).json()["verdict"]["rules"] == 0
    put(admin, BUS)
    got = post_comment(client, "c-1", f"You idiot. {FINE}").json()
    assert got["state"] == "held"
    codes = {reason["code"]: reason for reason in got["verdict"]["reasons"]}
    assert set(codes) == {"abusive", "rule"}
    at = f"You idiot. {FINE}".index("bus")
    evidence = [{"start": at, "end": at + 3}]
    assert codes["rule"] == {
        "code": "rule",
        "rule": "bus",
        "name": "Rule bus",
        "evidence": evidence,
    }
    assert got["verdict"]["rules"] == 1
    [hit] = got["verdict"]["hits"]
    assert (hit["rule"], hit["action"], hit["evidence"]) == ("bus", "hold", evidence)
    assert client.get("/api/v1/comments/before").json()["state"] == "approved"


def test_a_rule_rejects_only_where_it_says_so(client: TestClient, admin: Call) -> None:
    put(admin, BUS, SHOP)
    got = post_comment(client, "c-1", FINE).json()
    assert (got["state"], got["verdict"]["action"]) == ("rejected", "reject")
    assert [reason["rule"] for reason in got["verdict"]["reasons"]] == ["shop", "bus"]
    assert post_comment(client, "c-2", "A bus is fine").json()["state"] == "held"


def test_a_shadow_is_noted_and_changes_nothing(client: TestClient, admin: Call) -> None:
    put(admin, SHOP | {"shadow": True, "urgent": True})
    got = post_comment(client, "c-1", FINE).json()
    assert (got["state"], got["verdict"]["reasons"]) == ("approved", [])
    assert [(h["rule"], h["shadow"]) for h in got["verdict"]["hits"]] == [("shop", True)]


def test_a_flag_raises_without_holding(client: TestClient, admin: Call) -> None:
    put(admin, rule("f", {"words": ["bus"]}, action="flag"))
    got = post_comment(client, "c-1", FINE).json()
    assert (got["state"], got["verdict"]["reasons"]) == ("approved", [])
    post_comment(client, "plain", "Win at the casino today")
    post_comment(client, "flagged", "Win at the casino bus today")
    queue = [item["id"] for item in client.get("/api/v1/queue").json()["items"]]
    assert queue == ["flagged", "plain"]


def test_an_urgent_rule_is_at_the_top_of_the_queue(client: TestClient, admin: Call) -> None:
    put(admin, BUS | {"urgent": True})
    post_comment(client, "worse", "You idiot, I will find you at the casino")
    post_comment(client, "urgent", FINE)
    queue = [item["id"] for item in client.get("/api/v1/queue").json()["items"]]
    assert queue == ["urgent", "worse"]


@pytest.mark.parametrize("fail", ["ask_a_person", "publish_then_recheck", "wait_for_model"])
def test_rules_apply_while_the_models_are_down(
    client: TestClient,
    admin: Call,
    scorer: KeywordScorer,
    process: Process,
    house: House,
    fail: str,
) -> None:
    process.database.write(lambda s: sites.set_policy(s, house.site_id, {"fail": fail}, now=NOW))
    put(admin, BUS, rule("tram", {"words": ["tram"]}, action="reject"))
    scorer.trouble = "gone"
    held = post_comment(client, "c-1", FINE).json()
    assert held["state"] == "held"
    assert [reason["code"] for reason in held["verdict"]["reasons"]] == [
        "rule",
        "model_unavailable",
    ]
    assert post_comment(client, "c-2", "The tram was late").json()["state"] == "rejected"
    expected = {"publish_then_recheck": "approved", "wait_for_model": "received"}
    assert post_comment(client, "c-3", "Quiet today").json()["state"] == expected.get(fail, "held")
    scorer.trouble = None
    due = update(Comment).values(score_after=NOW, lease_until=None, lease_owner=None)
    process.database.write(lambda s: s.execute(due))
    worker.work_once(process)
    for comment_id, state in (("c-1", "held"), ("c-2", "rejected")):
        again = client.get(f"/api/v1/comments/{comment_id}").json()
        assert (again["state"], again["verdict"]["model"]) == (state, "keywords-1")
        assert again["verdict"]["hits"]


def test_rules_apply_in_a_language_the_models_do_not_know(client: TestClient, admin: Call) -> None:
    put(admin, rule("fr", {"words": ["bientôt"]}, action="reject"))
    assert post_comment(client, "c-1", "bonjour, a BIENTOT").json()["state"] == "rejected"
    assert post_comment(client, "c-2", "bonjour").json()["state"] == "held"


def test_new_authors_repeats_and_rejections_are_known_by_id(
    client: TestClient, admin: Call
) -> None:
    put(
        admin,
        rule("new", {"new_author": {}}, action="flag"),
        rule("again", {"repeats": {}}, action="flag"),
        rule("bad", {"rejection_history": {"at_least": 1, "share": 0.1}}, action="flag"),
    )

    def hits(comment_id: str, body: str, author: str | None) -> list[str]:
        who = {"name": "Ada"} | ({"id": author} if author else {})
        got = post_comment(client, comment_id, body, author=who).json()
        return [hit["rule"] for hit in got["verdict"]["hits"]]

    assert hits("c-1", FINE, "ada") == ["new"]
    assert hits("c-2", FINE.upper(), "ada") == ["again"]
    assert hits("c-3", FINE, "bob") == ["new"]
    assert hits("c-4", FINE, None) == ["new"]
    decision = {"action": "reject", "revision": 1, "reason": "spam"}
    client.post("/api/v1/comments/c-1/decisions", json=decision)
    assert hits("c-5", "Something else", "ada") == ["bad"]


def test_a_campaign_is_held_from_its_third_comment_on(client: TestClient, admin: Call) -> None:
    put(admin, rule("campaign", {"near_duplicates": {"at_least": 3, "authors": 3}}))
    text = (
        "Those drops from the little company restored my sleep and mood within two short weeks, {}"
    )
    states = [
        post_comment(client, f"c-{n}", text.format(word), author={"name": "A", "id": str(n)})
        for n, word in enumerate(("amazing", "wonderful", "brilliant", "splendid"))
    ]
    assert [reply.json()["state"] for reply in states] == ["approved", "approved", "held", "held"]
    about = states[-1].json()["verdict"]["hits"][0]["about"]
    assert (about["count"], about["authors"]) == (4, 4)


def test_a_preview_counts_compares_and_keeps_nothing(
    client: TestClient, admin: Call, database: Database
) -> None:
    for number in range(25):
        post_comment(client, f"bus-{number}", f"{FINE} {number}")
    post_comment(client, "spam", "Win at the casino by bus")
    post_comment(client, "else", "Quiet today")
    post_comment(client, "gone", "No bus for me")
    client.delete("/api/v1/comments/gone")
    for comment_id, action in (("spam", "reject"), ("bus-3", "reject"), ("else", "reject")):
        decision = {"action": action, "revision": 1, "reason": "spam", "seen": None}
        reply = client.post(f"/api/v1/comments/{comment_id}/decisions", json=decision)
        assert reply.status_code == 201, reply.text
    trial = {"rules": [BUS, rule("none", {"words": ["tram"]})]}
    reply = admin("POST", "/preview", trial)
    assert reply.status_code == 200, reply.text
    got = reply.json()
    assert (got["comments"], got["decided"]) == (27, {"undecided": 24, "rejected": 3})
    bus, none = got["rules"]
    assert (none["count"], none["share"], none["samples"]) == (0, 0.0, [])
    assert (bus["rule"], bus["count"], bus["share"]) == ("bus", 26, round(26 / 27, 4))
    assert bus["decided"] == {"undecided": 24, "rejected": 2}
    assert len(bus["samples"]) == 20
    first = bus["samples"][0]
    start = "Win at the casino by bus".index("bus")
    assert first == {
        "comment_id": "spam",
        "revision": 1,
        "state": "rejected",
        "decided": "rejected",
        "spans": [{"start": start, "end": start + 3}],
    }
    assert "casino" not in reply.text
    assert admin("GET").json()["version"] == 0


def test_a_preview_sees_each_comment_as_of_its_own_day(client: TestClient, admin: Call) -> None:
    for number in range(3):
        post_comment(client, f"c-{number}", f"{FINE} {number}", author={"name": "A", "id": "ada"})
    trial = {"rules": [rule("new", {"new_author": {}}), rule("bad", {"pattern": "("})]}
    assert admin("POST", "/preview", trial).status_code == 422
    [tally] = admin("POST", "/preview", {"rules": trial["rules"][:1]}).json()["rules"]
    assert [sample["comment_id"] for sample in tally["samples"]] == ["c-0"]


def test_a_pack_is_shown_loaded_and_edited_like_any_rules(client: TestClient, admin: Call) -> None:
    [pack] = admin("GET", "/packs").json()["items"]
    assert pack == packs.get("health").model_dump()
    own = rule("health-dosage", {"words": ["dose"]})
    put(admin, BUS, own)
    loaded = admin("POST", "/packs/health", {"version": 1}).json()
    assert loaded["version"] == 2
    assert loaded["rules"][:2] == [BUS, own]
    assert [r["id"] for r in loaded["rules"][2:]] == [
        r["id"] for r in pack["rules"] if r["id"] != "health-dosage"
    ]
    assert admin("PUT", body=loaded).json()["version"] == 3
    assert post_comment(client, "c-1", "I just want to die").json()["state"] == "held"
    missing = admin("POST", "/packs/nosuch", {"version": 3})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_rules_are_the_sites_own_and_its_admins(
    client: TestClient, admin: Call, house: House
) -> None:
    put(admin, BUS)
    for method, path in (("GET", ""), ("POST", "/preview"), ("GET", "/packs")):
        reply = client.request(method, PATH + path, json={"rules": []})
        assert (reply.status_code, reply.json()["code"]) == (403, "missing_scope")
    article = {"url": "https://other.example/a", "title": "T", "body": "Words."}
    comment = {"id": "c", "article_id": "a-1", "article": article, "author": {"name": "A"}}
    reply = client.post(
        "/api/v1/comments?wait=5", json=comment | {"body": FINE}, headers=house.neighbour_auth
    )
    assert (reply.json()["state"], reply.json()["verdict"]["rules"]) == ("approved", 0)
