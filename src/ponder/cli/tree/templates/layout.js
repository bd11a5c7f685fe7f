// A tidy tree (Reingold and Tilford 1981): parents beside the middle of their children, subtrees as
// close as their outlines allow. `kids[i]` are the places of the children that are shown, parents
// before children. Returns a row for each place; columns are the depths.
function tidy(kids) {
  const count = kids.length;
  const offset = new Float64Array(count);  // of the rows beneath a node, within its parent's frame
  const middle = new Float64Array(count);  // its own row, in the frame of its subtree
  const outline = new Array(count);  // first and last rows by height, deepest first, and their shift

  for (let i = count - 1; i >= 0; i--) {
    const below = kids[i];
    if (!below) continue;
    let whole = null;
    for (const child of below) {
      const next = outline[child];
      outline[child] = null;
      if (!whole) { offset[child] = 0; whole = next; continue; }
      const shared = Math.min(whole.first.length, next.first.length);
      let gap = -Infinity;
      for (let d = 1; d <= shared; d++) {
        const last = whole.last[whole.last.length - d] + whole.shift;
        const apart = d === 1 ? 1 : 1.3;  // cousins stand further apart than siblings
        gap = Math.max(gap, last - next.first[next.first.length - d] - next.shift + apart);
      }
      offset[child] = gap;
      next.shift += gap;
      whole = joined(whole, next, shared);
    }
    if (!whole) whole = { first: [], last: [], shift: 0 };
    else {
      const [top, bottom] = [below[0], below[below.length - 1]];
      middle[i] = (offset[top] + middle[top] + offset[bottom] + middle[bottom]) / 2;
    }
    whole.first.push(middle[i] - whole.shift);
    whole.last.push(middle[i] - whole.shift);
    outline[i] = whole;
  }

  const rows = new Float64Array(count);
  const frame = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    if (!kids[i]) continue;
    rows[i] = frame[i] + middle[i];
    for (const child of kids[i]) frame[child] = frame[i] + offset[child];
  }
  return rows;
}

// The outline of two subtrees, made in the longer one's arrays: the work is that of the shorter.
function joined(upper, lower, shared) {
  if (upper.first.length >= lower.first.length) {
    for (let d = 1; d <= shared; d++) {
      upper.last[upper.last.length - d] = lower.last[lower.last.length - d] + lower.shift - upper.shift;
    }
    return upper;
  }
  for (let d = 1; d <= shared; d++) {
    lower.first[lower.first.length - d] = upper.first[upper.first.length - d] + upper.shift - lower.shift;
  }
  return lower;
}
