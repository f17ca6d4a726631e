"use strict";
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    const large = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!large));
  });
}
if (matchMedia("(max-width: 40rem)").matches) document.querySelector("nav details").open = false;
const opener = document.getElementById("open-scene");
if (opener) {
  opener.hidden = false;
  opener.addEventListener("click", () => {
    const frame = document.createElement("iframe");
    frame.title = "Interactive 3-D scene";
    frame.setAttribute("sandbox", "allow-scripts");
    frame.srcdoc = JSON.parse(document.getElementById("scene-page").textContent);
    opener.parentElement.replaceChildren(frame);
  });
}
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
