"""Settings that hold for every test, and the fixture of the command line."""

from hypothesis import settings

from commands import run as run

# No deadline: how long an example takes says something about the machine, nothing about the law.
settings.register_profile("suture", deadline=None, print_blob=True)
settings.load_profile("suture")
