"""The triggers of the first schema: what people decided is only ever added, and each row has the next number."""

APPEND_ONLY = (
    "deployments",
    "approvals",
    "history",
    "withdrawals",
    "review_decisions",
    "review_outcomes",
    "canaries",
    "outcomes",
)
# SQLite runs no trigger for a row that INSERT OR REPLACE deletes: so no number, and no other key, may come twice.
_RISING = (
    ("deployments", "epoch", -1),
    ("approvals", "id", 0),
    ("history", "id", 0),
    ("review_decisions", "number", 0),
)
_KEYS = (
    ("approvals", ("digest",)),
    ("history", ("digest",)),
    ("review_decisions", ("digest",)),
    ("withdrawals", ("document",)),
    ("review_outcomes", ("decision",)),
    ("canaries", ("epoch", "number")),
    ("outcomes", ("id",)),
    ("outcomes", ("epoch", "counts_as")),
)
SQLITE = (
    *(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
        for table in APPEND_ONLY
        for verb in ("UPDATE", "DELETE")
    ),
    *(
        f"CREATE TRIGGER {table}_rise BEFORE INSERT ON {table} "
        f"WHEN NEW.{column} <> (SELECT COALESCE(MAX({column}), {before}) + 1 FROM {table}) "
        f"BEGIN SELECT RAISE(ABORT, 'the {column} of {table} is the next one'); END"
        for table, column, before in _RISING
    ),
    *(
        f"CREATE TRIGGER {table}_keep_{key[-1]} BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {' AND '.join(f'{table}.{name} = NEW.{name}' for name in key)}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
        for table, key in _KEYS
    ),
)
POSTGRES = (
    "CREATE FUNCTION sealed_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '% are append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; "
    "END $$",
    *(
        f"CREATE TRIGGER {table}_{name} BEFORE {verbs} ON {table} FOR EACH {each} EXECUTE FUNCTION sealed_append_only()"
        for table in APPEND_ONLY
        for name, verbs, each in (("append_only", "UPDATE OR DELETE", "ROW"), ("not_emptied", "TRUNCATE", "STATEMENT"))
    ),
    *(
        statement
        for table, column, before in _RISING
        for statement in (
            f"CREATE FUNCTION sealed_next_of_{table}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF NEW.{column} <> (SELECT COALESCE(MAX({column}), {before}) + 1 FROM {table}) THEN "
            f"RAISE EXCEPTION 'the {column} of {table} is the next one' "
            "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
            f"CREATE TRIGGER {table}_rise BEFORE INSERT ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION sealed_next_of_{table}()",
        )
    ),
)
