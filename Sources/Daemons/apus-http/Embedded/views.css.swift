// SPDX-License-Identifier: Apache-2.0
// The page's views.css, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of views.css.
    static let viewsCSS = ###"""
/* SPDX-License-Identifier: Apache-2.0 */
/* The views: grid, live, status, events, logs, settings, login. */
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
.tile { display: block; color: inherit; text-decoration: none; border-radius: .75rem; overflow: hidden; background: var(--card);
  border: 1px solid var(--line); }
.tile:hover { border-color: var(--edge); }
.picture { display: block; position: relative; background: #06090b; aspect-ratio: 16 / 9; }
.picture img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; display: block; color: transparent; }
.caption { display: flex; align-items: baseline; gap: .5rem; padding: .6rem .85rem; }
.caption strong { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.note { margin-left: auto; color: var(--dim); font-size: .8rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.veil { position: absolute; inset: 0; display: grid; place-content: center; text-align: center; padding: 1rem;
  background: #06090be0; color: #c3d0d9; font-size: .9rem; }

.live-layout { display: grid; grid-template-columns: minmax(0, 1fr) 25rem; gap: 1.25rem; align-items: start; }
.name { display: flex; align-items: center; gap: .6rem; margin-bottom: .6rem; min-height: 2rem; }
.back { text-decoration: none; font-size: .9rem; margin-right: .5rem; padding: .25rem 0; }
.player { border: 1px solid var(--line); border-radius: .75rem; overflow: hidden; background: var(--card); }
.stage { position: relative; background: #06090b; aspect-ratio: var(--ratio, 16 / 9); max-height: calc(100dvh - 15.5rem); width: 100%; }
.stage video, .stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; display: block; }
.toolbar { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem; padding: .35rem .5rem; }
.toolbar select { min-height: 2.1rem; padding: .15rem .5rem; font-size: .875rem; border-color: var(--line); max-width: 12rem; }
.sound { display: flex; align-items: center; }
.volume { width: 5.5rem !important; }
.segments { display: flex; border: 1px solid var(--line); border-radius: .5rem; padding: .1rem; margin: 0 .35rem; }
.segments button { border: 0; min-height: 1.85rem; padding: 0 .8rem; font-size: .875rem; background: transparent; color: var(--dim); border-radius: .4rem; }
.segments button[aria-pressed="true"] { background: var(--raised); color: var(--text); font-weight: 600; }
.player:fullscreen { border: 0; border-radius: 0; display: grid; grid-template-rows: minmax(0, 1fr) auto; background: #000; }
.player:fullscreen .stage { max-height: none; aspect-ratio: auto; height: 100%; }
.terms { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .75rem .25rem; color: var(--dim); font-size: .85rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(6.5rem, auto)); gap: .25rem 1.25rem; padding: .85rem .25rem 0; }
.figures dt { color: var(--dim); font-size: .78rem; }
.figures dd { font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }

.panel { padding: .35rem 1rem 1rem; }
.tabs { display: flex; gap: .95rem; border-bottom: 1px solid var(--line); margin: 0 -1rem 1rem; padding: 0 1rem; overflow-x: auto; scrollbar-width: none; }
.tabs button { border: 0; border-radius: 0; background: none; padding: .55rem 0; min-height: 2.75rem; color: var(--dim);
  font-size: .875rem; font-weight: 500; border-bottom: 2px solid transparent; white-space: nowrap; }
.tabs button:hover { background: none; color: var(--text); }
.tabs button[aria-selected="true"] { color: var(--text); border-color: var(--accent); }
.tabs button:focus-visible { outline-offset: -3px; }
.page h2 + * { margin-top: .5rem; }
.page * + h2 { margin-top: 1.25rem; }
.page table { font-size: .85rem; }
.controls { display: grid; gap: .35rem; }
.control { display: grid; grid-template-columns: minmax(0, 1fr) auto 2rem; align-items: center; column-gap: .5rem; min-height: 2.25rem; }
.control > label, .control > .label { font-size: .9rem; }
.control output { font-variant-numeric: tabular-nums; font-size: .85rem; color: var(--dim); }
.control > .icon { grid-column: 3; grid-row: 1; width: 2rem; height: 2rem; }
.control > input[type=range] { grid-column: 1 / -1; grid-row: 2; }
.control.integer, .control.number { padding-bottom: .5rem; }
.control > select { grid-column: 2; grid-row: 1; max-width: 11rem; min-height: 2rem; padding: .1rem .4rem; font-size: .9rem; }
.control > .switch { grid-column: 2; grid-row: 1; }
.control > .note { display: none; }
.control > input[type=text], .control > input[type=number] { grid-column: 2; grid-row: 1; width: 11rem; min-height: 2rem; padding: .1rem .4rem; font-size: .9rem; }
.control > .bits { grid-column: 1 / -1; grid-row: 2; display: flex; flex-wrap: wrap; gap: .2rem .75rem; }
.control > .bits label { display: flex; align-items: center; gap: .3rem; min-height: 1.75rem; font-size: .85rem; }
.control output:empty { display: none; }
.control.press { grid-template-columns: auto; justify-content: start; }
.inactive { opacity: .6; }
.controls > .small { justify-self: start; margin-top: .5rem; }
.transports { display: grid; gap: .1rem; }
.transports li { display: grid; grid-template-columns: auto 1fr auto; align-items: baseline; gap: 0 .6rem; padding: .35rem 0; border-bottom: 1px solid var(--line); }
.transports .state { color: var(--dim); font-size: .85rem; }
.transports p { grid-column: 2 / 4; color: var(--dim); font-size: .85rem; }
.transports .playing .dot { background: var(--good); } .transports .failed .dot { background: var(--bad); }
.transports .trying .dot { background: var(--warn); } .transports .impossible strong, .transports .untried strong { font-weight: 400; }
.transports + .hint { margin-top: .6rem; }
.addresses, .shares { display: grid; gap: .4rem; }
.addresses li, .address { display: grid; grid-template-columns: minmax(0, 1fr) auto; align-items: center; column-gap: .5rem;
  background: var(--back); border-radius: .5rem; padding: .35rem .25rem .35rem .75rem; }
.addresses .icon { grid-area: 1 / 2 / 3; }
.addresses code, .address code { user-select: all; }
.label { color: var(--dim); font-size: .78rem; line-height: 1.3; }
.shares li { display: flex; align-items: center; gap: .5rem; padding: .5rem 0; border-bottom: 1px solid var(--line); }
.shares li > div { flex: 1; min-width: 0; }
.share { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; align-items: end; }
.share label, .login-form label { display: grid; gap: .2rem; font-size: .85rem; color: var(--dim); }
.share label > *, .login-form label > * { color: var(--text); font-size: 1rem; width: 100%; }

.tiles-small { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; overflow: hidden; margin-bottom: 1rem; }
.tiles-small > div { padding: .75rem 1rem; box-shadow: 0 0 0 .5px var(--line); }
.tiles-small dt { color: var(--dim); font-size: .8rem; }
.tiles-small dd { font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles-small .note { margin: 0; font-size: .8rem; font-weight: 400; display: block; overflow: hidden; text-overflow: ellipsis; }
progress { appearance: none; display: block; width: 100%; height: .3rem; border: 0; border-radius: 1rem; overflow: hidden; background: var(--raised); margin: .3rem 0; }
progress::-webkit-progress-bar { background: var(--raised); }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
progress.warn::-webkit-progress-value { background: var(--warn); } progress.bad::-webkit-progress-value { background: var(--bad); }
progress.warn::-moz-progress-bar { background: var(--warn); } progress.bad::-moz-progress-bar { background: var(--bad); }
section.card + section.card { margin-top: 1rem; }
section.card > h2 { font-size: 1rem; color: var(--text); margin-bottom: .35rem; }

.events li { display: grid; grid-template-columns: auto auto minmax(0, 1fr); gap: .25rem 1rem; padding: .55rem 0; border-bottom: 1px solid var(--line); align-items: baseline; }
.events time { color: var(--dim); font-variant-numeric: tabular-nums; font-size: .85rem; }
.events span { color: var(--dim); overflow-wrap: anywhere; }
.events .bad strong { color: var(--bad); } .events .good strong { color: var(--good); }
.log { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: .75rem 1rem; margin-top: .5rem;
  height: calc(100dvh - 12rem); overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12.5px; }
.log .debug { color: var(--dim); } .log .warn { color: var(--warn); } .log .error { color: var(--bad); }

.check { display: flex; align-items: center; gap: .5rem; font-size: .9rem; }
.config > div { padding-bottom: 4rem; }
.config .bar + .hint { margin-bottom: .75rem; }
.settings { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 1.1rem 2rem; }
.setting { display: grid; gap: .2rem; align-content: start; }
.setting label { font-weight: 600; font-size: .9rem; }
.setting p { font-size: .85rem; color: var(--dim); }
.setting .value { display: flex; gap: .25rem; }
.setting input, .setting select { flex: 1; min-width: 0; }
.setting.changed label::after { content: " · changed"; color: var(--accent); font-weight: 500; }
.changes { position: fixed; z-index: 3; inset: auto 0 calc(1rem + var(--nav, 0px)); margin: 0 auto; width: min(36rem, calc(100vw - 2rem)); display: flex; align-items: center;
  gap: .5rem; padding: .6rem .75rem .6rem 1.1rem; background: var(--raised); border: 1px solid var(--line); border-radius: .85rem; box-shadow: var(--shade); }

.login-form { display: grid; gap: 1rem; width: min(22rem, 100%); margin: 12dvh auto 0; padding: 2rem; }
.login-form .bird { width: 2.75rem; height: 2.75rem; color: var(--accent); }
.notice { background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: 1.25rem; }

@media (max-width: 1080px) {
  .live-layout { grid-template-columns: minmax(0, 1fr); }
  .stage { max-height: 70dvh; }
}
@media (max-width: 860px) {
  .tiles { gap: .75rem; }
  .live .player { margin: 0 calc(-1 * max(.75rem, env(safe-area-inset-right))) 0 calc(-1 * max(.75rem, env(safe-area-inset-left))); border-radius: 0; border-width: 1px 0; }
  .tabs { gap: .55rem; }
  .tabs button { font-size: .82rem; }
  .figures { grid-template-columns: repeat(3, auto); gap: .5rem 1rem; }
  .toolbar { gap: .15rem; padding: .35rem .25rem; }
  .toolbar select { order: 1; flex: 1 0 100%; max-width: none; }
  .toolbar .icon { width: 2.3rem; }
  .segments { margin: 0 .15rem; }
  .segments button { padding: 0 .6rem; }
  .events li { grid-template-columns: auto 1fr; }
  .events span { grid-column: 1 / 3; }
  .log { padding: .6rem; font-size: 11.5px; height: calc(100dvh - 16rem); }
  .bar input[type=search], .bar select { flex: 1; min-width: 8rem; }
  .bar h1 { width: 100%; }
  .status .scroll { overflow: visible; }
  .status thead { display: none; }
  .status tr { display: grid; grid-template-columns: 1fr 1fr; gap: .15rem 1rem; padding: .75rem 0; border-bottom: 1px solid var(--line); }
  .status th, .status td, .status td:last-child { border: 0; padding: 0; text-align: left; white-space: normal; overflow-wrap: anywhere; }
  .status td[data-label]:not([data-label=""])::before { content: attr(data-label) " "; color: var(--dim); font-size: .8rem; }
  .status td[data-label=""]:empty { display: none; }
}
@media (max-height: 500px) and (orientation: landscape) { .stage { max-height: calc(100dvh - 3.5rem); } }
"""###
}
