// SPDX-License-Identifier: Apache-2.0
//
// app: the frame of the page: the head with the search, which view an address leads to, the login, what is told below.
// A view is a row of VIEWS: see "The files of the page" in doc/PAGE.md.
import { html, render, useState, useEffect, useLayoutEffect, useRef, useErrorBoundary } from './preact.js';
import { get, send, link, watchLink, tryNow } from './api.js';
import { useRoute, useTold, untell, tell, me, setMe, go, to } from './state.js';
import { registryName } from './format.js';
import { isName, isImage } from './names.js';
import { Name, Icon, Failed, said } from './parts.js';
import { Search } from './search.js';
import { Login } from './login.js';
import { Repos } from './repos.js';
import { Repo, Deleted } from './repo.js';
import { Image } from './image.js';
import { Activity } from './activity.js';
import { Collection, Status } from './system.js';

// takes: which names the view is for; without it, it needs none
const VIEWS = {
	__proto__: null,
	'': { title: () => 'Repositories', show: Repos },
	repo: { title: (name) => name, show: Repo, takes: isName, up: '' },
	image: { title: (name) => name, show: Image, takes: isImage, up: '' },
	deleted: { title: (name) => `Deleted from ${name}`, show: Deleted, takes: isName, up: '' },
	activity: { title: () => 'Activity', show: Activity },
	gc: { title: () => 'Collection', show: Collection, admin: true },
	status: { title: () => 'Status', show: Status, admin: true },
	login: { title: () => 'Log in', show: Login },
};
const viewOf = ({ view, name }) => (VIEWS[view]?.takes && !VIEWS[view].takes(name) ? undefined : VIEWS[view]);

const Logo = () => html`<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><path class="ship" d="M7 12h5v5H7zm6.5 0h5v5h-5zm6.5 0h5v5h-5zM13.5 5.5h5v5h-5zM4.5 19h23c-1 4-3.5 6.5-7 6.5h-9c-3.5 0-6-2.5-7-6.5z" /></svg>`;

function Nav({ view, who }) {
	const at = VIEWS[view]?.up ?? view;
	const entries = [['', 'Repositories'], ['activity', 'Activity'], ...(who?.admin ? [['gc', 'Collection'], ['status', 'Status']] : [])];
	return html`<nav class="views" aria-label="views">${entries.map(([key, label]) =>
		html`<a key=${key} href=${to(key)} aria-current=${key === at ? 'page' : undefined}>${label}</a>`)}</nav>`;
}

function User({ who, view }) {
	const logout = async () => {
		try {
			await send('DELETE', 'session');
			setMe(await get('whoami'));
			go('#/');
			tell('You are logged out.');
		} catch (error) {
			tell(said(error));
		}
	};
	if (!who)
		return html`<span class="user"></span>`;
	if (who.anonymous)
		return who.form && view !== 'login' ? html`<span class="user"><a class="button" href=${to('login', '', { to: location.hash })}>Log in</a></span>` : html`<span class="user"></span>`;
	return html`<span class="user"><span class="user-name" title=${who.user}><${Name}>${who.user}<//></span>${who.login === 'session' ? html`<button class="button" onClick=${logout}>Log out</button>` : null}</span>`;
}

// Away - says that nothing answers, and how long until the next try. It lies over the page: nothing moves.
function Away() {
	const [, draw] = useState(0);
	useEffect(() => watchLink(() => draw((n) => n + 1)), []);
	useEffect(() => {
		if (!link.away)
			return undefined;
		const timer = setInterval(() => draw((n) => n + 1), 500);
		return () => clearInterval(timer);
	}, [link.away]);
	const left = Math.max(0, Math.ceil(((link.again ?? 0) - Date.now()) / 1000));
	return html`<div class="away-place" role="status" aria-live="polite">${link.away ? html`<div class="away"><span class="pulse" aria-hidden="true"></span>
		<span>${link.why ? html`The registry says: <${Name}>${link.why}<//>.` : 'The registry does not answer.'} <span aria-hidden="true">${left ? `Trying again in ${left} s.` : 'Trying…'}</span></span>
		<button class="button small" onClick=${tryNow}>Try now</button></div>` : null}</div>`;
}

