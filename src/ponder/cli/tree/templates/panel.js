// The details of one node.
const panel = document.getElementById("panel");

function describe(i) {
  const branch = branches[i];
  panel.replaceChildren();
  const head = make("div", "head");
  const heading = i === 0 ? "Question" : branch.chosen ? (branch.answer === undefined ? "The best so far" : "The answer") : `Node ${branch.id}`;
  head.append(make("h2", "", heading));
  const close = make("button", "", "✕");
  close.dataset.act = "close";
  close.setAttribute("aria-label", "Close the details");
  head.append(close);
  panel.append(head, factsOf(i));
  for (const score of branch.scores ?? []) panel.append(scoreOf(score));
  panel.append(make("h3", "", i === 0 ? "Question" : branch.continues ? "Text that it added" : "Text"));
  panel.append(textOf(i === 0 ? tree.title : branch.text));
  if (branch.equals) equalsOf(branch);
  if (i > 0 && branch.continues && branch.parent > 0) {
    const whole = make("details");
    whole.append(make("summary", "", "The whole chain"));
    whole.addEventListener("toggle", () => {
      if (whole.open && whole.childElementCount === 1) whole.append(chainOf(i));
    });
    panel.append(whole);
  }
  panel.append(movesOf(i));
}

function factsOf(i) {
  const branch = branches[i];
  const facts = make("dl");
  const add = (name, value) => {
    if (value === undefined || value === "") return;
    const dd = make("dd", "", visible(String(value)));
    dd.dir = "auto";
    facts.append(make("dt", "", name), dd);
  };
  add("Answer", i === 0 ? tree.answer ?? undefined : branch.answer);
  if (i > 0) {
    const status = branch.status === "open" ? "not continued" : branch.status;
    add("Status", branch.path && !branch.chosen ? `${status}, on the answer’s path` : status);
    add("Reason", branch.why);
    if (!branch.why && !branch.chosen && branch.outcome !== status) add("Outcome", branch.outcome);
    if (branch.finish === "length") add("Finish", "truncated at its length");
  }
  add("Thinking", branch.reasoning);
  add("Steered", branch.notes?.join(", "));
  add("Tokens", branch.tokens?.toLocaleString("en"));
  if (branch.visits) add("Visits", `${branch.visits.toLocaleString("en")}, mean ${branch.mean.toFixed(3)}`);
  if (children[i].length) add("Beneath", `${counted(children[i].length, "branch", "es")}, ${counted(size[i] - branch.count, "node", "s")}`);
  if (i > 0) add("Id", branch.id);
  return facts;
}

function scoreOf([value, who, verdict, detail]) {
  const score = make("div", "score");
  const word = verdict === "scored" || verdict === "abstain" ? "" : `${verdict} `;
  score.append(make("span", "who", visible(who)));
  score.append(make("strong", "", value === null ? (word || "abstains") : word + value.toFixed(3)));
  if (value !== null) {
    const meter = make("span", "meter");
    const fill = make("span");
    fill.style.width = `${100 * value}%`;
    fill.style.setProperty("--shade", shade(value));
    meter.append(fill);
    score.append(meter);
  }
  if (detail) score.append(make("span", "detail", visible(detail)));
  return score;
}

function textOf(text) {
  const pre = make("pre");
  marked(pre, visible(text.replace(/^\n+|\s+$/g, "")) || "(nothing)");
  return pre;
}

function equalsOf(branch) {
  panel.append(make("h3", "", `${branch.count} equal branches`));
  const own = [[branch.id, branch.value ?? null], ...branch.equals];
  const words = own.map(([id, value]) => (value === null ? id : `${id} (${said(value)})`));
  panel.append(make("p", "", words.join(", ")));
}

function chainOf(i) {
  const parts = [];
  for (let at = i; at > 0; at = branches[at].parent) {
    parts.unshift(branches[at].text);
    if (!branches[at].continues) break;
  }
  const pre = make("pre");
  pre.append(make("span", "before", visible(parts.slice(0, -1).join(""))), visible(parts.at(-1)));
  return pre;
}

function movesOf(i) {
  const moves = make("div", "moves");
  const add = (act, words, place) => {
    const button = make("button", "", words);
    button.dataset.act = act;
    if (place !== undefined) button.dataset.to = place;
    moves.append(button);
  };
  if (i > 0) add("go", "Parent", branches[i].parent);
  const best = children[i].find((k) => branches[k].path) ?? children[i][0];
  if (best !== undefined) add("go", branches[best].path ? "Next on the path" : "First child", best);
  if (children[i].length && i > 0) add("fold", folded.has(i) ? "Expand" : "Collapse");
  return moves;
}
