/** What the page's address says after `#`; '' where it says nothing. */
export function pageState(state: Readonly<Record<string, string | undefined>>): string {
  const known = Object.entries(state).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return known.length === 0 ? '' : `#${new URLSearchParams(known)}`;
}
