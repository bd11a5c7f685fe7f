// What a person does: pointer, keys, buttons, search.
const byId = (name) => document.getElementById(name);
const field = byId("search");

function select(i, { open = false, central = false } = {}) {
  reveal(i);
  [selected, pointed] = [i, true];
  if (open) panel.hidden = false;
  if (!panel.hidden) { describe(i); panel.scrollTop = 0; resized(); }
  byId("said").textContent = spoken(i);
  look(i, central);
}

function close() {
  panel.hidden = true;
  stage.focus();
  resized();
}

function fold(i) {
  if (!children[i].length || i === 0) return;
  const before = placeOf(i, measure())[1];
  const whole = isWhole();
  folded.has(i) ? folded.delete(i) : folded.add(i);
  arrange();
  if (!isShown(selected)) selected = i;
  if (!panel.hidden) describe(selected);
  fitted();
  if (whole) return fit();
  view.top += before - placeOf(i, measure())[1];  // it stays where the pointer is
  redraw();
}

function toggleDropped() {
  droppedHidden = !droppedHidden;
  byId("dropped").setAttribute("aria-pressed", String(droppedHidden));
  arrange();
  while (!isShown(selected)) selected = branches[selected].parent;
  if (!panel.hidden) describe(selected);
  fit();
}

function resized() {
  const box = stage.getBoundingClientRect();
  const whole = isWhole();
  [view.width, view.height] = [box.width, box.height];
  fitted();
  if (whole) fit();
  else redraw();
}

// Search -------------------------------------------------------------------------------------------

function find(words) {
  search(words);
  report(matches.indexOf(selected));
  redraw();
}

function report(at) {
  const count = matches.length;
  byId("found").textContent = !needle ? "" : !count ? "none" : at < 0 ? `${count}` : `${at + 1} of ${count}`;
  byId("next").disabled = byId("previous").disabled = !count;
}

function step(by) {
  if (!matches.length) return;
  const here = matches.indexOf(selected);
  const after = by > 0 ? matches.findIndex((i) => i > selected) : matches.findLastIndex((i) => i < selected);
  const at = here >= 0 ? (here + by + matches.length) % matches.length
    : after >= 0 ? after : by > 0 ? 0 : matches.length - 1;
  select(matches[at], { central: true });
  byId("dropped").setAttribute("aria-pressed", String(droppedHidden));
  report(at);
}

field.addEventListener("input", () => find(field.value));
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
  else if (event.key === "Escape") { field.value = ""; find(""); stage.focus(); }
  else return;
  event.preventDefault();
});

// Keys ---------------------------------------------------------------------------------------------

function neighbour(by) {
  const level = shown.places.filter((i) => depth[i] === depth[selected]);
  return level[level.indexOf(selected) + by] ?? selected;
}

const KEYS = {
  ArrowUp: () => select(neighbour(-1)),
  ArrowDown: () => select(neighbour(1)),
  ArrowLeft: () => select(Math.max(0, branches[selected].parent)),
  ArrowRight: () => {
    if (folded.has(selected)) fold(selected);
    const below = shown.kids[selected];
    if (below.length) select(below.find((i) => branches[i].path) ?? below[0]);
  },
  Home: () => select(0),
  End: () => select(shown.places.at(-1)),
  Enter: () => { select(selected, { open: true }); panel.focus(); },
  " ": () => fold(selected),
  "+": () => zoom(1.4),
  "=": () => zoom(1.4),
  "-": () => zoom(1 / 1.4),
  "0": () => fit(),
  a: () => toAnswer(),
  d: () => toggleDropped(),
  n: () => step(1),
  N: () => step(-1),
};

function toAnswer() {
  select(Math.max(0, chosen), { open: true, central: true });
}

stage.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
document.addEventListener("keydown", (event) => {
  if (event.target === field) return;
  if (event.key === "/") { event.preventDefault(); field.focus(); field.select(); }
  if (event.key === "Escape" && !panel.hidden) close();
});
for (const [name, act] of Object.entries({
  fit, "to-answer": toAnswer, dropped: toggleDropped, in: () => zoom(1.5), out: () => zoom(1 / 1.5),
  next: () => step(1), previous: () => step(-1),
})) byId(name).addEventListener("click", () => act());
panel.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.act === "close") close();
  else if (button?.dataset.act === "fold") fold(selected);
  else if (button?.dataset.act === "go") select(Number(button.dataset.to), { central: true });
});