function Told() {
	const list = useTold();
	return html`<div class="told" role="status" aria-live="polite">${list.map((one) => html`<${Toast} key=${one.id} one=${one} />`)}</div>`;
}
function Toast({ one }) {
	const [busy, set] = useState(false);
	useEffect(() => {
		const timer = setTimeout(() => untell(one.id), one.action ? 60000 : 8000);
		return () => clearTimeout(timer);
	}, []);
	const run = async () => {
		set(true);
		await one.action.run();
		untell(one.id);
	};
	return html`<div class="toast"><${Name}>${one.text}<//>${one.action ? html`<button class="button small" disabled=${busy} onClick=${run}>${one.action.label}</button>` : null}
		<button class="icon-button" aria-label="dismiss" title="dismiss" onClick=${() => untell(one.id)}><${Icon} name="close" /></button></div>`;
}

// View - what the address leads to; a fault of the page itself says so and leaves the head alone
function View({ at, who }) {
	const [broken] = useErrorBoundary((error) => console.error(error));
	const view = viewOf(at);
	if (broken)
		return html`<${Failed} error=${broken} who=${who} again=${() => location.reload()} />`;
	if (!view || (view.admin && who && !who.admin && !who.anonymous))
		return html`<div class="empty"><h1 tabindex="-1">Not found</h1><p>There is nothing of this address, or it is not for you.</p><p><a class="button" href="#/">All repositories</a></p></div>`;
	return html`<${view.show} name=${at.name} query=${at.query} who=${who} />`;
}

const places = new Map();       // how far each address was scrolled
function App() {
	const at = useRoute();
	const [who, setWho] = useState(me.who);
	const main = useRef(null);
	const first = useRef(true);
	useEffect(() => {
		me.watchers.add(setWho);
		get('whoami').then(setMe, (error) => tell(said(error)));
		// A session may end while nobody looks, and what is for everybody is answered all the same.
		const seen = () => document.visibilityState === 'visible' && get('whoami').then((now) => JSON.stringify(now) !== JSON.stringify(me.who) && setMe(now), () => {});
		document.addEventListener('visibilitychange', seen);
		return () => {
			document.removeEventListener('visibilitychange', seen);
			me.watchers.delete(setWho);
		};
	}, []);
	const key = `${at.view} ${at.name}`;
	// At once: what the browser says of scrolling while the next view takes the place of this one is not of this one.
	useLayoutEffect(() => {
		document.title = [viewOf(at)?.title(at.name) ?? 'Not found', registryName()].join(' – ');
		scrollTo(0, places.get(key) ?? 0);
		const wanted = main.current.querySelector('[data-focus]');
		if (wanted || !first.current)
			(wanted ?? main.current.querySelector('h1') ?? main.current).focus({ preventScroll: true });
		first.current = false;
		const scrolled = () => places.set(key, scrollY);
		addEventListener('scroll', scrolled, { passive: true });
		return () => removeEventListener('scroll', scrolled);
	}, [key]);
	return html`<a class="skip" href="#main" onClick=${(event) => {
			event.preventDefault();
			main.current.focus();
		}}>Skip to the content</a>
		<header class="top"><a class="home" href="#/" aria-label=${`berth at ${registryName()}: all repositories`}><${Logo} /><span class="home-name">berth</span><span class="home-host">${registryName()}</span></a>
			<${Search} /><${Nav} view=${at.view} who=${who} /><${User} who=${who} view=${at.view} /></header>
		<${Away} />
		<main id="main" ref=${main} tabindex="-1">${who ? html`<${View} key=${`${key} ${who.user ?? ''}`} at=${at} who=${who} />` : html`<p class="busy">Connecting…</p>`}</main>
		<footer class="bottom">${who?.version ? `berth ${who.version}` : ''}</footer>
		<${Told} />`;
}

history.scrollRestoration = 'manual';
render(html`<${App} />`, document.getElementById('app'));
