import { contentSecurityPolicy } from '../../web/contentSecurityPolicy.ts';

/** Of every response. The cross-origin ones give the page shared memory, which threads need, and keep others from reading it. */
export const securityHeaders: Readonly<Record<string, string>> = {
  // markup cannot say who may frame the page
  'Content-Security-Policy': `${contentSecurityPolicy}; frame-ancestors 'none'`,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};
