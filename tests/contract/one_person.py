"""Explores every path that one person can take through the product, up to a number of actions.

Two paths that end in the same state go on alike, so each state is looked at once, at the least number of actions
that leads to it: what is left out has been looked at. A world says what its states are, what can be done, and how
to do it; the worlds of production go through the same explorer.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

__all__ = ["Explored", "World", "explore"]

_State = TypeVar("_State")


class World(Protocol[_State]):
    """What can be done in a product, from states that can be kept and taken up again."""

    def actions(self) -> Mapping[str, Callable[[_State], _State]]:
        """What can be tried in any state, by name; an action that is refused gives back an equal state."""

    def key(self, state: _State) -> Hashable:
        """All of a state on which rules may depend; states of one key go on alike."""

    def is_reached(self, state: _State) -> bool:
        """Whether what must not be reached has been reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """What was found: the states, the actions that changed something at least once, and the way to what was reached."""

    states: int
    effective: frozenset[str]
    reached_by: tuple[str, ...] | None


def explore(world: World[_State], start: _State, *, depth: int) -> Explored:
    """Try every action in every state that ``depth`` actions lead to, breadth first."""
    seen = {world.key(start)}
    frontier: list[tuple[_State, tuple[str, ...]]] = [(start, ())]
    effective: set[str] = set()
    for _ in range(depth):
        following: list[tuple[_State, tuple[str, ...]]] = []
        for state, path in frontier:
            for name, act in world.actions().items():
                after = act(state)
                key = world.key(after)
                if key != world.key(state):
                    effective.add(name)
                if key in seen:
                    continue
                seen.add(key)
                way = (*path, name)
                if world.is_reached(after):
                    return Explored(
                        states=len(seen), effective=frozenset(effective), reached_by=way
                    )
                following.append((after, way))
        frontier = following
    return Explored(states=len(seen), effective=frozenset(effective), reached_by=None)
