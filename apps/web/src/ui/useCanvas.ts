import type { Ref } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

/**
 * A canvas as large as its box, sharp on any screen. `draw` gets CSS pixels; it is called in the next frame after a render of the
 * component, a change of the box, or a call of `redraw`, once for all of them.
 */
export function useCanvas(draw: (context: CanvasRenderingContext2D, width: number, height: number) => void): {
  readonly canvas: Ref<HTMLCanvasElement>;
  readonly redraw: () => void;
} {
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(draw);
  latest.current = draw;
  const frame = useRef(0);
  const redraw = useRef(() => {
    frame.current ||= requestAnimationFrame(() => {
      frame.current = 0;
      const element = canvas.current;
      const context = element?.getContext('2d');
      if (!element || !context) return;
      const [width, height, sharp] = [element.clientWidth, element.clientHeight, devicePixelRatio];
      const [w, h] = [Math.round(width * sharp), Math.round(height * sharp)];
      if (element.width !== w) element.width = w;
      if (element.height !== h) element.height = h;
      context.setTransform(sharp, 0, 0, sharp, 0, 0);
      context.clearRect(0, 0, width, height);
      latest.current(context, width, height);
    });
  }).current;
  useLayoutEffect(redraw);
  useEffect(() => {
    const observer = new ResizeObserver(redraw);
    observer.observe(canvas.current!);
    return () => {
      observer.disconnect();
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, []);
  return { canvas, redraw };
}
