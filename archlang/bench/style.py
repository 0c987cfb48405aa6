"""What the page of a bench adds to the report's style sheet: a colour and a dash pattern for each searcher.

The colours are told apart with the usual kinds of colour blindness too (after Okabe & Ito 2008); neighbours
in the list differ in their dashes as well.
"""

STYLE = """
:root { --c0: #0072b2; --c1: #d55e00; --c2: #00805c; --c3: #b8559a; --c4: #b07800; --c5: #2b9fd8; --c6: #6a3d9a;
  --c7: #8c4a2f; --c8: #6b7a00; --good: #14713a; }
@media (prefers-color-scheme: dark) { :root { --c0: #5aa9ff; --c1: #ff8a3d; --c2: #2fcf9f; --c3: #e58fd0; --c4: #f2b632;
  --c5: #8fdcff; --c6: #b79cff; --c7: #d99a7a; --c8: #cfd94a; --good: #5fd08b; } }
.c0 { --mine: var(--c0); } .c1 { --mine: var(--c1); } .c2 { --mine: var(--c2); } .c3 { --mine: var(--c3); }
.c4 { --mine: var(--c4); } .c5 { --mine: var(--c5); } .c6 { --mine: var(--c6); } .c7 { --mine: var(--c7); }
.c8 { --mine: var(--c8); } .base { --mine: var(--soft); }
.d1 { --dash: 7 3; } .d2 { --dash: 2 2.5; } .d3 { --dash: 9 3 2 3; }
svg .series .curve, svg.series .curve { fill: none; stroke: var(--mine); stroke-width: 2;
  stroke-dasharray: var(--dash, none); stroke-linejoin: round; }
svg .base .curve, svg.base .curve { stroke-width: 3; stroke-opacity: .75; }
svg .band { fill: var(--mine); fill-opacity: .10; } svg .series:hover .band { fill-opacity: .35; }
svg .series:hover .curve { stroke-width: 4; } svg .mark { fill: var(--mine); }
svg .floor { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 1 3; }
.swatch { display: inline-block; width: 30px; height: 10px; margin-right: 7px; vertical-align: middle; }
.searcher { white-space: nowrap; margin-right: 18px; }
.legend { margin: 0 0 12px; font-size: 14px; line-height: 1.9; }
.bench { margin-top: 18px; font-size: 13px; } .bench th, .bench td { padding-right: 10px; }
 .bench small { margin-left: 2px; font-size: 12px; } .bench .searcher { margin-right: 4px; } td b { font-weight: 650; }
.better { color: var(--good); } .worse { color: var(--bad); font-weight: 600; } .same { color: var(--soft); }
"""
