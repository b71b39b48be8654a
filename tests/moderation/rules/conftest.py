"""How properties are tested here: the same examples every time, however busy the machine is."""

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")
