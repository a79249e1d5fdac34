"""What hostile texts cost: time and memory of operator, gateway and lint for each of 60 inputs.

`python -m e2e.bench.hostile` needs no cluster; it writes build/hostile.json and prints a table.
"""
