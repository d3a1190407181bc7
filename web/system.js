// SPDX-License-Identifier: Apache-2.0
//
// system: the collections, and the state of the registry: disk, uploads, mirrors, endpoints, machines. For administrators.
import { html, useState, useEffect } from './preact.js';
import { send } from './api.js';
import { useAnswer, tell } from './state.js';
import { count, plural } from './format.js';
import { Name, Size, Time, Badge, Failed, Icon, Line, said } from './parts.js';

const PHASES = { __proto__: null, mark: 'looking what is needed', sweep: 'removing what is not', rules: 'applying the rules for tags', uploads: 'removing old uploads', leftovers: 'removing what broken requests left',
	cache: 'letting go what nobody pulls of other registries' };

const KINDS = [['manifests', 'manifest'], ['blobs', 'blob'], ['links', 'link'], ['uploads', 'abandoned upload'], ['leftovers', 'leftover']];
const took = (last) => Math.round((new Date(last.ended) - new Date(last.began)) / 1000);

// Went - what a collection removed, in the words of `berth gc`
function Went({ last }) {
	const kinds = KINDS.filter(([key]) => last.kinds?.[key]).map(([key, one]) => plural(last.kinds[key], one));
	if (typeof last.removed !== 'number')
		return null;
	return last.removed === 0 ? html`<p>Nothing had to go.</p>` : html`<p>It removed ${kinds.length ? kinds.join(', ') : plural(last.removed, 'object')}, and freed <b><${Size} bytes=${last.bytes} /></b>.</p>`;
}

