/** The parts of the page. */
export interface PageParts {
  readonly script: string
  readonly style: string
}

const icon =
  'data:image/svg+xml,' +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1f62d0"/>' +
      '<path d="M8 11h16M8 16h11M8 21h14" stroke="#fff" stroke-width="3" stroke-linecap="round"/></svg>',
  )

/** The page as one text. Neither script nor style may contain what ends their elements. */
export const pageHtml = ({ script, style }: PageParts): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>awq</title>
<link rel="icon" href="${icon}">
<style>${style}</style>
</head>
<body>
<div id="app"></div>
<noscript>This page is a program: it needs JavaScript. The API below /v1 does not.</noscript>
<script type="module">${script}</script>
</body>
</html>
`
