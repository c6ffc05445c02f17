"use strict";

// A click on a column head sorts its table; rows without a value stay below.
for (const head of document.querySelectorAll("thead th")) {
  head.firstChild.addEventListener("click", () => {
    const column = head.cellIndex, body = head.closest("table").tBodies[0];
    const ascending = head.ariaSort !== "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.ariaSort = ascending ? "ascending" : "descending";
    const key = row => row.cells[column].dataset.key;
    const rows = [...body.rows].filter(row => key(row) !== "");
    const empty = [...body.rows].filter(row => key(row) === "");
    const numeric = rows.every(row => !Number.isNaN(Number(key(row))));
    const order = (a, b) => numeric ? a - b : a.localeCompare(b);
    rows.sort((a, b) => (ascending ? 1 : -1) * order(key(a), key(b)));
    body.append(...rows, ...empty);
  });
}

// A table that is wider than the page says so.
const cue = () => {
  for (const box of document.querySelectorAll(".scroll"))
    box.classList.toggle("overflows", box.scrollWidth > box.clientWidth + 1);
};
addEventListener("resize", cue);
cue();

// The legend highlights the series that are pressed, or all if none is.
const legend = [...document.querySelectorAll(".legend button")];
for (const button of legend) {
  button.addEventListener("click", () => {
    button.ariaPressed = String(button.ariaPressed !== "true");
    const some = legend.some(other => other.ariaPressed === "true");
    for (const {dataset, ariaPressed} of legend) {
      const color = `var(${dataset.line})`;
      for (const mark of document.querySelectorAll(`[fill="${color}"], [stroke="${color}"]`))
        mark.classList.toggle("faded", some && ariaPressed !== "true");
    }
  });
}

// The description of the mark under the pointer is shown beside it.
const tip = document.querySelector(".tip");
let here = null;
const describe = event => {
  const mark = event.target.closest?.("figure [aria-roledescription='rect mark']");
  if (mark !== here) {
    here?.classList.remove("here");
    mark?.classList.add("here");
    here = mark;
  }
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.ariaLabel;
  const {width, height} = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(0, Math.min(event.clientX + 14, innerWidth - width - 4))}px`;
  tip.style.top = `${Math.max(0, Math.min(event.clientY + 14, innerHeight - height - 4))}px`;
};
document.addEventListener("pointermove", describe);
document.addEventListener("pointerdown", describe);
