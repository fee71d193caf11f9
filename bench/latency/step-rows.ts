import { timeRows } from "../pipeline/times.ts";
import { figure, type Row } from "../row.ts";
import type { LoadGenerator } from "./load.ts";
import type { Step } from "./steps.ts";

const megabyte = 2 ** 20;

/** All that one rate is told by. */
export function stepRows(
  bench: string,
  name: (text: string) => string,
  { perMinute, api, endToEnd, errors, unread, sent, load }: Step,
  generator: LoadGenerator,
): Row[] {
  const at = (text: string) => name(`${perMinute}/min: ${text}`);
  const perProcess = (text: string, unit: string, of: Map<string, number>, scale: number) =>
    [...of].map(([process, value]) => figure(bench, at(`${text} of ${process}`), unit, value / scale));
  return [
    figure(bench, at("asked of the generator"), "leads/min", generator.rateOf(perMinute)),
    figure(bench, at("sent"), "leads", sent),
    figure(bench, at("errors"), "share", errors),
    figure(bench, at("sites not read or not measured"), "share", unread),
    ...timeRows(bench, at("API"), api),
    ...timeRows(bench, at("end to end"), endToEnd),
    ...perProcess("CPU", "cores", load.cores, 1),
    ...perProcess("memory", "MB", load.memoryBytes, megabyte),
    ...perProcess("disk, read", "MB/s", load.readBytes, megabyte),
    ...perProcess("disk, written", "MB/s", load.writtenBytes, megabyte),
    figure(bench, at("CPU of the machine"), "share", load.busy),
    figure(bench, at("network, all processes"), "MB/s", load.loopbackBytes / megabyte),
  ];
}
