/** Small signs of buttons, 16 px; what they say is on the button. */
const sign = (path: string) => () => (
  <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
    <path
      d={path}
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  </svg>
);

export const CloseSign = sign('M4 4l8 8M12 4l-8 8');
export const UndoSign = sign('M5.5 3L2.5 6l3 3M2.5 6H10a3.5 3.5 0 010 7H6');
export const RedoSign = sign('M10.5 3l3 3-3 3M13.5 6H6a3.5 3.5 0 000 7h4');
export const LinkSign = sign(
  'M6.5 9.5l3-3M7 4.5l1.2-1.2a3 3 0 014.3 4.3L11.3 8.8M9 11.5l-1.2 1.2a3 3 0 01-4.3-4.3l1.2-1.2',
);
export const HelpSign = sign('M5.5 6a2.5 2.5 0 114 2c-.9.7-1.5 1.1-1.5 2.2M8 13v.1');
