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
<link rel="stylesheet" href="/style.css">
<script src="/app.js" type="module"></script>
</head>
<body>
<svg class="symbols" aria-hidden="true">
  <symbol id="bird" viewBox="0 0 32 32"><path d="M3 10c6-1 10 1 13 5.5 3-4.5 7-6.5 13-5.5-5 1-9 5-11 10.5L16 26l-2-5.5C12 15 8 11 3 10z" fill="currentColor"/></symbol>
  <symbol id="snapshot" viewBox="0 0 24 24"><path d="M4 8h3l1.6-2.5h6.8L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1z"/><circle cx="12" cy="13.2" r="3.4"/></symbol>
  <symbol id="pause" viewBox="0 0 24 24"><path d="M9 5.5v13M15 5.5v13"/></symbol>
  <symbol id="play" viewBox="0 0 24 24"><path d="M8 5.5v13l10.5-6.5z"/></symbol>
  <symbol id="full" viewBox="0 0 24 24"><path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/></symbol>
  <symbol id="copy" viewBox="0 0 24 24"><rect x="9" y="9" width="11" height="11" rx="2"/><path d="M15 9V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h3"/></symbol>
  <symbol id="done" viewBox="0 0 24 24"><path d="M5 12.5l4.5 4.5L19 7.5"/></symbol>
  <symbol id="theme" viewBox="0 0 24 24"><circle cx="12" cy="12" r="8.5"/><path d="M12 3.5v17a8.5 8.5 0 0 0 0-17z" fill="currentColor"/></symbol>
</svg>

<header>
  <h1><svg class="bird" aria-hidden="true"><use href="#bird"/></svg>Apus</h1>
  <p id="summary" role="status">Connecting…</p>
  <button id="theme-button" class="icon" title="Dark, light or as the system has it" aria-label="Change the theme"><svg><use href="#theme"/></svg></button>
</header>

<main id="cameras"></main>

<noscript><p class="notice">This page needs JavaScript. The first camera is also at <a href="/mjpeg">/mjpeg</a> and <a href="/snapshot">/snapshot</a>.</p></noscript>

<footer><a href="/api/v1/cameras">API</a><a href="/healthz">Health</a><span id="uptime"></span></footer>

<template id="camera">
  <article class="camera">
    <figure class="view">
      <img alt="">
      <div class="veil" hidden><svg class="bird" aria-hidden="true"><use href="#bird"/></svg><p></p></div>
      <figcaption><span class="dot"></span><h2></h2><span class="badge"></span></figcaption>
      <div class="tools">
        <button class="icon toggle" aria-label="Pause" title="Pause"><svg><use href="#pause"/></svg></button>
        <a class="icon save" aria-label="Save a snapshot" title="Save a snapshot"><svg><use href="#snapshot"/></svg></a>
        <button class="icon full" aria-label="Full screen" title="Full screen"><svg><use href="#full"/></svg></button>
      </div>
    </figure>
    <section class="facts">
      <h3>Streams</h3>
      <table><thead><tr><th scope="col">Stream</th><th scope="col">Coding</th><th scope="col">Size</th><th scope="col">Rate</th></tr></thead><tbody></tbody></table>
      <details><summary><h3>Addresses</h3></summary><ul class="addresses"></ul></details>
    </section>
  </article>
</template>

<template id="address">
  <li><span class="label"></span><code></code><button class="icon" aria-label="Copy"><svg><use href="#copy"/></svg></button></li>
</template>
</body>
</html>
"""###
}
