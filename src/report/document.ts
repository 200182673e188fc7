// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { type Html, html, trusted } from "./markup.ts";

/** What a page brings with it; nothing else may apply. */
export interface OwnParts {
  readonly style: Html;
  readonly script?: Html;
}

/**
 * One HTML document that needs nothing else: its content security policy lets nothing load, and only its own style sheet and script, by their
 * digests, apply. The same parts give the same bytes.
 *
 * @param title in front of the product's name
 * @param body what stands in the body; a script comes last
 * @returns the document, to be written as UTF-8
 */
export function documentOf(title: string, { style, script }: OwnParts, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(policy({ style, script }))}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${title}: Foedus</title>
<style>${style}</style>
</head>
<body>
${body}
${script && html`<script>${script}</script>`}
</body>
</html>
`.markup;
}

function policy({ style, script }: { readonly style: Html; readonly script: Html | undefined }): string {
  const digest = ({ markup }: Html) => `'sha256-${createHash("sha256").update(markup).digest("base64")}'`;
  const scripts = script === undefined ? "" : ` script-src ${digest(script)};`;
  return `default-src 'none'; style-src ${digest(style)};${scripts} base-uri 'none'; form-action 'none'`;
}
