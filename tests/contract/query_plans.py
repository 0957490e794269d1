"""How a database would walk through a query."""

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
