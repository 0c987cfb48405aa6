"""The style sheet of the HTML report: light and dark, on paper too."""

STYLE = """
:root { --paper: #fff; --ground: #f6f7f9; --ink: #1c2330; --soft: #5b6576; --line: #e2e6ec; --axis: #aab3c0;
  --point: #9aa8bd; --accent: #2456c8; --front: #d9480f; --bad: #c0262d; }
@media (prefers-color-scheme: dark) { :root { --paper: #171b22; --ground: #0f1217; --ink: #e6eaf0; --soft: #9aa6b6;
  --line: #2a313c; --axis: #566172; --point: #66748a; --accent: #7aa2ff; --front: #ff8a4c; --bad: #ff6b6b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px; }
header { margin-bottom: 24px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; }
h2 { font-size: 19px; margin: 0 0 14px; }
small { font-weight: 400; color: var(--soft); font-size: 14px; margin-left: 6px; }
.kind { margin: 0; color: var(--soft); text-transform: uppercase; letter-spacing: .08em; font-size: 12px; }
.facts { margin: 0; color: var(--soft); } .facts b { color: var(--ink); font-weight: 600; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 20px 22px; margin-top: 18px; }
.note { color: var(--soft); margin: 0 0 14px; max-width: 80ch; font-size: 14px; }
.cards { display: flex; flex-wrap: wrap; gap: 12px 36px; margin: 0; }
.cards dt { color: var(--soft); font-size: 13px; } .cards dd { margin: 0; font-size: 26px; font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 24px; }
.small-charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(320px, 100%), 1fr)); gap: 20px; }
figure { margin: 0; min-width: 0; } figcaption { display: flex; gap: 10px; flex-wrap: wrap; margin-bottom: 6px; }
.small-charts figcaption b { font: 600 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
figcaption span { color: var(--soft); font-size: 13px; }
svg { width: 100%; height: auto; display: block; overflow: visible; font-size: 12px; }
svg text { fill: var(--soft); } svg .name { fill: var(--ink); } svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; } svg .grid { stroke: var(--line); } svg .axis { stroke: var(--axis); }
svg .point { fill: var(--point); fill-opacity: .65; } svg .point:hover { stroke: var(--ink); }
svg .record { fill: var(--accent); fill-opacity: 1; } svg .front { fill: var(--front); fill-opacity: 1; }
svg .best-line { fill: none; stroke: var(--accent); stroke-width: 2; }
svg .front-line { fill: none; stroke: var(--front); stroke-width: 1.5; stroke-opacity: .6; }
svg .ring { fill: none; stroke: var(--ink); stroke-width: 1.5; } svg .mean { stroke: var(--accent); stroke-width: 3; }
svg .failed { stroke: var(--bad); stroke-width: 1.5; fill: none; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; } .num { text-align: right; white-space: nowrap; }
tbody tr:last-child td { border-bottom: 0; }
td:has(> .pick) { min-width: 30em; }
.pick { display: inline-block; white-space: nowrap; color: var(--soft); margin-right: 10px;
  font: 12.5px/1.6 ui-monospace, "DejaVu Sans Mono", monospace; } .pick b { color: var(--ink); }
.picks { width: auto; }
.picks td { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
pre { margin: 0; padding: 14px 16px; overflow: auto; max-height: 560px; background: var(--ground); border-radius: 8px;
  font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
summary { cursor: pointer; color: var(--soft); } details + details { margin-top: 8px; } details pre { margin-top: 8px; }
@media print { body { background: #fff; } section { break-inside: avoid; } pre { max-height: none; } }
""".strip()
