// No-op jobs through pg-boss, fetched and completed in batches: argv is the connection string, the number of jobs, the size of
// a batch and the number of fetchers.
import PgBoss from "pg-boss";

const [connectionString, count, batchSize, fetchers] = [process.argv[2], +process.argv[3], +process.argv[4], +process.argv[5]];
const boss = new PgBoss({ connectionString, max: fetchers + 2, supervise: false, schedule: false });
boss.on("error", (error) => { console.error(error); process.exit(1); });
await boss.start();
await boss.createQueue("noop");
for (let n = 0; n < count; n += 1000) {
  await boss.insert(Array.from({ length: Math.min(1000, count - n) }, () => ({ name: "noop", data: {} })));
}
await boss.getDb().executeSql("analyze");
let done = 0;
const begin = process.hrtime.bigint();
await Promise.all(Array.from({ length: fetchers }, async () => {
  for (;;) {
    const jobs = await boss.fetch("noop", { batchSize });
    if (jobs.length === 0) return;
    await boss.complete("noop", jobs.map((job) => job.id));
    done += jobs.length;
  }
}));
const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
const left = await boss.getQueueSize("noop");
await boss.stop({ graceful: false });
console.log(JSON.stringify({ jobs: done, left, per_second: done / seconds }));
