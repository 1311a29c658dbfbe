// SPDX-License-Identifier: Apache-2.0
// The page's style.css, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of style.css.
    static let styleCSS = ###"""
:root {
  color-scheme: dark;
  --back: #0d1216; --card: #161d23; --line: #26313a; --text: #e6edf2; --dim: #93a4b1;
  --accent: #3fb6dc; --good: #3ecf8e; --bad: #f2777a; --shade: 0 1px 2px #0006, 0 12px 32px #0005;
}
:root[data-theme="light"] {
  color-scheme: light;
  --back: #f2f5f7; --card: #fff; --line: #dbe3e8; --text: #16202a; --dim: #566773;
  --accent: #0b6e8f; --good: #15803d; --bad: #c0292d; --shade: 0 1px 2px #1b2a3514, 0 10px 28px #1b2a351a;
}
@media (prefers-color-scheme: light) {
  :root:not([data-theme="dark"]) {
    color-scheme: light;
    --back: #f2f5f7; --card: #fff; --line: #dbe3e8; --text: #16202a; --dim: #566773;
    --accent: #0b6e8f; --good: #15803d; --bad: #c0292d; --shade: 0 1px 2px #1b2a3514, 0 10px 28px #1b2a351a;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0; min-height: 100vh; display: flex; flex-direction: column;
  padding: 0 max(1rem, env(safe-area-inset-right)) 0 max(1rem, env(safe-area-inset-left));
  background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
.symbols { position: absolute; width: 0; height: 0; }
svg { width: 1.25rem; height: 1.25rem; fill: none; stroke: currentColor; stroke-width: 1.8;
  stroke-linecap: round; stroke-linejoin: round; display: block; }
.bird { stroke: none; fill: currentColor; }
h1, h2, h3, p, figure { margin: 0; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

header { display: flex; align-items: center; gap: 1rem; padding: .9rem 0; width: 100%; max-width: 1500px; margin: 0 auto; }
h1 { font-size: 1.2rem; letter-spacing: .01em; display: flex; align-items: center; gap: .5rem; }
h1 .bird { width: 1.9rem; height: 1.9rem; color: var(--accent); }
#summary { color: var(--dim); margin-left: auto; text-align: right; }
.icon { border: 0; border-radius: .6rem; padding: .5rem; background: none; color: inherit; cursor: pointer;
  display: inline-grid; place-items: center; min-width: 2.25rem; min-height: 2.25rem; }
.icon:hover { background: color-mix(in srgb, currentColor 14%, transparent); }

main { flex: 1; width: 100%; max-width: 1500px; margin: 0 auto; display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); align-content: start; }
.camera { background: var(--card); border: 1px solid var(--line); border-radius: 1rem; overflow: hidden;
  box-shadow: var(--shade); min-width: 0; display: flex; flex-direction: column; }
.view { position: relative; background: #05080a; color: #fff; aspect-ratio: 16 / 9; overflow: hidden; }
.view img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; display: block;
  color: transparent; }
.veil { position: absolute; inset: 0; display: grid; place-content: center; justify-items: center; gap: .5rem;
  background: #05080ad9; color: #b9c7d1; text-align: center; padding: 1rem; }
.veil .bird { width: 3.5rem; height: 3.5rem; opacity: .5; }
figcaption { position: absolute; inset: 0 0 auto 0; display: flex; align-items: center; gap: .5rem;
  padding: .75rem 1rem 1.5rem; background: linear-gradient(#000a, transparent); text-shadow: 0 1px 2px #000a; }
h2 { font-size: 1rem; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.dot { flex: none; width: .6rem; height: .6rem; border-radius: 50%; background: #8899a5; }
.online .dot { background: #3ecf8e; box-shadow: 0 0 0 3px #3ecf8e40; }
.offline .dot { background: #f2777a; box-shadow: 0 0 0 3px #f2777a40; }
.badge { margin-left: auto; font-size: .8rem; font-variant-numeric: tabular-nums; opacity: .92; white-space: nowrap; }
.tools { position: absolute; right: .5rem; bottom: .5rem; display: flex; gap: .15rem; padding: .15rem;
  border-radius: .8rem; background: #0a0f13b3; backdrop-filter: blur(6px); }
.view:fullscreen { aspect-ratio: auto; width: 100%; height: 100%; }

.facts { padding: 1rem; display: grid; gap: .6rem; align-content: start; min-width: 0; }
h3 { font-size: .75rem; text-transform: uppercase; letter-spacing: .08em; color: var(--dim); font-weight: 600; }
details { margin-top: .6rem; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; }
thead th { font-weight: 400; color: var(--dim); font-size: .85rem; }
th, td { padding: .35rem .5rem .35rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:last-child, td:last-child { text-align: right; padding-right: 0; }
.idle { color: var(--dim); }
.addresses { list-style: none; margin: 0; padding: 0; display: grid; gap: .35rem; }
.addresses li { display: grid; grid-template-columns: minmax(0, 1fr) auto; align-items: center; column-gap: .5rem;
  background: var(--back); border: 1px solid var(--line); border-radius: .6rem; padding: .3rem .15rem .3rem .75rem; }
.addresses .icon { grid-area: 1 / 2 / 3; }
.label { color: var(--dim); font-size: .75rem; line-height: 1.2; }
code { font: 13px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "Noto Sans Mono", monospace;
  overflow-wrap: anywhere; user-select: all; }
summary { cursor: pointer; list-style-position: outside; margin-left: 1rem; }
summary h3 { display: inline; }
details[open] summary { margin-bottom: .6rem; }
.addresses .icon { color: var(--dim); }
.addresses .copied { color: var(--good); }

.notice { background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: 1.25rem; }
footer { display: flex; gap: 1.25rem; width: 100%; max-width: 1500px; margin: 0 auto; padding: 1.25rem 0;
  color: var(--dim); font-size: .85rem; }
footer span { margin-left: auto; }

@media (min-width: 1000px) {
  main.single { grid-template-columns: minmax(0, 1fr); }
  main.single .camera { display: grid; grid-template-columns: minmax(0, 1fr) 27rem; }
  main.single .facts { padding: 1.25rem; }
  main.single .view { width: 100%; min-height: 100%; }
}
@media (max-width: 600px) {
  body { padding-left: max(.75rem, env(safe-area-inset-left)); padding-right: max(.75rem, env(safe-area-inset-right)); }
  main { gap: .75rem; }
}
@media (hover: hover) {
  .tools { opacity: 0; transition: opacity .15s; }
  .view:hover .tools, .view:focus-within .tools, .paused .tools { opacity: 1; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
"""###
}
