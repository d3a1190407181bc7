// SPDX-License-Identifier: Apache-2.0
//
// parts: what the views are made of: times, sizes, names, buttons, notices, dialogs. Tables are in table.js.
// All text is text: nothing here sets markup, and a name from the registry stands in an element that isolates its direction.
import { html, useState, useEffect, useRef } from './preact.js';
import { size, count, when, exact, short } from './format.js';
import { go, to, me, setMe } from './state.js';
import { Refusal, get } from './api.js';

// --- words

const textOf = (children) => [children].flat(Infinity).filter((one) => one !== null && one !== undefined).join('');
export const Name = ({ children, class: more = '' }) => html`<bdi class=${more}>${textOf(children)}</bdi>`;
export const Code = ({ children, class: more = '' }) => html`<bdi class=${`code ${more}`}>${textOf(children)}</bdi>`;
export const Size = ({ bytes, more = '' }) => (typeof bytes === 'number' ? html`<span class="number" title=${`${count(bytes)} bytes${more}`}>${size(bytes)}</span>` : html`<span class="none">–</span>`);
export const Digest = ({ digest }) => html`<span class="code" title=${digest}>${short(digest)}</span>`;

// One clock for all times on the page, once a minute.
const clocks = new Set();
setInterval(() => clocks.forEach((tick) => tick(Date.now())), 60000);
export function Time({ at }) {
	const [now, set] = useState(Date.now);
	useEffect(() => {
		clocks.add(set);
		return () => clocks.delete(set);
	}, []);
	const shown = at ? when(at, Math.max(now, Date.now())) : '';
	return shown ? html`<time datetime=${at} title=${exact(at)}>${shown}</time>` : html`<span class="none">–</span>`;
}

// Long - text of any length: what is over `at` characters is behind a button
export function Long({ text, at = 400 }) {
	const [all, set] = useState(false);
	const whole = String(text ?? '');
	if (whole.length <= at)
		return html`<${Name} class="long">${whole}<//>`;
	return html`<${Name} class="long">${all ? whole : `${whole.slice(0, at)}…`}<//> <button class="link" onClick=${() => set(!all)} aria-expanded=${all}>
		${all ? 'less' : `all ${count(whole.length)} characters`}</button>`;
}

export const Badge = ({ children, tone = '', title }) => html`<span class=${`badge ${tone}`} title=${title}>${children}</span>`;

