// SPDX-License-Identifier: Apache-2.0
// Asks who is there.

import { api } from './api.js';
import { $, h, icon, write } from './dom.js';

export class LoginView {
  name = 'login';
  title = 'Log in';

  constructor(app, done) {
    this.done = done;
    this.problem = h('p.problem', { role: 'alert' });
    this.element = h('form.card.login-form', { onsubmit: (event) => this.#submit(event) },
      icon('bird'),
      h('h1', {}, 'Log in'),
      h('label', {}, 'User', h('input', { name: 'user', autocomplete: 'username', autocapitalize: 'none', required: true, spellcheck: 'false' })),
      h('label', {}, 'Password', h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true })),
      this.problem,
      h('button.primary', { type: 'submit' }, 'Log in'));
    $('svg', this.element).classList.add('bird');
  }

  start() { $('input', this.element).focus(); }

  stop() {}

  async #submit(event) {
    event.preventDefault();
    const button = $('button', this.element);
    const { user, password } = this.element.elements;
    button.disabled = true;
    write(this.problem, '');
    try {
      await api.login(user.value, password.value);
      await this.done();
    } catch (error) {
      write(this.problem, error.status === 401 ? 'The user or the password is not right.' : error.message);
      password.select();
    }
    button.disabled = false;
  }
}
