// SPDX-License-Identifier: Apache-2.0
// Dark, light, or as the system has it. No module: it runs before anything is drawn, so nothing flashes.

(() => {
  const themes = ['', 'dark', 'light'];
  const root = document.documentElement;
  const read = () => { try { return localStorage.getItem('theme') ?? ''; } catch { return ''; } };
  root.dataset.theme = themes.includes(read()) ? read() : '';
  /** Goes to the next theme; returns its name, '' for the system's. */
  globalThis.nextTheme = () => {
    const theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
    root.dataset.theme = theme;
    try { localStorage.setItem('theme', theme); } catch { /* storage may be off */ }
    return theme;
  };
})();
