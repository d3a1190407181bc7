// SPDX-License-Identifier: Apache-2.0
//
// login: the form. What the browser keeps is the registry's cookie; the page keeps nothing.
import { html, useState, useRef } from './preact.js';
import { send } from './api.js';
import { setMe, go, tell } from './state.js';
import { registryName } from './format.js';
import { Icon } from './parts.js';

const back = (query) => (/^#\//.test(query.to ?? '') && !/^#\/login/.test(query.to) ? query.to : '#/');

const tooMany = ({ message, after }) => `The registry says: ${message}.${after ? ` Try again in ${after} s.` : ''}`;

export function Login({ query, who }) {
	const [said, setSaid] = useState('');
	const [busy, setBusy] = useState(false);
	const password = useRef(null);
	if (!who.form || !who.anonymous)
		return html`<div class="empty"><h1 tabindex="-1">${who.anonymous ? 'No login here' : 'You are logged in'}</h1>
			<p>${who.anonymous ? 'This registry asks nobody for a name.' : `As ${who.user}.`}</p><p><a class="button" href=${back(query)}>Go on</a></p></div>`;
	const submit = async (event) => {
		event.preventDefault();
		const form = new FormData(event.target);
		setBusy(true);
		setSaid('');
		try {
			const now = await send('POST', 'session', { user: form.get('user'), password: form.get('password') });
			setMe(now);
			tell(`Hello, ${now.user}.`);
			go(back(query));
		} catch (error) {
			setSaid(error.status === 401 ? 'This name and password do not belong together.' : error.status === 429 ? tooMany(error) : error.message);
			setBusy(false);
			password.current.value = '';
			password.current.focus();
		}
	};
	return html`<form class="login" method="post" onSubmit=${submit}>
		<h1 tabindex="-1"><${Icon} name="lock" />Log in</h1><p class="quiet">to ${registryName()}</p>
		<label>Name<input name="user" type="text" autocomplete="username" autocapitalize="off" spellcheck=${false} required data-focus="" maxlength="255" /></label>
		<label>Password<input ref=${password} name="password" type="password" autocomplete="current-password" required maxlength="1024" aria-describedby="login-said" /></label>
		<p id="login-said" class="bad" role="alert">${said}</p>
		<button class="button primary" disabled=${busy}>${busy ? 'Logging in…' : 'Log in'}</button>
		<p class="hint">The name and password of <code>docker login</code>.</p>
	</form>`;
}
