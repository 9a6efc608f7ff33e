"""How the drift page looks: light and dark, narrow and wide, on paper."""

STYLE = """
:root { color-scheme: light dark; --line: #8885; --odd: #8881; --drift: #1a56c4; --plain: #8889; --good: #1d7a3d;
  --warn: #8a5a00; --bad: #b3261e; --unseen: #2e9e5422; --c0: #1a56c4; --c1: #b8500b; --c2: #1d7a3d; --c3: #8a3ab8; }
@media (prefers-color-scheme: dark) { :root { --drift: #8ab4ff; --good: #7fd69a; --warn: #f0c060; --bad: #ff8a80;
  --unseen: #2e9e5438; --c0: #8ab4ff; --c1: #ffb27a; --c2: #7fd69a; --c3: #d6a6ff; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; }
.big { font-size: 1.15rem; overflow-wrap: anywhere; }
.badge { border: 2px solid; border-radius: .4rem; padding: 0 .45rem; font-weight: 600; }
.steady { color: var(--good); } .drifting { color: var(--warn); } .broken { color: var(--bad); }
.findings li { margin: .5rem 0; } .findings b { color: var(--bad); }
.strip { margin: .3rem 0 .6rem; break-inside: avoid; }
.strip figcaption { display: flex; gap: .5rem; align-items: baseline; font-size: .9rem; }
.strip i { opacity: .75; font-style: normal; } .note { margin-left: auto; text-align: right; color: var(--bad); }
.plot { position: relative; border: 1px solid var(--line); overflow: hidden; }
.plot svg { display: block; width: 100%; height: 4.2rem; }
.plot span { position: absolute; right: .25rem; font-size: .72rem; opacity: .8; background: Canvas; padding: 0 .15rem; }
.plot .top { top: 0; } .plot .bottom { bottom: 0; } .plot span { line-height: 1.1; }
svg * { vector-effect: non-scaling-stroke; }
.odd { fill: var(--odd); } .unseen { fill: var(--unseen); } .zero { stroke: var(--line); }
.still { fill: var(--bad); opacity: .25; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.drift { stroke: var(--drift); } .line.plain { stroke: var(--plain); stroke-width: 1.2; }
.c0 { --own: var(--c0); } .c1 { --own: var(--c1); } .c2 { --own: var(--c2); } .c3 { --own: var(--c3); }
.line.c0, .line.c1, .line.c2, .line.c3 { stroke: var(--own); }
.seam { stroke: var(--bad); stroke-width: 2; } .cut { stroke: currentColor; stroke-dasharray: 4 3; opacity: .6; }
.bar { fill: var(--drift); } .bar.bad { fill: var(--bad); } .limit { stroke: var(--bad); stroke-dasharray: 5 4; }
.ruler { position: relative; height: 1.4rem; font-size: .75rem; opacity: .85; }
.ruler span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.key { display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; font-size: .85rem; }
.sample { display: inline-block; width: 1.4rem; height: .55rem; margin-right: .15rem; }
.sample.drift { background: var(--drift); } .sample.plain { background: var(--plain); }
.sample.unseen { background: var(--unseen); border: 1px solid var(--line); }
.sample.seam { width: 3px; height: .9rem; background: var(--bad); }
.sample.cut { width: 0; height: .9rem; border-left: 2px dashed; }
.sample[class*=" c"]:not(.cut) { background: var(--own); }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .7rem; }
.pictures figure { margin: 0; border: 1px solid var(--line); padding: .3rem; break-inside: avoid; }
.pictures .bad { border: 2px solid var(--bad); } .pictures div { display: flex; gap: .2rem; }
.pictures img { width: 50%; height: auto; min-width: 0; object-fit: contain; }
.pictures figcaption { font-size: .8rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .15rem .5rem; text-align: left; vertical-align: top; }
.made td { overflow-wrap: anywhere; } .made th { white-space: normal; font-weight: 500; }
footer { margin-top: 2rem; font-size: .85rem; opacity: .85; }
@media (max-width: 600px) { body { padding: 0 .6rem; } .strip figcaption { flex-wrap: wrap; } }
@media print { body { margin: 0; max-width: none; } details > * { display: block; } .plot svg { height: 3rem; } }
"""
