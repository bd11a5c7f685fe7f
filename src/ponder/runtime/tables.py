"""The tables of the journal and of the results store, which may share one file."""

from __future__ import annotations

from ponder.util.sqlite import Format

VERSION = 2
"""The version of the journal, in its file's ``user_version``."""
RUNS = """
create table runs (
    id text primary key, created real not null, spec text not null,
    state text not null, worker text, result text
);
create table calls (
    run text not null references runs(id) on delete cascade, seq integer not null,
    record text not null,  -- JSON: path, effect, result, why it was lost, what was spent
    primary key (run, seq)
) without rowid;
create table decisions (
    run text not null references runs(id) on delete cascade,
    follows integer not null,  -- the number of calls before it
    place integer not null,    -- among those that follow the same call
    record text not null,      -- JSON: its kind and its fields
    primary key (run, follows, place)
) without rowid;
create table actions (
    id integer primary key, run text not null references runs(id) on delete cascade,
    record text not null,      -- JSON: what a person wants done
    state text not null, why text not null default ''
);
"""
FORMAT = 1
"""The version of the results store, in its table ``store``."""
RESULTS = f"""
create table store (format integer not null);
create table configurations (
    id text primary key, created real not null, name text not null, suite text not null,
    model text not null, parameters integer not null, priced integer not null,
    file_sha256 text not null, resolved text not null  -- JSON: all that changes the results
);
create table outcomes (
    configuration text not null references configurations(id) on delete cascade,
    problem_id text not null, position integer not null, level, question text not null,
    run text not null, state text not null, why text not null default '', answer text, key text,
    stopped_by text, confidence real, calls integer not null default 0,
    prompt_tokens integer not null default 0, cached_tokens integer not null default 0,
    completion_tokens integer not null default 0, wasted_tokens integer not null default 0,
    usd real not null default 0, flops real not null default 0, seconds real not null default 0,
    correct integer,  -- NULL until graded
    primary key (configuration, problem_id)
) without rowid;
insert into store select {FORMAT} where not exists (select * from store);
"""
JOURNAL = Format("journal", RUNS, VERSION, "name another file with --journal", RESULTS)
STORE = Format("results store", RESULTS, 0, "name another file", RUNS)
