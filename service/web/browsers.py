"""Browsers: what a person would call the one they sit at; no more is kept of it."""

# In this order: most of them also claim to be those further down.
FAMILIES = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def name(user_agent: str) -> str:
    """The family and the system, e.g. `Firefox on Linux`."""
    family = next((known for mark, known in FAMILIES if mark in user_agent), "Another browser")
    system = next((known for mark, known in SYSTEMS if mark in user_agent), None)
    return f"{family} on {system}" if system else family
