// Tells, for the call under the pointer, what it is and what it waited for, and outlines the chain
// of calls before it. Reads the JSON beside each picture; loads nothing.
for (const figure of document.querySelectorAll("figure")) {
  const run = JSON.parse(figure.querySelector("script").textContent);
  const svg = figure.querySelector("svg");
  const overlay = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "g"));
  overlay.setAttribute("class", "overlay");
  const box = document.body.appendChild(document.createElement("div"));
  box.className = "hover";
  const tracks = [...figure.querySelectorAll(".calls")].map((group) => ({
    y: +group.dataset.y,
    height: +group.dataset.height,
    calls: run.calls
      .map((call, index) => ({ index, worker: call[0], start: call[1], end: call[1] + call[2] }))
      .filter((call) => call.worker === +group.dataset.worker && call.end > call.start)
      .sort((a, b) => a.start - b.start),
  }));
  const x = (ns) => run.x + (run.width * ns) / run.end;

  const find = (calls, at) => {
    let low = 0;
    let high = calls.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (calls[middle].start <= at) low = middle + 1;
      else high = middle;
    }
    const near = run.end / run.width;
    const call = calls[low - 1];
    return call && at <= call.end + near ? call.index : undefined;
  };

  const outline = (index, kind) => {
    const [worker, start, length] = run.calls[index];
    const track = tracks[worker];
    if (!track || !length) return;
    const rect = overlay.appendChild(document.createElementNS(overlay.namespaceURI, "rect"));
    rect.setAttribute("class", kind);
    rect.setAttribute("x", x(start));
    rect.setAttribute("width", Math.max(1, x(start + length) - x(start)));
    rect.setAttribute("y", track.y);
    rect.setAttribute("height", track.height);
  };

  const show = (index, event) => {
    const [worker, start, length, name, key, gas, source, outcome] = run.calls[index];
    const chain = [];
    for (let at = source; at >= 0 && chain.length < 2000; at = run.calls[at][6]) chain.push(at);
    const lines = [
      `call ${run.first + index} · ${run.names[name]} · worker ${worker}`,
      `${length.toLocaleString("en")} ns · ${gas.toLocaleString("en")} gas · ${outcome}`,
      source < 0 ? "waits for nobody" : `waits for call ${run.first + source} on ${run.keys[key]}`,
    ];
    if (chain.length > 1) lines.push(`${chain.length} calls before it, one after another`);
    box.textContent = lines.join("\n");
    box.style.display = "block";
    const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - box.offsetWidth - 8);
    box.style.left = `${left}px`;
    box.style.top = `${event.clientY + 18}px`;
    overlay.replaceChildren();
    chain.forEach((at) => outline(at, "before"));
    outline(index, "here");
  };

  svg.addEventListener("mousemove", (event) => {
    const frame = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / frame.width;
    const at = [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
    const track = tracks.find(({ y, height }) => at[1] >= y && at[1] <= y + height);
    const index = track && find(track.calls, ((at[0] - run.x) / run.width) * run.end);
    if (index === undefined) hide();
    else show(index, event);
  });
  const hide = () => {
    box.style.display = "none";
    overlay.replaceChildren();
  };
  svg.addEventListener("mouseleave", hide);
}
