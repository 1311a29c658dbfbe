// SPDX-License-Identifier: Apache-2.0
// The page's index.html, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of index.html.
    static let indexHTML = ###"""
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="dark light">
<title>Apus</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/web/style.css">
<link rel="stylesheet" href="/web/views.css">
<script src="/web/theme.js"></script>
<script src="/web/app.js" type="module"></script>
</head>
<body>
<svg class="symbols" aria-hidden="true">
  <symbol id="bird" viewBox="0 0 32 32"><path d="M3 10c6-1 10 1 13 5.5 3-4.5 7-6.5 13-5.5-5 1-9 5-11 10.5L16 26l-2-5.5C12 15 8 11 3 10z" fill="currentColor"/></symbol>
  <symbol id="cameras" viewBox="0 0 24 24"><rect x="3.5" y="4.5" width="7" height="6.5" rx="1.2"/><rect x="13.5" y="4.5" width="7" height="6.5" rx="1.2"/><rect x="3.5" y="14" width="7" height="6.5" rx="1.2"/><rect x="13.5" y="14" width="7" height="6.5" rx="1.2"/></symbol>
  <symbol id="status" viewBox="0 0 24 24"><path d="M3 12h4l2.5-7 5 14 2.5-7h4"/></symbol>
  <symbol id="events" viewBox="0 0 24 24"><path d="M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5h4"/></symbol>
  <symbol id="logs" viewBox="0 0 24 24"><path d="M5 6h14M5 10h10M5 14h14M5 18h8"/></symbol>
  <symbol id="config" viewBox="0 0 24 24"><path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/></symbol>
  <symbol id="snapshot" viewBox="0 0 24 24"><path d="M4 8h3l1.6-2.5h6.8L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1z"/><circle cx="12" cy="13.2" r="3.4"/></symbol>
  <symbol id="clip" viewBox="0 0 24 24"><path d="M12 4v10M8 10.5l4 4 4-4M4.5 19.5h15"/></symbol>
  <symbol id="pause" viewBox="0 0 24 24"><path d="M9 5.5v13M15 5.5v13"/></symbol>
  <symbol id="play" viewBox="0 0 24 24"><path d="M8 5.5v13l10.5-6.5z"/></symbol>
  <symbol id="sound" viewBox="0 0 24 24"><path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11"/></symbol>
  <symbol id="mute" viewBox="0 0 24 24"><path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5"/></symbol>
  <symbol id="full" viewBox="0 0 24 24"><path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/></symbol>
  <symbol id="share" viewBox="0 0 24 24"><circle cx="6.5" cy="12" r="2.5"/><circle cx="17" cy="6" r="2.5"/><circle cx="17" cy="18" r="2.5"/><path d="M8.7 10.8l6-3.5M8.7 13.2l6 3.5"/></symbol>
  <symbol id="copy" viewBox="0 0 24 24"><rect x="9" y="9" width="11" height="11" rx="2"/><path d="M15 9V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h3"/></symbol>
  <symbol id="done" viewBox="0 0 24 24"><path d="M5 12.5l4.5 4.5L19 7.5"/></symbol>
  <symbol id="close" viewBox="0 0 24 24"><path d="M6 6l12 12M18 6L6 18"/></symbol>
  <symbol id="reset" viewBox="0 0 24 24"><path d="M5 5v5h5M5.6 15a7 7 0 1 0 .9-8L5 10"/></symbol>
  <symbol id="help" viewBox="0 0 24 24"><rect x="3" y="6.5" width="18" height="11.5" rx="2"/><path d="M7 10h.01M10.5 10h.01M14 10h.01M17.5 10h.01M8 14.5h8"/></symbol>
  <symbol id="theme" viewBox="0 0 24 24"><circle cx="12" cy="12" r="8.5"/><path d="M12 3.5v17a8.5 8.5 0 0 0 0-17z" fill="currentColor"/></symbol>
  <symbol id="leave" viewBox="0 0 24 24"><path d="M14 4.5H6.5a1 1 0 0 0-1 1v13a1 1 0 0 0 1 1H14M10.5 12H20M17 8.5l3.5 3.5-3.5 3.5"/></symbol>
</svg>
<a class="skip" href="#main">To the content</a>
<header id="top">
  <a class="home" href="#/"><svg class="bird" aria-hidden="true"><use href="#bird"/></svg><span>Apus</span></a>
  <nav id="nav" aria-label="Main"></nav>
  <p id="summary" role="status"></p>
  <div id="who"></div>
</header>
<main id="main" tabindex="-1"></main>
<div id="toasts" role="log" aria-live="polite" aria-label="What happens"></div>
<noscript><p class="notice">This page needs JavaScript. The first camera is also at <a href="/mjpeg">/mjpeg</a> and <a href="/snapshot">/snapshot</a>.</p></noscript>
</body>
</html>
"""###
}
