// Drawing. One number says how near the tree is: the pitch, pixels from row to row. Near, nodes are
// cards of text; far, marks on the canvas. Only what is in sight is drawn.
const stage = document.getElementById("stage");
const canvas = document.getElementById("edges");
const layer = document.getElementById("cards");
const paint = canvas.getContext("2d");
const MARGIN = 24;
const NEAREST = 240;
const READABLE = 50;  // a pitch with room for two lines
const cards = new Map();
const view = { pitch: 1, left: 0, top: 0, width: 0, height: 0, fit: { pitch: 1, column: 1 } };
let colours = {};

function themed() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  const rgb = (name) => [1, 3, 5].map((at) => parseInt(of(name).slice(at, at + 2), 16));
  const stops = [rgb("--low"), rgb("--middle"), rgb("--high")];
  const ramp = Array.from({ length: 41 }, (_, i) => {
    const [from, to, t] = i < 20 ? [stops[0], stops[1], i / 20] : [stops[1], stops[2], (i - 20) / 20];
    return `rgb(${from.map((c, k) => Math.round(c + (to[k] - c) * t)).join(" ")})`;
  });
  colours = { ramp, edge: of("--edge"), path: of("--path"), hit: of("--hit"), focus: of("--focus"),
    ink: of("--ink"), paper: of("--paper") };
}

function shade(value) {
  return value === undefined ? null : colours.ramp[Math.round(Math.min(1, Math.max(0, value)) * 40)];
}

// Where things are ---------------------------------------------------------------------------------

function columnAt(pitch) {
  const { fit } = view;
  if (pitch <= fit.pitch) return fit.column;
  const natural = Math.max(fit.column, Math.min(270, view.width * 0.8));
  const near = Math.max(READABLE, fit.pitch * 1.5);
  const t = Math.min(1, Math.log(pitch / fit.pitch) / Math.log(near / fit.pitch));
  const more = pitch > near ? Math.min(1.6, Math.sqrt(pitch / near)) : 1;
  return Math.max(fit.column, (fit.column + (natural - fit.column) * t) * Math.min(more, view.width * 0.9 / natural));
}

function measure() {
  const { pitch } = view;
  const column = columnAt(pitch);
  const width = column - Math.min(64, Math.max(Math.min(6, column * 0.4), column * 0.2));
  const height = pitch - Math.min(12, Math.max(1, pitch * 0.13));
  return { column, width, height, near: height >= 14 && width >= 40 };
}

function placeOf(i, box) {
  return [view.left + depth[i] * box.column, view.top + (shown.rows[i] - shown.first) * view.pitch];
}

function fitted() {
  const rows = shown.last - shown.first + 1;
  const columns = shown.deepest + 1;
  view.fit.pitch = Math.min(72, (view.height - 2 * MARGIN) / rows);
  view.fit.column = Math.min(460, Math.max(0.1, (view.width - 2 * MARGIN) / columns));
}

// True if the view is the one of the whole tree.
function isWhole() { return Math.abs(view.pitch - view.fit.pitch) < 1e-6; }

function fit() {
  fitted();
  view.pitch = view.fit.pitch;
  const { column } = measure();
  const used = column * (shown.deepest + 1);
  view.left = Math.max(MARGIN, (view.width - used) / 2 + 0.1 * column);
  view.top = (view.height - (shown.last - shown.first) * view.pitch) / 2;
  redraw();
}

function zoom(factor, x = view.width / 2, y = view.height / 2) {
  const before = measure().column;
  const pitch = Math.min(NEAREST, Math.max(view.fit.pitch * 0.8, view.pitch * factor));
  view.top = y - (y - view.top) * pitch / view.pitch;
  view.pitch = pitch;
  view.left = x - (x - view.left) * measure().column / before;
  redraw();
}

// Moves the view so that a place is in sight; near enough to read, if asked, and then in the middle.
function look(i, central) {
  const far = central && !measure().near;
  if (far) view.pitch = Math.max(view.pitch, READABLE);
  while (far && !measure().near && view.pitch < NEAREST) view.pitch *= 1.15;
  const box = measure();
  const [x, y] = placeOf(i, box);
  const edge = Math.min(60, view.height / 4);
  const right = x < MARGIN ? MARGIN - x : Math.min(0, view.width - MARGIN - box.width - x);
  const down = y < edge ? edge - y : Math.min(0, view.height - edge - y);
  const moved = Math.abs(right) + Math.abs(down) > 1;
  if (far || (central && moved && !isWhole())) {
    view.left += view.width / 2 - x - box.width / 2;
    view.top += view.height / 2 - y;
  } else if (!isWhole()) {
    view.left += right;
    view.top += down;
  }
  redraw();
}

function kept() {
  const { column } = measure();
  const bottom = (shown.last - shown.first) * view.pitch;
  view.top = Math.min(view.height - 40, Math.max(40 - bottom, view.top));
  view.left = Math.min(view.width - 80, Math.max(80 - (shown.deepest + 1) * column, view.left));
}

// Drawing ------------------------------------------------------------------------------------------

let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}

