"""PostgreSQL to Redis by LISTEN/NOTIFY: a trigger sends the row, SETEX keeps it. What was not heard is lost."""
import json
import os
import select

import psycopg2
import redis
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

SECONDS_TO_LIVE = 3600
rows_wanted = int(os.environ["ROWS"])
client = redis.Redis(host="127.0.0.1", port=int(os.environ["REDISPORT"]))

connection = psycopg2.connect(host="127.0.0.1", port=os.environ["PGPORT"], user="postgres", dbname="notify")
connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
connection.cursor().execute("listen rows")

rows = 0
while rows < rows_wanted:
    select.select([connection], [], [])
    connection.poll()
    for notice in connection.notifies:
        change = json.loads(notice.payload)
        key = f"user:{change['id']}"
        if change["op"] == "D":
            client.delete(key)
        else:
            client.setex(key, SECONDS_TO_LIVE, json.dumps(change["row"]))
        rows += 1
    connection.notifies.clear()
print(json.dumps({"rows": rows}), flush=True)
