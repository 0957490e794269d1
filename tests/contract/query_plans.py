"""How a database would walk through a query."""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


def explained(connection: sa.Connection, query: sa.Select[*tuple[Any, ...]]) -> str:
    """The plan for a table that is large: a small one is read faster by any other way."""
    if connection.dialect.name == "sqlite":
        prefix = "EXPLAIN QUERY PLAN "
    else:
        prefix = "EXPLAIN "
        for setting in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
            connection.exec_driver_sql(f"SET LOCAL {setting} = off")
    compiled = query.compile(
        dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
    )
    names_of = compiled.positiontup
    values = compiled.construct_params()
    processors = compiled._bind_processors
    bound: dict[str, Any] = {}
    for name, value in values.items():
        # The members of an IN stand under names of their own, with the processor of the whole.
        convert = processors.get(name, processors.get(name.rpartition("_")[0], lambda each: each))
        bound[name] = value if isinstance(value, (list, tuple)) else convert(value)
        if isinstance(value, (list, tuple)):
            bound |= {f"{name}_{place}": convert(each) for place, each in enumerate(value, 1)}
    parameters: Any = tuple(bound[name] for name in names_of) if names_of else bound
    rows = connection.exec_driver_sql(prefix + str(compiled), parameters)
    return "\n".join(" ".join(map(str, row)) for row in rows)


_ALIAS = re.compile(r"\b(\w+) AS (\w+)")
_WALK = re.compile(r"SCAN (\w+)|SEARCH (\w+) USING AUTOMATIC")


def walked_tables(statement: str, plan: Sequence[str]) -> list[str]:
    """The tables of which SQLite reads every row, or makes an index for this one statement; each with its line of the plan.

    A list whose rows nothing narrows down is read in the order of an index up to its limit: that is no walk.
    """
    is_cut_off = (
        " WHERE " not in statement
        and "LIMIT" in statement
        and not any("TEMP B-TREE" in line for line in plan)
    )
    aliases = {alias: table for table, alias in _ALIAS.findall(statement)}
    walked = []
    for line in plan:
        found = _WALK.match(line)
        if found is not None and not is_cut_off:
            name = found[1] or found[2]
            walked.append(aliases.get(name, name))
    return walked
