"use strict";
(() => {
  const all = (what, where) => Array.from((where || document).querySelectorAll(what));
  const tip = document.getElementById("tip");
  const map = document.getElementById("map");

  // Titles become tips that follow the pointer; without this script they are the browser's own.
  for (const title of all("svg title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  document.addEventListener("mousemove", (event) => {
    const held = event.target.closest && event.target.closest("[data-tip]");
    tip.style.display = held ? "block" : "none";
    if (!held) return;
    tip.textContent = held.dataset.tip;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8);
    tip.style.left = `${left}px`;
    tip.style.top = `${top}px`;
  });

  const choose = (id) => {
    for (const one of all(".on")) one.classList.remove("on");
    if (!id) return null;
    const found = all("[data-id],[data-of]").filter(
      (one) => one.dataset.id === id || one.dataset.of === id);
    for (const one of found) one.classList.add("on");
    return found.find((one) => one.classList.contains("dot"));
  };

  if (map) {
    const home = map.getAttribute("viewBox").split(" ").map(Number);
    let view = home.slice();
    const scale = document.getElementById("scale");
    const labels = all("text", map);
    const draw = () => {
      map.setAttribute("viewBox", view.join(" "));
      const unit = map.clientWidth / view[2] || 1;
      for (const one of labels) one.style.fontSize = `${12 / unit}px`;
      const perPixel = Number(map.dataset.metres) / unit;
      let size = 10 ** Math.floor(Math.log10(perPixel * 160));
      for (const factor of [5, 2]) {
        if (size * factor <= perPixel * 160) { size *= factor; break; }
      }
      scale.style.width = `${size / perPixel}px`;
      scale.textContent = size >= 1000 ? `${size / 1000} km` : `${size} m`;
    };
    const zoom = (factor, x, y) => {
      const size = Math.min(Math.max(view[2] * factor, home[2] / 2000), home[2] * 4);
      const by = size / view[2];
      view = [x - (x - view[0]) * by, y - (y - view[1]) * by, size, view[3] * by];
      draw();
    };
    const at = (event) => {
      const box = map.getBoundingClientRect();
      return [view[0] + (event.clientX - box.left) / box.width * view[2],
        view[1] + (event.clientY - box.top) / box.height * view[3]];
    };
    const middle = () => [view[0] + view[2] / 2, view[1] + view[3] / 2];
    map.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, ...at(event));
    }, {passive: false});
    let from = null;
    let moved = false;
    map.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY, view[0], view[1]];
      moved = false;
    });
    addEventListener("pointermove", (event) => {
      if (!from) return;
      const unit = map.clientWidth / view[2];
      const by = [event.clientX - from[0], event.clientY - from[1]];
      moved = moved || Math.abs(by[0]) + Math.abs(by[1]) > 4;
      view[0] = from[2] - by[0] / unit;
      view[1] = from[3] - by[1] / unit;
      draw();
    });
    addEventListener("pointerup", () => { from = null; });
    map.addEventListener("click", (event) => {
      if (moved) return;
      const dot = event.target.closest(".dot");
      choose(dot && dot.dataset.id);
      const row = dot && all("#episodes tr").find((one) => one.dataset.id === dot.dataset.id);
      if (row) row.scrollIntoView({block: "nearest"});
    });
    document.getElementById("in").addEventListener("click", () => zoom(0.6, ...middle()));
    document.getElementById("out").addEventListener("click", () => zoom(1.6, ...middle()));
    document.getElementById("home").addEventListener("click", () => {
      view = home.slice();
      draw();
    });
    addEventListener("resize", draw);
    draw();
    for (const row of all("#episodes tbody tr")) {
      row.addEventListener("click", () => {
        const dot = choose(row.dataset.id);
        row.classList.add("on");
        if (!dot) return;
        const box = dot.getBBox();
        const size = Math.min(view[2], home[2] / 6);
        view = [box.x - size / 2, box.y - size * home[3] / home[2] / 2, size,
          size * home[3] / home[2]];
        draw();
        map.scrollIntoView({block: "nearest", behavior: "smooth"});
      });
    }
  }

  const words = document.getElementById("words");
  if (words) {
    const rows = all("#episodes tbody tr");
    const picks = all(".filters select");
    const shown = document.getElementById("shown");
    const filter = () => {
      const wanted = words.value.toLowerCase();
      const ids = new Set();
      for (const row of rows) {
        const fits = picks.every((one) => !one.value || row.dataset[one.dataset.by] === one.value)
          && row.textContent.toLowerCase().includes(wanted);
        row.hidden = !fits;
        if (fits) ids.add(row.dataset.id);
      }
      shown.textContent = String(ids.size);
      const whole = ids.size === rows.length;
      for (const one of all("#map .dot,#map .track")) {
        one.classList.toggle("dim", !whole && !ids.has(one.dataset.id || one.dataset.of));
      }
    };
    words.addEventListener("input", filter);
    for (const one of picks) one.addEventListener("change", filter);
  }
})();
