"""The simulator on the command line: many seeds, or one seed again.

python -m tests.simulation run --seeds 20000 --start 0
python -m tests.simulation replay 42 --without-nodes n3 --without-troubles 0
python -m tests.simulation shrink 42
python -m tests.simulation choose           # the pinned seeds, again, and those of the gate
python -m tests.simulation choose --bugs    # only add seeds for seeded bugs that lack them
python -m tests.simulation choose --gate    # only those that the gate plays, of all simulations
"""

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Final

from tests.simulation import choose, pinned
from tests.simulation.drawing.scenarios import scenario
from tests.simulation.focused import choosing, gate
from tests.simulation.focused.simulations import SIMULATIONS
from tests.simulation.play.stage import play
from tests.simulation.seeded.bugs import BUGS
from tests.simulation.shrink import Cut, broken, described, shrunk

_CHUNK: Final = 50
_SHOWN: Final = 3  # failing seeds that are shrunk and described in full


def main(words: list[str] | None = None) -> int:
    """Exit code 1 when an invariant was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="play many seeds")
    run.add_argument("--seeds", type=int, default=1000)
    run.add_argument("--start", type=int, default=0)
    run.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    for name in ("replay", "shrink"):
        one = commands.add_parser(name, help=f"{name} one seed")
        one.add_argument("seed", type=int)
        if name == "replay":
            one.add_argument("--without-nodes", default="")
            one.add_argument("--without-troubles", default="")
            one.add_argument("--without-rounds", default="")
    commands.add_parser("seeded-bugs", help="plant each bug, and hunt it")
    chooser = commands.add_parser("choose", help="choose the seeds that `make test` plays")
    chooser.add_argument("--bugs", action="store_true", help="keep the list, add for seeded bugs")
    chooser.add_argument("--gate", action="store_true", help="keep the list, choose for the gate")
    chooser.add_argument("--pool", type=int, default=4000)
    chooser.add_argument("--size", type=int, default=300)
    chooser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(words)
    match asked.command:
        case "run":
            return _run(start=asked.start, seeds=asked.seeds, jobs=asked.jobs)
        case "replay":
            names = frozenset(name for name in asked.without_nodes.split(",") if name)
            troubles, rounds = _places(asked.without_troubles), _places(asked.without_rounds)
            return _tell(Cut(asked.seed, names, troubles, rounds))
        case "seeded-bugs":
            return _hunt()
        case "choose":
            return _choose(asked)
        case _:
            cut = shrunk(asked.seed)
            return _tell(cut if cut is not None else Cut(asked.seed))


def _places(words: str) -> frozenset[int]:
    return frozenset(int(at) for at in words.split(",") if at)


def _tell(cut: Cut) -> int:
    text = described(cut)
    print(text)
    return 0 if "no invariant is broken" in text else 1


def play_seeds(seeds: Iterable[int]) -> tuple[dict[int, str], Counter[str]]:
    """The seeds that fail, with what is wrong first, and how often each thing was exercised."""
    failing: dict[int, str] = {}
    exercised: Counter[str] = Counter()
    for seed in seeds:
        plan = scenario(seed)
        violations, seen = play(plan)
        if violations:
            failing[seed] = str(violations[0])
        exercised.update(seen.exercised)
        exercised.update(f"node: {node.kind}" for node in plan.nodes)
        exercised.update(f"program: {pod.act.name}" for pod in seen.pods.values() if pod.act)
        exercised.update(f"attempt: {story.reason}" for story in seen.attempts.values())
        exercised.update(f"end: {node['phase']}" for node in seen.nodes.values())
        exercised.update(
            f"disposition: {node['disposition']}"
            for node in seen.nodes.values()
            if "disposition" in node
        )
        exercised[
            f"run: {seen.run['status']['phase']}" if seen.finished_at else "run: deleted"
        ] += 1
    return failing, exercised


def _quiet() -> None:
    logging.disable(logging.CRITICAL)
    os.nice(5)


def _run(*, start: int, seeds: int, jobs: int) -> int:
    began = time.monotonic()
    failing: dict[int, str] = {}
    exercised: Counter[str] = Counter()
    done = 0
    with ProcessPoolExecutor(max_workers=jobs, initializer=_quiet) as pool:
        end = start + seeds
        parts = [range(first, min(first + _CHUNK, end)) for first in range(start, end, _CHUNK)]
        for part in as_completed([pool.submit(play_seeds, part) for part in parts]):
            found, counted = part.result()
            failing |= found
            for seed, why in found.items():
                print(f"\nseed {seed}: {why}", file=sys.stderr, flush=True)
            exercised += counted
            done = min(done + _CHUNK, seeds)
            rate = done / (time.monotonic() - began)
            line = f"\r{done} of {seeds} seeds, {rate:.1f} a second, {len(failing)} failing"
            print(line, end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    _summary(exercised)
    print(f"{seeds} seeds from {start}: {len(failing)} failing, {time.monotonic() - began:.0f} s")
    for seed, why in sorted(failing.items()):
        print(f"seed {seed}: {why}\n  python -m tests.simulation shrink {seed}")
    for seed in sorted(failing)[:_SHOWN]:
        cut = shrunk(seed)
        print(f"\n{described(cut)}" if cut else f"\nseed {seed} does not fail a second time")
    return 1 if failing else 0


def _hunt() -> int:
    """Plant every seeded bug; exit code 1 when one stays hidden."""
    hidden = 0
    for bug in BUGS:
        found = bug.hunt()
        hidden += found is None
        who = ", ".join(sorted(broken(found[1]))) if found else "NOBODY"
        where = f"seed {found[0]}" if found else "no seed"
        print(f"{bug.name:34} caught by {who} ({where})", flush=True)
    print(f"{len(BUGS)} seeded bugs, {hidden} not caught")
    return 1 if hidden else 0


def _choose(asked: argparse.Namespace) -> int:
    """Write the pinned seeds, and of all simulations the seeds of the gate; exit code 1 when too
    few catch a seeded bug."""
    if asked.gate:
        found: dict[int, list[str]] = {seed: [*names] for seed, names in pinned.read().items()}
    elif asked.bugs:
        found = choose.add_catches(BUGS)
    else:
        found, troubles = choose.choose(BUGS, pool=asked.pool, size=asked.size, jobs=asked.jobs)
        print("; ".join(f"{name} {count}" for name, count in sorted(troubles.items())))
    pinned.write(found)
    catches = Counter(name for names in found.values() for name in names)
    missed = [bug.name for bug in BUGS if catches[bug.name] < choose.CATCHES]
    print(f"{len(found)} seeds in {pinned.PATH}")
    print("\n".join(f"caught by {catches[name]}: {name}" for name in missed))
    chosen = choose.for_gate(found)
    chosen |= choosing.choose(jobs=asked.jobs)
    gate.write(chosen)
    bugs = [f"{name}:{bug.name}" for name, (listed, _) in SIMULATIONS.items() for bug in listed.all]
    hidden = [name for name in bugs if name not in chosen]
    print("\n".join(f"not caught: {name}" for name in hidden))
    return 1 if missed or hidden else 0


def _summary(exercised: Counter[str]) -> None:
    groups: dict[str, list[str]] = {}
    for name, count in sorted(exercised.items()):
        group, _, what = name.rpartition(": ")
        groups.setdefault(group or "trouble", []).append(f"{what} {count}")
    for group, counts in sorted(groups.items()):
        print(f"{group}: {', '.join(counts)}")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # operators that are killed have much to say
    sys.exit(main())
