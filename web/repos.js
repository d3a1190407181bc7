// SPDX-License-Identifier: Apache-2.0
//
// repos: the repositories, by name spaces or as a flat list.
import { html, useState, useMemo, useEffect } from './preact.js';
import { usePages, useTyped, toRepo, refine, go } from './state.js';
import { count, size, walk } from './format.js';
import { Filter, Name, Size, Time, Badge, Icon, Failed, Copy, Code } from './parts.js';
import { Table, SortSelect } from './table.js';

const SORTS = [['name asc', 'Name'], ['pushed desc', 'Last push'], ['size desc', 'Largest'], ['tags desc', 'Most tags']];
const COLUMNS = [
	{ key: 'name', label: 'Repository', sort: 'name', first: 'asc', class: 'main' },
	{ key: 'newest', label: 'Newest tag', class: 'newest' },
	{ key: 'tags', label: 'Tags', sort: 'tags', class: 'right tags' },
	{ key: 'size', label: 'Size', sort: 'size', class: 'right size' },
	{ key: 'pushed', label: 'Pushed', sort: 'pushed', class: 'right time' },
];

// tree - the rows of a list that is sorted by name, with one row before the first repository of each name space
export function tree(repos, closed) {
	const rows = [];
	let open = [];
	for (const repo of repos) {
		const spaces = repo.name.split('/').slice(0, -1);
		let same = 0;
		while (same < open.length && same < spaces.length && open[same].part === spaces[same])
			same++;
		open = open.slice(0, same);
		for (let depth = same; depth < spaces.length; depth++) {
			const path = `${spaces.slice(0, depth + 1).join('/')}/`;
			const space = { space: path, part: spaces[depth], depth, repos: 0, hidden: open.some((one) => one.shut), shut: closed.has(path) };
			if (!space.hidden)
				rows.push(space);
			open.push(space);
		}
		for (const space of open)
			space.repos++;
		if (!open.some((space) => space.shut))
			rows.push({ ...repo, depth: spaces.length });
	}
	return rows;
}

function Marks({ repo }) {
	return html`${repo.mirror ? html`<${Badge} title="kept as a copy of another registry's"><span>mirror of <${Name}>${repo.mirror}<//></span><//>` : null}
		${(repo.rules ?? []).map((rule) => html`<${Badge} key=${rule} title=${RULES[rule] ?? ''}>${rule}<//>`)}`;
}
const RULES = { __proto__: null, keep: 'a rule says which tags stay', immutable: 'a rule keeps some tags from being moved or deleted', quota: 'a rule limits its size', untagged: 'a rule removes manifests without tags' };

function spaceCells(space, toggle, more) {
	return [
		html`<button class="space-name" style=${{ '--depth': space.depth }} aria-expanded=${!space.shut} onClick=${() => toggle(space.space)}>
			<${Icon} name=${space.shut ? 'right' : 'down'} /><${Icon} name="folder" /><${Name}>${space.part}<//><span class="quiet">/</span></button>`,
		'', html`<span class="quiet">${count(space.repos)}${more ? '+' : ''} ${space.repos === 1 && !more ? 'repository' : 'repositories'}</span>`, '', '',
	];
}

function repoCells(repo, flat) {
	const parts = repo.name.split('/');
	return [
		html`<a class="repo-name" href=${toRepo(repo.name)} style=${{ '--depth': flat ? 0 : repo.depth + 1 }} title=${repo.name}>
			<${Icon} name="box" />${flat && parts.length > 1 ? html`<span class="quiet"><${Name}>${parts.slice(0, -1).join('/')}<//>/</span>` : null}<${Name} class="strong">${parts.at(-1)}<//></a>
			<span class="marks"><${Marks} repo=${repo} /></span>`,
		repo.newest ? html`<span title=${repo.newest}><${Code} class="cut">${repo.newest}<//></span>` : '',
		html`<span class="number">${count(repo.tags)}<span class="unit"> ${repo.tags === 1 ? 'tag' : 'tags'}</span></span>`,
		html`<${Size} bytes=${repo.bytes} more=${typeof repo.own === 'number' ? `: ${size(repo.own)} its own, ${size(repo.shared)} shared with others` : ''} />`,
		html`<${Time} at=${repo.pushed} />`,
	];
}

