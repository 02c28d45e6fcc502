import { stageId } from './Stage.tsx';
import type { StageName } from './stages.ts';
import { setStage, stage, stages } from './state.ts';

/** Until when the page scrolls by itself and passes stages that nobody chose, ms. */
let scrollsUntil = 0;

/** Shows a stage and puts the keyboard's focus on its title. */
export function goTo(name: StageName): void {
  setStage(name);
  scrollsUntil = performance.now() + 700;
  requestAnimationFrame(() => {
    const title = document.getElementById(`${stageId(name)}-title`);
    title?.focus({ preventScroll: true });
    document.getElementById(stageId(name))?.scrollIntoView({ block: 'start', behavior: 'smooth' });
  });
}

export function next(): void {
  const after = stages.peek()[stages.peek().indexOf(stage.peek()) + 1];
  if (after !== undefined) goTo(after);
}

export function previous(): void {
  const before = stages.peek()[stages.peek().indexOf(stage.peek()) - 1];
  if (before !== undefined) goTo(before);
}

/** ← and →, where nothing that has the focus uses them itself. */
export function onStageKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft') return;
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest('input, select, textarea, [role="tablist"], [role="slider"], .token-row, dialog')) return;
  event.preventDefault();
  if (event.key === 'ArrowRight') next();
  else previous();
}

/** Makes the stage that a person has scrolled to the current one. Gives what ends that. */
export function followScrolling(): () => void {
  // a line where a stage that was chosen has begun: below the top, on phones below the list of stages
  const line = matchMedia('(max-width: 760px)').matches ? 22 : 6;
  const observer = new IntersectionObserver(
    (entries) => {
      // at the top it is the first stage, which stands above the line
      if (performance.now() < scrollsUntil || scrollY < 8) return;
      const seen = entries.filter((entry) => entry.isIntersecting).at(-1)?.target as HTMLElement | undefined;
      const name = stages.peek().find((one) => one === seen?.dataset['stage']);
      if (name !== undefined) setStage(name);
    },
    { rootMargin: `-${line}% 0px -${100 - line}% 0px` },
  );
  for (const element of document.querySelectorAll('.stage')) observer.observe(element);
  return () => observer.disconnect();
}