// Pointer ------------------------------------------------------------------------------------------

const fingers = new Map();
let travelled = 0;

function under(event) {
  const card = event.target.closest?.(".card");
  if (card) return Number(card.dataset.place);
  const bounds = stage.getBoundingClientRect();
  const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
  const box = measure();
  let [nearest, least] = [-1, 10];
  for (const i of shown.places) {
    const [left, top] = placeOf(i, box);
    if (x < left - 6 || x > left + markWidth(branches[i], box) + 6) continue;
    if (Math.abs(top - y) < least) [nearest, least] = [i, Math.abs(top - y)];
  }
  return box.near ? -1 : nearest;
}

stage.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || event.target.closest(".fold")) return;
  if (!fingers.size) travelled = 0;
  fingers.set(event.pointerId, event);
});
stage.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const others = [...fingers.values()].filter((finger) => finger.pointerId !== event.pointerId);
  travelled += Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY);
  if (travelled > 4 && !stage.classList.contains("moving")) {
    stage.classList.add("moving");
    stage.setPointerCapture(event.pointerId);
  }
  if (others.length === 1) {
    const [other] = others;
    const apart = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY);
    const bounds = stage.getBoundingClientRect();
    zoom(apart(event) / Math.max(1, apart(before)),
      (event.clientX + other.clientX) / 2 - bounds.left, (event.clientY + other.clientY) / 2 - bounds.top);
  }
  const share = 1 / fingers.size;
  view.left += (event.clientX - before.clientX) * share;
  view.top += (event.clientY - before.clientY) * share;
  fingers.set(event.pointerId, event);
  redraw();
});
for (const name of ["pointerup", "pointercancel"]) {
  stage.addEventListener(name, (event) => {
    if (!fingers.delete(event.pointerId)) return;
    stage.classList.remove("moving");
    if (name === "pointercancel" || travelled > 4 || fingers.size) return;
    const i = under(event);
    if (i >= 0) select(i, { open: true });
  });
}
stage.addEventListener("click", (event) => {
  const button = event.target.closest(".fold");
  if (button) fold(Number(button.parentElement.dataset.place));
});
stage.addEventListener("dblclick", (event) => {
  const i = event.target.closest(".fold") ? -1 : under(event);
  if (i >= 0) fold(i);
});
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const bounds = stage.getBoundingClientRect();
  const unit = event.deltaMode === 1 ? 16 : 1;
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    view.left -= (event.deltaX || event.deltaY) * unit;
    redraw();
  } else {
    zoom(Math.exp(-event.deltaY * unit * 0.002), event.clientX - bounds.left, event.clientY - bounds.top);
  }
}, { passive: false });
stage.addEventListener("pointermove", (event) => {
  if (fingers.size) return;
  const i = under(event);
  stage.title = i > 0 && !measure().near ? spoken(i) : "";
});

// Start --------------------------------------------------------------------------------------------

document.querySelector("h1").textContent = visible(tree.title);
byId("answer").textContent = tree.answer === null ? "" : visible(tree.answer);
byId("to-answer").disabled = chosen < 0;
byId("dropped").hidden = !branches.some((branch) => branch.gone);

// The address may say what to look for and where: tree.html#q=words&n=0.1
function addressed() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (wanted.has("q")) { field.value = wanted.get("q"); find(field.value); step(1); }
  const at = branches.findIndex((branch) => wanted.has("n") && branch.id === wanted.get("n"));
  if (at > 0) select(at, { open: true, central: true });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  themed();
  for (const card of cards.values()) card.dataset.look = "";
  redraw();
});
new ResizeObserver(() => { resized(); draw(); }).observe(stage);  // before the frame is painted
window.addEventListener("hashchange", addressed);
themed();
arrange();
report(-1);
resized();
fit();
draw();
addressed();
document.documentElement.dataset.drawn = String(shown.places.length);
