/** The page's style sheet: light and dark by the reader's choice, from 320 pixels of width up. */
export const style = `
:root{color-scheme:light dark;--page:#f7f7f5;--card:#fff;--ink:#1b1d21;--muted:#5d6470;--line:#e2e3e7;--before:#9aa1ad;--after:#1f62d0;--gain:#b9cdf0;--cut:#1f62d0;--s1:#f3bd73;--s2:#e58a2b;--s3:#bd5410;--s4:#6f250a}
@media (prefers-color-scheme:dark){:root{--page:#121315;--card:#1a1c1f;--ink:#eceef1;--muted:#9aa1ac;--line:#2d3035;--before:#727a86;--after:#74a9ff;--gain:#30466b;--cut:#74a9ff;--s1:#7d4c1c;--s2:#bd7128;--s3:#ee9f4f;--s4:#ffdcae}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:28px 16px 48px}
h1{font-size:1.6rem;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:1.15rem;line-height:1.3;margin:0 0 4px}
.lead{color:var(--muted);margin:4px 0 20px;overflow-wrap:anywhere}
.note{border-left:3px solid var(--s2);padding:2px 0 2px 12px;margin:0 0 20px}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px;margin:0 0 16px}
.caption{color:var(--muted);font-size:.9rem;margin:0 0 10px;max-width:46rem}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:.85rem;margin:0 0 10px;color:var(--muted)}
.legend i{display:inline-block;width:10px;height:10px;border-radius:50%;margin-right:6px;background:var(--after)}
.legend .before,.legend .scale-0{background:var(--before)}.legend .scale-1{background:var(--s1)}.legend .scale-2{background:var(--s2)}.legend .scale-3{background:var(--s3)}.legend .scale-4{background:var(--s4)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:0 0 16px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tile dt{color:var(--muted);font-size:.85rem}.tile dd{margin:0}
.tile strong{display:block;font-size:1.7rem;line-height:1.25;font-weight:650;letter-spacing:-.01em}
.tile span{display:block;color:var(--muted);font-size:.8rem;line-height:1.35}
@media (max-width:520px){main{padding:20px 12px 32px}section{padding:14px}.tile:first-child{grid-column:1/-1}th,td{padding:4px 6px}}
.panels{display:grid;gap:14px 20px;grid-template-columns:1fr}
@media (min-width:700px){.panels{grid-template-columns:1fr 1fr}}
@media (min-width:1000px){.of-3{grid-template-columns:1fr 1fr 1fr}}
.panel{margin:0;min-width:0;container-type:inline-size}
.panel figcaption{font-size:.85rem;font-weight:600;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:10.5px;fill:var(--muted)}
@container (min-width:440px){svg text{font-size:7.6px}}
.grid{stroke:var(--line);stroke-width:.7}.axis{stroke:var(--muted);stroke-width:.7}
.dots{stroke-linecap:round;stroke-width:6.2;fill:none;stroke:var(--after)}.dots.before{stroke:var(--before)}
.small{stroke-width:4.6}.scale-0{stroke:var(--before)}.scale-1{stroke:var(--s1)}.scale-2{stroke:var(--s2)}.scale-3{stroke:var(--s3)}.scale-4{stroke:var(--s4)}
.stems{stroke:var(--gain);stroke-width:2.2;fill:none}
.hit{fill:transparent}.hit:hover{fill:var(--muted);fill-opacity:.14}
.cut{fill:var(--cut)}.full{fill:var(--before)}
.bars,.plain{list-style:none;margin:0;padding:0}
.bars{display:grid;gap:10px}
.row{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 12px;font-size:.88rem}
.label{overflow-wrap:anywhere}.figures{color:var(--muted)}
.track{height:8px;margin-top:2px}
.bar{height:100%;min-width:1px;border-radius:2px;background:var(--after)}.bar.before{background:var(--before)}
details{border-top:1px solid var(--line)}
summary{display:flex;flex-wrap:wrap;gap:0 12px;cursor:pointer;padding:7px 2px;font-size:.86rem}
summary::before{content:"▸";color:var(--muted)}details[open]>summary::before{content:"▾"}
summary::-webkit-details-marker{display:none}
summary span{color:var(--muted)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.82rem}
th,td{text-align:right;padding:4px 8px;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child{text-align:left;padding-left:2px}th{font-weight:600}
thead th{color:var(--muted);font-weight:500}
th small{display:block;color:var(--muted);font-weight:400}
.settings th{width:1%;vertical-align:top;padding-right:20px}.settings td{text-align:left;white-space:normal;overflow-wrap:anywhere}
.plain{color:var(--muted);font-size:.82rem;margin:8px 2px}.plain li{margin:0 0 3px}.settings .plain{margin:0;color:inherit}
code{font-size:.92em;color:var(--muted)}
footer{color:var(--muted);font-size:.82rem}
@media print{section,.tile{break-inside:avoid}}
`
