// PostgreSQL to Redis after the usual recipe: pg-logical-replication with pgoutput, ioredis with pipelines of 1000.
// The slot moves on when the commands of a pipeline were answered. Values are what node-postgres makes of them.
const { LogicalReplicationService, PgoutputPlugin } = require("pg-logical-replication");
const { Redis } = require("ioredis");

const batch = 1000;
const { PGPORT, REDISPORT, SLOT, PUB, AS_JSON } = process.env;
const rowsWanted = Number(process.env.ROWS);
const redis = new Redis({ host: "127.0.0.1", port: Number(REDISPORT) });
const service = new LogicalReplicationService(
  { host: "127.0.0.1", port: Number(PGPORT), user: "postgres", database: "postgres" },
  { acknowledge: { auto: false, timeoutSeconds: 0 } });

let pipeline = redis.pipeline();
let pending = 0, rows = 0, answered = 0;

function text(value) {
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" ? JSON.stringify(value) : value;
}

function add(change) {
  if (change.tag === "delete") {
    pipeline.del(`user:${(change.key ?? change.old).id}`);
    return;
  }
  const row = change.new, key = `user:${row.id}`;
  if (AS_JSON) {
    pipeline.set(key, JSON.stringify(row, (_, value) => typeof value === "bigint" ? value.toString() : value));
    return;
  }
  const fields = {};
  for (const name in row) if (row[name] !== null) fields[name] = text(row[name]);
  pipeline.hset(key, fields);
}

async function flush(lsn) {
  const full = pipeline, count = pending;
  pipeline = redis.pipeline();
  pending = 0;
  for (const [error] of await full.exec()) if (error) throw error;
  await service.acknowledge(lsn);
  answered += count;
  if (answered !== rowsWanted) return;
  process.stdout.write(JSON.stringify({ rows }) + "\n", () => process.exit(0));
}

service.on("data", (lsn, change) => {
  if (change.tag !== "insert" && change.tag !== "update" && change.tag !== "delete") return;
  add(change);
  pending++;
  rows++;
  if (pending === batch || rows === rowsWanted) flush(lsn).catch(fail);
});
service.on("error", fail);
service.subscribe(new PgoutputPlugin({ protoVersion: 1, publicationNames: [PUB] }), SLOT).catch(fail);

function fail(error) {
  console.error(error);
  process.exit(1);
}
