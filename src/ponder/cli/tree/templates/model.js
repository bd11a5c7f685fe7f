// The tree, and the state of it that a person changes: what is folded, hidden, selected, found.
const tree = JSON.parse(document.getElementById("data").textContent);
const branches = tree.branches;
const children = branches.map(() => []);
const depth = new Int32Array(branches.length);
const size = new Int32Array(branches.length);  // number of nodes beneath and in it
branches.forEach((branch, i) => {
  branch.text ??= "";
  branch.count = 1 + (branch.equals?.length ?? 0);
  branch.gone = branch.status === "dropped" && !branch.path;
  if (i > 0) {
    children[branch.parent].push(i);
    depth[i] = depth[branch.parent] + 1;
  }
});
for (let i = branches.length - 1; i >= 0; i--) {
  size[i] += branches[i].count;
  if (i > 0) size[branches[i].parent] += size[i];
}
const chosen = branches.findIndex((branch) => branch.chosen);
const mostTokens = Math.max(1, ...new Set(branches.map((branch) => branch.tokens ?? 0)));

const folded = new Set();
let droppedHidden = false;
let selected = Math.max(0, chosen);
let pointed = false;  // true once a person has selected something
let shown = { places: [], kids: [], rows: [], first: 0, last: 0, deepest: 0 };

function arrange() {
  const kids = new Array(branches.length);
  const places = [];
  branches.forEach((branch, i) => {
    if (i > 0 && (!kids[branch.parent] || folded.has(branch.parent) || hidden(i))) return;
    places.push(i);
    kids[i] = folded.has(i) ? [] : children[i].filter((k) => !hidden(k));
  });
  const rows = tidy(kids);
  let [first, last, deepest] = [0, 0, 0];
  for (const i of places) {
    first = Math.min(first, rows[i]);
    last = Math.max(last, rows[i]);
    deepest = Math.max(deepest, depth[i]);
  }
  shown = { places, kids, rows, first, last, deepest };
}

function hidden(i) { return droppedHidden && branches[i].gone; }

function isShown(i) { return shown.kids[i] !== undefined; }

// Makes a place one of those that are shown.
function reveal(i) {
  if (isShown(i)) return;
  for (let up = i; up > 0; up = branches[up].parent) {
    if (branches[up].gone) droppedHidden = false;
    folded.delete(branches[up].parent);
  }
  arrange();
}

// Characters that nobody sees, that turn a line round, or that are half a character are shown by
// their numbers. (Joiners stay: emoji and some scripts are made of them.)
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}\p{Cs}]/gu;
function visible(text) {
  return text.replace(UNSEEN, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

function counted(number, noun, more) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : more}`;
}

function said(value) {
  return value.toFixed(2);
}

// What a branch came to, in a few words, without its answer.
function ending(branch) {
  const words = [...(branch.notes ?? []), branch.outcome ?? ""];
  return visible(words.filter(Boolean).join(" · "));
}

// Search -------------------------------------------------------------------------------------------

let needle = "";
let matches = [];
let hits = new Set();
let haystacks = null;

function haystack(branch, i) {
  const scores = (branch.scores ?? []).flatMap(([, who, verdict, detail]) => [who, verdict, detail]);
  const own = i === 0 ? [tree.title] : [branch.id, branch.text, branch.answer ?? "", branch.outcome ?? ""];
  const equals = (branch.equals ?? []).map(([id]) => id);
  return [...own, ...(branch.notes ?? []), ...scores, ...equals].join("\n").toLowerCase();
}

function search(words) {
  needle = words.trim().toLowerCase();
  haystacks ??= branches.map(haystack);
  matches = [];
  if (needle) haystacks.forEach((hay, i) => { if (hay.includes(needle)) matches.push(i); });
  hits = new Set(matches);
}
