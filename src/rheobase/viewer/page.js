// A picture of the view with its bars, saved as a file.
window.rheobase = window.rheobase || {};
window.rheobase.compose = async function (view, bars) {
  const image = await createImageBitmap(await view.captureImage());
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0);
  const scale = image.height / 800;
  const height = 190 * scale;
  const step = 250 * scale;
  let top = image.height / 2 - (step * bars.length) / 2 + 40 * scale;
  for (const bar of bars) {
    const right = image.width - 24 * scale;
    const colours = pen.createLinearGradient(0, top + height, 0, top);
    bar.colours.forEach((c, k) => colours.addColorStop(k / (bar.colours.length - 1), c));
    pen.fillStyle = colours;
    pen.fillRect(right - 18 * scale, top, 18 * scale, height);
    pen.fillStyle = "#24292f";
    pen.textAlign = "right";
    pen.font = `600 ${15 * scale}px sans-serif`;
    pen.fillText(bar.title, right, top - 14 * scale);
    pen.font = `${14 * scale}px sans-serif`;
    for (const tick of bar.ticks) {
      const y = top + height * (1 - tick.part);
      pen.fillRect(right - 23 * scale, y - 0.5 * scale, 5 * scale, scale);
      pen.fillText(tick.text, right - 26 * scale, y + 5 * scale);
    }
    top += step;
  }
  return canvas.toDataURL("image/png");
};
window.rheobase.save = async function (view, bars, name) {
  const link = document.createElement("a");
  link.href = await window.rheobase.compose(view, bars);
  link.download = `${name}.png`;
  link.click();
};
window.rheobase.part = function (event) {
  const box = event.currentTarget.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
};
window.rheobase.at = function (event, view) {
  const box = event.currentTarget.getBoundingClientRect();
  const camera = view && view.getCamera ? view.getCamera() : null;
  return [camera, [event.clientX - box.left, event.clientY - box.top], [box.width, box.height]];
};

// In a narrow window, as in a notebook's cell, the scene comes first; a click opens what is told.
(function fold() {
  if (!window.trame || !document.querySelector(".rb-view")) { setTimeout(fold, 50); return; }
  if (window.innerWidth < 1200) window.trame.state.set("right_open", false);
  if (window.innerWidth < 800) window.trame.state.set("left_open", false);
})();
