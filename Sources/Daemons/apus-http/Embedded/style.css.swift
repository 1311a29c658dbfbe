// SPDX-License-Identifier: Apache-2.0
// The page's style.css, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of style.css.
    static let styleCSS = ###"""
/* SPDX-License-Identifier: Apache-2.0 */
/* What all views share: colours, text, buttons, fields, tables, dialogs. */
:root {
  color-scheme: dark;
  --back: #0e1317; --card: #161d22; --raised: #1e272e; --line: #2a353d; --edge: #64757f;
  --text: #e4ebf0; --dim: #9fafba; --accent: #4fbfe3; --on-accent: #06222c;
  --good: #4ad295; --warn: #e9b44c; --bad: #f58589; --shade: 0 8px 32px #0007;
}
:root[data-theme="light"] {
  color-scheme: light;
  --back: #f3f5f7; --card: #fff; --raised: #eef2f4; --line: #dce3e8; --edge: #7b8a95;
  --text: #17212a; --dim: #52626e; --accent: #0a6b8b; --on-accent: #fff;
  --good: #147a3a; --warn: #8a5a00; --bad: #b9252b; --shade: 0 8px 28px #1b2a3526;
}
@media (prefers-color-scheme: light) {
  :root:not([data-theme="dark"]) {
    color-scheme: light;
    --back: #f3f5f7; --card: #fff; --raised: #eef2f4; --line: #dce3e8; --edge: #7b8a95;
    --text: #17212a; --dim: #52626e; --accent: #0a6b8b; --on-accent: #fff;
    --good: #147a3a; --warn: #8a5a00; --bad: #b9252b; --shade: 0 8px 28px #1b2a3526;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0 auto; min-height: 100dvh; max-width: 1680px; background: var(--back); color: var(--text);
  padding: 0 max(1.25rem, env(safe-area-inset-right)) 2rem max(1.25rem, env(safe-area-inset-left));
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}
.symbols { position: absolute; width: 0; height: 0; }
svg { width: 1.25rem; height: 1.25rem; flex: none; fill: none; stroke: currentColor; stroke-width: 1.7;
  stroke-linecap: round; stroke-linejoin: round; display: block; }
.bird { stroke: none; fill: currentColor; }
h1, h2, h3, p, figure, dl, dd, ol, ul { margin: 0; padding: 0; }
ol, ul { list-style: none; }
h1 { font-size: 1.3rem; font-weight: 650; letter-spacing: -.01em; line-height: 1.3; }
h2 { font-size: .8rem; font-weight: 600; color: var(--dim); letter-spacing: .01em; }
a { color: var(--accent); }
strong { font-weight: 600; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
main:focus { outline: none; }
.skip { position: absolute; left: -100vw; top: .5rem; background: var(--card); padding: .5rem 1rem; z-index: 9; }
.skip:focus { left: 1rem; }
.unseen { position: fixed; left: -100vw; top: 0; }

#top { display: flex; align-items: center; gap: .5rem 1.25rem; min-height: 3.75rem; }
.home { display: flex; align-items: center; gap: .55rem; color: var(--text); text-decoration: none;
  font-weight: 650; font-size: 1.1rem; letter-spacing: -.01em; }
.home .bird { width: 1.75rem; height: 1.75rem; color: var(--accent); }
nav { display: flex; gap: .15rem; }
nav a { display: flex; align-items: center; gap: .5rem; padding: .4rem .75rem; border-radius: .5rem; color: var(--dim);
  text-decoration: none; font-weight: 500; }
nav a:hover { color: var(--text); background: var(--raised); }
nav a[aria-current] { color: var(--text); background: var(--raised); }
nav a[aria-current] svg { color: var(--accent); }
#summary { margin-left: auto; color: var(--dim); font-size: .85rem; min-width: 0; }
#summary.bad { color: var(--bad); }
#summary.warn { color: var(--warn); }
#who { display: flex; align-items: center; gap: .15rem; }
.user { padding: 0 .5rem; font-size: .9rem; max-width: 10rem; overflow: hidden; text-overflow: ellipsis; }

button, select, input { font: inherit; color: inherit; }
button, a.icon { cursor: pointer; }
button, select, input:not([type]), input[type=text], input[type=search], input[type=password], input[type=number] {
  background: var(--card); border: 1px solid var(--edge); border-radius: .5rem; padding: .4rem .75rem; min-height: 2.4rem; }
button:hover:not(:disabled), select:hover { background: var(--raised); }
button:disabled { opacity: .5; cursor: default; }
.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
.primary:hover:not(:disabled) { background: color-mix(in srgb, var(--accent) 88%, var(--text)); }
.small { min-height: 1.9rem; padding: .1rem .65rem; font-size: .85rem; background: transparent; }
.icon { display: grid; place-items: center; flex: none; width: 2.5rem; height: 2.5rem; min-height: 0; padding: 0; border: 0;
  border-radius: .5rem; background: transparent; color: var(--dim); }
.icon:hover { color: var(--text); background: var(--raised); }
input[type=range] { width: 100%; min-width: 0; margin: 0; height: 1.5rem; accent-color: var(--accent); background: none; }
input[type=checkbox] { accent-color: var(--accent); width: 1.1rem; height: 1.1rem; margin: 0; }
.switch { appearance: none; width: 2.5rem !important; height: 1.4rem !important; border-radius: 1rem; background: var(--raised);
  border: 1px solid var(--edge); position: relative; cursor: pointer; }
.switch::after { content: ""; position: absolute; inset: .15rem auto auto .15rem; width: 1rem; height: 1rem;
  border-radius: 50%; background: var(--edge); transition: translate .12s; }
.switch:checked { background: var(--accent); border-color: var(--accent); }
.switch:checked::after { translate: 1.1rem; background: var(--card); }
code, .log { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
kbd { font: inherit; font-size: .85rem; padding: .05rem .45rem; border: 1px solid var(--edge); border-radius: .3rem; background: var(--raised); }

.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem; min-width: 0; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem; margin: .75rem 0 1rem; }
.bar h1 { margin-right: auto; }
.hint, .empty { color: var(--dim); font-size: .875rem; }
.empty:empty, .problem:empty { display: none; }
.empty { padding: 1rem 0; }
.problem { color: var(--bad); font-size: .9rem; }
.warnings { color: var(--warn); margin: 0 0 1rem; padding-left: 1.2rem; }
.warn { color: var(--warn); }
.gap { flex: 1; }
.dot { flex: none; display: inline-block; width: .55rem; height: .55rem; border-radius: 50%; background: var(--edge); }
.dot.good { background: var(--good); }
.dot.bad { background: var(--bad); }
.pill { font-size: .8rem; font-weight: 500; }
.pill::before { content: ""; display: inline-block; width: .5rem; height: .5rem; border-radius: 50%; background: currentColor; margin-right: .45rem; }
.pill.good::before { color: var(--good); } .pill.warn::before { color: var(--warn); } .pill.bad::before { color: var(--bad); }

.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th { text-align: left; font-weight: 600; }
thead th { font-weight: 500; font-size: .8rem; color: var(--dim); }
th, td { padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
tr:last-child > * { border-bottom: 0; }
th:last-child, td:last-child { padding-right: 0; text-align: right; }

dialog { color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: 1.25rem;
  width: min(34rem, calc(100vw - 2rem)); max-height: calc(100dvh - 2rem); box-shadow: var(--shade); }
dialog::backdrop { background: #05080ab0; }
dialog header, dialog footer { display: flex; align-items: center; justify-content: space-between; gap: .5rem; }
dialog header { margin: -.35rem -.35rem .75rem 0; }
dialog h2 { font-size: 1.1rem; color: var(--text); }
dialog footer { justify-content: flex-end; margin-top: 1.25rem; }
dialog > * + * { margin-top: .75rem; }
.keys { display: grid; grid-template-columns: auto 1fr; gap: .5rem 1.25rem; }
.keys dt { display: flex; gap: .3rem; }
.plan { display: grid; gap: .3rem; padding: .75rem; background: var(--back); border-radius: .5rem; }

#toasts { position: fixed; z-index: 5; right: max(1rem, env(safe-area-inset-right)); bottom: calc(1rem + var(--nav, 0px));
  width: min(22rem, calc(100vw - 2rem)); display: grid; gap: .5rem; pointer-events: none; }
.toast { pointer-events: auto; display: flex; gap: .75rem; justify-content: space-between; align-items: start; background: var(--raised); border: 1px solid var(--line);
  border-radius: .75rem; padding: .6rem .35rem .6rem 1rem; box-shadow: var(--shade); animation: come .15s ease-out; }
.toast .icon { width: 2rem; height: 2rem; margin-top: -.15rem; }
.toast p { color: var(--dim); font-size: .875rem; overflow-wrap: anywhere; }
.toast.good strong::before, .toast.bad strong::before, .toast.warn strong::before { content: ""; display: inline-block; width: .5rem; height: .5rem;
  border-radius: 50%; margin-right: .5rem; background: var(--good); }
.toast.bad strong::before { background: var(--bad); }
.toast.warn { color: inherit; }
.toast.warn strong::before { background: var(--warn); }
@keyframes come { from { opacity: 0; translate: 0 .5rem; } }

@media (min-width: 861px) { html { scrollbar-gutter: stable; } }
@media (max-width: 860px) {
  :root { --nav: calc(3.6rem + env(safe-area-inset-bottom)); }
  body { padding: 0 max(.75rem, env(safe-area-inset-right)) calc(var(--nav) + 1rem) max(.75rem, env(safe-area-inset-left)); }
  #top { min-height: 3.25rem; gap: .75rem; }
  nav { position: fixed; z-index: 4; inset: auto 0 0; justify-content: space-around; background: var(--card);
    border-top: 1px solid var(--line); padding: .3rem .25rem calc(.3rem + env(safe-area-inset-bottom)); }
  nav:empty { display: none; }
  nav a { flex-direction: column; gap: .1rem; font-size: .7rem; padding: .3rem .6rem; flex: 1; }
  .wide-only { display: none; }
  #summary { font-size: .8rem; }
}
@media (prefers-reduced-motion: reduce) { *, *::before, *::after { transition: none !important; animation: none !important; } }
"""###
}
