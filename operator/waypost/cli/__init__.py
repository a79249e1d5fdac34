"""The command line: `waypost` and `python -m waypost`.

`app` finds the command; `commands`, `lint`, `report` and `connection` hold the rest. May import
every other package; nothing imports it but `waypost.__main__`.
"""