const PATHS = {
	copy: 'M5 2h7a1 1 0 0 1 1 1v8M3.5 5h6a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1z',
	done: 'M3 8.5l3.5 3.5L13 5',
	search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5 14 14',
	folder: 'M2 4a1 1 0 0 1 1-1h3l1.5 2H13a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1z',
	box: 'M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5 8 8l5.5-3M8 8v6',
	right: 'M6 3.5 10.5 8 6 12.5',
	down: 'M3.5 6 8 10.5 12.5 6',
	up: 'M8 13V3M4 7l4-4 4 4',
	fall: 'M8 3v10M4 9l4 4 4-4',
	close: 'M4 4l8 8M12 4l-8 8',
	lock: 'M4 7h8v6H4zM5.5 7V5a2.5 2.5 0 0 1 5 0v2',
	bin: 'M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5 5 13h6l.5-8.5M6.5 7v3.5M9.5 7v3.5',
	back: 'M6 4 3 7l3 3M3 7h6.5a3.5 3.5 0 0 1 0 7H8',
};
export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>`;

// Copy - a button that copies a text; where the browser does not allow that, it selects the text beside it
export function Copy({ text, what }) {
	const [done, set] = useState(false);
	const at = useRef(null);
	const copy = async (event) => {
		event.stopPropagation();
		try {
			await navigator.clipboard.writeText(text);
		} catch {
			const beside = at.current.parentElement.querySelector('[data-copy]');
			if (beside)
				getSelection().selectAllChildren(beside);
			if (!beside || !document.execCommand('copy'))
				return;
		}
		set(true);
		setTimeout(() => set(false), 1500);
	};
	return html`<button ref=${at} class="icon-button copy" onClick=${copy} title=${done ? 'copied' : `copy ${what}`} aria-label=${done ? `${what} copied` : `copy ${what}`}>
		<${Icon} name=${done ? 'done' : 'copy'} /></button>`;
}

// --- notices

// said - what went wrong, for a person
export function said(error) {
	if (!(error instanceof Refusal))
		return 'The page has failed. Loading it again may help.';
	if (error.status === 401)
		return 'This needs a login.';
	if (error.status === 404)
		return 'There is no such thing here, or you may not see it.';
	return error.status === 0 || error.status >= 502 ? `${error.message[0].toUpperCase()}${error.message.slice(1)}.` : `The registry says: ${error.message}.`;
}

export function Failed({ error, again, who }) {
	// A session may have ended since the page was loaded: what is not there for nobody may be there after a login.
	useEffect(() => {
		if (who && !who.anonymous && !me.fresh && [401, 403, 404].includes(error.status))
			get('whoami').then((now) => now.user !== who.user && setMe(now), () => {});
	}, [error]);
	const login = who?.form && (error.status === 401 || (error.status === 404 && who.anonymous) || (error.status === 403 && who.anonymous));
	return html`<div class="empty" role="alert">
		<h2>${error.status === 404 ? 'Not found' : error.status === 401 ? 'Log in to see this' : 'That did not work'}</h2>
		<p><${Name}>${said(error)}<//></p>
		<p>${login ? html`<a class="button primary" href=${to('login', '', { to: location.hash })}>Log in</a>` : null}
		${again && error.status !== 404 && error.status !== 401 ? html`<button class="button" onClick=${again}>Try again</button>` : null}
		${error.status === 404 ? html`<a class="button" href="#/">All repositories</a>` : null}</p>
	</div>`;
}

export const Filter = ({ label, value, onInput, placeholder }) => html`<label class="filter"><span class="hidden">${label}</span><${Icon} name="search" />
	<input type="search" value=${value} placeholder=${placeholder} spellcheck=${false} autocomplete="off" autocapitalize="off" maxlength="256"
		onInput=${(event) => onInput(event.target.value)} /></label>`;

// Line - one command, or lines of several, to copy
export const Line = ({ text, label, what }) => html`<div class="command"><code data-copy dir="ltr" tabindex="0" aria-label=${label}>${text}</code><${Copy} text=${text} what=${what} /></div>`;

// Commands - lines to copy, the first tool's shown first
export function Commands({ list, note }) {
	const [tool, set] = useState(null);
	const one = list.find((entry) => entry.tool === tool) ?? list[0];
	return html`<div class="commands">
		${list.length > 1 ? html`<div class="tabs" role="group" aria-label="pull with">
			${list.map((entry) => html`<button key=${entry.tool} aria-pressed=${entry === one} onClick=${() => set(entry.tool)}>${entry.tool}</button>`)}</div>` : null}
		<${Line} text=${one.line} label=${`command for ${one.tool}`} what="command" />
		${note ? html`<p class="hint">${note}</p>` : null}
	</div>`;
}

// Crumbs - where this is: [{ text, href }], the last one is here
export const Crumbs = ({ path }) => html`<nav class="crumbs" aria-label="breadcrumbs"><ol>
	${path.map((step, i) => html`<li key=${i}>${step.href ? html`<a href=${step.href}><${Name}>${step.text}<//></a>` : html`<${Name}>${step.text}<//>`}</li>`)}</ol></nav>`;

// repoCrumbs - those of a repository: each name space leads to what is in it
export function repoCrumbs(name) {
	const parts = name.split('/');
	return [{ text: 'Repositories', href: '#/' }, ...parts.slice(0, -1).map((text, i) => ({ text, href: to('', '', { q: `${parts.slice(0, i + 1).join('/')}/` }) }))];
}

// Dialog - a modal one; the browser keeps the focus in it and gives it back
export function Dialog({ title, children, onClose }) {
	const at = useRef(null);
	useEffect(() => {
		const dialog = at.current;
		dialog.showModal();
		dialog.querySelector('[data-focus]')?.focus();
		return () => dialog.open && dialog.close();
	}, []);
	return html`<dialog ref=${at} aria-labelledby="dialog-title" onCancel=${(event) => {
		event.preventDefault();
		onClose();
	}}>
		<div class="dialog-head"><h2 id="dialog-title">${title}</h2>
		<button class="icon-button" onClick=${onClose} aria-label="close" title="close"><${Icon} name="close" /></button></div>
		${children}</dialog>`;
}

export const follow = (event, address) => {
	event.preventDefault();
	go(address);
};