function draw() {
  kept();
  const box = measure();
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(view.width * scale), Math.round(view.height * scale)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  paint.setTransform(scale, 0, 0, scale, 0, 0);
  paint.clearRect(0, 0, view.width, view.height);
  drawEdges(box);
  if (!box.near) drawMarks(box);
  drawCards(box);
}

function drawEdges(box) {
  const kinds = [
    [(b) => b.gone, colours.edge, 0.45, 1],
    [(b) => !b.gone && !b.path, colours.edge, 1, 1.3],
    [(b) => b.path, colours.path, 1, 3],
  ];
  const bend = (box.column - box.width) / 2;
  const thin = Math.min(1, Math.max(0.35, view.pitch / 8));
  for (const [belongs, colour, alpha, width] of kinds) {
    paint.beginPath();
    const drawn = new Int32Array(branches.length).fill(-1);  // by parent, the last pixel drawn to
    for (const i of shown.places) {
      const branch = branches[i];
      if (i === 0 || !belongs(branch)) continue;
      const [toX, toY] = placeOf(i, box);
      const [fromX, fromY] = placeOf(branch.parent, box);
      if (Math.max(toY, fromY) < 0 || Math.min(toY, fromY) > view.height) continue;
      if (toX < 0 || fromX > view.width) continue;
      const pixel = Math.round(toY / 2);
      if (view.pitch < 2 && drawn[branch.parent] === pixel) continue;
      drawn[branch.parent] = pixel;
      const start = fromX + (box.near ? box.width : markWidth(branches[branch.parent], box));
      paint.moveTo(start, fromY);
      paint.bezierCurveTo(toX - bend, fromY, toX - bend, toY, toX, toY);
    }
    paint.strokeStyle = colour;
    paint.globalAlpha = alpha * (width < 3 ? thin : 1);
    paint.lineWidth = width;
    paint.stroke();
  }
  paint.globalAlpha = 1;
}

function markWidth(branch, box) {
  const share = Math.sqrt((branch.tokens ?? 0) / mostTokens);
  return Math.max(Math.min(4, Math.max(1, box.width)), Math.min(26, box.width * 0.6) * (0.3 + 0.7 * share));
}

function drawMarks(box) {
  const high = Math.min(12, Math.max(1.6, box.height));
  const inSight = shown.places.filter((i) => {
    const [x, y] = placeOf(i, box);
    return y > -high && y < view.height + high && x < view.width && x > -box.width;
  });
  const rank = (i) => (branches[i].path ? 2 : branches[i].gone ? 0 : 1);
  for (const level of [0, 1, 2]) {
    for (const i of inSight) {
      if (rank(i) !== level) continue;
      const branch = branches[i];
      const [x, y] = placeOf(i, box);
      const [wide, tall] = [markWidth(branch, box), level === 2 ? Math.max(6, high) : high];
      paint.globalAlpha = level === 0 ? 0.4 * Math.min(1, Math.max(0.4, view.pitch / 2.5)) : 1;
      const colour = shade(branch.value);
      paint.fillStyle = colour ?? colours.paper;
      paint.fillRect(x, y - tall / 2, wide, tall);
      if (colour === null || level === 2) {
        paint.strokeStyle = level === 2 ? colours.path : colours.edge;
        paint.lineWidth = level === 2 ? 1.5 : 1;
        paint.strokeRect(x, y - tall / 2, wide, tall);
      }
    }
  }
  paint.globalAlpha = 1;
  for (const i of inSight) {
    if (hits.has(i)) ring(i, box, colours.hit, 2, 2);
  }
  if (pointed && isShown(selected)) ring(selected, box, colours.focus, 4, 2.5);
  if (chosen > 0 && isShown(chosen)) label(box);
}

function ring(i, box, colour, space, width) {
  const [x, y] = placeOf(i, box);
  const tall = Math.max(6, Math.min(12, box.height));
  paint.strokeStyle = colour;
  paint.lineWidth = width;
  paint.strokeRect(x - space, y - tall / 2 - space, markWidth(branches[i], box) + 2 * space, tall + 2 * space);
}

// The answer beside its mark, since marks have no text.
function label(box) {
  const [x, y] = placeOf(chosen, box);
  if (x < -40 || x > view.width || y < 0 || y > view.height) return;
  const words = `★ ${visible(branches[chosen].answer ?? "the best so far").slice(0, 32)}`;
  paint.font = "600 13px system-ui, sans-serif";
  const wide = paint.measureText(words).width + 12;
  const after = x + markWidth(branches[chosen], box) + 9;
  const beside = after + wide < view.width;
  const at = beside ? after : view.width - wide - 6;
  const middle = beside ? y : y - 24;
  paint.globalAlpha = 0.9;
  paint.fillStyle = colours.paper;
  paint.fillRect(at, middle - 11, wide, 22);
  paint.globalAlpha = 1;
  paint.strokeStyle = colours.path;
  paint.lineWidth = 1;
  paint.strokeRect(at, middle - 11, wide, 22);
  paint.fillStyle = colours.ink;
  paint.textBaseline = "middle";
  paint.fillText(words, at + 6, middle + 0.5);
}

