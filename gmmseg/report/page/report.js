
"use strict";
// What the page does when it is touched. Without it everything is shown, at half opacity, on one long page.

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const PER_PAGE = 100;

/** The slider between picture and classes moves the edge in every picture. */
const cut = document.getElementById("cut");
if (cut) {
  const wipes = all(".wipe");
  const move = () => wipes.forEach((each) => {
    each.classList.add("cut");
    each.style.setProperty("--cut", `${100 - cut.value}%`);
  });
  cut.addEventListener("input", move);
  move();
}

/** Images of a batch: one number each, on its card, its row and its point. */
const rows = all("tr[data-image]");
const cards = new Map(all(".card").map((each) => [each.dataset.image, each]));
const points = new Map(all(".point").map((each) => [each.dataset.image, each]));
let page = 0;

function showPage(number) {
  const count = Math.max(1, Math.ceil(rows.length / PER_PAGE));
  page = Math.min(Math.max(number, 0), count - 1);
  const order = all("tr[data-image]");
  const grid = document.querySelector(".cards");
  order.forEach((row, place) => {
    const there = Math.floor(place / PER_PAGE) === page;
    const card = cards.get(row.dataset.image);
    row.hidden = !there;
    card.hidden = !there;
    grid.append(card);
  });
  all(".pages").forEach((each) => { each.hidden = count === 1; });
  all(".where").forEach((each) => { each.textContent = `page ${page + 1} of ${count}`; });
}

function light(image, follow) {
  all(".on").forEach((each) => each.classList.remove("on"));
  if (image === null) return;
  const place = all("tr[data-image]").findIndex((each) => each.dataset.image === image);
  if (follow) showPage(Math.floor(place / PER_PAGE));
  const same = [all("tr[data-image]")[place], cards.get(image), points.get(image)];
  same.filter(Boolean).forEach((each) => each.classList.add("on"));
  const point = points.get(image);
  if (point) point.parentNode.append(point);
  if (follow) cards.get(image).scrollIntoView({ block: "nearest" });
}

if (rows.length) {
  let kept = null;
  const everywhere = [...rows, ...cards.values(), ...points.values()];
  everywhere.forEach((each) => {
    const image = each.dataset.image;
    each.addEventListener("pointerenter", () => light(image, false));
    each.addEventListener("pointerleave", () => light(kept, false));
    each.addEventListener("focus", () => light(image, false));
    each.addEventListener("click", () => {
      kept = kept === image ? null : image;
      light(kept, true);
    });
    each.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        each.dispatchEvent(new Event("click"));
      }
    });
  });
  all('a[href^="#image-"]').forEach((each) => each.addEventListener("click", () => {
    kept = each.hash.slice("#image-".length);
    light(kept, true); // its page is shown before the browser goes there
  }));
  all("[data-turn]").forEach((each) => each.addEventListener("click", () => showPage(page + Number(each.dataset.turn))));
  showPage(0);
}

/** A click on the head of a column sorts by it; numbers as numbers. */
all("table.sortable").forEach((table) => {
  const body = table.tBodies[0];
  const shown = /^[<\s]*(-?[\d\s]*\.?\d+(?:e[+-]?\d+)?)(?: %| ±.*)?$/; // "15 730", "12.3 %", "< 0.1 %", "81.2 ± 4"
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.textContent.trim();
    return cell.dataset.value ?? (shown.exec(text)?.[1].replace(/\s/g, "") ?? text);
  };
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    if (a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    return a === "" || b === "" ? (a === "") - (b === "") : a.localeCompare(b, "en", { numeric: true });
  };
  all("thead th", table).forEach((head, column) => {
    if (!head.textContent) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      all("[aria-sort]", table).forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down === 1 ? "ascending" : "descending");
      const sorted = [...body.rows].sort((a, b) => down * compare(key(a, column), key(b, column)));
      body.append(...sorted);
      if (rows.length) showPage(0);
    });
  });
});

/** The axes of the scatter plot are chosen by two lists; its points move, and its numbers with them. */
const plot = document.querySelector(".scatter");
if (plot) {
  const [left, top, width, height] = plot.dataset.inside.split(" ").map(Number);
  const columns = { x: document.getElementById("across"), y: document.getElementById("up") };
  const value = (row, column) => Number(row.cells[column].dataset.value);
  const range = (column) => {
    const known = rows.map((row) => value(row, column)).filter(Number.isFinite);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const room = (high - low) * 0.05 || 0.5;
    return [low - room, high + room];
  };
  const draw = () => {
    const [x, y] = [range(columns.x.value), range(columns.y.value)];
    plot.querySelector(".ticks").textContent = "";
    rows.forEach((row) => {
      const point = points.get(row.dataset.image);
      if (!point) return;
      const [a, b] = [value(row, columns.x.value), value(row, columns.y.value)];
      point.setAttribute("cx", left + (width * (a - x[0])) / (x[1] - x[0]));
      point.setAttribute("cy", top + height - (height * (b - y[0])) / (y[1] - y[0]));
    });
    const round = ([low, high]) => {
      const rough = (high - low) / 5;
      const unit = 10 ** Math.floor(Math.log10(rough));
      const step = unit * [1, 2, 5, 10].find((each) => unit * each >= rough * 0.999);
      const first = Math.ceil(low / step);
      const count = Math.floor(high / step) - first + 1;
      return Array.from({ length: count }, (_, place) => Number(((first + place) * step).toPrecision(12)));
    };
    const write = (text, across, up, anchor) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", "text");
      node.setAttribute("class", "tick");
      node.setAttribute("x", across);
      node.setAttribute("y", up);
      node.setAttribute("text-anchor", anchor);
      node.textContent = `${text}`.replace("-", "\u2212");
      plot.querySelector(".ticks").append(node);
    };
    round(x).forEach((each) => write(each, left + (width * (each - x[0])) / (x[1] - x[0]), top + height + 15, "middle"));
    round(y).forEach((each) => write(each, left - 6, top + height - (height * (each - y[0])) / (y[1] - y[0]) + 4, "end"));
  };
  Object.values(columns).forEach((each) => each.addEventListener("change", draw));
  draw();
}
