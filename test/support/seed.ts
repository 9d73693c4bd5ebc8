import fc from "fast-check";

// Random values are the same in every run, so that a failure is that of the change; with a seed of one's own, others are.
fc.configureGlobal({ seed: Number(process.env.FUZZ_SEED ?? 1) });
