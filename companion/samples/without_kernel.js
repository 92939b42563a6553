(async () => {
  const home = document.getElementById("%ID%"), said = %DATA%;
  if (!home || home.dataset.drawn) return;
  home.dataset.drawn = "yes";
  home.replaceChildren();
  const make = (kind, about, ...inside) => {
    const one = Object.assign(document.createElement(kind), about);
    one.append(...inside);
    return one;
  };
  const loaded = {};
  const load = async (source) => {
    if (!loaded[source]) {
      loaded[source] = new Image();
      loaded[source].src = source;
    }
    await loaded[source].decode();
    return loaded[source];
  };
  const at = Object.fromEntries(said.controls.map((one) => [one.name, one.start]));
  const count = Object.fromEntries(said.controls.map((one) => [one.name, one.labels.length]));
  const index = (by) => by.reduce((all, name) => all * count[name] + at[name], 0);
  const of = (part) => part && part.values[index(part.by)];
  const colour = (table, share) => {
    const k = 3 * Math.round(255 * share);
    return [table[k], table[k + 1], table[k + 2]];
  };
  const tables = Object.fromEntries(Object.entries(said.tables).map(
    ([name, text]) => [name, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]));
  const scratch = make("canvas", { width: said.side, height: said.side });
  const pixels = (image, where, smooth) => {
    const pen = scratch.getContext("2d", { willReadFrequently: true });
    pen.imageSmoothingEnabled = smooth;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, ...where, 0, 0, said.side, said.side);
    return pen.getImageData(0, 0, said.side, said.side);
  };
  const whole = (image) => [0, 0, image.naturalWidth, image.naturalHeight];
  const line = (pen, points, width, stroke) => {
    pen.beginPath();
    points.forEach(([x, y], k) => pen[k ? "lineTo" : "moveTo"](x * said.side, y * said.side));
    Object.assign(pen, { lineWidth: width, strokeStyle: stroke, lineCap: "round" });
    pen.stroke();
  };
  async function paint(panel, canvas) {
    const pen = canvas.getContext("2d"), picture = of(panel.picture);
    const ground = picture && pixels(await load(picture), whole(await load(picture)), true);
    let shown = ground;
    if (panel.tiles) {
      const { source, side, columns, by, table } = panel.tiles, k = index(by);
      const where = [side * (k % columns), side * Math.floor(k / columns), side, side];
      shown = pixels(await load(source), where, Boolean(ground));
      for (let i = 0; i < shown.data.length; i += 4) {
        const share = shown.data[i] / 255, seen = ground ? share ** 0.6 : 1;
        const grey = ground ? 0.55 * (ground.data[i] + ground.data[i + 1] + ground.data[i + 2]) / 3 : 0;
        colour(tables[table], share).forEach((part, c) => {
          shown.data[i + c] = seen * part + (1 - seen) * grey;
        });
        shown.data[i + 3] = 255;
      }
    }
    pen.putImageData(shown, 0, 0);
    const pose = of(panel.pose);
    for (const [a, b, shade] of pose ? said.limbs : []) {
      line(pen, [pose[a], pose[b]], 6, "#000a");
      line(pen, [pose[a], pose[b]], 3.5, shade);
    }
    const ring = of(panel.ring), cross = of(panel.cross);
    if (ring) {
      pen.beginPath();
      pen.arc(ring[0] * said.side, ring[1] * said.side, 9, 0, 7);
      Object.assign(pen, { lineWidth: 2.5, strokeStyle: "#56B4E9" });
      pen.stroke();
    }
    if (cross) {
      const [x, y] = cross, d = 6 / said.side;
      for (const s of [1, -1]) line(pen, [[x - d, y - s * d], [x + d, y + s * d]], 2.5, "#fff");
    }
  }
  const canvases = said.panels.map((panel) => {
    const canvas = make("canvas", { width: said.side, height: said.side });
    canvas.setAttribute("role", "img");
    canvas.style.cssText = "width: 100%; display: block; border-radius: 4px";
    return canvas;
  });
  const named = said.panels.map((panel) => make("figcaption", {}));
  const figures = canvases.map((canvas, k) => {
    const figure = make("figure", {}, named[k], canvas);
    figure.style.cssText = "flex: 1 1 12rem; max-width: 17rem; margin: 0";
    return figure;
  });
  const bars = make("div", {});
  bars.style.cssText = "flex: 1 1 14rem; max-width: 22rem";
  async function draw() {
    for (const [k, panel] of said.panels.entries()) {
      await paint(panel, canvases[k]);
      named[k].textContent = of(panel.title);
      canvases[k].setAttribute("aria-label", named[k].textContent);
    }
    const values = of(said.bars), most = Math.max(...values, 1e-9);
    bars.replaceChildren(make("div", { textContent: said.bars.title }), ...values.map((value, k) => {
      const bar = make("span", {});
      bar.style.cssText = `display: block; height: .7rem; border-radius: 2px; background: ${
        said.bars.marked && at[said.bars.marked] === k ? "#D55E00" : "#3b8ec2"
      }; width: ${Math.max(1, 100 * value / most)}%`;
      const row = make("div", {}, `${said.bars.labels[k]}: ${said.bars.words[index(said.bars.by)][k]}`, bar);
      row.style.cssText = "margin: .35rem 0";
      return row;
    }));
  }
  const controls = said.controls.map((one) => {
    const value = make("output", { textContent: one.labels[one.start] });
    const control = one.list
      ? make("select", {}, ...one.labels.map((label, k) => new Option(label, k, false, k === one.start)))
      : make("input", { type: "range", min: 0, max: one.labels.length - 1, value: one.start });
    control.style.verticalAlign = "middle";
    control.addEventListener("input", () => {
      at[one.name] = Number(control.value);
      value.textContent = one.labels[at[one.name]];
      draw();
    });
    const label = make("label", {}, `${one.name} `, control, " ", ...(one.list ? [] : [value]));
    label.style.cssText = "margin-right: 1.2rem; white-space: nowrap";
    return label;
  });
  const above = make("div", {}, ...controls), below = make("div", {}, ...figures, bars);
  above.style.cssText = "display: flex; flex-wrap: wrap; gap: .4rem 0; margin-bottom: .5rem";
  below.style.cssText = "display: flex; flex-wrap: wrap; gap: .8rem; font-size: .85rem";
  home.append(above, below);
  await draw();
})();
