"use strict";
const root = document.documentElement;
// Whether the page works can be read off it, by tests too.
addEventListener("error", event => { root.dataset.error = event.message; });

const { like } = JSON.parse(document.getElementById("data").textContent);
const map = document.getElementById("map");
const aside = document.getElementById("like");
const figures = [...map.querySelectorAll("figure")];
const places = figures.map(({ style }) => ["--x", "--y"].map(axis => Number(style.getPropertyValue(axis)) / 100));
const MARGIN = 60;
// Pixels from the map's corner to that of the square, and the square's side.
let left = 0, top_ = 0, side = 1, whole = true;

function draw() {
  figures.forEach((figure, i) => {
    figure.style.left = `${left + places[i][0] * side}px`;
    figure.style.top = `${top_ + places[i][1] * side}px`;
  });
}

function fit() {
  const { clientWidth: width, clientHeight: height } = map;
  side = Math.max(50, Math.min(width, height) - 2 * MARGIN);
  [left, top_, whole] = [(width - side) / 2, (height - side) / 2, true];
  draw();
}

function zoom(factor, x, y) {
  factor = Math.min(Math.max(side * factor, 50), 200000) / side;
  left = x - (x - left) * factor;
  top_ = y - (y - top_) * factor;
  side *= factor;
  whole = false;
  draw();
}

function choose(i) {
  figures.forEach(figure => figure.classList.remove("chosen", "alike"));
  figures[i].classList.add("chosen");
  const head = document.createElement("h2");
  head.textContent = figures[i].querySelector("figcaption").textContent;
  const note = document.createElement("p");
  note.textContent = "Most like it (cosine of the style vectors):";
  const rows = like[i].map(([j, cosine]) => {
    figures[j].classList.add("alike");
    const button = document.createElement("button");
    button.style.setProperty("--color", figures[j].style.getPropertyValue("--color"));
    const text = document.createElement("span");
    text.textContent = figures[j].querySelector("figcaption").textContent;
    const value = document.createElement("small");
    value.textContent = cosine.toFixed(4);
    text.append(value);
    button.append(figures[j].querySelector("img").cloneNode(), text);
    button.onclick = () => choose(j);
    return button;
  });
  aside.replaceChildren(head, note, ...rows);
}

map.addEventListener("wheel", event => {
  event.preventDefault();
  const box = map.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });

// A press that does not move is a click.
let from = null;
map.onpointerdown = event => { from = { x: event.clientX, y: event.clientY, left, top: top_, moved: false }; };
map.onpointermove = event => {
  if (!from || !(event.buttons & 1)) return;
  const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
  if (!from.moved && Math.hypot(dx, dy) < 4) return;
  if (!from.moved) map.setPointerCapture(event.pointerId);
  from.moved = true;
  map.classList.add("moving");
  [left, top_, whole] = [from.left + dx, from.top + dy, false];
  draw();
};
map.onpointerup = event => {
  map.classList.remove("moving");
  const figure = event.target.closest("figure");
  if (from && !from.moved && figure) choose(figures.indexOf(figure));
  from = null;
};
map.onkeydown = event => {
  const figure = event.target.closest("figure");
  if (figure && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    choose(figures.indexOf(figure));
  }
};

for (const button of document.querySelectorAll(".group")) {
  button.onclick = () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", shown);
    figures.filter(figure => figure.dataset.g === button.dataset.g).forEach(figure => { figure.hidden = !shown; });
  };
}
const size = document.getElementById("size");
size.oninput = () => {
  map.style.setProperty("--size", `${size.value}px`);
  figures.forEach(figure => figure.classList.toggle("dot", size.value < 20));
};
document.getElementById("whole").onclick = fit;
addEventListener("resize", () => { if (whole) fit(); });
fit();
root.dataset.figures = figures.length;
