/**
 * Nothing but the page's own files runs, and nothing is asked of another machine but models of the hub. WebAssembly compiles;
 * no text becomes code. The built page has it in its markup; a worker has only what comes with its file, so a server that
 * can should send it with each.
 */
export const contentSecurityPolicy: string = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self' https://huggingface.co https://*.huggingface.co https://*.hf.co",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');
