"""Text: what cannot stand in any, whoever sends it."""

import re

# NUL is refused by PostgreSQL's text, a surrogate without its partner by every encoder.
UNFIT = re.compile("[\x00\ud800-\udfff]")
