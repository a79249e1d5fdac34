"""Plugins of every test run: how long tests took, and what workers of one run share."""

pytest_plugins = ("tests.durations", "tests.sharing")
