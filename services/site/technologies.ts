import { readFileSync } from "node:fs";
import { type FingerprintFile, Fingerprints } from "./fingerprint.ts";

let compiled: Fingerprints | undefined;

/** The fingerprints of services/site/fingerprints/, compiled once a process: they never change, and take 12 MB. */
export function loadFingerprints(): Fingerprints {
  compiled ??= new Fingerprints(
    JSON.parse(readFileSync(new URL("./fingerprints/technologies.json", import.meta.url), "utf8")) as FingerprintFile,
  );
  return compiled;
}
