/**
 * Rows that all have the same names, as they go from one process to another: the names once, then the values. 420 rows of
 * business figures are 140 kB of JSON, most of it their names, and garbage twice over in either process.
 */
export interface TableOf<T extends object> {
  names: (keyof T & string)[];
  values: T[keyof T][][];
}

export function tableOf<T extends object>(rows: readonly T[]): TableOf<T> {
  const names = Object.keys(rows[0] ?? {}) as (keyof T & string)[];
  return { names, values: rows.map((row) => names.map((name) => row[name])) };
}

export const rowsOf = <T extends object>({ names, values }: TableOf<T>): T[] =>
  values.map((row) => Object.fromEntries(names.map((name, n) => [name, row[n]])) as T);
