"""What a store in PostgreSQL says to the server beside reading and writing its tables."""

from __future__ import annotations

READS = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
WRITES = (
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {busy}; "
    "SELECT pg_advisory_xact_lock({key})"
)
LONG_LIVED = (
    "SET idle_session_timeout = 0; SET tcp_keepalives_idle = 30; "
    "SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
)
"""The session of a lock may idle for hours; that of a machine that is gone ends within a minute."""

HOLDER = """
SELECT activity.application_name FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (held.classid::bigint << 32) | held.objid::bigint = %s
"""
