"""The style of the report, for light and dark."""

from typing import Final

STYLE: Final = """
:root{--back:#fff;--text:#1c2330;--soft:#5a6577;--line:#d5dbe5;--box:#f4f6fa;
--ok:#1b7a3d;--okb:#d7f2df;--bad:#b3261e;--badb:#fbdedb;--run:#0b5cad;--runb:#d9eafd;
--wait:#7a5200;--waitb:#fdf0c8;--off:#5a6577;--offb:#e9edf3;--model:#6b3fa0;--tool:#00696b}
@media (prefers-color-scheme:dark){:root{--back:#12161d;--text:#e6eaf1;--soft:#9aa6b8;
--line:#333c4a;--box:#1b212b;--ok:#7fdc9b;--okb:#173d25;--bad:#ff9d94;--badb:#4b1d1a;
--run:#8cc4ff;--runb:#12365c;--wait:#ffd479;--waitb:#453408;--off:#a5b0c0;--offb:#29313d;
--model:#cba6ff;--tool:#6fd8da}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:1280px;margin:0 auto;padding:16px 20px 60px}
h1{font-size:24px;margin:8px 0;overflow-wrap:anywhere}
h2{font-size:18px;margin:28px 0 8px;border-bottom:1px solid var(--line);padding-bottom:4px}
h4{margin:12px 0 2px;font-size:15px}
p{margin:4px 0;overflow-wrap:anywhere}
small,.phase{margin-left:8px}
small,footer,.legend{color:var(--soft)}
footer{margin-top:32px}
a{color:var(--run)}
code{background:var(--box);padding:1px 4px;border-radius:3px;overflow-wrap:anywhere}
.scroll{overflow:auto;max-width:100%}
.graph{max-height:720px;border:1px solid var(--line);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;vertical-align:top;padding:4px 12px 4px 0;border-bottom:1px solid var(--line);
overflow-wrap:anywhere;max-width:420px}
th{color:var(--soft);font-weight:600}
details{border:1px solid var(--line);border-radius:6px;margin:6px 0;padding:6px 12px}
summary{cursor:pointer;font-weight:600}
section{border-top:1px solid var(--line);margin-top:8px}
.quote{background:var(--box);border-left:3px solid var(--line);padding:4px 10px;
white-space:pre-wrap}
.bad{color:var(--bad)}
.phase{font-size:13px;font-weight:600;border-radius:10px;padding:1px 8px;color:var(--off);
background:var(--offb)}
.Succeeded,.Approved{color:var(--ok);background:var(--okb)}
.Failed,.Rejected,.Denied,.other{color:var(--bad);background:var(--badb)}
.Running{color:var(--run);background:var(--runb)}
.Waiting,.Open,.Backoff,.Paused,.Suspended{color:var(--wait);background:var(--waitb)}
svg{display:block;font:12px system-ui,sans-serif}
svg text{fill:var(--soft)}
svg .name{fill:var(--text);font-weight:600}
.node rect{fill:var(--offb);stroke:var(--off);stroke-width:1}
.node.Succeeded rect{fill:var(--okb);stroke:var(--ok)}
.node.Failed rect{fill:var(--badb);stroke:var(--bad);stroke-width:2}
.node.Running rect{fill:var(--runb);stroke:var(--run)}
.node.Waiting rect,.node.Backoff rect{fill:var(--waitb);stroke:var(--wait)}
.edge{fill:none;stroke:var(--soft);stroke-width:1.2;opacity:.55}
.soft{stroke-dasharray:4 3}
.tick{stroke:var(--line)}
.bar{stroke:none;fill:var(--off)}
.bar.queue,.bar.scheduling,.bar.waiting{fill:var(--line)}
.bar.pull{fill:var(--tool);opacity:.5}
.bar.startup{fill:var(--soft);opacity:.6}
.bar.work{fill:var(--run);opacity:.55}
.bar.failed{fill:var(--bad);opacity:.75}
.bar.approval{fill:var(--wait);opacity:.6}
.bar.model{fill:var(--model)}
.bar.tool{fill:var(--tool)}
.key{display:inline-block;margin:0 4px 0 12px;width:10px;height:10px;background:var(--off)}
.key.queue,.key.scheduling{background:var(--line)}
.key.pull{background:var(--tool);opacity:.5}
.key.startup{background:var(--soft);opacity:.6}
.key.work{background:var(--run);opacity:.55}
.key.failed{background:var(--bad);opacity:.75}
.key.approval{background:var(--wait);opacity:.6}
.key.model{background:var(--model)}
.key.tool{background:var(--tool)}
@media print{.graph{max-height:none}details{break-inside:avoid}}
"""
