"""The command line: `waypost` and `python -m waypost`.

`app` finds the command; `commands` read runs, `actions` change them, `processes` are started by
images, `memory` is about what runs remember, `tools` and `lint` stand beside; `report` prints,
`connection` reaches the cluster, `archive` the archive. May import every other package but the
engine; nothing imports it but `waypost.__main__`.
"""
