"""What the agents see and answer: every input and output, each of its entries by name.

Knows names and counts. Does not know the network that reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many there are of everything; by default as in the match against OG.

    Attributes:
        allied_heroes: the agents.
        history: steps of which a unit's health is known.
        terrain: cells along a side of the square around an allied hero that it knows.
        minimap: cells along a side of the map of the world.
        nearby_map: cells along a side of the map of what is near.
        width: of every embedding.
        hidden: of the LSTM and of the layer before it.
        channels: of the two convolutions on each map.
        extra: more features of every hero, in between the others.
    """

    allied_heroes: int = 5
    enemy_heroes: int = 5
    allied_nonheroes: int = 82
    enemy_nonheroes: int = 82
    neutrals: int = 15
    hero_modifiers: int = 10
    nonhero_modifiers: int = 2
    abilities: int = 6
    items: int = 16
    pickups: int = 6
    history: int = 16
    terrain: int = 14
    minimap: int = 10
    nearby_map: int = 8
    width: int = 128
    hidden: int = 4096
    channels: tuple[int, int] = (16, 24)
    extra: Names = ()


@dataclass(frozen=True, slots=True)
class Things:
    """A set of named things: how many there are, floats of each, the table of their names."""

    count: int
    features: Names
    table: str


@dataclass(frozen=True, slots=True)
class Group:
    """Units of one kind.

    Attributes:
        count: how many there are.
        features: floats of each.
        categories: category of a unit -> the table that it chooses from.
        carries: what a unit has a set of -> the things that these are.
    """

    count: int
    features: Names
    categories: Mapping[str, str]
    carries: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Input:
    """One input, floats or choices from a table: names along its dims behind batch and time."""

    dims: tuple[Names, ...]
    table: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dims behind batch and time."""
        return tuple(map(len, self.dims))

    @property
    def count(self) -> int:
        """Scalars per step."""
        return prod(self.shape)


def words(text: str) -> Names:
    return tuple(text.split())


def numbered(*counts: int, start: str = "") -> Names:
    """Name the entries of a count, or the cells of several: `cell_0_0`, `cell_0_1`, ..."""
    lead = words(start)
    return tuple("_".join((*lead, *map(str, at))) for at in product(*map(range, counts)))


TABLES = {
    "unit_type": 320,
    "animation": 384,
    "modifier": 1024,
    "ability": 640,
    "item": 256,
    "build": 128,
    "pickup": 8,
}
"""Rows of each table of categories."""

EXTRA = words(
    "stunned silenced rooted hexed disarmed muted magic_immune disabled_for vision_range evasion "
    "status_resistance spell_amplification"
)
"""Twelve more features of a hero."""

WORLD = words(
    "time day time_to_day_or_night time_to_creeps time_to_neutrals time_to_bounty time_to_runes "
    "time_since_courier courier_unseen roshan_earliest roshan_latest roshan_health "
    "roshan_max_health roshan_alive roshan_dead roshan_cheese roshan_refresher glyph_cooldown "
    "enemy_glyph_cooldown ward_stock smoke_stock gem_stock"
)
MINIMAP = words(
    "visible allied_creeps enemy_creeps allied_wards enemy_wards enemy_heroes cell_x cell_y cell"
)
NEARBY_MAP = words("elevation passable allied_creeps enemy_creeps allied_spells enemy_spells")

OFFSETS = words("move_x move_y cast_x cast_y ward_x ward_y")
BINS = numbered(9)
DELAYS = numbered(4)


def actions(sizes: Sizes) -> Names:
    """Name the actions, of which an agent takes one per step."""
    return (
        *words("noop stop hold move attack take glyph buyback"),
        *numbered(sizes.abilities, start="ability"),
        *numbered(sizes.items, start="item"),
    )


def unit_features(sizes: Sizes) -> Names:
    """Name the floats of a unit."""
    return (
        *words("position_x position_y position_z facing_cos facing_sin attacking time_to_attack"),
        *words("max_health health"),
        *numbered(sizes.history - 1, start="health_before"),
        *words("attack_damage attack_speed physical_resistance movement_speed glyph glyph_time"),
        *words("on_my_team neutral animation_time projectile_arrival melee_attackers"),
        *words("shrine_cooldown shrine_healing to_me_x to_me_y distance_to_me"),
        *words("attacks_me attacked_by_me my_projectile_arrival"),
    )


def hero_features(sizes: Sizes) -> Names:
    """Name the floats of a hero, a unit's among them."""
    return (
        *unit_features(sizes),
        *words("alive deaths visible time_since_seen teleporting teleport_x teleport_y"),
        *words("channel_time respawn_time gold level mana max_mana mana_gain health_gain"),
        *sizes.extra,
        *words("magic_resistance strength agility intelligence invisible uses_ability"),
        *words("allied_creeps_between enemy_creeps_between"),
        *words("allied_heroes_between enemy_heroes_between"),
    )