const LOOK = 3000;              // milliseconds after which an empty registry is looked at again, while somebody sees the page
export function Walk({ who, loading, again }) {
	const lines = walk();
	useEffect(() => {
		if (loading)
			return undefined;
		const timer = setInterval(() => document.visibilityState === 'visible' && again(), LOOK);
		return () => clearInterval(timer);
	}, [loading]);
	return html`<div class="empty teach">
		<h2>Nothing here yet</h2>
		<p>Push a first image; the list fills by itself.</p>
		<div class="command many"><pre data-copy dir="ltr" tabindex="0" aria-label="commands that push a first image">${lines.join('\n')}</pre><${Copy} text=${lines.join('\n')} what="the three lines" /></div>
		${who?.anonymous && who.form ? html`<p class="hint">If there should be something here: you see what everybody may see. <a href="#/login">Log in</a> for the rest.</p>` : null}
	</div>`;
}

export function Repos({ query, who }) {
	const sort = query.sort ?? 'name';
	const order = query.order ?? (sort === 'name' ? 'asc' : 'desc');
	const [text, type] = useTyped('q', query.q ?? '');
	const list = usePages('repos', { q: query.q, sort, order, n: 100 }, 'repos');
	const [closed, setClosed] = useState(() => new Set());
	const flat = query.view === 'list' || sort !== 'name' || order !== 'asc';
	const rows = useMemo(() => (flat ? list.rows : tree(list.rows, closed)), [flat, list.rows, closed]);
	const toggle = (path) => setClosed((old) => {
		const next = new Set(old);
		if (!next.delete(path))
			next.add(path);
		return next;
	});
	const last = rows.length ? list.rows.at(-1)?.name ?? '' : '';
	if (list.head && !list.stale && !list.error && !list.rows.length && !query.q)
		return html`<h1 class="hidden" tabindex="-1">Repositories</h1><${Walk} who=${who} loading=${list.loading} again=${list.again} />`;
	return html`<div class="bar">
			<h1 tabindex="-1">Repositories</h1><span class="total">${count(list.head?.total)}</span>
			<span class="stretch"></span>
			${list.error?.status === 401 ? null : html`<${Filter} label="filter repositories" value=${text} onInput=${type} placeholder="Filter by name" />
				<div class="tabs" role="group" aria-label="show as">
					<button aria-pressed=${!flat} onClick=${() => refine({ view: '', sort: '', order: '' })}>Tree</button>
					<button aria-pressed=${flat} onClick=${() => refine({ view: 'list' })}>List</button></div>
				<${SortSelect} options=${SORTS} sort=${sort} order=${order} />`}
		</div>
		${list.error ? html`<${Failed} error=${list.error} again=${list.again} who=${who} />` : list.rows.length || list.loading ? html`<${Table} label="repositories" kind="repos" columns=${COLUMNS} rows=${rows} sort=${sort} order=${order}
			loaded=${list.rows.length} total=${list.head?.total} next=${list.next} more=${list.more} loading=${list.loading} stale=${list.stale}
			keyOf=${(row) => row.space ?? row.name} classOf=${(row) => (row.space ? 'space-row' : '')}
			onRow=${(row) => (row.space ? toggle(row.space) : go(toRepo(row.name)))}
			row=${(row) => (row.space ? spaceCells(row, toggle, Boolean(list.next) && last.startsWith(row.space)) : repoCells(row, flat))} />` :
		html`<div class="empty"><h2>No repository matches</h2><p>Nothing that you may see has <${Code}>${query.q}<//> in its name.</p>
			<p><button class="button" onClick=${() => type('')}>Show all</button></p></div>`}
		${list.head && list.rows.length ? html`<p class="hint">${list.head.as_of ? html`Sizes were counted by the last collection, <${Time} at=${list.head.as_of} />.` : 'Sizes are counted by collections; none has ended here yet.'}</p>` : null}`;
}
