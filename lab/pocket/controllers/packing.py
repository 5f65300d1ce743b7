"""Which endpoint goes into which EndpointSlice, so that a change of one writes one slice. Pure."""

from collections.abc import Iterator, Mapping, Sequence

LIMIT = 100
"""Endpoints in a slice, as upstream's default."""


def packed(
    members: Sequence[str], held: Mapping[str, Sequence[str]], names: Iterator[str]
) -> dict[str, list[str]]:
    """Slice name -> its members, in their order. `held` is what slices have now; new names are from `names`.

    A member stays where it is, new ones fill the fullest slice that has room, and one slice stays when
    there is no member at all.
    """
    home: dict[str, str] = {}
    for each, there in held.items():
        for member in there:
            home.setdefault(member, each)
    slots: dict[str, list[str]] = {each: [] for each in held}
    for member in members:
        if member in home:
            slots[home[member]].append(member)
    for member in members:
        if member not in home:
            _roomy(slots, names).append(member)
    order = {member: place for place, member in enumerate(members)}
    kept = {each: sorted(there, key=order.__getitem__) for each, there in slots.items() if there}
    return kept or {next(iter(held), None) or next(names): []}


def _roomy(slots: dict[str, list[str]], names: Iterator[str]) -> list[str]:
    open_ones = [there for there in slots.values() if len(there) < LIMIT]
    if open_ones:
        return max(open_ones, key=len)
    return slots.setdefault(next(each for each in names if each not in slots), [])
