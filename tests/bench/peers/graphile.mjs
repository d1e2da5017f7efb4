// No-op jobs through graphile-worker: argv is the connection string, the number of jobs, and how many it runs at once.
import { runMigrations, run, Logger } from "graphile-worker";
import pg from "pg";

const [connectionString, count, concurrency] = [process.argv[2], +process.argv[3], +process.argv[4]];
const pool = new pg.Pool({ connectionString, max: concurrency + 2 });
const logger = new Logger(() => () => {});
await runMigrations({ pgPool: pool, logger });
await pool.query("select graphile_worker.add_jobs(array_agg(row('noop', '{}', null, now(), 3, null, 0, null)::graphile_worker.job_spec)) from generate_series(1, $1)", [count]);
await pool.query("analyze");
let done = 0;
let finished;
const allDone = new Promise((resolve) => { finished = resolve; });
const begin = process.hrtime.bigint();
const runner = await run({ pgPool: pool, logger, concurrency, noHandleSignals: true, pollInterval: 100,
  taskList: { noop: () => { if (++done === count) finished(); } } });
await allDone;
await runner.stop(); // waits until the last one is completed in the database
const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
const left = (await pool.query("select count(*)::int as n from graphile_worker.jobs")).rows[0].n;
await pool.end();
console.log(JSON.stringify({ jobs: done, left, per_second: done / seconds }));
