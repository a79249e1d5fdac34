"""A plugin of pytest that names each failed test at once, also in a run that is cut off."""

import pytest


class Failures:
    """Prints a line for each phase of a test that fails, also of those that a worker ran."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each phase of each test."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(f"{report.when} failed: {report.nodeid}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin where the reports of all workers arrive."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Failures(config), "waypost-failures")
