import type { Operation, Parameter } from "../../mixins/http/operation.ts";
import { ref } from "./schema-words.ts";

/** The part of the table that is about business figures. docs/analytics.md */

const day = { type: "string", maxLength: 10, pattern: "^\\d{4}-\\d\\d-\\d\\d$" } as const;
// "" is asked for, too: leads that tell none.
const word = { type: "string", maxLength: 64 } as const;

const period: Record<string, Parameter> = {
  from: {
    description: "First day on which the leads were accepted (UTC). Absent: 29 days before the last.",
    schema: day,
  },
  to: { description: "Last such day. Absent: today. 400 days at the most.", schema: day },
  tenant: {
    description: "Another tenant's, or * for all: with a platform key.",
    schema: { type: "string", pattern: "^([a-z0-9][a-z0-9-]{0,31}|\\*)$" },
  },
  format: {
    description: "`csv`: the items, a row each, with a first row that names the columns.",
    schema: { type: "string", enum: ["json", "csv"], default: "json" },
  },
};
const csv = { type: "string", description: "RFC 4180." } as const;

export const analyticsOperations = [
  {
    id: "getAnalytics",
    method: "GET",
    path: "/v1/analytics",
    scope: "read",
    summary: "What became of leads, and what they cost",
    description:
      "By the day on which leads were accepted, their source, vertical, ZIP code or tenant. Figures are as old as `countedAt`. `null` is not measured, never nought.",
    query: {
      ...period,
      by: {
        description: "A row a what.",
        schema: { type: "string", enum: ["day", "source", "vertical", "zip", "tenant"], default: "day" },
      },
      daily: {
        description: "A row for each day of each value, for curves: of the first twenty values at the most.",
        schema: { type: "boolean", default: false },
      },
      source: { description: "Only leads of this source.", schema: word },
      vertical: { description: "Only leads of this vertical.", schema: word },
      zip: { description: "Only leads of this ZIP code; not together with source or vertical.", schema: word },
      limit: {
        description: "Values at the most, those with most leads first.",
        schema: { type: "integer", minimum: 1, maximum: 1_000, default: 50 },
      },
    },
    answers: { 200: { description: "The figures.", type: "application/json", schema: ref("Analytics"), csv } },
  },
  {
    id: "getRuleFigures",
    method: "GET",
    path: "/v1/analytics/rules",
    scope: "read",
    summary: "How often each scoring rule fired",
    query: period,
    answers: { 200: { description: "The rules.", type: "application/json", schema: ref("RuleFigures"), csv } },
  },
] as const satisfies readonly Operation[];
