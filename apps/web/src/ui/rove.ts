/** Which of `count` things in a row (or, with `columns`, in a grid) a key goes to from `at`; null where it goes nowhere. */
export function rove(key: string, at: number, count: number, columns = 1): number | null {
  const step: Readonly<Record<string, number>> =
    columns > 1
      ? {
          ArrowLeft: -1,
          ArrowRight: 1,
          ArrowUp: -columns,
          ArrowDown: columns,
          Home: -(at % columns),
          End: columns - 1 - (at % columns),
        }
      : { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -at, End: count - 1 - at };
  const by = step[key];
  if (by === undefined) return null;
  const next = at + by;
  return next >= 0 && next < count ? next : at;
}
