"use strict";
const root = document.documentElement;
// Whether the page works can be read off it, by tests too.
addEventListener("error", event => { root.dataset.error = event.message; });

const { methods, images } = JSON.parse(document.getElementById("data").textContent);
const main = document.querySelector("main");
const dialog = document.querySelector("dialog");
const figures = [...main.querySelectorAll("figure")];
const control = id => document.getElementById(id);
const chosen = document.head.appendChild(document.createElement("style"));
const method = () => Number(control("method").value);
let order = figures.map((_, i) => i);
let descending = false;
let open = 0;

// What an image is sorted by; nothing without a prediction of the method, which puts it last.
function key(i, by) {
  if (by === "order") return i;
  if (by === "name") return images[i].name;
  if (by === "cells") return images[i].cells;
  const ap = images[i].ap[method()];
  if (!ap) return null;
  return by === "mean" ? ap.reduce((sum, v) => sum + v, 0) / ap.length : ap[Number(by)];
}

const names = new Intl.Collator(undefined, { numeric: true });

function compare(a, b) {
  const by = control("sort").value;
  const [x, y] = [key(a, by), key(b, by)];
  if (x === null || y === null) return (x === null) - (y === null) || a - b;
  const sign = descending ? -1 : 1;
  return sign * (typeof x === "string" ? names.compare(x, y) : x - y) || a - b;
}

function arrange() {
  chosen.textContent = `[data-m]:not([data-m="${method()}"]) { display: none }`;
  const part = control("find").value.toLowerCase();
  order = figures.map((_, i) => i).sort(compare);
  main.append(...order.map(i => figures[i]));
  order = order.filter(i => images[i].name.toLowerCase().includes(part));
  const kept = new Set(order);
  figures.forEach((figure, i) => { figure.hidden = !kept.has(i); });
}

// The image with the outlines of one method, in the dialog.
function view(i, m) {
  const box = document.createElement("div");
  box.className = "view";
  const stage = figures[i].querySelector(".stage");
  const { width, height } = stage.querySelector("svg").viewBox.baseVal;
  box.style.setProperty("--form", width / height);
  const copy = document.createElement("div");
  copy.className = "stage";
  copy.style.aspectRatio = stage.style.aspectRatio;
  copy.append(...[...stage.children].map(child => child.cloneNode(true)));
  const caption = document.createElement("figcaption");
  const title = document.createElement("h3");
  title.textContent = methods[m];
  caption.append(title, figures[i].querySelector(`figcaption [data-m="${m}"]`).cloneNode(true));
  box.append(copy, caption);
  for (const part of box.querySelectorAll("[data-m]")) {
    if (Number(part.dataset.m) === m) delete part.dataset.m; else part.remove();
  }
  return box;
}

function show(i) {
  open = i;
  const head = document.createElement("h2");
  const name = document.createElement("span");
  name.textContent = images[i].name;
  head.append(name);
  for (const [label, title, action] of [["←", "previous", () => step(-1)], ["→", "next", () => step(1)], ["✕", "close", () => dialog.close()]]) {
    const button = document.createElement("button");
    button.textContent = label;
    button.title = title;
    button.onclick = action;
    head.append(button);
  }
  const side = document.createElement("div");
  side.className = "side";
  side.append(...methods.map((_, m) => view(i, m)));
  dialog.replaceChildren(head, side);
  if (!dialog.open) dialog.showModal();
}

function step(by) {
  const at = order.indexOf(open) + by;
  if (at >= 0 && at < order.length) show(order[at]);
}

figures.forEach((figure, i) => { figure.querySelector(".stage").onclick = () => show(i); });
for (const id of ["method", "sort", "find"]) control(id).oninput = arrange;
control("turn").onclick = () => {
  descending = !descending;
  control("turn").textContent = descending ? "↓" : "↑";
  control("turn").setAttribute("aria-pressed", descending);
  arrange();
};
for (const id of ["truth", "pred"]) {
  control(id).oninput = () => document.body.classList.toggle(`no-${id}`, !control(id).checked);
}
control("size").oninput = () => root.style.setProperty("--side", `${control("size").value}px`);
dialog.onkeydown = event => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
};
dialog.onclick = event => { if (event.target === dialog) dialog.close(); };
control("method").parentElement.hidden = methods.length < 2;
arrange();
root.dataset.figures = figures.length;
