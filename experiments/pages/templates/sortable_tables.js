"use strict";
/* Tables with class "sortable": a button in each heading sorts by that column, a second press turns the order round.
   A cell's data-value is compared, as a number where both are numbers; cells without one stay at the end. */
function sortTable(table, column, descending) {
  const value = (row) => {
    const cell = row.cells[column];
    return cell && cell.dataset.value !== undefined ? cell.dataset.value : "";
  };
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const numbers = !Number.isNaN(Number(x)) && !Number.isNaN(Number(y));
    const order = numbers ? Number(x) - Number(y) : x.localeCompare(y, undefined, { numeric: true });
    return descending ? -order : order;
  };
  const body = table.tBodies[0];
  [...body.rows].sort(compare).forEach((row) => body.append(row));
  [...table.tHead.rows[0].cells].forEach((cell, index) => {
    if (index === column) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  });
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = cell.querySelector("button");
    if (button) button.addEventListener("click", () => sortTable(table, column, cell.getAttribute("aria-sort") === "ascending"));
  });
}
