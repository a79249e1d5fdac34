"""The command line: `waypost` and `python -m waypost`.

`app` finds the command; `commands` read runs, `actions` change them, `processes` are started by
images, `tools` and `lint` stand beside; `report` prints, `connection` reaches the cluster. May
import every other package but the engine; nothing imports it but `waypost.__main__`.
"""