function Last({ last }) {
	if (!last)
		return html`<p>None has run yet.</p>`;
	const seconds = took(last);
	return html`<p>${last.failed ? html`<${Badge} tone="bad">failed<//> ` : null}It ended <${Time} at=${last.ended ?? last.began} />${seconds > 0 ? `, after ${seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`}` : ''}.</p>
		${last.failed ? html`<p>The log of the registry says why.</p>` : null}<${Went} last=${last} />
		${last.stays ? html`<p class="quiet">${plural(last.stays.blobs, 'blob')} ${last.stays.blobs === 1 ? 'stays' : 'stay'}${typeof last.stays.bytes === 'number' ? html`: <${Size} bytes=${last.stays.bytes} />` : null}.</p>` : null}`;
}

// Would - what the next one would do takes as long as one to find out: in a terminal, by these lines
const Would = ({ readonly }) => html`<section class="card wide" aria-labelledby="gc-would"><h2 id="gc-would">What would go</h2>
	<p>These lines say it, and change nothing. Run them where the registry runs, as the user that it runs as; in a container after <code>docker exec NAME</code>.</p>
	<div class="lines"><div><h3>Each manifest, blob and upload, why, and the bytes that frees</h3><${Line} text="berth gc --dry-run" label="what a collection would remove" what="command" /></div>
	<div><h3>Each tag that the rules let go</h3><${Line} text="berth rules apply --dry-run" label="which tags the rules would remove" what="command" /></div></div>
	<p class="hint">${readonly ? 'This registry is read-only: none runs.' : 'Without --dry-run they do it. Nothing that was pushed within the grace period goes.'}</p></section>`;

export function Collection({ who }) {
	const { value: gc, error, again } = useAnswer('gc');
	const [busy, setBusy] = useState(false);
	const running = Boolean(gc?.running);
	useEffect(() => {
		if (!running)
			return undefined;
		const timer = setInterval(() => document.visibilityState === 'visible' && again(), 3000);
		return () => clearInterval(timer);
	}, [running, again]);
	const begin = async () => {
		setBusy(true);
		try {
			await send('POST', 'gc');
			tell('A collection begins.');
			again();
		} catch (failed) {
			tell(said(failed));
		}
		setBusy(false);
	};
	const head = html`<div class="bar"><h1 tabindex="-1">Collection</h1><span class="stretch"></span>
		${gc && !gc.readonly ? html`<button class="button primary" onClick=${begin} disabled=${busy || running}>Begin one now</button>` : null}</div>`;
	if (error)
		return html`${head}<${Failed} error=${error} again=${again} who=${who} />`;
	if (!gc)
		return html`${head}<p class="busy">Loading…</p>`;
	return html`${head}<div class="cards">
		<section class="card" aria-labelledby="gc-now"><h2 id="gc-now">Now</h2>${running ?
			html`<p aria-live="polite"><span class="pulse" aria-hidden="true"></span> One runs since <${Time} at=${gc.running.began} />: <${Name}>${PHASES[gc.running.phase] ?? gc.running.phase ?? 'at work'}<//>.</p>` : html`<p>None runs.</p>`}</section>
		<section class="card" aria-labelledby="gc-last"><h2 id="gc-last">The last one</h2><${Last} last=${gc.last} /></section>
		<section class="card" aria-labelledby="gc-next"><h2 id="gc-next">The next one</h2>${gc.next ? html`<p>It begins <b><${Time} at=${gc.next} /></b>.</p>` :
			gc.readonly ? html`<p>None: the registry is read-only.</p>` : html`<p>None is due. They come by themselves with this in berth.conf:</p><${Line} text=${'gc = { every = "24h"; };'} label="setting" what="setting" />`}</section>
		<${Would} readonly=${gc.readonly} />
		<section class="card wide" aria-labelledby="gc-what"><h2 id="gc-what">What a collection does</h2><ul>
			<li>First it removes the tags that a rule of <code>keep</code> lets go.</li>
			<li>Then it removes blobs that no manifest names, and manifests without a tag where <code>gc.untagged</code> or a rule says so.</li>
			<li>It leaves what was pushed within the grace period, and what a deleted tag can be brought back to.</li>
			<li>Pushes and pulls go on meanwhile.</li></ul></section>
	</div>`;
}

function Disk({ disk }) {
	const used = typeof disk.size === 'number' ? disk.size - disk.free : 0;
	return html`<section class="card" aria-labelledby="disk"><h2 id="disk">Disk</h2>
		<p><b><${Size} bytes=${disk.free} /></b> free${used ? html` of <${Size} bytes=${disk.size} />` : null}</p>
		${typeof disk.bytes === 'number' ? html`<p class="quiet"><${Size} bytes=${disk.bytes} /> are content of this registry</p>` : null}
		${used ? html`<span class=${`meter large ${disk.free < disk.size / 10 ? 'full' : ''}`} aria-hidden="true"><span style=${{ width: `${(100 * used) / disk.size}%` }}></span></span>` : null}</section>`;
}

export function Status({ who }) {
	const { value: status, error, again } = useAnswer('status');
	const head = html`<div class="bar"><h1 tabindex="-1">Status</h1><span class="stretch"></span><button class="button" onClick=${again}>Refresh</button></div>`;
	if (error)
		return html`${head}<${Failed} error=${error} again=${again} who=${who} />`;
	if (!status)
		return html`${head}<p class="busy">Loading…</p>`;
	const mirrors = status.mirrors ?? [];
	const sized = mirrors.some((one) => typeof one.bytes === 'number');
	const counted = mirrors.find((one) => one.as_of)?.as_of;
	const endpoints = status.endpoints ?? [];
	const machines = status.machines ?? [];
	return html`${head}<div class="cards">
		<section class="card" aria-labelledby="registry"><h2 id="registry">Registry</h2><p>berth ${status.version}${status.readonly ? html` <${Badge} tone="warn">read-only<//>` : null}</p>
			<p>${typeof status.uploads === 'number' ? `${plural(status.uploads, 'upload')} under way` : ''}</p></section>
		${status.disk ? html`<${Disk} disk=${status.disk} />` : null}
		${mirrors.length ? html`<section class="card" aria-labelledby="mirrors"><h2 id="mirrors">Mirrors <span class="total">${count(mirrors.length)}</span></h2>
			<table class="plain" aria-labelledby="mirrors"><thead><tr><th>Registry</th>${sized ? html`<th class="right">Kept here</th>` : null}</tr></thead><tbody>
			${mirrors.map((one) => html`<tr key=${one.name}><td><${Name}>${one.name}<//></td>${sized ? html`<td class="right"><${Size} bytes=${one.bytes} /></td>` : null}</tr>`)}</tbody></table>
			${counted ? html`<p class="hint">Counted <${Time} at=${counted} />, without what repositories of one's own have, too.</p>` : null}</section>` : null}
		${endpoints.length ? html`<section class="card" aria-labelledby="endpoints"><h2 id="endpoints">Endpoints <span class="total">${count(endpoints.length)}</span></h2>
			<table class="plain" aria-labelledby="endpoints"><thead><tr><th>Name</th><th class="right">Waiting</th><th>State</th></tr></thead><tbody>
			${endpoints.map((one) => html`<tr key=${one.name}><td><${Name}>${one.name}<//></td><td class="right">${count(one.waiting)}</td>
				<td>${one.failing ? html`<${Badge} tone="bad">failing<//>` : html`<${Badge} tone="good"><${Icon} name="done" />delivering<//>`}</td></tr>`)}</tbody></table></section>` : null}
		${machines.length ? html`<section class="card" aria-labelledby="machines"><h2 id="machines">Machines <span class="total">${count(machines.length)}</span></h2>
			<table class="plain" aria-labelledby="machines"><thead><tr><th>Name</th><th>Version</th><th>Since</th><th>State</th></tr></thead><tbody>
			${machines.map((one) => html`<tr key=${`${one.name} ${one.since}`}><td><${Name}>${one.name}<//></td><td>${one.version}</td><td><${Time} at=${one.since} /></td>
				<td>${one.serves ? html`<${Badge} tone="good"><${Icon} name="done" />serves<//>` : html`<${Badge} tone="bad">silent<//> since <${Time} at=${one.seen} />`}</td></tr>`)}</tbody></table></section>` : null}
	</div>`;
}
