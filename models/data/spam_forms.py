"""Spam of today, and honest comments that look like it: a generator, for training only."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from models.data.sets import Example

FIRST = (
    "Maria",
    "James",
    "Olu",
    "Priya",
    "Chen",
    "Fatima",
    "Lars",
    "Dina",
    "Kwame",
    "Sofia",
    "Tom",
    "Aiko",
    "Ivan",
    "Grace",
    "Pedro",
    "Hannah",
)
LAST = (
    "Silva",
    "Okafor",
    "Novak",
    "Khan",
    "Meyer",
    "Costa",
    "Brown",
    "Sato",
    "Haddad",
    "Olsen",
    "Reid",
    "Moreau",
)
FIRMS = (
    "Prime Movers Agency",
    "Cheap SEO Services",
    "Best Roofing Repair",
    "QuickCash Loans",
    "Elite Essay Writers",
    "Keto Pills Online",
    "Crown Casino Bet",
    "Royal Escorts",
    "Secure Wallet Recovery",
    "Forex Trading Academy",
    "Bright Digital Marketing",
    "Rapid Credit Repair",
)
# Names of real readers' clubs, firms and offices, under which honest people write.
HONEST_FIRMS = (
    "Harbour Rowing Club",
    "Old Mill Bakery",
    "Northside Parents",
    "Union Branch 12",
    "Logic Labs",
    "Garden Society",
    "Team Meridian",
    "Quiet Reader 7",
    "Studio Kestrel",
    "Vector House",
)
SITES = (
    "topdeal.example",
    "fastloan.test",
    "glowskin.example",
    "essayking.test",
    "bigwin.invalid",
    "crypto-pro.example",
    "seo-boost.test",
    "slimnow.example",
    "best-pills.invalid",
    "growtraffic.example",
)
SOURCES = (
    "https://council.example/minutes/2026-03.pdf",
    "https://stats.example/bulletin/44",
    "https://journal.example/articles/1182",
    "https://archive.example/1987/strike",
    "https://health.example/guidance/sleep",
)
AMOUNTS = ("$4,200", "£900", "€15,000", "$87,000", "0.8 BTC", "3,500 USDT", "$12,450", "$310 a day")
WEEKS = ("two weeks", "10 days", "a month", "one week", "72 hours", "three months")
HANDLES = (
    "fix_wallet01",
    "mrs_grace_fx",
    "coach.daniel",
    "recoverypro77",
    "lena_trades",
    "drhope_herbal",
)
PHONES = ("+1 (555) 010-7788", "+44 1632 960 411", "+234 555 0100 22", "+1-555-0142")
SUBJECTS = (
    "the bus lanes",
    "the school meals",
    "the flood wall",
    "the new clinic",
    "the harbour fees",
    "rents in the old town",
    "the phone ban",
    "night shifts",
    "the bakery strike",
    "the library hours",
    "class sizes",
    "the cycle path",
)

SPAM = {
    "flattery": (
        "Great article! Thanks for sharing this valuable information. Check my site {site} for more.",
        "Wow, such an amazing post, I really learned a lot. Keep it up! Visit {site}",
        "Very informative blog, I have bookmarked it. You may also like {site} , thank you admin.",
        "I was searching for this kind of content everywhere. Nice work! {site}",
        "Your writing style is awesome and the quality is top. I share similar tips at {site}.",
        "This is exactly what I needed today, excellent points made. Our team at {firm} offers the same, see {site}",
    ),
    "trading": (
        "I invested {amount} with Mrs {last} and got my profit in {weeks}. She changed my life, {contact}",
        "I was sceptical about crypto until I met my account manager {name}. Now I earn {amount} weekly. {contact}",
        "Forex is easy with the right mentor. {name} turned my savings into {amount} in {weeks}. {contact}",
        "Thanks to {name} I am finally free of debt, my portfolio made {amount} this month. {contact}",
        "Anyone still missing out on trading signals? 95% win rate, {amount} in {weeks}. {site}",
    ),
    "recovery": (
        "I lost {amount} to a fake broker and thought it was gone. {name} recovered every cent in {weeks}. {contact}",
        "If you were scammed do not give up, {handle} is a genuine recovery expert who got my {amount} back. {contact}",
        "My wallet was hacked and {firm} traced the thieves and returned my funds. {contact}",
        "Need a hacker to check a cheating partner or fix your credit score? {handle} did it for me. {contact}",
    ),
    "work": (
        "Work from home, earn {amount}, no experience needed. Start now at {site}",
        "I make {amount} just by clicking on my phone two hours a day. My neighbour too. Look here {site}",
        "Hiring people worldwide for online typing jobs, weekly pay {amount}. {contact}",
        "Single mother here: last month I got a cheque for {amount} with this simple job -> {site}",
    ),
    "pills": (
        "Lost 20 pounds in {weeks} with these natural drops, no diet no gym! {site}",
        "Doctor {last}'s herbal cure removed my diabetes completely. {contact}",
        "Buy original tablets without prescription, discreet delivery, 50% off at {site}",
        "My skin glows since I use this serum, order with the code GLOW at {site}",
        "Regain your strength in bed with our {firm} formula!!! {site}",
    ),
    "essays": (
        "Struggling with assignments? Our professional writers deliver in 6 hours, plagiarism free. {site}",
        "Get your dissertation done by {firm}, money back guarantee, 24/7 support. {site}",
        "Take my online class for me? Yes, we do that. {contact}",
    ),
    "company": (
        "Beautiful girls available tonight in your city, call {phone}",
        "{firm}: discreet and classy companions, hotel visits, photos at {site}",
        "Lonely? Chat with hot singles near you {site}",
    ),
    "giveaway": (
        "CONGRATULATIONS you have been selected! Claim your {amount} gift card now {site}",
        "The founder {name} is giving away {amount} to the first 500 people, send a little and get double back {site}",
        "Win the newest phone for FREE, just fill in the form at {site}",
    ),
    "loans": (
        "Do you need an urgent loan at 2% interest? We give personal and business loans to everybody. {contact}",
        "{firm} offers {amount} in 24 hours, bad credit welcome. Apply {site}",
        "I got my loan of {amount} from {name} without collateral, God bless. {contact}",
    ),
    "betting": (
        "Join the best online casino, 200 free spins and a {amount} welcome bonus {site}",
        "Fixed matches 100% sure, pay after winning. {contact}",
    ),
    "trade": (
        "{firm} is the leading provider of {trade} in your area. Call {phone} for a free quote.",
        "If you need reliable {trade}, contact {firm} today, affordable price and quality guaranteed {site}",
        "Boost your ranking on the first page of search engines with {firm}. {site}",
        "Buy followers, likes and real reviews cheap {site}",
    ),
    "empty_praise": (
        "This article provides a comprehensive overview and offers valuable insights into this important topic. Truly a must-read for everyone interested in the subject!",
        "What an insightful and thought-provoking piece! The author has done a remarkable job of highlighting key aspects. Looking forward to more content like this. {firm}",
        "Thank you for sharing such quality content with your audience. It is really helpful and engaging for all readers. Regards, {firm}",
    ),
}
CONTACTS = (
    "WhatsApp {phone}",
    "message her on Telegram @{handle}",
    "contact him: {handle} (at) gmail dot com",
    "text {phone} now",
    "he is on t e l e g r a m as {handle}",
    "reach out on what's app {phone}",
    "Inbox {handle} on Instagram",
)
TRADES = (
    "plumbing",
    "office cleaning",
    "roof repair",
    "pest control",
    "digital marketing",
    "visa services",
    "packers and movers",
)

HONEST = (
    "The council's own minutes say otherwise: {source} , page 4.",
    "For anyone who wants the numbers on {subject}, they are here: {source}",
    "I read the study ({source}) and it covers only eleven towns, so be careful with the conclusion.",
    "Thank you for the paragraph on {subject}; the part about the deposits was new to me.",
    "Great article, especially the interview with the harbour master about {subject}.",
    "I paid {amount} for the course in 2019 and it is double that now. So much for {subject}.",
    "My rent went up by {amount} in {weeks}. Nobody I know can afford that.",
    "If you feel like this tonight, please call the helpline on 116 123, they answer at all hours.",
    "Not sure why everybody hates {subject}. In my street it works fine since {weeks}.",
    "Sorry for my English. In my country we had same problem with {subject} and government pay half of cost.",
    "Correction to what I wrote above: it was 2014, not 2015.",
    "I take ibuprofen and paracetamol together for this, my doctor said it is fine for {weeks}.",
    "Metformin made me ill for {weeks}; ask your pharmacist about the slow-release one.",
    "I work in a casino, and the part on night shifts is exactly how it is.",
    "Crypto ate my brother's savings. Please write more about how these scams begin.",
    "As a loan officer I can tell you that nobody gets 2% without security. Report such offers.",
    "My daughter's school tried it. Phones went into a locker at nine, and after {weeks} nobody asked for them.",
    "Who paid for this survey? The article does not say.",
    "I don't agree. {subject} cost us {amount} and what do we have to show for it?",
    "Please fix the link in the third paragraph, it goes to the wrong page.",
    "When I was a student, essays were written by hand in the hall. Hard to buy one there!",
    "Thanks, this helped me to explain {subject} to my mother.",
    "What a load of nonsense about {subject}. Did anybody ask the drivers?",
    "LOL, only in this town.",
    "The number 12 bus passes at 7:40, 8:10 and 8:40, so the timetable in the article is out of date.",
    "You can write to the committee at clerk@council.example until Friday, I just did.",
    "We run a small bakery on the corner, and since {subject} changed we sell a third less before noon.",
    "The drug's brand name is different here, it may be the same molecule.",
    "I have been to WhatsApp groups where this is discussed calmer than here.",
    "The stress hormone falls when people feel that they are supported, and that is what recovery needs.",
    "It is closely tied to how the brain handles reward, which shapes behaviour.",
    "The link between staffing and outcomes is therefore an important question for research.",
    "People who struggle with this often lose their friends first, which makes everything harder.",
    "+1",
    "Agreed.",
    "Merci!",
    "So true",
    "No.",
)
LOOKALIKES = {"a": "а", "e": "е", "o": "о", "p": "р", "c": "с", "i": "і"}


@dataclass(frozen=True)
class Forms:
    """A seeded source of forms; the same seed gives the same texts."""

    seed: int

    def spam(self, number: int) -> Iterator[Example]:
        """`number` spam comments, families in turn, a third of them disguised."""
        chance = random.Random(self.seed)  # noqa: S311 - repeatable on purpose
        families = list(SPAM)
        for i in range(number):
            family = families[i % len(families)]
            text = _filled(chance, chance.choice(SPAM[family]))
            if chance.random() < 0.2:
                text = f"{_filled(chance, chance.choice(HONEST[:6]))} {text}"
            if chance.random() < 0.35:
                text = _disguised(chance, text)
            business = chance.random() < 0.4
            yield Example(
                text=text,
                labels={"spam": 1.0},
                source="spam_forms",
                group=f"spam/{family}",
                split="train",
                author_name=chance.choice(FIRMS) if business else _person(chance),
                author_url=f"https://{chance.choice(SITES)}" if chance.random() < 0.3 else None,
            )

    def honest(self, number: int) -> Iterator[Example]:
        """`number` honest comments that share words, links or prices with spam."""
        chance = random.Random(self.seed + 1)  # noqa: S311 - as above
        for _ in range(number):
            text = " ".join(
                _filled(chance, chance.choice(HONEST)) for _ in range(chance.choice((1, 1, 1, 2)))
            )
            firm = chance.random() < 0.3
            yield Example(
                text=text,
                labels={"spam": 0.0},
                source="spam_forms",
                group="honest",
                split="train",
                author_name=chance.choice(HONEST_FIRMS) if firm else _person(chance),
                author_url="https://blog.example" if chance.random() < 0.1 else None,
            )


def _filled(chance: random.Random, form: str) -> str:
    contact = chance.choice(CONTACTS)
    slots = {
        "site": chance.choice(("", "https://", "www.")) + chance.choice(SITES),
        "firm": chance.choice(FIRMS),
        "amount": chance.choice(AMOUNTS),
        "weeks": chance.choice(WEEKS),
        "name": _person(chance),
        "last": chance.choice(LAST),
        "handle": chance.choice(HANDLES),
        "phone": chance.choice(PHONES),
        "trade": chance.choice(TRADES),
        "subject": chance.choice(SUBJECTS),
        "source": chance.choice(SOURCES),
    }
    return form.replace("{contact}", contact).format(**slots)


def _disguised(chance: random.Random, text: str) -> str:
    kind = chance.randrange(6)
    if kind == 0:
        return "".join(LOOKALIKES.get(c, c) if chance.random() < 0.4 else c for c in text)
    if kind == 1:
        return "".join(c + ("\u200b" if chance.random() < 0.15 else "") for c in text)
    if kind == 2:
        return text.replace(".", " [dot] ").replace("https://", "hxxp ")
    if kind == 3:
        return text.upper() + "!!!"
    if kind == 4:
        return f"\U0001f4b0\U0001f525 {text} \U0001f680\U0001f680"
    return text.replace("o", "0").replace("e", "3") if chance.random() < 0.5 else text.lower()


def _person(chance: random.Random) -> str:
    return f"{chance.choice(FIRST)} {chance.choice(LAST)}"
