"""Ids: what a site may call its articles and comments."""

import re

# `.` and `..` would be steps in a path.
ID = re.compile(r"(?!\.{1,2}$)(?!.*\.(?:json|html)$)[A-Za-z0-9._~:-]{1,200}")
# The same for the OpenAPI document, whose patterns are not anchored by themselves.
ID_SCHEMA = {"type": "string", "pattern": f"^{ID.pattern}$"}
ID_ADVICE = (
    "An id is 1 to 200 of A-Z a-z 0-9 . _ ~ : - and is not . or .. and does not end in .json or .html; "
    "send a hash of yours if it cannot."
)
