import { parseSpans } from './parseText.ts';

/** Text with its marks; links to other pages of the web open beside this one, those within the documents are only named. */
export function Prose({ text }: { readonly text: string }) {
  return (
    <>
      {parseSpans(text).map((span, i) => {
        switch (span.kind) {
          case 'code':
            return <code key={i}>{span.text}</code>;
          case 'strong':
            return <strong key={i}>{span.text}</strong>;
          case 'em':
            return <em key={i}>{span.text}</em>;
          case 'link':
            return /^https:\/\//.test(span.href) ? (
              <a key={i} href={span.href} target="_blank" rel="noreferrer">
                {span.text}
              </a>
            ) : (
              <span key={i}>{span.text}</span>
            );
          default:
            return span.text;
        }
      })}
    </>
  );
}
