"""Whether one JSON Schema (2020-12) accepts all values of another, as far as that can be decided.

A misfit is certain if something that the source declares can never be accepted: a type, null, a
listed value, a missing property, bounds that do not overlap. Everything else that is not proven is
reported as not proven. All values are checked again at run time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from waypost.compiler.types.intervals import LENGTHS, NUMBERS, Interval
from waypost.compiler.types.mismatches import (
    At,
    Misfit,
    any_certain,
    bounded,
    demands,
    describe,
    describe_all,
    doubted,
    filled_in,
    fix_of,
    leaf_misfits,
    listed_misfits,
    missing,
    opaque,
    spelled_out,
    type_misfits,
    unproven,
)
from waypost.compiler.types.schemas import (
    Alternative,
    Narrowed,
    Part,
    Properties,
    Unknown,
    alternatives,
    conjuncts,
    is_a,
    items_of,
    kinds_of,
    properties_of,
)
from waypost.protocol import schema, violation
from waypost.protocol.ijson import Json, step

__all__ = ["MAX_STEPS", "Comparison", "Misfit"]

# For all comparisons of one workflow: real ones take a few hundred steps, hostile ones are stopped.
MAX_STEPS: Final = 20_000
_MAX_DEPTH: Final = 48


# Identities of both schemas, depth, strict, defaults: all that a result depends on, unless it
# assumed that an outer pair fits.
_Question: TypeAlias = tuple[int, int, int, bool, bool]


@dataclass(frozen=True)
class _Known:
    """An earlier result, with paths relative to the pair.

    It holds both schemas, so that their identities stay valid. Each use costs the same `steps`.
    """

    gives: Json
    takes: Json
    misfits: list[Misfit]
    steps: int


def may_be(value: Json, takes: Json) -> bool:
    """Whether a value may meet a linked schema: nothing proves that it does not."""
    return not any(misfit.certain for misfit in Comparison().misfits({"const": value}, takes))


class Comparison:
    """The comparisons of one workflow, with a common limit of steps."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps
        self._open: set[tuple[int, int]] = set()
        self._assumed = 0  # how often an open pair was assumed to fit
        self._known: dict[_Question, _Known] = {}

    def misfits(self, gives: Json, takes: Json, *, defaults: bool = False) -> tuple[Misfit, ...]:
        """Why not all values of `gives` meet `takes`; empty if it is proven that they do.

        Args:
            gives: The linked schema of the values.
            takes: The linked schema that they must meet.
            defaults: Whether the defaults of `takes` are applied before values are checked.
        """
        return tuple(dict.fromkeys(self._schema(gives, takes, At(defaults=defaults))))

    def _schema(self, gives: Json, takes: Json, at: At) -> list[Misfit]:
        pair = (id(gives), id(takes))
        if gives is takes or isinstance(gives, Unknown):
            return []
        if pair in self._open:
            self._assumed += 1
            return []
        if self._left < 0 or len(self._open) > _MAX_DEPTH:
            return [_too_large(at)]
        question = (*pair, len(self._open), at.strict, at.defaults)
        known = self._known.get(question)
        if known is not None and known.steps <= self._left:
            self._left -= known.steps
        else:
            left, assumed = self._left, self._assumed
            misfits = self._compared(gives, takes, replace(at, path=""))
            known = _Known(gives, takes, misfits, left - self._left)
            if self._assumed == assumed and self._left >= 0:
                self._known[question] = known
        return [replace(misfit, path=at.path + misfit.path) for misfit in known.misfits]

    def _compared(self, gives: Json, takes: Json, at: At) -> list[Misfit]:
        pair = (id(gives), id(takes))
        given = alternatives(gives)
        if given is None:
            return [unproven(at, "too many alternatives", "one that fits")]
        self._left -= len(given)
        if isinstance(gives, Narrowed):
            at = replace(at, strict=False)
        at = replace(at, filled=filled_in(takes) if at.defaults else frozenset())
        self._open.add(pair)
        misfits = [m for part in conjuncts(takes) for m in self._part(given, part, at)]
        self._open.discard(pair)
        return misfits

    def _part(self, given: list[Alternative], takes: Part, at: At) -> list[Misfit]:
        judged = [(one, self._alternative(one, takes, at)) for one in given]
        refused = [(one, misfits) for one, misfits in judged if any_certain(misfits)]
        if not refused:
            return [misfit for _, misfits in judged for misfit in misfits]
        if len(refused) == len(judged):
            return refused[0][1] if len(judged) == 1 else self._none_fits(given, refused, takes, at)
        if not all(one.declared for one in given):
            return [unproven(at, "a value of no declared type", demands(takes))]
        fix = fix_of([one.kind for one, _ in refused])
        return [
            replace(misfit, certain=at.strict, gives=f"possibly {misfit.gives}", fix=fix)
            for _, misfits in refused
            for misfit in misfits
            if misfit.certain
        ]

    def _none_fits(
        self,
        given: list[Alternative],
        refused: list[tuple[Alternative, list[Misfit]]],
        takes: Part,
        at: At,
    ) -> list[Misfit]:
        places = {misfit.path for _, misfits in refused for misfit in misfits if misfit.certain}
        if places == {at.path}:
            return [Misfit(at.path, describe_all(given), demands(takes), certain=True)]
        return [misfit for _, misfits in refused for misfit in misfits if misfit.certain]

    def _against(self, one: Alternative, takes: Json, at: At) -> list[Misfit]:
        return [m for part in conjuncts(takes) for m in self._alternative(one, part, at)]

    def _alternative(self, one: Alternative, takes: Part, at: At) -> list[Misfit]:
        self._left -= 1
        if self._left < 0:
            return [_too_large(at)]
        if one.is_member and one.kind not in ("array", "object"):
            misfits = list(leaf_misfits(one, takes, at))
        else:
            misfits = [*type_misfits(one, takes, at), *listed_misfits(one, takes, at)]
            if any_certain(misfits):
                return misfits
            rule = self._RULES.get(one.kind)
            misfits += rule(self, spelled_out(one), takes, at) if rule else []
        if any_certain(misfits):
            return misfits
        return [*misfits, *self._choices(one, takes, at), *opaque(one, takes, at)]

    def _choices(self, one: Alternative, takes: Part, at: At) -> Iterator[Misfit]:
        for keyword in ("anyOf", "oneOf"):
            branches = takes.get(keyword)
            if not isinstance(branches, list):
                continue
            # The branch that applies depends on the value, so none applies its defaults.
            unfilled = replace(at, defaults=False, filled=frozenset())
            judged = [self._against(one, branch, unfilled) for branch in branches]
            possible = [misfits for misfits in judged if not any_certain(misfits)]
            if not possible:
                alike = [
                    misfits
                    for misfits, branch in zip(judged, branches, strict=True)
                    if any(is_a(one.kind, kind) for kind in kinds_of(conjuncts(branch))[0])
                ]
                text = f"one of the {len(branches)} alternatives of {keyword}"
                refused = Misfit(at.path, describe(one), text, certain=True)
                yield from alike[0] if len(alike) == 1 else [refused]
            elif not self._decided(one, keyword, branches, judged, at):
                text = f"{'exactly ' if keyword == 'oneOf' else ''}one alternative of {keyword}"
                yield unproven(at, describe(one), text)

    def _decided(
        self,
        one: Alternative,
        keyword: str,
        branches: list[Json],
        judged: list[list[Misfit]],
        at: At,
    ) -> bool:
        """Whether a branch is proven to accept the value and, for oneOf, no other branch can."""
        proven = [at_ for at_, misfits in enumerate(judged) if not misfits]
        if keyword == "anyOf" or not proven:
            return bool(proven)
        lenient = replace(at, strict=False)
        others = (branch for at_, branch in enumerate(branches) if at_ != proven[0])
        return all(any_certain(self._against(one, branch, lenient)) for branch in others)

    def _number(self, one: Alternative, takes: Part, at: At) -> list[Misfit]:
        whole = one.kind == "integer"
        misfits = bounded(one, takes, at, NUMBERS, whole=whole)
        divisor = takes.get("multipleOf")
        if divisor is not None and not (whole and divisor == 1):
            given = [part["multipleOf"] for part in one.parts if "multipleOf" in part]
            if not any(number % divisor == 0 for number in given):
                misfits.append(unproven(at, describe(one), violation.phrase("multipleOf", divisor)))
        return misfits

    def _string(self, one: Alternative, takes: Part, at: At) -> list[Misfit]:
        misfits = bounded(one, takes, at, LENGTHS["string"], whole=True)
        for keyword in ("pattern", "format"):
            value = takes.get(keyword)
            if value is None or (keyword == "format" and value not in schema.FORMATS):
                continue
            if not any(part.get(keyword) == value for part in one.parts):
                misfits.append(unproven(at, describe(one), violation.phrase(keyword, value)))
        return misfits

    def _array(self, one: Alternative, takes: Part, at: At) -> list[Misfit]:
        misfits = bounded(one, takes, at, LENGTHS["array"], whole=True)
        count = Interval.of(one.parts, LENGTHS["array"], whole=True)
        alone = count.high <= 1 or any(part.get("uniqueItems") is True for part in one.parts)
        if takes.get("uniqueItems") is True and not alone:
            misfits.append(unproven(at, describe(one), "no item twice"))
        listed = max((len(p.get("prefixItems") or ()) for p in (*one.parts, takes)), default=0)
        for index in range(listed):
            if index < count.high:
                inner = self._item(one, takes, index, at.below(f"[{index}]"))
                misfits += inner if at.strict or count.low > index else doubted(inner)
        if count.high > listed:
            inner = self._item(one, takes, None, at.below("[]"))
            misfits += inner if at.strict or count.low > listed else doubted(inner)
        return misfits

    def _item(self, one: Alternative, takes: Part, index: int | None, at: At) -> list[Misfit]:
        given = items_of(one.parts, index)
        return [] if given is False else self._schema(given, items_of([takes], index), at)

    def _object(self, one: Alternative, takes: Part, at: At) -> list[Misfit]:
        given, taken = properties_of(one.parts), properties_of([takes])
        if given.dynamic and (taken.declared or taken.required):
            names = ", ".join(map(repr, sorted(taken.required or taken.declared)[:6]))
            return [unproven(at, "an object without declared properties", f"one with {names}")]
        misfits = bounded(one, takes, at, LENGTHS["object"], whole=True)
        misfits += missing(given, taken, at)
        for name in taken.declared:
            inner = given.of(name)
            if inner is not False:
                sure = name in given.required or (at.strict and name in given.declared)
                compared = self._schema(inner, taken.declared[name], at.below(step(name)))
                misfits += compared if sure else doubted(compared)
        return misfits + self._others(given, takes, taken, at)

    def _others(self, given: Properties, takes: Part, taken: Properties, at: At) -> list[Misfit]:
        """Compare the properties that `takes` does not name with its additionalProperties."""
        other = takes.get("additionalProperties", True)
        if other is True or "patternProperties" in takes:
            return []
        misfits: list[Misfit] = []
        for name in given.declared:
            if name in taken.declared or given.declared[name] is False:
                continue
            if other is False:
                certain = name in given.required
                text = f"an object with {'' if certain else 'perhaps '}{name!r}"
                misfits.append(Misfit(at.path, text, f"no property {name!r}", certain=certain))
                continue
            compared = self._schema(given.declared[name], other, at.below(step(name)))
            misfits += compared if at.strict or name in given.required else doubted(compared)
        if given.other is not False:
            if other is False:
                misfits.append(unproven(at, "an object with any properties", "no others"))
            else:
                misfits += doubted(self._schema(given.other, other, at.below("[*]")))
        return misfits

    _RULES: Final[Mapping[str, Callable[..., list[Misfit]]]] = {
        "integer": _number,
        "number": _number,
        "string": _string,
        "array": _array,
        "object": _object,
    }


def _too_large(at: At) -> Misfit:
    return unproven(at, "a schema", "one that fits: it is too large to compare")
