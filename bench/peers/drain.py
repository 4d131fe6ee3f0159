"""PostgreSQL to Redis after the usual recipe: psycopg2's replication cursor, wal2json a row a message, redis-py with pipelines of 1000.

The slot moves on when the commands of a pipeline were answered. Values are what JSON makes of them.
"""
import json
import os

import psycopg2
import redis
from psycopg2.extras import LogicalReplicationConnection, StopReplication

BATCH = 1000
rows_wanted = int(os.environ["ROWS"])
table = os.environ["TABLE"]
as_json = bool(os.environ.get("AS_JSON"))

client = redis.Redis(host="127.0.0.1", port=int(os.environ["REDISPORT"]))
pipeline = client.pipeline(transaction=False)
pending = rows = 0


def consume(message):
    global pending, rows
    change = json.loads(message.payload)
    action = change["action"]
    if action in ("I", "U"):
        row = {column["name"]: column["value"] for column in change["columns"]}
        key = f"user:{row['id']}"
        if as_json:
            pipeline.set(key, json.dumps(row))
        else:
            pipeline.hset(key, mapping={name: value for name, value in row.items() if value is not None})
    elif action == "D":
        pipeline.delete(f"user:{change['identity'][0]['value']}")
    else:
        return
    pending += 1
    rows += 1
    if pending == BATCH or rows == rows_wanted:
        pipeline.execute()
        pending = 0
        message.cursor.send_feedback(flush_lsn=message.data_start)
    if rows == rows_wanted:
        raise StopReplication()


connection = psycopg2.connect(
    host="127.0.0.1", port=os.environ["PGPORT"], user="postgres", dbname="postgres", connection_factory=LogicalReplicationConnection)
cursor = connection.cursor()
cursor.start_replication(
    slot_name=os.environ["SLOT"], decode=True, options={"format-version": "2", "include-transaction": "false", "add-tables": f"public.{table}"})
try:
    cursor.consume_stream(consume)
except StopReplication:
    print(json.dumps({"rows": rows}), flush=True)
