// SPDX-License-Identifier: Apache-2.0
//
// names: what may be the name of a repository, a tag or a digest (doc/API.md, "Grammar"). A link can name anything: what is no
// name is neither asked for nor shown. No elements, no requests.

const NAME = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export const isName = (text) => text.length <= 255 && NAME.test(text);
export const isDigest = (text) => DIGEST.test(text);

// split - "team/app:1.4" and "team/app@sha256:…" as [repository, tag or digest]
export function split(text) {
	const at = text.indexOf('@');
	const colon = at >= 0 ? at : text.lastIndexOf(':');
	return colon > 0 ? [text.slice(0, colon), text.slice(colon + 1)] : [text, 'latest'];
}

export function isImage(text) {
	const [repo, ref] = split(text);
	return isName(repo) && (text.includes('@') ? DIGEST : TAG).test(ref);
}

// inFilter - whether a text in a filter of tags means itself: nothing but what tags consist of
export const inFilter = (text) => /^[A-Za-z0-9_.-]+$/.test(text);
