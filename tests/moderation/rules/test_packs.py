"""The pack for health sites: what it finds, and what it must leave alone."""

import pytest

from service.moderation.policy import RuleAction
from service.moderation.rules import packs
from service.moderation.rules.matching import History, Matcher, Subject
from tests.conftest import NOW

MATCHER = Matcher(packs.get("health").to_book().must_fit().rules)


def hits(text: str) -> list[str]:
    subject = Subject(text=text, author_name="Ada", author_url=None, history=History(at=NOW))
    return [hit.rule.removeprefix("health-") for hit in MATCHER.apply(subject)]


FOUND = {
    "self-harm": [
        "I want to kill myself.",
        "Honestly I just want to die",
        "I have been thinking about ending it all tonight",
        "I don't want to live anymore",
        "I feel really suicidal",
        "i w4nt to d1e",
        "I am going to hang myself",
        "They would be better off without me",
    ],
    "dosage": [
        "You should take 400 mg of ibuprofen every two hours",
        "Just double the dose and you will sleep",
        "It helps. Take 200 mg before bed.",
        "just try taking 20 drops under the tongue",
    ],
    "treatment": [
        "Stop taking your meds, they are poison",
        "You don't need chemo",
        "Instead of chemo try baking soda",
        "Fire your doctor and eat clean",
        "Throw away those antidepressants",
    ],
    "cure-sales": [
        "Dr Okoro cured my herpes with roots and herbs, WhatsApp him on +234 801 234 5678",
        "This herbal cure saved me, order now",
        "He healed my mother of diabetes: https://cure.example/x",
        "Got rid of tinnitus for good. Discount code in my profile",
    ],
    "personal-details": [
        "My diagnosis came back positive, call me on 555-010-4477",
        "She was diagnosed last May, date of birth 03/04/1981",
        "My HIV test results: patient number 4471 2231 09",
        "I was hospitalised at 12 Elm Street, come and see me",
    ],
}
LEFT_ALONE = {
    "self-harm": [
        "The character kills himself in the third act.",
        "Suicide rates among young men have risen since 2010.",
        "My brother wanted to kill himself; the clinic saved him.",
        "I would die for that cake",
        "I am dying to read the next part",
        "This article about suicide prevention helped me talk to my son.",
        "I don't want to live in a city without buses.",
        "The deadline is killing me",
    ],
    "dosage": [
        "The study gave patients 40 mg a day for six weeks.",
        "My doctor prescribed 20 mg and it helped.",
        "Ask your pharmacist before you change a dose.",
        "The trial took 200 people from 12 clinics.",
        "Buses take 40 minutes now.",
        "I was told to take it easy for 10 days",
    ],
    "treatment": [
        "I stopped taking the bus.",
        "You need a doctor for that.",
        "Never stop a medicine without asking your doctor.",
        "My doctor took me off the statins after a year.",
        "Instead of surgery he was offered physiotherapy.",
        "Trust your doctor.",
    ],
    "cure-sales": [
        "There is no cure for diabetes yet.",
        "Penicillin cured his pneumonia, see https://nih.example/study",
        "Is there a cure for cancer? Read https://who.example/x",
        "Order now and the shop delivers by Monday",
        "The miracle is that the bus was on time",
        "The trial cured 3 of 40 people",
    ],
    "personal-details": [
        "My diagnosis took two years.",
        "Call the council on 555-010-4477 about the buses.",
        "My mother had cancer in 1998 and 2004.",
        "I was diagnosed with asthma at the age of 12",
        "She was prescribed 20 mg in 2019 and 40 mg in 2020",
        "The clinic is at 12 Elm Street.",
    ],
}


@pytest.mark.parametrize(("rule", "text"), [(r, t) for r, texts in FOUND.items() for t in texts])
def test_the_pack_finds_what_it_is_for(rule: str, text: str) -> None:
    assert rule in hits(text)


@pytest.mark.parametrize("text", [t for texts in LEFT_ALONE.values() for t in texts])
def test_the_pack_raises_no_false_alarm(text: str) -> None:
    assert hits(text) == []


def test_the_pack_holds_for_a_person_and_puts_danger_first() -> None:
    assert set(FOUND) == set(LEFT_ALONE) == {r.id.removeprefix("health-") for r in MATCHER.rules}
    assert {rule.action for rule in MATCHER.rules} == {RuleAction.HOLD}
    assert [rule.id for rule in MATCHER.rules if rule.urgent] == ["health-self-harm"]
    assert all(rule.note for rule in MATCHER.rules)
