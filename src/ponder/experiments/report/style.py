"""How the report's page looks: one style sheet, in the light and in the dark, wide and narrow."""

STYLE = """
:root {
  --ink: #22262b; --faint: #667080; --grid: #e3e6ea; --trail: #f3e5b5; --paper: #ffffff;
  --card: #f6f7f9; --good: #1a7f4e; --bad: #b3400e; --open: #8a6d00;
  --good-tint: #e4f3ea; --bad-tint: #fbe9e0; --open-tint: #f1f2f4;
  --m0: #0072b2; --m1: #d55e00; --m2: #009e73; --m3: #b4569a; --m4: #b57900; --m5: #3b9ad9;
  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e8eb; --faint: #9aa4b2; --grid: #343a42; --trail: #4a4322; --paper: #16191d;
    --card: #1f2329; --good: #5fcf95; --bad: #f0915f; --open: #d8b648;
    --good-tint: #1c3527; --bad-tint: #3d2519; --open-tint: #262b32;
    --m0: #5aaee6; --m1: #f08a4b; --m2: #3fcba4; --m3: #dd8fc8; --m4: #dba53a; --m5: #8ac8f2;
  }
}
* { box-sizing: border-box; }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 3.5rem 1.5rem 5rem; max-width: 68rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 var(--font); font-variant-numeric: tabular-nums;
}
h1 { font-size: 2.1rem; line-height: 1.2; letter-spacing: -0.02em; margin: 0 0 .4rem; }
h2 {
  font-size: 1.55rem; letter-spacing: -0.01em; margin: 4.5rem 0 .2rem; padding-top: 1.6rem;
  border-top: 1px solid var(--grid);
}
h3 { font-size: 1.15rem; margin: 3.6rem 0 .6rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: inherit; }
code { font: .86em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.faint, figcaption, footer { color: var(--faint); font-size: .86rem; }
nav { margin: 1rem 0; } nav a { margin-right: 1.2rem; }
.command { display: block; overflow-x: auto; white-space: nowrap; color: var(--faint); }
.short {
  list-style: none; margin: 1.4rem 0 0; padding: 1.1rem 1.4rem; border-radius: 12px;
  background: var(--card);
}
.short li { padding: .28rem 0 .28rem 1.5rem; position: relative; }
.short li::before, .said::before {
  content: ""; position: absolute; left: 0; top: .78rem; width: .62rem; height: .62rem;
  border-radius: 50%; background: var(--faint);
}
.short .good::before, .said.good::before { background: var(--good); }
.short .bad::before, .said.bad::before { background: var(--bad); }
.short .open::before, .said.open::before {
  background: none; border: 2px solid var(--open);
}
.said { position: relative; padding-left: 1.5rem; margin: .7rem 0; max-width: 52rem; }
.said::before { top: .5rem; }
.said span { display: block; color: var(--faint); font-size: .88rem; }
figure { margin: 1.2rem 0; overflow-x: auto; }
figure svg { display: block; width: 100%; height: auto; }
figure.wide svg { min-width: 44rem; }
figure.part svg { max-width: 46rem; min-width: 30rem; }
figcaption { margin-top: .3rem; max-width: 52rem; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
svg text { font-family: var(--font); }
.tip { cursor: help; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); }
.pair { gap: .5rem 1.6rem; }
.pair figure { margin: .6rem 0; max-width: 31rem; }
h4 { margin: 1rem 0 0; font-size: .9rem; font-weight: 600; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .88rem; line-height: 1.35; }
th { text-align: left; font-weight: 600; color: var(--faint); vertical-align: bottom; }
th, td { padding: .38rem 1.1rem .38rem 0; border-bottom: 1px solid var(--grid); }
td.n, th.n { text-align: right; }
td.n, td:first-child { white-space: nowrap; }
td small { color: var(--faint); display: block; font-size: .8em; white-space: nowrap; }
td.good, td.bad, td.open { padding-left: .7rem; padding-right: .7rem; }
td.good { background: var(--good-tint); } td.bad { background: var(--bad-tint); }
td.open { background: var(--open-tint); }
details { margin: .8rem 0; } summary { cursor: pointer; color: var(--faint); font-size: .9rem; }
footer { margin-top: 5rem; border-top: 1px solid var(--grid); padding-top: 1.2rem; }
footer p { max-width: 52rem; }
@media (max-width: 40rem) {
  body { padding: 1.6rem 1rem 3rem; } h1 { font-size: 1.6rem; } .short { padding: .8rem 1rem; }
  .pair { grid-template-columns: 1fr; }
}
@media print { body { max-width: none; padding: 0; } figure { break-inside: avoid; } }
"""
