// SPDX-License-Identifier: Apache-2.0
// The page's share.html, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of share.html.
    static let shareHTML = ###"""
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="dark light">
<meta name="robots" content="noindex">
<title>Camera</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/web/style.css">
<link rel="stylesheet" href="/web/views.css">
<script src="/web/theme.js"></script>
<script src="/web/watch.js" type="module"></script>
</head>
<body>
<svg class="symbols" aria-hidden="true">
  <symbol id="bird" viewBox="0 0 32 32"><path d="M3 10c6-1 10 1 13 5.5 3-4.5 7-6.5 13-5.5-5 1-9 5-11 10.5L16 26l-2-5.5C12 15 8 11 3 10z" fill="currentColor"/></symbol>
  <symbol id="snapshot" viewBox="0 0 24 24"><path d="M4 8h3l1.6-2.5h6.8L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1z"/><circle cx="12" cy="13.2" r="3.4"/></symbol>
  <symbol id="pause" viewBox="0 0 24 24"><path d="M9 5.5v13M15 5.5v13"/></symbol>
  <symbol id="play" viewBox="0 0 24 24"><path d="M8 5.5v13l10.5-6.5z"/></symbol>
  <symbol id="sound" viewBox="0 0 24 24"><path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11"/></symbol>
  <symbol id="mute" viewBox="0 0 24 24"><path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5"/></symbol>
  <symbol id="full" viewBox="0 0 24 24"><path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/></symbol>
  <symbol id="close" viewBox="0 0 24 24"><path d="M6 6l12 12M18 6L6 18"/></symbol>
</svg>
<main id="main" class="live shared" tabindex="-1"><p class="empty">Connecting…</p></main>
<div id="toasts" role="log" aria-live="polite" aria-label="What happens"></div>
<noscript><p class="notice">This page needs JavaScript.</p></noscript>
</body>
</html>
"""###
}
