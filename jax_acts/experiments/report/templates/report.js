"use strict";
const series = JSON.parse(document.body.dataset.series);

// A click on the head of a column sorts its table; what is not known stays below.
for (const head of document.querySelectorAll("thead th")) {
  head.firstChild.addEventListener("click", () => {
    const place = head.cellIndex, body = head.closest("table").tBodies[0];
    const up = head.ariaSort !== "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.ariaSort = up ? "ascending" : "descending";
    const key = row => row.cells[place].dataset.key;
    const rows = [...body.rows];
    const known = rows.filter(row => key(row) !== "");
    const numbers = known.every(row => !Number.isNaN(Number(key(row))));
    const order = (a, b) => numbers ? a - b : a.localeCompare(b);
    known.sort((a, b) => (up ? 1 : -1) * order(key(a), key(b)));
    body.append(...known, ...rows.filter(row => key(row) === ""));
  });
}

// The legend shows the series that are pressed, or all if none is.
const legend = [...document.querySelectorAll(".legend button")];
const hidden = n => legend.some(button => button.ariaPressed === "true")
  && legend.some(b => b.dataset.series === String(n) && b.ariaPressed !== "true");
for (const button of legend) {
  button.addEventListener("click", () => {
    button.ariaPressed = String(button.ariaPressed !== "true");
    for (const part of document.querySelectorAll('[class^="series-"]'))
      part.classList.toggle("faded", hidden(part.classList[0].slice(7)));
  });
}

// Where the pointer is on a chart, a box tells what is drawn there.
const tip = document.querySelector(".tip");
for (const chart of document.querySelectorAll("svg[data-places]")) {
  const {along, places} = JSON.parse(chart.dataset.places), way = along === "x" ? 0 : 1;
  const line = document.createElementNS(chart.namespaceURI, "path");
  line.classList.add("here");
  const shown = ([, marks]) => marks.filter(mark => !hidden(mark[2]));
  chart.addEventListener("pointermove", event => {
    const at = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(chart.getScreenCTM().inverse());
    const away = place => Math.abs(place[1][0][way] - [at.x, at.y][way]);
    const seen = places.filter(place => shown(place).length);
    if (!seen.length) return;
    const near = seen.reduce((a, b) => away(b) < away(a) ? b : a);
    const where = near[1][0][way], {width, height} = chart.viewBox.baseVal;
    line.setAttribute("d", way ? `M0 ${where}H${width}` : `M${where} 0V${height}`);
    chart.append(line);
    const title = document.createElement("b");
    title.textContent = near[0];
    const rows = shown(near).sort((a, b) => way ? 0 : a[1] - b[1]).map(([, , n, text]) => {
      const row = document.createElement("div"), dot = document.createElement("i");
      dot.style.background = `var(--series-${n % 10})`;
      row.append(dot, way ? text : `${series[n] ?? ""} ${text}`);
      return row;
    });
    tip.replaceChildren(title, ...rows);
    tip.hidden = false;
    const {width: w, height: h} = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(0, Math.min(event.clientX + 14, innerWidth - w - 4))}px`;
    tip.style.top = `${Math.max(0, Math.min(event.clientY + 14, innerHeight - h - 4))}px`;
  });
  chart.addEventListener("pointerleave", () => { tip.hidden = true; line.remove(); });
}
