/** How long drawing may keep a frame from the screen, ms. */
const BUDGET = 8;

const waiting = new Map<Element, () => void>();
let frame = 0;

/** Draws into an element in one of the next frames, where it is on the screen; a later call for it replaces an earlier one. */
export function drawSoon(element: Element, draw: () => void): void {
  waiting.set(element, draw);
  if (frame === 0) frame = requestAnimationFrame(run);
}

function run(): void {
  frame = 0;
  const until = performance.now() + BUDGET;
  for (const [element, draw] of waiting) {
    if (performance.now() > until) break;
    waiting.delete(element);
    draw();
  }
  if (waiting.size > 0) frame = requestAnimationFrame(run);
}

const shown = new WeakMap<Element, (isShown: boolean) => void>();
const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) shown.get(entry.target)?.(entry.isIntersecting);
  },
  { rootMargin: '100px' },
);

/** Tells when the element comes to the screen or leaves it, until the function that it gives is called. */
export function watchShown(element: Element, tell: (isShown: boolean) => void): () => void {
  shown.set(element, tell);
  observer.observe(element);
  return () => {
    observer.unobserve(element);
    waiting.delete(element);
  };
}
