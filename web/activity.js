// SPDX-License-Identifier: Apache-2.0
//
// activity: what has changed, and who changed it, the newest first: the journal read backwards.
import { html, useMemo } from './preact.js';
import { usePages, useTyped, refine, toRepo, toImage } from './state.js';
import { dayOf, exact, clockOf } from './format.js';
import { Filter, Name, Code, Digest, Size, Failed, Line } from './parts.js';
import { Table } from './table.js';

const COLUMNS = [
	{ key: 'time', label: 'Time', class: 'clock' },
	{ key: 'who', label: 'Who', class: 'who' },
	{ key: 'what', label: 'What', class: 'main' },
	{ key: 'from', label: 'From', class: 'from' },
];

const Ref = ({ event }) => (event.tag ? html`<a href=${toImage(event.repository, event.tag)}><${Name} class="code">${event.repository}:${event.tag}<//></a>` :
	event.digest ? html`<a href=${toRepo(event.repository)}><${Name} class="code">${event.repository}<//></a> <a href=${toImage(event.repository, event.digest)}><${Digest} digest=${event.digest} /></a>` :
		html`<a href=${toRepo(event.repository)}><${Name} class="code">${event.repository}<//></a>`);

const SAID = {
	__proto__: null,
	push: (e) => html`pushed <${Ref} event=${e} />`,
	move: (e) => html`moved <${Ref} event=${e} /> <span class="quiet">from</span> <${Digest} digest=${e.before} /> <span class="quiet">to</span> <${Digest} digest=${e.digest} />`,
	untag: (e) => html`removed the tag <${Name} class="code">${e.repository}:${e.tag}<//> <span class="quiet">of</span> <${Digest} digest=${e.digest} />`,
	delete: (e) => html`deleted <${Digest} digest=${e.digest} /> <span class="quiet">of</span> <${Name} class="code">${e.repository}<//>`,
	blob_push: (e) => html`pushed a blob of <${Size} bytes=${e.size} /> to <${Ref} event=${e} />`,
	mount: (e) => html`mounted a blob of <${Size} bytes=${e.size} /> from <${Name} class="code">${e.from}<//> in <${Ref} event=${e} />`,
	blob_delete: (e) => html`deleted a blob of <${Ref} event=${e} />`,
	remove: (e) => html`removed the repository <${Name} class="code">${e.repository}<//>`,
	rename: (e) => html`renamed <${Name} class="code">${e.from}<//> to <${Ref} event=${e} />`,
	pull: (e) => html`pulled <${Ref} event=${e} />`,
	quota: (e) => html`filled 90 % of the quota of <${Code}>${e.group}<//>: <${Size} bytes=${e.size} /> of <${Size} bytes=${e.quota} />`,
	lost: () => html`<span class="quiet">older events were cut off</span>`,
};

function cells(event, first) {
	return [
		html`<time datetime=${event.time} title=${exact(event.time)}>${first ? html`<b class="day">${dayOf(event.time)}</b> ` : null}${clockOf(event.time)}</time>`,
		event.user ? html`<${Name} class="strong">${event.user}<//>${event.login === 'robot' || event.login === 'collector' ? html` <span class="quiet">${event.login}</span>` : null}` :
			html`<span class="quiet">${event.login === 'collector' ? 'the collector' : event.login === 'anonymous' || !event.login ? 'anonymous' : event.login}</span>`,
		html`<span class="cut">${(SAID[event.action] ?? ((e) => html`<${Name}>${e.action}<//> <${Ref} event=${e} />`))(event)}</span>`,
		html`<${Name} class="quiet">${event.remote ?? ''}<//>`,
	];
}

// What a push consists of: of little interest beside the push itself.
const BLOBS = new Set(['blob_push', 'mount', 'blob_delete']);
const OFF = { journal: false };
export function Activity({ query, who }) {
	if (!(who ?? OFF).journal)
		return html`<div class="bar"><h1 tabindex="-1">Activity</h1></div><div class="empty teach"><h2>The journal is off</h2>
			<p>With it on, this is where each push, move and deletion is listed, and who did it. In berth.conf:</p>
			<${Line} text="journal = { enabled = true; };" label="setting" what="setting" /></div>`;
	return html`<${Events} query=${query} who=${who} />`;
}

function Events({ query, who }) {
	const [text, type] = useTyped('repo', query.repo ?? '');
	const list = usePages('events', { repo: query.repo, n: 300 }, 'events');
	const rows = useMemo(() => (query.blobs ? list.rows : list.rows.filter((event) => !BLOBS.has(event.action))), [list.rows, query.blobs]);
	const head = html`<div class="bar"><h1 tabindex="-1">Activity</h1><span class="stretch"></span>
		<${Filter} label="repositories, as a pattern" value=${text} onInput=${type} placeholder="Repositories, as team/**" />
		<label class="choice"><input type="checkbox" checked=${Boolean(query.blobs)} onChange=${(event) => refine({ blobs: event.target.checked ? '1' : '' })} />Blobs, too</label>
		<button class="button" onClick=${list.again} disabled=${list.loading}>Refresh</button></div>`;
	if (list.error)
		return html`${head}<${Failed} error=${list.error} again=${list.again} who=${who} />`;
	if (!list.loading && !rows.length && !list.next)
		return html`${head}<div class="empty"><h2>${query.repo ? 'Nothing for this pattern' : 'Nothing has happened yet'}</h2>
			<p>${query.repo ? html`A pattern is a name, or has <code>*</code> for one part of it and <code>**</code> for several.` : 'Each push, move and deletion from now on is listed here.'}</p>
			${query.repo ? html`<p><button class="button" onClick=${() => type('')}>Show all</button></p>` : null}</div>`;
	return html`${head}<${Table} label="activity" kind="events" columns=${COLUMNS} rows=${rows} next=${list.next} more=${list.more} loading=${list.loading}
		stale=${list.stale} keyOf=${(event) => event.id} classOf=${(event) => event.action}
		row=${(event, i) => cells(event, i === 0 || dayOf(event.time) !== dayOf(rows[i - 1].time))} />`;
}