def ally_features(sizes: Sizes) -> Names:
    """Name the floats of an allied hero, a hero's among them."""
    return (
        *hero_features(sizes),
        *numbered(7, start="purchase"),
        *words("buyback buyback_cost buyback_cooldown empty_inventory empty_backpack"),
        *words("lane_top lane_middle lane_bottom"),
        *numbered(sizes.terrain, sizes.terrain, start="passable"),
    )


def groups(sizes: Sizes) -> dict[str, Group]:
    """List the groups of units; each has an encoder of its own."""
    unit, hero, ally = unit_features(sizes), hero_features(sizes), ally_features(sizes)
    seen = {"type": "unit_type", "animation": "animation"}
    known = {**seen, "build": "build", "next_item": "item"}
    few = {"modifier": "nonhero_modifier"}
    many = {"modifier": "hero_modifier", "ability": "ability", "item": "item"}
    return {
        "allied_hero": Group(sizes.allied_heroes, ally, known, many),
        "enemy_hero": Group(sizes.enemy_heroes, hero, seen, many),
        "allied_nonhero": Group(sizes.allied_nonheroes, unit, seen, few),
        "enemy_nonhero": Group(sizes.enemy_nonheroes, unit, seen, few),
        "neutral": Group(sizes.neutrals, unit, seen, few),
    }


def things(sizes: Sizes) -> dict[str, Things]:
    """List the sets of named things; each has one encoder, whoever carries them."""
    modifier = words("remaining_time stacks")
    ability = words("cooldown in_use castable level_1 level_2 level_3 level_4")
    item = words(
        "in_inventory in_backpack in_stash charges on_cooldown cooldown swapped swap_cooldown "
        "toggled gives_strength gives_agility gives_intelligence gives_nothing"
    )
    pickup = (
        *words("present absent unknown position_x position_y"),
        *numbered(sizes.allied_heroes, start="distance_to_allied_hero"),
        *numbered(sizes.enemy_heroes, start="distance_to_enemy_hero"),
    )
    return {
        "hero_modifier": Things(sizes.hero_modifiers, modifier, "modifier"),
        "nonhero_modifier": Things(sizes.nonhero_modifiers, modifier, "modifier"),
        "ability": Things(sizes.abilities, ability, "ability"),
        "item": Things(sizes.items, item, "item"),
        "pickup": Things(sizes.pickups, pickup, "pickup"),
    }


def maps(sizes: Sizes) -> dict[str, tuple[Names, int]]:
    """List the maps: their channels, and the cells along a side."""
    return {"minimap": (MINIMAP, sizes.minimap), "nearby_map": (NEARBY_MAP, sizes.nearby_map)}


def previous_action(sizes: Sizes) -> Names:
    """Name what was done one step before: one-hot offsets, embedded action and target."""
    return (
        *(f"{offset}_{at}" for offset, at in product(OFFSETS, BINS)),
        *numbered(sizes.width, start="action"),
        *numbered(sizes.width, start="target"),
    )


def inputs(sizes: Sizes) -> dict[str, Input]:
    """List every input of the network, in the order in which it is read."""
    return dict(_inputs(sizes))


def _inputs(sizes: Sizes) -> Iterator[tuple[str, Input]]:
    known = things(sizes)
    for name, group in groups(sizes).items():
        units = numbered(group.count)
        yield name, Input((units, group.features))
        for category, table in group.categories.items():
            yield f"{name}_{category}", Input((units,), table)
        for what, kind in group.carries.items():
            yield from _set(f"{name}_{what}", known[kind], units)
    yield from _set("pickup", known["pickup"])
    yield "world", Input((WORLD,))
    yield "previous_action", Input((previous_action(sizes),))
    for name, (channels, side) in maps(sizes).items():
        yield name, Input((channels, numbered(side), numbered(side)))


def _set(name: str, seen: Things, *carriers: Names) -> Iterator[tuple[str, Input]]:
    places = (*carriers, numbered(seen.count))
    yield name, Input((*places, seen.features))
    yield f"{name}_name", Input(places, seen.table)


def outputs(sizes: Sizes) -> dict[str, tuple[Names, ...]]:
    """List every output: names along its dims behind batch and time."""
    heroes = numbered(sizes.allied_heroes)
    units = (
        unit for name, group in groups(sizes).items() for unit in numbered(group.count, start=name)
    )
    return {
        "action": (heroes, actions(sizes)),
        "target": (heroes, actions(sizes), tuple(units)),
        "offset": (heroes, OFFSETS, BINS),
        "delay": (heroes, DELAYS),
        "value": (heroes,),
    }