function drawCards(box) {
  const inSight = new Set();
  if (box.near) {
    for (const i of shown.places) {
      const [x, y] = placeOf(i, box);
      const out = y + box.height / 2 < 0 || y - box.height / 2 > view.height;
      if (!out && x + box.width > 0 && x < view.width) inSight.add(i);
    }
  }
  for (const [i, card] of cards) {
    if (!inSight.has(i)) { card.remove(); cards.delete(i); }
  }
  const lines = Math.floor((box.height - 2) / 16);
  for (const i of inSight) {
    let card = cards.get(i);
    const look = `${lines} ${[76, 110, 140].filter((w) => box.width > w).length} ${folded.has(i)} ${hits.has(i)} ${needle}`;
    if (card?.dataset.look !== look) {
      const made = cardOf(i, lines, box.width);
      made.dataset.look = look;
      card ? card.replaceWith(made) : layer.append(made);
      cards.set(i, card = made);
    }
    const [x, y] = placeOf(i, box);
    card.style.width = `${box.width}px`;
    card.style.height = `${box.height}px`;
    card.style.transform = `translate(${x}px, ${y - box.height / 2}px)`;
    card.classList.toggle("now", pointed && i === selected);
    card.setAttribute("aria-selected", String(i === selected));
  }
  if (cards.has(selected)) stage.setAttribute("aria-activedescendant", `n${selected}`);
  else stage.removeAttribute("aria-activedescendant");
}

function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

function cardOf(i, lines, width) {
  const branch = branches[i];
  const card = make("div", "card");
  card.id = `n${i}`;
  card.dataset.place = i;
  card.setAttribute("role", "treeitem");
  card.setAttribute("aria-level", depth[i] + 1);
  card.setAttribute("aria-label", spoken(i));
  if (children[i].length) card.setAttribute("aria-expanded", String(!folded.has(i)));
  const colour = shade(branch.value);
  if (colour) card.style.setProperty("--shade", colour);
  const classes = { unscored: !colour, gone: branch.gone, path: branch.path, chosen: branch.chosen,
    hit: hits.has(i), line: lines < 2, small: lines < 1, folds: width > 110 && children[i].length && i > 0 };
  for (const [name, on] of Object.entries(classes)) card.classList.toggle(name, Boolean(on));

  const facts = make("span", "facts");
  if (branch.value !== undefined) facts.append(make("span", "value", said(branch.value)));
  if (branch.steered) facts.append(make("span", "", "✎"));
  if (branch.count > 1) facts.append(make("span", "", `×${branch.count}`));
  if (branch.answer !== undefined) facts.append(make("span", "ends", `= ${visible(branch.answer)}`));
  if (lines >= 2 && branch.visits) facts.append(make("span", "outcome", counted(branch.visits, "visit", "s")));
  const ends = branch.chosen && branch.answer !== undefined ? "" : ending(branch);
  if (ends && lines >= 2) facts.append(make("span", "outcome", ends));
  if (facts.childNodes.length && (i > 0 || branch.steered)) card.append(facts);
  const room = lines < 2 ? 120 : 90 * lines;
  const words = visible((i === 0 ? tree.title : branch.text).trim().slice(0, room).replace(/\s+/g, " "));
  const text = make("div", "text");
  text.dir = "auto";
  marked(text, words || "(nothing)");
  card.style.setProperty("--lines", Math.max(1, lines - (card.childElementCount ? 1 : 0)));
  if (width > (branch.answer === undefined ? 76 : 140) || !facts.childNodes.length) card.append(text);
  if (branch.tokens) {
    card.style.setProperty("--share", `${100 * branch.tokens / mostTokens}%`);
  }
  if (classes.folds) {
    const fold = make("button", "fold", folded.has(i) ? `+${size[i] - branch.count}` : "−");
    fold.tabIndex = -1;
    fold.setAttribute("aria-label", folded.has(i) ? "Expand" : "Collapse");
    card.append(fold);
  }
  return card;
}

// Appends a text, what was searched for in marks.
function marked(to, text) {
  const low = needle ? text.toLowerCase() : "";
  let at = 0;
  for (let next; needle && low.length === text.length && (next = low.indexOf(needle, at)) >= 0; at = next + needle.length) {
    to.append(text.slice(at, next), make("mark", "", text.slice(next, next + needle.length)));
  }
  to.append(text.slice(at));
}

// A branch in words, for who does not see it.
function spoken(i) {
  const branch = branches[i];
  if (i === 0) return [`question: ${visible(tree.title)}`, ...(branch.notes ?? []).map(visible)].join(", ");
  const parts = [visible(branch.text).trim().slice(0, 160)];
  if (branch.value !== undefined) parts.push(`score ${said(branch.value)}`);
  if (branch.count > 1) parts.push(`${branch.count} equal ones`);
  if (branch.answer !== undefined) parts.push(`answer ${visible(branch.answer)}`);
  if (branch.path && !branch.chosen) parts.push("on the path to the answer");
  return [...parts, ending(branch)].filter(Boolean).join(", ");
}
